"""Import of personnel: replaces whole the roster of each organization that the file names."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import orjson
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

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
# On the table, not the class: the latter would read the new ids back.
_INSERT = insert(cast("Table", PersonnelRecord.__table__))


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


class _Spool:
    """Checked rows on disk, in a file without a name, from the check of the first row to the write of the last.

    So the file is read once, what was checked is what is written, and half a million rows need no memory.
    """

    def __init__(self) -> None:
        # By hand, because the file outlives this function; __exit__ closes it.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def write(self, rows: Sequence[tuple[str, ...]]) -> None:
        self._file.write(orjson.dumps(rows) + b"\n")

    def batches(self) -> Iterator[list[tuple[str, ...]]]:
        self._file.seek(0)
        return ([tuple(row) for row in orjson.loads(line)] for line in self._file)


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
        for column in self._table.national_id_columns():
            what = english("holds national ID numbers, which are not stored")
            self._problems.replace_column(column, what, english("delete the column or its numbers"))


@dataclass
class _File:
    """What was read: the menus, the organizations with their first line, and how many rows the spool holds."""

    menu_names: list[str] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    code_column: str = ""
    rows: int = 0


async def _read(path: Path, layout: Layout, spool: _Spool, problems: Problems, progress: Progress) -> _File:
    file = _File()
    with open_table(path, layout, problems) as table:
        checks = Checks(table, problems)
        async for batch in read_rows(table, progress):
            spool.write(checks.records(batch))
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


async def clear_rosters(session: AsyncSession, codes: list[str], values: dict[str, object]) -> int:
    """Take the organizations' rosters away and put empty ones in their place; how many were there."""
    replaced = 0
    for some in chunks(codes):
        await session.execute(delete(PersonnelRecord).where(PersonnelRecord.organization_code.in_(some)))
        gone = await session.execute(
            delete(Roster).where(Roster.organization_code.in_(some)).returning(Roster.organization_code)
        )
        replaced += len(gone.all())
        await session.execute(insert(Roster), [{"organization_code": code, **values} for code in some])
    return replaced


async def put_records(session: AsyncSession, rows: list[tuple[str, ...]]) -> None:
    """Write checked rows; their organizations have rosters."""
    await session.execute(_INSERT, [dict(zip(_RECORD, row, strict=True)) for row in rows])


async def _replace(
    session: AsyncSession, file: _File, spool: _Spool, values: dict[str, object], progress: Progress
) -> int:
    """Put the spooled rosters in the place of the organizations' old ones; how many were there."""
    replaced = await clear_rosters(session, sorted(file.lines), values)
    done = 0
    for rows in spool.batches():
        await put_records(session, rows)
        done += len(rows)
        progress("writing", done, file.rows)
    return replaced


async def _count_rosters(session: AsyncSession, codes: list[str]) -> int:
    found = 0
    for some in chunks(codes):
        found += len(
            (
                await session.scalars(select(Roster.organization_code).where(Roster.organization_code.in_(some)))
            ).all()
        )
    return found


async def import_personnel(
    database: Database, path: Path, now: datetime, *, dry_run: bool = False, progress: Progress = no_progress
) -> ImportResult:
    """Replace the rosters of the organizations that a CSV or XLSX file names, all or none.

    Each roster keeps the file's name and `now` (procedure, LAO step 2: what is about to be certified). Raises
    ImportRefused with every problem: of the file, codes that are unknown, national ID numbers, and each
    organization whose roster is certified and locked.
    """
    file_name = shown_name(path)
    problems = Problems()
    async with database.read() as session:
        names = await organization_names(session)
    with _Spool() as spool:
        file = await _read(path, _layout(names), spool, problems, progress)
        codes = sorted(file.lines)
        async with database.read() as session:
            await refuse_locked(session, names, file.lines, file.code_column, problems)
            replaced = await _count_rosters(session, codes)
        problems.require_none()
        if not dry_run:
            values = {"file_name": file_name, "imported_at": now, "menu_names": file.menu_names}
            async with database.write() as session:
                await lock_organizations(session, codes)
                # Once more: one may have been certified since.
                await refuse_locked(session, names, file.lines, file.code_column, problems)
                problems.require_none()
                progress("writing", 0, file.rows)
                replaced = await _replace(session, file, spool, values, progress)
                told = {"what": "personnel", "file": file_name}
                await audit.record_all(
                    session, [audit.Link(audit.Event.IMPORTED, code, told) for code in codes], now
                )
    return ImportResult(file_name, dry_run, file.rows, len(codes) - replaced, replaced)
