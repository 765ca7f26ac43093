"""Which senders of updates are officers or logging in: their updates are handled before those of strangers."""

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

# The inputs that a conversation awaits while its user logs in.
_LOGIN = (Awaiting.USERNAME, Awaiting.PASSWORD)


@dataclass(frozen=True)
class Senders:
    """Telegram user ids of linked officers, and of users who are logging in."""

    linked: frozenset[int]
    logging_in: frozenset[int]


async def look_up(session: AsyncSession, senders: Collection[int]) -> Senders:
    """Look up which of these senders are linked or logging in, in one query; without senders, in none."""
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
    """Return up to `limit` of the oldest pending updates whose senders are not in `taken`.

    Updates of officers and of users who are logging in come first, then at most `strangers` of other senders.
    """
    is_known = or_(
        exists().where(Officer.user_id == InboxUpdate.sender, Officer.unlinked_at.is_(None)),
        exists().where(Conversation.chat_id == InboxUpdate.sender, Conversation.awaiting.in_(_LOGIN)),
    )
    known_updates = await inbox.pending(session, bot_id, taken, limit, is_known)
    remaining = min(limit - len(known_updates), strangers)
    return known_updates + (
        await inbox.pending(session, bot_id, taken, remaining, ~is_known) if remaining > 0 else []
    )


@cache
def _known() -> CompoundSelect[*tuple[Any, ...]]:
    senders: BindParameter[Any] = bindparam("senders", expanding=True)
    linked = select(Officer.user_id, literal(1)).where(Officer.user_id.in_(senders), Officer.unlinked_at.is_(None))
    logging_in = select(Conversation.chat_id, literal(0)).where(
        Conversation.chat_id.in_(senders), Conversation.awaiting.in_(_LOGIN)
    )
    return union_all(linked, logging_in)
