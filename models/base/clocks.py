"""How far clocks may be off, and how to treat a stored moment that no correct clock could have written.

A clock that ran ahead and was then corrected leaves timestamps in the future. Whatever waits for such a timestamp
would wait for as long as the clock was ahead.
"""

from datetime import datetime, timedelta

# With a larger offset nothing is certified, and timestamps of two machines are not compared.
LARGEST_OFFSET = timedelta(minutes=5)


def is_past(moment: datetime, lifetime: timedelta, now: datetime) -> bool:
    """Return whether something that began at `moment` has outlived its lifetime.

    A moment more than `lifetime` in the future counts as past too: a clock that was ahead wrote it, so its age is
    unknown.
    """
    return abs(now - moment) > lifetime


def is_ahead(moment: datetime, furthest: timedelta, now: datetime) -> bool:
    """Return whether `moment` must come from a clock that was ahead, given that a rule sets it at most `furthest`
    after now. Tolerates LARGEST_OFFSET, by which machines on one database may differ.
    """
    return moment - now > furthest + LARGEST_OFFSET
