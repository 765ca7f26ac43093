"""The clock's offset: what one sample says, and when samples are believed."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot.runtime.clock_offset import AGREEING, GAP, QUICK, SECOND, ClockOffset, least_offset, read_date
from models.base.clocks import LARGEST_OFFSET
from tests.support import Clock

NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
NONE = timedelta(0)
DAYS = timedelta(days=3)


class Compared:
    """A clock that is off against Telegram's; the time between two samples is GAP."""

    def __init__(self) -> None:
        self.telegram, self.own, self.elapsed = Clock(NOW), Clock(NOW), 0.0
        self.offset = ClockOffset("Telegram's", self.own, lambda: self.elapsed)

    def answers(self, *offs: timedelta, gap: float = GAP) -> timedelta | None:
        """Take one sample for each offset; the believed offset afterwards."""
        for off in offs:
            self.elapsed += gap
            self.telegram.move(seconds=gap)
            self.own.now = self.telegram.now + off
            self.offset.note_date(format_datetime(self.telegram.now, usegmt=True), 0.0)
        return self.offset.believed


@pytest.mark.parametrize(
    ("off", "took", "least"),
    [
        # A Date header has a resolution of one second.
        (0.0, 0.0, 0.0),
        (0.9, 0.0, 0.0),
        (10.0, 0.0, 9.0),
        (-10.0, 0.0, -10.0),
        # The other clock was read at an unknown moment of the call.
        (10.0, 4.0, 5.0),
        (5.0, 4.5, 0.0),
        (-10.0, 4.0, -10.0),
    ],
)
def test_one_answer_says_how_far_the_clock_is_off_at_least(off: float, took: float, least: float) -> None:
    local = NOW + timedelta(seconds=off)
    assert least_offset(local, NOW, took, SECOND) == timedelta(seconds=least)


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Mon, 02 Nov 2026 02:30:00 GMT", NOW),
        # The obsolete forms of RFC 9110, 5.6.7, have no zone of their own in one of them.
        ("Monday, 02-Nov-26 02:30:00 GMT", NOW),
        ("", None),
        ("now", None),
        ("Mon, 02 Nov 2026 02:30:00 -0000", None),
        ("Mon, 99 Nov 2026 02:30:00 GMT", None),
        ("Mon, 02 Nov 99999999999 02:30:00 GMT", None),
    ],
)
def test_a_date_is_read_or_left_out(header: str, moment: datetime | None) -> None:
    assert read_date(header) == moment


def test_three_answers_over_a_minute_are_believed() -> None:
    compared = Compared()
    assert compared.answers(DAYS, DAYS) is None
    assert not compared.offset.is_wrong
    believed = compared.answers(DAYS)
    assert believed is not None
    assert DAYS - SECOND <= believed <= DAYS
    assert compared.offset.is_wrong
    assert not compared.offset.is_right


def test_many_answers_within_a_minute_are_one() -> None:
    compared = Compared()
    # GAP seconds after the first one comes the second, whatever was between.
    assert compared.answers(*[DAYS] * 100, gap=0.5) is None
    assert compared.answers(*[DAYS] * 30, gap=0.5) is not None


def test_one_wild_answer_neither_blocks_nor_unblocks() -> None:
    compared = Compared()
    assert compared.answers(NONE, NONE, NONE) == NONE
    assert compared.offset.is_right
    for wild in (DAYS, -DAYS, timedelta(minutes=6)):
        assert compared.answers(wild) == NONE
        assert compared.answers(NONE, NONE) == NONE
    blocked = compared.answers(-DAYS, -DAYS, -DAYS)
    assert blocked == -DAYS
    # One sample without an offset, then two.
    assert compared.answers(NONE) == blocked
    assert compared.answers(-DAYS, NONE, NONE) == blocked
    assert compared.offset.is_wrong
    assert compared.answers(NONE) == NONE
    assert not compared.offset.is_wrong


def test_answers_that_do_not_agree_change_nothing() -> None:
    compared = Compared()
    assert compared.answers(DAYS, 2 * DAYS, 3 * DAYS, -DAYS, timedelta(minutes=20)) is None


def test_of_answers_that_agree_all_must_bear_it_out() -> None:
    compared = Compared()
    beyond = LARGEST_OFFSET + timedelta(seconds=10)
    assert compared.answers(beyond, beyond, LARGEST_OFFSET - timedelta(seconds=5)) is not None
    assert not compared.offset.is_wrong
    # Samples with different signs.
    assert compared.answers(*[timedelta(seconds=10), timedelta(seconds=-10), timedelta(seconds=10)]) == NONE


def test_an_answer_that_took_long_says_nothing() -> None:
    compared = Compared()
    for _ in range(2 * AGREEING):
        compared.elapsed += GAP
        compared.offset.note(NOW - DAYS, QUICK + 0.1)
    assert compared.offset.believed is None
    assert compared.offset.wants_answer


def test_it_is_told_once_when_it_goes_wrong_and_once_when_it_is_right(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    compared = Compared()
    compared.answers(*[NONE] * 6)
    assert caplog.records == []
    compared.answers(*[timedelta(seconds=40)] * 9)
    compared.answers(*[DAYS] * 9)
    compared.answers(*[NONE] * 9)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "INFO"]
    warning, error, good = [record.getMessage() for record in caplog.records]
    assert "is 39 s ahead of Telegram's; set it" in warning
    assert "is 259199 s ahead of Telegram's" in error
    assert good == "this machine's clock agrees with Telegram's again"
