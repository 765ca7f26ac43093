"""Who of a province looks at which waiting organization, and which it has left for later.

A courtesy between colleagues, no lock: whoever is told that somebody looks already may still go on. One row an
officer and organization, overwritten at its next visit; those of older rounds, or of links that have ended, are
never counted, and go when the officer is forgotten (models/operator/erasure.py).
"""

from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, ScalarSelect, SQLColumnExpression, bindparam, case, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from models.accounts.account import Account, Officer
from models.base.coverage import Coverage, not_covered
from models.base.tables import Base, conflict_insert

# So long is an organization said to be looked at after it was opened.
LOOKING = timedelta(minutes=10)


class Visit(Base):
    """That an officer opened an organization, the last time; and when it left it for later, if it did."""

    COVERAGE: ClassVar[Coverage] = not_covered("which organizations an officer has opened")

    __tablename__ = "visit"
    # The newest visit of an officer is looked for.
    __table_args__ = (Index("ix_visit_officer_id_opened_at", "officer_id", "opened_at"),)

    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    opened_at: Mapped[datetime]
    skipped_at: Mapped[datetime | None]


async def note_opened(
    session: AsyncSession, officer: Officer, dla_code: str, round_id: int, now: datetime
) -> None:
    """The officer looks at a waiting organization. That it has left it for later in this round stays noted."""
    await _upsert(session, officer, dla_code, round_id, now, {"opened_at": now})


async def note_skipped(
    session: AsyncSession, officer: Officer, dla_code: str, round_id: int, now: datetime
) -> None:
    """ข้าม: the officer leaves an organization for later."""
    await _upsert(session, officer, dla_code, round_id, now, {"skipped_at": now})


async def _upsert(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    round_id: int,
    now: datetime,
    noted: dict[str, datetime],
) -> None:
    """One statement, for of two taps at the same moment the second must find the row of the first."""
    values = {"organization_code": dla_code, "officer_id": officer.id, "round_id": round_id, "opened_at": now}
    kept = case((Visit.round_id == round_id, Visit.skipped_at), else_=None)
    await session.execute(
        conflict_insert(session, Visit)
        .values(values | noted)
        .on_conflict_do_update(
            index_elements=[Visit.organization_code, Visit.officer_id],
            set_={"round_id": round_id, "skipped_at": kept, **noted},
        )
    )


def looker(dla_code: SQLColumnExpression[str]) -> ScalarSelect[str | None]:
    """The name of the colleague who looks at an organization: it opened it within LOOKING, has not left it for
    later, and has opened no other since.

    Of several the one who came last. The statement that it is part of is executed with `looking`.
    """
    # Aliased: the statement around it may be about visits as well.
    seen, newer = aliased(Visit), aliased(Visit)
    return (
        select(Officer.full_name)
        .select_from(seen)
        .join(Officer, Officer.id == seen.officer_id)
        .join(Account, Account.id == Officer.account_id)
        .where(
            Account.province_code == bindparam("looking_province"),
            Officer.id != bindparam("looking_officer"),
            Officer.unlinked_at.is_(None),
            seen.organization_code == dla_code,
            seen.round_id == bindparam("looking_round"),
            seen.opened_at > bindparam("looking_since"),
            seen.opened_at < bindparam("looking_until"),
            or_(seen.skipped_at.is_(None), seen.skipped_at < seen.opened_at),
            ~exists().where(
                newer.officer_id == seen.officer_id,
                newer.opened_at > seen.opened_at,
                newer.opened_at < bindparam("looking_until"),
            ),
        )
        .order_by(seen.opened_at.desc())
        .limit(1)
        .scalar_subquery()
    )


def looking(officer: Officer, round_id: int | None, now: datetime) -> dict[str, object]:
    """For whom a statement with `looker` is executed: an officer of a province, in a round, now."""
    return {
        "looking_province": officer.account.province_code,
        "looking_officer": officer.id,
        "looking_round": round_id,
        "looking_since": now - LOOKING,
        # A visit that lies further ahead was noted by a clock that was ahead.
        "looking_until": now + LOOKING,
    }
