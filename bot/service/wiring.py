"""`laocert run`: connects intake, worker, courier and listener, and runs them until a signal or a failure."""

import asyncio
import gc
import logging
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from telegram import Bot
from telegram.error import InvalidToken, RetryAfter, TelegramError

from bot.inbound import webhook
from bot.inbound.floods import Floods
from bot.inbound.intake import Intake
from bot.inbound.polling import POLL, Poller, TokenRefused, poll_in_turn
from bot.inbound.worker import Worker
from bot.outbound.courier import Courier
from bot.runtime.clock import Clock, utc_now
from bot.runtime.metrics import TALLY
from bot.runtime.settings import Hook, Settings, SettingsRefused, hook_of, require_bot
from bot.runtime.watchdog import Watchdog, WatchdogTimes, guard
from bot.service import upkeep
from bot.service.deadlines import keep_deadlines
from bot.service.listener import Front, Listener, Probes, listening
from bot.service.opening import Use, opened
from bot.service.tuning import PRODUCTION, Tuning
from bot.telegram import api
from bot.telegram.clocks import keep_comparing, make_clocks
from bot.telegram.limiter import Limiter
from bot.telegram.transport import CONNECT_TIMEOUT, AiohttpRequest
from handlers.chat.commands import menu
from handlers.chat.turn import DEFAULTS, Setup
from handlers.notices.rendering import require_renderers
from models.audit import event_chain
from models.certification.certify import Demands
from models.chats import inbox
from models.database.engine import Database
from models.database.lease import Lease
from models.notices import reachability
from models.security.sealing import Seal

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

# Seconds between tries to reach the Bot API at the start.
HELLO_PAUSE = 2.0
# New objects after which Python searches for reference cycles (default 700, about as many as a tap makes).
GARBAGE_AFTER = 10_000


async def run(settings: Settings, clock: Clock = utc_now, tuning: Tuning = PRODUCTION) -> None:
    """Run the bot until SIGTERM or SIGINT.

    Raises SettingsRefused, also for a token that Telegram refuses; StoodStill; and what `opened` raises, such as
    SchemaOutdated and KeyUnknown.
    """
    from bot.http.server import bind  # noqa: PLC0415 - imported only by a program that listens

    token, keys = require_bot(settings)
    require_renderers()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(settings, Use.RECORDS, "laocert run") as database:
        front = Front(bind(settings), hook_of(settings))
        polls = AiohttpRequest(1, read_timeout=POLL + CONNECT_TIMEOUT, transfer_timeout=tuning.polls.transfer)
        bot = api.make_bot(token, settings.api_url, polls)
        try:
            async with listening(front, bot, database, clock, tuning) as listener:
                if await _open(bot, front.hook, stop, listener.probes):
                    _freeze_startup_objects()
                    await serve(
                        bot,
                        polls,
                        database,
                        Seal(keys),
                        stop,
                        clock,
                        setup=_setup(settings),
                        listener=listener,
                        tuning=tuning,
                    )
        finally:
            front.listening.close()
            await bot.shutdown()


def _setup(settings: Settings) -> Setup:
    return Setup(
        settings.operator_chat,
        settings.contact,
        demands=Demands(settings.spot_check_size, settings.difference_percent),
    )


