"""Verifies that a copy equals the database in the state that was copied.

The database is counted in that very state: in the transaction of SQLite's backup, or in the snapshot that pg_dump
uses. The whole copy is then read and counted too.
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
    """What is compared of a database or a copy.

    `rows`: number of rows by table. `newest_event`: the highest id of an audit event. `schema`: definitions by
    kind and name (`table account`); empty texts for PostgreSQL, where only the names are compared.
    """

    rows: dict[str, int] = field(default_factory=dict)
    newest_event: int | None = None
    schema: dict[str, str] = field(default_factory=dict)

    def differences(self, copy: "Contents") -> list[str]:
        """How a copy differs from these contents, a few words for each difference; empty when it does not."""
        differences = [f"{name} is missing" for name in sorted(self.schema.keys() - copy.schema.keys())]
        differences += [
            f"{name} is not in the database" for name in sorted(copy.schema.keys() - self.schema.keys())
        ]
        differences += [
            f"{name} differs"
            for name, definition in sorted(self.schema.items())
            if copy.schema.get(name, definition) != definition
        ]
        differences += [
            f"{table} has {copy.rows.get(table, 0):,} of {count:,} rows"
            for table, count in sorted(self.rows.items())
            if copy.rows.get(table, 0) != count
        ]
        if self.newest_event != copy.newest_event:
            differences.append(f"its newest event is {copy.newest_event}, not {self.newest_event}")
        return differences


# --- SQLite -------------------------------------------------------------------------------------------------


def contents_of_sqlite(connection: sqlite3.Connection) -> Contents:
    """The contents of an open SQLite database. Raises sqlite3.DatabaseError when it cannot be read."""
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
    """What is wrong with a copy of `original`, a few words for each fault; empty when the copy is right."""
    # Immutable: SQLite reads the file as it is and creates no files beside it.
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            [(report,), *_] = connection.execute("PRAGMA integrity_check").fetchall()
            if report != "ok":
                return [report]
            (size,) = connection.execute(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()
            # SQLite reads the missing end of a truncated last page as zeros.
            if size != copy.stat().st_size:
                return [f"the file has {copy.stat().st_size:,} of {size:,} bytes"]
            return original.differences(contents_of_sqlite(connection))
        except sqlite3.DatabaseError as error:
            return [str(error)]


# --- PostgreSQL ---------------------------------------------------------------------------------------------


async def contents_of_postgresql(connection: AsyncConnection) -> Contents:
    """The contents of the connection's current schema, read in its transaction."""
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


# An entry of `pg_restore --list`: dump id; two oids, kind, schema, names, owner.
_ENTRY = re.compile(r"^\d+; \d+ \d+ (TABLE|TRIGGER) (\S+) (\S+(?: \S+)?) \S+$", re.MULTILINE)
_COPY = re.compile(rb'COPY "?(?P<schema>[^".]+)"?\."?(?P<table>[^" ]+)"? \((?P<columns>.*)\) FROM stdin;')


class ArchiveReader:
    """Counts the contents of one schema in a pg_dump copy. `listing` is the output of `pg_restore --list`; the SQL
    of the copy is passed to `feed` in pieces.
    """

    def __init__(self, schema: str, listing: str) -> None:
        entries = _ENTRY.findall(listing)
        self._schema = schema
        self._objects = {f"{kind} {name}": "" for kind, entry_schema, name in entries if entry_schema == schema}
        self._rows: dict[str, int] = {}
        self._newest: int | None = None
        # The start of a line whose end has not come yet.
        self._unfinished_line = b""
        # The table whose rows are being read; "" for one of another schema, None between tables.
        self._table: str | None = None
        self._id_at: int | None = None

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the SQL, of any length."""
        *lines, self._unfinished_line = (self._unfinished_line + piece).split(b"\n")
        for line in lines:
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
        statement = _COPY.fullmatch(line)
        if statement is None:
            return
        is_in_schema = statement["schema"].decode() == self._schema
        self._table = statement["table"].decode() if is_in_schema else ""
        columns = statement["columns"].decode().split(", ")
        self._id_at = columns.index("id") if self._table == "audit_event" else None
        if self._table:
            self._rows[self._table] = 0

    def contents(self) -> Contents:
        """The contents of what was fed so far."""
        return Contents(self._rows, self._newest, self._objects)
