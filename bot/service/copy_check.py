"""Whether a copy of the database is what the database was at the moment of the copy.

The database is counted in the very state that is copied: in the transaction of SQLite's backup, in the snapshot
that pg_dump is given. The copy is then read to its end, and counted again.
"""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class Contents:
    """What a database or a copy holds: rows by table, the newest event's id, and the tables, triggers and so on of
    its schema, each with its definition where that can be compared.
    """

    rows: dict[str, int] = field(default_factory=dict)
    newest_event: int | None = None
    schema: dict[str, str] = field(default_factory=dict)

    def differences(self, copy: "Contents") -> list[str]:
        """What a copy of these contents has otherwise, a few words each; nothing when it is the same."""
        found = [f"{name} is missing" for name in sorted(self.schema.keys() - copy.schema.keys())]
        found += [f"{name} is too much" for name in sorted(copy.schema.keys() - self.schema.keys())]
        found += [
            f"{name} differs"
            for name, definition in sorted(self.schema.items())
            if copy.schema.get(name, definition) != definition
        ]
        found += [
            f"{table} has {copy.rows.get(table, 0):,} of {count:,} rows"
            for table, count in sorted(self.rows.items())
            if copy.rows.get(table, 0) != count
        ]
        if self.newest_event != copy.newest_event:
            found.append(f"its newest event is {copy.newest_event}, not {self.newest_event}")
        return found


# --- SQLite -------------------------------------------------------------------------------------------------


def contents_of_sqlite(connection: sqlite3.Connection) -> Contents:
    """What stands in an open database. Raises sqlite3.DatabaseError for one that cannot be read."""
    objects = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    tables = [name for kind, name, _ in objects if kind == "table"]
    counts = {}
    for name in tables:
        quoted = name.replace('"', '""')
        (counts[name],) = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608 - quoted
    newest = None
    if "audit_event" in tables:
        (newest,) = connection.execute("SELECT max(id) FROM audit_event").fetchone()
    return Contents(counts, newest, {f"{kind} {name}": sql or "" for kind, name, sql in objects})


def check_sqlite(copy: Path, original: Contents) -> list[str]:
    """What is wrong with a copy, a few words each."""
    # As it lies on the disk, without the files that SQLite would put beside it.
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            [(said,), *_] = connection.execute("PRAGMA integrity_check").fetchall()
            if said != "ok":
                return [said]
            (size,) = connection.execute(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()
            # SQLite reads a last page that was cut off as if zeros stood there.
            if size != copy.stat().st_size:
                return [f"the file has {copy.stat().st_size:,} of {size:,} bytes"]
            return original.differences(contents_of_sqlite(connection))
        except sqlite3.DatabaseError as error:
            return [str(error)]


# --- PostgreSQL ---------------------------------------------------------------------------------------------


async def contents_of_postgresql(connection: AsyncConnection) -> Contents:
    """What the first schema of the search path holds, in the transaction of the connection."""
    tables = list(
        await connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = CAST(quote_ident(current_schema()) AS regnamespace)"
            )
        )
    )
    quote = connection.dialect.identifier_preparer.quote
    counts = {}
    for name in tables:
        counts[name] = await connection.scalar(text(f"SELECT count(*) FROM {quote(name)}")) or 0  # noqa: S608 - quoted
    newest = None
    if "audit_event" in tables:
        newest = await connection.scalar(text("SELECT max(id) FROM audit_event"))
    triggers = await connection.scalars(
        text(
            "SELECT 'TRIGGER ' || relname || ' ' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE NOT tgisinternal AND relnamespace = CAST(quote_ident(current_schema()) AS regnamespace)"
        )
    )
    return Contents(counts, newest, dict.fromkeys([*triggers, *(f"TABLE {name}" for name in tables)], ""))


# An entry of `pg_restore --list`: number; oids, kind, schema, names, owner.
_ENTRY = re.compile(r"^\d+; \d+ \d+ (TABLE|TRIGGER) (\S+) (\S+(?: \S+)?) \S+$", re.MULTILINE)
_COPY = re.compile(rb'COPY "?(?P<schema>[^".]+)"?\."?(?P<table>[^" ]+)"? \((?P<columns>.*)\) FROM stdin;')


class ArchiveReader:
    """Counts what the SQL of a copy made by pg_dump holds of one schema; fed in pieces, as it comes."""

    def __init__(self, schema: str, listing: str) -> None:
        entries = _ENTRY.findall(listing)
        self._schema = schema
        self._objects = {f"{kind} {name}": "" for kind, where, name in entries if where == schema}
        self._rows: dict[str, int] = {}
        self._newest: int | None = None
        self._rest = b""
        # The table whose rows are being read: "" for another schema's, None between tables.
        self._table: str | None = None
        self._id_at: int | None = None

    def feed(self, piece: bytes) -> None:
        """The next piece of the SQL."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for line in whole:
            if self._table is None:
                self._begin(line)
            elif line == b"\\.":
                self._table = None
            elif self._table:
                self._rows[self._table] += 1
                if self._id_at is not None:
                    event = int(line.split(b"\t")[self._id_at])
                    self._newest = event if self._newest is None else max(self._newest, event)

    def _begin(self, line: bytes) -> None:
        begun = _COPY.fullmatch(line)
        if begun is None:
            return
        is_ours = begun["schema"].decode() == self._schema
        self._table = begun["table"].decode() if is_ours else ""
        columns = begun["columns"].decode().split(", ")
        self._id_at = columns.index("id") if self._table == "audit_event" else None
        if self._table:
            self._rows[self._table] = 0

    def contents(self) -> Contents:
        """What was read."""
        return Contents(self._rows, self._newest, self._objects)
