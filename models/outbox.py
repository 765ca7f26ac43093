"""Messages that the bot sends on its own: queued in the transaction that causes them, sent by the courier.

A row goes pending → sending → sent. `sending` is committed before the call, so that a row found in it after a
crash is known to be uncertain: it may have arrived. An uncertain row is sent once more, bearing the same
verification code, and is never lost. What cannot be delivered ends as dead, with the reason.

A blank is no message of its own: it takes away what a message says, when its chat's link has ended. Taken away
twice is taken away once, so it is tried until it is done; then its row is gone.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, String, case, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, text_enum

MAX_ATTEMPTS = 8
# Why a message about an account's business is not delivered any more.
LINK_ENDED = "the chat's link has ended"


class Kind(enum.StrEnum):
    """What a message says, and so what its subject is: a certificate, a reopening, or a remark."""

    RECEIPT = "receipt"
    AWAITS_PROVINCE = "awaits_province"
    COLLEAGUE_CERTIFIED = "colleague_certified"
    PROVINCE_CERTIFIED = "province_certified"
    REOPENED = "reopened"
    PETITIONED = "petitioned"
    PETITION_REFUSED = "petition_refused"
    QUESTIONED = "questioned"
    ANSWERED = "answered"
    # About a link; the subject is an officer.
    LINKED = "linked"
    LINK_DISPUTED = "link_disputed"
    HANDED_OVER = "handed_over"
    # The subject is the second (Unix time) at which PINs are taken again.
    PIN_BLOCKED = "pin_blocked"
    # No message of its own: the message whose id is the subject loses its text and its buttons.
    BLANK = "blank"


# What its chat is sent whether it is linked or not: the officer's own evidence, the end of a link itself, and the
# operator's own business. All else is an account's, for those who are linked to it.
FOR_ANY_CHAT = frozenset({Kind.RECEIPT, Kind.BLANK, Kind.HANDED_OVER, Kind.PIN_BLOCKED, Kind.LINK_DISPUTED})


class State(enum.StrEnum):
    """How far a message is."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    # After a restore: whether it was sent meanwhile is not known; the operator releases it.
    HELD = "held"


class OutboxMessage(Base):
    """One message to one chat."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_due",
            "due_at",
            sqlite_where=text("state IN ('pending', 'uncertain')"),
            postgresql_where=text("state IN ('pending', 'uncertain')"),
        ),
        Index(
            "ix_outbox_unsent",
            "state",
            sqlite_where=text("state <> 'sent'"),
            postgresql_where=text("state <> 'sent'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    # The same cause never sends the same message twice.
    dedupe_key: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[Kind] = mapped_column(text_enum(Kind, checked=False))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    subject_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[State] = mapped_column(text_enum(State, checked=False))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(String(300))


def enqueue(session: AsyncSession, kind: Kind, chat_id: int, subject_id: int, now: datetime) -> None:
    """Queue one message; it exists if and only if the caller's transaction commits."""
    session.add(
        OutboxMessage(
            dedupe_key=_dedupe_key(kind, chat_id, subject_id),
            kind=kind,
            chat_id=chat_id,
            subject_id=subject_id,
            state=State.PENDING,
            created_at=now,
            due_at=now,
        )
    )


def _dedupe_key(kind: Kind, chat_id: int, subject_id: int) -> str:
    return f"{kind}:{subject_id}:{chat_id}"


async def enqueue_blanks(session: AsyncSession, chat_id: int, message_ids: Iterable[int], now: datetime) -> int:
    """Queue that messages of a chat lose what they say, the newest first; how many that are.

    A blank that waits already is enough. One that is under way may come too early for what the message says now:
    it is followed by another.
    """
    found = await session.execute(
        select(OutboxMessage.subject_id, OutboxMessage.id, OutboxMessage.state)
        .where(OutboxMessage.chat_id == chat_id, OutboxMessage.kind == Kind.BLANK)
        .order_by(OutboxMessage.id)
    )
    before = {message_id: (row_id, state) for message_id, row_id, state in found}
    count = 0
    for message_id in sorted(set(message_ids), reverse=True):
        row_id, state = before.get(message_id, (0, None))
        if state in (State.PENDING, State.UNCERTAIN):
            continue
        session.add(
            OutboxMessage(
                dedupe_key=f"{_dedupe_key(Kind.BLANK, chat_id, message_id)}:{row_id}",
                kind=Kind.BLANK,
                chat_id=chat_id,
                subject_id=message_id,
                state=State.PENDING,
                created_at=now,
                due_at=now,
            )
        )
        count += 1
    await session.flush()
    return count


async def end_link(session: AsyncSession, chat_id: int, since: datetime) -> list[int]:
    """A chat's link, which began at `since`, has ended: what was not sent yet of its account's business is dead.

    The ids of the messages that were sent, for enqueue_blanks. Receipts stay: they are the officer's own evidence.
    """
    await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.chat_id == chat_id,
            OutboxMessage.kind.not_in(FOR_ANY_CHAT),
            OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN, State.HELD]),
        )
        .values(state=State.DEAD, error=LINK_ENDED)
    )
    sent = await session.scalars(
        select(OutboxMessage.message_id).where(
            OutboxMessage.chat_id == chat_id,
            OutboxMessage.kind.not_in([Kind.RECEIPT, Kind.BLANK, Kind.LINK_DISPUTED]),
            OutboxMessage.message_id.is_not(None),
            OutboxMessage.sent_at >= since,
        )
    )
    return [message_id for message_id in sent if message_id is not None]


