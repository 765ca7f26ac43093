"""The outbox: messages that the bot sends on its own initiative. The operation that causes a message enqueues it
in its own transaction; the courier sends it.

A row goes pending → sending → sent. The courier commits `sending` before it calls Telegram. A row that is still in
`sending` after a crash becomes `uncertain`: it may have arrived. The courier sends an uncertain row once more,
with the same verification code, so that no message is lost. An undeliverable row ends as `dead` with the reason. A
row whose content is no longer true when its turn comes is `dropped`.

A kind with a `change` (models/notices/kind.py) edits or deletes an existing message. Edits are idempotent: the
courier retries until one succeeds, and then deletes the row.
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
from models.base.grants import Grants
from models.base.tables import Base, BigKey, text_enum
from models.notices.kind import FOR_ANY_CHAT, KEPT_IN_CHAT, NoticeKind

MAX_ATTEMPTS = 8
# The error of messages that are not delivered because the chat's link has ended.
LINK_ENDED = "the chat's link has ended"
# Key in `session.info` of a session that has enqueued a message.
_QUEUED = "outbox"


# As SQL text and not as parameters: only then both databases use the partial indexes.
WAITS = "state IN ('pending', 'uncertain')"
# Not sent, and not waiting to be sent. An index of its own: one over both conditions would be used for the query
# of due messages, and would read all waiting rows.
STOPPED = "state IN ('sending', 'dead', 'held')"


class State(enum.StrEnum):
    """The delivery state of a message (see the module docstring)."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    # No longer true, or no longer wanted, when its turn came.
    DROPPED = "dropped"
    # Held after a restore, because it may have been sent since the copy was taken. The operator releases or drops
    # it.
    HELD = "held"


# States whose messages the courier may still send.
UNSETTLED = (State.PENDING, State.SENDING, State.UNCERTAIN)
# Final states: neither WAITS nor STOPPED.
OVER = (State.SENT, State.DROPPED)


class OutboxMessage(Base):
    """One message to one chat. `kind` says what `subject_id` refers to."""

    COVERAGE: ClassVar[Coverage] = not_covered(
        "a queue: what a message says is read when it is sent, and a receipt goes to no other chat than its"
        " certificate's; who changes it holds a message back, repeats one, or has a notice sent that no"
        " event tells of"
    )

    __tablename__ = "outbox"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, INSERT, UPDATE, DELETE")
    __table_args__ = (
        Index("ix_outbox_due", "kind", "due_at", sqlite_where=text(WAITS), postgresql_where=text(WAITS)),
        Index("ix_outbox_stopped", "state", sqlite_where=text(STOPPED), postgresql_where=text(STOPPED)),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    # Unique, so that one cause never enqueues the same message twice.
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
    """Return whether this session has enqueued messages. If so, the caller wakes the courier after the commit."""
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
    """Enqueue one message in the caller's transaction.

    The message is not sent before `due_at` (default: now). `occasion` extends the dedupe key where the same kind
    may be sent to the same chat about the same subject again. A duplicate key raises IntegrityError at the flush.
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
    """Return the message of a kind to a chat about a subject, enqueued without an `occasion`; None if none."""
    key = _dedupe_key(kind, chat_id, subject_id)
    return await session.scalar(select(OutboxMessage).where(OutboxMessage.dedupe_key == key))


async def enqueue_each(
    session: AsyncSession, kind: NoticeKind, chats: Iterable[int], subject_id: int, now: datetime
) -> None:
    """Enqueue the same message to several chats, and flush the session."""
    for chat in chats:
        enqueue(session, kind, chat, subject_id, now)
    await session.flush()


async def enqueue_all(
    session: AsyncSession, kind: NoticeKind, chats: Select[int], subject_id: int, now: datetime
) -> int:
    """Enqueue the same message to every chat id that the query `chats` selects, in one INSERT … SELECT.

    The query must select each chat once. Returns the number of messages.
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
    """Count the messages of a kind about these subjects that meet all `conditions`."""
    number = await session.scalar(
        select(func.count()).where(
            OutboxMessage.kind == kind, OutboxMessage.subject_id.in_(list(subject_ids)), *conditions
        )
    )
    return number or 0


def is_unreachable() -> ColumnElement[bool]:
    """SQL condition on messages: dead because Telegram refuses messages to the chat (bot/outbound/delivery.py)."""
    error = func.coalesce(OutboxMessage.error, "")
    return and_(
        OutboxMessage.state == State.DEAD, or_(error.startswith("Forbidden"), error.startswith("Chat not found"))
    )


def _dedupe_key(kind: NoticeKind, chat_id: int | str, subject_id: int) -> str:
    return f"{kind}:{subject_id}:{chat_id}"


async def enqueue_blanks(session: AsyncSession, chat_id: int, message_ids: Iterable[int], now: datetime) -> int:
    """Enqueue the blanking of messages of a chat, newest first. Returns the number of rows added.

    A message whose blanking is pending is skipped. Where a blanking is being sent, another one follows, because
    the message may have been edited after it.
    """
    earlier_blanks = await session.execute(
        select(OutboxMessage.subject_id, OutboxMessage.id, OutboxMessage.state)
        .where(OutboxMessage.chat_id == chat_id, OutboxMessage.kind == NoticeKind.BLANK)
        .order_by(OutboxMessage.id)
    )
    last_blank = {message_id: (row_id, state) for message_id, row_id, state in earlier_blanks}
    count = 0
    for message_id in sorted(set(message_ids), reverse=True):
        row_id, state = last_blank.get(message_id, (0, None))
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
    """Stop the delivery to a chat whose link has ended: unsent messages become dead, except FOR_ANY_CHAT.

    Returns the ids of the messages to be blanked (`enqueue_blanks`): all that were sent since the last link ended,
    except KEPT_IN_CHAT. Their rows lose the message id, so that the next call does not return them again;
    timestamps would depend on correct clocks.
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
    message_ids = list(await session.scalars(select(OutboxMessage.message_id).where(*to_blank)))
    await session.execute(update(OutboxMessage).where(*to_blank).values(message_id=None))
    return [message_id for message_id in message_ids if message_id is not None]


async def drop_about(
    session: AsyncSession, kinds: Iterable[NoticeKind], subjects: Select[int], reason: str
) -> None:
    """Drop the unsent messages of some kinds about these subjects, with `reason` as their error."""
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
    """Return those of the subjects about which a message of this kind was ever enqueued for the chat."""
    known_subjects = await session.scalars(
        select(OutboxMessage.subject_id).where(
            OutboxMessage.dedupe_key.in_([_dedupe_key(kind, chat_id, subject) for subject in subject_ids])
        )
    )
    return set(known_subjects)


@dataclass(frozen=True)
class Waiting:
    """The number of unsent messages by state, and the due time of the oldest that waits (None if none waits)."""

    depth: dict[State, int]
    oldest: datetime | None


async def waiting(session: AsyncSession) -> Waiting:
    """Count the unsent messages of all chats."""
    depth: dict[State, int] = {}
    for condition in (WAITS, STOPPED):
        counts = await session.execute(
            select(OutboxMessage.state, func.count())
            .where(literal_column(condition))
            .group_by(OutboxMessage.state)
        )
        depth |= dict(counts.all())
    oldest = await session.scalar(select(func.min(OutboxMessage.due_at)).where(literal_column(WAITS)))
    return Waiting({state: depth.get(state, 0) for state in State if state not in OVER}, oldest)
