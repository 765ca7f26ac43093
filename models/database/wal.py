"""The write-ahead log (WAL) of a SQLite database: its length, and how it is truncated.

Each commit appends to it. SQLite restarts it once all of it has been copied into the database and no reader uses
it. While there is always a reader, it only grows, and reads become slower (SQLite, Write-Ahead Logging, "Avoiding
Excessively Large WAL Files").
"""

import contextlib
import sqlite3
from pathlib import Path

from sqlalchemy import URL

from models.database.sqlite import WAL_LIMIT, file_of

# Seconds that a checkpoint waits for readers and the writer. No tap can be written meanwhile.
PATIENCE = 1.0


def length(url: URL) -> int:
    """Return the WAL's size in bytes; 0 if there is none."""
    path = file_of(url)
    try:
        return Path(f"{path}-wal").stat().st_size if path else 0
    except FileNotFoundError:
        return 0


def is_long(url: URL) -> bool:
    """Return whether the WAL has grown beyond WAL_LIMIT, to which SQLite truncates it (`journal_size_limit`)."""
    return length(url) > WAL_LIMIT


def shorten(url: URL) -> bool:
    """Copy the whole WAL into the database and truncate it (checkpoint). Returns whether that succeeded.

    Waits up to PATIENCE seconds for readers. Blocking: call it in a thread. Raises sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(file_of(url) or "", timeout=PATIENCE)) as connection:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy
