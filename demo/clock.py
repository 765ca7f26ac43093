"""The demonstration's clock: the machine's clock plus an offset that is stored in a file.

The bot reads the file each time it asks for the time. It therefore sees a jump at once, and keeps it after a
restart; so does a demonstration in a kept folder.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

# The file in the demonstration's folder. It contains the seconds by which the clock is ahead of the machine's.
FILE = "clock"


class GoesBack(ValueError):
    """The clock can only move forward, because certificates and the audit chain are in order of time."""


class MovedClock:
    """The moved clock: calling it returns the time, aware and in UTC. Another process may change the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> datetime:
        """Return the moved time now."""
        return datetime.now(UTC) + self.ahead

    def timestamp(self) -> float:
        """Return the moved time now as seconds since 1970."""
        return self().timestamp()

    @property
    def ahead(self) -> timedelta:
        """How far this clock is ahead of the machine's."""
        try:
            return timedelta(seconds=float(self._path.read_text()))
        except FileNotFoundError:
            return timedelta(0)

    def move(self, to: datetime) -> None:
        """Set the clock to a later moment, from which it runs on. Raises GoesBack for an earlier one."""
        by = to - self()
        if by < timedelta(0):
            raise GoesBack(f"{to:%Y-%m-%d %H:%M} has passed; time only moves forward")
        # Replaced atomically, so that no reader sees a half-written file.
        new = self._path.with_suffix(".new")
        new.write_text(str((self.ahead + by).total_seconds()))
        new.replace(self._path)
