"""Import of personnel: replaces whole the roster of each organization that the file names."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import column, delete, insert, literal, select, table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models import audit
from models.database import Database
from models.imports.common import (
    ImportResult,
    Progress,
    chunks,
    lock_organizations,
    no_progress,
    organization_names,
    read_rows,
    refuse_locked,
)
from models.roster import Category, MenuState, PersonnelRecord, Roster
from models.tabular import BadCell, Column, ImportRefused, Layout, Problem, Problems, english, open_table
from models.tabular.cells import clean, refuse_national_id
from models.tabular.table import Row
from models.tabular.table import Table as RowTable

# As many letters as PersonnelRecord.menus holds.
MAX_MENUS = 200

_CATEGORIES = {
    **{category.value: category for category in Category},
    "ข้าราชการ": Category.OFFICIAL,
    "ลูกจ้างประจำ": Category.PERMANENT_EMPLOYEE,
    "พนักงานจ้าง": Category.CONTRACT_EMPLOYEE,
}
_MENU_STATES = {
    "recorded": MenuState.RECORDED,
    "มี": MenuState.RECORDED,
    "none": MenuState.NONE,
    "ไม่มี": MenuState.NONE,
}

_RECORD = ("organization_code", "record_no", "full_name", "category", "position", "level", "menus")
_STAGED = table("staged", *(column(name) for name in _RECORD))
# What becomes of checked rows.
_Keep = Callable[[Sequence[tuple[str, ...]]], Awaitable[None]]
_STAGE = f"INSERT INTO staged VALUES ({', '.join('?' * len(_RECORD))})"  # noqa: S608 - no input in it


def _category(text: str) -> str:
    # "Permanent employee" is meant well.
    try:
        return _CATEGORIES[text.casefold().replace(" ", "_")].value
    except KeyError:
        mend = english(
            "write official ({official}), permanent_employee ({permanent}) or contract_employee ({contract})",
            official="ข้าราชการ",
            permanent="ลูกจ้างประจำ",
            contract="พนักงานจ้าง",
        )
        raise BadCell(english("{text} is no category", text=text), mend) from None


def _menu_state(text: str) -> str:
    refuse_national_id(text)
    try:
        return _MENU_STATES[text.casefold()].value
    except KeyError:
        what = english("{text} does not say whether the menu is recorded", text=text)
        mend = english("write recorded ({recorded}), none ({none}) or leave it empty", recorded="มี", none="ไม่มี")
        raise BadCell(what, mend) from None


def _menu(name: str) -> Column:
    return Column(name, name, 100, _menu_state, empty=MenuState.EMPTY.value)


def _layout(names: dict[str, str]) -> Layout:
    """The columns, with the organizations that there are."""

    def known_code(text: str) -> str:
        if text not in names:
            raise BadCell(f"no organization has the code {text}", "correct it, or import organizations first")
        return text

    return layout(known_code)


def layout(known_code: Callable[[str], str]) -> Layout:
    """The columns; `known_code` is the rule on the code of an organization."""
    return Layout(
        (
            Column("organization", "รหัส อปท.", 20, known_code, is_code=True),
            # Not refused one by one: of other numbers with 13 digits a tenth look like national IDs.
            Column("record_no", "เลขที่ทะเบียน", 40, is_code=True),
            Column("full_name", "ชื่อ-สกุล", 200, refuse_national_id),
            Column("category", "ประเภทบุคลากร", 40, _category),
            Column("position", "ตำแหน่ง", 200, refuse_national_id),
            Column("level", "ระดับ", 100, refuse_national_id, empty=""),
        ),
        further=_menu,
        max_further=MAX_MENUS,
        counts_ids=True,
    )


class _Staging:
    """Checked rows in a temporary table of one connection, from the check of the first to the write of the last.

    So the file is read once, what was checked is what is written, half a million rows need no memory, and the
    transaction for which others wait is a single statement inside the database.
    """

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        # The driver's own connection: rows go into it as plain tuples, on PostgreSQL by COPY.
        self._driver = driver

    async def keep(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Add some rows."""
        if self.connection.dialect.name == "postgresql":
            await self._driver.copy_records_to_table("staged", records=rows)
        else:
            await self._driver.executemany(_STAGE, rows)

    async def end(self) -> None:
        """All rows are there; the connection is free for the transaction that writes them."""
        if self.connection.dialect.name == "sqlite":
            await self._driver.execute("COMMIT")


@asynccontextmanager
async def _staging(database: Database) -> AsyncIterator[_Staging]:
    """A connection that is closed at the end, and with it go its table and the names in it.

    SQLite keeps the table in a file without a name (https://www.sqlite.org/tempfiles.html).
    """
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            await driver.execute(
                f"CREATE TEMPORARY TABLE staged ({', '.join(f'{name} text' for name in _RECORD)})"
            )
            if database.is_sqlite:
                # Of the temporary file alone: nobody waits for it.
                await driver.execute("BEGIN DEFERRED")
            yield _Staging(connection, driver)
        finally:
            await connection.invalidate()


async def _forget(_rows: Sequence[tuple[str, ...]]) -> None:
    """What a dry run does with checked rows."""


