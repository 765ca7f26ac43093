"""What a file of personnel changes in each register: counted as the chat shows it of one."""

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models.database.engine import Database
from models.imports import import_personnel
from models.imports.register_changes import RegisterChange, RosterOrigin, load_origins
from models.register.difference import ChangeKind, Totals, aligned, compare
from models.register.draft import SentRoster
from models.register.roster import Category, Headcount, PersonnelRecord, Record, Roster, load_records
from tests.models.imports.files import (
    COLUMNS,
    ELSEWHERE,
    FIRST,
    MENUS,
    SECOND,
    THIRD,
    WITHOUT_ROSTER,
    people,
    person,
    write,
)


async def test_what_is_added_removed_and_changed_is_said_before_it_is_written(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    rows = people(18)
    rows[0][3], rows[1][4] = "ลูกจ้างประจำ", "ปลัด"
    rows += [person(21, FIRST, "contract_employee"), person(1, WITHOUT_ROSTER)]
    path = write(tmp_path / "a.csv", [[*COLUMNS, *MENUS], *rows])
    told: list[tuple[str, ...]] = []

    def announce(changes: object) -> None:
        assert changes == tried.changes
        told.append(("announced",))

    tried = await import_personnel(country, path, now, dry_run=True)
    await import_personnel(country, path, now, announce=announce, progress=lambda step, *_: told.append((step,)))
    assert told.index(("announced",)) < told.index(("writing",))
    register, first = tried.changes
    assert (register.organization, register.name, register.is_first) == (FIRST, "เทศบาลตำบลบางปู", False)
    assert (first.organization, first.is_first) == (WITHOUT_ROSTER, True)
    totals = register.totals
    assert (totals.before, totals.after) == (Headcount(12, 3, 5), Headcount(11, 4, 4))
    assert dict(totals.counts) == {
        (ChangeKind.CHANGED, Category.PERMANENT_EMPLOYEE): 1,
        (ChangeKind.CHANGED, Category.OFFICIAL): 1,
        (ChangeKind.ADDED, Category.CONTRACT_EMPLOYEE): 1,
        (ChangeKind.REMOVED, Category.CONTRACT_EMPLOYEE): 2,
    }
    assert (totals.new_menus, totals.gone_menus) == ((), ())
    assert first.totals.count(ChangeKind.ADDED, Category.OFFICIAL) == 1
    again = await import_personnel(country, path, now, dry_run=True)
    assert all(change.totals.is_nothing for change in again.changes)


@pytest.mark.parametrize("same_menus", [True, False])
async def test_an_import_counts_what_the_chat_shows_of_one_register(
    country: Database, tmp_path: Path, now: datetime, same_menus: bool
) -> None:
    """Random registers, with menus that are the file's, in another order, or partly others."""
    rng = random.Random(17)
    lists = [MENUS] if same_menus else [MENUS, MENUS[::-1], ["วันลา", *MENUS[:2]], ["ไม่มีในไฟล์"]]
    codes = [FIRST, SECOND, THIRD, ELSEWHERE, WITHOUT_ROSTER]
    for code, menus in zip(codes[:4], lists * 4, strict=False):
        async with country.write() as session:
            roster = await session.get_one(Roster, code)
            roster.menu_names = menus
            for record in await session.scalars(select(PersonnelRecord).filter_by(organization_code=code)):
                record.menus = "".join(rng.choices("rn-", k=len(menus)))
    sent = {code: [random_record(rng, number) for number in rng.sample(range(1, 30), 20)] for code in codes}
    words = {"r": "มี", "n": "ไม่มี", "-": ""}
    rows = [
        [code, *record[:-1], *(words[letter] for letter in record.menus)]
        for code, records in sent.items()
        for record in records
    ]
    rng.shuffle(rows)
    path = write(tmp_path / "a.csv", [[*COLUMNS, *MENUS], *rows])
    changes = (await import_personnel(country, path, now, dry_run=True)).changes
    assert [change.organization for change in changes] == sorted(codes)
    for change in changes:
        code = change.organization
        async with country.read() as session:
            before = await load_records(session, code)
            roster = await session.get(Roster, code)
        menus = roster.menu_names if roster else []
        file = aligned(SentRoster("a.csv", tuple(MENUS), tuple(sent[code])), menus)
        shown = compare(menus, before, file)
        counted = Totals(shown.before, shown.after, shown.new_menus, shown.gone_menus, shown.counts)
        assert change.totals == replace(
            counted, new_menus=tuple(name for name in MENUS if name in counted.new_menus)
        )


def random_record(rng: random.Random, number: int) -> Record:
    """Like the record of that number in the country, or not."""
    texts = f"บุคคล ทดสอบ{number}", rng.choice(list(Category)), f"ตำแหน่ง {number % 11}", "ปฏิบัติการ"
    return Record(f"{number:04}", *texts, "".join(rng.choices("rn-", k=3)))


# --- registers that shrink ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "shrinks"),
    [
        (20, 14, False),
        (20, 13, True),
        (20, 20, False),
        (20, 40, False),
        (0, 5, False),
        (1, 0, True),
        (10, 7, False),
    ],
)
def test_a_register_shrinks_that_loses_more_than_thirty_percent(before: int, after: int, shrinks: bool) -> None:
    totals = Totals(Headcount(before, 0, 0), Headcount(0, after, 0), (), (), Counter())
    assert RegisterChange(FIRST, "เทศบาลตำบลบางปู", False, totals).shrinks is shrinks


async def test_where_a_register_comes_from(country: Database, now: datetime) -> None:
    async with country.read() as session:
        found = await load_origins(session, [FIRST, WITHOUT_ROSTER])
    assert found == {FIRST: RosterOrigin("ทะเบียน.csv", now - timedelta(days=1), tuple(MENUS))}
