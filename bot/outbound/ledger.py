"""What is written of messages before and after their calls: which are taken, what each says, how it ended."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.outbound.delivery import Outcome, again
from bot.runtime.metrics import TALLY
from handlers.chat.screen import Deferred, Dropped, Screen
from handlers.notices.rendering import notice
from models.accounts.account import Officer, is_somebodys
from models.database.engine import Database, Session
from models.database.trouble import name_of
from models.links.arrival import find_reader
from models.links.link import take_away_late
from models.notices import outbox, reachability, sending
from models.notices.kind import RULES, Audience, Change
from models.notices.outbox import OutboxMessage, State
from models.province import live_card

log = logging.getLogger(__name__)

# Seconds before the end of a send is written down again, when the database was away.
NOTE_PAUSE = 1.0


class NotRendered(Exception):
    """A message's screen could not be made; nothing was changed."""


@dataclass(frozen=True)
class Taken:
    """A row that is marked as sending: what it says, and the chat where it goes."""

    row: OutboxMessage
    to: int
    screen: Screen


class Ledger:
    """The courier's hand in the outbox. `operator_chat` is told of its business without being linked; `note_pause`
    are the seconds between tries to write down how a send ended.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        operator_chat: int | None,
        note_pause: float = NOTE_PAUSE,
        doubt: timedelta = sending.DOUBT,
    ) -> None:
        self._database = database
        self._clock = clock
        self._operator_chat = operator_chat
        self._note_pause = note_pause
        self._doubt = doubt
        # Ends of bulk that are not written down yet, by their rows: the next to write takes all of them along.
        self._ends: dict[int, tuple[OutboxMessage, Outcome]] = {}
        self._writing = asyncio.Lock()

    async def take(self, rows: Sequence[OutboxMessage]) -> list[Taken]:
        """Mark rows of different chats as sending, in one transaction; what each says in the state of that moment.

        Left out are those that are not to be sent: taken or put off by somebody else, put off, or at their end.
        """
        try:
            return await self._take(rows)
        except NotRendered as error:
            if len(rows) == 1:
                await self.note(rows[0], again(rows[0], str(error)))
                return []
        # One of them is to blame; it must not hold up the others.
        return [one for row in rows for one in await self.take([row])]

    async def _take(self, rows: Sequence[OutboxMessage]) -> list[Taken]:
        taken, ended = [], []
        async with self._database.write() as session:
            now = self._clock()
            marked = await sending.mark_sending(session, rows, now, self._doubt)
            mine = [row for row in rows if row.id in marked]
            for row in mine:
                conversation, reader = await find_reader(session, row.chat_id)
                way = reachability.way_to(row.chat_id, conversation, now)
                made = await self._render(session, row, way, reader, now)
                if isinstance(made, Taken):
                    taken.append(made)
                elif isinstance(made, Deferred):
                    await sending.put_off(session, row, made.until)
                else:
                    await self._settle(session, row, made)
                    ended.append((row, made))
        for row, outcome in ended:
            TALLY.messages[row.kind, outcome.state] += 1
            log.info("message %d is %s: %s", row.id, outcome.state, outcome.error)
        return taken

    async def _render(
        self, session: Session, row: OutboxMessage, way: reachability.Way, reader: Officer | None, now: datetime
    ) -> Taken | Deferred | Outcome:
        """What it says now and where, when it may be sent, or its end. Raises NotRendered."""
        if way.unreachable is not None:
            return Outcome(State.DEAD, way.unreachable)
        if way.paused_until is not None:
            return Deferred(way.paused_until)
        if reader is None and self._needs_link(row):
            return Outcome(State.DEAD, outbox.LINK_ENDED)
        try:
            made = await self._say(session, row, reader, now)
        except Exception as error:
            raise NotRendered(type(error).__name__) from error
        if isinstance(made, Dropped):
            return Outcome(State.DROPPED, made.reason)
        return Taken(row, way.to, made) if isinstance(made, Screen) else made

    async def _say(
        self, session: Session, row: OutboxMessage, reader: Officer | None, now: datetime
    ) -> Screen | Dropped | Deferred:
        card = None
        if RULES[row.kind].is_live_card:
            decided = await live_card.decide(session, row, now)
            if isinstance(decided, datetime):
                return Deferred(decided)
            card = decided
        return await notice(session, row.kind, row.chat_id, row.subject_id, now, reader, card)

    def _needs_link(self, row: OutboxMessage) -> bool:
        """Whether it is an account's business, for those who are linked to it when it is sent."""
        return RULES[row.kind].audience is Audience.LINKED and row.chat_id != self._operator_chat

    async def postpone(self, rows: Sequence[tuple[OutboxMessage, float]]) -> None:
        """Leave rows that were not marked alone for so many seconds each."""
        async with self._database.write() as session:
            for row, seconds in rows:
                await sending.put_off(session, row, self._clock() + timedelta(seconds=seconds))

    async def note(self, row: OutboxMessage, outcome: Outcome) -> None:
        """Write down how it ended, however long the database is away. Ends of bulk that come while one is being
        written share the next transaction.
        """
        TALLY.messages[row.kind, outcome.state] += 1
        if outcome.state is State.DEAD:
            log.error("message %d is dead: %s", row.id, outcome.error)
        elif outcome.state is not State.SENT:
            log.warning("message %d: attempt %d: %s", row.id, row.attempts + 1, outcome.error)
        if RULES[row.kind].is_bulk:
            self._ends[row.id] = row, outcome
            async with self._writing:
                if row.id not in self._ends or await self._write_all(list(self._ends.values())):
                    return
                del self._ends[row.id]
        while True:
            if await self._write([(row, outcome)]):
                return
            await asyncio.sleep(self._note_pause)

    async def _write_all(self, ends: list[tuple[OutboxMessage, Outcome]]) -> bool:
        """Take what waits along; when that fails, everybody writes their own, for one of them may be to blame."""
        if not await self._write(ends):
            return False
        for row, _ in ends:
            del self._ends[row.id]
        return True

    async def _write(self, ends: list[tuple[OutboxMessage, Outcome]]) -> bool:
        try:
            async with self._database.write() as session:
                for row, outcome in ends:
                    await self._settle(session, row, outcome)
        except Exception as error:
            numbers = ", ".join(str(row.id) for row, _ in ends)
            log.error("message %s: the end could not be noted yet: %s", numbers, name_of(error))
            return False
        return True

    async def _settle(self, session: Session, row: OutboxMessage, outcome: Outcome) -> None:
        now, rules = self._clock(), RULES[row.kind]
        if outcome.pause:
            await reachability.pause(session, row.chat_id, now + timedelta(seconds=outcome.pause), now)
        if outcome.moved_to is not None:
            await reachability.move(session, row.chat_id, outcome.moved_to)
        if outcome.is_unreachable:
            await reachability.lose(session, row.chat_id, outcome.error, now, self._operator_chat)
        if outcome.state in (State.PENDING, State.UNCERTAIN):
            due = now + timedelta(seconds=outcome.wait)
            await sending.mark_retry(session, row, outcome.state, outcome.error, due, outcome.counts)
        elif rules.change is not None and (
            outcome.state is not State.DEAD or not await is_somebodys(session, row.chat_id)
        ):
            # Done; or the chat is of somebody who was forgotten: its number is not kept for the reason's sake.
            await sending.drop(session, row.id)
            if outcome.is_gone and rules.change is Change.REMOVE:
                await sending.forget_message(session, row.chat_id, row.subject_id)
        elif outcome.state is State.SENT:
            if outcome.message_id is not None and self._needs_link(row):
                await take_away_late(session, row.chat_id, outcome.message_id, now)
            await sending.mark_sent(session, row.id, outcome.message_id, now)
        else:
            await sending.mark_ended(session, row, outcome.state, outcome.error)
        if rules.is_live_card and outcome.state is State.SENT:
            await live_card.ended(session, row, outcome.message_id, now, is_gone=outcome.is_gone)
