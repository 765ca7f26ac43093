"""Checked rows of personnel in a temporary table, until they are compared with the registers and written.

So the file is read once, what was checked is what is written, half a million rows need no memory, and the
transaction for which others wait is a single statement inside the database.
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
    """The temporary table of one connection, from the check of the first row to the write of the last."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        # The driver's own connection: rows go into it as plain tuples, on PostgreSQL by COPY.
        self._driver = driver

    async def keep(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Add some rows."""
        if self.connection.dialect.name == "postgresql":
            await self._driver.copy_records_to_table("staged", records=rows)
        else:
            await self._driver.executemany(_STAGE, rows)

    async def end(self) -> None:
        """All rows are there; the connection is free for transactions that compare and write them."""
        if self.connection.dialect.name == "sqlite":
            await self._driver.execute("COMMIT")


@asynccontextmanager
async def staging(database: Database) -> AsyncIterator[Staging]:
    """A connection that is closed at the end, and with it go its table and the names in it.

    SQLite keeps the table in a file without a name (https://www.sqlite.org/tempfiles.html).
    """
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            await driver.execute(f"CREATE TEMPORARY TABLE staged ({', '.join(f'{name} text' for name in RECORD)})")
            if database.is_sqlite:
                # Of the temporary file alone: nobody waits for it.
                await driver.execute("BEGIN DEFERRED")
            yield Staging(connection, driver)
        finally:
            await connection.invalidate()
