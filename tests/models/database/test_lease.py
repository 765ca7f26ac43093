"""One holder at a time, in one process or several, and nobody's when its holder is gone."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.database.engine import Database
from models.database.lease import Lease
from tests.support import PATIENT_LEASE, until

ROOT = Path(__file__).parents[3]
# Takes the lease, says so, and does nothing more.
HOLDER = """
import asyncio, sys
from models.database.engine import Database
from models.database.lease import Lease

async def hold():
    one = Lease(Database(sys.argv[1]), "courier")
    keeping = asyncio.create_task(one.keep())
    await one.taken.wait()
    print("held", flush=True)
    await keeping

asyncio.run(hold())
"""


TIMES = replace(PATIENT_LEASE, every=0.02)


@asynccontextmanager
async def kept(database: Database, name: str = "courier") -> AsyncIterator[Lease]:
    one = Lease(database, name, TIMES)
    task = asyncio.create_task(one.keep())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.wait({task})
        await one.give_back()


@asynccontextmanager
async def another(database: Database) -> AsyncIterator[Database]:
    """The database as another program has it open."""
    other = Database(database.url.render_as_string(hide_password=False))
    try:
        yield other
    finally:
        await other.close()


async def test_there_is_one_holder_and_another_when_it_gives_back(database: Database) -> None:
    async with another(database) as other, kept(other) as second:
        await second.taken.wait()
        async with kept(database) as first, kept(database, "poller") as apart:
            # Another name is another lease.
            await apart.taken.wait()
            await asyncio.sleep(0.1)
            assert (first.is_held, second.is_held) == (False, True)
            second._good_until = 0.0
            assert not second.is_held, "who stood still looks before it goes on"
            await until(lambda: second.is_held)
        assert not first.is_held
    async with kept(database) as third:
        await third.taken.wait()


async def test_it_is_free_when_its_process_is_killed(database: Database, database_url: str) -> None:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, database_url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    start_took = time.monotonic() - began
    async with kept(database) as waiting:
        await asyncio.sleep(0.1)
        assert not waiting.is_held
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        await process.wait()
        await waiting.taken.wait()
        # On a busy machine as long as a start takes.
        assert time.monotonic() - killed < max(10, start_took)


OF_THE_COURIER = (
    "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32) | objid::bigint = hashtextextended('laocert courier', 0)"
)


async def waits(session: AsyncSession, taking: asyncio.Task[object]) -> bool:
    """Whether somebody waits for the lease, or has it already."""
    waiting = await session.scalar(text(f"SELECT count(*) FROM pg_locks WHERE {OF_THE_COURIER} AND NOT granted"))
    return bool(waiting) or taking.done()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_who_loses_the_connection_loses_the_lease(database: Database) -> None:
    async with another(database) as other, kept(database) as one:
        await one.taken.wait()
        async with other.write() as session:
            # The holder alone is ended: on a busy machine the lease may already be with who waits for it.
            holder = await session.scalar(text(f"SELECT pid FROM pg_locks WHERE {OF_THE_COURIER} AND granted"))
            # Somebody else is next in the queue.
            take = text("SELECT pg_advisory_xact_lock(hashtextextended('laocert courier', 0))")
            taking = asyncio.create_task(session.execute(take))
            async with other.write() as ending:
                await until(lambda: waits(ending, taking))
                await ending.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": holder})
            await taking
            await until(lambda: not one.is_held)
            await asyncio.sleep(0.4)
            assert not one.is_held
        await until(lambda: one.is_held)


async def test_a_database_in_memory_needs_none() -> None:
    database = Database("sqlite+aiosqlite:///:memory:")
    async with kept(database) as one:
        await one.taken.wait()
        assert one.is_held
    await database.close()
