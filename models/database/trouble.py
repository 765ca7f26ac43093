"""Whether an exception is the database's trouble, and in which words it is told: what failed for that may be tried
again as it is, and says nothing of whoever asked.
"""

import enum
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Trouble(enum.StrEnum):
    """What is the matter with the database, in the words of the log, of `laocert doctor` and of /readyz."""

    # SQLite's own words.
    FULL = "database or disk is full"
    READ_ONLY = "the database is read-only"
    AWAY = "the database is away"
    # Locks that are waited for in vain, deadlocks, statements that take too long, too many sessions.
    BUSY = "the database is busy"


class DatabaseTrouble(Exception):
    """The database cannot do what was asked at this moment; subclasses name their `trouble`."""

    trouble: Trouble


# By SQLSTATE (PostgreSQL, Appendix A), whole or its class.
_BY_SQLSTATE = {
    "25006": Trouble.READ_ONLY,
    "53100": Trouble.FULL,
    "25P03": Trouble.AWAY,  # idle_in_transaction_session_timeout
    "55P03": Trouble.BUSY,  # lock_timeout
    "57014": Trouble.BUSY,  # statement_timeout
    "40001": Trouble.BUSY,
    "40P01": Trouble.BUSY,  # deadlock
    "08": Trouble.AWAY,
    "28": Trouble.AWAY,  # no way in any more
    "3D": Trouble.AWAY,
    "53": Trouble.BUSY,
    "57P": Trouble.AWAY,  # it is being stopped or started
    "58": Trouble.AWAY,  # an error of the system below it
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
    """The database's trouble behind an exception, also behind one that was raised while another was handled; None
    when there is none: then whoever asked is to blame.
    """
    return next((trouble for one in _chain(error) if (trouble := _own_trouble(one)) is not None), None)


def name_of(error: BaseException) -> str:
    """What a log may say of an exception: its type, and the database's trouble behind it. What the exception says
    itself may hold what somebody typed.
    """
    trouble = trouble_of(error)
    return type(error).__name__ if trouble is None else f"{type(error).__name__} ({trouble})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those behind it, the newest first."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [getattr(one, "orig", None), one.__cause__, one.__context__]


def _own_trouble(error: BaseException) -> Trouble | None:
    if isinstance(error, DatabaseTrouble):
        return error.trouble
    if isinstance(error, sqlite3.Error):
        # Errors of Python's own module have no code.
        return _BY_RESULT_CODE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if isinstance(error, PoolTimeout):
        return Trouble.BUSY
    # asyncpg passes on what its connection raised.
    if isinstance(error, ConnectionError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return _of_sqlstate(error) or Trouble.AWAY
    return _of_sqlstate(error)


def _of_sqlstate(error: BaseException) -> Trouble | None:
    state = str(getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None) or "")
    return next((_BY_SQLSTATE[state[:length]] for length in (5, 3, 2) if state[:length] in _BY_SQLSTATE), None)
