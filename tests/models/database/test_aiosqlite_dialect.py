"""Statements and savepoints on SQLite: they go together to the database, and do what they would do apart."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

import models.database
from models.database import aiosqlite_dialect
from models.database.engine import Database

ON_BOTH_DRIVERS = pytest.mark.parametrize("shelf", ["ours", "stock"], indirect=True)


@pytest.fixture
async def desk(shelf: Database) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction; what it does is undone in the end."""
    async with shelf.engine.connect() as connection:
        yield connection


async def put(connection: AsyncConnection, name: str) -> None:
    await connection.execute(text("INSERT INTO book VALUES (:name)"), {"name": name})


async def put_in_savepoint(connection: AsyncConnection, *names: str) -> None:
    async with connection.begin_nested():
        for name in names:
            await put(connection, name)


async def books(connection: AsyncConnection) -> list[str]:
    return list(await connection.scalars(text("SELECT name FROM book ORDER BY name")))


async def sent(desk: AsyncConnection) -> list[str]:
    """What SQLite is asked from now on, word by word."""
    statements: list[str] = []
    driver = (await desk.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.set_trace_callback(statements.append)
    return statements


@ON_BOTH_DRIVERS
async def test_rows_and_what_is_known_of_them(desk: AsyncConnection) -> None:
    written = await desk.execute(text("INSERT INTO book VALUES ('a'), ('b') RETURNING name"))
    assert [tuple(row) for row in written] == [("a",), ("b",)]
    changed = await desk.execute(text("UPDATE book SET name = name || 'x'"))
    assert changed.rowcount == 2
    assert not changed.returns_rows
    found = await desk.execute(text("SELECT name, 7 AS seven FROM book WHERE name = 'none'"))
    assert list(found.keys()) == ["name", "seven"]
    assert found.all() == []


@ON_BOTH_DRIVERS
async def test_many_rows_at_once(desk: AsyncConnection) -> None:
    rows = [{"name": name} for name in "abc"]
    assert (await desk.execute(text("INSERT INTO book VALUES (:name)"), rows)).rowcount == 3
    assert await books(desk) == ["a", "b", "c"]


@ON_BOTH_DRIVERS
async def test_what_is_streamed_comes_a_few_at_a_time(desk: AsyncConnection) -> None:
    await desk.execute(
        text("INSERT INTO book VALUES (:name)"), [{"name": f"{number:03}"} for number in range(250)]
    )
    statement = text("SELECT name FROM book ORDER BY name").execution_options(yield_per=100)
    async with desk.stream(statement) as rows:
        assert [row.name async for row in rows] == [f"{number:03}" for number in range(250)]


async def test_nothing_is_sent_of_a_savepoint_in_which_nothing_is_written(desk: AsyncConnection) -> None:
    await put(desk, "before")
    statements = await sent(desk)
    outer = await desk.begin_nested()
    async with desk.begin_nested():
        assert await books(desk) == ["before"]
    await outer.rollback()
    await put(desk, "after")
    assert [statement.split()[0] for statement in statements] == ["SELECT", "INSERT"]


async def test_a_savepoint_goes_with_the_first_that_writes(desk: AsyncConnection) -> None:
    await books(desk)
    statements = await sent(desk)
    async with desk.begin_nested():
        await books(desk)
        await put(desk, "a")
        await put(desk, "b")
    async with desk.begin_nested():
        await put(desk, "c")
    assert [statement.split()[0] for statement in statements] == [
        "SELECT", "SAVEPOINT", "INSERT", "INSERT", "RELEASE", "SAVEPOINT", "INSERT",
    ]  # fmt: skip


@ON_BOTH_DRIVERS
@pytest.mark.parametrize("first", ["", "outer"])
@pytest.mark.parametrize("second", ["", "inner"])
@pytest.mark.parametrize("fails", ["inner", "outer", "after", "nothing"])
async def test_each_takes_back_its_own(desk: AsyncConnection, first: str, second: str, fails: str) -> None:
    """One within the other, whether or not anything is written before, in and between them."""
    await put(desk, "before")
    outer = await desk.begin_nested()
    if first:
        await put(desk, first)
    inner = await desk.begin_nested()
    if second:
        await put(desk, second)
    await (inner.rollback() if fails == "inner" else inner.commit())
    if fails == "after":
        await put(desk, "between")
    await (outer.rollback() if fails in ("outer", "after") else outer.commit())
    await put(desk, "end")
    kept = {"before", "end"}
    if fails in ("inner", "nothing"):
        kept.add(first)
    if fails == "nothing":
        kept.add(second)
    assert set(await books(desk)) == kept - {""}


@ON_BOTH_DRIVERS
async def test_a_statement_that_is_refused_leaves_the_savepoint_to_be_taken_back(desk: AsyncConnection) -> None:
    await put(desk, "a")
    with pytest.raises(IntegrityError):
        await put_in_savepoint(desk, "b", "a")
    with pytest.raises(IntegrityError):
        await put_in_savepoint(desk, "a")
    assert await books(desk) == ["a"]


async def test_what_waits_ends_with_its_transaction(desk: AsyncConnection) -> None:
    """A savepoint of a transaction that is over is nobody's, whether it was begun or ended only for us."""
    await desk.begin_nested()
    await desk.rollback()
    await put_in_savepoint(desk, "first")
    await desk.commit()
    statements = await sent(desk)
    await put(desk, "a")
    await desk.commit()
    assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "COMMIT"]
    assert await books(desk) == ["a", "first"]


# --- without its private parts ------------------------------------------------------------------------------


def test_the_tested_versions_have_all_that_is_relied_on() -> None:
    assert aiosqlite_dialect.missing_parts() == []


@pytest.mark.parametrize(("owner", "name"), [(aiosqlite.Connection, "_execute"), (aiosqlite.Connection, "_conn")])
async def test_without_one_the_stock_driver_is_taken_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, owner: type, name: str
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(owner, name)
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/laocert.db")
    assert database.engine.url.drivername == "sqlite+aiosqlite"
    assert f"missing: Connection.{name}" in caplog.text
    async with database.write() as session:
        await session.execute(text("CREATE TABLE book (name TEXT)"))
    await database.close()


async def test_a_module_that_cannot_be_imported_is_no_reason_not_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "models.database.aiosqlite_dialect", None)
    monkeypatch.delattr(models.database, "aiosqlite_dialect")
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/laocert.db")
    assert database.engine.url.drivername == "sqlite+aiosqlite"
    await database.close()