async def told(session: AsyncSession, kind: Kind, chat_id: int, subject_ids: Iterable[int]) -> set[int]:
    """Those of the subjects about which a message of this kind was ever queued for the chat."""
    found = await session.scalars(
        select(OutboxMessage.subject_id).where(
            OutboxMessage.dedupe_key.in_([_dedupe_key(kind, chat_id, subject) for subject in subject_ids])
        )
    )
    return set(found)


async def recover(session: AsyncSession, due: datetime) -> int:
    """After a start: what was being sent when the last courier died may have arrived. The number of such rows,
    which will be sent once more when `due`.
    """
    found = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.SENDING)
        .values(state=State.UNCERTAIN, due_at=due, error="the courier ended while sending")
        .returning(OutboxMessage.id)
    )
    return len(found.all())


async def due(session: AsyncSession, now: datetime, busy: set[int], limit: int) -> list[OutboxMessage]:
    """Rows that may be sent now: receipts, then blanks (a stolen phone must not show names for longer), then the
    rest, oldest first; none to a `busy` chat.
    """
    urgency = case((OutboxMessage.kind == Kind.RECEIPT, 0), (OutboxMessage.kind == Kind.BLANK, 1), else_=2)
    rows = await session.scalars(
        select(OutboxMessage)
        .where(
            OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN]),
            OutboxMessage.due_at <= now,
            OutboxMessage.chat_id.not_in(busy),
        )
        .order_by(urgency, OutboxMessage.id)
        .limit(limit)
    )
    return list(rows)


@dataclass(frozen=True)
class Waiting:
    """What is not sent: how many messages in each state, and since when the oldest of those still to be sent."""

    depth: dict[State, int]
    oldest: datetime | None


async def waiting(session: AsyncSession) -> Waiting:
    """How much is not sent."""
    unsent = text("state <> 'sent'")
    counts = await session.execute(
        select(OutboxMessage.state, func.count().label("number")).where(unsent).group_by(OutboxMessage.state)
    )
    oldest = await session.scalar(
        select(func.min(OutboxMessage.created_at)).where(OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN]))
    )
    found = {row.state: row.number for row in counts}
    return Waiting({state: found.get(state, 0) for state in State if state is not State.SENT}, oldest)


async def mark_sending(session: AsyncSession, row: OutboxMessage) -> bool:
    """Before the call. False when the row is no longer as it was read: then it is not to be sent."""
    taken = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == row.id, OutboxMessage.state == row.state)
        .values(state=State.SENDING, attempts=OutboxMessage.attempts + 1)
        .returning(OutboxMessage.id)
    )
    return taken.first() is not None


async def mark_sent(session: AsyncSession, row_id: int, message_id: int | None, now: datetime) -> None:
    """After the call: it arrived."""
    await _settle(session, row_id, state=State.SENT, message_id=message_id, sent_at=now, error=None)


async def mark_retry(
    session: AsyncSession, row_id: int, state: State, error: str, now: datetime, after: timedelta
) -> None:
    """After a call that did not arrive (`state` pending) or may have (`state` uncertain): once more, later."""
    await _settle(session, row_id, state=state, error=error[:300], due_at=now + after)


async def mark_dead(session: AsyncSession, row_id: int, error: str) -> None:
    """It will never arrive; `error` says why."""
    await _settle(session, row_id, state=State.DEAD, error=error[:300])


async def drop(session: AsyncSession, row_id: int) -> None:
    """It is done, and nobody needs to know of it any more."""
    await session.execute(delete(OutboxMessage).where(OutboxMessage.id == row_id))


async def _settle(session: AsyncSession, row_id: int, **values: object) -> None:
    await session.execute(update(OutboxMessage).where(OutboxMessage.id == row_id).values(**values))


async def hold_unsent(session: AsyncSession) -> int:
    """After a restore: what was unsent may have been sent since. The number of rows that wait for the operator.

    Blanks go on: done twice they are done once.
    """
    held = await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.state.in_([State.PENDING, State.SENDING, State.UNCERTAIN]),
            OutboxMessage.kind != Kind.BLANK,
        )
        .values(state=State.HELD, error="held by a restore")
        .returning(OutboxMessage.id)
    )
    return len(held.all())


async def release_held(session: AsyncSession, now: datetime) -> int:
    """The operator lets go what a restore held; how many messages will be sent."""
    released = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.HELD)
        .values(state=State.PENDING, due_at=now, error=None)
        .returning(OutboxMessage.id)
    )
    return len(released.all())


async def drop_held(session: AsyncSession) -> int:
    """The operator lets what a restore held be dead; how many messages will not be sent."""
    dropped = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.HELD)
        .values(state=State.DEAD, error="dropped by the operator after a restore")
        .returning(OutboxMessage.id)
    )
    return len(dropped.all())