class Checks:
    """What the rows of a file must be to one another, and what becomes of them."""

    def __init__(self, table: RowTable, problems: Problems) -> None:
        self._table = table
        self._problems = problems
        self.code_column, self._number_column = table.headers[:2]
        self.menu_names = table.headers[len(_RECORD) - 1 :]
        # The first line of each organization, and the line of each record_no by organization.
        self.lines: dict[str, int] = {}
        self._seen: dict[str, dict[str, int]] = {}

    def records(self, batch: list[Row]) -> list[tuple[str, ...]]:
        """The rows with their menus as one text; a record_no that is there twice is noted."""
        rows: list[tuple[str, ...]] = []
        for line, cells in batch:
            code, number, full_name, category, position, level, *menus = cells
            numbers = self._seen.get(code)
            if numbers is None:
                numbers = self._seen[code] = {}
                self.lines[code] = line
            first = numbers.setdefault(number, line)
            if first != line:
                what = english(
                    "{number} of organization {code} is on line {line} already",
                    number=number,
                    code=code,
                    line=first,
                )
                mend = english("give each record of an organization its own number")
                self._problems.add(line, self._number_column, what, mend)
            rows.append((code, number, full_name, category, position, level, "".join(menus)))
        return rows

    def end(self) -> None:
        """Note columns of national ID numbers; to be called after the last row."""
        for name in self._table.national_id_columns():
            what = english("holds national ID numbers, which are not stored")
            self._problems.replace_column(name, what, english("delete the column or its numbers"))


@dataclass
class _File:
    """What was read: the menus, the organizations with their first line, and how many rows there are.

    `names` are those of all organizations, `replaced` how many of the file's have a roster already.
    """

    menu_names: list[str] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    code_column: str = ""
    rows: int = 0
    names: dict[str, str] = field(default_factory=dict)
    replaced: int = 0


async def _read(path: Path, layout: Layout, keep: _Keep, problems: Problems, progress: Progress) -> _File:
    """Check all rows and hand them on to `keep`, some at a time."""
    file = _File()
    with open_table(path, layout, problems) as table:
        checks = Checks(table, problems)
        async for batch in read_rows(table, progress):
            await keep(checks.records(batch))
        checks.end()
        file.code_column, file.lines, file.rows = checks.code_column, checks.lines, table.rows_seen
        file.menu_names = checks.menu_names
    # A cell that was refused stands here as an empty text.
    file.lines.pop("", None)
    return file


def shown_name(path: Path) -> str:
    """The name that reviews and certificates will show. Raises ImportRefused for one that cannot be shown."""
    try:
        return clean(path.name)
    except BadCell as bad:
        what = english("the file's name {problem}", problem=bad.what)
        raise ImportRefused([Problem(None, None, what, english("rename the file"))]) from None


async def _replace(session: AsyncSession, codes: list[str], values: dict[str, object]) -> None:
    """Take the organizations' records away and put the staged ones in their place."""
    kind = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    code = _STAGED.c.organization_code
    constants = [literal(value, Roster.__table__.c[name].type) for name, value in values.items()]
    rosters = kind(Roster).from_select([code.name, *values], select(code, *constants).group_by(code))
    rosters = rosters.on_conflict_do_update(
        index_elements=[code.name], set_={name: rosters.excluded[name] for name in values}
    )
    await session.execute(rosters)
    for some in chunks(codes):
        await session.execute(delete(PersonnelRecord).where(PersonnelRecord.organization_code.in_(some)))
    await session.execute(insert(PersonnelRecord).from_select(_RECORD, select(_STAGED)))


async def _count_rosters(session: AsyncSession, codes: list[str]) -> int:
    found = 0
    for some in chunks(codes):
        found += len(
            (
                await session.scalars(select(Roster.organization_code).where(Roster.organization_code.in_(some)))
            ).all()
        )
    return found


async def _refuse_locked(session: AsyncSession, file: _File, problems: Problems) -> None:
    await refuse_locked(session, file.names, file.lines, file.code_column, problems)
    problems.require_none()
    file.replaced = await _count_rosters(session, sorted(file.lines))


async def _check(database: Database, path: Path, keep: _Keep, progress: Progress) -> _File:
    """Read the whole file, and compare it with the database. Raises ImportRefused."""
    problems = Problems()
    async with database.read() as session:
        names = await organization_names(session)
    file = await _read(path, _layout(names), keep, problems, progress)
    file.names = names
    async with database.read() as session:
        await _refuse_locked(session, file, problems)
    return file


async def _write(
    database: Database, connection: AsyncConnection, file: _File, file_name: str, now: datetime
) -> None:
    codes = sorted(file.lines)
    async with database.write(connection) as session:
        await lock_organizations(session, codes)
        # Once more: one may have been certified since.
        await _refuse_locked(session, file, Problems())
        await _replace(session, codes, {"file_name": file_name, "imported_at": now, "menu_names": file.menu_names})
        told = {"what": "personnel", "file": file_name}
        await audit.record_all(session, [audit.Link(audit.Event.IMPORTED, code, told) for code in codes], now)


async def import_personnel(
    database: Database, path: Path, now: datetime, *, dry_run: bool = False, progress: Progress = no_progress
) -> ImportResult:
    """Replace the rosters of the organizations that a CSV or XLSX file names, all or none.

    Each roster keeps the file's name and `now` (procedure, LAO step 2: what is about to be certified). Raises
    ImportRefused with every problem: of the file, codes that are unknown, national ID numbers, and each
    organization whose roster is certified and locked.
    """
    file_name = shown_name(path)
    if dry_run:
        file = await _check(database, path, _forget, progress)
    else:
        async with _staging(database) as staging:
            file = await _check(database, path, staging.keep, progress)
            await staging.end()
            progress("writing", 0, file.rows)
            await _write(database, staging.connection, file, file_name, now)
            progress("writing", file.rows, file.rows)
    return ImportResult(file_name, dry_run, file.rows, len(file.lines) - file.replaced, file.replaced)
