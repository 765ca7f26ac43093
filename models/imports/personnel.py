"""Import of personnel: replaces the whole roster of each organization in the file."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, func, insert, literal, select, update
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
from models.imports.tabular.cells import clean, refuse_national_id, refuse_undrawn
from models.imports.tabular.table import Row
from models.imports.tabular.table import Table as RowTable
from models.province.progress import locked_organizations
from models.register.roster import Category, MenuState, PersonnelRecord, Roster

# The length of the column PersonnelRecord.menus, which has one letter for each menu.
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

# Consumer of checked rows.
_Keep = Callable[[Sequence[tuple[str, ...]]], Awaitable[None]]


def _category(text: str) -> str:
    # Accept "Permanent employee" too.
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


def _text(text: str) -> str:
    return refuse_undrawn(refuse_national_id(text))


def _menu(name: str) -> Column:
    return Column(name, name, 100, _menu_state, empty=MenuState.EMPTY.value)


def _layout(names: dict[str, str]) -> Layout:
    """Return the column layout for the organizations in `names`."""

    def known_code(text: str) -> str:
        if text not in names:
            raise BadCell(
                english("no organization has the code {code}", code=shown(text)),
                "correct it, or import organizations first",
            )
        return text

    return layout(known_code)


def layout(known_code: Callable[[str], str]) -> Layout:
    """Return the column layout. `known_code` parses an organization's code, and raises BadCell for a wrong one."""
    return Layout(
        (
            Column("organization", "รหัส อปท.", 20, known_code, is_code=True),
            # Not checked cell by cell: a tenth of all 13-digit numbers pass the check of a national ID number. The
            # column is judged as a whole (Checks.end).
            Column("record_no", "เลขที่ทะเบียน", 40, refuse_undrawn, is_code=True),
            Column("full_name", "ชื่อ-สกุล", 200, _text),
            Column("category", "ประเภทบุคลากร", 40, _category),
            Column("position", "ตำแหน่ง", 200, _text),
            Column("level", "ระดับ", 100, _text, empty=""),
        ),
        further=_menu,
        max_further=MAX_MENUS,
        counts_ids=True,
        kind="personnel",
    )


class Checks:
    """The checks across the rows of a personnel file.

    Rows of the organizations `left_out` are skipped and counted; their problems are discarded.
    """

    def __init__(self, table: RowTable, problems: Problems, left_out: Collection[str] = ()) -> None:
        self._table = table
        self._left_out = left_out
        self._problems = problems
        self.code_column, self._number_column = table.headers[:2]
        self.menu_names = table.headers[len(RECORD) - 1 :]
        # The first line of each organization, and the line of each record_no by organization.
        self.lines: dict[str, int] = {}
        self._seen: dict[str, dict[str, int]] = {}
        # The number of skipped rows, by organization.
        self.rows_left_out: Counter[str] = Counter()

    def records(self, batch: list[Row]) -> list[tuple[str, ...]]:
        """Return the rows as tuples of RECORD, with the menus joined to one text.

        Adds a problem for each record_no that an organization has twice.
        """
        rows: list[tuple[str, ...]] = []
        if self._left_out:
            batch = self._without_left_out(batch)
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

    def _without_left_out(self, batch: list[Row]) -> list[Row]:
        left_out = [(line, cells[0]) for line, cells in batch if cells[0] in self._left_out]
        self.rows_left_out.update(code for _line, code in left_out)
        if self._problems and left_out:
            self._problems.forget({line for line, _code in left_out})
        return [row for row in batch if row[1][0] not in self._left_out]

    def end(self) -> None:
        """Add problems for columns that contain national ID numbers. Call it after the last row."""
        for name in self._table.national_id_columns():
            what = english("holds national ID numbers, which are not stored")
            self._problems.replace_column(name, what, english("delete the column or its numbers"))


@dataclass(frozen=True)
class LeftOut:
    """An organization whose rows were skipped, because its register is locked."""

    organization: str
    name: str
    rows: int


