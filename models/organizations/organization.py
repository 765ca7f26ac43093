"""Provinces and their local administrative organizations (LAO, อปท.), and how an organization has ended.

models/succession says what ends with an organization and what its successor takes over. The permanent lock on an
ended organization's register is a trigger (models/schema/trigger_conditions.py).
"""

import enum
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Select,
    SQLColumnExpression,
    String,
    Text,
    bindparam,
    exists,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, joinedload, mapped_column, relationship

from models.base import thai
from models.base.coverage import SEAL_COLUMNS, Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.tables import Base, BigKey, BinaryText, Lockable, text_enum
from models.security.row_seal import Sealed, SealedRow


class UnknownOrganization(DomainError):
    """No organization has this dla_code."""

    def __init__(self, dla_code: str) -> None:
        super().__init__(f"there is no organization {dla_code}")


class Province(Lockable, Base):
    """A province (จังหวัด), identified by its two-digit code. Bangkok is absent: it has no such organizations."""

    COVERAGE: ClassVar[Coverage] = covered("code name_th name_en", "the last event that describes it")

    __tablename__ = "province"
    __grants__ = Grants(application="SELECT, UPDATE (row_lock)", operator="SELECT, INSERT, UPDATE")

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name_th: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))


class Organization(SealedRow, Lockable, Base):
    """A local administrative organization, identified by its dla_code (text, never a number)."""

    COVERAGE: ClassVar[Coverage] = covered(
        "dla_code type_th type_code name_th district_th province_code sort_key",
        "the last event that describes it",
        sealed="dla_code province_code",
    )

    __tablename__ = "organization"
    __grants__ = Grants(application="SELECT, UPDATE (row_lock)", operator="SELECT, INSERT, UPDATE")
    __table_args__ = (Index("ix_organization_listing", "province_code", "sort_key"),)

    dla_code: Mapped[str] = mapped_column(String(20), primary_key=True)
    type_th: Mapped[str] = mapped_column(String(60))
    type_code: Mapped[str] = mapped_column(String(40))
    name_th: Mapped[str] = mapped_column(String(200))
    district_th: Mapped[str] = mapped_column(String(100))
    province_code: Mapped[str] = mapped_column(ForeignKey("province.code"))
    sort_key: Mapped[str] = mapped_column(BinaryText)

    SEALS: ClassVar[tuple[Sealed, ...]] = (Sealed(("province_code",)),)

    province: Mapped[Province] = relationship(lazy="raise")

    @property
    def recorded_in(self) -> str | None:
        """Its own chain."""
        return self.dla_code

    @property
    def full_name(self) -> str:
        """Type and name, as the function `full_name` joins them."""
        return full_name(self.type_code, self.type_th, self.name_th)

    @property
    def short_name(self) -> str:
        """Abbreviated type and name, for buttons."""
        return short_name(self.type_code, self.type_th, self.name_th)


class EndKind(enum.StrEnum):
    """How an organization ended: closed without a successor, or continued as another organization."""

    CLOSED = "closed"
    UPGRADE = "upgrade"
    MOVE = "move"
    MERGER = "merger"


class OrganizationEnd(Base):
    """The end of one organization: who decided it, why, and the successor if there is one. Inserted once."""

    COVERAGE: ClassVar[Coverage] = covered(
        "id organization_code successor_code founds_successor kind effective_on by_name reason gazette ended_at",
        "its event, the last of the organization's chain",
    )

    __tablename__ = "organization_end"
    __grants__ = Grants(application="SELECT", operator="SELECT, INSERT")
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"), unique=True)
    successor_code: Mapped[str | None] = mapped_column(ForeignKey("organization.dla_code"), index=True)
    # Whether this end founded the successor. A founded organization does not count in rounds that closed before.
    founds_successor: Mapped[bool]
    kind: Mapped[EndKind] = mapped_column(text_enum(EndKind, checked=False))
    # The day that the decision names, in Bangkok. For information only: the rules use `ended_at`.
    effective_on: Mapped[date] = mapped_column(Date)
    by_name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    # Where the Royal Gazette (ราชกิจจานุเบกษา) published the decision.
    gazette: Mapped[str | None] = mapped_column(String(200))
    ended_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship(lazy="raise", foreign_keys=[organization_code])
    successor: Mapped[Organization | None] = relationship(lazy="raise", foreign_keys=[successor_code])


class OrganizationEnded(DomainError):
    """The organization has ended, so nothing of it can be changed or certified. `end` has both organizations and
    their provinces loaded.
    """

    def __init__(self, end: OrganizationEnd) -> None:
        super().__init__(f"{how_it_ended(end)}; nothing was done")
        self.end = end


def full_name(type_code: str, type_th: str, name_th: str) -> str:
    """Return type and name: `เทศบาลตำบลบางปู`. Within a province this is unique only together with the district.

    The one special administrative area goes by its name alone: `เมืองพัทยา`.
    """
    return name_th if type_code == "special_admin_area" else type_th + name_th


