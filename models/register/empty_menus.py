"""Records with empty menus, listed by menu: an officer has neither recorded the menu nor confirmed it as
nothing.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import find_organization
from models.accounts.account import Officer
from models.organizations.organization import Organization
from models.register.roster import MenuState, NoRoster, PersonnelRecord, Roster

MENUS_PER_PAGE = 8
RECORDS_PER_PAGE = 10


@dataclass(frozen=True)
class EmptyMenu:
    """A menu that is empty in `count` records. `place` is its index among the register's menus, from 0."""

    place: int
    name: str
    count: int


@dataclass(frozen=True)
class EmptyMenuPage:
    """One page of a register's empty menus, in the register's order; `page` counts from 0."""

    organization: Organization
    rows: list[EmptyMenu]
    page: int
    pages: int


@dataclass(frozen=True)
class EmptyRecord:
    """A record in which a menu is empty."""

    record_no: str
    full_name: str
    position: str


@dataclass(frozen=True)
class EmptyRecordPage:
    """One page of the records in which a menu is empty, by record number; `page` counts from 0."""

    organization: Organization
    menu: str
    rows: list[EmptyRecord]
    page: int
    pages: int
    total: int


async def list_empty_menus(session: AsyncSession, officer: Officer, dla_code: str, page: int) -> EmptyMenuPage:
    """Return one page of the menus that are empty in at least one record. `page` counts from 0, and is clamped.

    Raises NotYours if the officer may not see the organization, NoRoster.
    """
    organization, names = await _menu_names(session, officer, dla_code)
    counts = [0] * len(names)
    for menus in await session.scalars(
        select(PersonnelRecord.menus).where(
            PersonnelRecord.organization_code == dla_code, PersonnelRecord.menus.contains(MenuState.EMPTY)
        )
    ):
        for place, state in enumerate(menus):
            counts[place] += state == MenuState.EMPTY
    empty_menus = [EmptyMenu(place, names[place], count) for place, count in enumerate(counts) if count]
    page, pages, start = _page(page, len(empty_menus), MENUS_PER_PAGE)
    return EmptyMenuPage(organization, empty_menus[start : start + MENUS_PER_PAGE], page, pages)


async def list_empty_records(
    session: AsyncSession, officer: Officer, dla_code: str, place: int, page: int
) -> EmptyRecordPage:
    """Return one page of the records whose menu at index `place` is empty. `page` counts from 0, and is clamped.

    Empty for an index beyond the register's menus. Raises NotYours if the officer may not see the organization,
    NoRoster.
    """
    organization, names = await _menu_names(session, officer, dla_code)
    rows = await session.execute(
        select(PersonnelRecord.record_no, PersonnelRecord.full_name, PersonnelRecord.position).where(
            PersonnelRecord.organization_code == dla_code,
            # SQL's SUBSTR counts from 1.
            func.substr(PersonnelRecord.menus, min(place, len(names)) + 1, 1) == MenuState.EMPTY,
        )
    )
    # Sorted in Python, so that the order is the same on both databases.
    empty_records = sorted((EmptyRecord(*row) for row in rows), key=lambda record: record.record_no)
    page, pages, start = _page(page, len(empty_records), RECORDS_PER_PAGE)
    menu = names[place] if place < len(names) else ""
    return EmptyRecordPage(
        organization, menu, empty_records[start : start + RECORDS_PER_PAGE], page, pages, total=len(empty_records)
    )


async def _menu_names(session: AsyncSession, officer: Officer, dla_code: str) -> tuple[Organization, list[str]]:
    organization = await find_organization(session, officer, dla_code)
    names = await session.scalar(select(Roster.menu_names).where(Roster.organization_code == dla_code))
    if names is None:
        raise NoRoster(dla_code)
    return organization, names


def _page(page: int, total: int, size: int) -> tuple[int, int, int]:
    """Return the page clamped to those that exist, the number of pages, and the index of the page's first row."""
    pages = max(1, -(-total // size))
    page = min(max(page, 0), pages - 1)
    return page, pages, page * size
