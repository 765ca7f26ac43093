"""A round's last day, and the reminders of it."""

from datetime import UTC, date, datetime

from sqlalchemy import select, update

from models.accounts.account import Officer
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.outreach.reminder import queue_due
from tests.support import ORGANIZATIONS, link, move_last_day

FIRST, SECOND, THIRD, FOURTH, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
# 9.30 in Bangkok; the last day of each test is so many days later.
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
TODAY = date(2026, 11, 2)


async def close_on(database: Database, day: date | None) -> None:
    async with database.write() as session:
        await move_last_day(session, day)


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
