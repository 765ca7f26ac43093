"""Leases: of all processes on one database, at most one holds the lease of a name.

PostgreSQL: a session-level advisory lock on a dedicated connection. SQLite: a second file next to the database,
with SQLite's exclusive lock. Both end with the process that holds them, even if it crashes.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database.engine import Database
from models.database.postgresql import REQUIRE_WRITABLE
from models.database.sqlite import file_of
from models.database.trouble import name_of

log = logging.getLogger(__name__)

# The names of the leases: polling Telegram for updates, and sending notices.
LEASES = ("poller", "courier")

# Seconds after which PostgreSQL ends an idle session (`idle_session_timeout`), such as of a machine without power.
GONE_AFTER = 8


@dataclass(frozen=True)
class LeaseTimes:
    """The intervals of a lease."""

    # Seconds between two attempts to take or renew it.
    every: float = 2.0
    # Timeout of one attempt in seconds.
    patience: float = 2.0
    # Seconds for which it counts as held after a successful attempt. A process that was paused for longer must
    # renew it first. Less than `gone_after`, so that no other process can hold it yet.
    good_for: float = 6.0
    # Whole seconds after which PostgreSQL ends the idle session, and with it the lease.
    gone_after: int = GONE_AFTER


LEASE_TIMES = LeaseTimes()


async def own_session(database: Database, gone_after: int) -> AsyncConnection:
    """Open a dedicated PostgreSQL session for advisory locks.

    PostgreSQL ends it `gone_after` seconds after its last statement; the caller ends it with `end_session`.
    """
    connection = await database.engine.connect()
    try:
        session = await connection.execution_options(isolation_level="AUTOCOMMIT")
        # The setting exists since PostgreSQL 14. Before, TCP keep-alive detects a machine that has vanished.
        await session.execute(
            text("SELECT set_config(name, :after, false) FROM pg_settings WHERE name = 'idle_session_timeout'"),
            {"after": f"{gone_after}s"},
        )
    except BaseException:
        await end_session(connection)
        raise
    return session


async def end_session(connection: AsyncConnection) -> None:
    """Close a session, which releases its locks. It must not return to the pool with its settings."""
    with contextlib.suppress(Exception):
        await connection.invalidate()
    await connection.close()


class Lease:
    """The lease of one name. `keep` takes and renews it; `give_back` releases it."""

    def __init__(self, database: Database, name: str, times: LeaseTimes = LEASE_TIMES) -> None:
        self._name = name
        self._times = times
        self._lock: _Lock = (
            _File(database, name) if database.is_sqlite else _Session(database, name, times.gone_after)
        )
        self._good_until = 0.0
        # Set while it is held, for tasks that wait for it.
        self.taken = asyncio.Event()

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease, judged by the last renewal and without asking the database."""
        return self.taken.is_set() and time.monotonic() < self._good_until

    async def keep(self) -> None:
        """Take the lease as soon as it is free, and renew it until cancelled. Logs every change."""
        is_absence_logged = False
        while True:
            looked_at = time.monotonic()
            is_held = await self._look()
            if is_held:
                self._good_until = looked_at + self._times.good_for
            if is_held and not self.taken.is_set():
                log.info("this process has the lease of the %s", self._name)
                self.taken.set()
            elif not is_held and (self.taken.is_set() or not is_absence_logged):
                log.info("another process has the lease of the %s, or the database is away", self._name)
                is_absence_logged = True
                self.taken.clear()
            await asyncio.sleep(self._times.every)

    async def give_back(self) -> None:
        """Release the lease, so that another process can take it."""
        self.taken.clear()
        await self._lock.release()

    async def _look(self) -> bool:
        try:
            if not self.taken.is_set():
                await self._lock.open()
            async with asyncio.timeout(self._times.patience):
                return await (self._lock.is_held() if self.taken.is_set() else self._lock.take())
        except Exception as error:
            log.warning("the lease of the %s could not be taken or renewed: %s", self._name, name_of(error))
        await self._lock.release()
        return False


class _Lock(ABC):
    """The database's lock behind a lease."""

    @abstractmethod
    async def open(self) -> None:
        """Prepare what `take` needs. It has a timeout of its own."""

    @abstractmethod
    async def take(self) -> bool:
        """Try to take the lock without waiting, and return whether it succeeded."""

    @abstractmethod
    async def is_held(self) -> bool:
        """Ask the database whether the lock is still held."""

    @abstractmethod
    async def release(self) -> None:
        """Release the lock if it is held. Idempotent."""


class _Session(_Lock):
    """PostgreSQL: an advisory lock, which ends with its connection."""

    def __init__(self, database: Database, name: str, gone_after: int) -> None:
        self._database = database
        self._gone_after = gone_after
        self._key = {"name": f"laocert {name}"}
        self._connection: AsyncConnection | None = None

    async def open(self) -> None:
        if self._connection is None:
            self._connection = await own_session(self._database, self._gone_after)

    async def take(self) -> bool:
        if self._connection is None:
            return False
        await self._connection.execute(REQUIRE_WRITABLE)
        is_locked = await self._connection.scalar(
            text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), self._key
        )
        return bool(is_locked)

    async def is_held(self) -> bool:
        if self._connection is None:
            return False
        # A standby, and a primary that takes no writes any more, grant advisory locks too.
        await self._connection.execute(REQUIRE_WRITABLE)
        return True

    async def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await end_session(connection)


class _File(_Lock):
    """SQLite: the exclusive lock on a second, empty database. An in-memory database has one process, and needs
    none.
    """

    def __init__(self, database: Database, name: str) -> None:
        path = file_of(database.url)
        self._path = None if path is None else f"{path}.{name}-lease"
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Do nothing: `take` does not wait."""

    async def take(self) -> bool:
        if self._path is None:
            return True
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        self._connection = connection
        return True

    async def is_held(self) -> bool:
        return self._path is None or self._connection is not None

    async def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