@dataclass(frozen=True)
class PersonnelResult(ImportResult):
    """The result of an import of personnel.

    `changes`: the changes of each organization's register, by code. `left_out`: the locked organizations that were
    skipped; `rows` does not count their rows.
    """

    changes: tuple[RegisterChange, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


# Callback with the changes of the file, called before anything is written.
Announce = Callable[[Sequence[RegisterChange]], None]


def _announce_nothing(_changes: Sequence[RegisterChange]) -> None:
    """An announce callback that does nothing."""


@dataclass
class _File:
    """What was read from a file: its menus, the first line of each organization, and the number of rows.

    `names` has the full names of all organizations. `origins` identifies the registers that `changes` refer to.
    """

    menu_names: list[str] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    code_column: str = ""
    rows: int = 0
    names: dict[str, str] = field(default_factory=dict)
    origins: dict[str, RosterOrigin] = field(default_factory=dict)
    changes: tuple[RegisterChange, ...] = ()
    # The number of skipped rows of locked organizations, by organization.
    left_out: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


async def _read(
    path: Path, layout: Layout, keep: _Keep, locked: Collection[str], problems: Problems, progress: Progress
) -> _File:
    """Check all rows, and pass them to `keep` in batches, without those of the organizations `locked`."""
    file = _File()
    with open_table(path, layout, problems) as table:
        checks = Checks(table, problems, locked)
        async for batch in read_rows(table, progress):
            await keep(checks.records(batch))
        checks.end()
        file.notes = tuple(table.notes())
        file.code_column, file.lines, file.left_out = checks.code_column, checks.lines, dict(checks.rows_left_out)
        file.rows = table.rows_seen - checks.rows_left_out.total()
        file.menu_names = checks.menu_names
    # A refused cell has become an empty text.
    file.lines.pop("", None)
    return file


def shown_name(path: Path) -> str:
    """Return the file name that reviews and certificates will show. Raises ImportRefused if it cannot be shown."""
    try:
        return clean(path.name)
    except BadCell as bad:
        what = english("the file's name {problem}", problem=bad.what)
        raise ImportRefused([Problem(None, None, what, english("rename the file"))]) from None


async def _replace(session: AsyncSession, codes: list[str], values: dict[str, object]) -> None:
    """Replace the organizations' records by the staged ones, and upsert their rosters with `values`."""
    code = STAGED.c.organization_code
    constants = [literal(value, Roster.__table__.c[name].type) for name, value in values.items()]
    rosters = conflict_insert(session, Roster).from_select(
        [code.name, *values], select(code, *constants).group_by(code)
    )
    rosters = rosters.on_conflict_do_update(
        index_elements=[code.name], set_={name: rosters.excluded[name] for name in values}
    )
    await session.execute(rosters)
    for chunk in chunks(codes):
        await session.execute(delete(PersonnelRecord).where(PersonnelRecord.organization_code.in_(chunk)))
    await session.execute(insert(PersonnelRecord).from_select(RECORD, select(STAGED)))


async def _keep_menu_names(session: AsyncSession, file: _File) -> None:
    """Restore the register's own spelling of the menu names, where they differ from the file's in spelling
    only.
    """
    alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for code, origin in file.origins.items():
        if origin.spelled_menus == tuple(file.menu_names) != origin.menu_names:
            alike[origin.menu_names].append(code)
    for menu_names, codes in alike.items():
        for chunk in chunks(codes):
            changed = update(Roster).where(Roster.organization_code.in_(chunk))
            await session.execute(changed.values(menu_names=list(menu_names)))


async def _leave_out_locked(session: AsyncSession, file: _File) -> None:
    """Remove organizations that were certified meanwhile from the staged rows."""
    code = STAGED.c.organization_code
    locked = sorted(await locked_organizations(session, set(file.lines)))
    for chunk in chunks(locked):
        counts = select(code, func.count()).where(code.in_(chunk)).group_by(code)
        for locked_code, rows in await session.execute(counts):
            file.left_out[locked_code] = rows
            file.rows -= rows
        await session.execute(delete(STAGED).where(code.in_(chunk)))
    for locked_code in locked:
        del file.lines[locked_code]
        file.origins.pop(locked_code, None)
    file.changes = tuple(change for change in file.changes if change.organization in file.lines)


async def _compare(session: AsyncSession, file: _File) -> None:
    """Set `file.origins` and `file.changes` by comparing the staged rows with the registers."""
    file.origins = await load_origins(session, sorted(file.lines))
    names = {code: file.names[code] for code in file.lines}
    file.changes = tuple(await compare_registers(session, names, file.origins, file.menu_names))


def _refuse_shrinking(file: _File, problems: Problems) -> None:
    """Add a problem for each register that would lose more than MAX_SHRINKING percent: the file may be
    incomplete.
    """
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
    """Add a problem for each register that was saved since the file was compared with it."""
    origins = await load_origins(session, sorted(file.lines))
    for code in sorted(file.lines):
        if origins.get(code) != file.origins.get(code):
            what = f"the register of {code} {file.names[code]} was saved again during the import"
            problems.add(file.lines[code], file.code_column, what, "check its changes and import again")


async def _check(
    database: Database, staged: Staging, path: Path, allow_shrink: bool, skip_locked: bool, progress: Progress
) -> _File:
    """Read the whole file and compare it with the database. Raises ImportRefused with all problems."""
    problems = Problems()
    async with database.read() as session:
        names = await organization_names(session)
        locked = await locked_organizations(session, set(names)) if skip_locked else set()
    file = await _read(path, _layout(names), staged.keep, locked, problems, progress)
    file.names = names
    await staged.end()
    progress("comparing", 0, file.rows)
    is_sound = not problems
    async with database.read(staged.connection) as session:
        if skip_locked:
            await _leave_out_locked(session, file)
        else:
            await refuse_locked(session, names, file.lines, file.code_column, problems)
        if is_sound:
            await _compare(session, file)
            # Commits the temporary table only: staged texts that now have the register's spelling keep it.
            await session.commit()
    if not allow_shrink:
        _refuse_shrinking(file, problems)
    problems.require_none()
    progress("comparing", file.rows, file.rows)
    return file


async def _write(
    database: Database,
    connection: AsyncConnection,
    file: _File,
    file_name: str,
    now: datetime,
    *,
    skip_locked: bool,
) -> None:
    problems = Problems()
    async with database.write(connection) as session:
        await lock_organizations(session, sorted(file.lines))
        # Check again under the lock: a register may have been certified or saved meanwhile.
        if skip_locked:
            await _leave_out_locked(session, file)
        else:
            await refuse_locked(session, file.names, file.lines, file.code_column, problems)
        await _refuse_changed(session, file, problems)
        problems.require_none()
        codes = sorted(file.lines)
        await _replace(session, codes, {"file_name": file_name, "imported_at": now, "menu_names": file.menu_names})
        await _keep_menu_names(session, file)
        details = {"what": "personnel", "file": file_name}
        await event_chain.record_all(
            session, [event_chain.Link(event_chain.Event.IMPORTED, code, details) for code in codes], now
        )


async def import_personnel(
    database: Database,
    path: Path,
    now: datetime,
    *,
    dry_run: bool = False,
    allow_shrink: bool = False,
    skip_locked: bool = False,
    announce: Announce = _announce_nothing,
    progress: Progress = no_progress,
) -> PersonnelResult:
    """Replace the rosters of the organizations in a CSV or XLSX file, all or none.

    Each roster stores the file's name and `now` (procedure, LAO step 2: what is about to be certified). `announce`
    is called with the changes before anything is written. Raises ImportRefused with all problems: invalid cells,
    unknown codes, national ID numbers, locked rosters, and, unless `allow_shrink`, rosters that would lose more
    than MAX_SHRINKING percent of their records.

    With `skip_locked`, organizations with locked rosters are skipped instead, with any problems of their rows,
    also those that are certified while the import runs.
    """
    file_name = shown_name(path)
    async with staging(database) as staged:
        file = await _check(database, staged, path, allow_shrink, skip_locked, progress)
        announce(file.changes)
        if not dry_run:
            progress("writing", 0, file.rows)
            await _write(database, staged.connection, file, file_name, now, skip_locked=skip_locked)
            progress("writing", file.rows, file.rows)
    unchanged = sum(change.totals.is_nothing and not change.is_first for change in file.changes)
    existing = len(file.origins)
    return PersonnelResult(
        file_name,
        dry_run,
        file.rows,
        len(file.lines) - existing,
        existing - unchanged,
        unchanged,
        notes=file.notes,
        changes=file.changes,
        left_out=tuple(LeftOut(code, file.names[code], rows) for code, rows in sorted(file.left_out.items())),
    )
