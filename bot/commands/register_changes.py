"""What an import of personnel changes, as lines for the terminal and as facts for JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence

from models.imports import RegisterChange
from models.register.difference import ChangeKind, Totals
from models.register.roster import Category, Headcount

# Registers that are listed, those with the most changes; a national import changes thousands.
SHOWN = 10
# Menus of one register that are named; a register may have 200.
_MENUS_SHOWN = 5


def lines(changes: Sequence[RegisterChange]) -> Iterator[str]:
    """Lines with the totals by category, then the registers with the most changes."""
    total = _total(changes)
    yield f"registers in the file: {len(changes):,}, of which {sum(map(_is_changed, changes)):,} change"
    for category in Category:
        yield f"  {category.value}: {_numbers(total, category)}"
    yield f"  total: {_numbers(total)}"
    largest = sorted(filter(_is_changed, changes), key=_weight)
    if len(largest) > SHOWN:
        yield f"the {SHOWN} that change most (all with --json):"
    for change in largest[:SHOWN]:
        note = " (first import)" if change.is_first else ""
        yield f"  {change.organization} {change.name}{note}: {_numbers(change.totals)}{_menus(change)}"


def facts(changes: Sequence[RegisterChange]) -> dict[str, object]:
    """The totals and the changes of all registers, as values for JSON."""
    return {
        "total": _facts(_total(changes)),
        "organizations": [
            {
                "organization": change.organization,
                "name": change.name,
                "first_import": change.is_first,
                **_facts(change.totals),
                "new_menus": change.totals.new_menus,
                "gone_menus": change.totals.gone_menus,
            }
            for change in changes
        ],
    }


def _is_changed(change: RegisterChange) -> bool:
    return not change.totals.is_nothing


def _weight(change: RegisterChange) -> tuple[int, str]:
    return -sum(change.totals.counts.values()), change.organization


def _total(changes: Sequence[RegisterChange]) -> Totals:
    """The sums over all registers."""
    counts: Counter[tuple[ChangeKind, Category]] = Counter()
    for change in changes:
        counts.update(change.totals.counts)
    return Totals(
        before=_sum([change.totals.before for change in changes]),
        after=_sum([change.totals.after for change in changes]),
        new_menus=(),
        gone_menus=(),
        counts=counts,
    )


def _sum(headcounts: Sequence[Headcount]) -> Headcount:
    return Headcount(*(sum(headcount.of(category) for headcount in headcounts) for category in Category))


def _of(headcount: Headcount, category: Category | None) -> int:
    return headcount.of(category) if category else headcount.total


def _numbers(totals: Totals, category: Category | None = None) -> str:
    counts = ", ".join(f"{totals.count(kind, category):,} {kind.value}" for kind in ChangeKind)
    return f"{_of(totals.before, category):,} → {_of(totals.after, category):,} records; {counts}"


def _facts(totals: Totals) -> dict[str, object]:
    return {**_counts(totals), "categories": {category.value: _counts(totals, category) for category in Category}}


def _counts(totals: Totals, category: Category | None = None) -> dict[str, int]:
    numbers = {"before": _of(totals.before, category), "after": _of(totals.after, category)}
    return numbers | {kind.value: totals.count(kind, category) for kind in ChangeKind}


def _menus(change: RegisterChange) -> str:
    """The menus that a register gains and loses; empty for a first import."""
    if change.is_first:
        return ""
    named = ("new menus", change.totals.new_menus), ("menus that go", change.totals.gone_menus)
    return "".join(f"; {what}: {_first(names)}" for what, names in named if names)


def _first(names: Sequence[str]) -> str:
    more = len(names) - _MENUS_SHOWN
    return ", ".join(names[:_MENUS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
