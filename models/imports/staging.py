"""Staging of checked personnel rows in a temporary table, until they are compared and written.

The file is read once; exactly the checked rows are written; half a million rows need no memory; and the writing
transaction, for which others wait, copies them by one statement inside the database.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import column, table
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database.engine import Database

RECORD = ("organization_code", "record_no", "full_name", "category", "position", "level", "menus")
STAGED = table("staged", *(column(name) for name in RECORD))
_STAGE = f"INSERT INTO staged VALUES ({', '.join('?' * len(RECORD))})"  # noqa: S608 - no input in it


class Staging:
    """The temporary table `staged` of one connection."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        # The driver's own connection, which takes rows as plain tuples; on PostgreSQL by COPY.
        self._driver = driver

    async def keep(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Add rows, each a tuple of RECORD."""
        if self.connection.dialect.name == "postgresql":
            await self._driver.copy_records_to_table("staged", records=rows)
        else:
            await self._driver.executemany(_STAGE, rows)

    async def end(self) -> None:
        """Finish adding rows. The connection can then begin transactions that compare and write them."""
        if self.connection.dialect.name == "sqlite":
            await self._driver.execute("COMMIT")


@asynccontextmanager
async def staging(database: Database) -> AsyncIterator[Staging]:
    """Open a connection with an empty staging table, and close it at the end, which drops the table and its names.

    SQLite stores the table in an unnamed temporary file (https://www.sqlite.org/tempfiles.html).
    """
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            await driver.execute(f"CREATE TEMPORARY TABLE staged ({', '.join(f'{name} text' for name in RECORD)})")
            if database.is_sqlite:
                # Locks the temporary database only, so that nobody waits for it.
                await driver.execute("BEGIN DEFERRED")
            yield Staging(connection, driver)
        finally:
            await connection.invalidate()
