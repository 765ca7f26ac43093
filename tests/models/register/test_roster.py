"""What is counted of a register, its digest, and the positions of a category."""

import random
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from models.database.engine import Database
from models.register.roster import (
    POSITIONS_PER_PAGE,
    Category,
    Headcount,
    NoRoster,
    PersonnelRecord,
    Position,
    Record,
    Roster,
    list_positions,
    load_records,
    load_summary,
    summarize,
)
from tests.support import ORGANIZATIONS, put_roster

FIRST, SECOND, _, WITHOUT_ROSTER, _ = (code for code, *_ in ORGANIZATIONS)
PEOPLE = [
    Record("0001", "ก ข", Category.OFFICIAL, "ปลัด", "กลาง", "rr"),
    Record("0002", "ค ง", Category.CONTRACT_EMPLOYEE, "ครู", "", "r-"),
    Record("0003", "จ ฉ", Category.CONTRACT_EMPLOYEE, "ครู", "", "--"),
]


def roster(*menus: str) -> Roster:
    return Roster(
        organization_code=FIRST, file_name="a.csv", imported_at=datetime(2026, 11, 1), menu_names=list(menus)
    )


ROSTER = roster("ประวัติ", "การลา")


# --- the numbers --------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(Category)))
def test_a_headcount_counts_each_category(categories: list[Category]) -> None:
    found = Headcount.count(categories)
    assert [found.of(one) for one in Category] == [categories.count(one) for one in Category]
    assert found.total == len(categories)


def test_what_a_register_holds() -> None:
    found = summarize(ROSTER, PEOPLE)
    assert (found.file_name, found.imported_at) == ("a.csv", ROSTER.imported_at)
    assert found.headcount == Headcount(1, 0, 2)
    # Records, not menus.
    assert found.with_empty_menus == 2
    assert summarize(ROSTER, []).headcount == Headcount(0, 0, 0)


# --- the digest ---------------------------------------------------------------------------------------------


def test_the_digest_is_the_same_in_every_program() -> None:
    """It stands in certificates: made otherwise, every locked register would look changed."""
    assert summarize(ROSTER, PEOPLE).digest == "a1a5ae913519c863bd5281373a015cce31484ced16c31ee92f4c99496e4ccfa7"


def test_the_order_of_the_rows_does_not_matter() -> None:
    shuffled = random.Random(1).sample(PEOPLE, len(PEOPLE))
    assert shuffled != PEOPLE
    assert summarize(ROSTER, shuffled).digest == summarize(ROSTER, PEOPLE).digest


@pytest.mark.parametrize(
    "changed",
    [
        [PEOPLE[0]._replace(record_no="0009"), *PEOPLE[1:]],
        [PEOPLE[0]._replace(full_name="ก  ข"), *PEOPLE[1:]],
        [PEOPLE[0]._replace(category=Category.PERMANENT_EMPLOYEE), *PEOPLE[1:]],
        [PEOPLE[0]._replace(position="ปลัด "), *PEOPLE[1:]],
        [PEOPLE[0]._replace(level=""), *PEOPLE[1:]],
        [PEOPLE[0]._replace(menus="rn"), *PEOPLE[1:]],
        PEOPLE[1:],
        [*PEOPLE, PEOPLE[0]._replace(record_no="0004")],
        # What one cell has more the next has less.
        [PEOPLE[0]._replace(position="ปลัดก", level="ลาง"), *PEOPLE[1:]],
    ],
    ids=["number", "name", "category", "position", "level", "menus", "removed", "added", "moved"],
)
def test_any_letter_of_any_record_changes_it(changed: list[Record]) -> None:
    assert summarize(ROSTER, changed).digest != summarize(ROSTER, PEOPLE).digest


