"""Records the state of messages in the outbox before and after their calls, and renders what each says."""

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

# Seconds before a send's outcome is written again after the database failed.
NOTE_PAUSE = 1.0


class NotRendered(Exception):
    """A message's screen could not be rendered; nothing was changed."""


@dataclass(frozen=True)
class Taken:
    """A row in state `sending`, the present id of its chat, and the screen to send."""

    row: OutboxMessage
    to: int
    screen: Screen


class Ledger:
    """Reads and writes the outbox for the courier.

    `operator_chat` gets its messages without a link to an account. `note_pause`: seconds between tries to record
    an outcome. `doubt`: age from which a row in state `sending` counts as abandoned by its program.
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
        # By row id: outcomes of bulk messages that are not recorded yet; the next transaction records all of them.
        self._outcomes: dict[int, tuple[OutboxMessage, Outcome]] = {}
        self._writing = asyncio.Lock()

    async def take(self, rows: Sequence[OutboxMessage]) -> list[Taken]:
        """Mark rows of different chats as sending and render them, in one transaction.

        Returns those to send now. Left out are rows that another process has taken or put off, that are put off or
        ended by this call, and that cannot be rendered, which counts as an attempt. Raises the database's errors.
        """
        try:
            return await self._take(rows)
        except NotRendered as error:
            if len(rows) == 1:
                await self.note(rows[0], again(rows[0], str(error)))
                return []
        # One row cannot be rendered; it must not hold up the others.
        return [message for row in rows for message in await self.take([row])]

    async def _take(self, rows: Sequence[OutboxMessage]) -> list[Taken]:
        taken, ended = [], []
        async with self._database.write() as session:
            now = self._clock()
            marked = await sending.mark_sending(session, rows, now, self._doubt)
            for row in (row for row in rows if row.id in marked):
                conversation, reader = await find_reader(session, row.chat_id)
                way = reachability.way_to(row.chat_id, conversation, now)
                rendered = await self._render(session, row, way, reader, now)
                if isinstance(rendered, Taken):
                    taken.append(rendered)
                elif isinstance(rendered, Deferred):
                    await sending.put_off(session, row, rendered.until)
                else:
                    await self._settle(session, row, rendered)
                    ended.append((row, rendered))
        for row, outcome in ended:
            TALLY.messages[row.kind, outcome.state] += 1
            log.info("message %d is %s: %s", row.id, outcome.state, outcome.error)
        return taken

    async def _render(
        self, session: Session, row: OutboxMessage, way: reachability.Way, reader: Officer | None, now: datetime
    ) -> Taken | Deferred | Outcome:
        """The message to send now, the time until which it is put off, or its end. Raises NotRendered."""
        if way.unreachable is not None:
            return Outcome(State.DEAD, way.unreachable)
        if way.paused_until is not None:
            return Deferred(way.paused_until)
        if reader is None and self._needs_link(row):
            return Outcome(State.DEAD, outbox.LINK_ENDED)
        try:
            content = await self._content(session, row, reader, now)
        except Exception as error:
            raise NotRendered(type(error).__name__) from error
        if isinstance(content, Dropped):
            return Outcome(State.DROPPED, content.reason)
        return Taken(row, way.to, content) if isinstance(content, Screen) else content

    async def _content(
        self, session: Session, row: OutboxMessage, reader: Officer | None, now: datetime
    ) -> Screen | Dropped | Deferred:
        card = None
        if RULES[row.kind].is_live_card:
            decision = await live_card.decide(session, row, now)
            if isinstance(decision, datetime):
                return Deferred(decision)
            card = decision
        return await notice(session, row.kind, row.chat_id, row.subject_id, now, reader, card)

    def _needs_link(self, row: OutboxMessage) -> bool:
        """Whether the message may be sent only to a chat that is linked to an account."""
        return RULES[row.kind].audience is Audience.LINKED and row.chat_id != self._operator_chat

    async def postpone(self, rows: Sequence[tuple[OutboxMessage, float]]) -> None:
        """Put off rows that are not marked as sending, each for its number of seconds."""
        async with self._database.write() as session:
            for row, seconds in rows:
                await sending.put_off(session, row, self._clock() + timedelta(seconds=seconds))

    async def note(self, row: OutboxMessage, outcome: Outcome) -> None:
        """Record and log an attempt's outcome; retries until the database has taken it. Outcomes of bulk messages
        that arrive during a transaction share the next one.
        """
        TALLY.messages[row.kind, outcome.state] += 1
        if outcome.state is State.DEAD:
            log.error("message %d is dead: %s", row.id, outcome.error)
        elif outcome.state is not State.SENT:
            log.warning("message %d: attempt %d: %s", row.id, row.attempts + 1, outcome.error)
        if RULES[row.kind].is_bulk:
            self._outcomes[row.id] = row, outcome
            async with self._writing:
                if row.id not in self._outcomes or await self._write_all(list(self._outcomes.values())):
                    return
                del self._outcomes[row.id]
        while True:
            if await self._write([(row, outcome)]):
                return
            await asyncio.sleep(self._note_pause)

    async def _write_all(self, outcomes: list[tuple[OutboxMessage, Outcome]]) -> bool:
        """Record the outcomes in one transaction; whether that worked. When it fails, each caller records its own,
        because one of them may be the cause.
        """
        if not await self._write(outcomes):
            return False
        for row, _ in outcomes:
            del self._outcomes[row.id]
        return True

    async def _write(self, outcomes: list[tuple[OutboxMessage, Outcome]]) -> bool:
        try:
            async with self._database.write() as session:
                for row, outcome in outcomes:
                    await self._settle(session, row, outcome)
        except Exception as error:
            numbers = ", ".join(str(row.id) for row, _ in outcomes)
            log.error("message %s: the outcome could not be recorded yet: %s", numbers, name_of(error))
            return False
        return True

    async def _settle(self, session: Session, row: OutboxMessage, outcome: Outcome) -> None:
        """Apply an outcome to the row and its chat."""
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
            # A change is complete. Or it failed for good in the chat of an erased officer, whose id must not stay
            # in the outbox with the reason.
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
