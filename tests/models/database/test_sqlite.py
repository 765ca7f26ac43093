"""Writers on SQLite: they share commits, and nothing else."""

import asyncio
import os
import sqlite3
import stat
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError

from models.database import sqlite
from models.database.engine import Database
from models.database.lease import Lease
from models.database.sqlite import TransactionLost, Writers
from tests.support import PATIENCE


async def put(database: Database, name: str) -> None:
    async with database.write() as session:
        await session.execute(text("INSERT INTO book VALUES (:name)"), {"name": name})


async def books(database: Database) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(text("SELECT name FROM book")))


@pytest.fixture
def commits(shelf: Database) -> list[int]:
    """One entry for each commit."""
    seen: list[int] = []
    event.listen(shelf.engine.sync_engine, "commit", lambda _connection: seen.append(1))
    return seen


async def test_writers_who_queue_share_a_commit(shelf: Database, commits: list[int]) -> None:
    await asyncio.gather(*(put(shelf, str(number)) for number in range(20)))
    assert await books(shelf) == {str(number) for number in range(20)}
    assert len(commits) == 1


async def test_not_more_than_some_share_a_commit(shelf: Database, commits: list[int]) -> None:
    writers = Writers(shelf.engine, most_together=6)

    async def put_in_turn(name: str) -> None:
        async with writers.turn() as connection:
            await connection.execute(text("INSERT INTO book VALUES (:name)"), {"name": name})

    await asyncio.gather(*(put_in_turn(str(number)) for number in range(20)))
    await writers.close()
    assert len(await books(shelf)) == 20
    assert len(commits) == 4


async def test_one_that_fails_takes_back_its_own_and_nothing_else(shelf: Database, commits: list[int]) -> None:
    async def half() -> None:
        async with shelf.write() as session:
            await session.execute(text("INSERT INTO book VALUES ('half')"))
            raise LookupError

    results = await asyncio.gather(
        put(shelf, "a"), half(), put(shelf, "a"), put(shelf, "b"), return_exceptions=True
    )
    assert [type(one) for one in results] == [type(None), LookupError, IntegrityError, type(None)]
    assert await books(shelf) == {"a", "b"}
    assert len(commits) == 1


async def test_nobody_is_told_before_the_commit(shelf: Database) -> None:
    """Read with another program's eyes: what a writer believes to be written is there when its block has ended."""
    path = shelf.url.database

    async def put_and_look(name: str) -> bool:
        await put(shelf, name)
        with sqlite3.connect(str(path)) as other:
            return other.execute("SELECT 1 FROM book WHERE name = ?", (name,)).fetchone() is not None

    assert all(await asyncio.gather(*(put_and_look(str(number)) for number in range(20))))


async def test_a_commit_that_fails_is_told_to_all_who_share_it(shelf: Database) -> None:
    def full(_connection: Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    event.listen(shelf.engine.sync_engine, "commit", full)
    results = await asyncio.gather(*(put(shelf, str(number)) for number in range(5)), return_exceptions=True)
    event.remove(shelf.engine.sync_engine, "commit", full)
    assert all(isinstance(one, sqlite3.OperationalError) for one in results)
    assert len(results) == 5
    assert await books(shelf) == set()
    await put(shelf, "afterwards")
    assert await books(shelf) == {"afterwards"}


async def test_a_transaction_that_sqlite_rolled_back_is_nobodys(shelf: Database) -> None:
    """As it does by itself when the disk is full."""

    async def lose() -> None:
        async with shelf.write() as session:
            raw = await (await session.connection()).get_raw_connection()
            assert raw.driver_connection is not None
            await raw.driver_connection.rollback()

    results = await asyncio.gather(put(shelf, "before"), lose(), put(shelf, "behind"), return_exceptions=True)
    assert isinstance(results[0], TransactionLost)
    assert isinstance(results[1], Exception)
    assert await books(shelf) <= {"behind"}
    assert ("behind" in await books(shelf)) is (results[2] is None)


async def test_who_is_cancelled_while_waiting_holds_up_nobody(shelf: Database) -> None:
    inside, leave = asyncio.Event(), asyncio.Event()

    async def stay() -> None:
        async with shelf.write() as session:
            await session.execute(text("INSERT INTO book VALUES ('first')"))
            inside.set()
            await leave.wait()

    first = asyncio.create_task(stay())
    await inside.wait()
    waiting, last = asyncio.create_task(put(shelf, "never")), asyncio.create_task(put(shelf, "last"))
    await asyncio.sleep(0)
    waiting.cancel()
    leave.set()
    await asyncio.gather(first, last)
    with suppress(asyncio.CancelledError):
        await waiting
    assert await books(shelf) == {"first", "last"}


async def test_who_is_cancelled_inside_takes_back_its_own(shelf: Database) -> None:
    inside = asyncio.Event()

    async def stay() -> None:
        async with shelf.write() as session:
            await session.execute(text("INSERT INTO book VALUES ('first')"))
            inside.set()
            await asyncio.Event().wait()

    first = asyncio.create_task(stay())
    await inside.wait()
    last = asyncio.create_task(put(shelf, "last"))
    first.cancel()
    await last
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await books(shelf) == {"last"}


async def test_another_programs_lock_is_waited_for_beside_the_loop(shelf: Database) -> None:
    other = sqlite3.connect(str(shelf.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(put(shelf, "late"))
    # Readers go on meanwhile.
    for _ in range(20):
        assert await books(shelf) == set()
        await asyncio.sleep(0)
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    await writing
    assert await books(shelf) == {"late"}


async def test_a_connection_that_was_opened_is_kept(shelf: Database) -> None:
    opened: list[int] = []
    event.listen(shelf.engine.sync_engine, "connect", lambda *_: opened.append(1))
    for _ in range(3):
        async with AsyncExitStack() as together:
            for _ in range(sqlite.KEPT):
                session = await together.enter_async_context(shelf.read())
                await session.execute(text("SELECT name FROM book"))
    assert len(opened) <= sqlite.KEPT


def modes_in(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


@pytest.mark.parametrize("umask", [0, 0o027])
async def test_the_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """SQLite gives the database's mode to its log."""
    path = tmp_path / "private.db"
    before = os.umask(umask)
    try:
        database = Database(f"sqlite+aiosqlite:///{path}")
        async with database.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE book (name TEXT)"))
        lease = Lease(database, "courier")
        held = asyncio.create_task(lease.keep())
        await asyncio.wait_for(lease.taken.wait(), PATIENCE)
        modes = modes_in(tmp_path)
        held.cancel()
        await asyncio.wait({held})
        await database.close()
    finally:
        os.umask(before)
    assert set(modes) >= {"private.db", "private.db-wal", "private.db-shm", "private.db.courier-lease"}
    assert set(modes.values()) == {0o600}


async def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "wide.db"
    path.touch(mode=0o644)
    path.chmod(0o644)
    database = Database(f"sqlite+aiosqlite:///{path}")
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE book (name TEXT)"))
    assert sqlite.open_to_others(database.url) == ["wide.db", "wide.db-wal", "wide.db-shm"]
    await database.close()
    path.chmod(0o600)
    assert sqlite.open_to_others(database.url) == []
