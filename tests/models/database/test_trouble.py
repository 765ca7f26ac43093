"""What the database itself cannot do is told from what was asked wrongly, on errors as they really come."""

import asyncio

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from models.database.engine import Database
from models.database.trouble import Trouble, name_of, trouble_of

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def failure(database: Database, *statements: str) -> Exception:
    """What one transaction of these statements ends with."""
    with pytest.raises(Exception) as failed:  # noqa: PT011, PT012 - any, at any of them
        async with database.write() as session:
            for statement in statements:
                await session.execute(text(statement))
    return failed.value


@pytest.fixture
async def shelf(database: Database) -> Database:
    async with database.write() as session:
        await session.execute(text("CREATE TABLE book (id INTEGER PRIMARY KEY, name TEXT)"))
        await session.execute(text("INSERT INTO book VALUES (1, 'a'), (2, 'b')"))
    return database


async def test_what_was_asked_wrongly_is_not_the_databases_trouble(shelf: Database) -> None:
    error = await failure(shelf, "INSERT INTO book VALUES (1, 'twice')")
    assert isinstance(error, IntegrityError)
    assert trouble_of(error) is None
    assert name_of(error) == "IntegrityError"
    assert trouble_of(await failure(shelf, "SELECT * FROM nothing")) is None
    assert trouble_of(ValueError()) is None
    assert not any(shelf.troubles.values())


@ON_POSTGRESQL
async def test_waiting_in_vain_is(shelf: Database) -> None:
    async with shelf.write() as holding:
        await holding.execute(text("UPDATE book SET name = 'c' WHERE id = 1"))
        changed = "UPDATE book SET name = 'd' WHERE id = 1"
        locked = await failure(shelf, "SET LOCAL lock_timeout = '10ms'", changed)
        slow = await failure(shelf, "SET LOCAL statement_timeout = '10ms'", changed)
    assert [trouble_of(error) for error in (locked, slow)] == [Trouble.BUSY, Trouble.BUSY]
    assert name_of(locked) == "DBAPIError (the database is busy)"
    assert shelf.troubles["busy"] == 2


@ON_POSTGRESQL
async def test_a_deadlock_is(shelf: Database) -> None:
    both = asyncio.Barrier(2)

    async def change(first: int, second: int) -> None:
        async with shelf.write() as session:
            await session.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
            await session.execute(text("UPDATE book SET name = 'c' WHERE id = :id"), {"id": first})
            await both.wait()
            await session.execute(text("UPDATE book SET name = 'c' WHERE id = :id"), {"id": second})

    ended = await asyncio.gather(change(1, 2), change(2, 1), return_exceptions=True)
    (error,) = [one for one in ended if one is not None]
    assert trouble_of(error) is Trouble.BUSY


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ("53100", Trouble.FULL),
        ("53200", Trouble.BUSY),
        ("40001", Trouble.BUSY),
        ("57P01", Trouble.AWAY),
        ("58030", Trouble.AWAY),
        ("25006", Trouble.READ_ONLY),
        ("22012", None),
        ("P0001", None),
    ],
)
async def test_it_is_known_by_its_sqlstate(shelf: Database, state: str, trouble: Trouble | None) -> None:
    error = await failure(shelf, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
    assert trouble_of(error) is trouble
    assert shelf.was_full is (trouble is Trouble.FULL)


@ON_POSTGRESQL
async def test_an_ended_session_is_and_the_next_is_another(shelf: Database) -> None:
    error = await failure(shelf, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert isinstance(error, DBAPIError)
    assert trouble_of(error) is Trouble.AWAY
    async with shelf.write() as session:
        assert await session.scalar(text("SELECT 1")) == 1


@ON_SQLITE
async def test_a_full_disk_is(shelf: Database) -> None:
    @event.listens_for(shelf.engine.sync_engine, "checkout")
    def on_checkout(dbapi_connection, _record, _proxy):  # type: ignore[no-untyped-def]
        """No page more than there are, as on a disk without room."""
        dbapi_connection.execute("PRAGMA max_page_count = 1")

    error = await failure(shelf, "INSERT INTO book VALUES (3, zeroblob(100000))")
    assert trouble_of(error) is Trouble.FULL
    assert name_of(error).endswith(" (database or disk is full)")
    assert shelf.was_full
    assert shelf.troubles["full"] == 1


@ON_SQLITE
async def test_another_programs_lock_is(shelf: Database, database_url: str) -> None:
    @event.listens_for(shelf.engine.sync_engine, "checkout")
    def on_checkout(dbapi_connection, _record, _proxy):  # type: ignore[no-untyped-def]
        dbapi_connection.execute("PRAGMA busy_timeout = 10")

    other = Database(database_url)
    async with other.write() as holding:
        await holding.execute(text("UPDATE book SET name = 'c' WHERE id = 1"))
        assert trouble_of(await failure(shelf, "UPDATE book SET name = 'd'")) is Trouble.BUSY
    await other.close()
