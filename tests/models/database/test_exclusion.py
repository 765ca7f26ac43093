"""Who replaces a PostgreSQL database has it alone: no program is in it, and none enters."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text

from models.database.engine import Database
from models.database.exclusion import InUse, alone
from models.database.lease import Lease
from models.database.postgresql import BeingReplaced
from tests.conftest import POSTGRES
from tests.support import KEYRING, PATIENT_LEASE

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def enter(database: Database) -> None:
    """Open a session, look at something, and leave."""
    try:
        async with database.read() as session:
            await session.execute(text("SELECT count(*) FROM certification"))
    finally:
        await database.close()


@ON_POSTGRESQL
async def test_nobody_enters_while_a_database_is_replaced(country: Database, database_url: str) -> None:
    await country.close()
    async with alone(country.url, "laocert db restore"):
        for name in ("laocert run", "laocert status"):
            with pytest.raises(BeingReplaced):
                await enter(Database(database_url, KEYRING, name))
        with pytest.raises(InUse, match="laocert db restore"):
            async with alone(country.url, "laocert db restore"):
                pass
    await enter(Database(database_url, KEYRING))


@ON_POSTGRESQL
async def test_a_connection_that_idles_in_a_pool_counts(country: Database, database_url: str) -> None:
    other = Database(database_url, KEYRING, "laocert export progress")
    async with other.read() as session:
        await session.execute(text("SELECT 1"))
    await country.close()
    with pytest.raises(InUse, match=r"in use by laocert export progress \(1 session, server process \d+, from"):
        async with alone(country.url, "laocert db restore"):
            pass
    await other.close()


@ON_POSTGRESQL
async def test_a_program_of_an_earlier_release_is_known_by_its_lease(
    country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await country.close()
    monkeypatch.setattr("models.database.postgresql._enter", lambda *_: None)
    earlier = Database(country.url.render_as_string(hide_password=False), name="")
    lease = Lease(earlier, "courier", PATIENT_LEASE)
    keeping = asyncio.create_task(lease.keep())
    await lease.taken.wait()
    with pytest.raises(InUse, match="a program without a name"):
        async with alone(country.url, "laocert db restore"):
            pass
    keeping.cancel()
    await lease.give_back()
    await earlier.close()


@ON_POSTGRESQL
async def test_a_program_on_another_database_is_not_in_the_way(country: Database) -> None:
    await country.close()
    elsewhere = Database(f"{POSTGRES.replace('postgresql:', 'postgresql+asyncpg:')}/postgres", KEYRING)
    async with elsewhere.read() as session:
        await session.execute(text("SELECT 1"))
        async with alone(country.url, "laocert db restore"):
            pass
    await elsewhere.close()


@ON_POSTGRESQL
async def test_many_programs_are_named_in_one_line(country: Database, database_url: str) -> None:
    await country.close()
    async with AsyncExitStack() as opened:
        for number in range(5):
            other = Database(database_url, KEYRING, f"laocert {number}")
            opened.push_async_callback(other.close)
            # The first has two sessions, and comes first.
            for _ in range(2 if number == 4 else 1):
                session = await opened.enter_async_context(other.read())
                await session.execute(text("SELECT 1"))
        with pytest.raises(InUse) as refused:
            async with alone(country.url, "laocert db restore"):
                pass
    said = str(refused.value)
    assert said.startswith("the database is in use by laocert 4 (2 sessions, server process ")
    assert "laocert 0 (1 session, server process " in said
    assert said.endswith(" and 2 more; stop the bot and every other laocert command first")
    async with alone(country.url, "laocert db restore"):
        pass
