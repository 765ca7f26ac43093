"""The difference between a register and a file: records are matched by number, menus by name."""

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.base.spelling import spelled
from models.register.draft import SentRoster
from models.register.roster import Category, Headcount, MenuState, Record


class ChangeKind(enum.StrEnum):
    """What happens to a record."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class RecordChange:
    """One record before and after. `before` is None for an added record, `after` for a removed one.

    `menus`: (name, before, after) of each menu that differs, among the menus that both registers have.
    """

    before: Record | None
    after: Record | None
    menus: tuple[tuple[str, MenuState, MenuState], ...] = ()

    @property
    def kind(self) -> ChangeKind:
        """Whether the record was added, removed or changed."""
        if self.before is None:
            return ChangeKind.ADDED
        return ChangeKind.REMOVED if self.after is None else ChangeKind.CHANGED

    @property
    def record(self) -> Record:
        """The record after the change; a removed one as it was before."""
        record = self.after or self.before
        assert record is not None  # noqa: S101 - at least one of the two exists
        return record


# How many records were added, removed or changed, by category.
Counts = Counter[tuple[ChangeKind, Category]]


@dataclass(frozen=True)
class Totals:
    """How much a file changes in a register. `counts` has no zeros."""

    before: Headcount
    after: Headcount
    new_menus: tuple[str, ...]
    gone_menus: tuple[str, ...]
    counts: Counts

    def count(self, kind: ChangeKind, category: Category | None = None) -> int:
        """Count the changes of one kind, in one category or in all.

        A record that changes its category counts in the new one.
        """
        return sum(self.counts[kind, counted] for counted in ([category] if category else Category))

    @property
    def is_nothing(self) -> bool:
        """Whether the register already equals the file."""
        return not (self.counts or self.new_menus or self.gone_menus)


@dataclass(frozen=True)
class Difference(Totals):
    """Everything that a file changes; `changes` is sorted by record_no."""

    with_empty_menus: int
    changes: tuple[RecordChange, ...]

    def of(self, kind: ChangeKind) -> list[RecordChange]:
        """Return the changes of one kind."""
        return [change for change in self.changes if change.kind is kind]


def respelled(sent: SentRoster, menu_names: Sequence[str], records: Sequence[Record]) -> SentRoster:
    """Return the file with the register's own spelling of each text that looks like the register's.

    A file's texts are normalized (models/base/spelling.py). A register that was stored before normalization
    existed may be spelled otherwise, and its digest depends on every character.
    """
    menus = {spelled(name): name for name in menu_names}
    # Two record numbers of an old register may look alike. The exact spelling then takes precedence.
    by_number = {spelled(old.record_no): old for old in records} | {old.record_no: old for old in records}
    respelled_records = tuple(
        _as_before(record, by_number[record.record_no]) if record.record_no in by_number else record
        for record in sent.records
    )
    return replace(
        sent, menu_names=tuple(menus.get(name, name) for name in sent.menu_names), records=respelled_records
    )


def _as_before(record: Record, before: Record) -> Record:
    texts = ("full_name", "position", "level")
    alike = {name: old for name in texts if spelled(old := getattr(before, name)) == getattr(record, name)}
    return record._replace(record_no=before.record_no, **alike)


def aligned(sent: SentRoster, menu_names: Sequence[str]) -> SentRoster:
    """Return the file with its menus in the register's order, if both have the same menus; else unchanged.

    So a file whose columns were only rearranged changes nothing.
    """
    if not menu_names or sorted(menu_names) != sorted(sent.menu_names):
        return sent
    places = [sent.menu_names.index(name) for name in menu_names]
    records = tuple(
        record._replace(menus="".join(record.menus[place] for place in places)) for record in sent.records
    )
    return replace(sent, menu_names=tuple(menu_names), records=records)


def compare(menu_names: Sequence[str], records: Sequence[Record], sent: SentRoster) -> Difference:
    """Return what the file changes in a register with these menus and records.

    The caller passes the file through `respelled` and `aligned` first.
    """
    old = {record.record_no: record for record in records}
    new = {record.record_no: record for record in sent.records}
    common_menus = [
        (name, place, sent.menu_names.index(name))
        for place, name in enumerate(menu_names)
        if name in sent.menu_names
    ]
    changes = [RecordChange(None, new[number]) for number in new.keys() - old.keys()]
    changes += [RecordChange(old[number], None) for number in old.keys() - new.keys()]
    for number in new.keys() & old.keys():
        before, after = old[number], new[number]
        menus = tuple(
            (name, MenuState(before.menus[old_place]), MenuState(after.menus[new_place]))
            for name, old_place, new_place in common_menus
            if before.menus[old_place] != after.menus[new_place]
        )
        if menus or before[:-1] != after[:-1]:
            changes.append(RecordChange(before, after, menus))
    return Difference(
        before=Headcount.count(record.category for record in records),
        after=Headcount.count(record.category for record in sent.records),
        new_menus=tuple(name for name in sent.menu_names if name not in menu_names),
        gone_menus=tuple(name for name in menu_names if name not in sent.menu_names),
        counts=Counter((change.kind, change.record.category) for change in changes),
        with_empty_menus=sum(MenuState.EMPTY in record.menus for record in sent.records),
        changes=tuple(sorted(changes, key=lambda change: change.record.record_no)),
    )
