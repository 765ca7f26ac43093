"""How a database differs from what the program's tables, indexes and triggers should be, and what is damaged."""

import warnings
from collections.abc import Callable

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SAWarning

# Every table must be known before it is compared.
from models.accounts import account, pin, throttle
from models.audit import event_chain
from models.base.grants import RoleNames
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
from models.schema import definitions, roles, triggers
from models.schema.version import revision


def differences(connection: Connection) -> list[str]:
    """Tables, columns, constraints, indexes and triggers that are not as in the models or as the migrations make
    them, a line each.
    """
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_ours})
    with warnings.catch_warnings():
        # Of an index over an expression, which Alembic does not compare.
        warnings.filterwarnings("ignore", "Skipped unsupported reflection", SAWarning)
        changes = [str(difference) for difference in compare_metadata(context, Base.metadata)]
    return changes + definitions.differences(connection) + triggers.differences(connection)


def table_names(connection: Connection) -> list[str]:
    """The tables that are there."""
    return inspect(connection).get_table_names()


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    # Neither is in the models: one is Alembic's, one the triggers' (models/schema/sqlite_triggers.py).
    return not (kind == "table" and name in ("alembic_version", "last_row"))


def _damage(connection: Connection) -> list[str]:
    """What SQLite's own checks find; PostgreSQL checks its pages as it reads them."""
    if connection.dialect.name != "sqlite":
        return []
    found = [row[0] for row in connection.execute(text("PRAGMA integrity_check")) if row[0] != "ok"]
    dangling = connection.execute(text("PRAGMA foreign_key_check"))
    return found + [f"row {row[1]} of {row[0]} points to no {row[2]}" for row in dangling]


async def check(database: Database, names: RoleNames | None = None) -> list[str]:
    """Drift and damage, a line each; nothing when all is well. With `names` of PostgreSQL's roles their rights,
    and who owns what, too (models/schema/roles.py).
    """
    if await revision(database) is None:
        return ["the database has no schema yet; run: laocert db upgrade"]
    checks: list[Callable[[Connection], list[str]]] = [differences, _damage]
    found: list[str] = []
    async with database.engine.connect() as connection:
        for one in checks:
            found += await connection.run_sync(one)
    return found if names is None else found + await roles.check(database, names)


async def can_check_in_full(database: Database) -> bool:
    """Whether `check` compares constraints, defaults and conditions of indexes too (definitions.can_compare)."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(definitions.can_compare)
