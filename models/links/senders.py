"""Which senders of updates are officers, and which are about to be: they come before strangers."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, CompoundSelect, bindparam, exists, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Officer
from models.chats import inbox
from models.chats.conversation import Awaiting, Conversation
from models.chats.inbox import InboxUpdate

# What a chat is asked for while it logs in.
_LOGIN = (Awaiting.USERNAME, Awaiting.PASSWORD)


@dataclass(frozen=True)
class Senders:
    """Telegram users: those who are linked, and those who are logging in."""

    linked: frozenset[int]
    logging_in: frozenset[int]


async def look_up(session: AsyncSession, senders: Collection[int]) -> Senders:
    """What is known of some senders, in one query; of none, without one."""
    if not senders:
        return Senders(frozenset(), frozenset())
    rows = (await session.execute(_known(), {"senders": list(senders)})).all()
    return Senders(
        frozenset(sender for sender, is_linked in rows if is_linked),
        frozenset(sender for sender, is_linked in rows if not is_linked),
    )


async def pending_in_turn(
    session: AsyncSession, bot_id: int, taken: Collection[int], limit: int, strangers: int
) -> list[InboxUpdate]:
    """The oldest updates that are not done: first those of officers and of who is logging in, then at most so many
    of strangers.
    """
    known = or_(
        exists().where(Officer.user_id == InboxUpdate.sender, Officer.unlinked_at.is_(None)),
        exists().where(Conversation.chat_id == InboxUpdate.sender, Conversation.awaiting.in_(_LOGIN)),
    )
    first = await inbox.pending(session, bot_id, taken, limit, known)
    room = min(limit - len(first), strangers)
    return first + (await inbox.pending(session, bot_id, taken, room, ~known) if room > 0 else [])


@cache
def _known() -> CompoundSelect[*tuple[Any, ...]]:
    senders: BindParameter[Any] = bindparam("senders", expanding=True)
    linked = select(Officer.user_id, literal(1)).where(Officer.user_id.in_(senders), Officer.unlinked_at.is_(None))
    logging_in = select(Conversation.chat_id, literal(0)).where(
        Conversation.chat_id.in_(senders), Conversation.awaiting.in_(_LOGIN)
    )
    return union_all(linked, logging_in)
