"""Progress of the certification: counts by status and province, a province's day, and the locked registers."""

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
    """No province with this code was imported."""

    def __init__(self, code: str) -> None:
        super().__init__(f"there is no province {code}; see the codes in: laocert status")


@dataclass(frozen=True)
class Day:
    """A province's day in the round: how many organizations it has certified since midnight in Bangkok, and
    how many still wait for it.
    """

    certified: int
    waiting: int

    @property
    def total(self) -> int:
        """All organizations of the day: certified and waiting."""
        return self.certified + self.waiting


# The name of a province's capital district is this word followed by the province's name.
CAPITAL = "เมือง"


@dataclass(frozen=True)
class ButtonName:
    """An organization's name for buttons, short and full.

    `district_th` is set only if another organization of the province has the same name. The capital district is
    abbreviated to CAPITAL.
    """

    dla_code: str
    short: str
    full: str
    district_th: str | None

    @classmethod
    def of(cls, row: Any, province: Province | None) -> "ButtonName":
        """Build it from a row with the columns of `province_organizations` and `has_namesake`, and the
        province.
        """
        parts = row.type_code, row.type_th, row.name_th
        district = row.district_th
        if province is not None and district == CAPITAL + province.name_th:
            district = CAPITAL
        return cls(row.dla_code, short_name(*parts), full_name(*parts), district if row.has_namesake else None)


@dataclass(frozen=True)
class ProvinceCounts:
    """How many organizations of one province have each status.

    `blocked` is the part of `lao_certified` whose spot-check failed: the operator must reopen them first.
    """

    province: Province
    uncertified: int
    lao_certified: int
    province_certified: int
    blocked: int

    @property
    def waiting(self) -> int:
        """How many organizations the province can certify now."""
        return self.lao_certified - self.blocked

    @property
    def total(self) -> int:
        """The number of the province's organizations."""
        return self.uncertified + self.lao_certified + self.province_certified

    def of(self, status: Status) -> int:
        """Return the number with one status."""
        return {
            Status.UNCERTIFIED: self.uncertified,
            Status.LAO_CERTIFIED: self.lao_certified,
            Status.PROVINCE_CERTIFIED: self.province_certified,
        }[status]


async def locked_organizations(session: AsyncSession, codes: set[str]) -> set[str]:
    """Return those of `codes` (dla_codes) whose register is locked: the LAO has certified it in the newest round,
    or the organization has ended.
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
    """An organization (province loaded) whose register is locked, since when, and its status."""

    organization: Organization
    since: datetime
    status: Status


async def list_locked(session: AsyncSession, province_code: str | None = None) -> list[LockedOrganization]:
    """List the organizations that the LAO has certified in the newest round, by province and name.

    With `province_code`, only those of one province.
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
    """Count the live certificates of the newest round by level, without organizations that have ended."""
    newest = await current_round(session)
    if newest is None:
        return {}
    rows = await session.execute(
        select(Certification.level, func.count().label("number"))
        .where(
            Certification.round_id == newest.id,
            is_live(Certification),
            ~has_ended(Certification.organization_code),
        )
        .group_by(Certification.level)
    )
    return {row.level: row.number for row in rows}


async def require_province(session: AsyncSession, code: str) -> Province:
    """Return the province with a two-digit code. Raises UnknownProvince."""
    province = await session.get(Province, code)
    if province is None:
        raise UnknownProvince(code)
    return province


async def count_statuses(session: AsyncSession, province_code: str | None = None) -> list[ProvinceCounts]:
    """Count the organizations by status in the newest round, for each province or for one, by province code."""
    return await count_statuses_in(session, await current_round(session), province_code)


async def count_statuses_in(
    session: AsyncSession, round_: Round | None, province_code: str | None
) -> list[ProvinceCounts]:
    """Count the organizations by status in a round (None: no round yet), for each province or for one."""
    rows = await session.execute(_count_statement(round_.id if round_ else None, province_code))
    return [
        ProvinceCounts(province, total - by_lao, by_lao - by_province, by_province, blocked)
        for province, total, by_lao, by_province, blocked in rows
    ]


@cache
def _count_statement(round_id: int | None, province_code: str | None) -> Select[*tuple[Any, ...]]:
    conditions = () if province_code is None else (Organization.province_code == province_code,)
    organizations = _certified_organizations(round_id, *conditions)
    return (
        select(
            Province,
            func.count(),
            func.count(organizations.c.lao_at),
            func.count(organizations.c.province_at),
            func.count().filter(organizations.c.is_blocked),
        )
        .join(organizations, organizations.c.province_code == Province.code)
        .group_by(Province.code)
        .order_by(Province.code)
    )


