"""The demonstration's clock and its jumps."""

from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest

from demo.botapi import Emulator
from demo.clock import GoesBack, MovedClock
from demo.jumps import targets
from models.base.calendar import BANGKOK

MOMENT = timedelta(seconds=5)


def test_a_jump_is_seen_by_whoever_reads_the_same_file_and_the_clock_runs_on(tmp_path: Path) -> None:
    clock, bots = MovedClock(tmp_path / "clock"), MovedClock(tmp_path / "clock")
    real = datetime.now(UTC)
    assert real <= bots() < real + MOMENT
    clock.move(clock() + timedelta(days=16))
    clock.move(clock() + timedelta(hours=1))
    ahead = timedelta(days=16, hours=1)
    assert real + ahead <= bots() < datetime.now(UTC) + ahead + MOMENT
    assert abs(bots.timestamp() - bots().timestamp()) < MOMENT.total_seconds()
    # A bot that is started later, or a demonstration that goes on.
    assert abs(MovedClock(tmp_path / "clock").ahead - ahead) < MOMENT


async def test_a_jump_moves_the_date_of_the_emulated_telegram(tmp_path: Path) -> None:
    """The bot, which uses the same clock, does not report an offset."""
    clock = MovedClock(tmp_path / "clock")
    async with Emulator(clock=clock.timestamp) as emulator, aiohttp.ClientSession() as session:
        for ahead in (timedelta(seconds=1), timedelta(days=16)):
            clock.move(datetime.now(UTC) + ahead)
            async with session.get(f"{emulator.url}/bot{emulator.token}/getMe") as answer:
                telegrams = parsedate_to_datetime(answer.headers["Date"])
            assert abs(clock() - telegrams) < MOMENT
    assert telegrams > datetime.now(UTC) + timedelta(days=15)


def test_time_does_not_go_back(tmp_path: Path) -> None:
    clock = MovedClock(tmp_path / "clock")
    clock.move(clock() + timedelta(days=1))
    before = clock.ahead
    with pytest.raises(GoesBack, match="only moves forward"):
        clock.move(datetime.now(UTC))
    assert clock.ahead == before


def test_the_jumps_lead_to_nine_in_the_morning_of_bangkok() -> None:
    # Half past six in the evening in Bangkok, on the last of November.
    now = datetime(2026, 11, 30, 11, 30, tzinfo=UTC)
    jump_targets = targets(now, date(2026, 12, 27))
    assert jump_targets["hour"] - now == timedelta(hours=1)
    assert jump_targets["day"] - now == timedelta(days=1)
    assert jump_targets["morning"] == datetime(2026, 12, 1, 9, tzinfo=BANGKOK)
    assert {name: (to.day, to.hour) for name, to in jump_targets.items() if name.startswith("closing")} == {
        "closing-14": (13, 9),
        "closing-7": (20, 9),
        "closing-3": (24, 9),
        "closing-1": (26, 9),
        "closing-0": (27, 9),
    }
    assert set(targets(now, None)) == {"hour", "day", "morning"}