async def _open(bot: Bot, hook: Hook | None, stop: asyncio.Event, probes: Probes) -> bool:
    """Wait until the Bot API answers and the bot is initialized. False when `stop` was set before that."""
    hello, stopping = asyncio.create_task(_hello(bot, hook, probes)), asyncio.create_task(stop.wait())
    await asyncio.wait({hello, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not hello.done():
        hello.cancel()
        await asyncio.wait({hello})
        return False
    await hello
    return True


async def _hello(bot: Bot, hook: Hook | None, probes: Probes) -> None:
    while True:
        pause = HELLO_PAUSE
        try:
            await bot.initialize()
            await _look_at_webhook(bot, hook)
            await api.introduce(bot, menu())
            probes.reached()
            return
        except InvalidToken as error:
            raise SettingsRefused("LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather") from error
        except RetryAfter as error:
            pause = api.retry_seconds(error)
            probes.waiting_for(error.message)
            log.warning("the Bot API asks to wait: %s", error.message)
        except TelegramError as error:
            probes.waiting_for(error.message)
            log.warning("the Bot API does not answer yet: %s", error.message)
        await asyncio.sleep(pause)


async def _look_at_webhook(bot: Bot, hook: Hook | None) -> None:
    """Compare the webhook at Telegram with the settings. Only the operator changes it: a program that was started
    with the token by mistake must not take another one's updates.

    Raises SettingsRefused when a webhook is set but the settings want long polling.
    """
    fault = (await webhook.look(bot)).fault(hook)
    if fault is None:
        return
    if hook is None:
        raise SettingsRefused(fault)
    # Only a warning: the operator may set the webhook after this program listens.
    log.warning("%s", fault)


async def resume_pauses(limiter: Limiter, database: Database, now: datetime) -> None:
    """Load the chats' stored pauses into the limiter, so that 429s of an earlier process are obeyed."""
    async with database.read() as session:
        for chat_id, until in (await reachability.paused(session, now)).items():
            limiter.pause(chat_id, (until - now).total_seconds())


async def serve(
    bot: Bot,
    polls: AiohttpRequest,
    database: Database,
    seal: Seal,
    stop: asyncio.Event,
    clock: Clock = utc_now,
    rng: random.Random | None = None,
    setup: Setup = DEFAULTS,
    listener: Listener | None = None,
    tuning: Tuning = PRODUCTION,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Process updates and send messages until `stop` is set, then stop the parts in order. `bot` is initialized.

    Without a listener the program polls, and serves no HTTP. `monotonic`, in seconds, measures the time between
    two comparisons of the clock. Raises SettingsRefused, KeyUnknown, StoodStill, and the first error of any part.
    """

    def in_hand(chat_id: int) -> bool:
        return worker.serves(chat_id)

    limiter = Limiter(rates=tuning.rates)
    await resume_pauses(limiter, database, clock())
    courier = Courier(bot, database, clock, setup.operator_chat, in_hand, limiter, tuning.courier, tuning.lease)
    clocks = make_clocks(bot, database, clock, monotonic)
    complete_setup = replace(setup, bot_username=bot.username, clock_offset=lambda: clocks.telegram.or_none)
    floods = Floods(tuning.floods)
    worker = Worker(
        bot,
        database,
        seal,
        clock,
        rng or random.SystemRandom(),
        courier.wake,
        complete_setup,
        limiter,
        courier.send_receipt,
        tuning.worker,
        floods,
    )
    intake = Intake(bot.id, database, seal, clock, worker.take, floods)
    poller = None if listener and listener.front.hook else Poller(bot, polls, intake, tuning.polls)
    probes = listener.probes if listener else Probes(bot, database, clock, tuning)
    watchdog = _watchdog(poller, worker, probes, tuning.watchdog)
    TALLY.leases["courier"] = courier.has_lease
    TALLY.troubles = database.troubles
    TALLY.bad_seals = database.seal_state.found
    async with database.read() as session:
        waiting_updates = (await inbox.waiting(session)).depth
        # Checked again: since the database was opened the program may have waited long for the Bot API.
        await event_chain.require_known_key(session)
        newest_event = await event_chain.newest_id(session)
    log.info("@%s is running; %d updates were left to do", bot.username, waiting_updates)
    work = {
        "courier": courier.run(),
        "looks": worker.run(),
        "upkeep": upkeep.run(database, clock, courier.has_lease),
        "clocks": keep_comparing(bot, database, clocks),
        "key": upkeep.watch_key(database, newest_event),
        "deadlines": keep_deadlines(database, clock, setup.operator_chat, offset=clocks.telegram),
        "watchdog": watchdog.run(),
    }
    if poller is not None:
        lease = Lease(database, "poller", tuning.lease)
        TALLY.leases["poller"] = lambda: lease.is_held
        work["polls"] = poll_in_turn(poller, lease)
    tasks = {name: asyncio.create_task(running, name=name) for name, running in work.items()}
    if listener is not None:
        listener.open(intake)
        tasks["listener"] = listener.serving
    probes.started()
    stopping = asyncio.create_task(stop.wait())
    over = guard(watchdog)
    ended, _ = await asyncio.wait({*tasks.values(), stopping}, return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping: updates in hand are finished first")
    if listener is not None:
        await listener.stop()
    await _end_in_order([*tasks.values(), stopping], tasks["courier"], worker, courier, tuning.grace)
    over.set()
    _raise_first(ended - {stopping})


def _watchdog(poller: Poller | None, worker: Worker, probes: Probes, times: WatchdogTimes) -> Watchdog:
    return Watchdog(
        poller.idle if poller else lambda: None,
        worker.oldest,
        probes.work.bot_api_answers,
        probes.readiness.database_answers,
        times,
    )


async def _end_in_order(
    tasks: list[asyncio.Task[Any]], sending: asyncio.Task[Any], worker: Worker, courier: Courier, grace: float
) -> None:
    """Stop intake and all else first, then the worker after the updates in progress, then the courier after the
    messages that these have queued. `grace`: seconds for worker and courier, half each.
    """
    await _cancel(*(task for task in tasks if task is not sending))
    await worker.drain(grace / 2)
    await _cancel(sending)
    await courier.drain(grace / 2)


def _freeze_startup_objects() -> None:
    """Exclude modules, mappers and settings, which live to the end, from garbage collection: scanning them again
    and again took a tenth of the time of taps.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _raise_first(ended: set[asyncio.Task[Any]]) -> None:
    """Raises the error of the first task that failed; a refused token as SettingsRefused."""
    for task in ended:
        try:
            task.result()
        except TokenRefused as error:
            raise SettingsRefused("LAOCERT_BOT_TOKEN was refused by Telegram; see @BotFather") from error
