"""Recognizes exceptions that are the database's fault (full, read-only, away, busy).

An operation that failed for such a reason can be retried unchanged, and the failure does not count against the
update that caused it.
"""

import enum
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Trouble(enum.StrEnum):
    """What is wrong with the database. The values are the texts in the log, in `laocert doctor` and in /readyz."""

    # SQLite's own words.
    FULL = "database or disk is full"
    READ_ONLY = "the database is read-only"
    AWAY = "the database is away"
    # Lock timeouts, deadlocks, statement timeouts, too many sessions.
    BUSY = "the database is busy"


class DatabaseTrouble(Exception):
    """The database cannot perform an operation at this moment. Subclasses set `trouble`."""

    trouble: Trouble


# By SQLSTATE or a prefix of it (PostgreSQL, Appendix A).
_BY_SQLSTATE = {
    "25006": Trouble.READ_ONLY,
    "53100": Trouble.FULL,
    "25P03": Trouble.AWAY,  # idle_in_transaction_session_timeout
    "55P03": Trouble.BUSY,  # lock_timeout
    "57014": Trouble.BUSY,  # statement_timeout
    "40001": Trouble.BUSY,
    "40P01": Trouble.BUSY,  # deadlock
    "08": Trouble.AWAY,
    "28": Trouble.AWAY,  # authentication fails
    "3D": Trouble.AWAY,
    "53": Trouble.BUSY,
    "57P": Trouble.AWAY,  # the server is stopping or starting
    "58": Trouble.AWAY,  # an error of the operating system
}
# By SQLite's primary result code.
_BY_RESULT_CODE = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_PROTOCOL: Trouble.BUSY,
    sqlite3.SQLITE_NOMEM: Trouble.BUSY,
    sqlite3.SQLITE_IOERR: Trouble.AWAY,
    sqlite3.SQLITE_CANTOPEN: Trouble.AWAY,
}


def trouble_of(error: BaseException) -> Trouble | None:
    """Return the database's trouble behind an exception or the exceptions that it was raised from or during.

    None if the database is not at fault.
    """
    return next((trouble for link in _chain(error) if (trouble := _own_trouble(link)) is not None), None)


def name_of(error: BaseException) -> str:
    """Return a text for the log: an exception's type, and the database's trouble behind it.

    The exception's own message is left out, because it may contain what a user typed.
    """
    trouble = trouble_of(error)
    return type(error).__name__ if trouble is None else f"{type(error).__name__} ({trouble})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, and those that it wraps or was raised from, breadth first."""
    visited: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        link = queue.pop(0)
        if link is None or id(link) in visited:
            continue
        visited.add(id(link))
        yield link
        queue += [getattr(link, "orig", None), link.__cause__, link.__context__]


def _own_trouble(error: BaseException) -> Trouble | None:
    if isinstance(error, DatabaseTrouble):
        return error.trouble
    if isinstance(error, sqlite3.Error):
        # Errors that Python's sqlite3 module raises itself have no code.
        return _BY_RESULT_CODE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if isinstance(error, PoolTimeout):
        return Trouble.BUSY
    # asyncpg raises connection errors unwrapped.
    if isinstance(error, ConnectionError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return _of_sqlstate(error) or Trouble.AWAY
    return _of_sqlstate(error)


def _of_sqlstate(error: BaseException) -> Trouble | None:
    state = str(getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None) or "")
    return next((_BY_SQLSTATE[state[:length]] for length in (5, 3, 2) if state[:length] in _BY_SQLSTATE), None)
