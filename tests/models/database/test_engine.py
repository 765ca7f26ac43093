"""How sessions begin and end: what is looked at is rolled back, what is written is there whole or not at all."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.database.engine import FULL_FOR, Database
from models.database.trouble import DatabaseTrouble, Trouble
from models.organizations.organization import Province
from tests.support import KEYRING


async def names(database: Database) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(text("SELECT name_th FROM province")))


async def put(session: AsyncSession, code: str, name: str) -> None:
    session.add(Province(code=code, name_th=name, name_en=name))
    await session.flush()


async def test_what_is_written_is_committed_at_the_end_and_seen_by_nobody_before(database: Database) -> None:
    async with database.write() as session:
        await put(session, "11", "ก")
        assert await names(database) == set()
    assert await names(database) == {"ก"}


async def test_any_exception_takes_back_the_whole_transaction(database: Database) -> None:
    async def fail_with(error: BaseException) -> None:
        async with database.write() as session:
            await put(session, "11", "ก")
            raise error

    for error in (LookupError(), asyncio.CancelledError(), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            await fail_with(error)
    assert await names(database) == set()


async def test_what_a_reader_changes_is_rolled_back(database: Database) -> None:
    async with database.read() as session:
        await put(session, "11", "ก")
    assert await names(database) == set()


async def test_readers_are_not_held_up_by_a_writer(database: Database) -> None:
    async with database.write() as writing:
        await put(writing, "11", "ก")
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(names(database) for _ in range(4))) == [set()] * 4


async def test_writers_at_once_all_come_to_their_end(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as session:
            await put(session, str(number), str(number))

    await asyncio.gather(*(write(number) for number in range(10, 20)))
    assert await names(database) == {str(number) for number in range(10, 20)}


async def test_a_connection_of_ones_own_keeps_its_temporary_table(database: Database) -> None:
    async with database.engine.connect() as connection:
        async with database.write(connection) as session:
            await session.execute(text("CREATE TEMPORARY TABLE scrap (name text)"))
            await session.execute(text("INSERT INTO scrap VALUES ('ก')"))
        async with database.read(connection) as session:
            await session.execute(text("DELETE FROM scrap"))
        async with database.write(connection) as session:
            assert list(await session.scalars(text("SELECT name FROM scrap"))) == ["ก"]
            await session.execute(text("DROP TABLE scrap"))


async def test_the_keys_are_with_every_session(database: Database) -> None:
    async with database.read() as reading, database.write() as writing:
        assert reading.info["keyring"] is writing.info["keyring"] is KEYRING


async def test_what_was_asked_wrongly_is_no_trouble_of_the_database(database: Database) -> None:
    assert database.troubles == {trouble.name.lower(): 0 for trouble in Trouble}
    with pytest.raises(DBAPIError):
        async with database.read() as session:
            await session.execute(text("SELECT nothing FROM nowhere"))
    assert not database.troubles.total()
    assert not database.was_full


async def test_each_trouble_is_counted_and_a_full_disk_is_known_for_a_while(database: Database) -> None:
    for trouble in (Trouble.AWAY, Trouble.FULL, Trouble.FULL):
        for opened in (database.read, database.write):
            error = DatabaseTrouble()
            error.trouble = trouble
            with pytest.raises(DatabaseTrouble):
                async with opened():
                    raise error
    assert {name: count for name, count in database.troubles.items() if count} == {"away": 2, "full": 4}
    assert database.was_full
    assert database._full_at is not None
    database._full_at -= FULL_FOR
    assert not database.was_full
