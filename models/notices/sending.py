"""The courier's operations on the outbox: select due messages, mark them as sending, record the outcome."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from models.base.clocks import LARGEST_OFFSET
from models.notices.kind import ANSWERS, RULES, NoticeKind, kinds_where
from models.notices.outbox import WAITS, OutboxMessage, State

# An answer that has been in `sending` for longer is uncertain: the process that sent it has died. Longer than the
# slowest call, including its wait for a connection (bot/telegram/transport.py).
DOUBT = timedelta(seconds=120)


async def recover(session: AsyncSession, now: datetime, due: datetime, doubt: timedelta = DOUBT) -> list[int]:
    """At the courier's start, mark what the last courier left in `sending` as uncertain, to be sent again at
    `due`.

    Answers are excluded unless they are older than `doubt`: another living process may be sending them. Returns
    the chat id of each row.
    """
    chats = await _recover(session, OutboxMessage.kind.not_in(sorted(ANSWERS)), due)
    return chats + await recover_answers(session, now, due, doubt)


async def recover_answers(
    session: AsyncSession, now: datetime, due: datetime, doubt: timedelta = DOUBT
) -> list[int]:
    """Mark answers in `sending` as uncertain, to be sent again at `due`, if their process must have died.

    That is, if they were marked more than `doubt` ago, or by a clock that was ahead. Returns the chat id of each.
    """
    # The rule of `is_ahead` (models/base/clocks.py) in SQL.
    furthest = now + doubt + LARGEST_OFFSET
    in_doubt = or_(OutboxMessage.due_at <= now, OutboxMessage.due_at > furthest)
    return await _recover(session, and_(OutboxMessage.kind.in_(sorted(ANSWERS)), in_doubt), due)


async def chats_under_way(session: AsyncSession) -> list[int]:
    """Return the chat ids of all messages in `sending`, including those whose process has died."""
    return list(await session.scalars(select(OutboxMessage.chat_id).where(OutboxMessage.state == State.SENDING)))


async def _recover(session: AsyncSession, condition: ColumnElement[bool], due: datetime) -> list[int]:
    chats = await session.scalars(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.SENDING, condition)
        .values(state=State.UNCERTAIN, due_at=due, error="the program ended while sending")
        .returning(OutboxMessage.chat_id)
    )
    return list(chats)


async def due(session: AsyncSession, now: datetime, busy: Collection[int], limit: int) -> list[OutboxMessage]:
    """Return up to `limit` due messages that are not bulk, by urgency, then oldest first; none to `busy` chats."""
    parameters = {"kinds": sorted(set(NoticeKind) - _bulk()), "now": now, "busy": list(busy), "most": limit}
    return list(await session.scalars(_by_urgency(), parameters))


async def due_bulk(session: AsyncSession, now: datetime, busy: Collection[int], limit: int) -> list[OutboxMessage]:
    """Return up to `limit` due bulk messages, in the order in which they became due; none to `busy` chats.

    One query for each kind: each reads no more of the index than `limit` rows and those of busy chats.
    """
    rows: list[OutboxMessage] = []
    for kind in _bulk():
        rows += await session.scalars(_by_age(), {"kinds": [kind], "now": now, "busy": list(busy), "most": limit})
    return sorted(rows, key=lambda row: (row.due_at, row.id))[:limit]


async def bring_forward(session: AsyncSession, now: datetime, *, beyond: timedelta | None = None) -> int:
    """Make messages due whose due time only a clock that was ahead can have set. Returns their number.

    These are messages that were enqueued after now, and messages due later than their kind allows, or than
    `beyond` if given. One too many does no harm: at its turn the courier decides again, and puts it off again.
    """
    too_late_for_kind = (
        and_(OutboxMessage.kind == kind, OutboxMessage.due_at > now + (beyond or rules.furthest))
        for kind, rules in RULES.items()
    )
    advanced = await session.execute(
        update(OutboxMessage)
        .where(
            literal_column(WAITS),
            OutboxMessage.due_at > now,
            or_(OutboxMessage.created_at > now, *too_late_for_kind),
        )
        .values(due_at=now)
        .returning(OutboxMessage.id)
    )
    return len(advanced.all())


def _bulk() -> frozenset[NoticeKind]:
    return kinds_where(lambda rules: rules.is_bulk)


@cache
def _by_urgency() -> Select[OutboxMessage]:
    urgency = case(*((OutboxMessage.kind == kind, rules.urgency) for kind, rules in RULES.items()))
    return _due().order_by(urgency, OutboxMessage.id)


@cache
def _by_age() -> Select[OutboxMessage]:
    return _due().order_by(OutboxMessage.due_at)


def _due() -> Select[OutboxMessage]:
    return (
        select(OutboxMessage)
        .where(
            literal_column(WAITS),
            OutboxMessage.kind.in_(bindparam("kinds", expanding=True)),
            OutboxMessage.due_at <= bindparam("now"),
            OutboxMessage.chat_id.not_in(bindparam("busy", expanding=True)),
        )
        .limit(bindparam("most"))
    )


async def mark_sending(
    session: AsyncSession, rows: Sequence[OutboxMessage], now: datetime, doubt: timedelta = DOUBT
) -> set[int]:
    """Mark messages as `sending` before the calls (compare-and-set). Returns the ids of the rows that were marked.

    A row that has changed or was put off since it was read is left out; the caller must not send it. The due time
    of an answer becomes now + `doubt`, when `recover_answers` will consider its process dead.
    """
    parameters: dict[str, object] = {"now": now, "doubtful_at": now + doubt}
    for place, row in enumerate(rows):
        parameters |= {f"id{place}": row.id, f"state{place}": row.state, f"attempts{place}": row.attempts}
    return set(await session.scalars(_marking(len(rows)), parameters))


@cache
def _marking(rows: int) -> ReturningUpdate[Any]:
    row = OutboxMessage.core().c
    as_read = (
        and_(
            row.id == bindparam(f"id{place}"),
            row.state == bindparam(f"state{place}"),
            row.attempts == bindparam(f"attempts{place}"),
        )
        for place in range(rows)
    )
    return (
        update(OutboxMessage.core())
        .where(or_(*as_read), row.due_at <= bindparam("now"))
        .values(
            state=State.SENDING,
            attempts=row.attempts + 1,
            due_at=case((row.kind.in_(sorted(ANSWERS)), bindparam("doubtful_at")), else_=row.due_at),
        )
        .returning(row.id)
    )


async def put_off(session: AsyncSession, row: OutboxMessage, until: datetime) -> None:
    """Undo `mark_sending` for a message that was not sent for no fault of its own, and make it due at `until`."""
    await _settle_try(session, row, state=row.state, attempts=row.attempts, due_at=until, error=row.error)


async def mark_sent(session: AsyncSession, row_id: int, message_id: int | None, now: datetime) -> None:
    """Record that a message arrived. `message_id` is its id at Telegram, None if it has none."""
    await session.execute(_sent(), {"row": row_id, "message": message_id, "now": now})


@cache
def _sent() -> Update:
    return (
        update(OutboxMessage.core())
        .where(OutboxMessage.core().c.id == bindparam("row"))
        .values(state=State.SENT, message_id=bindparam("message"), sent_at=bindparam("now"), error=None)
    )


async def mark_retry(
    session: AsyncSession, row: OutboxMessage, state: State, error: str, due: datetime, counts: bool
) -> None:
    """Schedule another attempt at `due`, after a call that failed (`state` pending) or may have arrived
    (uncertain).

    `counts`: whether the attempt counts towards MAX_ATTEMPTS. `error` is cut to 300 characters.
    """
    await _settle_try(
        session, row, state=state, error=error[:300], due_at=due, attempts=row.attempts + int(counts)
    )


async def mark_ended(session: AsyncSession, row: OutboxMessage, state: State, error: str) -> None:
    """Give a message up: it cannot be delivered (`state` dead) or is no longer wanted (dropped). `error` says
    why.
    """
    attempts = row.attempts + int(state is State.DEAD)
    await _settle_try(session, row, state=state, error=error[:300], attempts=attempts)


async def forget_message(session: AsyncSession, chat_id: int, message_id: int) -> None:
    """Remove the message id of a message that was deleted in the chat, so that it is never blanked."""
    await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.chat_id == chat_id, OutboxMessage.message_id == message_id)
        .values(message_id=None)
    )


async def drop(session: AsyncSession, row_id: int) -> None:
    """Delete the row of an edit that has succeeded."""
    await session.execute(_dropping(), {"row": row_id})


@cache
def _dropping() -> Delete:
    return delete(OutboxMessage.core()).where(OutboxMessage.core().c.id == bindparam("row"))


async def _settle_try(session: AsyncSession, row: OutboxMessage, **values: object) -> None:
    """Update a row after an attempt, unless another courier has begun a later attempt."""
    await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == row.id, OutboxMessage.attempts <= row.attempts + 1)
        .values(**values)
    )
