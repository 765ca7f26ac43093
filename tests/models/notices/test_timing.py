"""When a chat may ring: rhythm, quiet hours, weekends and Thai public holidays."""

from datetime import datetime, timedelta

import pytest

from models.base.calendar import BANGKOK
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices.tables import Quiet, Rhythm
from models.notices.timing import (
    Preference,
    is_day_off,
    load_preference,
    next_time,
    quiet_end,
    quiet_until,
    save_preference,
)
from tests.support import link

CHAT = 601


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+07:00")


# Monday 2 November 2026 is a working day; Thursday 31 December to Sunday 3 January are all off.
@pytest.mark.parametrize(
    ("rhythm", "quiet", "skips", "moment", "expected"),
    [
        ("at_once", "none", False, "2026-11-02 03:00", "2026-11-02 03:00"),
        ("at_once", "none", False, "2026-11-01 10:00", "2026-11-01 10:00"),
        # Quiet hours begin with their first second and end before their last.
        ("at_once", "after_hours", False, "2026-11-02 16:29:59", "2026-11-02 16:29:59"),
        ("at_once", "after_hours", False, "2026-11-02 16:30", "2026-11-03 08:30"),
        ("at_once", "after_hours", False, "2026-11-03 00:00", "2026-11-03 08:30"),
        ("at_once", "after_hours", False, "2026-11-03 08:29:59", "2026-11-03 08:30"),
        ("at_once", "after_hours", False, "2026-11-03 08:30", "2026-11-03 08:30"),
        ("at_once", "overnight", False, "2026-11-02 19:59:59", "2026-11-02 19:59:59"),
        ("at_once", "overnight", False, "2026-11-02 20:00", "2026-11-03 07:00"),
        ("at_once", "overnight", False, "2026-11-02 23:59:59.999999", "2026-11-03 07:00"),
        ("at_once", "overnight", False, "2026-11-03 00:00", "2026-11-03 07:00"),
        # Days off go from midnight to midnight.
        ("at_once", "none", True, "2026-11-06 23:59:59", "2026-11-06 23:59:59"),
        ("at_once", "none", True, "2026-11-07 00:00", "2026-11-09 00:00"),
        ("at_once", "after_hours", True, "2026-11-06 16:30", "2026-11-09 08:30"),
        ("at_once", "overnight", True, "2026-11-08 12:00", "2026-11-09 07:00"),
        ("at_once", "after_hours", True, "2027-04-12 16:30", "2027-04-16 08:30"),
        ("at_once", "none", True, "2027-04-13 00:00", "2027-04-16 00:00"),
        ("at_once", "none", True, "2026-12-31 09:00", "2027-01-04 00:00"),
        ("hourly", "none", False, "2026-11-02 09:00", "2026-11-02 09:00"),
        ("hourly", "none", False, "2026-11-02 09:00:01", "2026-11-02 10:00"),
        ("hourly", "none", False, "2026-11-02 23:30", "2026-11-03 00:00"),
        ("hourly", "after_hours", False, "2026-11-02 16:00:01", "2026-11-03 09:00"),
        ("hourly", "overnight", True, "2026-11-06 19:30", "2026-11-09 07:00"),
        ("twice", "none", False, "2026-11-02 08:30", "2026-11-02 08:30"),
        ("twice", "none", False, "2026-11-02 08:30:01", "2026-11-02 13:30"),
        ("twice", "none", False, "2026-11-02 13:31", "2026-11-03 08:30"),
        ("twice", "after_hours", True, "2026-11-06 13:31", "2026-11-09 08:30"),
        ("twice", "none", True, "2026-12-30 14:00", "2027-01-04 08:30"),
        ("off", "none", False, "2026-11-02 09:00", None),
    ],
)
def test_the_next_time(rhythm: str, quiet: str, skips: bool, moment: str, expected: str | None) -> None:
    preference = Preference(Rhythm(rhythm), Quiet(quiet), skips)
    wanted = at(expected) if expected else None
    assert next_time(preference, at(moment)) == wanted
    # The zone of the moment does not matter, and the answer stands.
    in_utc = next_time(preference, at(moment).astimezone(None))
    assert in_utc == wanted
    if wanted is not None:
        assert next_time(preference, wanted) == wanted


@pytest.mark.parametrize(
    ("day", "is_off"),
    [
        ("2026-11-06", False),
        ("2026-11-07", True),
        ("2026-11-08", True),
        ("2027-04-12", False),
        ("2027-04-13", True),
        ("2027-04-14", True),
        ("2027-04-15", True),
        ("2027-04-16", False),
        ("2026-12-31", True),
        ("2027-01-01", True),
        # In lieu of Sunday 5 December 2027.
        ("2027-12-06", True),
    ],
)
def test_days_off(day: str, is_off: bool) -> None:
    assert is_day_off(at(f"{day} 12:00").date()) is is_off


def test_quiet_hours_know_no_rhythm() -> None:
    silent = Preference(Rhythm.OFF, Quiet.OVERNIGHT)
    assert quiet_end(silent, at("2026-11-02 21:00")) == at("2026-11-03 07:00")
    assert quiet_end(silent, at("2026-11-02 12:00")) == at("2026-11-02 12:00")


async def test_a_notice_that_can_wait_is_put_off(country: Database, now: datetime) -> None:
    night = datetime(2026, 11, 2, 22, 0, tzinfo=BANGKOK)
    async with country.write() as session:
        assert await quiet_until(session, CHAT, night) is None
        officer = await link(session, "lao5110201", CHAT, now)
        assert await load_preference(session, officer.id) == Preference()
        assert await quiet_until(session, CHAT, night) is None
        for quiet in (Quiet.OVERNIGHT, Quiet.AFTER_HOURS):
            await save_preference(session, officer.id, Preference(quiet=quiet, skips_days_off=True))
        assert await quiet_until(session, CHAT, night) == datetime(2026, 11, 3, 8, 30, tzinfo=BANGKOK)
        assert await quiet_until(session, CHAT, night - timedelta(hours=8)) is None
        # What was chosen ends with the link.
        await unlink_officer(session, officer, now)
        assert await load_preference(session, officer.id) == Preference()
        await link(session, "lao5110201", CHAT, now)
        assert await quiet_until(session, CHAT, night) is None
