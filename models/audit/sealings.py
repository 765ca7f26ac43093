"""When every row was sealed last, and under which key: what `laocert keys seal` and `keys rotate` record."""

import json
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import SYSTEM, AuditEvent, is_as_recorded


@dataclass(frozen=True)
class AllSealed:
    """The newest time that every row was sealed: under which key, and until which day (Bangkok's) PINs that were
    set under an older one are taken. None: without an end.
    """

    at: datetime
    key_id: str
    pin_until: date | None


async def newest_sealing(session: AsyncSession) -> AllSealed | None:
    """When every row was sealed last; None before the first time.

    Of an event that is not as it was recorded (`laocert audit verify` tells of it) no PIN is taken longer.
    """
    event = await session.scalar(
        select(AuditEvent)
        # Literal, as the condition of the index.
        .where(text("kind = 'sealed_all'"), AuditEvent.chain == SYSTEM)
        .order_by(AuditEvent.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if event is None:
        return None
    if not await is_as_recorded(session, event):
        return AllSealed(event.at, event.key_id, date.min)
    until = json.loads(event.details).get("pin_until")
    return AllSealed(event.at, event.key_id, until and date.fromisoformat(until))
