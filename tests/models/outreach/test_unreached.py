"""Whom the reminders did not reach, and that the operator is told of them once."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from models.certification.certificate import Level
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.outreach.reminder import NotTrue
from models.outreach.unreached import Why, escalate_due, list_unreached, load_escalation
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
    settle_all,
)
from tests.support import certify_as


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
