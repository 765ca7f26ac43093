"""A file that differs from a register only in its spelling changes nothing in it."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from models.database.engine import Database
from models.imports import import_personnel
from models.imports.sent_file import check_file
from models.imports.sent_roster import propose
from models.register.difference import ChangeKind
from models.register.roster import Category, PersonnelRecord, Record, Roster, load_records, load_summary
from tests.models.imports.files import COLUMNS, FIRST, MENUS, SECOND, people, write
from tests.support import link

# Of the country's first records, as an older version has stored them, beside what a file says.
OLD = {
    "0001": {"full_name": "บุคคล สําราญ", "position": "เเม่บ้านประจํา", "level": "ปฏิบัตกิาร"},
    "0002": {"full_name": "บุคคล ที่ี่สอง", "position": "พนักงานนํ้าประปา"},
    "0003": {"record_no": "ก-ลํา-3"},
}
NEW = {
    "0001": {"full_name": "บุคคล สำราญ", "position": "แม่บ้านประจำ", "level": "ปฏิบัตกิาร"},
    "0002": {"full_name": "บุคคล ที่สอง", "position": "พนักงานน้ำประปา"},
    "0003": {"record_no": "ก-ลำ-3"},
}
OLD_MENUS = ["ประวัติ", "การศึกษา", "คําสั่ง"]
COLUMN = {name: place for place, name in enumerate(COLUMNS)}


async def respell(database: Database, organization: str = FIRST) -> None:
    """Store records and menus of an organization of the country as an older version did."""
    async with database.write() as session:
        theirs = update(PersonnelRecord).where(PersonnelRecord.organization_code == organization)
        for number, texts in OLD.items():
            await session.execute(theirs.where(PersonnelRecord.record_no == number).values(texts))
        await session.execute(
            update(Roster).where(Roster.organization_code == organization).values(menu_names=OLD_MENUS)
        )


def spelled_rows(organization: str = FIRST) -> list[list[str]]:
    """The register of the country in a file of today."""
    rows = people(20, organization)
    rows[-1][-3:] = "มี", "ไม่มี", ""
    for row in rows:
        for column, text in NEW.get(row[1], {}).items():
            row[COLUMN[column]] = text
    return rows


def file_of(path: Path, *rows: list[list[str]]) -> Path:
    return write(path, [[*COLUMNS, *MENUS[:2], "คำสั่ง"], *(row for of_one in rows for row in of_one)])


async def digest(database: Database, organization: str = FIRST) -> str:
    async with database.read() as session:
        return (await load_summary(session, organization)).digest


async def old_records(database: Database) -> list[Record]:
    async with database.read() as session:
        return sorted(await load_records(session, FIRST))


@pytest.mark.parametrize("with_another", [False, True])
async def test_an_import_in_another_spelling_changes_nothing(
    country: Database, tmp_path: Path, now: datetime, with_another: bool
) -> None:
    """Also where the file names registers with other menus."""
    await respell(country)
    before = await digest(country)
    path = file_of(tmp_path / "a.csv", spelled_rows(), people(20, SECOND) if with_another else [])
    done = await import_personnel(country, path, now)
    change, *others = done.changes
    assert (change.organization, change.totals.is_nothing) == (FIRST, True)
    assert done.unchanged == 1
    assert await digest(country) == before
    assert [other.totals.is_nothing for other in others] == [False] * with_another
    async with country.read() as session:
        roster = await session.get_one(Roster, FIRST)
        assert (roster.imported_at, roster.menu_names) == (now, OLD_MENUS)


async def test_what_really_changes_is_written_and_the_rest_stays(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await respell(country)
    before = await old_records(country)
    rows = spelled_rows()
    rows[0][COLUMN["position"]] = "แม่บ้าน"
    rows[2][COLUMN["full_name"]] = "บุคคล ใหม่"
    done = await import_personnel(country, file_of(tmp_path / "a.csv", rows), now)
    assert dict(done.changes[0].totals.counts) == {(ChangeKind.CHANGED, Category.OFFICIAL): 2}
    after = await old_records(country)
    assert after[0] == before[0]._replace(position="แม่บ้าน")
    changed = next(record for record in before if record.record_no == "ก-ลํา-3")
    assert changed._replace(full_name="บุคคล ใหม่") in after
    assert sum(one in before for one in after) == 18


async def test_of_two_numbers_that_look_alike_each_is_its_own(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await respell(country)
    async with country.write() as session:
        theirs = update(PersonnelRecord).where(PersonnelRecord.organization_code == FIRST)
        await session.execute(theirs.where(PersonnelRecord.record_no == "0004").values(record_no="ก-ลำ-3"))
    rows = [row for row in spelled_rows() if row[1] not in ("ก-ลำ-3", "0004")]
    rows.append([*people(4)[3][:1], "ก-ลำ-3", *people(4)[3][2:]])
    done = await import_personnel(country, file_of(tmp_path / "a.csv", rows), now)
    totals = done.changes[0].totals
    assert [totals.count(kind) for kind in ChangeKind] == [0, 1, 0]
    assert {record.record_no for record in await old_records(country)} & {"ก-ลำ-3", "ก-ลํา-3"} == {"ก-ลำ-3"}


async def test_a_file_in_an_old_spelling_is_the_register_in_the_new_one(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    """Headers, categories and menus too, and what nobody sees."""
    odd = [
        [{"position": "ตําเเหน่ง", "record_no": "เลขท่ีทะเบียน"}.get(name, name) for name in COLUMNS],
        *([*row] for row in people(20)),
    ]
    odd[0] += ["ประวตัิ".replace("ตัิ", "ัติ"), "การ\u200bศึกษา", "เครือ่งราชฯ".replace("อ่", "่อ")]
    odd[20][-3:] = "มี", "ไมม่ี".replace("มม่", "ม่ม"), "\u200b"
    for row in odd[13:16]:
        row[3] = "ลูกจา้งประจํา"
    odd[5][2] = "บุคคล\u00a0ทดส\u00adอบ5"
    before = await digest(country)
    done = await import_personnel(country, write(tmp_path / "a.csv", odd), now)
    assert done.unchanged == 1
    assert await digest(country) == before


async def test_a_file_from_the_chat_in_another_spelling_is_not_offered_for_saving(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await respell(country)
    path = file_of(tmp_path / "a.csv", spelled_rows())
    sent = check_file(path.name, path.read_bytes(), FIRST)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 7, now)
        found = await propose(session, officer, sent, now)
        assert (found.difference.is_nothing, found.draft) == (True, None)
        fewer = replace(sent, records=sent.records[1:])
        found = await propose(session, officer, fewer, now + timedelta(minutes=1))
        assert [(change.kind, change.record.record_no) for change in found.difference.changes] == [
            (ChangeKind.REMOVED, "0001")
        ]
        assert found.sent.menu_names == tuple(OLD_MENUS)
