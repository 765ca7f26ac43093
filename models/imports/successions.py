"""Import of successions, by which organizations continue as others: `laocert organization succeed`.

models/succession carries them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Role, normalize_username
from models.certification.certificate import Certification, is_live
from models.database.engine import Database
from models.imports.common import lock_organizations, no_progress, read_rows
from models.imports.organizations import organization_code, province_code
from models.imports.tabular import BadCell, Column, Layout, Problems, open_table, shown
from models.imports.tabular.cells import printed_name
from models.organizations.organization import TYPES, EndKind, Organization, Province, ends_among, how_it_ended
from models.rounds.round import Round, RoundState
from models.succession.decision import Decision
from models.succession.ending import hold_people
from models.succession.succeeding import (
    ONE_TO_ONE,
    Founding,
    Outcome,
    Predecessor,
    Succession,
    look_at_succession,
    succeed,
)

DONE_NOTHING = "nothing was done"
_KINDS = {
    "upgrade": EndKind.UPGRADE,
    "เปลี่ยนฐานะ": EndKind.UPGRADE,
    "move": EndKind.MOVE,
    "ย้ายจังหวัด": EndKind.MOVE,
    "merger": EndKind.MERGER,
    "รวม": EndKind.MERGER,
}


def _kind(text: str) -> str:
    try:
        return _KINDS[text.casefold()].value
    except KeyError:
        mend = "write upgrade (เปลี่ยนฐานะ), move (ย้ายจังหวัด) or merger (รวม)"
        raise BadCell(f"{shown(text)} is no kind of succession", mend) from None


def _type(text: str) -> str:
    if text not in TYPES:
        raise BadCell(f"{shown(text)} is no type of organization", f"write one of {', '.join(TYPES)}")
    return text


def _further(name: str) -> Column | None:
    """Return the optional column with this header; None for an unknown header."""
    columns = {
        "province_th": Column("province_th", "จังหวัด", 100, printed_name, empty=""),
        "province_en": Column("province_en", "จังหวัด (อังกฤษ)", 100, printed_name, empty=""),
        "account": Column("account", "ชื่อผู้ใช้", 64, normalize_username, empty="", is_code=True),
    }
    header = name.strip().casefold()
    return next((column for column in columns.values() if header in (column.name, column.thai)), None)


LAYOUT = Layout(
    (
        Column("from", "รหัส อปท. เดิม", 20, organization_code, is_code=True),
        Column("to", "รหัส อปท. ใหม่", 20, organization_code, is_code=True),
        Column("kind", "การเปลี่ยนแปลง", 20, _kind),
        Column("name", "ชื่อ อปท.", 200, printed_name, empty=""),
        Column("type", "ประเภท อปท.", 60, _type, empty=""),
        Column("district", "อำเภอ", 100, printed_name, empty=""),
        Column("province", "รหัสจังหวัด", 2, province_code, empty="", is_code=True),
    ),
    further=_further,
    max_further=3,
    kind="successions",
)
FOUNDING = ("name", "type", "district", "province")


@dataclass(frozen=True)
class _Row:
    """One line: the organization that ends (`old`) and its successor (`new`). `cells`: texts by column name."""

    line: int
    cells: dict[str, str]

    @property
    def old(self) -> str:
        return self.cells["from"]

    @property
    def new(self) -> str:
        return self.cells["to"]


@dataclass
class _File:
    """All lines, and the file's headers by column name."""

    rows: list[_Row] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def group(self) -> dict[str, list[_Row]]:
        """Return the lines of each successor, by its code."""
        groups: dict[str, list[_Row]] = {}
        for row in self.rows:
            groups.setdefault(row.new, []).append(row)
        return groups


@dataclass(frozen=True)
class _Existing:
    """What the database has of everything that a file mentions.

    `organizations`, `ends` (how each ended, in words), `provinces` by code; `accounts` by username. `certified`:
    the codes certified in the open round, whose fiscal year is `year`. `represented`: the codes of provinces with
    an account that is not disabled.
    """

    organizations: dict[str, Organization]
    ends: dict[str, str]
    certified: set[str]
    year: int | None
    provinces: dict[str, Province]
    represented: set[str]
    accounts: dict[str, Account]


async def _read(path: Path, problems: Problems) -> _File:
    file = _File()
    with open_table(path, LAYOUT, problems) as table:
        names = [column.name for column in LAYOUT.columns]
        for header in table.headers[len(names) :]:
            column = _further(header)
            names.append(column.name if column else header)
        file.headers = dict(zip(names, table.headers, strict=True))
        async for batch in read_rows(table, no_progress):
            file.rows += [_Row(line, dict(zip(names, cells, strict=True))) for line, cells in batch]
    return file


