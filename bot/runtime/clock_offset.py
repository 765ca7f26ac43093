"""How far the program's clock is off, by what another clock says again and again.

One answer proves nothing: it may be a proxy's, or of a server whose own clock is wrong. So an offset is believed
when three answers over at least a minute agree on it, and it stays believed until three others agree on another.
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

# The Date of an answer has whole seconds (RFC 9110, 5.6.7): it stands for the second that it names.
SECOND = timedelta(seconds=1)
# An answer that took longer than this says too little: the other clock was read at any moment meanwhile.
QUICK = 5.0
# Answers that must agree, and seconds between one of them and the next: over a minute in all.
AGREEING = 3
GAP = 30.0
# So far apart may answers be that agree: what a quick answer leaves open, and what clocks are corrected meanwhile.
TOLERANCE = timedelta(seconds=30)
# Beyond this the operator is warned. Beyond the limit of models/base/clocks.py nothing is certified.
WARN_BEYOND = timedelta(seconds=30)

NONE = timedelta(0)


def least_offset(ours: datetime, theirs: datetime, took: float, resolution: timedelta = NONE) -> timedelta:
    """How far `ours` is off at least: ahead is above zero, behind below, and zero is what may be right.

    `ours` is the own clock when the answer came, `took` the seconds of the call. The other clock was read at some
    moment of the call, and said `theirs` then, or up to `resolution` more.
    """
    highest = ours - theirs
    lowest = highest - timedelta(seconds=took) - resolution
    if lowest > NONE:
        return lowest
    return min(highest, NONE)


def read_date(header: str) -> datetime | None:
    """The moment of a Date header (RFC 9110, 5.6.7), in UTC; None for what is none."""
    try:
        moment = parsedate_to_datetime(header)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


class ClockOffset:
    """The offset of the program's clock against one other, whose name (`Telegram's`) the log says.

    `clock` is compared, `monotonic` measures the time between answers: the clock itself may be set meanwhile.
    `decides`: whether nothing is certified by a clock that is wrong by this one, which is an error then.
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
        """The offset on which three answers have agreed last; None before. Zero is what may be right."""
        return self._believed

    @property
    def or_none(self) -> timedelta:
        """The same, with zero for a clock that was never compared."""
        return self._believed or NONE

    @property
    def is_wrong(self) -> bool:
        """Whether the clock is known to be so wrong that nothing may be dated by it."""
        return abs(self.or_none) > LARGEST_OFFSET

    @property
    def is_right(self) -> bool:
        """Whether the clock is known to be right; False too when nothing is known."""
        return self._believed is not None and abs(self._believed) <= WARN_BEYOND

    @property
    def wants_answer(self) -> bool:
        """Whether an answer that came now would count."""
        return self._read_at is None or self._monotonic() - self._read_at >= GAP

    def note_date(self, header: str, took: float) -> None:
        """An answer of an HTTP server: its Date, and the seconds that the call took."""
        if not self.wants_answer:
            # Nearly all of them: what follows costs more.
            return
        moment = read_date(header)
        if moment is not None:
            self.note(moment, took, SECOND)

    def note(self, theirs: datetime, took: float, resolution: timedelta = NONE) -> None:
        """The other clock said `theirs` during a call that has just ended (`least_offset`)."""
        if not self.wants_answer or took > QUICK:
            return
        self._read_at = self._monotonic()
        self._readings.append(least_offset(self._clock(), theirs, took, resolution))
        readings = sorted(self._readings)
        if len(readings) == AGREEING and readings[-1] - readings[0] <= TOLERANCE:
            self._believe(_borne_out_by_all(readings))

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
        """How loud the log is about it; 0: it says nothing."""
        if abs(offset) <= WARN_BEYOND:
            return logging.NOTSET
        return logging.ERROR if self._decides and abs(offset) > LARGEST_OFFSET else logging.WARNING


def _borne_out_by_all(readings: list[timedelta]) -> timedelta:
    """The least of offsets in ascending order, all to one side; zero where they are not."""
    if readings[0] > NONE:
        return readings[0]
    return min(readings[-1], NONE)
