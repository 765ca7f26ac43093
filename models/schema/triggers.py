"""Compares a database's triggers with the program's, because Alembic ignores triggers.

The triggers enforce rules even against raw SQL: locked registers cannot change, certificates are insert-only,
spot-checks are drawn once and final once handed in, and the keys that these depend on cannot change. A register is
locked if its LAO has certified it in the newest round, or its organization has ended.

The triggers are defined in models/schema/trigger_conditions.py (both databases), models/schema/sqlite_triggers.py
and models/schema/postgresql_triggers.py. A change of a definition needs a migration that contains the new one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from models.schema import postgresql_triggers, sqlite_triggers


def differences(connection: Connection) -> list[str]:
    """Return one line for each difference between the database's triggers and the program's.

    On PostgreSQL also for trigger functions, rules and row security, which could prevent triggers from firing or
    from seeing rows.
    """
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        actual = {name: definition for name, definition in rows}  # noqa: C416 - dict() has no type for a Row
        return _compare("trigger", sqlite_triggers.definitions(), actual)
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    with search_path(connection, "pg_catalog"):
        return _postgresql_differences(connection, schema)


@contextmanager
def search_path(connection: Connection, path: str) -> Iterator[None]:
    """Set PostgreSQL's search path for the block. With pg_catalog only, PostgreSQL qualifies every table and
    function that it reports.
    """
    before = connection.scalar(text("SHOW search_path"))
    set_path = text("SELECT set_config('search_path', :path, true)")
    connection.execute(set_path, {"path": path})
    try:
        yield
    finally:
        connection.execute(set_path, {"path": before})


_FUNCTIONS = """
SELECT proname, pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = CAST(:schema AS regnamespace) AND prorettype = CAST('trigger' AS regtype)
"""
_TRIGGERS = """
SELECT tgname, CASE CAST(tgenabled AS text) WHEN 'A' THEN pg_get_triggerdef(pg_trigger.oid)
    WHEN 'D' THEN 'disabled' ELSE 'not enabled always' END
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND relnamespace = CAST(:schema AS regnamespace)
"""
# A rule can replace a statement by another one; row security can hide a certificate from a trigger.
_BESIDE = """
SELECT format('rule %s on %s is not ours', rulename, relname)
FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
WHERE relkind <> 'v' AND relnamespace = CAST(:schema AS regnamespace)
UNION ALL SELECT format('row security is on for %s', relname) FROM pg_class
WHERE relrowsecurity AND relnamespace = CAST(:schema AS regnamespace)
ORDER BY 1
"""


def _postgresql_differences(connection: Connection, schema: str) -> list[str]:
    def query(statement: str) -> list[tuple[str, ...]]:
        return [tuple(row) for row in connection.execute(text(statement), {"schema": schema})]

    triggers = {name: trigger.statement(name, schema) for name, trigger in postgresql_triggers.POSTGRESQL.items()}
    return [
        *_compare("function", postgresql_triggers.functions(schema), dict(query(_FUNCTIONS))),  # type: ignore[arg-type]
        *_compare("trigger", triggers, dict(query(_TRIGGERS))),  # type: ignore[arg-type]
        *(line for (line,) in query(_BESIDE)),
    ]


def _squeeze(definition: str) -> str:
    return " ".join(definition.split())


def _compare(kind: str, expected: dict[str, str], actual: dict[str, str]) -> list[str]:
    lines = []
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            lines.append(f"{kind} {name} is missing")
        elif name not in expected:
            lines.append(f"{kind} {name} is not ours")
        elif _squeeze(expected[name]) != _squeeze(actual[name]):
            lines.append(f"{kind} {name} differs: {_squeeze(actual[name])[:200]}")
    return lines
