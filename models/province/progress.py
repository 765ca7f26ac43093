"""How far the organizations are: counts by province, a province's day, and what is locked."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, ScalarSelect, Select, String, and_, bindparam, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

from models.accounts.account import Officer
from models.base.calendar import BANGKOK
from models.base.errors import DomainError
from models.certification.certificate import Certification, Level, Status, is_live
from models.certification.spot_check import Mark, SpotCheck, SpotCheckItem
from models.organizations.organization import (
    Organization,
    OrganizationEnd,
    Province,
    full_name,
    has_ended,
    short_name,
)
from models.province.visit import looker, looking
from models.rounds.round import Round, current_round


class UnknownProvince(DomainError):
    """No province has this code, or none of its organizations was imported."""

    def __init__(self, code: str) -> None:
        super().__init__(f"there is no province {code}; see the codes in: laocert status")


@dataclass(frozen=True)
class Day:
    """A province's day in the round: how many organizations it has certified since midnight in Bangkok, and how
    many still wait for it.
    """

    done: int
    waiting: int

    @property
    def total(self) -> int:
        """What the day began with, and what came to it."""
        return self.done + self.waiting


# The capital district of a province is called so, and bears the province's name behind it.
CAPITAL = "เมือง"


@dataclass(frozen=True)
class ButtonName:
    """An organization as a button has room for it: with its district, short where it is the capital's, only where
    another of the province has its name.
    """

    dla_code: str
    short: str
    full: str
    district_th: str | None

    @classmethod
    def of(cls, row: Any, province: Province | None) -> "ButtonName":
        """From a row with the columns of province_organizations and `has_namesake`, and their province."""
        facts = row.type_code, row.type_th, row.name_th
        district = row.district_th
        if province is not None and district == CAPITAL + province.name_th:
            district = CAPITAL
        return cls(row.dla_code, short_name(*facts), full_name(*facts), district if row.has_namesake else None)


@dataclass(frozen=True)
class ProvinceCounts:
    """How many organizations of one province have each status; of those that the LAO has certified, `blocked` can
    be certified only after the operator has reopened them.
    """

    province: Province
    uncertified: int
    lao_certified: int
    province_certified: int
    blocked: int

    @property
    def waiting(self) -> int:
        """Those that the province can certify."""
        return self.lao_certified - self.blocked

    @property
    def total(self) -> int:
        """All of the province's organizations."""
        return self.uncertified + self.lao_certified + self.province_certified

    def of(self, status: Status) -> int:
        """The number with one status."""
        return {
            Status.UNCERTIFIED: self.uncertified,
            Status.LAO_CERTIFIED: self.lao_certified,
            Status.PROVINCE_CERTIFIED: self.province_certified,
        }[status]


async def locked_organizations(session: AsyncSession, codes: set[str]) -> set[str]:
    """Those of `codes` whose register is locked: certified by the LAO in the newest round, or for ever because the
    organization has ended.
    """
    newest = await current_round(session)
    locked = set(await session.scalars(select(OrganizationEnd.organization_code)))
    if newest is not None:
        locked |= set(
            await session.scalars(
                select(Certification.organization_code).where(
                    Certification.round_id == newest.id, Certification.level == Level.LAO, is_live(Certification)
                )
            )
        )
    return codes & locked


@dataclass(frozen=True)
class LockedOrganization:
    """An organization, with its province, whose register is locked: since when, and how far it is."""

    organization: Organization
    since: datetime
    status: Status


async def list_locked(session: AsyncSession, province_code: str | None = None) -> list[LockedOrganization]:
    """The organizations of the country, or of one province, whose registers are locked (locked_organizations), by
    province and name.
    """
    newest = await current_round(session)
    round_id = newest.id if newest else None
    by_lao, by_province = _certified_at(round_id, Level.LAO), _certified_at(round_id, Level.PROVINCE)
    statement = (
        select(Organization, by_lao, by_province)
        .where(by_lao.is_not(None))
        .options(joinedload(Organization.province))
        .order_by(Organization.province_code, Organization.sort_key)
    )
    if province_code is not None:
        statement = statement.where(Organization.province_code == province_code)
    return [
        LockedOrganization(organization, since, Status.of({Level.LAO} | ({Level.PROVINCE} if decided else set())))
        for organization, since, decided in await session.execute(statement)
    ]


async def count_certificates(session: AsyncSession) -> dict[Level, int]:
    """How many certificates of the newest round count, by level, of organizations that have not ended."""
    newest = await current_round(session)
    if newest is None:
        return {}
    found = await session.execute(
        select(Certification.level, func.count().label("number"))
        .where(
            Certification.round_id == newest.id,
            is_live(Certification),
            ~has_ended(Certification.organization_code),
        )
        .group_by(Certification.level)
    )
    return {row.level: row.number for row in found}


async def require_province(session: AsyncSession, code: str) -> Province:
    """The province with a two-digit code. Raises UnknownProvince."""
    found = await session.get(Province, code)
    if found is None:
        raise UnknownProvince(code)
    return found


async def count_statuses(session: AsyncSession, province_code: str | None = None) -> list[ProvinceCounts]:
    """How many organizations of each province, or of one, have which status in the newest round."""
    return await count_statuses_in(session, await current_round(session), province_code)


async def count_statuses_in(
    session: AsyncSession, round_: Round | None, province_code: str | None
) -> list[ProvinceCounts]:
    """The same in a round."""
    rows = await session.execute(_count_statement(round_.id if round_ else None, province_code))
    return [
        ProvinceCounts(where, all_ - by_lao, by_lao - by_province, by_province, blocked)
        for where, all_, by_lao, by_province, blocked in rows
    ]


