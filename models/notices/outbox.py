"""Messages that the bot sends on its own: queued in the transaction that causes them, sent by the courier.

A row goes pending → sending → sent. `sending` is committed before the call, so that a row found in it after a
crash is known to be uncertain: it may have arrived. An uncertain row is sent once more, bearing the same
verification code, and is never lost. What cannot be delivered ends as dead, with the reason; what is no longer
true when its turn comes is dropped.

A kind with a `change` (models/notices/kind.py) is no new message but edits or deletes one that is there. Edits are
idempotent: the courier repeats one until it succeeds, and then deletes the row.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    Select,
    String,
    and_,
    cast,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base.coverage import Coverage, not_covered
from models.base.tables import Base, BigKey, text_enum
from models.notices.kind import FOR_ANY_CHAT, KEPT_IN_CHAT, NoticeKind

MAX_ATTEMPTS = 8
# Why a message about an account's business is not delivered any more.
LINK_ENDED = "the chat's link has ended"
# In the info of a session that has queued something.
_QUEUED = "outbox"


# As SQL text and not as parameters: only then both databases know that the index on it will do.
WAITS = "state IN ('pending', 'uncertain')"
# Not sent, and not waiting to be. An index over both would be taken for what is due, and reads all that waits.
STOPPED = "state IN ('sending', 'dead', 'held')"


class State(enum.StrEnum):
    """How far a message is."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    # No longer true, or no longer wanted, when it was to be sent.
    DROPPED = "dropped"
    # After a restore: whether it was sent meanwhile is not known; the operator releases it.
    HELD = "held"


# May still be sent by themselves.
UNSETTLED = (State.PENDING, State.SENDING, State.UNCERTAIN)
# Neither WAITS nor STOPPED.
OVER = (State.SENT, State.DROPPED)


class OutboxMessage(Base):
    """One message to one chat."""

    COVERAGE: ClassVar[Coverage] = not_covered(
        "a queue: what a message says is read when it is sent; who changes it holds a message back, or repeats one"
    )

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_due", "kind", "due_at", sqlite_where=text(WAITS), postgresql_where=text(WAITS)),
        Index("ix_outbox_stopped", "state", sqlite_where=text(STOPPED), postgresql_where=text(STOPPED)),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    # The same cause never sends the same message twice.
    dedupe_key: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[NoticeKind] = mapped_column(text_enum(NoticeKind, checked=False))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    subject_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[State] = mapped_column(text_enum(State, checked=False))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(String(300))


def has_queued(session: AsyncSession) -> bool:
    """Whether this session has queued messages: the courier is to look when it is committed."""
    return _QUEUED in session.info


def _add(session: AsyncSession, message: OutboxMessage) -> None:
    session.info[_QUEUED] = True
    session.add(message)


def enqueue(
    session: AsyncSession,
    kind: NoticeKind,
    chat_id: int,
    subject_id: int,
    now: datetime,
    occasion: str = "",
    *,
    due_at: datetime | None = None,
) -> None:
    """Queue one message; it exists if and only if the caller's transaction commits.

    `due_at`: not before. `occasion` tells apart what may happen to the same subject again.
    """
    _add(
        session,
        OutboxMessage(
            dedupe_key=_dedupe_key(kind, chat_id, subject_id) + (f":{occasion}" if occasion else ""),
            kind=kind,
            chat_id=chat_id,
            subject_id=subject_id,
            state=State.PENDING,
            created_at=now,
            due_at=due_at or now,
        ),
    )


async def find(session: AsyncSession, kind: NoticeKind, chat_id: int, subject_id: int) -> OutboxMessage | None:
    """The message of a kind to a chat about a subject."""
    key = _dedupe_key(kind, chat_id, subject_id)
    return await session.scalar(select(OutboxMessage).where(OutboxMessage.dedupe_key == key))


async def enqueue_each(
    session: AsyncSession, kind: NoticeKind, chats: Iterable[int], subject_id: int, now: datetime
) -> None:
    """Queue the same message to some chats, and send the rows to the database."""
    for chat in chats:
        enqueue(session, kind, chat, subject_id, now)
    await session.flush()


async def enqueue_all(
    session: AsyncSession, kind: NoticeKind, chats: Select[int], subject_id: int, now: datetime
) -> int:
    """Queue the same message to every chat that a query finds, each once, in one statement however many they are;
    how many that is.
    """
    chat = chats.subquery().c[0]
    values = {
        "dedupe_key": literal(_dedupe_key(kind, "", subject_id)) + cast(chat, String),
        "kind": literal(kind, OutboxMessage.kind.type),
        "chat_id": chat,
        "subject_id": literal(subject_id, OutboxMessage.subject_id.type),
        "state": literal(State.PENDING, OutboxMessage.state.type),
        "attempts": literal(0),
        "created_at": literal(now, OutboxMessage.created_at.type),
        "due_at": literal(now, OutboxMessage.due_at.type),
    }
    await session.execute(insert(OutboxMessage).from_select(list(values), select(*values.values())))
    return await count(session, kind, [subject_id])


