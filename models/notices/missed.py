"""Notices that a chat missed while Telegram refused messages to it: counted, and told in one line when the chat is
reachable again.
"""

from datetime import datetime

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.notices import outbox
from models.notices.kind import CHANGES, NoticeKind, kinds_where
from models.notices.outbox import OutboxMessage

# Appended to the error of a message that was counted in a MISSED notice, so that it is counted once.
TOLD = " (its chat was told)"
# Truncate the error to this many characters, so that TOLD fits into the column.
_REASON = 270
# Kinds that are not counted: edits are retried, and the live card shows the current state anyway.
_MADE_UP_FOR = CHANGES | kinds_where(lambda rules: rules.is_live_card)


async def tell_missed(session: AsyncSession, chat_id: int, since: datetime | None, now: datetime) -> None:
    """Enqueue one MISSED notice with the number of notices that did not arrive in a chat, if there were any.

    `since`: the beginning of the chat's link. Earlier notices belonged to another officer and are not counted.
    """
    lost = (
        OutboxMessage.chat_id == chat_id,
        outbox.is_unreachable(),
        OutboxMessage.kind.not_in(_MADE_UP_FOR),
        ~OutboxMessage.error.endswith(TOLD, autoescape=True),
    )
    missed_messages = await session.execute(
        update(OutboxMessage)
        .where(*lost, *(() if since is None else (OutboxMessage.created_at >= since,)))
        .values(error=func.substr(OutboxMessage.error, 1, _REASON).concat(TOLD))
        .returning(OutboxMessage.id, OutboxMessage.kind, OutboxMessage.subject_id)
    )
    rows = missed_messages.all()
    if not rows:
        return
    # A MISSED notice that was lost itself counts for as many notices as it reported.
    missed = sum(subject_id if kind is NoticeKind.MISSED else 1 for _, kind, subject_id in rows)
    # Unique as the occasion, because each message is reported only once.
    newest = max(row_id for row_id, *_ in rows)
    outbox.enqueue(session, NoticeKind.MISSED, chat_id, missed, now, occasion=str(newest))