# Import files' type names, and the type_code of each.
TYPES = {
    "อบจ.": "provincial_admin_org",
    "อบต.": "subdistrict_admin_org",
    "เทศบาลตำบล": "subdistrict_municipality",
    "เทศบาลเมือง": "town_municipality",
    "เทศบาลนคร": "city_municipality",
    "ท้องถิ่นรูปแบบพิเศษ": "special_admin_area",
}
# Abbreviations for buttons; อบต. and อบจ. are short already.
_SHORT_TYPES = {"subdistrict_municipality": "ทต.", "town_municipality": "ทม.", "city_municipality": "ทน."}
# The types in Thai dictionary order of their short names; the special area sorts by its own name.
TYPES_IN_ORDER = (
    "subdistrict_municipality",
    "city_municipality",
    "town_municipality",
    "special_admin_area",
    "provincial_admin_org",
    "subdistrict_admin_org",
)


def short_name(type_code: str, type_th: str, name_th: str) -> str:
    """Return abbreviated type and name, for buttons: `ทต.บางปู`."""
    return full_name(type_code, _SHORT_TYPES.get(type_code, type_th), name_th)


def has_namesake(organization: Any) -> ColumnElement[bool]:
    """SQL condition: another organization of the same province has the same type and name, so that only the
    district distinguishes them. `organization` has the columns `dla_code`, `province_code`, `type_code` and
    `name_th`.
    """
    other = aliased(Organization)
    # COUNT and not EXISTS: for EXISTS, PostgreSQL hashes the organizations of the whole country.
    namesakes = (
        select(func.count())
        .where(
            other.province_code == organization.province_code,
            other.type_code == organization.type_code,
            other.name_th == organization.name_th,
            other.dla_code != organization.dla_code,
        )
        .scalar_subquery()
    )
    return namesakes > 0


def sort_key(type_th: str, name_th: str, district_th: str, dla_code: str) -> str:
    """Return the sort key of an organization: Thai dictionary order by name, type and district, then by code."""
    return "\x01".join((thai.sort_key(name_th), thai.sort_key(type_th), thai.sort_key(district_th), dla_code))


def description(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of an organization or a province: every column of its row but the code and a seal."""
    return {name: value for name, value in row.items() if name not in {"dla_code", "code", *SEAL_COLUMNS}}


def described(organization: Organization) -> dict[str, Any]:
    """The description of an organization that is loaded."""
    return description({column.key: getattr(organization, column.key) for column in Organization.core().columns})


def how_it_ended(end: OrganizationEnd) -> str:
    """Describe an end for the operator: `5110201 was closed on 2026-12-01 by …`, or `… goes on as 5110202, …`."""
    how = "was closed" if end.successor_code is None else f"goes on as {end.successor_code}, {end.kind},"
    return f"{end.organization_code} {how} on {end.effective_on} by {end.by_name}"


def has_ended(dla_code: SQLColumnExpression[str] | SQLColumnExpression[str | None]) -> ColumnElement[bool]:
    """SQL condition: the organization with this code has ended."""
    end = aliased(OrganizationEnd)
    return exists().where(end.organization_code == dla_code)


def has_predecessors(dla_code: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """SQL condition: the organization with this code is the successor of at least one other."""
    end = aliased(OrganizationEnd)
    return exists().where(end.successor_code == dla_code)


async def find_end(session: AsyncSession, dla_code: str) -> OrganizationEnd | None:
    """Return the end of an organization, with both organizations and their provinces loaded; None if it goes
    on or is unknown.
    """
    return (await ends_among(session, [dla_code])).get(dla_code)


async def ends_among(session: AsyncSession, codes: Iterable[str]) -> dict[str, OrganizationEnd]:
    """Return the ends of those of the organizations that have ended, keyed by dla_code.

    Both organizations of each end and their provinces are loaded.
    """
    ends = await session.scalars(_ends(), {"codes": list(codes)})
    return {end.organization_code: end for end in ends}


@cache
def _ends() -> Select[OrganizationEnd]:
    return (
        select(OrganizationEnd)
        .where(OrganizationEnd.organization_code.in_(bindparam("codes", expanding=True)))
        .options(
            joinedload(OrganizationEnd.organization).joinedload(Organization.province),
            joinedload(OrganizationEnd.successor).joinedload(Organization.province),
        )
    )


async def load_end(session: AsyncSession, end_id: int) -> OrganizationEnd:
    """Return one end by its id, with both organizations and their provinces loaded. Raises KeyError if unknown."""
    code = await session.scalar(select(OrganizationEnd.organization_code).where(OrganizationEnd.id == end_id))
    return (await ends_among(session, [code or ""]))[code or ""]


async def require_going_on(session: AsyncSession, dla_code: str) -> None:
    """Raise OrganizationEnded if the organization has ended."""
    if (end := await find_end(session, dla_code)) is not None:
        raise OrganizationEnded(end)


async def lock_organization(session: AsyncSession, dla_code: str) -> Organization:
    """Lock the organization's row (SELECT … FOR UPDATE) for the rest of the transaction, and return it.

    Every operation that certifies or changes a roster calls this first, so that they run one after the other. On
    SQLite, BEGIN IMMEDIATE serializes them already. Raises UnknownOrganization, OrganizationEnded.
    """
    organization = await session.scalar(
        select(Organization).where(Organization.dla_code == dla_code).with_for_update()
    )
    if organization is None:
        raise UnknownOrganization(dla_code)
    # Only after the lock is held: the organization may have ended while this transaction waited for it.
    await require_going_on(session, dla_code)
    return organization
