"""Checks a database for drift (tables, indexes and triggers that differ from the program's) and for damage."""

import warnings
from collections.abc import Callable

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SAWarning

# Imported for their tables, which must be registered before the comparison.
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
from models.register import certified, draft, roster
from models.remarks import petition
from models.rounds import round
from models.schema import definitions, triggers
from models.schema.version import revision


def differences(connection: Connection) -> list[str]:
    """Return one line for each table, column, constraint, index and trigger that differs from the models or from
    what the migrations create.
    """
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_ours})
    with warnings.catch_warnings():
        # Alembic warns of an index on an expression, which it does not compare.
        warnings.filterwarnings("ignore", "Skipped unsupported reflection", SAWarning)
        changes = [str(difference) for difference in compare_metadata(context, Base.metadata)]
    return changes + definitions.differences(connection) + triggers.differences(connection)


def table_names(connection: Connection) -> list[str]:
    """Return the names of the existing tables."""
    return inspect(connection).get_table_names()


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    # Two tables are not in the models: Alembic's, and the triggers' (models/schema/sqlite_triggers.py).
    return not (kind == "table" and name in ("alembic_version", "last_row"))


def _damage(connection: Connection) -> list[str]:
    """Return the findings of SQLite's own checks. PostgreSQL checks its pages as it reads them."""
    if connection.dialect.name != "sqlite":
        return []
    corruption = [row[0] for row in connection.execute(text("PRAGMA integrity_check")) if row[0] != "ok"]
    dangling = connection.execute(text("PRAGMA foreign_key_check"))
    return corruption + [f"row {row[1]} of {row[0]} points to no {row[2]}" for row in dangling]


async def check(database: Database) -> list[str]:
    """Return one line for each drift or damage; [] if all is well."""
    if await revision(database) is None:
        return ["the database has no schema yet; run: laocert db upgrade"]
    checks: list[Callable[[Connection], list[str]]] = [differences, _damage]
    findings: list[str] = []
    async with database.engine.connect() as connection:
        for run_check in checks:
            findings += await connection.run_sync(run_check)
    return findings


async def can_check_in_full(database: Database) -> bool:
    """Return whether `check` also compares constraints, defaults and conditions of indexes
    (definitions.can_compare).
    """
    async with database.engine.connect() as connection:
        return await connection.run_sync(definitions.can_compare)
