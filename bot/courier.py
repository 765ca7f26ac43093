"""Messages out: sends the outbox within Telegram's limits, at least once, and says of each how it ended.

Limits (Bot API FAQ, "My bot is hitting limits"): about 30 messages a second for a bot, about one a second in a
chat. A 429 pauses its chat for as long as Telegram asks; 429s of several chats at once pause all of them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from telegram import Bot

from bot.delivery import Outcome, again, deliver
from handlers.notices import notice
from handlers.screen import Deferred, Dropped, Screen
from models import outbox, province_card
from models.account import active_officer, is_somebodys, take_away_late
from models.database import Database, Session
from models.outbox import Kind, OutboxMessage, State

log = logging.getLogger(__name__)

PER_SECOND = 30
CHAT_INTERVAL = 1.0
# So many chats paused by 429s at once mean that the bot as a whole is too fast.
SEVERAL = 3
# Sends under way at once: enough for 30/s at half a second a call. Bulk has not all of them.
PARALLEL = 16
BULK_PARALLEL = 12
# Seconds between looks at the outbox when nothing wakes the courier.
IDLE = 1.0
# Seconds before what a dead courier may have sent is sent once more: a program that dies at each start must not
# send it each time.
RECOVERY_PAUSE = 5.0
# Seconds before the end of a send is written down again, when the database was away.
NOTE_PAUSE = 1.0


class NotRendered(Exception):
    """A message's screen could not be made; nothing was changed."""


