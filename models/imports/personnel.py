"""Import of personnel: replaces whole the roster of each organization that the file names."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models.audit import event_chain
from models.base.tables import conflict_insert
from models.database.engine import Database
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
from models.imports.register_changes import (
    MAX_SHRINKING,
    RegisterChange,
    RosterOrigin,
    compare_registers,
    load_origins,
)
from models.imports.staging import RECORD, STAGED, Staging, staging
from models.imports.tabular import (
    BadCell,
    Column,
    ImportRefused,
    Layout,
    Problem,
    Problems,
    english,
    open_table,
    shown,
)
from models.imports.tabular.cells import clean, refuse_national_id
from models.imports.tabular.table import Row
from models.imports.tabular.table import Table as RowTable
from models.register.roster import Category, MenuState, PersonnelRecord, Roster

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

# What becomes of checked rows.
_Keep = Callable[[Sequence[tuple[str, ...]]], Awaitable[None]]


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
        raise BadCell(english("{text} is no category", text=shown(text)), mend) from None


def _menu_state(text: str) -> str:
    refuse_national_id(text)
    try:
        return _MENU_STATES[text.casefold()].value
    except KeyError:
        what = english("{text} does not say whether the menu is recorded", text=shown(text))
        mend = english("write recorded ({recorded}), none ({none}) or leave it empty", recorded="มี", none="ไม่มี")
        raise BadCell(what, mend) from None


def _menu(name: str) -> Column:
    return Column(name, name, 100, _menu_state, empty=MenuState.EMPTY.value)


def _layout(names: dict[str, str]) -> Layout:
    """The columns, with the organizations that there are."""

    def known_code(text: str) -> str:
        if text not in names:
            raise BadCell(
                english("no organization has the code {code}", code=shown(text)),
                "correct it, or import organizations first",
            )
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
        kind="personnel",
    )


class Checks:
    """What the rows of a file must be to one another, and what becomes of them."""

    def __init__(self, table: RowTable, problems: Problems) -> None:
        self._table = table
        self._problems = problems
        self.code_column, self._number_column = table.headers[:2]
        self.menu_names = table.headers[len(RECORD) - 1 :]
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
                    number=shown(number),
                    code=shown(code),
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


@dataclass(frozen=True)
class PersonnelResult(ImportResult):
    """`changes`: what becomes of the register of each organization in the file, by code."""

    changes: tuple[RegisterChange, ...] = ()


# Called with what a file changes, before anything is written.
Announce = Callable[[Sequence[RegisterChange]], None]


def _announce_nothing(_changes: Sequence[RegisterChange]) -> None:
    """An import that nobody watches."""


@dataclass
class _File:
    """What was read: the menus, the organizations with their first line, and how many rows there are.

    `names` are those of all organizations, `origins` those of the registers that `changes` were compared with.
    """

    menu_names: list[str] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    code_column: str = ""
    rows: int = 0
    names: dict[str, str] = field(default_factory=dict)
    origins: dict[str, RosterOrigin] = field(default_factory=dict)
    changes: tuple[RegisterChange, ...] = ()
    notes: tuple[str, ...] = ()


async def _read(path: Path, layout: Layout, keep: _Keep, problems: Problems, progress: Progress) -> _File:
    """Check all rows and hand them on to `keep`, some at a time."""
    file = _File()
    with open_table(path, layout, problems) as table:
        checks = Checks(table, problems)
        async for batch in read_rows(table, progress):
            await keep(checks.records(batch))
        checks.end()
        file.notes = tuple(table.notes())
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
    code = STAGED.c.organization_code
    constants = [literal(value, Roster.__table__.c[name].type) for name, value in values.items()]
    rosters = conflict_insert(session, Roster).from_select(
        [code.name, *values], select(code, *constants).group_by(code)
    )
    rosters = rosters.on_conflict_do_update(
        index_elements=[code.name], set_={name: rosters.excluded[name] for name in values}
    )
    await session.execute(rosters)
    for some in chunks(codes):
        await session.execute(delete(PersonnelRecord).where(PersonnelRecord.organization_code.in_(some)))
    await session.execute(insert(PersonnelRecord).from_select(RECORD, select(STAGED)))


async def _compare(session: AsyncSession, file: _File) -> None:
    """Fill in what the staged rows change."""
    file.origins = await load_origins(session, sorted(file.lines))
    names = {code: file.names[code] for code in file.lines}
    file.changes = tuple(await compare_registers(session, names, file.origins, file.menu_names))


def _refuse_shrinking(file: _File, problems: Problems) -> None:
    """Note each register that would lose so much that the file may be a part of it."""
    for change in file.changes:
        if change.shrinks:
            before, after = change.totals.before.total, change.totals.after.total
            problems.add(
                file.lines[change.organization],
                file.code_column,
                f"the register of {change.organization} {change.name} would shrink from {before:,} records to"
                f" {after:,}, by more than {MAX_SHRINKING} %",
                "put all of its records into the file, or add --allow-shrink if it really shrinks",
            )


async def _refuse_changed(session: AsyncSession, file: _File, problems: Problems) -> None:
    """Note each register that is not the one any more that the file was compared with."""
    origins = await load_origins(session, sorted(file.lines))
    for code in sorted(file.lines):
        if origins.get(code) != file.origins.get(code):
            what = f"the register of {code} {file.names[code]} was saved anew meanwhile"
            problems.add(file.lines[code], file.code_column, what, "look at its changes and import once more")


async def _check(database: Database, staged: Staging, path: Path, allow_shrink: bool, progress: Progress) -> _File:
    """Read the whole file, and compare it with the database. Raises ImportRefused."""
    problems = Problems()
    async with database.read() as session:
        names = await organization_names(session)
    file = await _read(path, _layout(names), staged.keep, problems, progress)
    file.names = names
    await staged.end()
    progress("comparing", 0, file.rows)
    is_sound = not problems
    async with database.read(staged.connection) as session:
        await refuse_locked(session, names, file.lines, file.code_column, problems)
        if is_sound:
            await _compare(session, file)
    if not allow_shrink:
        _refuse_shrinking(file, problems)
    problems.require_none()
    progress("comparing", file.rows, file.rows)
    return file


async def _write(
    database: Database, connection: AsyncConnection, file: _File, file_name: str, now: datetime
) -> None:
    codes, problems = sorted(file.lines), Problems()
    async with database.write(connection) as session:
        await lock_organizations(session, codes)
        # Once more: one may have been certified or saved since.
        await refuse_locked(session, file.names, file.lines, file.code_column, problems)
        await _refuse_changed(session, file, problems)
        problems.require_none()
        await _replace(session, codes, {"file_name": file_name, "imported_at": now, "menu_names": file.menu_names})
        told = {"what": "personnel", "file": file_name}
        await event_chain.record_all(
            session, [event_chain.Link(event_chain.Event.IMPORTED, code, told) for code in codes], now
        )


async def import_personnel(
    database: Database,
    path: Path,
    now: datetime,
    *,
    dry_run: bool = False,
    allow_shrink: bool = False,
    announce: Announce = _announce_nothing,
    progress: Progress = no_progress,
) -> PersonnelResult:
    """Replace the rosters of the organizations that a CSV or XLSX file names, all or none.

    Each roster keeps the file's name and `now` (procedure, LAO step 2: what is about to be certified). Raises
    ImportRefused with every problem: of the file, codes that are unknown, national ID numbers, each organization
    whose roster is certified and locked, and, unless `allow_shrink`, each whose roster would shrink by more than
    MAX_SHRINKING percent.
    """
    file_name = shown_name(path)
    async with staging(database) as staged:
        file = await _check(database, staged, path, allow_shrink, progress)
        announce(file.changes)
        if not dry_run:
            progress("writing", 0, file.rows)
            await _write(database, staged.connection, file, file_name, now)
            progress("writing", file.rows, file.rows)
    as_before = sum(change.totals.is_nothing and not change.is_first for change in file.changes)
    there = len(file.origins)
    return PersonnelResult(
        file_name,
        dry_run,
        file.rows,
        len(file.lines) - there,
        there - as_before,
        as_before,
        notes=file.notes,
        changes=file.changes,
    )
