"""Compares all definitions of a database's schema with those of a fresh schema that the migrations create beside
it.

Alembic compares tables, columns and the columns of indexes. It ignores conditions of indexes, CHECK constraints,
defaults, deferred or missing constraints on PostgreSQL, and conflict clauses on SQLite. This module compares each
object by the definition that the database reports. Rights and owners are the operator's, and are not compared.
"""

import re
from functools import cache

from sqlalchemy import Connection, create_engine, text

from models.schema.triggers import search_path

# The definition of each object, by kind and name.
Definitions = dict[tuple[str, str], str]


def can_compare(connection: Connection) -> bool:
    """Return whether a fresh schema can be created here: on PostgreSQL the role needs the CREATE right, and the
    server must take writes.
    """
    if connection.dialect.name == "sqlite":
        return True
    may_create = (
        "SELECT has_database_privilege(current_database(), 'CREATE')"
        " AND current_setting('transaction_read_only') = 'off'"
    )
    return bool(connection.scalar(text(may_create)))


def differences(connection: Connection) -> list[str]:
    """Return one line for each table, column, constraint, index and sequence that differs from the migrations.

    If `can_compare` is false, only objects are reported that the migrations never create.
    """
    if connection.dialect.name == "sqlite":
        return _compare(_expected_on_sqlite(), _sqlite(connection))
    if not can_compare(connection):
        return _beside(connection)
    return _compare(_expected_on_postgresql(connection), _postgresql(connection)) + _beside(connection)


def _compare(expected: Definitions, actual: Definitions) -> list[str]:
    lines = []
    for kind, name in sorted(expected.keys() | actual.keys()):
        actual_text, expected_text = actual.get((kind, name)), expected.get((kind, name))
        if actual_text is None:
            lines.append(f"{kind} {name} is missing")
        elif expected_text is None:
            lines.append(f"{kind} {name} is not ours")
        elif actual_text != expected_text:
            lines.append(f"{kind} {name} differs: {actual_text[:300]}; it should be: {expected_text[:300]}")
    return lines


# --- SQLite: the statements that made each object -----------------------------------------------------------


def _sqlite(connection: Connection) -> Definitions:
    rows = connection.execute(
        text("SELECT type, name, sql FROM sqlite_master WHERE type <> 'trigger' AND sql IS NOT NULL")
    )
    return {(kind, name): _words(statement) for kind, name, statement in rows if not name.startswith("sqlite_")}


def _words(statement: str) -> str:
    """Normalize a statement: SQLite quotes the name of a renamed table, and line breaks do not matter."""
    return " ".join(statement.replace('"', "").replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split())


@cache
def _expected_on_sqlite() -> Definitions:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        _migrate(connection)
        expected = _sqlite(connection)
    engine.dispose()
    return expected


# --- PostgreSQL: as its catalog reports ----------------------------------------------------------------------

# For the schema `:schema`. Names are qualified with it, because only pg_catalog is in the search path.
_OBJECTS = """
SELECT 'table', relname, concat_ws(' ', relkind, reloptions, relispartition, relreplident)
FROM pg_class WHERE relkind IN ('r', 'p', 'f') AND relnamespace = CAST(:schema AS regnamespace)
UNION ALL
SELECT 'column', format('%s.%s', relname, attname), concat_ws(' ', format_type(atttypid, atttypmod),
    CASE WHEN attcollation <> typcollation THEN format('COLLATE %s', CAST(attcollation AS regcollation)) END,
    CASE WHEN attnotnull THEN 'NOT NULL' END, nullif(attidentity, ''), nullif(attgenerated, ''),
    'DEFAULT ' || pg_get_expr(adbin, adrelid))
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_type ON pg_type.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'f')
    AND relnamespace = CAST(:schema AS regnamespace)
UNION ALL
SELECT 'constraint', format('%s.%s', relname, conname),
    concat_ws(' ', pg_get_constraintdef(pg_constraint.oid), CASE WHEN NOT convalidated THEN 'NOT VALID' END)
FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE relnamespace = CAST(:schema AS regnamespace)
UNION ALL
SELECT 'index', relname, concat_ws(' ', pg_get_indexdef(indexrelid),
    CASE WHEN NOT indisvalid OR NOT indisready OR NOT indislive THEN 'not in use' END,
    CASE WHEN NOT indimmediate THEN 'deferred' END)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = CAST(:schema AS regnamespace)
UNION ALL
SELECT 'sequence', relname, concat_ws(' ', CAST(seqtypid AS regtype), seqstart, seqincrement, seqmin, seqmax,
    CASE WHEN seqcycle THEN 'CYCLE' END)
FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid
WHERE relnamespace = CAST(:schema AS regnamespace)
"""
# Objects that the migrations never create. A table that inherits adds its rows to its parent, past the triggers.
_BESIDE = """
SELECT format('table %s is not crash-safe (UNLOGGED)', relname) FROM pg_class
WHERE relpersistence <> 'p' AND relkind IN ('r', 'p') AND relnamespace = CAST(:schema AS regnamespace)
UNION ALL
SELECT format('table %s inherits from %s', CAST(inhrelid AS regclass), CAST(inhparent AS regclass))
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhparent
WHERE relkind IN ('r', 'p', 'f') AND relnamespace = CAST(:schema AS regnamespace)
UNION ALL
SELECT format('foreign key %s of %s is not kept: its trigger is not enabled', conname, relname)
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_constraint ON pg_constraint.oid = tgconstraint
WHERE tgisinternal AND tgenabled <> 'O' AND relnamespace = CAST(:schema AS regnamespace)
ORDER BY 1
"""


# After a dump and restore, PostgreSQL reports `column IN ('a', 'b')` with other casts and brackets.
_CAST = re.compile(r"::(?:character varying|text)(?:\[\])?")
_IN_BRACKETS = re.compile(r"\(('(?:[^']|'')*'|ARRAY\[[^\]]*\])\)")


def _postgresql(connection: Connection) -> Definitions:
    return {
        (kind, name): _IN_BRACKETS.sub(r"\1", _IN_BRACKETS.sub(r"\1", _CAST.sub("", definition)))
        for kind, name, definition in _query(connection, _OBJECTS)
    }


def _beside(connection: Connection) -> list[str]:
    return [line for (line,) in _query(connection, _BESIDE)]


def _query(connection: Connection, statement: str) -> list[tuple[str, ...]]:
    """Run a query about the current schema, and remove the schema's name from the values."""
    schema = connection.scalar(text("SELECT quote_ident(current_schema())")) or ""
    with search_path(connection, "pg_catalog"):
        rows = connection.execute(text(statement), {"schema": schema}).all()
    return [tuple(value.replace(f"{schema}.", "") for value in row) for row in rows]


def _expected_on_postgresql(connection: Connection) -> Definitions:
    """Create a fresh schema beside the existing one, read its definitions, and roll back.

    A temporary schema would not do: PostgreSQL does not look up functions there.
    """
    with connection.begin_nested() as savepoint:
        beside = f"laocert_check_{connection.scalar(text('SELECT pg_backend_pid()'))}"
        connection.execute(text(f"CREATE SCHEMA {beside}"))
        with search_path(connection, beside):
            _migrate(connection)
            expected = _postgresql(connection)
        savepoint.rollback()
    return expected


def _migrate(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415

    from models.schema.version import config  # noqa: PLC0415

    command.upgrade(config(connection), "head")