class _Check:
    """Checks a file against itself and the database, and adds a problem for everything that is wrong."""

    def __init__(self, file: _File, existing: _Existing, problems: Problems, *, reopens: bool) -> None:
        self._file, self._existing, self._problems, self._reopens = file, existing, problems, reopens

    def _note(self, row: _Row, column: str, what: str, mend: str) -> None:
        self._problems.add(row.line, self._file.headers.get(column, column), what, mend)

    def successions(self) -> list[Succession]:
        """Return one succession for each successor, in the file's order. Valid only if no problem was added."""
        self._check_predecessors()
        return [self._succession(code, rows) for code, rows in self._file.group().items() if code]

    def _check_predecessors(self) -> None:
        first: dict[str, int] = {}
        successors = {row.new: row.line for row in self._file.rows}
        for row in self._file.rows:
            if not row.old:
                continue
            before = first.setdefault(row.old, row.line)
            if before != row.line:
                mend = "keep one of the two: an organization has one successor"
                self._note(row, "from", f"{shown(row.old)} is on line {before} already", mend)
            elif row.old in successors:
                line = successors[row.old]
                what = f"{shown(row.old)} ends here and is a successor on line {line}: a cycle or a chain"
                self._note(row, "from", what, "write each organization's last successor, or use two files")
            elif row.old in self._existing.ends:
                self._note(row, "from", f"{self._existing.ends[row.old]} already", "leave the line out")
            elif row.old not in self._existing.organizations:
                what = f"there is no organization {shown(row.old)}"
                self._note(row, "from", what, "correct the code, see: laocert account list")

    def _succession(self, code: str, rows: list[_Row]) -> Succession:
        kind = EndKind(rows[0].cells["kind"]) if rows[0].cells["kind"] else EndKind.MERGER
        for row in rows[1:]:
            if row.cells["kind"] != rows[0].cells["kind"]:
                what = f"{shown(code)} has another kind of succession on line {rows[0].line}"
                self._note(row, "kind", what, "write merger in all of its lines")
            elif kind in ONE_TO_ONE:
                what = f"{shown(code)} succeeds another organization too, on line {rows[0].line}"
                self._note(row, "to", what, "write merger in both lines")
        successor = self._existing.organizations.get(code)
        founding = None
        if code in self._existing.ends:
            self._note(rows[0], "to", self._existing.ends[code], "write the code of its successor")
        elif successor is None:
            founding = self._founding(code, kind, rows)
        else:
            self._check_existing(successor, rows)
        is_certified = code in self._existing.certified
        if is_certified and not self._reopens:
            what = f"{code} is certified in the open round {self._existing.year} and locked"
            self._note(rows[0], "to", what, "add --reopen, which ends its revision, or wait for the round's end")
        predecessors = tuple(self._predecessor(code, kind, row, rows) for row in rows)
        return Succession(code, kind, predecessors, founding, reopens=is_certified)

    def _founding(self, code: str, kind: EndKind, rows: list[_Row]) -> Founding:
        """Return the description of a new successor. At least one of its lines must give each column of FOUNDING,
        and its lines must not contradict each other.
        """
        if kind is EndKind.MERGER and len(rows) == 1:
            what = f"{shown(code)} is new and succeeds one organization only"
            self._note(rows[0], "kind", what, "write upgrade or move, or all organizations that merge")
        words: dict[str, str] = {}
        for column in (*FOUNDING, "province_th", "province_en"):
            filled_rows = [row for row in rows if row.cells.get(column)]
            words[column] = filled_rows[0].cells[column] if filled_rows else ""
            for row in filled_rows[1:]:
                if row.cells[column] != words[column]:
                    what = f"{shown(code)} has another {column} on line {filled_rows[0].line}"
                    self._note(row, column, what, "write the same, or leave it empty")
            if not filled_rows and column in FOUNDING:
                self._note(rows[0], column, f"{shown(code)} is no organization yet", f"fill in its {column}")
        province_row = next((row for row in rows if row.cells["province"]), rows[0])
        return Founding(
            type_th=words["type"],
            type_code=TYPES.get(words["type"], ""),
            name_th=words["name"],
            district_th=words["district"],
            province_code=words["province"],
            province=self._province(province_row, words),
        )

    def _province(self, row: _Row, words: dict[str, str]) -> tuple[str, str] | None:
        """Return the Thai and English names of a new province; None for an existing one.

        The file may give an existing province's names only as they are.
        """
        code = words["province"]
        province = self._existing.provinces.get(code)
        if not code:
            return None
        if province is None:
            for column in ("province_th", "province_en"):
                if not words[column]:
                    what = f"there is no province {code}"
                    self._note(row, column, what, f"correct the code, or fill in its {column}")
            return words["province_th"], words["province_en"]
        self._check_represented(row, "province", code)
        for column, name in (("province_th", province.name_th), ("province_en", province.name_en)):
            if words[column] not in ("", name):
                self._note(row, column, f"province {code} is called {name}", "leave it empty")
        return None

    def _check_represented(self, row: _Row, column: str, code: str) -> None:
        if code not in self._existing.represented:
            what = f"province {code} has no account in use, so that nobody could certify there"
            self._note(row, column, what, "import one first: laocert import accounts")

    def _check_existing(self, successor: Organization, rows: list[_Row]) -> None:
        self._check_represented(rows[0], "to", successor.province_code)
        current_words = {
            "name": successor.name_th,
            "type": successor.type_th,
            "district": successor.district_th,
            "province": successor.province_code,
        }
        for row in rows:
            for column, word in current_words.items():
                if row.cells[column] not in ("", word):
                    what = f"{successor.dla_code} is an organization already, with the {column} {word}"
                    self._note(row, column, what, "leave it empty; to rename: laocert organization rename")

    def _predecessor(self, code: str, kind: EndKind, row: _Row, rows: list[_Row]) -> Predecessor:
        username = row.cells.get("account") or None
        if username is None:
            return Predecessor(row.old)
        account = self._existing.accounts.get(username)
        if kind in ONE_TO_ONE:
            self._note(row, "account", f"all accounts of {row.old} move to the successor", "leave it empty")
        elif account is None or account.role is not Role.LAO:
            self._note(row, "account", f"there is no account {shown(username)} of an organization", "correct it")
        elif account.disabled_at is not None:
            mend = f"run: laocert account enable {username}"
            self._note(row, "account", f"{username} is disabled", mend)
        else:
            self._check_owner(code, row, rows, account)
        return Predecessor(row.old, username)

    def _check_owner(self, code: str, row: _Row, rows: list[_Row], account: Account) -> None:
        """Check that the account belongs to the successor, or to a predecessor whose line names it too."""
        owner = account.organization_code
        if owner == code:
            return
        own = next((other for other in rows if other.old == owner), None)
        if own is None:
            what = f"{account.username} is the account of {owner}"
            self._note(row, "account", what, f"name one of {code} or of those that it succeeds")
        elif own.cells.get("account") != account.username:
            what = f"{account.username} moves to the successor only if the line of {owner} names it too"
            self._note(row, "account", what, f"write it in line {own.line} as well")


