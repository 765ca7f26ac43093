"""Messages out: sends the outbox within Telegram's limits, at least once, and says of each how it ended.

One courier at a time does, over all processes that use the database: the one that has the lease.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegram import Bot

from bot.delivery import Outcome, again, deliver
from bot.limiter import Limiter
from bot.metrics import TALLY
from handlers.notices import notice
from handlers.screen import Deferred, Dropped, Screen
from models import outbox, province_card, reach
from models.account import active_officer, is_somebodys, take_away_late
from models.database import Database, Session
from models.lease import Lease
from models.outbox import Kind, OutboxMessage, State

log = logging.getLogger(__name__)

# Sends under way at once: enough for 30/s at half a second a call. Bulk has not all of them, and is read when so
# many of its own are free that the queries are few.
PARALLEL = 24
BULK_PARALLEL = 18
BULK_BATCH = 6
# Rows that are read at once: what a second may take.
BATCH = 30
# Seconds between looks at the outbox when nothing wakes the courier.
IDLE = 1.0
# Seconds before what a dead courier may have sent is sent once more, and before its chat gets anything: a program
# that dies at each start must not send it each time, and a 429 may have been the answer.
RECOVERY_PAUSE = 5.0
# Seconds before the end of a send is written down again, when the database was away.
NOTE_PAUSE = 1.0
# Seconds between tries while there is no connection, doubled from the first to the last.
OFFLINE_FIRST = 1.0
OFFLINE_LONGEST = 8.0


class NotRendered(Exception):
    """A message's screen could not be made; nothing was changed."""


@dataclass(frozen=True)
class Claimed:
    """A row that is marked as sending: what it says, and the chat where it goes."""

    to: int
    screen: Screen


