"""The inbox: each update from Telegram is stored before it is processed, so that none is lost or processed twice.

The caller passes bodies sealed (models/security/sealing.py), because they can contain passwords. A body is erased
when its update is finished or set aside.
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
from models.base.grants import Grants
from models.base.tables import Base, BigKey, conflict_insert, text_enum

# How long rows are kept to recognize a repeated update. After an idle week Telegram restarts the ids at random
# (Bot API, Update.update_id), so the same id after this long is another update.
REMEMBERED = timedelta(days=14)
MAX_ATTEMPTS = 3
# Body size in bytes of the update of `try_to_keep`: more than one page of a SQLite file, so that it needs free
# space.
_TRIAL_BYTES = 5000


class State(enum.StrEnum):
    """Whether an update still has to be processed. `set_aside` means that it failed MAX_ATTEMPTS times."""

    PENDING = "pending"
    DONE = "done"
    SET_ASIDE = "set_aside"


class InboxUpdate(Base):
    """One update of one bot, identified by Telegram's update_id."""

    COVERAGE: ClassVar[Coverage] = not_covered(
        "a queue; its bodies are sealed with their bot, number and sender, so that nobody can write one, or move"
        " one to another row; a row that was copied and deleted can be put back as it was"
    )

    __tablename__ = "inbox"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, UPDATE, DELETE")
    __table_args__ = (
        UniqueConstraint("bot_id", "update_id"),
        Index(
            "ix_inbox_pending",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        # For `is_next`: earlier pending updates of the same sender.
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
    # Updates of the same sender are processed in order of their ids.
    sender: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[State] = mapped_column(text_enum(State))
    attempts: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(300))


@dataclass(frozen=True)
class Received:
    """An update that is not stored yet. `body` is sealed."""

    update_id: int
    sender: int
    body: bytes


def identity(bot_id: int, update_id: int, sender: int) -> bytes:
    """Return the associated data of a body's encryption: a body opens only in a row with these three columns."""
    return f"{bot_id}/{update_id}/{sender}".encode()


async def store(session: AsyncSession, bot_id: int, batch: list[Received], now: datetime) -> list[InboxUpdate]:
    """Store a batch of updates and return the new rows by id. Idempotent: updates stored before are skipped."""
    if not batch:
        return []
    rows = await session.scalars(
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
    return sorted(rows, key=lambda row: row.id)


async def try_to_keep(session: AsyncSession, number: int, now: datetime) -> None:
    """Check that the inbox is writable: insert an update of bot 0 and delete it in the same transaction.

    The check has passed when the caller's commit succeeds; no other transaction sees the row. `number` is its
    update id, and must differ between checks that run at the same time.
    """
    (row,) = await store(session, 0, [Received(number, 0, bytes(_TRIAL_BYTES))], now)
    await session.flush()
    await session.execute(delete(InboxUpdate).where(InboxUpdate.id == row.id))


async def pending(
    session: AsyncSession,
    bot_id: int,
    excluded_ids: Collection[int] = (),
    limit: int | None = None,
    *conditions: ColumnElement[bool],
) -> list[InboxUpdate]:
    """Return a bot's pending updates in order of arrival: at most `limit`, without `excluded_ids`, and only those
    that meet all `conditions`.
    """
    rows = await session.scalars(
        select(InboxUpdate)
        .where(
            _is_pending("inbox"),
            InboxUpdate.bot_id == bot_id,
            InboxUpdate.id.not_in(excluded_ids),
            *conditions,
        )
        .order_by(InboxUpdate.id)
        .limit(limit)
    )
    return list(rows)


@dataclass(frozen=True)
class Waiting:
    """The number of pending updates, and when the oldest of them arrived (None if there are none)."""

    depth: int
    oldest: datetime | None


async def waiting(session: AsyncSession) -> Waiting:
    """Count the pending updates of all bots."""
    result = await session.execute(
        select(func.count(), func.min(InboxUpdate.received_at)).where(_is_pending("inbox"))
    )
    depth, oldest = result.one()
    return Waiting(depth, oldest)


def _is_pending(table: str) -> ColumnElement[bool]:
    # As a literal and not as a parameter: only then both databases use the partial indexes.
    return literal_column(f"{table}.state = 'pending'")


def _is_next(table: Table) -> ColumnElement[bool]:
    """SQL condition: the update with the id `:row` is pending, and no earlier update of its sender is."""
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
    finishing = update(table).where(is_next).values(state=State.DONE, body=None, finished_at=bindparam("now"))
    return select(table.c.id).where(is_next), finishing.returning(table.c.id)


async def is_next(session: AsyncSession, row: InboxUpdate) -> bool:
    """Return whether it is the update's turn: it is pending, and no earlier update of its sender is."""
    selection, _ = _statements()
    parameters = {"row": row.id, "of_bot": row.bot_id, "of_sender": row.sender}
    return await session.scalar(selection, parameters) is not None


async def finish(session: AsyncSession, row: InboxUpdate, now: datetime) -> bool:
    """Mark an update as done, in the same transaction as its effect.

    Returns False if it is not the update's turn (see `is_next`); then the caller must not apply the effect.
    """
    _, finishing = _statements()
    parameters = {"row": row.id, "of_bot": row.bot_id, "of_sender": row.sender, "now": now}
    return (await session.execute(finishing, parameters)).first() is not None


async def done_after(session: AsyncSession, sender: int, number: int) -> set[int]:
    """Return the ids of a sender's updates that are done and have an id above `number`.

    Scans the primary key from `number` on. The range is short, because `number` is an update whose screen still
    waits to be drawn.
    """
    later = select(InboxUpdate.id).where(
        InboxUpdate.id > number, InboxUpdate.sender == sender, InboxUpdate.state == State.DONE
    )
    return set(await session.scalars(later))


async def note_failure(session: AsyncSession, row_id: int, error: str, now: datetime) -> bool:
    """Count a failed attempt. Returns True if it was attempt MAX_ATTEMPTS, and the update is now set aside.

    `error` is cut to 300 characters.
    """
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
    """Delete updates that arrived more than REMEMBERED ago and are not pending."""
    await session.execute(
        delete(InboxUpdate).where(InboxUpdate.received_at < now - REMEMBERED, InboxUpdate.state != State.PENDING)
    )
