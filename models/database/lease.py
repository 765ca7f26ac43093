"""A lease: one holder at a time of what is named, over all processes that use a database.

PostgreSQL: a session-level advisory lock, on a connection of its own. SQLite: a file beside the database, locked
by SQLite's own exclusive lock. Both end with the process that holds them, however it ends.
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
from models.database.sqlite import file_of, make_private
from models.database.trouble import name_of

log = logging.getLogger(__name__)

# What is leased: taking updates from Telegram, and sending notices.
LEASES = ("poller", "courier")

# Seconds after which PostgreSQL ends a session that does not look any more (a machine without power or network).
GONE_AFTER = 8


@dataclass(frozen=True)
class LeaseTimes:
    """When a lease is looked at, and how long it counts as held."""

    # Seconds between looks: whether it is free, or still held.
    every: float = 2.0
    # Seconds that the answer to a look may take.
    patience: float = 2.0
    # Seconds after the last look that found it held for which it counts as held: a process that stood still for
    # longer must look before it goes on. Below `gone_after`, so that nobody else has it yet.
    good_for: float = 6.0
    # Whole seconds after which PostgreSQL ends its session.
    gone_after: int = GONE_AFTER


LEASE_TIMES = LeaseTimes()


async def own_session(database: Database, gone_after: int) -> AsyncConnection:
    """A PostgreSQL session for advisory locks alone, which ends `gone_after` seconds after its last sign of life,
    or by `end_session`.
    """
    connection = await database.engine.connect()
    try:
        session = await connection.execution_options(isolation_level="AUTOCOMMIT")
        # Known from PostgreSQL 14 on; before that a machine that vanishes is noticed by its TCP connection.
        await session.execute(
            text("SELECT set_config(name, :after, false) FROM pg_settings WHERE name = 'idle_session_timeout'"),
            {"after": f"{gone_after}s"},
        )
    except BaseException:
        await end_session(connection)
        raise
    return session


async def end_session(connection: AsyncConnection) -> None:
    """With the session its locks are gone; never back into the pool with its settings."""
    with contextlib.suppress(Exception):
        await connection.invalidate()
    await connection.close()


class Lease:
    """Got and kept by `keep`, given back by `give_back`."""

    def __init__(self, database: Database, name: str, times: LeaseTimes = LEASE_TIMES) -> None:
        self._name = name
        self._times = times
        self._lock: _Lock = (
            _File(database, name) if database.is_sqlite else _Session(database, name, times.gone_after)
        )
        self._good_until = 0.0
        # Set while it is held; looked at by those who wait for it.
        self.taken = asyncio.Event()

    @property
    def is_held(self) -> bool:
        """Whether it is held, as far as can be known without a look."""
        return self.taken.is_set() and time.monotonic() < self._good_until

    async def keep(self) -> None:
        """Take it as soon as it is free, and look at it until cancelled."""
        is_told = False
        while True:
            looked_at = time.monotonic()
            is_held = await self._look()
            if is_held:
                self._good_until = looked_at + self._times.good_for
            if is_held and not self.taken.is_set():
                log.info("this process has the lease of the %s", self._name)
                self.taken.set()
            elif not is_held and (self.taken.is_set() or not is_told):
                log.info("another process has the lease of the %s, or the database is away", self._name)
                is_told = True
                self.taken.clear()
            await asyncio.sleep(self._times.every)

    async def give_back(self) -> None:
        """Somebody else may have it."""
        self.taken.clear()
        await self._lock.release()

    async def _look(self) -> bool:
        try:
            if not self.taken.is_set():
                await self._lock.open()
            async with asyncio.timeout(self._times.patience):
                return await (self._lock.is_held() if self.taken.is_set() else self._lock.take())
        except Exception as error:
            log.warning("the lease of the %s could not be looked at: %s", self._name, name_of(error))
        await self._lock.release()
        return False


class _Lock(ABC):
    """What a lease rests on."""

    @abstractmethod
    async def open(self) -> None:
        """Make ready what `take` needs: it has a patience of its own."""

    @abstractmethod
    async def take(self) -> bool:
        """Try to take it; whether that went well."""

    @abstractmethod
    async def is_held(self) -> bool:
        """Whether it is still held."""

    @abstractmethod
    async def release(self) -> None:
        """Let it go, if it is held; whatever state it is in."""


class _Session(_Lock):
    """PostgreSQL: who has lost the connection has lost the lock."""

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
        taken = await self._connection.scalar(
            text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), self._key
        )
        return bool(taken)

    async def is_held(self) -> bool:
        if self._connection is None:
            return False
        # Advisory locks are given by a standby, too, and by a primary that takes no writes any more.
        await self._connection.execute(REQUIRE_WRITABLE)
        return True

    async def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await end_session(connection)


class _File(_Lock):
    """SQLite: the lock of a second, empty database. A database in memory has one process."""

    def __init__(self, database: Database, name: str) -> None:
        path = file_of(database.url)
        self._path = None if path is None else f"{path}.{name}-lease"
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Nothing: `take` does not wait."""

    async def take(self) -> bool:
        if self._path is None:
            return True
        make_private(self._path)
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
