"""What every update needs of its sender, read in one query."""

from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.account import Account, Officer
from models.conversation import Conversation, start_conversation
from models.organization import Organization


async def load_arrival(session: AsyncSession, chat_id: int, user_id: int) -> tuple[Conversation, Officer | None]:
    """The conversation of a chat, begun if it is new, and the officer behind a Telegram user with account,
    organization and province, as `models.account.active_officer` finds it.
    """
    row = (await session.execute(_arrival(), {"chat": chat_id, "user": user_id})).one()
    conversation, officer = row
    if officer is not None and officer.account.disabled_at is not None:
        officer = None
    return conversation or start_conversation(session, chat_id), officer


@cache
def _arrival() -> Select[*tuple[Any, ...]]:
    # One row, whether there is any of both or not.
    one = select(literal(1).label("one")).subquery()
    account = joinedload(Officer.account)
    return (
        select(Conversation, Officer)
        .select_from(one)
        .outerjoin(Conversation, Conversation.chat_id == bindparam("chat"))
        .outerjoin(Officer, (Officer.user_id == bindparam("user")) & Officer.unlinked_at.is_(None))
        .options(
            account.joinedload(Account.organization).joinedload(Organization.province),
            account.joinedload(Account.province),
        )
    )
