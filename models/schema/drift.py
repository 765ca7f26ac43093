"""How a database differs from what the program's tables, indexes and triggers should be, and what is damaged."""

import warnings
from collections.abc import Callable

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SAWarning
from sqlalchemy.schema import CreateIndex

# Every table must be known before it is compared.
from models.accounts import account, pin, throttle
from models.audit import event_chain
from models.base.tables import Base
from models.certification import certify, spot_check
from models.chats import conversation, inbox
from models.database.engine import Database
from models.links import invitation
from models.notices import outbox, tables
from models.outreach import broadcast, reminder
from models.province import listing, visit
from models.register import draft, roster
from models.remarks import petition
from models.rounds import round
from models.schema import triggers
from models.schema.version import revision


def differences(connection: Connection) -> list[str]:
    """Tables, columns, indexes and triggers that are not as in the models, a line each."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_ours})
    with warnings.catch_warnings():
        # Of an index over an expression, which Alembic does not compare: _index_differences does.
        warnings.filterwarnings("ignore", "Skipped unsupported reflection", SAWarning)
        changes = [str(difference) for difference in compare_metadata(context, Base.metadata)]
    return changes + _index_differences(connection) + triggers.differences(connection)


def _index_differences(connection: Connection) -> list[str]:
    """Indexes that are not the program's, also those over expressions; on SQLite compared word by word.

    A unique index decides which rows a REPLACE removes, without a trigger on SQLite.
    """
    expected = {index.name: index for table in Base.metadata.tables.values() for index in table.indexes}
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql <> ''"))
        actual = {name: _words(statement) for name, statement in rows}
        return [f"index {name} is not ours" for name in sorted(actual.keys() - expected.keys())] + [
            f"index {name} differs: {statement}"
            for name, statement in sorted(actual.items())
            if name in expected and statement != _words(str(CreateIndex(expected[name]).compile(connection)))
        ]
    names = connection.scalars(
        text(
            "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relnamespace = CAST(quote_ident(current_schema()) AS regnamespace)"
            " AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)"
        )
    )
    return [f"index {name} is not ours" for name in sorted(set(names) - expected.keys())]


def _words(statement: str) -> str:
    return " ".join(statement.replace('"', "").split())


def table_names(connection: Connection) -> list[str]:
    """The tables that are there."""
    return inspect(connection).get_table_names()


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return not (kind == "table" and name == "alembic_version")


def _damage(connection: Connection) -> list[str]:
    """What SQLite's own checks find; PostgreSQL checks its pages as it reads them."""
    if connection.dialect.name != "sqlite":
        return []
    found = [row[0] for row in connection.execute(text("PRAGMA integrity_check")) if row[0] != "ok"]
    dangling = connection.execute(text("PRAGMA foreign_key_check"))
    return found + [f"row {row[1]} of {row[0]} points to no {row[2]}" for row in dangling]


async def check(database: Database) -> list[str]:
    """Drift and damage, a line each; nothing when all is well."""
    if await revision(database) is None:
        return ["the database has no schema yet; run: laocert db upgrade"]
    checks: list[Callable[[Connection], list[str]]] = [differences, _damage]
    found: list[str] = []
    async with database.engine.connect() as connection:
        for one in checks:
            found += await connection.run_sync(one)
    return found
