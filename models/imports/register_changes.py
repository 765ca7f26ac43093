"""The changes of each register by an import of personnel, counted in SQL against the staged rows.

The numbers equal those of models/register/difference.py for one register, without half a million records in
memory.
"""

import enum
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.spelling import spelled
from models.imports.common import chunks
from models.imports.register_spelling import index_staged, keep_numbers, keep_texts, may_look_alike
from models.imports.staging import STAGED
from models.register.difference import ChangeKind, Counts, Totals
from models.register.roster import Category, Headcount, PersonnelRecord, Roster

# Percent of a register's records. A file that would remove more is taken for an incomplete register.
MAX_SHRINKING = 30


@dataclass(frozen=True)
class RosterOrigin:
    """The import that a register comes from. While it stays the same, the register's records are the same."""

    file_name: str
    imported_at: datetime
    menu_names: tuple[str, ...]

    @property
    def spelled_menus(self) -> tuple[str, ...]:
        """The menu names in the normalized spelling, which files have."""
        return tuple(map(spelled, self.menu_names))


@dataclass(frozen=True)
class RegisterChange:
    """What a file changes in the register of one organization. `is_first`: the organization has no register
    yet.
    """

    organization: str
    name: str
    is_first: bool
    totals: Totals

    @property
    def shrinks(self) -> bool:
        """Whether the register would lose more than MAX_SHRINKING percent of its records."""
        before = self.totals.before.total
        return (before - self.totals.after.total) * 100 > before * MAX_SHRINKING


async def load_origins(session: AsyncSession, codes: Sequence[str]) -> dict[str, RosterOrigin]:
    """Return the origin of each register of these organizations, by code. Those without a register are left
    out.
    """
    columns = Roster.organization_code, Roster.file_name, Roster.imported_at, Roster.menu_names
    origins = {}
    for chunk in chunks(codes):
        for code, file_name, imported_at, menu_names in await session.execute(
            select(*columns).where(Roster.organization_code.in_(chunk))
        ):
            origins[code] = RosterOrigin(file_name, imported_at, tuple(menu_names))
    return origins


async def compare_registers(
    session: AsyncSession, names: dict[str, str], origins: dict[str, RosterOrigin], menu_names: Sequence[str]
) -> list[RegisterChange]:
    """Return what the staged rows change in each organization's register, sorted by code.

    `names`: the organizations' full names by code. `origins`: the origins of their registers. `menu_names`: the
    menus of the staged rows. Updates staged texts that look like the register's to the register's spelling.
    """
    await keep_numbers(session, sorted(origins))
    before = await _headcounts(session, PersonnelRecord, sorted(origins))
    after = await _headcounts(session, STAGED.c)
    counts = await _count_changes(session, origins, tuple(menu_names), before, after)
    changes = []
    for code in sorted(names):
        old_menus = origins[code].spelled_menus if code in origins else ()
        totals = Totals(
            before=Headcount(*(before[code][category] for category in Category)),
            after=Headcount(*(after[code][category] for category in Category)),
            new_menus=tuple(name for name in menu_names if name not in old_menus),
            gone_menus=tuple(name for name in old_menus if name not in menu_names),
            counts=+counts[code],
        )
        changes.append(RegisterChange(code, names[code], code not in origins, totals))
    return changes


# Records of each category, by organization.
_Headcounts = defaultdict[str, Counter[Category]]


async def _headcounts(session: AsyncSession, columns: Any, codes: Sequence[str] | None = None) -> _Headcounts:
    """Count the rows of a table by organization and category; with `codes`, of these organizations only.

    `columns` has `organization_code` and `category`.
    """
    headcounts: _Headcounts = defaultdict(Counter)
    key = columns.organization_code, columns.category
    statements = [select(*key, func.count()).group_by(*key)]
    if codes is not None:
        statements = [statements[0].where(columns.organization_code.in_(chunk)) for chunk in chunks(codes)]
    for statement in statements:
        for code, category, count in await session.execute(statement):
            headcounts[code][Category(category)] = count
    return headcounts