def test_another_menu_changes_it_and_another_file_name_does_not() -> None:
    assert summarize(roster("ประวัติ", "วันลา"), PEOPLE).digest != summarize(ROSTER, PEOPLE).digest
    assert summarize(roster("การลา", "ประวัติ"), PEOPLE).digest != summarize(ROSTER, PEOPLE).digest
    same = roster("ประวัติ", "การลา")
    same.file_name = "b.xlsx"
    assert summarize(same, PEOPLE).digest == summarize(ROSTER, PEOPLE).digest


async def test_both_databases_give_the_same_digest(country: Database, now: datetime) -> None:
    async with country.read() as session:
        before = await load_summary(session, FIRST)
        assert before.headcount == Headcount(12, 3, 5)
        assert len(await load_records(session, FIRST)) == 20
        assert before.digest == "0aa27837e00fa493a39d3d75fbf272dbf04bd8d6c2693d14ace2e13a2f685021"
        with pytest.raises(NoRoster):
            await load_summary(session, WITHOUT_ROSTER)
        assert await load_records(session, WITHOUT_ROSTER) == []
    async with country.write() as session:
        one = update(PersonnelRecord).where(PersonnelRecord.organization_code == SECOND)
        await session.execute(one.where(PersonnelRecord.record_no == "0001").values(full_name="คน อื่น"))
        # Of another organization.
        assert await load_summary(session, FIRST) == before


# --- the positions ------------------------------------------------------------------------------------------


async def test_positions_are_counted_and_come_in_thai_order(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await put_roster(session, FIRST, (5, 1, 0), now)
        for number, (position, level) in enumerate(
            [("เสมียน", "ต้น"), ("ครู", "สูง"), ("ครู", "กลาง"), ("ครู", "สูง"), ("ปลัด", "กลาง")], 1
        ):
            one = update(PersonnelRecord).where(PersonnelRecord.organization_code == FIRST)
            await session.execute(
                one.where(PersonnelRecord.record_no == f"{number:04}").values(position=position, level=level)
            )
        found = await list_positions(session, FIRST, Category.OFFICIAL, 0)
    # Leading vowels after the consonant: เสมียน under ส.
    assert found.rows == [
        Position("ครู", "กลาง", 1),
        Position("ครู", "สูง", 2),
        Position("ปลัด", "กลาง", 1),
        Position("เสมียน", "ต้น", 1),
    ]
    assert (found.page, found.pages) == (0, 1)


async def test_positions_that_look_alike_are_counted_together(country: Database, now: datetime) -> None:
    """As an older version has stored them, each in the letters in which it was typed."""
    async with country.write() as session:
        await put_roster(session, FIRST, (5, 0, 0), now)
        for number, position in enumerate(["เเม่บ้านประจํา", "แม่บ้านประจำ", "แม่บา้นประจำ", "แม่่บ้านประจำ", "ยาม"], 1):
            one = update(PersonnelRecord).where(PersonnelRecord.organization_code == FIRST)
            await session.execute(one.where(PersonnelRecord.record_no == f"{number:04}").values(position=position))
        found = await list_positions(session, FIRST, Category.OFFICIAL, 0)
    assert found.rows == [Position("แม่บ้านประจำ", "ปฏิบัติการ", 4), Position("ยาม", "ปฏิบัติการ", 1)]
    assert (found.page, found.pages) == (0, 1)


async def test_a_page_that_is_not_there_is_the_nearest(country: Database) -> None:
    """Eleven positions in the country's registers; none of a category that nobody is in."""
    async with country.read() as session:
        pages = [await list_positions(session, FIRST, Category.OFFICIAL, page) for page in (-1, 0, 1, 999)]
        assert [(one.page, one.pages, len(one.rows)) for one in pages] == [
            (0, 2, POSITIONS_PER_PAGE),
            (0, 2, POSITIONS_PER_PAGE),
            (1, 2, 3),
            (1, 2, 3),
        ]
        assert sum(row.count for one in pages[1:3] for row in one.rows) == 12
        nobody = await list_positions(session, WITHOUT_ROSTER, Category.OFFICIAL, 3)
        assert (nobody.rows, nobody.page, nobody.pages) == ([], 0, 1)
