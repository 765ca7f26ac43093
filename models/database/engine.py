"""The engine: how transactions begin on SQLite and PostgreSQL, for readers and for writers."""

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

# Seconds for which a disk that was full counts as full: the next write may need no room.
FULL_FOR = 30.0

# What handlers call it by: they know no SQLAlchemy.
Session = AsyncSession


class Database:
    """One database, opened from its URL (`sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`).

    `keyring` is what audit events are bound with; without it nothing can be written that is recorded. `name` is
    what PostgreSQL shows of the program's sessions. `may_be_read_only`: whether a server that takes no writes will
    do. Raises models.database.postgresql.UrlRefused.
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
        # What the database could not do since the start, by the name of the trouble.
        self.troubles: Counter[str] = Counter({trouble.name.lower(): 0 for trouble in Trouble})
        self._full_at: float | None = None
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
        except Exception as error:
            self._note(error)
            raise
        finally:
            if connection is not None:
                await connection.execution_options(laocert_reads=False)

    @asynccontextmanager
    async def write(self, connection: AsyncConnection | None = None) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, committed at the end, rolled back on any exception. On SQLite the commit
        may be shared with others, each in its own savepoint; the block's end waits for it all the same.

        `connection`: the caller's own, whose temporary tables the session sees; any other without it.
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

    @property
    def was_full(self) -> bool:
        """Whether it, or its disk, was full a moment ago."""
        return self._full_at is not None and time.monotonic() - self._full_at < FULL_FOR

    def _note(self, error: Exception) -> None:
        trouble = trouble_of(error)
        if trouble is not None:
            self.troubles[trouble.name.lower()] += 1
        if trouble is Trouble.FULL:
            self._full_at = time.monotonic()

    async def close(self) -> None:
        """Give back all connections, when those who write have ended."""
        await self._writers.close()
        await self.engine.dispose()
