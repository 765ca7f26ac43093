"""What must not be readable is searched for: in the database, its files, a backup and the log."""

import re
from pathlib import Path

from sqlalchemy import make_url, text

from models.database.engine import Database

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


async def stored(database: Database) -> bytes:
    """Every value of every column, a line each; on SQLite every byte of the database's files, too."""
    found = []
    async with database.read() as session:
        for table in list(await session.scalars(text(SQLITE_TABLES if database.is_sqlite else TABLES))):
            for row in await session.execute(text(f'SELECT * FROM "{table}"')):
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    if database.is_sqlite:
        path = Path(str(make_url(database.url).database))
        files = [one for one in (path, path.with_name(path.name + "-wal")) if one.exists()]
        assert len(files) == 2, "the write-ahead log is there while the program runs"
        found += [one.read_bytes() for one in files]
    return b"\n".join(found)


def alone(digits: str) -> re.Pattern[bytes]:
    """Digits that are no part of a longer number or word: identifiers, hashes and microseconds may hold any."""
    # Begins with the digits, which are found quickly, not with what may stand before them.
    return re.compile(digits.encode() + rb"(?<![\w.+/]" + digits.encode() + rb")(?![\w+/])")


def hidden(secret: str) -> list[bytes]:
    """The forms in which it could lie around."""
    return [secret.encode(), secret.encode("unicode_escape"), secret.encode("utf-16-le"), repr(secret).encode()]
