"""Updates as they came from Telegram, kept until they are done, so that none is lost or done twice.

Bodies arrive sealed (models/security/sealing.py) and are blanked when done: they hold typed passwords.
"""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    LargeBinary,
    Select,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.dml import ReturningUpdate

from models.base.coverage import Coverage, not_covered
from models.base.tables import Base, BigKey, conflict_insert, text_enum

# After an idle week Telegram restarts the ids at random (Bot API, Update.update_id): the same id again after
# this long is another update.
REMEMBERED = timedelta(days=14)
MAX_ATTEMPTS = 3
# Bytes of an update that is kept for a try: on SQLite more than a page of the file, so that there must be room.
_TRIED = 5000


class State(enum.StrEnum):
    """How far an update is; `set_aside` after three failures."""

    PENDING = "pending"
    DONE = "done"
    SET_ASIDE = "set_aside"


class InboxUpdate(Base):
    """One update of one bot."""

    COVERAGE: ClassVar[Coverage] = not_covered("a queue; its bodies are sealed, so that nobody can write one")

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("bot_id", "update_id"),
        Index(
            "ix_inbox_pending",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        # Whose turn it is.
        Index(
            "ix_inbox_turn",
            "sender",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_inbox_received_at", "received_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    bot_id: Mapped[int] = mapped_column(BigInteger)
    update_id: Mapped[int] = mapped_column(BigInteger)
    # Whose turn it is: updates with the same key are done in order.
    sender: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[State] = mapped_column(text_enum(State))
    attempts: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(300))


@dataclass(frozen=True)
class Received:
    """One update on its way into the inbox."""

    update_id: int
    sender: int
    body: bytes


async def store(session: AsyncSession, bot_id: int, batch: list[Received], now: datetime) -> list[InboxUpdate]:
    """Keep a batch; those that were kept before are left out of the answer."""
    if not batch:
        return []
    kept = await session.scalars(
        conflict_insert(session, InboxUpdate).on_conflict_do_nothing().returning(InboxUpdate),
        [
            {
                "bot_id": bot_id,
                "update_id": item.update_id,
                "sender": item.sender,
                "body": item.body,
                "received_at": now,
                "state": State.PENDING,
                "attempts": 0,
            }
            for item in batch
        ],
    )
    return sorted(kept, key=lambda row: row.id)


async def try_to_keep(session: AsyncSession, number: int, now: datetime) -> None:
    """Keep an update of no bot and drop it in the same transaction: whether updates can be kept is known after the
    commit, and nobody ever sees this one. `number` tells those apart that try at the same moment.
    """
    (row,) = await store(session, 0, [Received(number, 0, bytes(_TRIED))], now)
    await session.flush()
    await session.execute(delete(InboxUpdate).where(InboxUpdate.id == row.id))


async def pending(
    session: AsyncSession,
    bot_id: int,
    taken: Collection[int] = (),
    limit: int | None = None,
    *conditions: ColumnElement[bool],
) -> list[InboxUpdate]:
    """What is not done yet, not among the ids `taken`, and meets some conditions, in order of arrival."""
    rows = await session.scalars(
        select(InboxUpdate)
        .where(_is_pending("inbox"), InboxUpdate.bot_id == bot_id, InboxUpdate.id.not_in(taken), *conditions)
        .order_by(InboxUpdate.id)
        .limit(limit)
    )
    return list(rows)


@dataclass(frozen=True)
class Waiting:
    """What is not done yet: how many updates, and since when the oldest of them."""

    depth: int
    oldest: datetime | None


async def waiting(session: AsyncSession) -> Waiting:
    """How much of all bots is not done yet."""
    found = await session.execute(
        select(func.count(), func.min(InboxUpdate.received_at)).where(_is_pending("inbox"))
    )
    depth, oldest = found.one()
    return Waiting(depth, oldest)


def _is_pending(table: str) -> ColumnElement[bool]:
    # As SQL text and not as a parameter: only then both databases know that the indexes on it will do.
    return literal_column(f"{table}.state = 'pending'")


def _is_next(table: Table) -> ColumnElement[bool]:
    """A condition on `row`: it is not done, and no earlier one of its sender waits."""
    earlier = table.alias("earlier")
    comes_first = exists().where(
        earlier.c.bot_id == bindparam("of_bot"),
        earlier.c.sender == bindparam("of_sender"),
        _is_pending("earlier"),
        earlier.c.id < bindparam("row"),
    )
    return and_(table.c.id == bindparam("row"), _is_pending("inbox"), ~comes_first)


@cache
def _statements() -> tuple[Select[Any], ReturningUpdate[Any]]:
    table = InboxUpdate.core()
    is_next = _is_next(table)
    done = update(table).where(is_next).values(state=State.DONE, body=None, finished_at=bindparam("now"))
    return select(table.c.id).where(is_next), done.returning(table.c.id)


async def is_next(session: AsyncSession, row: InboxUpdate) -> bool:
    """Whether it is the update's turn: it is not done, and no earlier one of its sender waits."""
    looking, _ = _statements()
    parameters = {"row": row.id, "of_bot": row.bot_id, "of_sender": row.sender}
    return await session.scalar(looking, parameters) is not None


async def finish(session: AsyncSession, row: InboxUpdate, now: datetime) -> bool:
    """Done, in the transaction of its effect. False when it was done before, or when an earlier one of its sender
    waits: then nothing else may happen.
    """
    _, done = _statements()
    parameters = {"row": row.id, "of_bot": row.bot_id, "of_sender": row.sender, "now": now}
    return (await session.execute(done, parameters)).first() is not None


async def done_after(session: AsyncSession, sender: int, number: int) -> set[int]:
    """The updates of a sender that are done and came after another: a range of the primary key, short because it
    begins at an update whose screen still waits.
    """
    later = select(InboxUpdate.id).where(
        InboxUpdate.id > number, InboxUpdate.sender == sender, InboxUpdate.state == State.DONE
    )
    return set(await session.scalars(later))


async def note_failure(session: AsyncSession, row_id: int, error: str, now: datetime) -> bool:
    """Count a failure; True when it was the last one that is allowed and the update is set aside."""
    attempts = await session.scalar(
        update(InboxUpdate)
        .where(InboxUpdate.id == row_id)
        .values(attempts=InboxUpdate.attempts + 1, error=error[:300])
        .returning(InboxUpdate.attempts)
    )
    if attempts is None or attempts < MAX_ATTEMPTS:
        return False
    await session.execute(
        update(InboxUpdate)
        .where(InboxUpdate.id == row_id)
        .values(state=State.SET_ASIDE, body=None, finished_at=now)
    )
    return True


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop what was done longer ago than its id is remembered."""
    await session.execute(
        delete(InboxUpdate).where(InboxUpdate.received_at < now - REMEMBERED, InboxUpdate.state != State.PENDING)
    )
