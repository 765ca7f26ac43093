"""Whose updates come first: those of officers and of who is logging in, then some of strangers."""

from datetime import datetime

import pytest
from sqlalchemy import event

from models.chats import inbox
from models.chats.conversation import Awaiting, load_conversation
from models.chats.inbox import Received
from models.database.engine import Database
from models.links.link import unlink_officer
from models.links.senders import Senders, look_up, pending_in_turn
from tests.support import link

BOT = 7
LINKED, WAS_LINKED, TYPES_NAME, TYPES_PASSWORD, WRITES, STRANGER, OTHER = range(501, 508)


@pytest.fixture
async def chats(country: Database, now: datetime) -> Database:
    """One who is linked, one who was, two who log in, one linked who writes something, and strangers."""
    async with country.write() as session:
        await link(session, "lao5110201", LINKED, now)
        await link(session, "province11", WRITES, now)
        await unlink_officer(session, await link(session, "lao5110201", WAS_LINKED, now), now)
        for chat, awaiting in (
            (TYPES_NAME, Awaiting.USERNAME),
            (TYPES_PASSWORD, Awaiting.PASSWORD),
            (WRITES, Awaiting.QUESTION),
            (STRANGER, Awaiting.NOTHING),
        ):
            (await load_conversation(session, chat)).awaiting = awaiting
    return country


async def test_who_is_linked_and_who_is_logging_in(chats: Database) -> None:
    async with chats.read() as session:
        assert await look_up(session, range(501, 508)) == Senders(
            frozenset({LINKED, WRITES}), frozenset({TYPES_NAME, TYPES_PASSWORD})
        )
        assert await look_up(session, [STRANGER, 10**15]) == Senders(frozenset(), frozenset())


async def test_senders_are_looked_up_in_one_query_and_nobody_in_none(chats: Database) -> None:
    made: list[str] = []
    event.listen(chats.engine.sync_engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: made.append(sql))
    async with chats.read() as session:
        assert await look_up(session, []) == Senders(frozenset(), frozenset())
        assert [sql for sql in made if "officer" in sql] == []
        await look_up(session, range(501, 508))
    assert len([sql for sql in made if "officer" in sql]) == 1


async def test_officers_come_before_strangers_who_came_first(chats: Database, now: datetime) -> None:
    order = [STRANGER, OTHER, WAS_LINKED, TYPES_PASSWORD, LINKED, STRANGER, LINKED]
    async with chats.write() as session:
        kept = await inbox.store(
            session, BOT, [Received(number, sender, b"x") for number, sender in enumerate(order)], now
        )
        await inbox.store(session, BOT + 1, [Received(99, LINKED, b"x")], now)

        async def senders(limit: int, strangers: int, *taken: int) -> list[int]:
            rows = await pending_in_turn(session, BOT, {kept[place].id for place in taken}, limit, strangers)
            return [row.sender for row in rows]

        known = [TYPES_PASSWORD, LINKED, LINKED]
        assert await senders(10, 10) == [*known, STRANGER, OTHER, WAS_LINKED, STRANGER]
        assert await senders(10, 2) == [*known, STRANGER, OTHER]
        assert await senders(10, 0) == known
        # The limit is for all of them; what is taken already does not count.
        assert await senders(4, 10) == [*known, STRANGER]
        assert await senders(2, 10) == known[:2]
        assert await senders(10, 1, 0, 4) == [TYPES_PASSWORD, LINKED, OTHER]
        assert await inbox.finish(session, kept[0], now)
        assert await senders(10, 1) == [*known, OTHER]
