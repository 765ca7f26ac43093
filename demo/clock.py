"""The demonstration's clock: the machine's, moved on by what a file in its folder says.

The bot reads the same file at every look at its clock, so it sees a jump at once and keeps it when it is killed
and started again; a kept folder goes on at the time that it had come to.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

# In the demonstration's folder: the seconds by which the clock is ahead of the machine's.
FILE = "clock"


class GoesBack(ValueError):
    """The clock moves forward only: what is certified bears its time, and the record its order."""


class MovedClock:
    """Gives the moved time, aware and in UTC; the file may be moved on by another process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> datetime:
        """The time now."""
        return datetime.now(UTC) + self.ahead

    def timestamp(self) -> float:
        """The same as seconds since 1970."""
        return self().timestamp()

    @property
    def ahead(self) -> timedelta:
        """How far it is ahead of the machine's clock."""
        try:
            return timedelta(seconds=float(self._path.read_text()))
        except FileNotFoundError:
            return timedelta(0)

    def move(self, to: datetime) -> None:
        """Move on to a moment, from which it runs as before. Raises GoesBack."""
        by = to - self()
        if by < timedelta(0):
            raise GoesBack(f"{to:%Y-%m-%d %H:%M} has passed; time only moves forward")
        # Nobody reads half of it.
        new = self._path.with_suffix(".new")
        new.write_text(str((self.ahead + by).total_seconds()))
        new.replace(self._path)
