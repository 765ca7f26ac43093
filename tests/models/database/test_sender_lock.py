"""Who serves whom: a sender is one program's at a time, until it is given back or its program is gone."""

import asyncio

import pytest
from sqlalchemy import text

from models.database.engine import Database
from models.database.sender_lock import SenderLocks, SenderLockTimes
from tests.support import PATIENCE, until

TIMES = SenderLockTimes(alive_every=0.02, patience=PATIENCE, gone_after=int(PATIENCE))
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
SENDER, OTHER = 501, 502


@ON_POSTGRESQL
async def test_a_sender_is_one_programs_until_it_is_given_back(database: Database) -> None:
    one, two = SenderLocks(database, TIMES), SenderLocks(database, TIMES)
    assert await one.take(SENDER)
    # It is this program's already.
    assert await one.take(SENDER)
    assert not await two.take(SENDER)
    # Nobody else's is in the way.
    assert await two.take(OTHER)
    assert not await one.take(OTHER)
    one.give_back(SENDER)
    await until(lambda: two.take(SENDER))
    assert not await one.take(SENDER)
    # What is not held is not given back.
    one.give_back(SENDER)
    assert await one.take(777)
    assert not await one.take(SENDER)
    for locks in (one, two):
        await locks.close()


@ON_POSTGRESQL
async def test_of_several_who_ask_at_once_each_gets_its_own(database: Database) -> None:
    one, two = SenderLocks(database, TIMES), SenderLocks(database, TIMES)
    senders = range(-20, 20)
    by_one, by_two = await asyncio.gather(
        asyncio.gather(*(one.take(sender) for sender in senders)),
        asyncio.gather(*(two.take(sender) for sender in reversed(senders))),
    )
    for held_by_one, held_by_two in zip(by_one, reversed(by_two), strict=True):
        assert held_by_one is not held_by_two
    for locks in (one, two):
        await locks.close()


@ON_POSTGRESQL
async def test_a_program_that_ends_leaves_nobody_locked(database: Database) -> None:
    one, two = SenderLocks(database, TIMES), SenderLocks(database, TIMES)
    assert await one.take(SENDER)
    await one.close()
    assert await two.take(SENDER)
    await two.close()


@ON_POSTGRESQL
async def test_who_loses_its_session_holds_nobody_any_more(database: Database) -> None:
    one, two = SenderLocks(database, TIMES), SenderLocks(database, TIMES)
    assert await one.take(SENDER)
    async with database.write() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )
    await until(lambda: two.take(SENDER))
    # The first has noticed, opens another session, and is told that the sender is another's now.
    await until(lambda: not_taken(one))
    assert await one.take(OTHER)
    for locks in (one, two):
        await locks.close()


async def not_taken(locks: SenderLocks) -> bool:
    return not await locks.take(SENDER)


@ON_POSTGRESQL
async def test_who_does_not_wait_any_more_holds_nobody(database: Database) -> None:
    """Wherever it is when it gives up: before it has asked, or while the answer is on its way."""
    one, two = SenderLocks(database, TIMES), SenderLocks(database, TIMES)
    senders = range(1, 15)
    for turns in senders:
        # When this is answered nothing else is asked.
        assert await one.take(1000 + turns)
        asking = asyncio.create_task(one.take(turns))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        # As every caller does in the end.
        one.give_back(turns)
    # Whatever was got for nobody is given back when it asks next.
    assert await one.take(SENDER)
    assert [await two.take(sender) for sender in senders] == [True] * len(senders)
    for locks in (one, two):
        await locks.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_has_one_program_that_serves_everybody(database: Database) -> None:
    one, two = SenderLocks(database), SenderLocks(database)
    assert [await locks.take(SENDER) for locks in (one, two, one)] == [True] * 3
    one.give_back(SENDER)
    for locks in (one, two):
        await locks.close()