@cache
def _count_statement(round_id: int | None, province_code: str | None) -> Select[*tuple[Any, ...]]:
    chosen = () if province_code is None else (Organization.province_code == province_code,)
    found = _certified_organizations(round_id, *chosen)
    return (
        select(
            Province,
            func.count(),
            func.count(found.c.lao_at),
            func.count(found.c.province_at),
            func.count().filter(found.c.is_blocked),
        )
        .join(found, found.c.province_code == Province.code)
        .group_by(Province.code)
        .order_by(Province.code)
    )


def province_organizations(
    province_code: str | None, round_id: int | None, *conditions: ColumnElement[bool], with_ended: bool = False
) -> CTE:
    """The organizations of one province that count in a round, with what a list needs of each; `lao_at` and
    `province_at` say when it was certified in the round, if it was. `with_ended`: those that do not count, too.
    """
    of_province = Organization.province_code == province_code
    return _certified_organizations(round_id, of_province, *conditions, with_ended=with_ended)


def is_counted(round_id: int | None) -> ColumnElement[bool]:
    """A condition on organizations: they belong to a round. One that has ended belongs to the rounds that were
    closed before, one that was founded as a successor to all others.
    """
    if round_id is None:
        return ~has_ended(Organization.dla_code)
    end, beginning = aliased(OrganizationEnd), aliased(OrganizationEnd)
    was_closed = Round.closed_at.is_not(None)
    left = exists().where(
        end.organization_code == Organization.dla_code,
        ~exists().where(Round.id == round_id, was_closed, Round.closed_at <= end.ended_at),
    )
    came_later = exists().where(
        beginning.successor_code == Organization.dla_code,
        beginning.founds_successor,
        exists().where(Round.id == round_id, was_closed, Round.closed_at <= beginning.ended_at),
    )
    return ~or_(left, came_later)


def _certified_organizations(
    round_id: int | None, *conditions: ColumnElement[bool], with_ended: bool = False
) -> CTE:
    """Organizations and when they were certified.

    The certificates are looked up one organization after the other: joined, both databases went through those of
    the whole country when that seemed cheaper to them (measured at 7,849 organizations). MATERIALIZED, so that
    each is looked up once.
    """
    return (
        select(
            Organization.dla_code,
            Organization.type_code,
            Organization.type_th,
            Organization.name_th,
            Organization.district_th,
            Organization.sort_key,
            Organization.province_code,
            _certified_at(round_id, Level.LAO).label("lao_at"),
            _certified_at(round_id, Level.PROVINCE).label("province_at"),
            is_blocked(round_id).label("is_blocked"),
        )
        .where(*conditions, *(() if with_ended else (is_counted(round_id),)))
        .cte("organizations")
        .prefix_with("MATERIALIZED")
    )


# Built once a round: an alias of the certificates costs more than the query, and every card of a province asks.
@cache
def _certified_at(round_id: int | None, level: Level) -> ScalarSelect[datetime]:
    made = aliased(Certification)
    return (
        select(func.max(made.certified_at))
        .where(
            made.organization_code == Organization.dla_code,
            made.round_id == round_id,
            made.level == level,
            is_live(made),
        )
        .correlate(Organization)
        .scalar_subquery()
    )


@cache
def is_blocked(round_id: int | None) -> ColumnElement[bool]:
    """The spot-check of the current revision was handed in with something incorrect: only the operator can go on,
    by reopening the organization.

    Counted, not EXISTS: PostgreSQL hashed the spot-checks of the whole country for that.
    """
    return (
        select(func.count())
        .select_from(SpotCheck)
        .join(SpotCheckItem, SpotCheckItem.spot_check_id == SpotCheck.id)
        .where(
            SpotCheck.organization_code == Organization.dla_code,
            SpotCheck.round_id == round_id,
            SpotCheck.handed_in_at.is_not(None),
            is_live(SpotCheck),
            SpotCheckItem.mark == Mark.INCORRECT,
        )
        .correlate(Organization)
        .scalar_subquery()
    ) > 0


def is_waiting(found: CTE) -> ColumnElement[bool]:
    """A condition on these organizations: it has certified, its province has not, and can."""
    return and_(found.c.lao_at.is_not(None), found.c.province_at.is_(None), ~found.c.is_blocked)


async def count_day(session: AsyncSession, officer: Officer, round_id: int, now: datetime) -> Day:
    """The day of the province of an officer, in a round."""
    statement, moment = _day(officer.account.province_code, round_id), {"midnight": _midnight(now)}
    return Day(*(await session.execute(statement, moment)).one())


async def colleague_at(
    session: AsyncSession, officer: Officer, round_id: int, dla_code: str, now: datetime
) -> str | None:
    """The name of the colleague who looks at an organization too (models/province/visit.py)."""
    name: str | None = await session.scalar(_looker(), looking(officer, round_id, now) | {"code": dla_code})
    return name


def _midnight(now: datetime) -> datetime:
    return now.astimezone(BANGKOK).replace(hour=0, minute=0, second=0, microsecond=0)


@cache
def _day(province_code: str | None, round_id: int) -> Select[*tuple[Any, ...]]:
    found = province_organizations(province_code, round_id)
    return select(
        func.count().filter(found.c.province_at >= bindparam("midnight")), func.count().filter(is_waiting(found))
    ).select_from(found)


@cache
def _looker() -> Select[*tuple[Any, ...]]:
    return select(looker(bindparam("code", type_=String)))
