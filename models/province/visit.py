"""Visits: which province officer is looking at which waiting organization, and which ones the officer has skipped.

A hint between colleagues and no lock: an officer who is told that a colleague is looking may still continue. There
is one row for each officer and organization, overwritten at the next visit. Rows of older rounds and ended links
are ignored, and deleted when the officer is erased (models/operator/erasure.py).
"""

from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, ScalarSelect, SQLColumnExpression, bindparam, case, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from models.accounts.account import Account, Officer
from models.base.coverage import Coverage, not_covered
from models.base.grants import Grants
from models.base.tables import Base, conflict_insert

# How long after opening an organization an officer counts as looking at it.
LOOKING = timedelta(minutes=10)


class Visit(Base):
    """The last time an officer opened an organization, and when the officer skipped it, if at all."""

    COVERAGE: ClassVar[Coverage] = not_covered("which organizations an officer has opened")

    __tablename__ = "visit"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT, DELETE")
    # For the newest visit of an officer (`looker`).
    __table_args__ = (Index("ix_visit_officer_id_opened_at", "officer_id", "opened_at"),)

    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    opened_at: Mapped[datetime]
    skipped_at: Mapped[datetime | None]


async def note_opened(
    session: AsyncSession, officer: Officer, dla_code: str, round_id: int, now: datetime
) -> None:
    """Record that the officer opened a waiting organization. A skip in the same round is kept."""
    await _upsert(session, officer, dla_code, round_id, now, {"opened_at": now})


async def note_skipped(
    session: AsyncSession, officer: Officer, dla_code: str, round_id: int, now: datetime
) -> None:
    """Record that the officer skipped an organization (ข้าม)."""
    await _upsert(session, officer, dla_code, round_id, now, {"skipped_at": now})


async def _upsert(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    round_id: int,
    now: datetime,
    times: dict[str, datetime],
) -> None:
    """Upsert the visit, so that two simultaneous taps do not conflict."""
    values = {"organization_code": dla_code, "officer_id": officer.id, "round_id": round_id, "opened_at": now}
    skip_of_round = case((Visit.round_id == round_id, Visit.skipped_at), else_=None)
    await session.execute(
        conflict_insert(session, Visit)
        .values(values | times)
        .on_conflict_do_update(
            index_elements=[Visit.organization_code, Visit.officer_id],
            set_={"round_id": round_id, "skipped_at": skip_of_round, **times},
        )
    )


def looker(dla_code: SQLColumnExpression[str]) -> ScalarSelect[str | None]:
    """SQL subquery: the name of the colleague who is looking at an organization, the latest if there are several.

    A colleague is looking who opened the organization within LOOKING, has not skipped it, and has opened no other
    since. Execute the enclosing statement with the parameters that `looking` returns.
    """
    # Aliased, because the enclosing statement may select visits too.
    visit, newer = aliased(Visit), aliased(Visit)
    return (
        select(Officer.full_name)
        .select_from(visit)
        .join(Officer, Officer.id == visit.officer_id)
        .join(Account, Account.id == Officer.account_id)
        .where(
            Account.province_code == bindparam("looking_province"),
            Officer.id != bindparam("looking_officer"),
            Officer.unlinked_at.is_(None),
            visit.organization_code == dla_code,
            visit.round_id == bindparam("looking_round"),
            visit.opened_at > bindparam("looking_since"),
            visit.opened_at < bindparam("looking_until"),
            or_(visit.skipped_at.is_(None), visit.skipped_at < visit.opened_at),
            ~exists().where(
                newer.officer_id == visit.officer_id,
                newer.opened_at > visit.opened_at,
                newer.opened_at < bindparam("looking_until"),
            ),
        )
        .order_by(visit.opened_at.desc())
        .limit(1)
        .scalar_subquery()
    )


def looking(officer: Officer, round_id: int | None, now: datetime) -> dict[str, object]:
    """Return the parameters of a statement with `looker`, for an officer of a province."""
    return {
        "looking_province": officer.account.province_code,
        "looking_officer": officer.id,
        "looking_round": round_id,
        "looking_since": now - LOOKING,
        # A later visit was stored by a clock that was ahead, and is ignored.
        "looking_until": now + LOOKING,
    }
