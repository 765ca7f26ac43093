"""What the command line says of an exception: what happened and how to mend it, a line each."""

import traceback

from asyncpg import PostgresError  # type: ignore[import-untyped]
from sqlalchemy.exc import SQLAlchemyError

from bot.runtime.settings import SettingsRefused, load_settings
from models.base.errors import DomainError
from models.imports.tabular import MAX_PROBLEMS, ImportRefused, alike

# What SQLite says, and what to do about it.
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
    """The lines for stderr. An error that nobody foresaw shows its traceback at LAOCERT_LOG_LEVEL=DEBUG only."""
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
    """A line for each kind of problem, and below many of them what a reader of the last line must know."""
    lines = list(map(str, alike(error.problems)))
    count = len(error.problems)
    if count > 1:
        number = f"{count:,}" if count <= MAX_PROBLEMS else f"more than {MAX_PROBLEMS:,}"
        lines.append(f"{number} problems; {error.outcome}")
    return lines


def _of_database(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    said = _first_line(cause)
    mend = next(
        (mend for words, mend in _MENDS.items() if words in said), "check LAOCERT_DATABASE_URL and the server"
    )
    return f"the database cannot be used: {said}; {mend}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _is_debugging() -> bool:
    try:
        return load_settings().log_level == "DEBUG"
    except SettingsRefused:
        return False
