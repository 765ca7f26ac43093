"""The courier: sends the messages of the outbox at least once, within Telegram's limits.

Of all processes on a database only the one that holds the courier's lease sends.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegram import Bot

from bot.outbound.delivery import UNCERTAIN_PAUSE, Outcome, deliver
from bot.outbound.ledger import NOTE_PAUSE, Ledger, Taken
from bot.telegram.bot_rate import Rank
from bot.telegram.limiter import Limiter, Weight
from models.database.engine import Database
from models.database.lease import LEASE_TIMES, Lease, LeaseTimes
from models.database.trouble import name_of
from models.notices import outbox, reachability, sending
from models.notices.kind import RULES, Change, NoticeKind, Rules
from models.notices.outbox import OutboxMessage, State

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CourierPace:
    """Concurrency and waiting times of the courier; times are in seconds."""

    # Sends in flight at once: enough for 30 a second at half a second a call. Bulk may use fewer.
    parallel: int = 24
    bulk_parallel: int = 18
    # Bulk messages that share one transaction and are sent together. The transaction's cost is shared; an urgent
    # message waits for at most so many sends.
    bulk_batch: int = 4
    # Between two reads of the outbox when nothing wakes the courier.
    idle: float = 1.0
    # Before a message that a dead courier may have sent is sent again, and for its whole chat: a program that
    # crashes at each start must not send it each time, and the unread answer may have been a 429.
    recovery_pause: float = 5.0
    # Between tries without a connection: exponential back-off from the first to the longest.
    offline_first: float = 1.0
    offline_longest: float = 8.0
    # Without any call after Telegram refused the token.
    token_pause: float = 60.0
    # Between two searches for receipts whose program has died, and the age in `sending` from which one counts as
    # such.
    look_for_lost: float = 10.0
    doubt: float = sending.DOUBT.total_seconds()
    # See bot/outbound/delivery.py and bot/outbound/ledger.py.
    uncertain_pause: float = UNCERTAIN_PAUSE
    note_pause: float = NOTE_PAUSE


COURIER_PACE = CourierPace()


class Courier:
    """Sends the messages that are due. Call `wake()` after a transaction that may have queued some.

    `operator_chat` gets messages addressed to it without a link to an account. `in_hand(chat id)`: whether an
    answer to that chat is under way. `limiter` is shared with the worker.
    """

    def __init__(
        self,
        bot: Bot,
        database: Database,
        clock: Callable[[], datetime],
        operator_chat: int | None = None,
        in_hand: Callable[[int], bool] = lambda chat_id: False,
        limiter: Limiter | None = None,
        pace: CourierPace = COURIER_PACE,
        lease_times: LeaseTimes = LEASE_TIMES,
    ) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._pace = pace
        self._ledger = Ledger(database, clock, operator_chat, pace.note_pause, timedelta(seconds=pace.doubt))
        # An edit of a chat's messages must come after the answer that is under way there.
        self._in_hand = in_hand
        self._limiter = limiter or Limiter()
        self._lease = Lease(database, "courier", lease_times)
        self._keeping: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        # Whether messages may have been queued since the outbox was read.
        self._is_news = False
        self._sending: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._bulk_under_way = 0
        self._offline_for = 0.0
        self._offline_until = 0.0
        # Whether the outbox may hold rows in state `sending` that no process sends, left by the last courier or by
        # a commit whose outcome is unknown.
        self._is_unsure = True
        self._looked_for_lost = 0.0

    def has_lease(self) -> bool:
        """Whether this courier holds the lease."""
        return self._lease.is_held

    def wake(self) -> None:
        """Read the outbox soon: messages may have been queued."""
        self._is_news = True
        self._awake.set()

    async def run(self) -> None:
        """Send whenever this courier holds the lease, until cancelled. Call `drain` afterwards."""
        self._keeping = asyncio.create_task(self._lease.keep(), name="lease of the courier")
        while True:
            await self._lease.taken.wait()
            self._is_unsure = True
            while self._lease.taken.is_set():
                await self._go_round()

    async def send_receipt(self, chat_id: int, certificate: int) -> None:
        """Send a certificate's receipt at once, even without the lease, because its officer waits for it. Leaves
        it to the courier with the lease when the chat may not be called now, or another program has taken the row.
        """
        async with self._database.read() as session:
            row = await outbox.find(session, NoticeKind.RECEIPT, chat_id, certificate)
        if row is None or row.state is not State.PENDING or self._limiter.wait(chat_id) > 0:
            return
        await self._limiter.bot.turn(Rank.RECEIPT)
        if self._limiter.wait(chat_id) > 0:
            # A 429 came during the wait.
            self._limiter.bot.give_back()
            return
        self._begin(row)
        await self._send([row])

    async def drain(self, seconds: float) -> None:
        """Wait so many seconds for the sends in flight, cancel the others, and give the lease back. The next
        holder of the lease treats the cancelled sends as uncertain.
        """
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)
        unfinished = [*self._sending, *([self._keeping] if self._keeping else [])]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._lease.give_back()

    async def _go_round(self) -> None:
        self._awake.clear()
        self._is_news = False
        try:
            await self._recover()
            may_be_more = await self._send_due()
        except Exception as error:
            # The database does not answer; the rows stay as they are.
            log.error("the outbox could not be read: %s", name_of(error))
            # A full idle pause: waiting only for a free chat could query a failing database fifty times a second.
            await asyncio.sleep(self._pace.idle)
            return
        if not may_be_more:
            await self._rest()

    async def _recover(self) -> None:
        """Queue rows in state `sending` that no process sends any more once more, and pause their chats.

        Rows that this process is sending are not affected: their chats are busy until the outcome is recorded.
        """
        is_time = time.monotonic() >= self._looked_for_lost + self._pace.look_for_lost
        if not (self._is_unsure or is_time):
            return
        find_lost = sending.recover if self._is_unsure else sending.recover_answers
        now = self._clock()
        until = now + timedelta(seconds=self._pace.recovery_pause)
        async with self._database.write() as session:
            chats = await find_lost(session, now, until, timedelta(seconds=self._pace.doubt))
            # Any of these calls may have been answered by a 429 that no program has read.
            under_way = await sending.chats_under_way(session) if self._is_unsure else []
            for chat_id in sorted({*chats, *under_way}):
                await reachability.pause(session, chat_id, until, now)
        self._is_unsure, self._looked_for_lost = False, time.monotonic()
        if chats:
            log.warning("%d messages may have been sent; each is sent once more", len(chats))

    async def _rest(self) -> None:
        """Sleep until woken, until a busy chat is free again, or for `idle` seconds."""
        # Not asyncio.wait_for: on Python 3.11 it loses a cancellation that arrives when the event was just set.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(self._limiter.until_free(), 0.01), self._pace.idle)):
                await self._awake.wait()

    async def _send_due(self) -> bool:
        """Start the sends that may start now, one for each chat, urgent messages before bulk. Whether more may be
        due.
        """
        pace = self._pace
        room = pace.parallel - self._under_way
        if room <= 0 or time.monotonic() < self._offline_until:
            return False
        async with self._database.read() as session:
            rows = await sending.due(session, self._clock(), self._limiter.busy(), room)
            bulk_room = min(room - len(rows), pace.bulk_parallel - self._bulk_under_way)
            least = min(pace.bulk_batch, pace.parallel, pace.bulk_parallel)
            may_be_bulk = bulk_room >= least and not self._limiter.bulk_rests()
            busy = [*self._limiter.busy(), *(row.chat_id for row in rows)]
            bulk = await sending.due_bulk(session, self._clock(), busy, bulk_room) if may_be_bulk else []
        started = 0
        for row in await self._affordable(rows):
            started += await self._start([row])
        bulk = await self._affordable(bulk)
        for first in range(0, len(bulk), pace.bulk_batch):
            if self._is_news:
                # An urgent message may have been queued, which goes before bulk.
                return True
            started += await self._start(bulk[first : first + pace.bulk_batch])
        return started > 0 and (len(rows) == room or bool(bulk))

    async def _affordable(self, rows: list[OutboxMessage]) -> list[OutboxMessage]:
        """The rows whose chats have calls left for them. The others are put off, to hold up none."""
        waits = [(row, self._limiter.wait(row.chat_id, _weight(row))) for row in rows]
        if waiting := [(row, seconds) for row, seconds in waits if seconds > 0]:
            await self._ledger.postpone(waiting)
        return [row for row, seconds in waits if seconds == 0]

    async def _start(self, rows: Sequence[OutboxMessage]) -> int:
        """Wait for one turn under the bot's limit, then start to send the rows whose chats are free; how many were
        started. The tokens of all but the first are taken afterwards.
        """
        if not any(self._is_free(row) for row in rows):
            return 0
        await self._limiter.bot.turn(_rank(rows[0]))
        is_late = RULES[rows[0].kind].is_bulk and (self._is_news or self._limiter.bulk_rests())
        begun = []
        if not is_late and self._lease.is_held:
            for row in rows:
                # Checked one by one: two rows may be for the same chat.
                if self._is_free(row):
                    self._begin(row)
                    begun.append(row)
        if not begun:
            self._limiter.bot.give_back()
            return 0
        for _ in begun[1:]:
            self._limiter.bot.take()
        task = asyncio.create_task(self._send(begun))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return len(begun)

    def _is_free(self, row: OutboxMessage) -> bool:
        must_wait = RULES[row.kind].is_after_answer and self._in_hand(row.chat_id)
        return not must_wait and row.chat_id not in self._limiter.busy()

    def _begin(self, row: OutboxMessage) -> None:
        self._limiter.begin(row.chat_id)
        self._under_way += 1
        self._bulk_under_way += RULES[row.kind].is_bulk

    def _end(self, row: OutboxMessage, *, was_sent: bool = True) -> None:
        self._limiter.end(row.chat_id, was_sent)
        self._under_way -= 1
        self._bulk_under_way -= RULES[row.kind].is_bulk
        self._awake.set()

    async def _send(self, rows: Sequence[OutboxMessage]) -> None:
        """Mark the rows in one transaction, and make a call for each that is to be sent."""
        try:
            taken = await self._ledger.take(rows)
        except Exception as error:
            log.error("%d messages could not be taken: %s", len(rows), name_of(error))
            self._is_unsure = True
            for row in rows:
                self._end(row)
            return
        taken_ids = {message.row.id for message in taken}
        for row in rows:
            if row.id not in taken_ids:
                self._end(row, was_sent=False)
        await asyncio.gather(*(self._attempt(message) for message in taken))

    async def _attempt(self, message: Taken) -> None:
        """Make the call of one message and record its outcome."""
        row, was_sent = message.row, True
        if RULES[row.kind].change is not Change.REMOVE:
            self._limiter.spend(row.chat_id)
        try:
            outcome = await deliver(self._bot, row, message.to, message.screen, self._pace.uncertain_pause)
            if outcome.pause:
                self._limiter.pause(row.chat_id, outcome.pause)
            self._note_connection(outcome)
            await self._ledger.note(row, outcome)
            was_sent = not (outcome.pause or outcome.is_offline or outcome.is_refused or outcome.is_unreachable)
        finally:
            self._end(row, was_sent=was_sent)

    def _note_connection(self, outcome: Outcome) -> None:
        """Exponential back-off of all sends without a connection; calls that failed together count as one."""
        now = time.monotonic()
        if outcome.is_refused:
            # With a webhook the program goes on: the operator may be changing the token.
            log.error("Telegram refuses the token: nothing is sent for %.0f s", self._pace.token_pause)
            self._offline_until = now + self._pace.token_pause
        elif not outcome.is_offline:
            self._offline_for = self._offline_until = 0.0
        elif now >= self._offline_until:
            longer = max(2 * self._offline_for, self._pace.offline_first)
            self._offline_for = min(longer, self._pace.offline_longest)
            self._offline_until = now + self._offline_for


def _rank(row: OutboxMessage) -> Rank:
    """The message's priority under the bot's limit: an officer waits for a receipt."""
    return Rank.RECEIPT if row.kind is NoticeKind.RECEIPT else Rank.NOTICE


def _weight(row: OutboxMessage) -> Weight:
    """The message's weight in its chat: urgent kinds may use all calls, edits of the live card the fewest."""
    rules = RULES[row.kind]
    if rules.urgency < Rules.urgency:
        return Weight.RESULT
    return Weight.LIVE_CARD if rules.is_live_card and rules.change is not None else Weight.WAY