async def _load(session: AsyncSession, file: _File) -> _Existing:
    codes = {code for row in file.rows for code in (row.old, row.new) if code}
    organizations = await session.scalars(
        select(Organization).where(Organization.dla_code.in_(codes)).execution_options(populate_existing=True)
    )
    ends = await ends_among(session, codes)
    year = await session.scalar(select(Round.fiscal_year).where(Round.state == RoundState.OPEN))
    certified = await session.scalars(
        select(Certification.organization_code)
        .join(Round, Round.id == Certification.round_id)
        .where(Round.state == RoundState.OPEN, Certification.organization_code.in_(codes), is_live(Certification))
    )
    named = {row.cells["account"] for row in file.rows if row.cells.get("account")}
    accounts = await session.scalars(
        select(Account).where(Account.username.in_(named)).execution_options(populate_existing=True)
    )
    represented = await session.scalars(
        select(Account.province_code).where(Account.province_code.is_not(None), Account.disabled_at.is_(None))
    )
    return _Existing(
        organizations={organization.dla_code: organization for organization in organizations},
        ends={code: how_it_ended(end) for code, end in ends.items()},
        certified=set(certified),
        year=year,
        provinces={province.code: province for province in await session.scalars(select(Province))},
        represented={code for code in represented if code is not None},
        accounts={account.username: account for account in accounts},
    )


async def _check(session: AsyncSession, file: _File, problems: Problems, *, reopens: bool) -> list[Succession]:
    """Return the successions of the file. Raises ImportRefused with all problems."""
    successions = _Check(file, await _load(session, file), problems, reopens=reopens).successions()
    problems.require_none()
    return successions


async def succeed_from_file(
    database: Database,
    path: Path,
    decision: Decision,
    now: datetime,
    *,
    reopens: bool = False,
    dry_run: bool = False,
) -> Sequence[Outcome]:
    """Carry out the successions of a CSV or XLSX file, all or none, and return their outcomes.

    With `reopens`, successors that are certified in the open round are reopened. With `dry_run`, nothing is
    written. Raises ImportRefused with all problems of the file and everything that prevents a succession.
    """
    problems = Problems(outcome=DONE_NOTHING)
    file = await _read(path, problems)
    async with database.read() as session:
        successions = await _check(session, file, problems, reopens=reopens)
        if dry_run:
            return [await look_at_succession(session, succession) for succession in successions]
    async with database.write() as session:
        codes = sorted({row.old for row in file.rows})
        named = {row.cells["account"] for row in file.rows if row.cells.get("account")}
        people = await hold_people(session, codes, named)
        await lock_organizations(session, sorted({*codes, *(row.new for row in file.rows)}))
        # Check again under the locks: something may have changed meanwhile.
        successions = await _check(session, file, Problems(outcome=DONE_NOTHING), reopens=reopens)
        return await succeed(session, successions, people, decision, now)
