"""SQLite as the bot uses it: how connections are set up, where statements run, how writers share commits."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, Pool, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

# Seconds that a writer waits for another program.
BUSY_SECONDS = 30.0
_BUSY_TIMEOUT = f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}"
# synchronous=FULL: a certificate that was shown survives a power cut. recursive_triggers: a REPLACE fires
# the DELETE triggers of the rows that it removes.
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    _BUSY_TIMEOUT,
)
# Seconds between looks whether another program's transaction has ended.
BUSY_PAUSE = 0.01
# Transactions that one commit makes durable at most: the first of them waits for the last.
MOST_TOGETHER = 64
# In the info of a pooled connection: how its next transaction begins.
_BEGIN = "laocert_begin"

_waiting_room = ThreadPoolExecutor(8, thread_name_prefix="sqlite")


async def _begin_writing(driver: sqlite3.Connection) -> None:
    """Wait for another program's transaction, but not in SQLite: nothing else would run, nobody could cancel it.

    Raises sqlite3.OperationalError when it takes too long.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + BUSY_SECONDS
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or loop.time() > until:
                    raise
            await asyncio.sleep(BUSY_PAUSE)
    finally:
        driver.execute(_BUSY_TIMEOUT)


async def _at_once(work: Callable[..., Any], *args: Any) -> Any:
    return work(*args)


def _elsewhere(work: Callable[..., Any], *args: Any) -> Any:
    """Run in a thread what waits for the disk; from within SQLAlchemy."""

    async def wait() -> Any:
        running = asyncio.get_running_loop().run_in_executor(_waiting_room, work, *args)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The connection is not to be used here while it is in use there.
            await asyncio.wait({running})
            raise

    return await_only(wait())


class _Cursor(sqlite3.Cursor):
    async def _async_soft_close(self) -> None:
        """SQLAlchemy asks it of an asyncio driver's cursor; there is nothing to wait for."""


class _Connection(sqlite3.Connection):
    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)


class Dialect(SQLiteDialect_pysqlite):
    """Python's own driver under SQLAlchemy's asyncio: a statement runs where it is called, not in aiosqlite's
    thread.

    Handing a statement to a thread and back costs more than the statement, and while others compute each way waits
    for Python's lock; aiosqlite does it four times a statement. Only commits go to a thread. With the driver's own
    BEGIN 261 of 320 read-then-write transactions were lost or refused as locked, with BEGIN IMMEDIATE for writers
    none (docs/architecture.md).
    """

    driver = "laocert"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:
        """One that waits without blocking the loop."""
        return AsyncAdaptedQueuePool

    def create_connect_args(self, url: URL) -> Any:
        """With the cursors that SQLAlchemy's asyncio needs."""
        arguments, options = super().create_connect_args(url)
        return arguments, {**options, "factory": _Connection}

    def get_driver_connection(self, connection: Any) -> Any:
        """There is nothing between."""
        return connection

    # SQLAlchemy refuses an asyncio driver whose statements never await.
    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """One statement."""
        await_only(_at_once(cursor.execute, statement, parameters))

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """One statement as it stands."""
        await_only(_at_once(cursor.execute, statement))

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """One statement with many rows."""
        await_only(_at_once(cursor.executemany, statement, parameters))

    def do_begin(self, dbapi_connection: Any) -> None:
        """Readers see one moment; writers are alone from their first statement on."""
        how = dbapi_connection.info[_BEGIN]
        if how == "IMMEDIATE":
            await_only(_begin_writing(dbapi_connection.dbapi_connection))
        else:
            dbapi_connection.dbapi_connection.execute(f"BEGIN {how}")

    def do_commit(self, dbapi_connection: Any) -> None:
        """Durable when it returns."""
        _elsewhere(dbapi_connection.commit)

    # As plain words: SQLAlchemy compiles its own anew each time.
    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Begin one."""
        _driver(connection).execute(f"SAVEPOINT {name}")

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Keep what was done since."""
        _driver(connection).execute(f"RELEASE SAVEPOINT {name}")

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Undo what was done since."""
        _driver(connection).execute(f"ROLLBACK TO SAVEPOINT {name}")


registry.register("sqlite.laocert", __name__, "Dialect")


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the dialect's
    return driver


def make_engine(url: URL) -> AsyncEngine:
    """The engine of a SQLite database. With the execution option `laocert_reads` its transactions only look."""
    engine = create_async_engine(url.set(drivername="sqlite+laocert"), hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None
        for pragma in SQLITE_PRAGMAS:
            dbapi_connection.execute(pragma)

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("laocert_reads", False)
        connection.connection.info[_BEGIN] = "DEFERRED" if reads else "IMMEDIATE"

    return engine


class TransactionLost(Exception):
    """SQLite has rolled the whole transaction back on its own, as it does when the disk is full (SQLite, "Response
    To Errors Within A Transaction").
    """


@dataclass(frozen=True)
class _Turn:
    """One writer: `begun` gives it the connection, it sets `left` when it has done with it, `ended` tells it of
    the commit: None, or what went wrong.
    """

    begun: asyncio.Future[AsyncConnection]
    left: asyncio.Future[None]
    ended: asyncio.Future[BaseException | None]


class Writers:
    """The writers of this process, one at a time, as SQLite has but one. Those who queue while another writes go
    into the same transaction, each in its own savepoint, and are committed together: a commit waits for the disk.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._queue: deque[_Turn] = deque()
        self._serving: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[AsyncConnection]:
        """A connection with a transaction begun, in which the caller makes its own savepoint. When the block has
        ended well it waits for the commit, and raises what the commit raised.
        """
        loop = asyncio.get_running_loop()
        turn = _Turn(loop.create_future(), loop.create_future(), loop.create_future())
        self._queue.append(turn)
        if self._serving is None:
            self._serving = loop.create_task(self._serve())
        try:
            yield await turn.begun
        finally:
            turn.left.set_result(None)
        # Nobody's cancellation takes the commit from the others.
        error = await asyncio.shield(turn.ended)
        if error is not None:
            raise error

    async def _serve(self) -> None:
        while self._queue:
            served: list[_Turn] = []
            error = None
            try:
                await self._commit_together(served)
            except Exception as failed:
                # Each of them learns of it. Whoever still waits would have met the same trouble.
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
            while self._queue and len(served) < MOST_TOGETHER:
                turn = self._queue.popleft()
                if turn.begun.cancelled():
                    continue
                served.append(turn)
                turn.begun.set_result(connection)
                await turn.left
                if not driver.in_transaction:
                    raise TransactionLost
