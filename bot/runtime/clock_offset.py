"""Measures the offset of this machine's clock against another clock, from repeated samples.

A single sample proves nothing: it may come from a proxy, or from a server whose clock is wrong. An offset is
believed when three samples over at least a minute agree on it, until three others agree on another one.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bot.runtime.clock import Clock
from models.base.clocks import LARGEST_OFFSET

log = logging.getLogger(__name__)

# Resolution of a Date header, which has whole seconds (RFC 9110, 5.6.7).
SECOND = timedelta(seconds=1)
# Longest call, in seconds, that counts as a sample: the other clock was read at an unknown moment of it.
QUICK = 5.0
# Samples that must agree, and seconds from one to the next: over a minute in all.
AGREEING = 3
GAP = 30.0
# Largest difference of samples that agree: for the duration of calls, and for clocks corrected in between.
TOLERANCE = timedelta(seconds=30)
# Beyond this offset the operator is warned. Beyond LARGEST_OFFSET of models/base/clocks.py nothing is certified.
WARN_BEYOND = timedelta(seconds=30)

NONE = timedelta(0)


def least_offset(local: datetime, remote: datetime, took: float, resolution: timedelta = NONE) -> timedelta:
    """The smallest offset of `local` that a sample allows: positive is ahead, negative behind, zero may be right.

    `local` is this machine's time when the answer came, `took` the seconds of the call. The other clock was read
    at some moment of the call, and showed `remote` then, or up to `resolution` more.
    """
    highest = local - remote
    lowest = highest - timedelta(seconds=took) - resolution
    if lowest > NONE:
        return lowest
    return min(highest, NONE)


def read_date(header: str) -> datetime | None:
    """The moment of a Date header (RFC 9110, 5.6.7), in UTC; None when it is malformed."""
    try:
        moment = parsedate_to_datetime(header)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


class ClockOffset:
    """The offset of this machine's clock against one other clock, whose `name` (`Telegram's`) log lines contain.

    `clock` is compared. `monotonic`, in seconds, measures the time between samples, because `clock` may be set in
    between. `decides`: a large offset stops certifying, so it is logged as an error and not as a warning.
    """

    def __init__(
        self, name: str, clock: Clock, monotonic: Callable[[], float] = time.monotonic, *, decides: bool = True
    ) -> None:
        self._decides = decides
        self._name = name
        self._clock = clock
        self._monotonic = monotonic
        self._readings: deque[timedelta] = deque(maxlen=AGREEING)
        self._read_at: float | None = None
        self._believed: timedelta | None = None

    @property
    def believed(self) -> timedelta | None:
        """The offset on which three samples agreed last; None before that. At zero the clock may be right."""
        return self._believed

    @property
    def or_none(self) -> timedelta:
        """The believed offset; zero while none is known."""
        return self._believed or NONE

    @property
    def is_wrong(self) -> bool:
        """Whether the believed offset exceeds LARGEST_OFFSET, so that nothing may be dated by this clock."""
        return abs(self.or_none) > LARGEST_OFFSET

    @property
    def is_right(self) -> bool:
        """Whether the believed offset is at most WARN_BEYOND; False while none is known."""
        return self._believed is not None and abs(self._believed) <= WARN_BEYOND

    @property
    def wants_answer(self) -> bool:
        """Whether a sample that was taken now would count: the last is at least GAP seconds old."""
        return self._read_at is None or self._monotonic() - self._read_at >= GAP

    def note_date(self, header: str, took: float) -> None:
        """Take the Date header of an HTTP answer, and the seconds that the call took, as a sample."""
        if not self.wants_answer:
            # True for most answers, and cheaper than parsing.
            return
        moment = read_date(header)
        if moment is not None:
            self.note(moment, took, SECOND)

    def note(self, remote: datetime, took: float, resolution: timedelta = NONE) -> None:
        """Take a sample: the other clock showed `remote` during a call that has just ended (see `least_offset`).

        Ignored when the call was slow or the last sample is recent.
        """
        if not self.wants_answer or took > QUICK:
            return
        self._read_at = self._monotonic()
        self._readings.append(least_offset(self._clock(), remote, took, resolution))
        readings = sorted(self._readings)
        if len(readings) == AGREEING and readings[-1] - readings[0] <= TOLERANCE:
            self._believe(_common_offset(readings))

    def _believe(self, offset: timedelta) -> None:
        before, self._believed = self.or_none, offset
        level = self._level(offset)
        if level and level != self._level(before):
            seconds, way = abs(offset).total_seconds(), "ahead of" if offset > NONE else "behind"
            log.log(
                level,
                "this machine's clock is %.0f s %s %s; set it, and keep it by NTP (docs/operations.md, The clock)",
                seconds,
                way,
                self._name,
            )
        elif self._level(before) and not level:
            log.info("this machine's clock agrees with %s again", self._name)

    def _level(self, offset: timedelta) -> int:
        """The level at which an offset is logged; 0 for none."""
        if abs(offset) <= WARN_BEYOND:
            return logging.NOTSET
        return logging.ERROR if self._decides and abs(offset) > LARGEST_OFFSET else logging.WARNING


def _common_offset(readings: list[timedelta]) -> timedelta:
    """The smallest of offsets, in ascending order, that all have one sign; zero when they have not."""
    if readings[0] > NONE:
        return readings[0]
    return min(readings[-1], NONE)