def province_organizations(
    province_code: str | None, round_id: int | None, *conditions: ColumnElement[bool], with_ended: bool = False
) -> CTE:
    """Select the organizations of one province that belong to a round and meet all `conditions`, for lists.

    Columns: names and codes, `lao_at` and `province_at` (when each level certified in the round, or NULL) and
    `is_blocked`. With `with_ended`, organizations that do not belong to the round are included.
    """
    of_province = Organization.province_code == province_code
    return _certified_organizations(round_id, of_province, *conditions, with_ended=with_ended)


def is_counted(round_id: int | None) -> ColumnElement[bool]:
    """SQL condition: the organization belongs to a round.

    An ended organization belongs only to the rounds that closed before its end. An organization that was founded
    as a successor belongs only to the other rounds.
    """
    if round_id is None:
        return ~has_ended(Organization.dla_code)
    end, beginning = aliased(OrganizationEnd), aliased(OrganizationEnd)
    was_closed = Round.closed_at.is_not(None)
    ended_before = exists().where(
        end.organization_code == Organization.dla_code,
        ~exists().where(Round.id == round_id, was_closed, Round.closed_at <= end.ended_at),
    )
    founded_later = exists().where(
        beginning.successor_code == Organization.dla_code,
        beginning.founds_successor,
        exists().where(Round.id == round_id, was_closed, Round.closed_at <= beginning.ended_at),
    )
    return ~or_(ended_before, founded_later)


def _certified_organizations(
    round_id: int | None, *conditions: ColumnElement[bool], with_ended: bool = False
) -> CTE:
    """Select organizations and when they were certified (see `province_organizations`).

    Correlated subqueries look the certificates up for each organization. With a join, both databases sometimes
    scanned the certificates of the whole country (measured with 7,849 organizations). MATERIALIZED makes each
    subquery run once.
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


# Cached for each round: building the alias costs more than the query, and every live card runs it.
@cache
def _certified_at(round_id: int | None, level: Level) -> ScalarSelect[datetime]:
    certification = aliased(Certification)
    return (
        select(func.max(certification.certified_at))
        .where(
            certification.organization_code == Organization.dla_code,
            certification.round_id == round_id,
            certification.level == level,
            is_live(certification),
        )
        .correlate(Organization)
        .scalar_subquery()
    )


@cache
def is_blocked(round_id: int | None) -> ColumnElement[bool]:
    """SQL condition: the current revision's spot-check was handed in with an incorrect record, so that only the
    operator can continue, by reopening the organization.

    COUNT and not EXISTS: for EXISTS, PostgreSQL hashes the spot-checks of the whole country.
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


def is_waiting(organizations: CTE) -> ColumnElement[bool]:
    """SQL condition on rows of `province_organizations`: the LAO has certified, the province has not, and can."""
    columns = organizations.c
    return and_(columns.lao_at.is_not(None), columns.province_at.is_(None), ~columns.is_blocked)


async def count_day(session: AsyncSession, officer: Officer, round_id: int, now: datetime) -> Day:
    """Count the day of an officer's province in a round."""
    statement, moment = _day(officer.account.province_code, round_id), {"midnight": _midnight(now)}
    return Day(*(await session.execute(statement, moment)).one())


async def colleague_at(
    session: AsyncSession, officer: Officer, round_id: int, dla_code: str, now: datetime
) -> str | None:
    """Return the name of a colleague who is looking at the organization too; None if nobody is (see `looker` in
    models/province/visit.py). Records no visit.
    """
    name: str | None = await session.scalar(_looker(), looking(officer, round_id, now) | {"code": dla_code})
    return name


def _midnight(now: datetime) -> datetime:
    return now.astimezone(BANGKOK).replace(hour=0, minute=0, second=0, microsecond=0)


@cache
def _day(province_code: str | None, round_id: int) -> Select[*tuple[Any, ...]]:
    organizations = province_organizations(province_code, round_id)
    return select(
        func.count().filter(organizations.c.province_at >= bindparam("midnight")),
        func.count().filter(is_waiting(organizations)),
    ).select_from(organizations)


@cache
def _looker() -> Select[*tuple[Any, ...]]:
    return select(looker(bindparam("code", type_=String)))
