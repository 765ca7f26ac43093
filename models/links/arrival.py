"""Loads in one query what every update needs of its sender, and every notice of its recipient."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from models.accounts.account import SEEN, Account, Officer, bad_seal, trust_last_seen
from models.accounts.pin import KEYPAD_LIFETIME, Keypad, Purpose
from models.base.clocks import is_past
from models.chats.conversation import Conversation, start_conversation
from models.notices.tables import ProvinceCard
from models.organizations.organization import Organization, Province
from models.security.row_seal import name_of


@dataclass(frozen=True)
class Arrival:
    """The sender's state when an update arrives.

    It holds the chat's conversation; the linked officer, with account, organization and province loaded as by
    `models.accounts.account.active_officer`; the officer's live card; and the nonce, opening time and purpose of
    the officer's keypad.
    """

    conversation: Conversation
    officer: Officer | None
    card: ProvinceCard | None
    keypad: str | None = None
    keypad_opened_at: datetime | None = None
    keypad_purpose: Purpose | None = None
    # The names of rows changed without the secret key. If one is the officer's or the account's, `officer` is
    # None.
    bad_seals: tuple[str, ...] = ()

    def open_keypad(self, now: datetime) -> str:
        """Return the nonce of the keypad if it is open at `now`, otherwise an empty string."""
        is_open = self.keypad_opened_at is not None and not is_past(self.keypad_opened_at, KEYPAD_LIFETIME, now)
        return (self.keypad or "") if is_open else ""

    def lapsed_keypad(self, now: datetime) -> Purpose | None:
        """Return the purpose of a keypad that has expired by `now`; None when there is none or it is open."""
        return self.keypad_purpose if self.keypad and not self.open_keypad(now) else None


async def load_arrival(session: AsyncSession, chat_id: int, user_id: int) -> Arrival:
    """Load the state of a chat and a Telegram user, and start a conversation when the chat has none."""
    known_conversation, officer, card, keypad, opened_at, purpose = await _find(session, chat_id, user_id)
    conversation = known_conversation or start_conversation(session, chat_id)
    if officer is None:
        return Arrival(conversation, None, None)
    if (bad_row := await bad_seal(session, officer)) is not None:
        return Arrival(conversation, None, None, bad_seals=(bad_row,))
    unseen = () if await trust_last_seen(session, officer) else (f"{name_of(officer)} {SEEN.into}",)
    return Arrival(conversation, officer, card, keypad, opened_at, purpose, unseen)


async def find_reader(session: AsyncSession, chat_id: int) -> tuple[Conversation | None, Officer | None]:
    """Return the conversation of a chat and the officer linked there, each None when there is none.

    An officer whose row or account has a bad seal is not returned.
    """
    conversation, officer, *_ = await _find(session, chat_id, chat_id)
    if officer is None or await bad_seal(session, officer) is not None:
        return conversation, None
    await trust_last_seen(session, officer)
    return conversation, officer


async def _find(
    session: AsyncSession, chat_id: int, user_id: int
) -> tuple[Conversation | None, Officer | None, ProvinceCard | None, str | None, datetime | None, Purpose | None]:
    row = (await session.execute(_arrival(), {"chat": chat_id, "user": user_id})).one()
    conversation, officer, account, organization, province, card, keypad, opened_at, purpose = row
    if officer is None or account.disabled_at is not None:
        return conversation, None, None, None, None, None
    # Set the relationships by hand: SQLAlchemy's eager loading takes a third longer.
    set_committed_value(officer, "account", account)
    set_committed_value(account, "organization", organization)
    set_committed_value(account, "province", None if organization else province)
    if organization is not None:
        set_committed_value(organization, "province", province)
    return conversation, officer, card, keypad, opened_at, purpose


@cache
def _arrival() -> Select[*tuple[Any, ...]]:
    # Outer joins from a single constant row, so that there is one result row even for an unknown chat and user.
    single_row = select(literal(1).label("one")).subquery()
    return (
        select(
            Conversation,
            Officer,
            Account,
            Organization,
            Province,
            ProvinceCard,
            Keypad.nonce,
            Keypad.opened_at,
            Keypad.purpose,
        )
        .select_from(single_row)
        .outerjoin(Conversation, Conversation.chat_id == bindparam("chat"))
        .outerjoin(Officer, (Officer.user_id == bindparam("user")) & Officer.unlinked_at.is_(None))
        .outerjoin(Account, Account.id == Officer.account_id)
        .outerjoin(Organization, Organization.dla_code == Account.organization_code)
        .outerjoin(Province, Province.code == func.coalesce(Organization.province_code, Account.province_code))
        .outerjoin(ProvinceCard, ProvinceCard.officer_id == Officer.id)
        .outerjoin(Keypad, Keypad.user_id == Officer.user_id)
    )
