"""Repeated refusals: the first one of a chat on a day is an event, further ones are only counted.

Otherwise anyone could fill the record, which never shrinks, by sending messages to the bot. When the day in
Bangkok is over, or at the chat's next refusal on a later day, one event records how many more there were, and the
count is deleted. For an officer each refused action is counted separately; there are only as many as there are
buttons.
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
    """The number of a chat's refusals on one day after the first, which is an event."""

    COVERAGE: ClassVar[Coverage] = not_covered("a count of one day, which becomes an event when the day is over")

    __tablename__ = "repeated_refusal"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, INSERT, UPDATE, DELETE")

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    # The kind of the first refusal's event, and the action that an officer attempted; empty for strangers.
    kind: Mapped[str] = mapped_column(String(30), primary_key=True)
    what: Mapped[str] = mapped_column(String(60), primary_key=True)
    # The chain of the first refusal's event.
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
    """Count a refusal, and return whether it is the chat's first one of this day.

    The caller records the first one as an event of `kind` in `chain`. This function records the counts of earlier
    days. `what` is the action that an officer attempted; it is empty for strangers.
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
    insertion = conflict_insert(session, RepeatedRefusal).values(row)
    more = await session.scalar(
        insertion.on_conflict_do_update(
            index_elements=["user_id", "day", "kind", "what"], set_={"more": RepeatedRefusal.more + 1}
        ).returning(RepeatedRefusal.more)
    )
    if more:
        return False
    await _tell(session, now, RepeatedRefusal.user_id == user_id)
    return True


async def tell_repeated(session: AsyncSession, now: datetime) -> None:
    """Record the counts of all days that are over, one event for each, and delete them."""
    await _tell(session, now)


async def forget_repeated(session: AsyncSession, user_id: int) -> None:
    """Delete the counts of a Telegram user."""
    await session.execute(delete(RepeatedRefusal).where(RepeatedRefusal.user_id == user_id))


async def _tell(session: AsyncSession, now: datetime, *conditions: ColumnElement[bool]) -> None:
    today = bangkok_day(now)
    # Days in the future were counted under a wrong clock.
    is_over = ~RepeatedRefusal.day.between(today, today + timedelta(days=1))
    rows = await session.scalars(delete(RepeatedRefusal).where(is_over, *conditions).returning(RepeatedRefusal))
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
    # Sorted, because the database returns rows in any order.
    links.sort(key=lambda link: event_chain.canonical([link.chain, link.details]))
    await event_chain.record_all(session, links, now)