async def count(
    session: AsyncSession, kind: NoticeKind, subject_ids: Iterable[int], *conditions: ColumnElement[bool]
) -> int:
    """How many messages of a kind about these subjects there are, of those that a condition holds for."""
    found = await session.scalar(
        select(func.count()).where(
            OutboxMessage.kind == kind, OutboxMessage.subject_id.in_(list(subject_ids)), *conditions
        )
    )
    return found or 0


def is_unreachable() -> ColumnElement[bool]:
    """A condition on messages: dead because their chat cannot be written to (bot/outbound/delivery.py)."""
    said = func.coalesce(OutboxMessage.error, "")
    return and_(
        OutboxMessage.state == State.DEAD, or_(said.startswith("Forbidden"), said.startswith("Chat not found"))
    )


def _dedupe_key(kind: NoticeKind, chat_id: int | str, subject_id: int) -> str:
    return f"{kind}:{subject_id}:{chat_id}"


async def enqueue_blanks(session: AsyncSession, chat_id: int, message_ids: Iterable[int], now: datetime) -> int:
    """Queue that messages of a chat lose what they say, the newest first; how many that are.

    A blank that waits already is enough. One that is under way may come too early for what the message says now:
    it is followed by another.
    """
    found = await session.execute(
        select(OutboxMessage.subject_id, OutboxMessage.id, OutboxMessage.state)
        .where(OutboxMessage.chat_id == chat_id, OutboxMessage.kind == NoticeKind.BLANK)
        .order_by(OutboxMessage.id)
    )
    before = {message_id: (row_id, state) for message_id, row_id, state in found}
    count = 0
    for message_id in sorted(set(message_ids), reverse=True):
        row_id, state = before.get(message_id, (0, None))
        if state in (State.PENDING, State.UNCERTAIN):
            continue
        _add(
            session,
            OutboxMessage(
                dedupe_key=f"{_dedupe_key(NoticeKind.BLANK, chat_id, message_id)}:{row_id}",
                kind=NoticeKind.BLANK,
                chat_id=chat_id,
                subject_id=message_id,
                state=State.PENDING,
                created_at=now,
                due_at=now,
            ),
        )
        count += 1
    await session.flush()
    return count


async def end_link(session: AsyncSession, chat_id: int) -> list[int]:
    """A chat's link has ended: what was not sent yet of its account's business is dead.

    The ids of the messages that were sent since its last link ended, for enqueue_blanks: they are forgotten here.
    By what is forgotten and not by times, for clocks go wrong. Receipts stay: they are the officer's own evidence.
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
    to_blank = (
        OutboxMessage.chat_id == chat_id,
        OutboxMessage.kind.not_in(KEPT_IN_CHAT),
        OutboxMessage.message_id.is_not(None),
    )
    sent = list(await session.scalars(select(OutboxMessage.message_id).where(*to_blank)))
    await session.execute(update(OutboxMessage).where(*to_blank).values(message_id=None))
    return [message_id for message_id in sent if message_id is not None]


async def drop_about(
    session: AsyncSession, kinds: Iterable[NoticeKind], subjects: Select[int], reason: str
) -> None:
    """What was not sent yet of some kinds about these subjects is not sent any more."""
    await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.kind.in_(list(kinds)),
            OutboxMessage.subject_id.in_(subjects),
            OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN, State.HELD]),
        )
        .values(state=State.DROPPED, error=reason)
    )


async def told(session: AsyncSession, kind: NoticeKind, chat_id: int, subject_ids: Iterable[int]) -> set[int]:
    """Those of the subjects about which a message of this kind was ever queued for the chat."""
    found = await session.scalars(
        select(OutboxMessage.subject_id).where(
            OutboxMessage.dedupe_key.in_([_dedupe_key(kind, chat_id, subject) for subject in subject_ids])
        )
    )
    return set(found)


@dataclass(frozen=True)
class Waiting:
    """What is not sent: how many messages in each state, and since when the oldest of those to be sent is due."""

    depth: dict[State, int]
    oldest: datetime | None


async def waiting(session: AsyncSession) -> Waiting:
    """How much is not sent."""
    found: dict[State, int] = {}
    for condition in (WAITS, STOPPED):
        counts = await session.execute(
            select(OutboxMessage.state, func.count())
            .where(literal_column(condition))
            .group_by(OutboxMessage.state)
        )
        found |= dict(counts.all())
    oldest = await session.scalar(select(func.min(OutboxMessage.due_at)).where(literal_column(WAITS)))
    return Waiting({state: found.get(state, 0) for state in State if state not in OVER}, oldest)
