"""Messages out: sends the outbox within Telegram's limits, at least once, and says of each how it ended.

Limits (Bot API FAQ, "My bot is hitting limits"): about 30 messages a second for a bot, about one a second in a
chat. A 429 pauses its chat for as long as Telegram asks.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from bot import api
from bot.transport import NotSent
from handlers.notices import notice
from handlers.screen import Screen
from handlers.texts import texts
from models import outbox
from models.certification import load_certification
from models.conversation import chat_language
from models.database import Database, Session
from models.outbox import OutboxMessage, State

log = logging.getLogger(__name__)

PER_SECOND = 30
CHAT_INTERVAL = 1.0
# Sends under way at once: enough for 30/s at half a second a call.
PARALLEL = 16
# Seconds between looks at the outbox when nothing wakes the courier.
IDLE = 1.0


class Courier:
    """Sends what is due. Call `wake()` when a transaction may have queued something."""

    def __init__(self, bot: Bot, database: Database, clock: Callable[[], datetime]) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._awake = asyncio.Event()
        self._slots = asyncio.Semaphore(PARALLEL)
        self._sending: set[asyncio.Task[None]] = set()
        self._next_send = 0.0
        # Chats that must wait, with the loop's time until which.
        self._busy: dict[int, float] = {}

    def wake(self) -> None:
        """There may be something to send."""
        self._awake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        async with self._database.write() as session:
            unsure = await outbox.recover(session, self._clock())
        if unsure:
            log.warning("%d messages were being sent when the last courier ended; each is sent once more", unsure)
        while True:
            self._awake.clear()
            try:
                found = await self._send_due()
            except Exception as error:
                # The database is away; rows stay as they are.
                log.error("the outbox could not be read: %s", type(error).__name__)
                found = 0
            if not found:
                await self._rest()

    async def drain(self, seconds: float) -> None:
        """Let the sends under way end."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)

    async def _rest(self) -> None:
        """Sleep until woken, until a busy chat is free again, or for a second."""
        now = asyncio.get_running_loop().time()
        free = min((until - now for until in self._busy.values() if until > now), default=IDLE)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), min(max(free, 0.01), IDLE))

    async def _send_due(self) -> int:
        """Start the sends that may start now, one a chat; how many."""
        loop = asyncio.get_running_loop()
        self._busy = {chat: until for chat, until in self._busy.items() if until > loop.time()}
        async with self._database.read() as session:
            rows = await outbox.due(session, self._clock(), set(self._busy), limit=PER_SECOND)
        started = 0
        for row in rows:
            if row.chat_id in self._busy:
                continue
            await self._slots.acquire()
            await asyncio.sleep(max(self._next_send - loop.time(), 0))
            self._next_send = max(self._next_send, loop.time()) + 1 / PER_SECOND
            # Until it is sent and a second longer.
            self._busy[row.chat_id] = float("inf")
            task = asyncio.create_task(self._send(row))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            started += 1
        return started

    async def _send(self, row: OutboxMessage) -> None:
        wait = CHAT_INTERVAL
        try:
            wait = await self._attempt(row)
        except Exception as error:
            log.error("message %d: its end could not be noted: %s", row.id, type(error).__name__)
        finally:
            self._busy[row.chat_id] = asyncio.get_running_loop().time() + wait
            self._slots.release()
            self.wake()

    async def _attempt(self, row: OutboxMessage) -> float:
        """One call and its outcome; the seconds that its chat must now be left alone."""
        was_uncertain = row.state is State.UNCERTAIN
        async with self._database.write() as session:
            if not await outbox.mark_sending(session, row):
                return 0
            screen = await self._render(session, row)
        try:
            message_id = await api.send(self._bot, row.chat_id, screen)
        except RetryAfter as error:
            wait = api.retry_seconds(error)
            await self._retry(row, State.PENDING, error, wait)
            return wait
        except (Forbidden, BadRequest, ChatMigrated) as error:
            await self._bury(row, error)
        except NotSent as error:
            await self._retry(row, row.state, error, _backoff(row))
        except NetworkError as error:
            # It may have arrived. Once more, and no more: the code in it shows that it is the same.
            if was_uncertain:
                await self._bury(row, error)
            else:
                await self._retry(row, State.UNCERTAIN, error, _backoff(row))
        except TelegramError as error:
            await self._retry(row, row.state, error, _backoff(row))
        else:
            async with self._database.write() as session:
                await outbox.mark_sent(session, row.id, message_id, self._clock())
        return CHAT_INTERVAL

    async def _render(self, session: Session, row: OutboxMessage) -> Screen:
        made = await load_certification(session, row.certification_id)
        return notice(texts(await chat_language(session, row.chat_id)), row.kind, made)

    async def _retry(self, row: OutboxMessage, state: State, error: TelegramError, wait: float) -> None:
        if row.attempts + 1 >= outbox.MAX_ATTEMPTS:
            await self._bury(row, error)
            return
        log.warning("message %d: attempt %d: %s", row.id, row.attempts + 1, error.message)
        async with self._database.write() as session:
            await outbox.mark_retry(session, row.id, state, error.message, self._clock(), timedelta(seconds=wait))

    async def _bury(self, row: OutboxMessage, error: TelegramError) -> None:
        log.error("message %d is dead: %s", row.id, error.message)
        async with self._database.write() as session:
            await outbox.mark_dead(session, row.id, error.message)


def _backoff(row: OutboxMessage) -> float:
    """1, 2, 4 … 64 seconds."""
    return float(2 ** min(row.attempts, 6))
