"""Refusals that come again and again: the first of a chat and day is an event, the others are counted.

Whoever can write to the bot could fill the record, which never shrinks, with as many events as it sends messages.
When the day is over (Bangkok's), or at the chat's next refusal on a later day, one event says how many more there
were, and the count is dropped. Of an officer each thing that it has no right to is counted by itself: there are
only as many as there are buttons.
"""

from datetime import date, datetime, timedelta
from typing import ClassVar

from sqlalchemy import BigInteger, ColumnElement, Date, String, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.audit import event_chain
from models.base.calendar import bangkok_day
from models.base.coverage import Coverage, not_covered
from models.base.grants import Grants
from models.base.tables import Base, conflict_insert


class RepeatedRefusal(Base):
    """How often a chat was refused on one day, beyond the first time, which is an event."""

    COVERAGE: ClassVar[Coverage] = not_covered("a count of one day, which becomes an event when the day is over")

    __tablename__ = "repeated_refusal"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, INSERT, UPDATE, DELETE")

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    # What the first one was recorded as (Event), and what an officer tried; of strangers nothing stands here.
    kind: Mapped[str] = mapped_column(String(30), primary_key=True)
    what: Mapped[str] = mapped_column(String(60), primary_key=True)
    # The chain of the first one's event.
    chain: Mapped[str] = mapped_column(String(20))
    officer_id: Mapped[int | None] = mapped_column(BigInteger)
    more: Mapped[int]


async def is_first_refusal(
    session: AsyncSession,
    kind: event_chain.Event,
    chain: str,
    now: datetime,
    user_id: int,
    *,
    officer_id: int | None = None,
    what: str = "",
) -> bool:
    """Count that a chat was refused. Whether it is the first time on this day, which the caller records as `kind`
    in `chain`; what was counted of days before is recorded here. `what` an officer tried, of strangers nothing.
    """
    row = {
        "user_id": user_id,
        "day": bangkok_day(now),
        "kind": kind.value,
        "what": what,
        "chain": chain,
        "officer_id": officer_id,
        "more": 0,
    }
    counted = conflict_insert(session, RepeatedRefusal).values(row)
    more = await session.scalar(
        counted.on_conflict_do_update(
            index_elements=["user_id", "day", "kind", "what"], set_={"more": RepeatedRefusal.more + 1}
        ).returning(RepeatedRefusal.more)
    )
    if more:
        return False
    await _tell(session, now, RepeatedRefusal.user_id == user_id)
    return True


async def tell_repeated(session: AsyncSession, now: datetime) -> None:
    """Record of every day that is over how often each chat was refused, and drop the counts."""
    await _tell(session, now)


async def forget_repeated(session: AsyncSession, user_id: int) -> None:
    """Drop what is counted of a person."""
    await session.execute(delete(RepeatedRefusal).where(RepeatedRefusal.user_id == user_id))


async def _tell(session: AsyncSession, now: datetime, *of: ColumnElement[bool]) -> None:
    today = bangkok_day(now)
    # A day to come was counted by a clock that was ahead.
    is_over = ~RepeatedRefusal.day.between(today, today + timedelta(days=1))
    rows = await session.scalars(delete(RepeatedRefusal).where(is_over, *of).returning(RepeatedRefusal))
    links = [
        event_chain.Link(
            event_chain.Event.REPEATED,
            row.chain,
            {
                "user": row.user_id,
                "officer": row.officer_id,
                "refused": row.kind,
                "what": row.what,
                "day": row.day,
                "times": row.more,
            },
        )
        for row in rows.all()
        if row.more
    ]
    # In one order, whatever the database returns first.
    links.sort(key=lambda link: event_chain.canonical([link.chain, link.details]))
    await event_chain.record_all(session, links, now)