async def _count_changes(
    session: AsyncSession,
    origins: dict[str, RosterOrigin],
    menu_names: tuple[str, ...],
    before: _Headcounts,
    after: _Headcounts,
) -> defaultdict[str, Counts]:
    """Count the added, removed and changed records of each register.

    Counts all staged records as added and all stored ones as removed, then corrects both by the records that
    match.
    """
    counts: defaultdict[str, Counts] = defaultdict(Counter)
    for code, categories in after.items():
        counts[code].update({(ChangeKind.ADDED, category): count for category, count in categories.items()})
    for code, categories in before.items():
        counts[code].update({(ChangeKind.REMOVED, category): count for category, count in categories.items()})
    matches = await _matches(session, origins, menu_names)
    if any(match.change == _Change.MAY_LOOK_ALIKE for match in matches):
        await keep_texts(session)
        matches = await _matches(session, origins, menu_names)
    for match in matches:
        code, old, new = match.organization, Category(match.category), Category(match.new_category)
        counts[code][ChangeKind.REMOVED, old] -= match.number
        counts[code][ChangeKind.ADDED, new] -= match.number
        if match.change != _Change.NONE:
            counts[code][ChangeKind.CHANGED, new] += match.number
    return counts


class _Change(enum.IntEnum):
    """Whether two records with the same number differ otherwise."""

    NONE = 0
    # A text differs, and a stored one is not in the normalized spelling.
    MAY_LOOK_ALIKE = 1
    CERTAIN = 2


class _Match(NamedTuple):
    """A group of `number` records that are stored and staged: their old and new category, and a _Change value."""

    organization: str
    category: str
    new_category: str
    change: int
    number: int


async def _matches(
    session: AsyncSession, origins: dict[str, RosterOrigin], menu_names: tuple[str, ...]
) -> list[_Match]:
    """Group all records whose number is both stored and staged."""
    with_menus: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for code, origin in origins.items():
        with_menus[origin.spelled_menus].append(code)
    if len(with_menus) > 1:
        # One query for each list of menus, and there may be as many lists as registers.
        await index_staged(session)
    matches: list[_Match] = []
    for old_menus, codes in with_menus.items():
        matches += await _matches_with(session, old_menus, menu_names, codes if len(with_menus) > 1 else None)
    return matches


async def _matches_with(
    session: AsyncSession, old_menus: tuple[str, ...], menu_names: tuple[str, ...], codes: Collection[str] | None
) -> list[_Match]:
    """Return the matches in registers that have the menus `old_menus`; with `codes`, of these organizations
    only.
    """
    record, staged = PersonnelRecord, STAGED.c
    differs = or_(
        *(getattr(record, name) != staged[name] for name in ("full_name", "category", "position", "level")),
        _menus_differ(old_menus, menu_names),
    )
    # One column to group by. CASE evaluates the regular expression only where something differs.
    change = case(
        (~differs, _Change.NONE.value),
        (may_look_alike(), _Change.MAY_LOOK_ALIKE.value),
        else_=_Change.CERTAIN.value,
    )
    same = and_(record.organization_code == staged.organization_code, record.record_no == staged.record_no)
    columns = (
        staged.organization_code,
        record.category,
        staged.category.label("new_category"),
        change.label("change"),
    )
    statement = select(*columns, func.count()).select_from(STAGED.join(record, same)).group_by(*columns)
    statements = [statement]
    if codes is not None:
        statements = [statement.where(record.organization_code.in_(chunk)) for chunk in chunks(sorted(codes))]
    matches: list[_Match] = []
    for statement in statements:
        matches += [_Match(*row) for row in await session.execute(statement)]
    return matches


def _menus_differ(old_menus: tuple[str, ...], menu_names: tuple[str, ...]) -> ColumnElement[bool]:
    """SQL condition: a menu that both sides have differs. `menus` has one letter for each name, in their order."""
    old, new = PersonnelRecord.menus, STAGED.c.menus
    if old_menus == menu_names:
        return old != new
    places = [
        (place + 1, menu_names.index(name) + 1) for place, name in enumerate(old_menus) if name in menu_names
    ]
    differing = [func.substr(old, here, 1) != func.substr(new, there, 1) for here, there in places]
    return or_(false(), *differing)
