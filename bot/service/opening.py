"""The database of the settings, opened for the length of a command, as the role that the command needs: the one
place where its keys are compared.
"""

import asyncio
import enum
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg import PostgresError  # type: ignore[import-untyped]
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, NoSuchModuleError

from bot.runtime.settings import (
    Settings,
    database_url,
    has_own_url,
    keyring,
    not_a_database,
    own_url_setting,
    url_setting,
)
from models.audit import event_chain
from models.base.errors import DomainError
from models.base.grants import DatabaseRole
from models.database.engine import Database
from models.database.pooler import require_own_sessions
from models.database.postgresql import UrlRefused
from models.schema import drift, version

# SQLSTATE of what a role may not do.
INSUFFICIENT_PRIVILEGE = "42501"


class Use(enum.Enum):
    """What a command does with the database, and so what it needs of LAOCERT_SECRET_KEY."""

    # It only looks: no key is needed, and none is compared.
    LOOKS = enum.auto()
    # It writes what is recorded: a key is needed, and it must be the one in use or its announced successor.
    RECORDS = enum.auto()
    # It changes the schema, of which nothing is recorded: a key that is set must be a known one.
    UPGRADES = enum.auto()
    # It replaces the database, or looks for what is wrong with it: whatever stands there is no reason to refuse.
    REPAIRS = enum.auto()

    @property
    def needs_head(self) -> bool:
        """Whether the schema must be this program's."""
        return self in (Use.LOOKS, Use.RECORDS)


class RightsMissing(DomainError):
    """The role that connected may not do what the command does; the message says which URL to set."""

    def __init__(self, settings: Settings, role: DatabaseRole) -> None:
        setting, where = own_url_setting(role), "docs/operations.md, Roles"
        if not has_own_url(settings, role):
            said = f"this needs the rights of the database's {role}; set {setting} ({where})"
        elif role is DatabaseRole.OWNER:
            said = f"the role of {setting} does not own this database; hand it over ({where})"
        else:
            said = f"the role of {setting} lacks rights of the {role}; as owner run: laocert db upgrade ({where})"
        super().__init__(said)


@asynccontextmanager
async def opened(
    settings: Settings, use: Use, name: str = "laocert", role: DatabaseRole = DatabaseRole.APPLICATION
) -> AsyncIterator[Database]:
    """Open the database as a role, and leave nothing of it running. `name` is what PostgreSQL shows of the
    session.

    Raises SettingsRefused for a URL that is none, UrlRefused, SessionsAreShared, SchemaOutdated, KeyMissing and
    KeyUnknown, before anything is written; RightsMissing for whatever the role may not do.
    """
    try:
        async with _opened(settings, use, name, role) as database:
            yield database
    except (DBAPIError, PostgresError) as error:
        # An import writes its rows past SQLAlchemy.
        state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
        if state == INSUFFICIENT_PRIVILEGE:
            raise RightsMissing(settings, role) from error
        raise


@asynccontextmanager
async def _opened(settings: Settings, use: Use, name: str, role: DatabaseRole) -> AsyncIterator[Database]:
    keys = keyring(settings)
    if keys is None and use is Use.RECORDS:
        raise event_chain.KeyMissing
    try:
        database = Database(
            database_url(settings, role), keys, name, may_be_read_only=use in (Use.LOOKS, Use.REPAIRS)
        )
    except UrlRefused as error:
        raise UrlRefused(str(error).replace("LAOCERT_DATABASE_URL", url_setting(settings, role))) from None
    # ValueError: what stands for a port is no number.
    except (ArgumentError, NoSuchModuleError, InvalidRequestError, ModuleNotFoundError, ValueError):
        raise not_a_database(url_setting(settings, role)) from None
    threads = set(threading.enumerate())
    try:
        if use is not Use.LOOKS:
            await require_own_sessions(database)
        if use.needs_head:
            await version.require_head(database)
        if keys is not None and use in (Use.RECORDS, Use.UPGRADES):
            await require_known_key(database)
        yield database
    finally:
        await database.close()
        await _joined(set(threading.enumerate()) - threads)


async def require_known_key(database: Database, where: str = event_chain.NEWEST) -> None:
    """Refuse a key under which the record cannot go on. A database without a record yet takes any.

    Raises KeyUnknown.
    """
    async with database.read() as session:
        connection = await session.connection()
        if event_chain.AuditEvent.__tablename__ in await connection.run_sync(drift.table_names):
            await event_chain.require_known_key(session, where)


async def _joined(threads: set[threading.Thread]) -> None:
    """Wait for the driver's threads: aiosqlite does not after a connection that failed, and a thread that reports
    to a closed loop prints a traceback. They are daemons; the event loop's own are not.
    """
    for thread in threads:
        if thread.daemon:
            await asyncio.to_thread(thread.join, 5)
