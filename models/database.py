"""The engine: how transactions begin on SQLite and PostgreSQL, for readers and for writers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from models.keys import Keyring

# synchronous=FULL: a certificate that was shown survives a power cut. recursive_triggers: a REPLACE fires
# the DELETE triggers of the rows that it removes.
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA busy_timeout=30000",
)


def _prepare_sqlite(engine: Engine) -> None:
    """Take transactions into our own hands.

    Measured (docs/architecture.md): with the driver's own BEGIN, 261 of 320 read-then-write transactions were
    lost or refused as locked; with BEGIN IMMEDIATE for writers none.
    """

    @event.listens_for(engine, "connect")
    def on_connect(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("laocert_reads", False)
        connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


# What handlers call it by: they know no SQLAlchemy.
Session = AsyncSession


class Database:
    """One database, opened from its URL (`sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`).

    `keyring` is what audit events are bound with; without it nothing can be written that is recorded.
    """

    def __init__(self, url: str, keyring: Keyring | None = None) -> None:
        self._info = {"keyring": keyring}
        self.url = make_url(url)
        self.engine: AsyncEngine = create_async_engine(self.url, hide_parameters=True)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        if self.is_sqlite:
            _prepare_sqlite(self.engine.sync_engine)
        self._readers = self.engine.execution_options(laocert_reads=True)
        # SQLite has one writer; waiting here costs nothing, waiting in its busy handler costs up to 100 ms.
        self._one_writer = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for looking only; what it changes is rolled back."""
        async with AsyncSession(self._readers, expire_on_commit=False, info=self._info) as session:
            yield session

    @asynccontextmanager
    async def write(self, connection: AsyncConnection | None = None) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, committed at the end, rolled back on any exception.

        `connection`: the caller's own, whose temporary tables the session sees; any other without it.
        """
        async with (
            self._one_writer if self.is_sqlite else nullcontext(),
            AsyncSession(connection or self.engine, expire_on_commit=False, info=self._info) as session,
            session.begin(),
        ):
            yield session

    async def close(self) -> None:
        """Give back all connections."""
        await self.engine.dispose()
