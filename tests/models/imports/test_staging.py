"""Checked rows in a temporary table: one connection's alone, and gone with it."""

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.database.engine import Database
from models.imports.staging import RECORD, STAGED, staging
from models.organizations.organization import Province
from tests.support import record

ROWS = [tuple(str(record("5110201", number)[name]) for name in RECORD) for number in range(1, 8)]


async def staged(session: AsyncSession) -> list[tuple[str, ...]]:
    return sorted(tuple(row) for row in await session.execute(select(STAGED)))


async def test_all_rows_are_kept_in_the_order_of_their_columns(database: Database) -> None:
    async with staging(database) as rows:
        await rows.keep(ROWS[:5])
        await rows.keep([])
        await rows.keep(ROWS[5:])
        await rows.end()
        async with database.read(rows.connection) as session:
            assert await staged(session) == ROWS


async def test_they_are_there_for_one_transaction_after_the_other(database: Database) -> None:
    """One that is rolled back loses its own changes and none of the rows."""
    async with staging(database) as rows:
        await rows.keep(ROWS)
        await rows.end()

        async def fail() -> None:
            async with database.write(rows.connection) as session:
                await session.execute(insert(Province), [{"code": "11", "name_th": "ก", "name_en": "k"}])
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with database.write(rows.connection) as session:
            assert len(await staged(session)) == len(ROWS)
            assert await session.scalar(select(func.count()).select_from(Province)) == 0


async def test_nobody_else_sees_them_and_two_imports_have_a_table_each(database: Database) -> None:
    async with staging(database) as one, staging(database) as two:
        await one.keep(ROWS[:2])
        await two.keep(ROWS[2:])
        for rows in (one, two):
            await rows.end()
        async with database.read(one.connection) as session:
            assert await staged(session) == ROWS[:2]
        async with database.read(two.connection) as session:
            assert await staged(session) == ROWS[2:]
        with pytest.raises(DBAPIError):
            async with database.read() as session:
                await staged(session)


async def test_nobody_waits_for_the_rows_that_are_kept(database: Database) -> None:
    async with staging(database) as rows:
        await rows.keep(ROWS[:2])
        async with database.write() as session:
            await session.execute(insert(Province), [{"code": "11", "name_th": "ก", "name_en": "k"}])
        await rows.keep(ROWS[2:])
        await rows.end()
        async with database.read(rows.connection) as session:
            assert await staged(session) == ROWS
            assert await session.scalar(select(func.count()).select_from(Province)) == 1


@pytest.mark.parametrize("fails", [False, True])
async def test_the_names_in_it_go_with_the_connection(database: Database, fails: bool) -> None:
    async def stage() -> None:
        async with staging(database) as rows:
            await rows.keep(ROWS)
            if fails:
                raise LookupError
            await rows.end()

    for _ in range(3):
        if fails:
            with pytest.raises(LookupError):
                await stage()
        else:
            await stage()
    async with database.engine.connect() as connection:
        tables = "sqlite_temp_master" if database.is_sqlite else "pg_class"
        column = "name" if database.is_sqlite else "relname"
        found = await connection.execute(text(f"SELECT {column} FROM {tables} WHERE {column} LIKE 'staged%'"))
        assert found.all() == []
