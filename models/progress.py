"""How far the organizations are: a province's lists by status, counts by province, and what is locked."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from models.account import Officer, Role
from models.base import DomainError
from models.certification import Certification, Level, NotYours, Status, is_live
from models.organization import Organization, Province, full_name
from models.round import Round, current_round

# A page fits a phone's screen with its navigation buttons.
ORGANIZATIONS_PER_PAGE = 8


class UnknownProvince(DomainError):
    """No province has this code, or none of its organizations was imported."""

    def __init__(self, code: str) -> None:
        super().__init__(f"there is no province {code}; see the codes in: laocert status")


@dataclass(frozen=True)
class ListedOrganization:
    """One line of a province's list."""

    dla_code: str
    full_name: str
    district_th: str


@dataclass(frozen=True)
class OrganizationPage:
    """One page of a province's list; `page` counts from 0, `total` counts all pages' organizations."""

    status: Status
    rows: list[ListedOrganization]
    page: int
    pages: int
    total: int


@dataclass(frozen=True)
class ProvinceCounts:
    """How many organizations of one province have each status."""

    province: Province
    uncertified: int
    lao_certified: int
    province_certified: int

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
    """Those of `codes` whose register is locked: certified by the LAO in the newest round."""
    newest = await current_round(session)
    if newest is None:
        return set()
    found = await session.scalars(
        select(Certification.organization_code).where(
            Certification.round_id == newest.id, Certification.level == Level.LAO, is_live(Certification)
        )
    )
    return codes & set(found)


class _each(FunctionElement[str]):
    """The right side of `column = key` in a join that is to look up each key by the column's index.

    For the plain key PostgreSQL reads and hashes the certificates of the whole nation, to find those of the 334
    organizations of a province; what is one of an array it cannot hash.
    """

    inherit_cache = True
    type = String()


@compiles(_each)
def _key(element: _each, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_each, "postgresql")
def _one_of_an_array(element: _each, compiler: SQLCompiler, **options: Any) -> str:
    return f"ANY (ARRAY[{compiler.process(element.clauses, **options)}])"


def _with_certificates(
    statement: Select[*tuple[Any, ...]], round_: Round | None
) -> tuple[Select[*tuple[Any, ...]], type[Certification], type[Certification]]:
    """Join a statement over organizations with the two certificates that each may have in a round."""
    lao, province = aliased(Certification), aliased(Certification)
    for alias, level in ((lao, Level.LAO), (province, Level.PROVINCE)):
        statement = statement.outerjoin(
            alias,
            (alias.organization_code == _each(Organization.dla_code))
            & (alias.round_id == (round_.id if round_ else None))
            & is_live(alias)
            & (alias.level == level),
        )
    return statement, lao, province


async def list_organizations(
    session: AsyncSession, officer: Officer, status: Status, page: int
) -> OrganizationPage:
    """One page of a province's organizations with a status, in Thai dictionary order (procedure, province
    steps 3 and 4). A page beyond the last is the last. Raises NotYours for an officer of an organization.
    """
    if officer.account.role is not Role.PROVINCE:
        raise NotYours
    columns: Select[*tuple[Any, ...]] = select(
        Organization.dla_code,
        Organization.type_code,
        Organization.type_th,
        Organization.name_th,
        Organization.district_th,
    )
    statement, lao, province = _with_certificates(columns, await current_round(session))
    statement = statement.where(
        Organization.province_code == officer.account.province_code,
        {
            Status.UNCERTIFIED: lao.id.is_(None),
            Status.LAO_CERTIFIED: lao.id.is_not(None) & province.id.is_(None),
            Status.PROVINCE_CERTIFIED: province.id.is_not(None),
        }[status],
    )
    total = await session.scalar(select(func.count()).select_from(statement.subquery())) or 0
    pages = max(1, -(-total // ORGANIZATIONS_PER_PAGE))
    page = min(max(page, 0), pages - 1)
    found = await session.execute(
        statement.order_by(Organization.sort_key)
        .limit(ORGANIZATIONS_PER_PAGE)
        .offset(page * ORGANIZATIONS_PER_PAGE)
    )
    rows = [
        ListedOrganization(row.dla_code, full_name(row.type_code, row.type_th, row.name_th), row.district_th)
        for row in found
    ]
    return OrganizationPage(status, rows, page, pages, total)


async def require_province(session: AsyncSession, code: str) -> Province:
    """The province with a two-digit code. Raises UnknownProvince."""
    found = await session.get(Province, code)
    if found is None:
        raise UnknownProvince(code)
    return found


async def count_statuses(session: AsyncSession, province_code: str | None = None) -> list[ProvinceCounts]:
    """How many organizations of each province, or of one, have which status in the newest round."""
    statement, lao, province = _with_certificates(
        select(Province).select_from(Province).join(Organization, Organization.province_code == Province.code),
        await current_round(session),
    )
    statement = (
        statement.add_columns(
            func.count().label("all"),
            func.count(lao.id).label("lao"),
            func.count(province.id).label("province"),
        )
        .group_by(Province.code)
        .order_by(Province.code)
    )
    if province_code is not None:
        statement = statement.where(Province.code == province_code)
    rows = await session.execute(statement)
    return [
        ProvinceCounts(where, all_ - by_lao, by_lao - by_province, by_province)
        for where, all_, by_lao, by_province in rows
    ]
