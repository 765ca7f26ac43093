"""What a file would change in a register: records by their numbers, menus by their names."""

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.base.spelling import spelled
from models.register.draft import SentRoster
from models.register.roster import Category, Headcount, MenuState, Record


class ChangeKind(enum.StrEnum):
    """What becomes of a record."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class RecordChange:
    """One record before and after; None where there is none. `menus`: (name, before, after) of those that differ
    among the menus that both registers have.
    """

    before: Record | None
    after: Record | None
    menus: tuple[tuple[str, MenuState, MenuState], ...] = ()

    @property
    def kind(self) -> ChangeKind:
        """Whether it comes, goes or stays."""
        if self.before is None:
            return ChangeKind.ADDED
        return ChangeKind.REMOVED if self.after is None else ChangeKind.CHANGED

    @property
    def record(self) -> Record:
        """As it will be; a removed one as it was."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - one of the two is there
        return found


# How many records come, go or change, by their category.
Counts = Counter[tuple[ChangeKind, Category]]


@dataclass(frozen=True)
class Totals:
    """What a file changes in a register, as numbers; `counts` has only what is not zero."""

    before: Headcount
    after: Headcount
    new_menus: tuple[str, ...]
    gone_menus: tuple[str, ...]
    counts: Counts

    def count(self, kind: ChangeKind, category: Category | None = None) -> int:
        """How many records come, go or change, of one category or all; one that changes its category counts
        where it comes to.
        """
        return sum(self.counts[kind, one] for one in ([category] if category else Category))

    @property
    def is_nothing(self) -> bool:
        """Whether the register already is as the file says."""
        return not (self.counts or self.new_menus or self.gone_menus)


@dataclass(frozen=True)
class Difference(Totals):
    """All that a file changes; `changes` in order of record_no."""

    with_empty_menus: int
    changes: tuple[RecordChange, ...]

    def of(self, kind: ChangeKind) -> list[RecordChange]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind is kind]


def respelled(sent: SentRoster, menu_names: Sequence[str], records: Sequence[Record]) -> SentRoster:
    """The file with each text that looks like the register's as the register spells it.

    The texts of a file are in one spelling (models/base/spelling.py). A register may have been stored before there
    was one, and its digest rests on its letters.
    """
    menus = {spelled(name): name for name in menu_names}
    # Two numbers of an old register may look alike: then each is found by its own letters.
    numbers = {spelled(one.record_no): one for one in records} | {one.record_no: one for one in records}
    respelled_records = tuple(
        _as_before(record, numbers[record.record_no]) if record.record_no in numbers else record
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
    """The file with its menus in the order of a register that has the same ones: columns may be moved about."""
    if not menu_names or sorted(menu_names) != sorted(sent.menu_names):
        return sent
    places = [sent.menu_names.index(name) for name in menu_names]
    records = tuple(
        record._replace(menus="".join(record.menus[place] for place in places)) for record in sent.records
    )
    return replace(sent, menu_names=tuple(menu_names), records=records)


def compare(menu_names: Sequence[str], records: Sequence[Record], sent: SentRoster) -> Difference:
    """What the file changes in a register with these menus and records; it has been aligned with it."""
    old, new = {one.record_no: one for one in records}, {one.record_no: one for one in sent.records}
    both = [
        (name, place, sent.menu_names.index(name))
        for place, name in enumerate(menu_names)
        if name in sent.menu_names
    ]
    changes = [RecordChange(None, new[number]) for number in new.keys() - old.keys()]
    changes += [RecordChange(old[number], None) for number in old.keys() - new.keys()]
    for number in new.keys() & old.keys():
        before, after = old[number], new[number]
        menus = tuple(
            (name, MenuState(before.menus[place]), MenuState(after.menus[there]))
            for name, place, there in both
            if before.menus[place] != after.menus[there]
        )
        if menus or before[:-1] != after[:-1]:
            changes.append(RecordChange(before, after, menus))
    return Difference(
        before=Headcount.count(one.category for one in records),
        after=Headcount.count(one.category for one in sent.records),
        new_menus=tuple(name for name in sent.menu_names if name not in menu_names),
        gone_menus=tuple(name for name in menu_names if name not in sent.menu_names),
        counts=Counter((change.kind, change.record.category) for change in changes),
        with_empty_menus=sum(MenuState.EMPTY in one.menus for one in sent.records),
        changes=tuple(sorted(changes, key=lambda change: change.record.record_no)),
    )
