"""The write-ahead log of a SQLite database: how long it is, and how it becomes short again.

Each commit appends to it. SQLite begins it anew when all of it is in the database and nobody reads it any more.
While there is always a reader it only grows, and each read takes longer (SQLite, Write-Ahead Logging, "Avoiding
Excessively Large WAL Files").
"""

import contextlib
import sqlite3
from pathlib import Path

from sqlalchemy import URL

from models.database.sqlite import WAL_LIMIT, file_of

# Seconds that a checkpoint waits for readers and the writer: no tap is written meanwhile.
PATIENCE = 1.0


def length(url: URL) -> int:
    """Its bytes; 0 where there is none."""
    path = file_of(url)
    try:
        return Path(f"{path}-wal").stat().st_size if path else 0
    except FileNotFoundError:
        return 0


def is_long(url: URL) -> bool:
    """Whether it has grown beyond what SQLite leaves of it (`journal_size_limit`)."""
    return length(url) > WAL_LIMIT


def shorten(url: URL) -> bool:
    """Bring all of it into the database and cut it off; whether that went well. Readers in the way are waited for
    a moment. Blocks: for a thread. Raises sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(file_of(url) or "", timeout=PATIENCE)) as connection:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy
