"""Linked chats, and what is read of them afterwards."""

from datetime import datetime

from sqlalchemy import func, select

from models.accounts.account import Officer
from models.audit.event_chain import AuditEvent, Event
from models.database.engine import Database
from models.links.link import announce_link
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from tests.support import link

LAO, OTHER = "lao5110201", "lao6110301"
CHAT, COLLEAGUE, OPERATOR = 501, 502, 900


async def linked(country: Database, now: datetime, username: str = LAO, chat: int = CHAT) -> Officer:
    async with country.write() as session:
        return await link(session, username, chat, now, f"ทดสอบ {chat}")


async def rows(country: Database) -> list[OutboxMessage]:
    async with country.read() as session:
        return list(await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


async def blanks(country: Database, chat: int = CHAT) -> list[int]:
    """The messages that are to be blanked, in the order in which they will be."""
    return [row.subject_id for row in await rows(country) if row.kind is NoticeKind.BLANK and row.chat_id == chat]


async def events(country: Database, kind: Event) -> int:
    async with country.read() as session:
        return await session.scalar(select(func.count()).where(AuditEvent.kind == kind)) or 0


async def announced(country: Database, officer: Officer, now: datetime) -> None:
    async with country.write() as session:
        await announce_link(session, await session.merge(officer), now)
