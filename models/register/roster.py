"""The ก.พ.๗ register of one organization: its personnel records, their menus, and what is counted from them."""

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import JSON, ForeignKey, Select, String, UniqueConstraint, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base import thai
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.spelling import spelled
from models.base.tables import Base, BigKey, text_enum

POSITIONS_PER_PAGE = 8
# One shared encoder: json.dumps creates an encoder at each call.
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class Category(enum.StrEnum):
    """The three categories of personnel that the procedure counts (province level, step 5)."""

    OFFICIAL = "official"
    PERMANENT_EMPLOYEE = "permanent_employee"
    CONTRACT_EMPLOYEE = "contract_employee"


class MenuState(enum.StrEnum):
    """The state of one menu of a record: recorded, confirmed as having nothing to record, or not filled in."""

    RECORDED = "r"
    NONE = "n"
    EMPTY = "-"


class NoRoster(DomainError):
    """No roster was imported for the organization."""


class Roster(Base):
    """An organization's register, and the import that it comes from. Its rows are PersonnelRecords."""

    COVERAGE: ClassVar[Coverage] = covered(
        "organization_code file_name imported_at menu_names",
        "the certificate, while the register is locked by one",
    )

    __tablename__ = "roster"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT, INSERT, UPDATE")

    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"), primary_key=True)
    file_name: Mapped[str] = mapped_column(String(255))
    imported_at: Mapped[datetime]
    # The names of the menus, in the order of the letters in PersonnelRecord.menus.
    menu_names: Mapped[list[str]] = mapped_column(JSON)


class PersonnelRecord(Base):
    """One person in a register."""

    COVERAGE: ClassVar[Coverage] = covered(
        "organization_code record_no full_name category position level menus",
        "the digest on the certificate, while the register is locked by one or for ever",
        uncovered={"id": "nothing refers to it"},
    )

    __tablename__ = "personnel_record"
    __grants__ = Grants(application="SELECT, INSERT, DELETE", operator="SELECT, INSERT, DELETE")
    __table_args__ = (UniqueConstraint("organization_code", "record_no"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("roster.organization_code"))
    record_no: Mapped[str] = mapped_column(String(40))
    full_name: Mapped[str] = mapped_column(String(200))
    category: Mapped[Category] = mapped_column(text_enum(Category))
    position: Mapped[str] = mapped_column(String(200))
    level: Mapped[str] = mapped_column(String(100))
    # One MenuState letter for each menu: 478,000 records of 20 menus stay small, and LIKE finds empty menus.
    menus: Mapped[str] = mapped_column(String(200))


class Record(NamedTuple):
    """A personnel record without its database identity. `menus` has one MenuState letter for each menu."""

    record_no: str
    full_name: str
    category: Category
    position: str
    level: str
    menus: str


@dataclass(frozen=True)
class Headcount:
    """How many people a register has, by category."""

    officials: int
    permanent_employees: int
    contract_employees: int

    @classmethod
    def count(cls, categories: Iterable[Category]) -> "Headcount":
        """Count people, given the category of each."""
        counts = Counter(categories)
        return cls(*(counts[category] for category in Category))

    @property
    def total(self) -> int:
        """The sum of the three categories."""
        return self.officials + self.permanent_employees + self.contract_employees

    def of(self, category: Category) -> int:
        """The number of one category."""
        return {
            Category.OFFICIAL: self.officials,
            Category.PERMANENT_EMPLOYEE: self.permanent_employees,
            Category.CONTRACT_EMPLOYEE: self.contract_employees,
        }[category]


@dataclass(frozen=True)
class RosterSummary:
    """A register's headcount, number of records with empty menus, and digest (see `summarize`)."""

    file_name: str
    imported_at: datetime
    headcount: Headcount
    with_empty_menus: int
    digest: str


@dataclass(frozen=True)
class Position:
    """How many people of a category hold a position at a level."""

    position: str
    level: str
    count: int


@dataclass(frozen=True)
class PositionPage:
    """One page of a category's positions; `page` counts from 0."""

    rows: list[Position]
    page: int
    pages: int


def summarize(roster: Roster, records: Iterable[tuple[str, str, Category, str, str, str]]) -> RosterSummary:
    """Count and digest a register's records, each a tuple with the fields of Record in that order.

    The digest is the hexadecimal SHA-256 of the menu names and the records as JSON, sorted by record_no, so that
    it is the same on both databases. Any changed character changes it.
    """
    counts: Counter[str] = Counter()
    with_empty_menus = 0
    digest = hashlib.sha256(_to_json(roster.menu_names).encode())
    for record in sorted(tuple(record) for record in records):
        counts[record[2]] += 1
        with_empty_menus += MenuState.EMPTY in record[5]
        digest.update(_to_json(record).encode())
    headcount = Headcount(*(counts[category] for category in Category))
    return RosterSummary(roster.file_name, roster.imported_at, headcount, with_empty_menus, digest.hexdigest())


async def load_summary(session: AsyncSession, dla_code: str) -> RosterSummary:
    """Summarize an organization's register as it is now. Raises NoRoster."""
    roster = await session.get(Roster, dla_code, populate_existing=True)
    if roster is None:
        raise NoRoster(dla_code)
    return summarize(roster, await load_records(session, dla_code))


async def register_digest(session: AsyncSession, dla_code: str) -> str:
    """Return the digest of an organization's register as it is now; "" if it has no register.

    Certificates and ends of organizations store this value.
    """
    try:
        return (await load_summary(session, dla_code)).digest
    except NoRoster:
        return ""


async def register_origin(session: AsyncSession, dla_code: str) -> list[str] | None:
    """From which file a register is and when it was imported (UTC), as the end of its organization notes it; None
    where there is none.
    """
    row = (
        await session.execute(
            select(Roster.file_name, Roster.imported_at).where(Roster.organization_code == dla_code)
        )
    ).first()
    return None if row is None else [row.file_name, row.imported_at.astimezone(UTC).isoformat()]


async def load_records(session: AsyncSession, dla_code: str) -> list[Record]:
    """Return all records of an organization's register, in no particular order."""
    return [Record(*row) for row in await session.execute(_records(), {"of_organization": dla_code})]


@cache
def _records() -> Select[*tuple[Any, ...]]:
    record = PersonnelRecord
    return select(
        record.record_no, record.full_name, record.category, record.position, record.level, record.menus
    ).where(record.organization_code == bindparam("of_organization"))


async def list_positions(session: AsyncSession, dla_code: str, category: Category, page: int) -> PositionPage:
    """Return one page of a category's positions, by position and level. `page` counts from 0, and is clamped.

    Positions that look alike are merged: an older version stored several spellings of one text.
    """
    grouped = (
        select(PersonnelRecord.position, PersonnelRecord.level, func.count().label("count"))
        .where(PersonnelRecord.organization_code == dla_code, PersonnelRecord.category == category)
        .group_by(PersonnelRecord.position, PersonnelRecord.level)
    )
    counts: Counter[tuple[str, str]] = Counter()
    for position, level, count in await session.execute(grouped):
        counts[spelled(position), spelled(level)] += count
    rows = [Position(*names, count) for names, count in counts.items()]
    rows.sort(key=lambda row: (thai.sort_key(row.position), thai.sort_key(row.level)))
    pages = max(1, -(-len(rows) // POSITIONS_PER_PAGE))
    page = min(max(page, 0), pages - 1)
    start = page * POSITIONS_PER_PAGE
    return PositionPage(rows[start : start + POSITIONS_PER_PAGE], page, pages)
