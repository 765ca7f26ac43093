"""How a province's certification goes, in numbers: by type of organization, and day by day."""

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

# From the province-wide organization down; a type that is not listed comes last.
TYPES = (
    "provincial_admin_org",
    "special_admin_area",
    "city_municipality",
    "town_municipality",
    "subdistrict_municipality",
    "subdistrict_admin_org",
)


class NoRoundYet(DomainError):
    """There is nothing to draw before the first round."""

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
    """How many organizations had been certified at each level when a day in Bangkok ended."""

    day: date
    lao: int
    province: int


@dataclass(frozen=True)
class ProvinceProgress:
    """A province's progress in the newest round; `days` has one entry a day, from the opening to `as_of`."""

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
        """All types together."""
        return StatusCounts(
            "",
            sum(one.uncertified for one in self.types),
            sum(one.lao_certified for one in self.types),
            sum(one.province_certified for one in self.types),
        )


async def require_round(session: AsyncSession) -> Round:
    """The newest round. Raises NoRoundYet."""
    found = await current_round(session)
    if found is None:
        raise NoRoundYet
    return found


async def province_progress(session: AsyncSession, province_code: str, now: datetime) -> ProvinceProgress:
    """Count what counts now: a certificate whose revision was ended counts on no day.

    Four queries. Raises UnknownProvince, NoRoundYet.
    """
    province = await require_province(session, province_code)
    round_ = await require_round(session)
    organizations = await session.execute(
        select(Organization.type_code, Organization.type_th, func.count())
        .where(Organization.province_code == province_code, is_counted(round_.id))
        .group_by(Organization.type_code, Organization.type_th)
    )
    made = await session.execute(
        select(Organization.type_code, Certification.level, Certification.certified_at)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .where(
            Organization.province_code == province_code,
            Certification.round_id == round_.id,
            is_live(Certification),
            is_counted(round_.id),
        )
    )
    certificates = [(type_code, level, _day(at)) for type_code, level, at in made]
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
    found = []
    for code, name, total in sorted(organizations, key=lambda row: (order.get(row[0], len(order)), row[0])):
        lao, province = counts[code, Level.LAO], counts[code, Level.PROVINCE]
        found.append(StatusCounts(name, total - lao, lao - province, province))
    return tuple(found)


def _by_day(round_: Round, certificates: list[tuple[str, Level, date]], now: datetime) -> tuple[DayCounts, ...]:
    counts = Counter((level, day) for _, level, day in certificates)
    last = _day(round_.closed_at or now)
    # A clock that was ahead may have opened it on a day that has not come yet.
    day = min(_day(round_.opened_at), last)
    lao = province = 0
    found = []
    while day <= last:
        lao += counts[Level.LAO, day]
        province += counts[Level.PROVINCE, day]
        found.append(DayCounts(day, lao, province))
        day += timedelta(days=1)
    return tuple(found)
