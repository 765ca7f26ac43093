"""What every update needs of its sender, read in one query."""

from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from models.account import Account, Officer
from models.conversation import Conversation, start_conversation
from models.organization import Organization, Province


async def load_arrival(session: AsyncSession, chat_id: int, user_id: int) -> tuple[Conversation, Officer | None]:
    """The conversation of a chat, begun if it is new, and the officer behind a Telegram user with account,
    organization and province, as `models.account.active_officer` finds it.
    """
    row = (await session.execute(_arrival(), {"chat": chat_id, "user": user_id})).one()
    conversation, officer, account, organization, province = row
    if conversation is None:
        conversation = start_conversation(session, chat_id)
    if officer is None or account.disabled_at is not None:
        return conversation, None
    # Put together here: told to load relationships, SQLAlchemy takes a third longer.
    set_committed_value(officer, "account", account)
    set_committed_value(account, "organization", organization)
    set_committed_value(account, "province", None if organization else province)
    if organization is not None:
        set_committed_value(organization, "province", province)
    return conversation, officer


@cache
def _arrival() -> Select[*tuple[Any, ...]]:
    # One row, whether there is any of both or not.
    one = select(literal(1).label("one")).subquery()
    return (
        select(Conversation, Officer, Account, Organization, Province)
        .select_from(one)
        .outerjoin(Conversation, Conversation.chat_id == bindparam("chat"))
        .outerjoin(Officer, (Officer.user_id == bindparam("user")) & Officer.unlinked_at.is_(None))
        .outerjoin(Account, Account.id == Officer.account_id)
        .outerjoin(Organization, Organization.dla_code == Account.organization_code)
        .outerjoin(Province, Province.code == func.coalesce(Organization.province_code, Account.province_code))
    )
