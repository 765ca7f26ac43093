"""Comparison of a register's headcount with the last round's: which categories need an explanation.

The threshold `percent` is the setting LAOCERT_DIFFERENCE_PERCENT, in percent of the last round's number of a
category.
"""

from models.register.roster import Category, Headcount

# At this threshold and above, no difference needs an explanation.
NEVER = 100


def is_beyond(now: int, before: int, percent: int) -> bool:
    """Return whether a number differs from the last round's by more than `percent`. From 0, every change does."""
    return percent < NEVER and abs(now - before) * 100 > percent * before


def marked(now: Headcount, before: Headcount | None, percent: int) -> tuple[Category, ...]:
    """Return the categories that differ by more than `percent`; none if there is no headcount `before`."""
    if before is None:
        return ()
    return tuple(category for category in Category if is_beyond(now.of(category), before.of(category), percent))


def numbers(headcount: Headcount) -> str:
    """Format a headcount as the key of an explanation: `9/3/5`. An explanation holds for these numbers only."""
    return "/".join(str(headcount.of(category)) for category in Category)
