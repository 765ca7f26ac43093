"""What the operator gives with every change of an organization, and what the record says of it."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import AuditEvent
from models.database.engine import Database
from models.succession.decision import Decision, decision
from models.verification.verify import verify

BY, REASON, GAZETTE = "สถ. กองกฎหมาย", "ประกาศกระทรวงมหาดไทย", "เล่ม 143 ตอนพิเศษ 12 ง"


def decided(now: datetime) -> Decision:
    """A decision of today."""
    return decision(BY, REASON, GAZETTE, None, now)


async def chain(session: AsyncSession, code: str) -> list[AuditEvent]:
    """All events of a chain."""
    found = await session.scalars(select(AuditEvent).where(AuditEvent.chain == code).order_by(AuditEvent.number))
    return list(found)


async def breaks(database: Database) -> list[str]:
    """What `laocert audit verify` says."""
    async with database.read() as session:
        return (await verify(session)).breaks
