"""Turns an exception into the lines that the command line prints: what happened and how to fix it."""

import traceback

from asyncpg import PostgresError  # type: ignore[import-untyped]
from sqlalchemy.exc import SQLAlchemyError

from bot.runtime.settings import SettingsRefused, load_settings
from models.base.errors import DomainError
from models.imports.tabular import MAX_PROBLEMS, ImportRefused, alike

# How to fix an error of the database, by words of its message.
_MENDS = {
    "database is locked": "another program is writing to it; try again, or stop that program",
    "unable to open database file": "check the directory and your rights, or set LAOCERT_DATABASE_URL",
    "no such table": "run: laocert db upgrade",
    "does not exist": "create it, or set LAOCERT_DATABASE_URL; then run: laocert db upgrade",
    "readonly database": "check your rights to the file and its directory",
    "malformed": "run: laocert db check, then bring back a copy: laocert db restore",
    "file is not a database": "set LAOCERT_DATABASE_URL to a file of laocert",
}


def explain(error: Exception) -> list[str]:
    """The lines for stderr. An unexpected error gets a traceback only at LAOCERT_LOG_LEVEL=DEBUG."""
    if isinstance(error, ImportRefused):
        return _of_file(error)
    if isinstance(error, DomainError):
        return [str(error) or type(error).__name__]
    if isinstance(error, SQLAlchemyError | PostgresError | OSError):
        return [_of_database(error)]
    lines = [f"unexpected {type(error).__name__}: {_first_line(error)}; please report it, with the traceback that"]
    lines[0] += " LAOCERT_LOG_LEVEL=DEBUG shows"
    return (traceback.format_exception(error) if _is_debugging() else []) + lines


def _of_file(error: ImportRefused) -> list[str]:
    """A line for each kind of problem of a file; below several the number of all, and the outcome."""
    lines = list(map(str, alike(error.problems)))
    count = len(error.problems)
    if count > 1:
        number = f"{count:,}" if count <= MAX_PROBLEMS else f"more than {MAX_PROBLEMS:,}"
        lines.append(f"{number} problems; {error.outcome}")
    return lines


def _of_database(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    message = _first_line(cause)
    mend = next(
        (mend for words, mend in _MENDS.items() if words in message), "check LAOCERT_DATABASE_URL and the server"
    )
    return f"the database cannot be used: {message}; {mend}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _is_debugging() -> bool:
    try:
        return load_settings().log_level == "DEBUG"
    except SettingsRefused:
        return False
