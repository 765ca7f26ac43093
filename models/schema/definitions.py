"""Everything that a database's schema is made of, compared with what the migrations make anew beside it.

Alembic compares tables, columns and the columns of indexes. It sees no condition of an index, no CHECK, no
default, no deferred or missing constraint of PostgreSQL, no conflict clause of SQLite. Here each object is
compared by the text in which the database itself tells of it. Rights and owners are not compared: they are the
operator's.
"""

import re
from functools import cache

from sqlalchemy import Connection, create_engine, text

from models.schema.triggers import search_path

# What of each object is compared, by kind and name.
Definitions = dict[tuple[str, str], str]


def can_compare(connection: Connection) -> bool:
    """Whether the schema can be made anew here: on PostgreSQL by a role that may create a schema, where it can be
    written.
    """
    if connection.dialect.name == "sqlite":
        return True
    may_create = (
        "SELECT has_database_privilege(current_database(), 'CREATE')"
        " AND current_setting('transaction_read_only') = 'off'"
    )
    return bool(connection.scalar(text(may_create)))


def differences(connection: Connection) -> list[str]:
    """One line for each table, column, constraint, index and sequence that is not as the migrations make it. Where
    `can_compare` says no: for what the migrations never make, and nothing else.
    """
    if connection.dialect.name == "sqlite":
        return _compare(_expected_on_sqlite(), _sqlite(connection))
    if not can_compare(connection):
        return _beside(connection)
    return _compare(_expected_on_postgresql(connection), _postgresql(connection)) + _beside(connection)


def _compare(expected: Definitions, actual: Definitions) -> list[str]:
    lines = []
    for kind, name in sorted(expected.keys() | actual.keys()):
        given, wanted = actual.get((kind, name)), expected.get((kind, name))
        if given is None:
            lines.append(f"{kind} {name} is missing")
        elif wanted is None:
            lines.append(f"{kind} {name} is not ours")
        elif given != wanted:
            lines.append(f"{kind} {name} differs: {given[:300]}; it should be: {wanted[:300]}")
    return lines


# --- SQLite: the statements that made each object -----------------------------------------------------------


def _sqlite(connection: Connection) -> Definitions:
    rows = connection.execute(
        text("SELECT type, name, sql FROM sqlite_master WHERE type <> 'trigger' AND sql IS NOT NULL")
    )
    return {(kind, name): _words(statement) for kind, name, statement in rows if not name.startswith("sqlite_")}


def _words(statement: str) -> str:
    """SQLite quotes the name of a table that was renamed; where a line is broken says nothing."""
    return " ".join(statement.replace('"', "").replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split())


@cache
def _expected_on_sqlite() -> Definitions:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        _migrate(connection)
        expected = _sqlite(connection)
    engine.dispose()
    return expected


# --- PostgreSQL: as its catalog tells ------------------------------------------------------------------------

# Whose schema is the parameter. Names come with the schema, for nothing but pg_catalog is in the search path.
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
# What the migrations never make. A table that inherits gives its rows to the one above it, past its triggers.
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


# PostgreSQL tells of `column IN ('a', 'b')` with other casts and brackets once it was dumped and brought back.
_CAST = re.compile(r"::(?:character varying|text)(?:\[\])?")
_IN_BRACKETS = re.compile(r"\(('(?:[^']|'')*'|ARRAY\[[^\]]*\])\)")


def _postgresql(connection: Connection) -> Definitions:
    return {
        (kind, name): _IN_BRACKETS.sub(r"\1", _IN_BRACKETS.sub(r"\1", _CAST.sub("", definition)))
        for kind, name, definition in _asked(connection, _OBJECTS)
    }


def _beside(connection: Connection) -> list[str]:
    return [line for (line,) in _asked(connection, _BESIDE)]


def _asked(connection: Connection, question: str) -> list[tuple[str, ...]]:
    """The rows of a question about the current schema, whose name is left out of them."""
    schema = connection.scalar(text("SELECT quote_ident(current_schema())")) or ""
    with search_path(connection, "pg_catalog"):
        rows = connection.execute(text(question), {"schema": schema}).all()
    return [tuple(value.replace(f"{schema}.", "") for value in row) for row in rows]


def _expected_on_postgresql(connection: Connection) -> Definitions:
    """The schema made anew beside the one that is there, and rolled back. Not among temporary tables: PostgreSQL
    looks for no function there.
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
