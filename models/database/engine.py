"""The engine: how transactions begin on SQLite and PostgreSQL, for readers and for writers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from models.base.errors import DomainError
from models.database import sqlite
from models.security.keys import Keyring

# The advisory lock that every session of the program shares; whoever replaces the database has it alone
# (models/database/exclusion.py).
PRESENCE = "laocert presence"

# What handlers call it by: they know no SQLAlchemy.
Session = AsyncSession


class BeingReplaced(DomainError):
    """The database is being restored at this moment."""

    def __init__(self) -> None:
        super().__init__("laocert db restore is replacing this database; start again when it has ended")


def named(name: str) -> dict[str, Any]:
    """The arguments of asyncpg connections that PostgreSQL lists under this name (`application_name`)."""
    return {"server_settings": {"application_name": name}}


def _enter(connection: Any, _record: Any) -> None:
    """Hold the lock of those present on a new asyncpg connection of a pool. Raises BeingReplaced."""
    taken = f"SELECT pg_try_advisory_lock_shared(hashtextextended('{PRESENCE}', 0))"
    if not connection.run_async(lambda driver: driver.fetchval(taken)):
        connection.close()
        raise BeingReplaced


def _postgresql_engine(url: URL, name: str) -> AsyncEngine:
    # Said with each BEGIN: a role may set another default for itself, and a press at REPEATABLE READ would compare
    # the register with a snapshot that is older than its lock.
    engine = create_async_engine(
        url, hide_parameters=True, isolation_level="READ COMMITTED", connect_args=named(name)
    )
    event.listen(engine.sync_engine, "connect", _enter)
    return engine


class Database:
    """One database, opened from its URL (`sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`).

    `keyring` is what audit events are bound with; without it nothing can be written that is recorded. `name` is
    what PostgreSQL shows of the program's sessions.
    """

    def __init__(self, url: str, keyring: Keyring | None = None, name: str = "laocert") -> None:
        self.keyring = keyring
        self._info = {"keyring": keyring}
        self.url = make_url(url)
        self.name = name
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: AsyncEngine = (
            sqlite.make_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url, name)
        )
        self._readers = self.engine.execution_options(laocert_reads=True)
        self._writers = sqlite.Writers(self.engine)

    @asynccontextmanager
    async def read(self, connection: AsyncConnection | None = None) -> AsyncIterator[AsyncSession]:
        """A session for looking only; what it changes is rolled back.

        `connection`: the caller's own, whose temporary tables the session sees; any other without it.
        """
        if connection is not None:
            await connection.execution_options(laocert_reads=True)
        try:
            async with AsyncSession(
                connection or self._readers, expire_on_commit=False, info=self._info
            ) as session:
                yield session
        finally:
            if connection is not None:
                await connection.execution_options(laocert_reads=False)

    @asynccontextmanager
    async def write(self, connection: AsyncConnection | None = None) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, committed at the end, rolled back on any exception. On SQLite the commit
        may be shared with others, each in its own savepoint; the block's end waits for it all the same.

        `connection`: the caller's own, whose temporary tables the session sees; any other without it.
        """
        if connection is None and self.is_sqlite:
            async with self._writers.turn() as shared, self._transaction(shared) as session:
                yield session
            return
        async with self._transaction(connection or self.engine) as session:
            yield session

    @asynccontextmanager
    async def _transaction(self, bind: AsyncConnection | AsyncEngine) -> AsyncIterator[AsyncSession]:
        # On a connection that is in a transaction it is a savepoint of its own.
        session = AsyncSession(
            bind, expire_on_commit=False, info=self._info, join_transaction_mode="create_savepoint"
        )
        # Without the session's own context managers, which make a task and two greenlets more for each.
        try:
            yield session
            await session.commit()
        finally:
            # Rolls back what was not committed.
            await session.close()

    async def close(self) -> None:
        """Give back all connections, when those who write have ended."""
        await self._writers.close()
        await self.engine.dispose()
