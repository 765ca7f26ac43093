"""Messages out: sends the outbox within Telegram's limits, at least once, and says of each how it ended.

One courier at a time does, over all processes that use the database: the one that has the lease.
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
    """How much the courier does at once, and how long it waits."""

    # Sends under way at once: enough for 30/s at half a second a call. Bulk has not all of them.
    parallel: int = 24
    bulk_parallel: int = 18
    # Bulk that is taken in one transaction and sent together: what a transaction costs is shared, and what is
    # urgent waits for no more than so many turns.
    bulk_batch: int = 4
    # Seconds between looks at the outbox when nothing wakes the courier.
    idle: float = 1.0
    # Seconds before what a dead courier may have sent is sent once more, and before its chat gets anything: a
    # program that dies at each start must not send it each time, and a 429 may have been the answer.
    recovery_pause: float = 5.0
    # Seconds between tries while there is no connection, doubled from the first to the last.
    offline_first: float = 1.0
    offline_longest: float = 8.0
    # Seconds without a call after Telegram refused the token.
    token_pause: float = 60.0
    # Seconds between looks for receipts whose program has died, and after which one is in doubt.
    look_for_lost: float = 10.0
    doubt: float = sending.DOUBT.total_seconds()
    uncertain_pause: float = UNCERTAIN_PAUSE
    note_pause: float = NOTE_PAUSE


COURIER_PACE = CourierPace()


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
        pace: CourierPace = COURIER_PACE,
        lease_times: LeaseTimes = LEASE_TIMES,
    ) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._pace = pace
        self._ledger = Ledger(database, clock, operator_chat, pace.note_pause, timedelta(seconds=pace.doubt))
        # Whether an answer to a chat is on its way: a change must come after it.
        self._in_hand = in_hand
        self._limiter = limiter or Limiter()
        self._lease = Lease(database, "courier", lease_times)
        self._keeping: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        # Something may have been queued since the outbox was read.
        self._is_news = False
        self._sending: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._bulk_under_way = 0
        self._offline_for = 0.0
        self._offline_until = 0.0
        # Rows may be in `sending` that nobody sends: the last courier's, or after a commit that went astray.
        self._is_unsure = True
        self._looked_for_lost = 0.0

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

    async def send_receipt(self, chat_id: int, certificate: int) -> None:
        """Send the receipt of a press at once, with the lease or without: its officer waits for it. Where the chat
        must rest, or another program was faster, that is left to whoever has the lease.
        """
        async with self._database.read() as session:
            row = await outbox.find(session, NoticeKind.RECEIPT, chat_id, certificate)
        if row is None or row.state is not State.PENDING or self._limiter.wait(chat_id) > 0:
            return
        await self._limiter.bot.turn(Rank.RECEIPT)
        if self._limiter.wait(chat_id) > 0:
            # A 429 has come meanwhile.
            self._limiter.bot.give_back()
            return
        self._begin(row)
        await self._send([row])

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
            may_be_more = await self._send_due()
        except Exception as error:
            # The database is away; rows stay as they are.
            log.error("the outbox could not be read: %s", name_of(error))
            # Not as soon as a chat is free: a database that is away is not asked fifty times a second.
            await asyncio.sleep(self._pace.idle)
            return
        if not may_be_more:
            await self._rest()

    async def _recover(self) -> None:
        """Rows under way right now are safe from this: their chats are busy until their own end is noted."""
        is_time = time.monotonic() >= self._looked_for_lost + self._pace.look_for_lost
        if not (self._is_unsure or is_time):
            return
        find_lost = sending.recover if self._is_unsure else sending.recover_answers
        now = self._clock()
        until = now + timedelta(seconds=self._pace.recovery_pause)
        async with self._database.write() as session:
            chats = await find_lost(session, now, until, timedelta(seconds=self._pace.doubt))
            # Whether a 429 came before the end, nobody knows: also of answers, which may still be on their way.
            unsure = await sending.chats_under_way(session) if self._is_unsure else []
            for chat_id in sorted({*chats, *unsure}):
                await reachability.pause(session, chat_id, until, now)
        self._is_unsure, self._looked_for_lost = False, time.monotonic()
        if chats:
            log.warning("%d messages may have been sent; each is sent once more", len(chats))

    async def _rest(self) -> None:
        """Sleep until woken, until a busy chat is free again, or for a second."""
        # Not wait_for: on Python 3.11 it loses a cancel that comes when the event has just been set.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(self._limiter.until_free(), 0.01), self._pace.idle)):
                await self._awake.wait()

    async def _send_due(self) -> bool:
        """Start the sends that may start now, one a chat, and then bulk; whether there may be more."""
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
                # Something urgent may have come: it goes first.
                return True
            started += await self._start(bulk[first : first + pace.bulk_batch])
        return started > 0 and (len(rows) == room or bool(bulk))

    async def _affordable(self, rows: list[OutboxMessage]) -> list[OutboxMessage]:
        """The rows whose chats have calls left for them; the others are put off, so that they hold up none."""
        waits = [(row, self._limiter.wait(row.chat_id, _weight(row))) for row in rows]
        if late := [(row, seconds) for row, seconds in waits if seconds > 0]:
            await self._ledger.postpone(late)
        return [row for row, seconds in waits if seconds == 0]

    async def _start(self, rows: Sequence[OutboxMessage]) -> int:
        """Start to send rows together as soon as that is within the limits, and make up for the turns of all but
        the first afterwards; how many were started.
        """
        if not any(self._is_free(row) for row in rows):
            return 0
        await self._limiter.bot.turn(_rank(rows[0]))
        is_late = RULES[rows[0].kind].is_bulk and (self._is_news or self._limiter.bulk_rests())
        begun = []
        if not is_late and self._lease.is_held:
            for row in rows:
                # One after the other: two of them may be for one chat.
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
        """Take rows together; a call for each of them that is to be sent."""
        try:
            taken = await self._ledger.take(rows)
        except Exception as error:
            log.error("%d messages could not be taken: %s", len(rows), name_of(error))
            self._is_unsure = True
            for row in rows:
                self._end(row)
            return
        calls = {one.row.id for one in taken}
        for row in rows:
            if row.id not in calls:
                self._end(row, was_sent=False)
        await asyncio.gather(*(self._attempt(one) for one in taken))

    async def _attempt(self, one: Taken) -> None:
        """One call, and its outcome noted."""
        was_sent = True
        if RULES[one.row.kind].change is not Change.REMOVE:
            self._limiter.spend(one.row.chat_id)
        try:
            outcome = await deliver(self._bot, one.row, one.to, one.screen, self._pace.uncertain_pause)
            if outcome.pause:
                self._limiter.pause(one.row.chat_id, outcome.pause)
            self._note_connection(outcome)
            await self._ledger.note(one.row, outcome)
            was_sent = not (outcome.pause or outcome.is_offline or outcome.is_refused or outcome.is_unreachable)
        finally:
            self._end(one.row, was_sent=was_sent)

    def _note_connection(self, outcome: Outcome) -> None:
        """Without a connection all rest for a while, longer each time; calls that failed together count as one."""
        now = time.monotonic()
        if outcome.is_refused:
            # By webhook the program goes on: the operator may be changing the token.
            log.error("Telegram refuses the token: nothing is sent for %.0f s", self._pace.token_pause)
            self._offline_until = now + self._pace.token_pause
        elif not outcome.is_offline:
            self._offline_for = self._offline_until = 0.0
        elif now >= self._offline_until:
            longer = max(2 * self._offline_for, self._pace.offline_first)
            self._offline_for = min(longer, self._pace.offline_longest)
            self._offline_until = now + self._offline_for


def _rank(row: OutboxMessage) -> Rank:
    """A receipt that its press did not send is still waited for."""
    return Rank.RECEIPT if row.kind is NoticeKind.RECEIPT else Rank.NOTICE


def _weight(row: OutboxMessage) -> Weight:
    """Which of its chat's calls a message may spend: evidence and blanks all, edits of the card the fewest."""
    rules = RULES[row.kind]
    if rules.urgency < Rules.urgency:
        return Weight.RESULT
    return Weight.LIVE_CARD if rules.is_live_card and rules.change is not None else Weight.WAY
