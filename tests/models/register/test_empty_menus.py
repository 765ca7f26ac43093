"""Records whose menus are not filled in: by menu, by page, and for those alone who may see the register."""

from datetime import datetime

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import NotYours
from models.accounts.account import Officer
from models.database.engine import Database
from models.register.empty_menus import (
    MENUS_PER_PAGE,
    RECORDS_PER_PAGE,
    EmptyMenu,
    EmptyRecord,
    list_empty_menus,
    list_empty_records,
)
from models.register.roster import NoRoster, PersonnelRecord, Roster
from tests.support import ORGANIZATIONS, link, put_roster

FIRST, SECOND, _, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)


async def lao(session: AsyncSession, now: datetime, code: str = FIRST) -> Officer:
    return await link(session, f"lao{code}", int(code), now)


async def fill(session: AsyncSession, menus: dict[str, str], names: list[str], now: datetime) -> None:
    """A register with these menus, by record number."""
    await put_roster(session, FIRST, (len(menus), 0, 0), now)
    await session.execute(update(Roster).where(Roster.organization_code == FIRST).values(menu_names=names))
    of_first = update(PersonnelRecord).where(PersonnelRecord.organization_code == FIRST)
    for number, letters in menus.items():
        await session.execute(of_first.where(PersonnelRecord.record_no == number).values(menus=letters))


async def test_menus_are_listed_that_are_empty_somewhere_in_the_registers_order(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        names = ["ประวัติ", "การศึกษา", "เครื่องราชฯ", "วันลา"]
        await fill(session, {"0001": "r--n", "0002": "rnr-", "0003": "rn-r", "0004": "rnnr"}, names, now)
        found = await list_empty_menus(session, await lao(session, now), FIRST, 0)
        assert found.rows == [EmptyMenu(1, "การศึกษา", 1), EmptyMenu(2, "เครื่องราชฯ", 2), EmptyMenu(3, "วันลา", 1)]
        assert (found.organization.dla_code, found.page, found.pages) == (FIRST, 0, 1)
        # Confirmed as nothing is not empty.
        await fill(session, {"0001": "rnrn"}, names, now)
        assert (await list_empty_menus(session, await lao(session, now), FIRST, 0)).rows == []


async def test_records_are_listed_in_which_a_menu_is_empty(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await fill(session, {"0001": "--r", "0002": "r-r", "0003": "-rr"}, ["ก", "ข", "ค"], now)
        officer = await lao(session, now)

        async def numbers(place: int) -> tuple[str, list[str]]:
            found = await list_empty_records(session, officer, FIRST, place, 0)
            assert found.total == len(found.rows)
            return found.menu, [row.record_no for row in found.rows]

        assert [await numbers(place) for place in range(3)] == [
            ("ก", ["0001", "0003"]),
            ("ข", ["0001", "0002"]),
            ("ค", []),
        ]
        # A place that the register does not have, from an old card or a forger.
        assert [await numbers(place) for place in (3, 999_999_999)] == [("", []), ("", [])]
        first = (await list_empty_records(session, officer, FIRST, 0, 0)).rows[0]
        assert first == EmptyRecord("0001", "บุคคล ทดสอบ1", "ตำแหน่ง 1")


async def test_long_lists_come_in_pages_and_a_page_that_is_not_there_is_the_nearest(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        menus, records = MENUS_PER_PAGE + 1, RECORDS_PER_PAGE + 1
        rows = {f"{number:04}": "-" * menus for number in range(1, records + 1)}
        await fill(session, rows, [f"เมนู {place}" for place in range(menus)], now)
        officer = await lao(session, now)
        for page, there, places in ((-1, 0, range(8)), (0, 0, range(8)), (1, 1, [8]), (999, 1, [8])):
            found = await list_empty_menus(session, officer, FIRST, page)
            assert (found.page, found.pages, [row.place for row in found.rows]) == (there, 2, list(places))
        for page, there, count in ((0, 0, RECORDS_PER_PAGE), (1, 1, 1), (2, 1, 1)):
            listed = await list_empty_records(session, officer, FIRST, 0, page)
            assert (listed.page, listed.pages, len(listed.rows), listed.total) == (there, 2, count, records)
        assert listed.rows[0].record_no == f"{records:04}"


async def test_who_may_not_see_the_organization_sees_none_of_it(country: Database, now: datetime) -> None:
    async with country.write() as session:
        province, abroad = await link(session, "province11", 601, now), await link(session, "province12", 602, now)
        assert (await list_empty_menus(session, province, FIRST, 0)).rows == [EmptyMenu(2, "เครื่องราชฯ", 1)]
        assert (await list_empty_records(session, province, FIRST, 2, 0)).total == 1
        for officer, code in (
            (await lao(session, now), SECOND),
            (await lao(session, now), "9999999"),
            (abroad, FIRST),
            (province, ELSEWHERE),
        ):
            with pytest.raises(NotYours):
                await list_empty_menus(session, officer, code, 0)
            with pytest.raises(NotYours):
                await list_empty_records(session, officer, code, 0, 0)


async def test_a_register_that_was_never_imported_is_none(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await lao(session, now, WITHOUT_ROSTER)
        with pytest.raises(NoRoster):
            await list_empty_menus(session, officer, WITHOUT_ROSTER, 0)
        with pytest.raises(NoRoster):
            await list_empty_records(session, officer, WITHOUT_ROSTER, 0, 0)
