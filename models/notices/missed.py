"""What a chat did not get while Telegram refused messages to it: counted and told in one line when it is there
again.
"""

from datetime import datetime

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.notices import outbox
from models.notices.kind import CHANGES, NoticeKind, kinds_where
from models.notices.outbox import OutboxMessage

# Stands behind the reason of a message that its chat was told of.
TOLD = " (its chat was told)"
# As much of the reason as leaves room for that.
_REASON = 270
# Edits are made up for, and the live card shows how things are now.
_MADE_UP_FOR = CHANGES | kinds_where(lambda rules: rules.is_live_card)


async def tell_missed(session: AsyncSession, chat_id: int, since: datetime | None, now: datetime) -> None:
    """Queue one line on how many notices did not arrive in a chat, if there were any.

    `since`: the beginning of the chat's link, before which its notices were somebody else's business.
    """
    lost = (
        OutboxMessage.chat_id == chat_id,
        outbox.is_unreachable(),
        OutboxMessage.kind.not_in(_MADE_UP_FOR),
        ~OutboxMessage.error.endswith(TOLD, autoescape=True),
    )
    found = await session.execute(
        update(OutboxMessage)
        .where(*lost, *(() if since is None else (OutboxMessage.created_at >= since,)))
        .values(error=func.substr(OutboxMessage.error, 1, _REASON).concat(TOLD))
        .returning(OutboxMessage.id, OutboxMessage.kind, OutboxMessage.subject_id)
    )
    rows = found.all()
    if not rows:
        return
    # A line that was lost itself stands for as many as it told of.
    missed = sum(subject_id if kind is NoticeKind.MISSED else 1 for _, kind, subject_id in rows)
    # Each message is told of once, so that no two lines have the same for their newest.
    newest = max(row_id for row_id, *_ in rows)
    outbox.enqueue(session, NoticeKind.MISSED, chat_id, missed, now, occasion=str(newest))
