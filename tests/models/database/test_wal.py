"""SQLite's write-ahead log does not grow for ever, whoever reads beside it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import text

from models.database import sqlite, wal
from models.database.engine import Database
from models.database.sqlite import file_of

PAGES = 40


@pytest.fixture
def reader(shelf: Database) -> Iterator[sqlite3.Connection]:
    """Somebody who reads what is there now, and goes on reading it."""
    with closing(sqlite3.connect(file_of(shelf.url) or "", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM book").fetchall()
        yield connection


async def write(database: Database, name: str) -> None:
    async with database.write() as session:
        await session.execute(
            text(f"INSERT INTO book VALUES (:name || hex(zeroblob({PAGES * 4096})))"), {"name": name}
        )


async def test_each_connection_leaves_no_more_of_it_than_the_bound(shelf: Database) -> None:
    async with shelf.read() as session:
        assert await session.scalar(text("PRAGMA journal_size_limit")) == sqlite.WAL_LIMIT


async def test_it_is_cut_off_as_soon_as_nobody_reads_it(shelf: Database, reader: sqlite3.Connection) -> None:
    await write(shelf, "a")
    grown = wal.length(shelf.url)
    assert grown > PAGES * 4096
    assert not wal.shorten(shelf.url)
    assert wal.length(shelf.url) == grown
    reader.execute("COMMIT")
    assert wal.shorten(shelf.url)
    assert wal.length(shelf.url) == 0
    await write(shelf, "b")


async def test_a_database_in_memory_has_none() -> None:
    database = Database("sqlite+aiosqlite:///:memory:")
    assert wal.length(database.url) == 0
    await database.close()
