"""Refusals that come again: the first of a chat and day is an event, and one more says how many others came."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from models.accounts.account import record_failed_login, record_refusal
from models.audit.event_chain import SYSTEM, AuditEvent, Event
from models.audit.repeated import RepeatedRefusal, forget_repeated, tell_repeated
from models.database.engine import Database
from tests.models.audit.record import FIRST, checked
from tests.support import link

STRANGER = 777
DAY = timedelta(days=1)


async def events(database: Database, *kinds: Event) -> list[tuple[str, str, dict[str, object]]]:
    async with database.read() as session:
        rows = await session.execute(
            select(AuditEvent.chain, AuditEvent.kind, AuditEvent.details)
            .where(AuditEvent.kind.in_(kinds))
            .order_by(AuditEvent.id)
        )
        return [(chain, kind, json.loads(details)) for chain, kind, details in rows]


async def counts(database: Database) -> list[int]:
    async with database.read() as session:
        return list(await session.scalars(select(RepeatedRefusal.more).order_by(RepeatedRefusal.day)))


async def refuse(database: Database, now: datetime, times: int, user_id: int = STRANGER) -> None:
    for _ in range(times):
        async with database.write() as session:
            await record_refusal(session, None, user_id, "verify", now)


async def test_two_hundred_refusals_of_a_stranger_are_two_events(country: Database, now: datetime) -> None:
    await refuse(country, now, 200)
    first = (SYSTEM, "refused", {"user": STRANGER, "officer": None, "what": "verify"})
    assert await events(country, Event.REFUSED, Event.REPEATED) == [first]
    assert await counts(country) == [199]
    await refuse(country, now + DAY, 1)
    others = {
        "user": STRANGER,
        "officer": None,
        "refused": "refused",
        "what": "",
        "day": "2026-11-02",
        "times": 199,
    }
    assert await events(country, Event.REFUSED, Event.REPEATED) == [first, (SYSTEM, "repeated", others), first]
    assert await counts(country) == [0]


async def test_a_day_that_is_over_is_told_without_another_refusal(country: Database, now: datetime) -> None:
    await refuse(country, now, 3)
    await refuse(country, now, 1, user_id=778)
    # 9.30 in Bangkok: the day ends 14.5 hours later.
    for later, rows in ((timedelta(hours=14), 2), (timedelta(hours=15), 0)):
        async with country.write() as session:
            await tell_repeated(session, now + later)
        assert len(await counts(country)) == rows
    told = [details for _, _, details in await events(country, Event.REPEATED)]
    assert [(details["user"], details["times"]) for details in told] == [(STRANGER, 2)], "one is no repetition"


async def test_chats_and_kinds_are_counted_apart(country: Database, now: datetime) -> None:
    await refuse(country, now, 2)
    await refuse(country, now, 2, user_id=778)
    for _ in range(2):
        async with country.write() as session:
            await record_failed_login(session, "nobody-has-this", STRANGER, now)
    found = await events(country, Event.REFUSED, Event.LOGIN_FAILED)
    assert [(kind, details["user"]) for _, kind, details in found] == [
        ("refused", STRANGER),
        ("refused", 778),
        ("login_failed", STRANGER),
    ]
    assert await counts(country) == [1, 1, 1]


async def test_failed_logins_of_an_account_are_each_an_event(country: Database, now: datetime) -> None:
    """What bounds them is the account's throttle."""
    for _ in range(3):
        async with country.write() as session:
            await record_failed_login(session, f"lao{FIRST}", STRANGER, now)
    assert len(await events(country, Event.LOGIN_FAILED)) == 3
    assert await counts(country) == []


async def test_of_an_officer_each_thing_is_counted_in_its_own_chain(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        for what in ("ProvinceReview", "ProvinceReview", "HandIn"):
            await record_refusal(session, officer, 501, what, now)
        await tell_repeated(session, now + DAY)
    found = await events(country, Event.REFUSED, Event.REPEATED)
    assert [(chain, kind, details["what"]) for chain, kind, details in found] == [
        (FIRST, "refused", "ProvinceReview"),
        (FIRST, "refused", "HandIn"),
        (FIRST, "repeated", "ProvinceReview"),
    ]
    assert found[-1][2] | {"officer": officer.id, "times": 1} == found[-1][2]
    assert (await checked(country)).breaks == []


@pytest.mark.parametrize("ahead", [timedelta(days=40), timedelta(days=-40)])
async def test_a_clock_that_was_wrong_leaves_no_count(country: Database, now: datetime, ahead: timedelta) -> None:
    await refuse(country, now + ahead, 5)
    async with country.write() as session:
        await tell_repeated(session, now)
    assert await counts(country) == []
    assert [details["times"] for _, _, details in await events(country, Event.REPEATED)] == [4]


async def test_a_person_who_is_forgotten_is_counted_no_more(country: Database, now: datetime) -> None:
    await refuse(country, now, 5)
    async with country.write() as session:
        await forget_repeated(session, STRANGER)
        assert await session.scalar(select(func.count()).select_from(RepeatedRefusal)) == 0
