"""Rows that somebody without the secret key has changed: recorded and told to the operator, once a row and day."""

import json
from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit import event_chain
from models.audit.event_chain import AuditEvent, Event
from models.base.calendar import BANGKOK, bangkok_day
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.security.row_seal import SealState


async def report_bad_seal(session: AsyncSession, row: str, now: datetime, operator_chat: int | None) -> None:
    """Record once a day that a row with a bad seal was used, and alert the operator. `row` is BadSeal.row."""
    state: SealState = session.info.setdefault("seal_state", SealState())
    state.found[row.partition(":")[0]] += 1
    today = bangkok_day(now)
    if state.reported.get(row) == today:
        return
    if await _is_reported(session, row, now):
        # Set only once the event is committed: after a rollback the next use of the row reports it.
        state.reported[row] = today
        return
    await event_chain.record(session, Event.BAD_SEAL, event_chain.SYSTEM, now, row=row)
    if operator_chat is not None:
        number = await session.scalar(
            select(AuditEvent.id)
            .where(AuditEvent.chain == event_chain.SYSTEM)
            .order_by(AuditEvent.number.desc())
            .limit(1)
        )
        outbox.enqueue(session, NoticeKind.BAD_SEAL, operator_chat, number or 0, now)
        await session.flush()


async def _is_reported(session: AsyncSession, row: str, now: datetime) -> bool:
    begins = datetime.combine(bangkok_day(now), time(0), BANGKOK)
    details = event_chain.canonical({"row": row})
    event_id = await session.scalar(
        select(AuditEvent.id)
        .where(
            AuditEvent.chain == event_chain.SYSTEM,
            AuditEvent.kind == Event.BAD_SEAL,
            AuditEvent.at >= begins,
            AuditEvent.at < begins + timedelta(days=1),
            AuditEvent.details == details,
        )
        .limit(1)
    )
    return event_id is not None


async def load_bad_seal(session: AsyncSession, event_id: int) -> str:
    """The name of the row that an event is about, for the operator."""
    event = await session.get_one(AuditEvent, event_id)
    row: str = json.loads(event.details)["row"]
    return row
