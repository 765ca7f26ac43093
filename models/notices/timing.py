"""When a chat may ring, by each officer's rhythm, quiet hours and days off.

The rules are pure functions of a preference and a moment. All times of day are Bangkok's. A day off is a Saturday,
a Sunday, or a public holiday of Thailand or its day in lieu, as the package `holidays` lists them.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer
from models.base.calendar import BANGKOK
from models.base.tables import conflict_insert
from models.notices.tables import NoticePreference, Quiet, Rhythm

SATURDAY = 5
MIDNIGHT = time(0)
# When a card with the rhythm TWICE rings: when the offices open, and after lunch.
DIGESTS = (time(8, 30), time(13, 30))


# Beginning and end; both span midnight.
QUIET_HOURS = {Quiet.OVERNIGHT: (time(20), time(7)), Quiet.AFTER_HOURS: (time(16, 30), time(8, 30))}


@dataclass(frozen=True)
class Preference:
    """An officer's notice preference. The defaults hold for officers who have chosen none."""

    rhythm: Rhythm = Rhythm.AT_ONCE
    quiet: Quiet = Quiet.NONE
    skips_days_off: bool = False


# --- the rules ----------------------------------------------------------------------------------------------


@cache
def _holidays() -> Any:
    # Imported lazily: the import and a year's table take half a second, and only officers with days off need it.
    from holidays.countries.thailand import Thailand  # noqa: PLC0415

    return Thailand()  # type: ignore[no-untyped-call]


def is_day_off(day: date) -> bool:
    """Return whether a day is a weekend day or a public holiday of Thailand."""
    return day.weekday() >= SATURDAY or day in _holidays()


def quiet_end(preference: Preference, moment: datetime) -> datetime:
    """Return the earliest time at or after `moment` that is neither in quiet hours nor on a day off."""
    there = moment.astimezone(BANGKOK)
    while (later := _after_quiet(preference, there)) != there:
        there = later
    return max(moment, there.astimezone(moment.tzinfo))


def _after_quiet(preference: Preference, there: datetime) -> datetime:
    """Return the end of the day off or quiet hours that a time in Bangkok lies in; the time itself if in
    neither.
    """
    if preference.skips_days_off and is_day_off(there.date()):
        return _at(there.date() + timedelta(days=1), MIDNIGHT)
    if preference.quiet is Quiet.NONE:
        return there
    begins, ends = QUIET_HOURS[preference.quiet]
    if there.time() >= begins:
        return _at(there.date() + timedelta(days=1), ends)
    return _at(there.date(), ends) if there.time() < ends else there


def next_time(preference: Preference, moment: datetime) -> datetime | None:
    """Return the earliest time at or after `moment` at which the live card may ring; None if it never rings."""
    if preference.rhythm is Rhythm.OFF:
        return None
    there = moment.astimezone(BANGKOK)
    while (later := _after_quiet(preference, _on_the_beat(preference.rhythm, there))) != there:
        there = later
    return max(moment, there.astimezone(moment.tzinfo))


def _on_the_beat(rhythm: Rhythm, there: datetime) -> datetime:
    """Return the rhythm's first time at or after a time in Bangkok."""
    if rhythm is Rhythm.AT_ONCE:
        return there
    if rhythm is Rhythm.HOURLY:
        hour = there.replace(minute=0, second=0, microsecond=0)
        return hour if hour == there else hour + timedelta(hours=1)
    today = [_at(there.date(), digest) for digest in DIGESTS]
    return next((moment for moment in today if moment >= there), _at(there.date() + timedelta(days=1), DIGESTS[0]))


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, BANGKOK)


# --- the choice ---------------------------------------------------------------------------------------------


def _chosen(row: NoticePreference) -> Preference:
    return Preference(row.rhythm, row.quiet, row.skips_days_off)


async def load_preference(session: AsyncSession, officer_id: int) -> Preference:
    """Return an officer's preference; the default if the officer has chosen none."""
    row = await session.scalar(_preference(), {"officer": officer_id})
    return _chosen(row) if row else Preference()


@cache
def _preference() -> Select[NoticePreference]:
    return (
        select(NoticePreference)
        .where(NoticePreference.officer_id == bindparam("officer"))
        .execution_options(populate_existing=True)
    )


async def save_preference(session: AsyncSession, officer_id: int, chosen: Preference) -> None:
    """Store an officer's preference (upsert, so that two simultaneous taps do not conflict)."""
    values = {"rhythm": chosen.rhythm, "quiet": chosen.quiet, "skips_days_off": chosen.skips_days_off}
    await session.execute(
        conflict_insert(session, NoticePreference)
        .values(officer_id=officer_id, **values)
        .on_conflict_do_update(index_elements=[NoticePreference.officer_id], set_=values)
    )


async def quiet_until(session: AsyncSession, chat_id: int, now: datetime) -> datetime | None:
    """Return until when a notice that can wait (a reminder, a broadcast) is put off for a chat's officer.

    None if it may ring now. A chat without a linked officer has no quiet hours.
    """
    preference = await session.scalar(
        select(NoticePreference)
        .join(Officer, Officer.id == NoticePreference.officer_id)
        .join(Account, Account.id == Officer.account_id)
        .where(Officer.user_id == chat_id, Officer.unlinked_at.is_(None), Account.disabled_at.is_(None))
        .execution_options(populate_existing=True)
    )
    if preference is None:
        return None
    until = quiet_end(_chosen(preference), now)
    return until if until > now else None
