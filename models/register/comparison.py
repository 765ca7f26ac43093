"""A register's numbers beside the last round's: the difference, and whether it must be explained.

The share is the setting LAOCERT_DIFFERENCE_PERCENT, in percent of the last round's number of a category.
"""

from models.register.roster import Category, Headcount

# From here on nothing is ever marked.
NEVER = 100


def is_beyond(now: int, before: int, percent: int) -> bool:
    """Whether a number differs from the last round's by more than the share; from 0 any other number does."""
    return percent < NEVER and abs(now - before) * 100 > percent * before


def marked(now: Headcount, before: Headcount | None, percent: int) -> tuple[Category, ...]:
    """The categories that differ by more than the share; none where there is nothing to compare with."""
    if before is None:
        return ()
    return tuple(one for one in Category if is_beyond(now.of(one), before.of(one), percent))


def numbers(headcount: Headcount) -> str:
    """The numbers as the subject of an explanation: `9/3/5`. Other numbers want another explanation."""
    return "/".join(str(headcount.of(category)) for category in Category)
