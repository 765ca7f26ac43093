"""Provinces and their local administrative organizations (LAO, อปท.)."""

from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from models.base.errors import DomainError
from models.base.tables import Base, BinaryText


class UnknownOrganization(DomainError):
    """No organization has this dla_code."""

    def __init__(self, dla_code: str) -> None:
        super().__init__(f"there is no organization {dla_code}")


class Province(Base):
    """A province (จังหวัด), by its two-digit code; Bangkok has no organizations and is absent."""

    __tablename__ = "province"

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name_th: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))


class Organization(Base):
    """A local administrative organization, by its dla_code (text, never a number)."""

    __tablename__ = "organization"
    __table_args__ = (Index("ix_organization_listing", "province_code", "sort_key"),)

    dla_code: Mapped[str] = mapped_column(String(20), primary_key=True)
    type_th: Mapped[str] = mapped_column(String(60))
    type_code: Mapped[str] = mapped_column(String(40))
    name_th: Mapped[str] = mapped_column(String(200))
    district_th: Mapped[str] = mapped_column(String(100))
    province_code: Mapped[str] = mapped_column(ForeignKey("province.code"))
    sort_key: Mapped[str] = mapped_column(BinaryText)

    province: Mapped[Province] = relationship(lazy="raise")

    @property
    def full_name(self) -> str:
        """Type and name, as full_name composes them."""
        return full_name(self.type_code, self.type_th, self.name_th)


def full_name(type_code: str, type_th: str, name_th: str) -> str:
    """Type and name: `เทศบาลตำบลบางปู`. Not unique within a province; the district makes it so.

    The one special area is called by its name alone: `เมืองพัทยา`.
    """
    return name_th if type_code == "special_admin_area" else type_th + name_th


# As buttons write the types; อบต. and อบจ. are short already.
_SHORT_TYPES = {"subdistrict_municipality": "ทต.", "town_municipality": "ทม.", "city_municipality": "ทน."}
# The types by their short names in Thai dictionary order; the special area stands among them by its own name.
TYPES_IN_ORDER = (
    "subdistrict_municipality",
    "city_municipality",
    "town_municipality",
    "special_admin_area",
    "provincial_admin_org",
    "subdistrict_admin_org",
)


def short_name(type_code: str, type_th: str, name_th: str) -> str:
    """Type and name as a button has room for them: `ทต.บางปู`."""
    return full_name(type_code, _SHORT_TYPES.get(type_code, type_th), name_th)


def has_namesake(organization: Any) -> ColumnElement[bool]:
    """Whether another organization of its province has the type and name of this one, so that only the district
    tells them apart. `organization` has the columns `dla_code`, `province_code`, `type_code` and `name_th`.
    """
    other = aliased(Organization)
    # Counted, not EXISTS: PostgreSQL hashed the organizations of the whole country for that.
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


async def lock_organization(session: AsyncSession, dla_code: str) -> Organization:
    """Take the organization's row for the rest of the transaction: the first step of all that certifies or
    changes a roster, so that these follow one another. SQLite's BEGIN IMMEDIATE has that effect already.

    Raises UnknownOrganization.
    """
    organization = await session.scalar(
        select(Organization).where(Organization.dla_code == dla_code).with_for_update()
    )
    if organization is None:
        raise UnknownOrganization(dla_code)
    return organization
