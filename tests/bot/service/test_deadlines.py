"""The task that queues reminders: it survives failures, and several programs queue each reminder once."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.service import deadlines
from models.base.calendar import bangkok_day
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.outreach.reminder import Reminder
from tests.bot.running import Trouble, until
from tests.support import KEYRING, Clock, link, move_last_day


@pytest.fixture
async def last_days(country: Database, clock: Clock) -> Database:
    """Three days before the closing date, with one officer to remind."""
    async with country.write() as session:
        await link(session, "lao5110201", 501, clock())
        await move_last_day(session, bangkok_day(clock()) + timedelta(days=3))
    return country


async def rows(database: Database) -> list[tuple[NoticeKind, int]]:
    async with database.read() as session:
        kinds_and_chats = await session.execute(
            select(OutboxMessage.kind, OutboxMessage.chat_id).order_by(OutboxMessage.id)
        )
        return [(kind, chat) for kind, chat in kinds_and_chats]


async def test_several_who_look_at_once_remind_once(last_days: Database, database_url: str, clock: Clock) -> None:
    replicas = [Database(database_url, KEYRING) for _ in range(4)]
    await asyncio.gather(*(deadlines.look(replica, clock(), 900) for replica in replicas))
    assert await rows(last_days) == [(NoticeKind.REMINDER, 501)]
    async with last_days.write() as session:
        await session.execute(update(OutboxMessage).values(state="sent"))
    await asyncio.gather(*(deadlines.look(replica, clock(), 900) for replica in replicas))
    assert await rows(last_days) == [(NoticeKind.REMINDER, 501), (NoticeKind.ESCALATION, 900)]
    for replica in replicas:
        await replica.close()
    async with last_days.read() as session:
        assert len(list(await session.scalars(select(Reminder)))) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_error_is_logged_and_the_next_look_comes(
    last_days: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = Trouble(monkeypatch, last_days)
    trouble.times = 2
    task = asyncio.create_task(deadlines.keep_deadlines(last_days, clock, None, every=0.0))
    await until(lambda: rows(last_days))
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert await rows(last_days) == [(NoticeKind.REMINDER, 501)]
    assert caplog.text.count("the deadlines could not be checked: ConnectionRefusedError") == 2
