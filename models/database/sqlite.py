"""The SQLite engine: connection settings, how transactions begin, and how writers share commits (group commit)."""

import asyncio
import logging
import os
import stat
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

log = logging.getLogger(__name__)

# Bytes to which SQLite truncates the write-ahead log when it restarts it (models/database/wal.py).
WAL_LIMIT = 64 * 1024 * 1024
# synchronous=FULL: a certificate that the bot has shown survives a power cut. recursive_triggers: a REPLACE fires
# the DELETE triggers of the rows that it removes.
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA busy_timeout=30000",
    f"PRAGMA journal_size_limit={WAL_LIMIT}",
)
# Maximum size of a group commit: the first transaction waits for the last. Half of the updates that are processed
# at once (bot/inbound/worker.py), so that the other half's transactions run while these wait for Telegram.
MOST_TOGETHER = 32
# Pool size. Opening a connection starts a thread and costs as much as a tap (benchmarks/deadline_day.py).
KEPT = 16


def file_of(url: URL) -> str | None:
    """Return the path of a database; None for one in memory, which has one connection and one process."""
    return None if not url.database or ":memory:" in url.database else url.database


def make_private(path: str) -> None:
    """Make the file of a database that is not there yet, for its owner alone, whatever the umask. SQLite gives its
    mode to the files that it puts beside it (SQLite, os_unix.c, findCreateFileMode).
    """
    # A file that is there keeps its mode (`laocert doctor` looks at it), and SQLite says what else is wrong. A URI
    # (SQLite, "Uniform Resource Identifiers") is no path.
    if not path.startswith("file:"):
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def open_to_others(url: URL) -> list[str]:
    """The files of a database that others than their owner can read or write."""
    path = file_of(url)
    if path is None or os.name != "posix":
        return []
    files = [Path(path + suffix) for suffix in ("", "-wal", "-shm")]
    return [file.name for file in files if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077]


def _driver() -> str:
    """Return the name of the fast driver, or of SQLAlchemy's own if a new version lacks what the fast one
    needs.
    """
    try:
        # The import itself fails if a base class is gone.
        from models.database import aiosqlite_dialect  # noqa: PLC0415

        missing = aiosqlite_dialect.missing_parts()
    except (ImportError, AttributeError) as error:
        missing = [str(error)]
    if not missing:
        return aiosqlite_dialect.DRIVER
    log.warning("SQLite is used through SQLAlchemy's own driver, which is slower; missing: %s", ", ".join(missing))
    return "sqlite+aiosqlite"


def make_engine(url: URL) -> AsyncEngine:
    """Create the engine of a SQLite database. The execution option `laocert_reads` makes transactions read-only
    ones.

    Writers use BEGIN IMMEDIATE: with the driver's own BEGIN, 261 of 320 read-then-write transactions were lost or
    failed as locked; with BEGIN IMMEDIATE none (measured, docs/adr/0074).
    """
    if url.drivername == "sqlite+aiosqlite":
        url = url.set(drivername=_driver())
    path = file_of(url)
    # SQLAlchemy refuses any other driver, because it is not asynchronous.
    pool = {} if path is None else {"pool_size": KEPT}
    engine = create_async_engine(url, hide_parameters=True, **pool)

    @event.listens_for(engine.sync_engine, "do_connect")
    def do_connect(_dialect: Any, _record: Any, _arguments: Any, _options: Any) -> None:
        if path is not None:
            make_private(path)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("laocert_reads", False)
        connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")

    return engine


class TransactionLost(Exception):
    """SQLite has rolled back the whole transaction by itself, for example because the disk is full (SQLite,
    "Response To Errors Within A Transaction").
    """


@dataclass(frozen=True)
class _Turn:
    """One writer's turn.

    `begun` gives the writer the connection. The writer sets `finished` when it no longer uses it. `ended` tells
    the writer the outcome of the commit: None, or the exception.
    """

    begun: asyncio.Future[AsyncConnection]
    finished: asyncio.Future[None]
    ended: asyncio.Future[BaseException | None]


class Writers:
    """Serializes the writers of this process, because SQLite allows one at a time.

    Group commit: writers that queue while another writes join its transaction, each in its own savepoint, and one
    commit, which waits for the disk, makes all of them durable.
    """

    def __init__(self, engine: AsyncEngine, most_together: int = MOST_TOGETHER) -> None:
        self._engine = engine
        self._most_together = most_together
        self._queue: deque[_Turn] = deque()
        self._serving: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a transaction, in which the caller creates its own savepoint.

        If the block succeeds, its end waits for the commit, and raises what the commit raised: TransactionLost, or
        an error of the driver.
        """
        loop = asyncio.get_running_loop()
        turn = _Turn(loop.create_future(), loop.create_future(), loop.create_future())
        self._queue.append(turn)
        if self._serving is None:
            self._serving = loop.create_task(self._serve())
        try:
            yield await turn.begun
        finally:
            turn.finished.set_result(None)
        # A cancelled writer must not cancel the commit of the others.
        error = await asyncio.shield(turn.ended)
        if error is not None:
            raise error

    async def close(self) -> None:
        """Wait for the last commit. A writer that failed did not wait for it."""
        if self._serving is not None:
            await self._serving

    async def _serve(self) -> None:
        while self._queue:
            served: list[_Turn] = []
            error = None
            try:
                await self._commit_together(served)
            except Exception as failed:
                # All writers of the group get the error. Those that still queue would have failed alike.
                error = failed
                while self._queue:
                    waiting = self._queue.popleft()
                    if not waiting.begun.cancelled():
                        waiting.begun.set_exception(failed)
            for turn in served:
                turn.ended.set_result(error)
        self._serving = None

    async def _commit_together(self, served: list[_Turn]) -> None:
        async with self._engine.begin() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            while self._queue and len(served) < self._most_together:
                turn = self._queue.popleft()
                if turn.begun.cancelled():
                    continue
                served.append(turn)
                turn.begun.set_result(connection)
                await turn.finished
                if not driver.in_transaction:
                    raise TransactionLost
