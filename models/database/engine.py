"""The engine: read and write transactions on SQLite and PostgreSQL."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from models.database import postgresql, sqlite
from models.database.trouble import Trouble, trouble_of
from models.security.keys import Keyring
from models.security.row_seal import SealState

# Seconds for which a disk that was full counts as full, because the next write may succeed without needing space.
FULL_FOR = 30.0

# The name that handlers use, which do not import SQLAlchemy.
Session = AsyncSession


class Database:
    """One database, opened from its URL (`sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`).

    `keyring` has the keys that authenticate audit events; without it, operations that record events fail. `name`
    is PostgreSQL's `application_name` of the sessions. `may_be_read_only`: accept a server that takes no writes.
    Raises models.database.postgresql.UrlRefused.
    """

    def __init__(
        self, url: str, keyring: Keyring | None = None, name: str = "laocert", *, may_be_read_only: bool = False
    ) -> None:
        self.keyring = keyring
        self.seal_state = SealState()
        self._info = {"keyring": keyring, "seal_state": self.seal_state}
        self.url = make_url(url)
        self.name = name
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: AsyncEngine = (
            sqlite.make_engine(self.url)
            if self.is_sqlite
            else postgresql.make_engine(self.url, name, may_be_read_only=may_be_read_only)
        )
        # How often each Trouble occurred since the start, by its name in lower case.
        self.troubles: Counter[str] = Counter({trouble.name.lower(): 0 for trouble in Trouble})
        self._full_at: float | None = None
        self._readers = self.engine.execution_options(laocert_reads=True)
        self._writers = sqlite.Writers(self.engine)

    @asynccontextmanager
    async def read(self, connection: AsyncConnection | None = None) -> AsyncIterator[AsyncSession]:
        """Open a session for reading. Its changes are rolled back.

        `connection`: use this one, for example for its temporary tables; by default one of the pool.
        """
        if connection is not None:
            await connection.execution_options(laocert_reads=True)
        try:
            async with AsyncSession(
                connection or self._readers, expire_on_commit=False, info=self._info
            ) as session:
                yield session
        except Exception as error:
            self._note(error)
            raise
        finally:
            if connection is not None:
                await connection.execution_options(laocert_reads=False)

    @asynccontextmanager
    async def write(self, connection: AsyncConnection | None = None) -> AsyncIterator[AsyncSession]:
        """Open a session in one transaction, committed at the end and rolled back on any exception.

        On SQLite several writers may share a commit, each in its own savepoint; the end of the block waits for the
        commit. `connection`: use this one, for example for its temporary tables; by default one of the pool.
        """
        try:
            if connection is None and self.is_sqlite:
                async with self._writers.turn() as shared, self._transaction(shared) as session:
                    yield session
                return
            async with self._transaction(connection or self.engine) as session:
                yield session
        except Exception as error:
            self._note(error)
            raise

    @asynccontextmanager
    async def _transaction(self, bind: AsyncConnection | AsyncEngine) -> AsyncIterator[AsyncSession]:
        # On a connection that already is in a transaction, the session uses a savepoint.
        session = AsyncSession(
            bind, expire_on_commit=False, info=self._info, join_transaction_mode="create_savepoint"
        )
        # Not the session's own context managers, which create another task and two greenlets each.
        try:
            yield session
            await session.commit()
        finally:
            # Rolls back unless committed.
            await session.close()

    @property
    def was_full(self) -> bool:
        """Whether the database or its disk was full within the last FULL_FOR seconds."""
        return self._full_at is not None and time.monotonic() - self._full_at < FULL_FOR

    def _note(self, error: Exception) -> None:
        trouble = trouble_of(error)
        if trouble is not None:
            self.troubles[trouble.name.lower()] += 1
        if trouble is Trouble.FULL:
            self._full_at = time.monotonic()

    async def close(self) -> None:
        """Wait for the current writers, then close all connections."""
        await self._writers.close()
        await self.engine.dispose()
