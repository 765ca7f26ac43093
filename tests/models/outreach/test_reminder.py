"""Reminders: on which days and from which hour, for whom, once; and whom they did not reach."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from models.accounts.account import Officer, active_officer, find_account
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.links.link import disable_account, unlink_officer
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.outreach.reminder import DAYS_BEFORE, NotTrue, Reminder, look_at, queue_due
from models.outreach.unreached import Why, escalate_due, list_unreached, load_escalation
from models.rounds.round import Round, close_round
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND, THIRD, FOURTH, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
# 9.30 in Bangkok; the last day of each test is so many days later.
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
TODAY = date(2026, 11, 2)


async def close_on(database: Database, day: date | None) -> None:
    async with database.write() as session:
        await session.execute(update(Round).values(closes_on=day))


async def queue(database: Database, now: datetime = NOW) -> int | None:
    async with database.write() as session:
        return await queue_due(session, now)


async def linked(database: Database, username: str, user_id: int) -> Officer:
    async with database.write() as session:
        return await link(session, username, user_id, NOW)


async def chats_of(database: Database, kind: NoticeKind = NoticeKind.REMINDER) -> set[int]:
    async with database.read() as session:
        return set(await session.scalars(select(OutboxMessage.chat_id).where(OutboxMessage.kind == kind)))


async def settle_all(database: Database, state: State, chat: int | None = None) -> None:
    async with database.write() as session:
        rows = update(OutboxMessage).where(OutboxMessage.kind == NoticeKind.REMINDER).values(state=state)
        await session.execute(rows if chat is None else rows.where(OutboxMessage.chat_id == chat))


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


async def unreached(database: Database, province: str | None = None) -> dict[str, Why]:
    async with database.read() as session:
        return {one.organization.dla_code: one.why for one in await list_unreached(session, province)}


async def test_an_organization_is_unreached_without_a_chat_or_when_nothing_arrived(country: Database) -> None:
    await close_on(country, TODAY + timedelta(days=3))
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    for username, user in ((f"lao{SECOND}", 502), (f"lao{SECOND}", 512), (f"lao{THIRD}", 503)):
        await linked(country, username, user)
    nobody = {FOURTH: Why.NOBODY_LINKED, ELSEWHERE: Why.NOBODY_LINKED}
    assert await unreached(country) == nobody
    await queue(country)
    # On its way.
    assert await unreached(country) == nobody
    await settle_all(country, State.DEAD)
    failed = dict.fromkeys((SECOND, THIRD), Why.NOT_DELIVERED)
    assert await unreached(country) == nobody | failed
    assert await unreached(country, "11") == {FOURTH: Why.NOBODY_LINKED} | failed
    await settle_all(country, State.SENT, 512)
    assert await unreached(country) == nobody | {THIRD: Why.NOT_DELIVERED}
    # Linked since: nobody has tried to remind it.
    await linked(country, f"lao{FOURTH}", 504)
    assert await unreached(country, "11") == {THIRD: Why.NOT_DELIVERED}


async def escalate(database: Database, chat: int | None = 900, now: datetime = NOW) -> int | None:
    async with database.write() as session:
        return await escalate_due(session, chat, now)


async def test_the_operator_is_told_once_when_the_third_day_is_settled(country: Database) -> None:
    await linked(country, f"lao{FIRST}", 501)
    await close_on(country, TODAY + timedelta(days=7))
    await queue(country)
    await settle_all(country, State.DEAD)
    assert await escalate(country) is None
    later = NOW + timedelta(days=4)
    assert await queue(country, later) == 1
    for state in outbox.UNSETTLED:
        async with country.write() as session:
            await session.execute(update(OutboxMessage).where(OutboxMessage.subject_id == 2).values(state=state))
        assert await escalate(country, now=later) is None
    await settle_all(country, State.DROPPED)
    assert await escalate(country, now=later) == 5
    assert await chats_of(country, NoticeKind.ESCALATION) == {900}
    # Neither again on this day, nor by the reminders that follow.
    assert await escalate(country, now=later) is None
    assert await queue(country, later + timedelta(days=2)) == 1
    await settle_all(country, State.DEAD)
    assert await escalate(country, now=later + timedelta(days=2)) is None


@pytest.mark.parametrize("chat", [None, 900])
async def test_when_nothing_ran_on_the_third_day_the_next_one_tells(country: Database, chat: int | None) -> None:
    await close_on(country, TODAY + timedelta(days=1))
    assert await queue(country) == 0
    assert await escalate(country, chat) == 5
    assert await chats_of(country, NoticeKind.ESCALATION) == ({900} if chat else set())
    assert await escalate(country, 900) is None


async def test_an_escalation_says_what_is_true_when_it_is_sent(country: Database) -> None:
    await close_on(country, TODAY + timedelta(days=3))
    await queue(country)
    assert await escalate(country) == 5
    await linked(country, f"lao{FIRST}", 501)
    async with country.read() as session:
        found = await load_escalation(session, 1, NOW)
    assert (found.days_left, len(found.unreached)) == (3, 4)
    async with country.write() as session:
        await close_round(session, NOW)
    async with country.read() as session:
        with pytest.raises(NotTrue):
            await load_escalation(session, 1, NOW)


def test_the_days_are_those_of_the_issue() -> None:
    assert DAYS_BEFORE == (14, 7, 3, 1, 0)
