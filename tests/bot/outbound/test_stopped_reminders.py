"""Reminders that the closing of a round stopped, and which of them are sent after the closing is undone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from bot.outbound.ledger import Ledger
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.operator.closing import reopen_round
from models.outreach.reminder import queue_due
from models.outreach.unreached import escalate_due
from models.rounds.round import close_round
from tests.support import ORGANIZATIONS, Clock, link, move_last_day

FIRST, SECOND, *_ = (code for code, *_ in ORGANIZATIONS)
NINE = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)


@pytest.fixture
async def reminded(country: Database) -> Database:
    """Three days before the closing date: two officers are reminded, one of them before the round is closed."""
    async with country.write() as session:
        await move_last_day(session, (NINE + timedelta(days=3)).date())
        for user, code in ((501, FIRST), (502, SECOND)):
            await link(session, f"lao{code}", user, NINE)
        assert await queue_due(session, NINE) == 2
    await settle(country, {501: State.SENT})
    async with country.write() as session:
        await close_round(session, NINE)
    return country


async def reopened(database: Database, now: datetime) -> None:
    async with database.write() as session:
        await reopen_round(session, "สถ. กองบุคลากร", "ปิดก่อนกำหนดโดยผิดพลาด", now)


async def settle(database: Database, states: dict[int, State]) -> None:
    async with database.write() as session:
        for chat, state in states.items():
            await session.execute(update(OutboxMessage).where(OutboxMessage.chat_id == chat).values(state=state))


async def send(database: Database, now: datetime) -> dict[int, str]:
    """Take the waiting rows as the courier does; by chat the text, or the reason for dropping it."""
    ledger = Ledger(database, Clock(now), 900)
    async with database.read() as session:
        rows = list(await session.scalars(select(OutboxMessage).where(OutboxMessage.state == State.PENDING)))
    sent = {taken.to: "sent" for taken in await ledger.take(rows)} if rows else {}
    async with database.read() as session:
        dropped = await session.scalars(select(OutboxMessage).where(OutboxMessage.state == State.DROPPED))
        return sent | {row.chat_id: row.error or "" for row in dropped}


async def test_what_the_closing_stopped_is_sent_after_it_was_undone(reminded: Database) -> None:
    assert await send(reminded, NINE) == {502: "the round was closed"}
    await reopened(reminded, NINE + timedelta(hours=1))
    async with reminded.write() as session:
        assert await queue_due(session, NINE + timedelta(hours=1)) is None
    assert await send(reminded, NINE + timedelta(hours=1)) == {502: "sent"}
    async with reminded.read() as session:
        assert await session.scalar(select(func.count()).where(OutboxMessage.kind == NoticeKind.REMINDER)) == 2


async def test_a_reminder_of_another_day_is_not_sent_after_it(reminded: Database) -> None:
    assert await send(reminded, NINE) == {502: "the round was closed"}
    tomorrow = NINE + timedelta(days=1)
    await reopened(reminded, tomorrow)
    async with reminded.read() as session:
        assert not list(await session.scalars(select(OutboxMessage).where(OutboxMessage.state == State.PENDING)))
    # The next one comes on its own day.
    async with reminded.write() as session:
        assert await queue_due(session, tomorrow + timedelta(days=1)) == 2


async def test_what_nobody_has_stopped_stays_dropped(reminded: Database) -> None:
    async with reminded.write() as session:
        await session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.chat_id == 502)
            .values(state=State.DROPPED, error="the organization has certified")
        )
    await reopened(reminded, NINE)
    assert await send(reminded, NINE) == {502: "the organization has certified"}


async def test_the_operator_is_still_told_who_was_not_reached(country: Database) -> None:
    async with country.write() as session:
        await move_last_day(session, (NINE + timedelta(days=3)).date())
        await queue_due(session, NINE)
        assert await escalate_due(session, 900, NINE) == 5
        await close_round(session, NINE)
    assert await send(country, NINE) == {900: "the round was closed"}
    # Also on another day: the escalation is sent once a round.
    await reopened(country, NINE + timedelta(days=1))
    assert await send(country, NINE + timedelta(days=1)) == {900: "sent"}
