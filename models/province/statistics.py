"""Statistics of a province's certification: by type of organization, and day by day."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.calendar import BANGKOK
from models.base.errors import DomainError
from models.certification.certificate import Certification, Level, is_live
from models.organizations.organization import Organization
from models.province.progress import is_counted, require_province
from models.rounds.round import Round, current_round

# The order of the types, from the province-wide organization down. Unlisted types come last.
TYPES = (
    "provincial_admin_org",
    "special_admin_area",
    "city_municipality",
    "town_municipality",
    "subdistrict_municipality",
    "subdistrict_admin_org",
)


class NoRoundYet(DomainError):
    """No round has been opened yet, so there are no statistics."""

    def __init__(self) -> None:
        super().__init__("no round has been opened yet; open one: laocert round open --fiscal-year 2570")


@dataclass(frozen=True)
class StatusCounts:
    """How many organizations of one type have which status."""

    type_th: str
    uncertified: int
    lao_certified: int
    province_certified: int

    @property
    def total(self) -> int:
        """All organizations of the type."""
        return self.uncertified + self.lao_certified + self.province_certified


@dataclass(frozen=True)
class DayCounts:
    """How many organizations were certified at each level by the end of a day in Bangkok (cumulative)."""

    day: date
    lao: int
    province: int


@dataclass(frozen=True)
class ProvinceProgress:
    """A province's progress in the newest round.

    `days` has one entry for each day from the opening to the closing, or to `as_of` while the round is open.
    """

    province_code: str
    province_th: str
    province_en: str
    fiscal_year: int
    closes_on: date | None
    as_of: datetime
    types: tuple[StatusCounts, ...]
    days: tuple[DayCounts, ...]

    @property
    def total(self) -> StatusCounts:
        """The sum over all types; its `type_th` is empty."""
        return StatusCounts(
            "",
            sum(counts.uncertified for counts in self.types),
            sum(counts.lao_certified for counts in self.types),
            sum(counts.province_certified for counts in self.types),
        )


async def require_round(session: AsyncSession) -> Round:
    """Return the newest round. Raises NoRoundYet."""
    newest = await current_round(session)
    if newest is None:
        raise NoRoundYet
    return newest


async def province_progress(session: AsyncSession, province_code: str, now: datetime) -> ProvinceProgress:
    """Return a province's progress in the newest round.

    Only live certificates count: one whose revision was reopened counts on no day. Runs four queries. Raises
    UnknownProvince, NoRoundYet.
    """
    province = await require_province(session, province_code)
    round_ = await require_round(session)
    organizations = await session.execute(
        select(Organization.type_code, Organization.type_th, func.count())
        .where(Organization.province_code == province_code, is_counted(round_.id))
        .group_by(Organization.type_code, Organization.type_th)
    )
    rows = await session.execute(
        select(Organization.type_code, Certification.level, Certification.certified_at)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .where(
            Organization.province_code == province_code,
            Certification.round_id == round_.id,
            is_live(Certification),
            is_counted(round_.id),
        )
    )
    certificates = [(type_code, level, _day(at)) for type_code, level, at in rows]
    return ProvinceProgress(
        province_code,
        province.name_th,
        province.name_en,
        round_.fiscal_year,
        round_.closes_on,
        now,
        _by_type([(code, name, total) for code, name, total in organizations], certificates),
        _by_day(round_, certificates, now),
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(BANGKOK).date()


def _by_type(
    organizations: list[tuple[str, str, int]], certificates: list[tuple[str, Level, date]]
) -> tuple[StatusCounts, ...]:
    counts = Counter((type_code, level) for type_code, level, _ in certificates)
    order = {code: place for place, code in enumerate(TYPES)}
    types = []
    for code, name, total in sorted(organizations, key=lambda row: (order.get(row[0], len(order)), row[0])):
        lao, province = counts[code, Level.LAO], counts[code, Level.PROVINCE]
        types.append(StatusCounts(name, total - lao, lao - province, province))
    return tuple(types)


def _by_day(round_: Round, certificates: list[tuple[str, Level, date]], now: datetime) -> tuple[DayCounts, ...]:
    counts = Counter((level, day) for _, level, day in certificates)
    last = _day(round_.closed_at or now)
    # A clock that was ahead may have opened the round on a day that has not come yet.
    day = min(_day(round_.opened_at), last)
    lao = province = 0
    days = []
    while day <= last:
        lao += counts[Level.LAO, day]
        province += counts[Level.PROVINCE, day]
        days.append(DayCounts(day, lao, province))
        day += timedelta(days=1)
    return tuple(days)
