"""What the courier does with messages of the outbox: which are due, and how each try ends."""

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

# An answer that was marked longer ago and has no end may have arrived: its program has died. Longer than the
# slowest call takes, its wait for a connection included (bot/telegram/transport.py).
DOUBT = timedelta(seconds=120)


async def recover(session: AsyncSession, now: datetime, due: datetime, doubt: timedelta = DOUBT) -> list[int]:
    """After a start: what was being sent when the last courier died may have arrived, and will be sent once more
    when `due`. The chat of each such row. Answers may be on their way from a program that lives.
    """
    chats = await _recover(session, OutboxMessage.kind.not_in(sorted(ANSWERS)), due)
    return chats + await recover_answers(session, now, due, doubt)


async def recover_answers(
    session: AsyncSession, now: datetime, due: datetime, doubt: timedelta = DOUBT
) -> list[int]:
    """The same of answers whose programs must have died, and of those that a clock which was ahead has marked. The
    chat of each.
    """
    # As `is_ahead` says (models/base/clocks.py).
    furthest = now + doubt + LARGEST_OFFSET
    in_doubt = or_(OutboxMessage.due_at <= now, OutboxMessage.due_at > furthest)
    return await _recover(session, and_(OutboxMessage.kind.in_(sorted(ANSWERS)), in_doubt), due)


async def chats_under_way(session: AsyncSession) -> list[int]:
    """The chats of messages that are being sent, or were when their program died."""
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
    """Rows other than bulk that may be sent now, by urgency and then oldest first; none to a `busy` chat."""
    parameters = {"kinds": sorted(set(NoticeKind) - _bulk()), "now": now, "busy": list(busy), "most": limit}
    return list(await session.scalars(_by_urgency(), parameters))


async def due_bulk(session: AsyncSession, now: datetime, busy: Collection[int], limit: int) -> list[OutboxMessage]:
    """Bulk rows that may be sent now, in the order in which they became due; none to a `busy` chat.

    A query a kind: each reads no more of the index than `limit` rows and those of busy chats.
    """
    rows: list[OutboxMessage] = []
    for kind in _bulk():
        rows += await session.scalars(_by_age(), {"kinds": [kind], "now": now, "busy": list(busy), "most": limit})
    return sorted(rows, key=lambda row: (row.due_at, row.id))[:limit]


async def bring_forward(session: AsyncSession, now: datetime, *, beyond: timedelta | None = None) -> int:
    """What waits for a moment at which no rule could have put it is due now; how many messages that is.

    That is what was queued later than now, and what lies further ahead than its kind allows; with `beyond`,
    whatever lies further ahead than that. Whether a message may be sent is decided when it has its turn, so that
    one too many has no other effect than to be put off again.
    """
    by_kind = (
        and_(OutboxMessage.kind == kind, OutboxMessage.due_at > now + (beyond or rules.furthest))
        for kind, rules in RULES.items()
    )
    brought = await session.execute(
        update(OutboxMessage)
        .where(
            literal_column(WAITS),
            OutboxMessage.due_at > now,
            or_(OutboxMessage.created_at > now, *by_kind),
        )
        .values(due_at=now)
        .returning(OutboxMessage.id)
    )
    return len(brought.all())


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
    """Before the calls. The ids of those that are to be sent: as they were read, and not put off since.

    An answer whose end is not noted after `doubt` is found by `recover_answers`: it is due then.
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
    """It was marked as sending, was not sent, and that is no fault of its own: as if it had not been marked."""
    await _settle_try(session, row, state=row.state, attempts=row.attempts, due_at=until, error=row.error)


async def mark_sent(session: AsyncSession, row_id: int, message_id: int | None, now: datetime) -> None:
    """After the call: it arrived."""
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
    """After a call that did not arrive (`state` pending) or may have (`state` uncertain): once more when `due`.

    `counts`: whether it was an attempt. One that failed before it could be marked as sending is counted here too.
    """
    await _settle_try(
        session, row, state=state, error=error[:300], due_at=due, attempts=row.attempts + int(counts)
    )


async def mark_ended(session: AsyncSession, row: OutboxMessage, state: State, error: str) -> None:
    """It will never arrive (`state` dead), or is not to (`state` dropped); `error` says why."""
    attempts = row.attempts + int(state is State.DEAD)
    await _settle_try(session, row, state=state, error=error[:300], attempts=attempts)


async def forget_message(session: AsyncSession, chat_id: int, message_id: int) -> None:
    """A message was deleted: there is nothing left of it to be blanked."""
    await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.chat_id == chat_id, OutboxMessage.message_id == message_id)
        .values(message_id=None)
    )


async def drop(session: AsyncSession, row_id: int) -> None:
    """It is done, and nobody needs to know of it any more."""
    await session.execute(_dropping(), {"row": row_id})


@cache
def _dropping() -> Delete:
    return delete(OutboxMessage.core()).where(OutboxMessage.core().c.id == bindparam("row"))


async def _settle_try(session: AsyncSession, row: OutboxMessage, **values: object) -> None:
    """Write down how this try ended, unless another courier has made the next one meanwhile."""
    await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == row.id, OutboxMessage.attempts <= row.attempts + 1)
        .values(**values)
    )
