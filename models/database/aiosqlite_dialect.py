"""A faster SQLAlchemy dialect for aiosqlite: one round trip to aiosqlite's thread for each statement.

SQLAlchemy's own adapter makes four round trips for a statement (cursor, execute, fetch, close), and four for the
beginning and for the end of a savepoint. Each wakes a thread and then the event loop. This dialect makes one, and
sends a savepoint together with the first statement that writes. It exists for speed only (docs/adr/0033). It
relies on private parts of SQLAlchemy and aiosqlite: if one is missing, models/database/sqlite.py uses SQLAlchemy's
own driver, which is slower.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, cast

import aiosqlite
from sqlalchemy import Connection
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    SQLiteDialect_aiosqlite,
)

# The driver's name in a database URL.
DRIVER = "sqlite+aiosqlite_one_trip"

# Undocumented attributes. pyproject.toml limits both packages to tested versions.
_PRIVATE_PARTS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (aiosqlite.Connection, ("_conn", "_execute")),
    (AsyncAdapt_aiosqlite_connection, ("_connection", "_cursor_cls", "commit", "rollback")),
    (AsyncAdapt_aiosqlite_cursor, ("_adapt_connection", "_make_new_cursor")),
    (SQLiteDialect_aiosqlite, ("do_savepoint", "do_release_savepoint", "do_rollback_to_savepoint")),
)


def missing_parts() -> list[str]:
    """Return the private attributes that this module needs and that do not exist; [] for the tested versions."""
    return [
        f"{owner.__name__}.{name}" for owner, names in _PRIVATE_PARTS for name in names if not hasattr(owner, name)
    ]


class _Fetched:
    """All rows of a statement, and its cursor's attributes (PEP 249)."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.description: Any = cursor.description
        self.rows: Sequence[Any] = cursor.fetchall() if cursor.description else ()
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid


def _run_on_driver(
    driver: sqlite3.Connection, before: list[str], method: str, statement: str, parameters: Any
) -> _Fetched:
    for delayed in before:
        driver.execute(delayed)
    return _Fetched(getattr(driver, method)(statement, parameters))


class _Trips(AsyncAdapt_aiosqlite_connection):
    """SQLAlchemy's adapted connection. It delays savepoints until a statement writes: before, there is nothing
    that a rollback to them would undo.
    """

    __slots__ = ("_waiting",)

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self._waiting: list[str] = []

    async def run(self, method: str, statement: str, parameters: Any) -> _Fetched:
        """Run `execute` or `executemany` in one round trip, after the delayed savepoints unless it is a SELECT."""
        before = []
        if self._waiting and not statement.startswith("SELECT"):
            before, self._waiting = self._waiting, []
        driver: Any = self._connection
        result: _Fetched = await driver._execute(
            _run_on_driver, driver._conn, before, method, statement, parameters
        )
        return result

    def savepoint(self, name: str) -> None:
        self._waiting.append(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        if not self._forget(name):
            self._waiting.append(f"RELEASE SAVEPOINT {name}")

    def rollback_to(self, name: str) -> None:
        if not self._forget(name):
            self.execute(f"ROLLBACK TO SAVEPOINT {name}")

    def _forget(self, name: str) -> bool:
        """Remove a delayed savepoint, and return whether it was still delayed."""
        begin = f"SAVEPOINT {name}"
        if begin not in self._waiting:
            return False
        self._waiting.remove(begin)
        return True

    def commit(self) -> None:
        self._waiting = []
        super().commit()

    def rollback(self) -> None:
        self._waiting = []
        super().rollback()


class _AsyncCursor:
    """An asynchronous cursor as SQLAlchemy expects it (AsyncIODBAPICursor), with all rows fetched at once."""

    def __init__(self, trips: _Trips) -> None:
        self._trips = trips
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> "_AsyncCursor":
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> None:
        self._take(await self._trips.run("execute", statement, parameters))

    async def executemany(self, statement: str, rows: Any) -> None:
        self._take(await self._trips.run("executemany", statement, rows))

    def _take(self, fetched: _Fetched) -> None:
        self._rows, self.description = fetched.rows, fetched.description
        self.rowcount, self.lastrowid = fetched.rowcount, fetched.lastrowid

    async def fetchall(self) -> Sequence[Any]:
        return self._rows

    async def close(self) -> None:
        self._rows = ()


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()

    def _make_new_cursor(self, _connection: Any) -> Any:
        return _AsyncCursor(self._adapt_connection)  # type: ignore[arg-type]


_Trips._cursor_cls = _Cursor


class OneTripDialect(SQLiteDialect_aiosqlite):
    """The dialect. Streamed results (stream(), yield_per) use SQLAlchemy's own cursors."""

    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Open a connection, and wrap it."""
        opened: Any = super().connect(*arguments, **options)
        return _Trips(opened.dbapi, opened.driver_connection)

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Begin a savepoint, delayed until a statement writes."""
        _trips(connection).savepoint(name)

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Release a savepoint, and keep its changes."""
        _trips(connection).release(name)

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Undo the changes since a savepoint."""
        _trips(connection).rollback_to(name)


def _trips(connection: Connection) -> _Trips:
    return cast(_Trips, connection.connection.dbapi_connection)


registry.register(DRIVER.replace("+", "."), __name__, OneTripDialect.__name__)
