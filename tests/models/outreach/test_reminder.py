"""Reminders: on which days and from which hour, for whom, once, and while it is true."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, select

from models.accounts.account import Officer, active_officer, find_account
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.links.link import disable_account, unlink_officer
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.outreach.reminder import DAYS_BEFORE, NotTrue, Reminder, look_at
from models.rounds.round import close_round
from tests.models.outreach.deadlines import (
    ELSEWHERE,
    FIRST,
    FOURTH,
    NOW,
    SECOND,
    THIRD,
    TODAY,
    chats_of,
    close_on,
    linked,
    queue,
)
from tests.support import certify_as

# When, and for how many days before 16 November 2026 a reminder is queued then.
MOMENTS = [
    ("2026-11-02 09:00+07:00", 14),
    ("2026-11-02 08:59:59+07:00", None),
    ("2026-11-03 09:00+07:00", None),
    ("2026-11-09 23:59+07:00", 7),
    # Midnight in Bangkok: the day before is over, and it is too early for the next.
    ("2026-11-13 16:59+00:00", 3),
    ("2026-11-13 17:00+00:00", None),
    ("2026-11-15 09:00+07:00", 1),
    ("2026-11-16 09:00+07:00", 0),
    ("2026-11-16 16:59+00:00", 0),
    ("2026-11-17 09:00+07:00", None),
    ("2026-10-01 09:00+07:00", None),
]


async def test_it_is_queued_on_its_days_from_nine(country: Database) -> None:
    await linked(country, f"lao{FIRST}", 501)
    await close_on(country, date(2026, 11, 16))
    for moment, days in MOMENTS:
        now = datetime.fromisoformat(moment)
        assert await queue(country, now) == (None if days is None else 1), moment
        assert await queue(country, now) is None, moment
        async with country.write() as session:
            assert list(await session.scalars(select(Reminder.days_before))) == ([] if days is None else [days])
            await session.execute(delete(Reminder))
            await session.execute(delete(OutboxMessage))


async def test_days_that_went_by_are_not_made_up(country: Database) -> None:
    await linked(country, f"lao{FIRST}", 501)
    await close_on(country, TODAY + timedelta(days=14))
    for passed in range(17):
        if passed not in (0, 7):
            await queue(country, NOW + timedelta(days=passed))
    async with country.read() as session:
        assert list(await session.scalars(select(Reminder.days_before).order_by(Reminder.id))) == [3, 1, 0]
        assert await outbox.count(session, NoticeKind.REMINDER, [1, 2, 3]) == 3


@pytest.mark.parametrize("round_", ["without a day", "closed"])
async def test_without_an_open_round_and_its_day_there_is_none(country: Database, round_: str) -> None:
    await linked(country, f"lao{FIRST}", 501)
    await close_on(country, TODAY if round_ == "closed" else None)
    async with country.write() as session:
        if round_ == "closed":
            await close_round(session, NOW)
    assert await queue(country) is None


async def test_it_goes_to_those_who_have_something_to_do(country: Database) -> None:
    """Uncertified organizations, and provinces for which one waits; in chats that are linked and ready."""
    await close_on(country, TODAY)
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, NOW)
    await certify_as(country, "province11", 601, SECOND, Level.PROVINCE, NOW)
    for username, user in ((f"lao{THIRD}", 503), (f"lao{THIRD}", 513), (f"lao{FOURTH}", 504)):
        await linked(country, username, user)
    for username, user in (
        (f"lao{ELSEWHERE}", 505),
        ("province12", 602),
        ("province11", 603),
        ("province11", 604),
    ):
        await linked(country, username, user)
    async with country.write() as session:
        half_way = await active_officer(session, 604)
        left = await active_officer(session, 504)
        assert half_way is not None
        assert left is not None
        half_way.pin_hash = None
        await unlink_officer(session, left, NOW)
        await disable_account(session, await find_account(session, f"lao{ELSEWHERE}"), NOW)
    assert await queue(country) == 4
    assert await chats_of(country) == {503, 513, 601, 603}


async def test_who_was_reopened_is_reminded_again(country: Database) -> None:
    await close_on(country, TODAY)
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, NOW)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแลระบบ", "นับซ้ำหนึ่งราย", NOW)
    assert await queue(country) == 1
    assert await chats_of(country) == {501}


async def test_what_is_no_longer_true_is_not_said(country: Database) -> None:
    await close_on(country, TODAY + timedelta(days=1))
    lao = await linked(country, f"lao{FIRST}", 501)
    await queue(country)

    async def said(officer: Officer, now: datetime = NOW) -> tuple[int, int] | str:
        async with country.read() as session:
            try:
                due = await look_at(session, 1, officer, now)
            except NotTrue as why:
                return str(why)
            return due.days_left, due.waiting

    province = await linked(country, "province11", 601)
    assert await said(lao) == (1, 0)
    assert await said(province) == "nothing waits for the province"
    # Until midnight in Bangkok.
    assert await said(lao, datetime(2026, 11, 2, 16, 59, tzinfo=UTC)) == (1, 0)
    assert await said(lao, datetime(2026, 11, 2, 17, 0, tzinfo=UTC)) == "its day is over"
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    assert await said(lao) == "the organization has certified"
    assert await said(province) == (1, 1)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, NOW)
    assert await said(province) == "nothing waits for the province"
    async with country.write() as session:
        await close_round(session, NOW)
    assert await said(lao) == "the round was closed"


# --- whom it did not reach ----------------------------------------------------------------------------------


def test_the_days_are_those_of_the_issue() -> None:
    assert DAYS_BEFORE == (14, 7, 3, 1, 0)
