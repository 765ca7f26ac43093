"""Opens the database of the settings for the duration of a command, as the role that the command needs. Only this
module compares the secret key with the record.
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
from models.audit.row_seal import load_seal_state
from models.base.errors import DomainError
from models.base.grants import DatabaseRole
from models.database.engine import Database
from models.database.pooler import require_own_sessions
from models.database.postgresql import UrlRefused
from models.schema import drift, version

# SQLSTATE of what a role may not do.
INSUFFICIENT_PRIVILEGE = "42501"


class Use(enum.Enum):
    """What a command does with the database, which decides what it needs of LAOCERT_SECRET_KEY."""

    # Only reads: needs no key, and compares none.
    LOOKS = enum.auto()
    # Writes audit events: needs a key, the one in use or its announced successor.
    RECORDS = enum.auto()
    # Changes the schema, without audit events: a key that is set must be a known one.
    UPGRADES = enum.auto()
    # Replaces the database or diagnoses it: works with any key and any schema.
    REPAIRS = enum.auto()

    @property
    def needs_head(self) -> bool:
        """Whether the schema must be at this program's version."""
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
    """Open the database as a role during the block; close it and wait for its threads afterwards. `name` is the
    session's application name in PostgreSQL.

    Raises, before anything is written: SettingsRefused and UrlRefused for the URL, SessionsAreShared for a pooler
    in transaction mode, SchemaOutdated, KeyMissing, KeyUnknown. Raises RightsMissing for what the role may not do.
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
    # ValueError: the URL's port is not a number.
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
    """Raises KeyUnknown when the newest audit event was made under a key that is not among the database's keys. An
    empty record accepts any key. `where` names that event in the message.

    Also loads whether rows without a seal are still accepted.
    """
    async with database.read() as session:
        connection = await session.connection()
        if event_chain.AuditEvent.__tablename__ in await connection.run_sync(drift.table_names):
            await event_chain.require_known_key(session, where)
            await load_seal_state(session)


async def _joined(threads: set[threading.Thread]) -> None:
    """Wait up to 5 s for each thread of the driver. After a failed connection aiosqlite does not wait for them,
    and a thread that calls a closed event loop prints a traceback. The driver's threads are daemons; the event
    loop's own are not.
    """
    for thread in threads:
        if thread.daemon:
            await asyncio.to_thread(thread.join, 5)
