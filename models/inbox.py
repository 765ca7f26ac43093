"""Updates as they came from Telegram, kept until they are done, so that none is lost or done twice.

Bodies arrive sealed (models/sealing.py) and are blanked when done: they hold typed passwords.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.dml import ReturningUpdate

from models.base import Base, BigKey, text_enum

# After an idle week Telegram restarts the ids at random (Bot API, Update.update_id): the same id again after
# this long is another update.
REMEMBERED = timedelta(days=14)
MAX_ATTEMPTS = 3


class State(enum.StrEnum):
    """How far an update is; `set_aside` after three failures."""

    PENDING = "pending"
    DONE = "done"
    SET_ASIDE = "set_aside"


class InboxUpdate(Base):
    """One update of one bot."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("bot_id", "update_id"),
        Index(
            "ix_inbox_pending",
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
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    kept = await session.scalars(
        dialect.insert(InboxUpdate).on_conflict_do_nothing().returning(InboxUpdate),
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


async def pending(session: AsyncSession, bot_id: int) -> list[InboxUpdate]:
    """What a process that died left undone, in order of arrival."""
    rows = await session.scalars(
        select(InboxUpdate)
        .where(InboxUpdate.state == State.PENDING, InboxUpdate.bot_id == bot_id)
        .order_by(InboxUpdate.id)
    )
    return list(rows)


async def finish(session: AsyncSession, row_id: int, now: datetime) -> bool:
    """Done, in the transaction of its effect. False when it was done before: then nothing else may happen."""
    taken = await session.execute(_finish(), {"row": row_id, "now": now})
    return taken.first() is not None


@cache
def _finish() -> ReturningUpdate[Any]:
    # On the table: what SQLAlchemy does for the objects of a session costs more than the statement.
    table = InboxUpdate.__table__
    assert isinstance(table, Table)  # noqa: S101 - mapped to no join
    return (
        update(table)
        .where(table.c.id == bindparam("row"), table.c.state == State.PENDING)
        .values(state=State.DONE, body=None, finished_at=bindparam("now"))
        .returning(table.c.id)
    )


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
