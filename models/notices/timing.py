"""When a chat may ring: each officer's rhythm, quiet hours and days off.

The rules are pure functions of a preference and a moment. All times of day are Bangkok's. A day off is a Saturday,
a Sunday or a public holiday of Thailand as the package `holidays` has it, days in lieu among them.
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
# The morning's digest comes with the opening of the offices, the afternoon's after lunch.
DIGESTS = (time(8, 30), time(13, 30))


# From when until when; both last over midnight.
QUIET_HOURS = {Quiet.OVERNIGHT: (time(20), time(7)), Quiet.AFTER_HOURS: (time(16, 30), time(8, 30))}


@dataclass(frozen=True)
class Preference:
    """What an officer has chosen; as it stands here for those who have not."""

    rhythm: Rhythm = Rhythm.AT_ONCE
    quiet: Quiet = Quiet.NONE
    skips_days_off: bool = False


# --- the rules ----------------------------------------------------------------------------------------------


@cache
def _holidays() -> Any:
    # Imported when somebody has chosen days off: the import and a year's table take half a second.
    from holidays.countries.thailand import Thailand  # noqa: PLC0415

    return Thailand()  # type: ignore[no-untyped-call]


def is_day_off(day: date) -> bool:
    """Whether it is a weekend or a public holiday of Thailand."""
    return day.weekday() >= SATURDAY or day in _holidays()


def quiet_end(preference: Preference, moment: datetime) -> datetime:
    """The earliest time at or after `moment` that is neither in quiet hours nor on a day off."""
    there = moment.astimezone(BANGKOK)
    while (later := _after_quiet(preference, there)) != there:
        there = later
    return max(moment, there.astimezone(moment.tzinfo))


def _after_quiet(preference: Preference, there: datetime) -> datetime:
    """One step out of the day off or the quiet hours that a time in Bangkok is in; the time itself outside."""
    if preference.skips_days_off and is_day_off(there.date()):
        return _at(there.date() + timedelta(days=1), MIDNIGHT)
    if preference.quiet is Quiet.NONE:
        return there
    begins, ends = QUIET_HOURS[preference.quiet]
    if there.time() >= begins:
        return _at(there.date() + timedelta(days=1), ends)
    return _at(there.date(), ends) if there.time() < ends else there


def next_time(preference: Preference, moment: datetime) -> datetime | None:
    """The earliest time at or after `moment` at which the card of this officer may ring; None: at no time."""
    if preference.rhythm is Rhythm.OFF:
        return None
    there = moment.astimezone(BANGKOK)
    while (later := _after_quiet(preference, _on_the_beat(preference.rhythm, there))) != there:
        there = later
    return max(moment, there.astimezone(moment.tzinfo))


def _on_the_beat(rhythm: Rhythm, there: datetime) -> datetime:
    """The rhythm's first time at or after a time in Bangkok."""
    if rhythm is Rhythm.AT_ONCE:
        return there
    if rhythm is Rhythm.HOURLY:
        hour = there.replace(minute=0, second=0, microsecond=0)
        return hour if hour == there else hour + timedelta(hours=1)
    today = [_at(there.date(), one) for one in DIGESTS]
    return next((one for one in today if one >= there), _at(there.date() + timedelta(days=1), DIGESTS[0]))


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, BANGKOK)


# --- the choice ---------------------------------------------------------------------------------------------


def _chosen(row: NoticePreference) -> Preference:
    return Preference(row.rhythm, row.quiet, row.skips_days_off)


async def load_preference(session: AsyncSession, officer_id: int) -> Preference:
    """What an officer has chosen, or what holds for those who have not."""
    found = await session.scalar(_preference(), {"officer": officer_id})
    return _chosen(found) if found else Preference()


@cache
def _preference() -> Select[NoticePreference]:
    return (
        select(NoticePreference)
        .where(NoticePreference.officer_id == bindparam("officer"))
        .execution_options(populate_existing=True)
    )


async def save_preference(session: AsyncSession, officer_id: int, chosen: Preference) -> None:
    """Keep an officer's choice. One statement: of two taps at once the second finds the row of the first."""
    values = {"rhythm": chosen.rhythm, "quiet": chosen.quiet, "skips_days_off": chosen.skips_days_off}
    await session.execute(
        conflict_insert(session, NoticePreference)
        .values(officer_id=officer_id, **values)
        .on_conflict_do_update(index_elements=[NoticePreference.officer_id], set_=values)
    )


async def quiet_until(session: AsyncSession, chat_id: int, now: datetime) -> datetime | None:
    """Until when a notice that can wait (a reminder, the operator's word) is put off for the officer of a chat.

    None when it may ring now. A chat without an officer has no quiet hours.
    """
    found = await session.scalar(
        select(NoticePreference)
        .join(Officer, Officer.id == NoticePreference.officer_id)
        .join(Account, Account.id == Officer.account_id)
        .where(Officer.user_id == chat_id, Officer.unlinked_at.is_(None), Account.disabled_at.is_(None))
        .execution_options(populate_existing=True)
    )
    if found is None:
        return None
    until = quiet_end(_chosen(found), now)
    return until if until > now else None
