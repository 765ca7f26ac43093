"""The last sealing of all rows, as recorded by `laocert keys seal` and `laocert keys rotate`."""

import json
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import SYSTEM, AuditEvent, is_as_recorded


@dataclass(frozen=True)
class AllSealed:
    """The last sealing of all rows: its time and the id of its key.

    `pin_until` is the last day in Bangkok on which PINs under older keys are accepted; None for no end.
    """

    at: datetime
    key_id: str
    pin_until: date | None


async def newest_sealing(session: AsyncSession) -> AllSealed | None:
    """Return the last sealing of all rows; None before the first one.

    If its event was changed, which `laocert audit verify` reports, no PIN under an older key is accepted.
    """
    event = await session.scalar(
        select(AuditEvent)
        # A literal, so that the condition matches the partial index.
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
