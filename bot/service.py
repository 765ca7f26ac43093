"""`laocert run`: wires intake, worker and courier together and keeps them running until told to stop."""

import asyncio
import logging
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from telegram import Bot
from telegram.error import InvalidToken, RetryAfter, TelegramError

from bot import api
from bot.courier import Courier
from bot.intake import POLL, Poller, TokenRefused
from bot.limiter import Limiter
from bot.opening import opened
from bot.settings import Settings, SettingsRefused, require_bot
from bot.transport import CONNECT_TIMEOUT, AiohttpRequest
from bot.worker import Worker
from handlers.commands import menu
from handlers.turn import DEFAULTS, Setup
from models import reach
from models.audit import last_head, take_head
from models.certification import Demands
from models.database import Database
from models.round import BANGKOK
from models.sealing import Seal

log = logging.getLogger(__name__)

# Seconds that updates in hand and sends under way are given after SIGTERM.
GRACE = 8.0
# Seconds between looks whether today's head of the record has been taken.
HEADS_EVERY = 600.0
# Seconds between tries to reach the Bot API at the start.
HELLO_PAUSE = 2.0


def utc_now() -> datetime:
    """The clock of the program; tests bring their own."""
    return datetime.now(UTC)


async def run(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT.

    Raises SettingsRefused, models.schema.SchemaOutdated.
    """
    token, keys = require_bot(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(settings) as database:
        polls = AiohttpRequest(1, read_timeout=POLL + CONNECT_TIMEOUT)
        bot = api.make_bot(token, settings.api_url, polls)
        try:
            if await _open(bot, stop):
                await serve(bot, polls, database, Seal(keys), stop, setup=_setup(settings))
        finally:
            await bot.shutdown()


def _setup(settings: Settings) -> Setup:
    return Setup(settings.operator_chat, demands=Demands(settings.spot_check_size, settings.difference_percent))


async def _open(bot: Bot, stop: asyncio.Event) -> bool:
    """Say hello to the Bot API, waiting for it as long as it is away. False when told to stop before that."""
    hello, stopping = asyncio.create_task(_hello(bot)), asyncio.create_task(stop.wait())
    await asyncio.wait({hello, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not hello.done():
        hello.cancel()
        await asyncio.wait({hello})
        return False
    await hello
    return True


async def _hello(bot: Bot) -> None:
    while True:
        pause = HELLO_PAUSE
        try:
            await bot.initialize()
            await bot.delete_webhook()
            await api.introduce(bot, menu())
            return
        except InvalidToken as error:
            raise SettingsRefused("LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather") from error
        except RetryAfter as error:
            pause = api.retry_seconds(error)
            log.warning("the Bot API asks to wait: %s", error.message)
        except TelegramError as error:
            log.warning("the Bot API does not answer yet: %s", error.message)
        await asyncio.sleep(pause)


async def keep_heads(database: Database, clock: Callable[[], datetime]) -> None:
    """Take a head of the record each day (Bangkok's time), at the first look of the day."""
    while True:
        try:
            async with database.write() as session:
                last, now = await last_head(session), clock()
                if last is None or last.astimezone(BANGKOK).date() < now.astimezone(BANGKOK).date():
                    log.info("head of the record: %s", await take_head(session, now))
        except Exception as error:
            # The database is away; the next look comes.
            log.error("no head could be taken: %s", type(error).__name__)
        await asyncio.sleep(HEADS_EVERY)


async def resume_pauses(limiter: Limiter, database: Database, now: datetime) -> None:
    """Go on obeying the 429s of the process before."""
    async with database.read() as session:
        for chat_id, until in (await reach.paused(session, now)).items():
            limiter.pause(chat_id, (until - now).total_seconds())


async def serve(
    bot: Bot,
    polls: AiohttpRequest,
    database: Database,
    seal: Seal,
    stop: asyncio.Event,
    clock: Callable[[], datetime] = utc_now,
    rng: random.Random | None = None,
    setup: Setup = DEFAULTS,
) -> None:
    """Do updates and send messages until `stop` is set; `bot` is initialized. Raises SettingsRefused."""

    def in_hand(chat_id: int) -> bool:
        return worker.serves(chat_id)

    limiter = Limiter()
    await resume_pauses(limiter, database, clock())
    courier = Courier(bot, database, clock, setup.operator_chat, in_hand, limiter)
    named = replace(setup, bot_username=bot.username)
    worker = Worker(bot, database, seal, clock, rng or random.SystemRandom(), courier.wake, named, limiter)
    poller = Poller(bot, polls, database, seal, clock, worker.take)
    left = await worker.resume()
    log.info("@%s is running; %d updates were left to do", bot.username, left)
    polling = asyncio.create_task(poller.run(), name="intake")
    sending = asyncio.create_task(courier.run(), name="courier")
    heads = asyncio.create_task(keep_heads(database, clock), name="heads")
    stopping = asyncio.create_task(stop.wait())
    ended, _ = await asyncio.wait({polling, sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping: updates in hand are finished first")
    polling.cancel()
    heads.cancel()
    stopping.cancel()
    await asyncio.wait({polling, heads, stopping})
    await worker.drain(GRACE / 2)
    sending.cancel()
    await asyncio.wait({sending})
    await courier.drain(GRACE / 2)
    for task in ended - {stopping}:
        try:
            task.result()
        except TokenRefused as error:
            raise SettingsRefused("LAOCERT_BOT_TOKEN was refused by Telegram; see @BotFather") from error