class Courier:
    """Sends what is due. Call `wake()` when a transaction may have queued something.

    `operator_chat` gets what is addressed to it without being linked to an account.
    """

    def __init__(
        self,
        bot: Bot,
        database: Database,
        clock: Callable[[], datetime],
        operator_chat: int | None = None,
        in_hand: Callable[[int], bool] = lambda chat_id: False,
    ) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._operator_chat = operator_chat
        # Whether an answer to a chat is on its way: a blank must come after it.
        self._in_hand = in_hand
        self._awake = asyncio.Event()
        self._slots = asyncio.Semaphore(PARALLEL)
        self._sending: set[asyncio.Task[None]] = set()
        self._next_send = 0.0
        # Chats that must wait, with the loop's time until which; and those of them that Telegram told to.
        self._busy: dict[int, float] = {}
        self._flooded: dict[int, float] = {}
        # Rows may be in `sending` that nobody sends: the last courier's, or after a commit that went astray.
        self._unsure = True

    def wake(self) -> None:
        """There may be something to send."""
        self._awake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._awake.clear()
            try:
                await self._recover()
                found = await self._send_due()
            except Exception as error:
                # The database is away; rows stay as they are.
                log.error("the outbox could not be read: %s", type(error).__name__)
                found = 0
            if not found:
                await self._rest()

    async def drain(self, seconds: float) -> None:
        """Let the sends under way end; what does not in time is uncertain at the next start."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)
        left = list(self._sending)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _recover(self) -> None:
        """Rows under way right now are safe from this: their chats are busy until their own end is noted."""
        if not self._unsure:
            return
        async with self._database.write() as session:
            found = await outbox.recover(session, self._clock() + timedelta(seconds=RECOVERY_PAUSE))
        self._unsure = False
        if found:
            log.warning("%d messages may have been sent; each is sent once more", found)

    async def _rest(self) -> None:
        """Sleep until woken, until a busy chat is free again, or for a second."""
        now = asyncio.get_running_loop().time()
        free = min((until - now for until in self._busy.values() if until > now), default=IDLE)
        # Not wait_for: on Python 3.11 it loses a cancel that comes when the event has just been set.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(free, 0.01), IDLE)):
                await self._awake.wait()

    async def _send_due(self) -> int:
        """Start the sends that may start now, one a chat, bulk when nothing else is left; how many."""
        loop = asyncio.get_running_loop()
        self._busy = {chat: until for chat, until in self._busy.items() if until > loop.time()}
        async with self._database.read() as session:
            rows = await outbox.due(session, self._clock(), self._busy.keys(), limit=PER_SECOND)
            room = BULK_PARALLEL - len(self._sending)
            if not rows and room > 0:
                rows = await outbox.due_bulk(session, self._clock(), self._busy.keys(), limit=room)
        started = 0
        for row in rows:
            # A blank must come after the answer that is on its way to the same chat.
            if row.chat_id in self._busy or (row.kind is Kind.BLANK and self._in_hand(row.chat_id)):
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
        pause = CHAT_INTERVAL
        try:
            pause = await self._attempt(row)
        except Exception as error:
            log.error("message %d: could not be taken: %s", row.id, type(error).__name__)
            self._unsure = True
        finally:
            self._busy[row.chat_id] = asyncio.get_running_loop().time() + pause
            self._slots.release()
            self.wake()

    async def _attempt(self, row: OutboxMessage) -> float:
        """One call and its outcome; the seconds that its chat must now be left alone."""
        try:
            screen = await self._claim(row)
        except NotRendered as error:
            outcome = again(row, str(error))
        else:
            if screen is None:
                return 0
            outcome = await deliver(self._bot, row, screen)
            if outcome.pause:
                self._flood(row.chat_id, outcome.pause)
        await self._note(row, outcome)
        return max(outcome.pause, CHAT_INTERVAL)

    async def _claim(self, row: OutboxMessage) -> Screen | None:
        """Mark the row as sending; what it says in the state of that moment. None when it is not to be sent: it
        was taken or put off by somebody else, or its end is written. Raises NotRendered.
        """
        async with self._database.write() as session:
            now = self._clock()
            if not await outbox.mark_sending(session, row, now):
                return None
            try:
                made = await self._render(session, row, now)
            except Exception as error:
                raise NotRendered(type(error).__name__) from error
            if isinstance(made, Screen):
                return made
            if isinstance(made, Deferred):
                await outbox.put_off(session, row, made.until)
                return None
            await self._settle(session, row, made)
        log.info("message %d is %s: %s", row.id, made.state, made.error)
        return None

    async def _render(self, session: Session, row: OutboxMessage, now: datetime) -> Screen | Deferred | Outcome:
        """What it says now, or its end."""
        if self._needs_link(row) and await active_officer(session, row.chat_id) is None:
            return Outcome(State.DEAD, outbox.LINK_ENDED)
        made = await notice(session, row.kind, row.chat_id, row.subject_id, now)
        return Outcome(State.DROPPED, made.reason) if isinstance(made, Dropped) else made

    def _needs_link(self, row: OutboxMessage) -> bool:
        """Whether it is an account's business, for those who are linked to it when it is sent."""
        return row.kind not in outbox.FOR_ANY_CHAT and row.chat_id != self._operator_chat

    def _flood(self, chat_id: int, wait: float) -> None:
        now = asyncio.get_running_loop().time()
        self._flooded = {chat: until for chat, until in self._flooded.items() if until > now}
        self._flooded[chat_id] = now + wait
        if len(self._flooded) >= SEVERAL:
            self._next_send = max(self._next_send, now + wait)

    async def _note(self, row: OutboxMessage, outcome: Outcome) -> None:
        """Write down how it ended, however long the database is away."""
        if outcome.state is State.DEAD:
            log.error("message %d is dead: %s", row.id, outcome.error)
        elif outcome.state is not State.SENT:
            log.warning("message %d: attempt %d: %s", row.id, row.attempts + 1, outcome.error)
        while True:
            try:
                async with self._database.write() as session:
                    await self._settle(session, row, outcome)
                return
            except Exception as error:
                log.error("message %d: its end could not be noted yet: %s", row.id, type(error).__name__)
            await asyncio.sleep(NOTE_PAUSE)

    async def _settle(self, session: Session, row: OutboxMessage, outcome: Outcome) -> None:
        now, is_change = self._clock(), row.kind in outbox.CHANGES
        if outcome.state in (State.PENDING, State.UNCERTAIN):
            after = timedelta(seconds=outcome.wait)
            await outbox.mark_retry(session, row, outcome.state, outcome.error, now, after)
        elif is_change and (outcome.state is not State.DEAD or not await is_somebodys(session, row.chat_id)):
            # Done; or the chat is of somebody who was forgotten: its number is not kept for the reason's sake.
            await outbox.drop(session, row.id)
            if outcome.state is State.SENT:
                await _note_change(session, row, outcome, now)
        elif outcome.state is State.SENT:
            if outcome.message_id is not None and self._needs_link(row):
                await take_away_late(session, row.chat_id, outcome.message_id, now)
            await outbox.mark_sent(session, row.id, outcome.message_id, now)
            if row.kind is Kind.WAITING and outcome.message_id is not None:
                await province_card.rung(session, row.subject_id, row.chat_id, outcome.message_id, now)
        else:
            await outbox.mark_ended(session, row, outcome.state, outcome.error)


async def _note_change(session: Session, row: OutboxMessage, outcome: Outcome, now: datetime) -> None:
    """What follows from a message's being changed, or from its not being there any more."""
    if row.kind is Kind.REFRESH:
        await province_card.edited(session, row.subject_id, now, is_gone=outcome.is_gone)
    elif row.kind is Kind.REMOVE and outcome.is_gone:
        await outbox.forget_message(session, row.chat_id, row.subject_id)
