"""What every update reads of its sender is what the other ways to find an officer read."""

from datetime import datetime

import pytest
from sqlalchemy import event, select

from models.accounts.account import Account, active_officer
from models.chats.conversation import Language, load_conversation
from models.database.engine import Database
from models.links.arrival import load_arrival
from models.links.link import disable_account
from tests.support import link

LAO, PROVINCE = 501, 502


@pytest.mark.parametrize(("username", "user"), [("lao5110201", LAO), ("province11", PROVINCE)])
async def test_it_is_the_officer_with_all_that_belongs_to_it(
    country: Database, now: datetime, username: str, user: int
) -> None:
    async with country.write() as session:
        await link(session, username, user, now)
    async with country.read() as session:
        expected = await active_officer(session, user)
        assert expected is not None
        unit = (expected.account.organization, expected.account.province)
        names = [part.name_th for part in unit if part is not None]
    async with country.read() as session:
        statements: list[str] = []
        event.listen(country.engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
        # Not to be counted: the transaction's beginning.
        await session.connection()
        statements.clear()
        officer = (await load_arrival(session, user, user)).officer
        assert len(statements) == 1
        assert officer is not None
        assert officer.id == expected.id
        assert officer.account.username == username
        unit = (officer.account.organization, officer.account.province)
        assert [part.name_th for part in unit if part is not None] == names
        if officer.account.organization is not None:
            assert officer.account.organization.province.name_en == "Samut Prakan"
        assert len(statements) == 1


async def test_a_stranger_has_a_conversation_and_no_officer(country: Database) -> None:
    async with country.write() as session:
        arrived = await load_arrival(session, 900, 900)
        assert arrived.officer is None
        assert arrived.conversation.language is Language.THAI
        arrived.conversation.language = Language.ENGLISH
    async with country.read() as session:
        again = await load_arrival(session, 900, 900)
        assert again.conversation.language is Language.ENGLISH


async def test_the_chat_and_the_person_are_looked_up_apart(country: Database, now: datetime) -> None:
    """In a group the chat is not its user."""
    async with country.write() as session:
        await link(session, "lao5110201", LAO, now)
    async with country.write() as session:
        (await load_conversation(session, -100)).told_private_only = True
    async with country.read() as session:
        arrived = await load_arrival(session, -100, LAO)
        assert arrived.conversation.told_private_only
        assert arrived.officer is not None


async def test_a_disabled_account_has_no_officer(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, "lao5110201", LAO, now)
    async with country.write() as session:
        account = await session.scalar(select(Account).where(Account.username == "lao5110201"))
        assert account is not None
        account.disabled_at = now
    async with country.read() as session:
        assert (await load_arrival(session, LAO, LAO)).officer is None


async def test_an_ended_link_has_no_officer(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, "lao5110201", LAO, now)
    async with country.write() as session:
        account = await session.scalar(select(Account).where(Account.username == "lao5110201"))
        assert account is not None
        assert await disable_account(session, account, now) == 1
        account.disabled_at = None
    async with country.read() as session:
        assert (await load_arrival(session, LAO, LAO)).officer is None