class Courier:
    """Sends what is due. Call `wake()` when a transaction may have queued something.

    `operator_chat` gets what is addressed to it without being linked to an account. `limiter` is shared with
    whoever else sends messages.
    """

    def __init__(
        self,
        bot: Bot,
        database: Database,
        clock: Callable[[], datetime],
        operator_chat: int | None = None,
        in_hand: Callable[[int], bool] = lambda chat_id: False,
        limiter: Limiter | None = None,
    ) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._operator_chat = operator_chat
        # Whether an answer to a chat is on its way: a change must come after it.
        self._in_hand = in_hand
        self._limiter = limiter or Limiter()
        self._lease = Lease(database, "courier")
        self._keeping: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        # Something may have been queued since the outbox was read.
        self._is_news = False
        self._slots = asyncio.Semaphore(PARALLEL)
        self._sending: set[asyncio.Task[None]] = set()
        self._bulk_under_way = 0
        self._offline_for = 0.0
        self._offline_until = 0.0
        # Rows may be in `sending` that nobody sends: the last courier's, or after a commit that went astray.
        self._is_unsure = True

    def has_lease(self) -> bool:
        """Whether it is this courier that sends."""
        return self._lease.is_held

    def wake(self) -> None:
        """There may be something to send."""
        self._is_news = True
        self._awake.set()

    async def run(self) -> None:
        """Send, as long as this courier has the lease, until cancelled; then `drain`."""
        self._keeping = asyncio.create_task(self._lease.keep(), name="lease of the courier")
        while True:
            await self._lease.taken.wait()
            self._is_unsure = True
            while self._lease.taken.is_set():
                await self._go_round()

    async def drain(self, seconds: float) -> None:
        """Let the sends under way end, and give the lease back; what does not end in time is uncertain to the next
        who has it.
        """
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)
        left = [*self._sending, *([self._keeping] if self._keeping else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._lease.give_back()

    async def _go_round(self) -> None:
        self._awake.clear()
        self._is_news = False
        try:
            await self._recover()
            started = await self._send_due()
        except Exception as error:
            # The database is away; rows stay as they are.
            log.error("the outbox could not be read: %s", type(error).__name__)
            started = 0
        if not started:
            await self._rest()

    async def _recover(self) -> None:
        """Rows under way right now are safe from this: their chats are busy until their own end is noted."""
        if not self._is_unsure:
            return
        async with self._database.write() as session:
            until = self._clock() + timedelta(seconds=RECOVERY_PAUSE)
            found = await outbox.recover(session, until)
            for chat_id in sorted(set(found)):
                await reach.pause(session, chat_id, until)
        self._is_unsure = False
        if found:
            log.warning("%d messages may have been sent; each is sent once more", len(found))

    async def _rest(self) -> None:
        """Sleep until woken, until a busy chat is free again, or for a second."""
        # Not wait_for: on Python 3.11 it loses a cancel that comes when the event has just been set.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(self._limiter.until_free(), 0.01), IDLE)):
                await self._awake.wait()

    async def _send_due(self) -> int:
        """Start the sends that may start now, one a chat, bulk when nothing else can be; how many."""
        if time.monotonic() < self._offline_until:
            return 0
        started = 0
        async with self._database.read() as session:
            rows = await outbox.due(session, self._clock(), self._limiter.busy(), BATCH)
        for row in rows:
            started += await self._start(row)
        room = BULK_PARALLEL - self._bulk_under_way
        if started or room < min(BULK_BATCH, BULK_PARALLEL) or self._limiter.bulk_rests():
            return started
        async with self._database.read() as session:
            rows = await outbox.due_bulk(session, self._clock(), self._limiter.busy(), room)
        for row in rows:
            if self._is_news:
                # Something urgent may have come: it goes first.
                break
            started += await self._start(row)
        return started

    async def _start(self, row: OutboxMessage) -> bool:
        """Start to send a row as soon as that is within the limits; whether it was started."""
        # A blank must come after the answer that is on its way to the same chat.
        if row.chat_id in self._limiter.busy() or (row.kind is Kind.BLANK and self._in_hand(row.chat_id)):
            return False
        await self._slots.acquire()
        await self._limiter.ready()
        is_late = row.kind in outbox.BULK and (self._is_news or self._limiter.bulk_rests())
        if is_late or not self._lease.is_held or row.chat_id in self._limiter.busy():
            self._slots.release()
            return False
        self._limiter.begin(row.chat_id)
        self._bulk_under_way += row.kind in outbox.BULK
        task = asyncio.create_task(self._send(row))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return True

    async def _send(self, row: OutboxMessage) -> None:
        was_sent = True
        try:
            was_sent = await self._attempt(row)
        except Exception as error:
            log.error("message %d: could not be taken: %s", row.id, type(error).__name__)
            self._is_unsure = True
        finally:
            self._limiter.end(row.chat_id, was_sent)
            self._bulk_under_way -= row.kind in outbox.BULK
            self._slots.release()
            self._awake.set()

    async def _attempt(self, row: OutboxMessage) -> bool:
        """One call, and its outcome noted; whether anything may have come into the chat."""
        try:
            claimed = await self._claim(row)
        except NotRendered as error:
            await self._note(row, again(row, str(error)))
            return False
        if claimed is None:
            return False
        outcome = await deliver(self._bot, row, claimed.to, claimed.screen)
        if outcome.pause:
            self._limiter.pause(row.chat_id, outcome.pause)
        self._note_connection(outcome)
        await self._note(row, outcome)
        return not (outcome.pause or outcome.is_offline or outcome.is_unreachable)

    async def _claim(self, row: OutboxMessage) -> Claimed | None:
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
            if isinstance(made, Claimed):
                return made
            if isinstance(made, Deferred):
                await outbox.put_off(session, row, made.until)
                return None
            await self._settle(session, row, made)
        TALLY.messages[row.kind, made.state] += 1
        log.info("message %d is %s: %s", row.id, made.state, made.error)
        return None

    async def _render(self, session: Session, row: OutboxMessage, now: datetime) -> Claimed | Deferred | Outcome:
        """What it says now and where, when it may be sent, or its end."""
        way = await reach.find_reach(session, row.chat_id, now)
        if way.unreachable is not None:
            return Outcome(State.DEAD, way.unreachable)
        if way.paused_until is not None:
            return Deferred(way.paused_until)
        if self._needs_link(row) and await active_officer(session, row.chat_id) is None:
            return Outcome(State.DEAD, outbox.LINK_ENDED)
        made = await notice(session, row.kind, row.chat_id, row.subject_id, now)
        if isinstance(made, Dropped):
            return Outcome(State.DROPPED, made.reason)
        return Claimed(way.to, made) if isinstance(made, Screen) else made

    def _needs_link(self, row: OutboxMessage) -> bool:
        """Whether it is an account's business, for those who are linked to it when it is sent."""
        return row.kind not in outbox.FOR_ANY_CHAT and row.chat_id != self._operator_chat

    def _note_connection(self, outcome: Outcome) -> None:
        """Without a connection all rest for a while, longer each time; calls that failed together count as one."""
        now = time.monotonic()
        if not outcome.is_offline:
            self._offline_for = self._offline_until = 0.0
        elif now >= self._offline_until:
            self._offline_for = min(max(2 * self._offline_for, OFFLINE_FIRST), OFFLINE_LONGEST)
            self._offline_until = now + self._offline_for

    async def _note(self, row: OutboxMessage, outcome: Outcome) -> None:
        """Write down how it ended, however long the database is away."""
        TALLY.messages[row.kind, outcome.state] += 1
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
        if outcome.pause:
            await reach.pause(session, row.chat_id, now + timedelta(seconds=outcome.pause))
        if outcome.moved_to is not None:
            await reach.move(session, row.chat_id, outcome.moved_to)
        if outcome.is_unreachable:
            await reach.lose(session, row.chat_id, outcome.error, now, self._operator_chat)
        if outcome.state in (State.PENDING, State.UNCERTAIN):
            due = now + timedelta(seconds=outcome.wait)
            await outbox.mark_retry(session, row, outcome.state, outcome.error, due, outcome.counts)
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
