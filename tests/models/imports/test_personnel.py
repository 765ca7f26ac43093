"""Import of personnel: whole rosters, the lock, national ID numbers, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models.certification.certificate import Certification, Level
from models.certification.review import RosterChanged
from models.database.engine import Database
from models.imports import ImportRefused, LeftOut, PersonnelResult, import_personnel
from models.register.roster import Category, Headcount, PersonnelRecord, Roster, RosterSummary, load_summary
from models.rounds.round import close_round, open_round
from models.succession.closing import close
from tests.models.imports.files import COLUMNS, FIRST, MENUS, SECOND, THIRD, WITHOUT_ROSTER, people, write
from tests.models.succession.decisions import BY, decided
from tests.support import certify_as, put_roster

THAI = ["รหัส อปท.", "เลขที่ทะเบียน", "ชื่อ-สกุล", "ประเภทบุคลากร", "ตำแหน่ง", "ระดับ"]
# Right check digits, made up.
IDS = ["1234567890121", "3-1005-00000-01-1", "๑๒๓๔๕๖๗๘๙๐๑๒๑"]


def row(number: str, organization: str = FIRST, category: str = "official", *menus: str, **more: str) -> list[str]:
    values = {"full_name": f"บุคคล {number}", "position": "นักวิชาการ", "level": "ชำนาญการ"} | more
    return [organization, number, values["full_name"], category, values["position"], values["level"], *menus]


async def records(database: Database, organization: str) -> list[tuple[str, ...]]:
    async with database.read() as session:
        found = await session.execute(
            select(
                PersonnelRecord.record_no,
                PersonnelRecord.full_name,
                PersonnelRecord.category,
                PersonnelRecord.position,
                PersonnelRecord.level,
                PersonnelRecord.menus,
            )
            .where(PersonnelRecord.organization_code == organization)
            .order_by(PersonnelRecord.record_no)
        )
        return [tuple(record) for record in found]


async def summary(database: Database, organization: str) -> RosterSummary:
    async with database.read() as session:
        return await load_summary(session, organization)


async def refusal(database: Database, path: Path, now: datetime, *, allow_shrink: bool = False) -> list[str]:
    """The problems of a file, the same in a dry run; nothing has changed."""
    before = await records(database, FIRST)
    told = []
    for dry_run in (True, False):
        with pytest.raises(ImportRefused) as refused:
            await import_personnel(database, path, now, dry_run=dry_run, allow_shrink=allow_shrink)
        told.append([str(problem) for problem in refused.value.problems])
    assert told[0] == told[1]
    assert await records(database, FIRST) == before
    return told[0]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
async def test_a_file_replaces_the_rosters_that_it_names(
    country: Database, tmp_path: Path, now: datetime, suffix: str
) -> None:
    other = await summary(country, SECOND)
    rows = [
        [*THAI, "ประวัติส่วนตัว", "การลา"],
        row("๑", FIRST, "ข้าราชการ", "มี", "ไม่มี"),
        row("2", FIRST, "ลูกจ้างประจำ", "", "Recorded", level=""),
        row("1", WITHOUT_ROSTER, "Contract employee", "none", ""),
    ]
    path = write(tmp_path / f"ทะเบียน ปี 2570{suffix}", rows)
    tried = await import_personnel(country, path, now, dry_run=True, allow_shrink=True)
    assert (tried.file_name, tried.dry_run, tried.rows, tried.added, tried.updated) == (path.name, True, 3, 1, 1)
    assert len(await records(country, FIRST)) == 20
    told: list[tuple[str, int, int]] = []
    done = await import_personnel(country, path, now, allow_shrink=True, progress=lambda *step: told.append(step))
    assert done == replace(tried, dry_run=False)
    assert told[-1] == ("writing", 3, 3)
    assert await records(country, FIRST) == [
        ("1", "บุคคล ๑", Category.OFFICIAL, "นักวิชาการ", "ชำนาญการ", "rn"),
        ("2", "บุคคล 2", Category.PERMANENT_EMPLOYEE, "นักวิชาการ", "", "-r"),
    ]
    found = await summary(country, FIRST)
    assert (found.file_name, found.imported_at) == (path.name, now)
    assert found.headcount == Headcount(1, 1, 0)
    assert found.with_empty_menus == 1
    assert (await summary(country, WITHOUT_ROSTER)).headcount == Headcount(0, 0, 1)
    assert await summary(country, SECOND) == other
    async with country.read() as session:
        roster = await session.get_one(Roster, FIRST)
        assert roster.menu_names == ["ประวัติส่วนตัว", "การลา"]


async def test_every_bad_record_is_reported(country: Database, tmp_path: Path, now: datetime) -> None:
    rows = [
        [*COLUMNS, "leave"],
        row("1", FIRST, "official", "มี"),
        row("2", "0000000", "official", ""),
        row("1", FIRST, "official", ""),
        row("3", FIRST, "boss", "maybe"),
        row("", FIRST, "official", ""),
        row("4", FIRST, "official", "", full_name="=cmd()", position="ก\u202eข"),
        row("1", SECOND, "official", ""),
        row("5", FIRST, "official"),
    ]
    assert [line.split(";")[0] for line in await refusal(country, write(tmp_path / "a.csv", rows), now)] == [
        "line 3, organization: no organization has the code 0000000",
        f"line 4, record_no: 1 of organization {FIRST} is on line 2 already",
        "line 5, category: boss is no category",
        "line 5, leave: maybe does not say whether the menu is recorded",
        "line 6, record_no: is empty",
        "line 7, full_name: starts with = like a formula",
        "line 7, position: contains U+202E (RIGHT-TO-LEFT OVERRIDE), which cannot be seen",
        "line 9: has 6 cells, the header has 7",
    ]


async def test_a_column_of_national_ids_is_refused_as_a_whole(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    rows = [[*COLUMNS, "เลขประจำตัวประชาชน"], *(row(str(n), FIRST, "official", IDS[n % 3]) for n in range(40))]
    assert await refusal(country, write(tmp_path / "a.csv", rows), now) == [
        "เลขประจำตัวประชาชน: holds national ID numbers, which are not stored; delete the column or its numbers"
    ]
    rows = [COLUMNS, row(IDS[0], full_name="ก"), row(IDS[1], full_name="ข"), row("3")]
    assert await refusal(country, write(tmp_path / "a.csv", rows), now) == [
        "record_no: holds national ID numbers, which are not stored; delete the column or its numbers"
    ]


async def test_half_of_a_columns_record_numbers_may_look_like_national_ids(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    path = write(tmp_path / "a.csv", [COLUMNS, row(IDS[0], full_name="ก"), row("1234567890120")])
    assert (await import_personnel(country, path, now, allow_shrink=True)).rows == 2


@pytest.mark.parametrize("column", ["full_name", "position", "level"])
async def test_a_national_id_within_a_text_is_refused(
    country: Database, tmp_path: Path, now: datetime, column: str
) -> None:
    rows = [COLUMNS, *(row(str(number)) for number in range(5)), row("9", **{column: f"บุคคล {IDS[1]}"})]
    assert await refusal(country, write(tmp_path / "a.csv", rows), now) == [
        f"line 7, {column}: holds a national ID number, which is not stored; take the number out"
    ]


@pytest.mark.parametrize("column", ["full_name", "position", "level"])
async def test_letters_that_certificates_cannot_show_are_refused(
    country: Database, tmp_path: Path, now: datetime, column: str
) -> None:
    rows = [
        COLUMNS,
        row("1"),
        row("2", **{column: "សុខ"}),
        row("三", full_name="ก"),
        row("4", **{column: "ก\u030dข"}),
    ]
    mend = "write it in Thai or Latin letters"
    assert await refusal(country, write(tmp_path / "a.csv", rows), now) == [
        f"line 3, {column}: contains ស (KHMER LETTER SA), which certificates cannot show; {mend}",
        f"line 4, record_no: contains 三 (CJK UNIFIED IDEOGRAPH-4E09), which certificates cannot show; {mend}",
        f"line 5, {column}: contains ◌\u030d (COMBINING VERTICAL LINE ABOVE), which certificates cannot show;"
        f" {mend}",
    ]
    # A file's name is not printed.
    path = write(tmp_path / "ទ.csv", [COLUMNS, row("1")])
    assert (await import_personnel(country, path, now, allow_shrink=True)).file_name == "ទ.csv"


async def test_too_many_menus_are_refused(country: Database, tmp_path: Path, now: datetime) -> None:
    names = [f"menu {number}" for number in range(201)]
    path = write(tmp_path / "a.csv", [[*COLUMNS, *names], row("1", FIRST, "official", *names)])
    assert await refusal(country, path, now) == ["line 1: has 207 columns; keep at most 200 menus"]


async def test_a_file_name_that_cannot_be_shown_is_refused(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    path = write(tmp_path / "a\u202evsc.csv", [COLUMNS, row("1")])
    found = await refusal(country, path, now)
    assert found[0].startswith("the file's name contains U+202E (RIGHT-TO-LEFT OVERRIDE)")


async def test_an_import_that_touches_a_locked_roster_is_refused_whole(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    for user_id, code in enumerate((FIRST, SECOND)):
        await certify_as(country, f"lao{code}", user_id, code, Level.LAO, now)
    before = await summary(country, THIRD)
    path = write(
        tmp_path / "a.csv", [COLUMNS, row("1", THIRD), row("1", FIRST), row("1", SECOND), row("2", FIRST)]
    )
    assert await refusal(country, path, now, allow_shrink=True) == [
        f"line {line}, organization: the roster of {code} {name} is certified and locked;"
        " leave its rows out, or add --skip-locked; it can change again when the next round opens"
        for line, code, name in ((3, FIRST, "เทศบาลตำบลบางปู"), (4, SECOND, "อบต.บางปู"))
    ]
    assert await summary(country, THIRD) == before
    async with country.write() as session:
        await close_round(session, now)
    assert len(await refusal(country, path, now, allow_shrink=True)) == 2
    async with country.write() as session:
        await open_round(session, 2571, None, now)
    assert (await import_personnel(country, path, now, allow_shrink=True)).updated == 3
    again = await import_personnel(country, path, now)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 3)


async def test_an_import_and_a_certification_follow_one_another(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    """Whichever is first: the certificate is of the roster that is there, and the other is refused."""
    path = write(tmp_path / "a.csv", [COLUMNS, *(row(str(number)) for number in range(500))])
    later = now + timedelta(minutes=1)
    imported, certified = await asyncio.gather(
        import_personnel(country, path, later),
        certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now),
        return_exceptions=True,
    )
    after = await summary(country, FIRST)
    if isinstance(certified, Certification):
        assert certified.roster_digest == after.digest
        assert isinstance(imported, ImportRefused) or after.headcount.total == 500
    else:
        assert isinstance(certified, RosterChanged)
        assert isinstance(imported, PersonnelResult)


async def test_a_lock_that_comes_while_the_file_is_read_is_found(
    country: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """The lock is looked for again in the transaction that writes."""
    path = write(tmp_path / "a.csv", [COLUMNS, row("1", THIRD), row("1", FIRST)])

    async def certified_meanwhile() -> None:
        await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)

    before_writing(monkeypatch, certified_meanwhile)
    before = await summary(country, THIRD)
    with pytest.raises(ImportRefused, match=f"the roster of {FIRST} เทศบาลตำบลบางปู is certified and locked"):
        await import_personnel(country, path, now, allow_shrink=True)
    assert await summary(country, THIRD) == before


def before_writing(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[None]]) -> None:
    """Let something happen between what an import says it will change and its writing."""
    names = import_personnel.__globals__
    write_rows = names["_write"]

    async def happens_first(*arguments: object, **options: object) -> None:
        await happens()
        await write_rows(*arguments, **options)

    monkeypatch.setitem(names, "_write", happens_first)


# --- registers that shrink ----------------------------------------------------------------------------------


async def test_a_file_with_one_row_is_no_register(country: Database, tmp_path: Path, now: datetime) -> None:
    rows = people(1) + people(14, SECOND) + people(13, THIRD) + people(1, WITHOUT_ROSTER)
    path = write(tmp_path / "a.csv", [[*COLUMNS, *MENUS], *rows])
    before = await summary(country, SECOND)
    mend = "put all of its records into the file, or add --allow-shrink if it really shrinks"
    assert await refusal(country, path, now) == [
        f"line 2, organization: the register of {FIRST} เทศบาลตำบลบางปู would shrink from 20 records to 1,"
        f" by more than 30 %; {mend}",
        f"line 17, organization: the register of {THIRD} อบต.แพรกษา would shrink from 20 records to 13,"
        f" by more than 30 %; {mend}",
    ]
    assert await summary(country, SECOND) == before
    done = await import_personnel(country, path, now, allow_shrink=True)
    assert (done.added, done.updated) == (1, 3)
    assert len(await records(country, FIRST)) == 1


async def test_what_is_locked_and_what_shrinks_is_said_together(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    path = write(tmp_path / "a.csv", [[*COLUMNS, *MENUS], *people(1), *people(1, SECOND)])
    assert [line.split(" ", 6)[:6] for line in await refusal(country, path, now)] == [
        ["line", "2,", "organization:", "the", "roster", "of"],
        ["line", "3,", "organization:", "the", "register", "of"],
    ]


async def test_a_register_that_was_saved_since_it_was_compared_is_not_replaced(
    country: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """What was said would change is not what would change now: 14 of 20 records, and then of 40."""
    path = write(tmp_path / "a.csv", [[*COLUMNS, *MENUS], *people(14)])

    async def saved_meanwhile() -> None:
        async with country.write() as session:
            await put_roster(session, FIRST, (40, 0, 0), now + timedelta(days=2))

    before_writing(monkeypatch, saved_meanwhile)
    with pytest.raises(ImportRefused) as refused:
        await import_personnel(country, path, now)
    assert str(refused.value) == (
        f"line 2, organization: the register of {FIRST} เทศบาลตำบลบางปู was saved again during the import;"
        " check its changes and import again"
    )
    assert len(await records(country, FIRST)) == 40


async def test_the_roster_of_an_organization_that_has_ended_is_locked_for_good(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    async with country.write() as session:
        await close(session, FIRST, decided(now), now)
        await close_round(session, now)
        await open_round(session, 2571, None, now)
    path = write(tmp_path / "a.csv", [COLUMNS, row("1", FIRST)])
    assert await refusal(country, path, now, allow_shrink=True) == [
        f"line 2, organization: {FIRST} was closed on 2026-11-02 by {BY}; its roster is locked for good; leave its"
        " rows out, or write the code of its successor"
    ]


# --- registers that are locked, left out --------------------------------------------------------------------

LOCKED = LeftOut(FIRST, "เทศบาลตำบลบางปู", 2)


async def test_with_skip_locked_the_others_are_imported_whole(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    before = await summary(country, FIRST)
    # Whatever is wrong with rows that are left out; they count for nothing else.
    rows = [COLUMNS, row("1", THIRD), row("1", FIRST, "boss"), row("2", THIRD), row("1", FIRST, full_name="=1")]
    path = write(tmp_path / "a.csv", rows)
    for dry_run in (True, False):
        done = await import_personnel(country, path, now, dry_run=dry_run, allow_shrink=True, skip_locked=True)
        assert (done.rows, done.added, done.updated, done.left_out) == (2, 0, 1, (LOCKED,))
        assert [change.organization for change in done.changes] == [THIRD]
    assert await summary(country, FIRST) == before
    assert len(await records(country, THIRD)) == 2
    # Nothing is locked: nothing is left out.
    path = write(tmp_path / "b.csv", [COLUMNS, row("3", THIRD)])
    assert (await import_personnel(country, path, now, allow_shrink=True, skip_locked=True)).left_out == ()


async def test_with_skip_locked_one_bad_row_of_the_others_refuses_all(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    before = await summary(country, THIRD)
    rows = [COLUMNS, row("1", THIRD), row("1", FIRST, "boss"), row("2", THIRD, "boss"), row("1", "0")]
    with pytest.raises(ImportRefused) as refused:
        await import_personnel(country, write(tmp_path / "a.csv", rows), now, allow_shrink=True, skip_locked=True)
    assert [(problem.line, problem.column) for problem in refused.value.problems] == [
        (4, "category"),
        (5, "organization"),
    ]
    assert await summary(country, THIRD) == before


async def test_with_skip_locked_what_is_certified_meanwhile_is_left_out_too(
    country: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    path = write(tmp_path / "a.csv", [COLUMNS, row("1", THIRD), row("1", FIRST), row("2", FIRST)])
    before = await summary(country, FIRST)

    async def certified_meanwhile() -> None:
        await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)

    before_writing(monkeypatch, certified_meanwhile)
    done = await import_personnel(country, path, now, allow_shrink=True, skip_locked=True)
    assert (done.rows, done.updated, done.left_out) == (1, 1, (LOCKED,))
    assert await summary(country, FIRST) == before
    assert [record[0] for record in await records(country, THIRD)] == ["1"]


async def test_with_skip_locked_a_file_of_locked_registers_changes_nothing(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    before = await summary(country, FIRST)
    path = write(tmp_path / "a.csv", [COLUMNS, row("1"), row("2")])
    done = await import_personnel(country, path, now, skip_locked=True)
    assert (done.rows, done.added, done.updated, done.changes, done.left_out) == (0, 0, 0, (), (LOCKED,))
    assert await summary(country, FIRST) == before
