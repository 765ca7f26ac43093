"""Searches for secrets in the database, its files, a backup and the log."""

import re
from pathlib import Path

from sqlalchemy import make_url, text

from models.database.engine import Database

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


async def stored(database: Database) -> bytes:
    """Return every value of every column, one a line, and on SQLite also the bytes of the database's files."""
    values: list[bytes] = []
    async with database.read() as session:
        for table in list(await session.scalars(text(SQLITE_TABLES if database.is_sqlite else TABLES))):
            for row in await session.execute(text(f'SELECT * FROM "{table}"')):
                values += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    if database.is_sqlite:
        path = Path(str(make_url(database.url).database))
        files = [file for file in (path, path.with_name(path.name + "-wal")) if file.exists()]
        assert len(files) == 2, "the write-ahead log is there while the program runs"
        values += [file.read_bytes() for file in files]
    return b"\n".join(values)


def alone(digits: str) -> re.Pattern[bytes]:
    """Return a pattern of digits that are not part of a longer number or word, such as an id, a hash or
    microseconds.
    """
    # Begins with the literal digits, which are fast to find, and looks behind them afterwards.
    return re.compile(digits.encode() + rb"(?<![\w.+/]" + digits.encode() + rb")(?![\w+/])")


def hidden(secret: str) -> list[bytes]:
    """Return the encodings in which a secret could be stored."""
    return [secret.encode(), secret.encode("unicode_escape"), secret.encode("utf-16-le"), repr(secret).encode()]
