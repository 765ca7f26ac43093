"""How far clocks may be off, and what is made of a moment that lies where no right clock could have put it.

A clock that was ahead and was set right leaves moments behind that are still to come: what was done, or begun, in
the future. What waits for such a moment would wait as long as the clock was ahead.
"""

from datetime import datetime, timedelta

# Beyond this nothing is certified, and moments that two machines have noted are not compared any more.
LARGEST_OFFSET = timedelta(minutes=5)


def is_past(moment: datetime, lifetime: timedelta, now: datetime) -> bool:
    """Whether what was begun at `moment` has outlived its lifetime.

    So has what lies as far ahead: it was begun under a clock that was ahead, and how long ago is not known.
    """
    return abs(now - moment) > lifetime


def is_ahead(moment: datetime, furthest: timedelta, now: datetime) -> bool:
    """Whether a moment that a rule puts at most `furthest` ahead was put there by a clock that was ahead itself.

    Machines on one database may differ by LARGEST_OFFSET.
    """
    return moment - now > furthest + LARGEST_OFFSET
