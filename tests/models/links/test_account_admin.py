"""What the operator does with accounts: passwords, the list, and the links of chats."""

import pytest

from models.accounts.account import find_account
from models.chats.conversation import note_card
from models.database.engine import Database
from models.links import account_admin
from models.links.link import disable_account
from tests.models.links.chats import CHAT, COLLEAGUE, LAO, blanks, linked
from tests.support import Clock


@pytest.mark.parametrize("way", ["unlink one", "unlink all", "disable"])
async def test_the_operator_ends_links_and_their_chats_are_blanked(
    country: Database, clock: Clock, way: str
) -> None:
    officer = await linked(country, clock())
    await linked(country, clock(), chat=COLLEAGUE)
    async with country.write() as session:
        for chat in (CHAT, COLLEAGUE):
            await note_card(session, chat, 10, clock())
    async with country.write() as session:
        if way == "disable":
            assert await disable_account(session, await find_account(session, LAO), clock()) == 2
        else:
            which = officer.id if way == "unlink one" else None
            ended = await account_admin.unlink(session, LAO, which, clock())
            assert officer.id in [one.id for one in ended]
    both = way != "unlink one"
    assert (await blanks(country), await blanks(country, COLLEAGUE)) == ([10], [10] if both else [])
    async with country.read() as session:
        assert len(await account_admin.account_links(session, LAO)) == (0 if both else 1)
        assert len(await account_admin.all_links(session, LAO)) == 2
