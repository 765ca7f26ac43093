"""Opens the database of the settings for the duration of a command. Only this module compares the secret key with
the record.
"""

import asyncio
import enum
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import ArgumentError, InvalidRequestError, NoSuchModuleError

from bot.runtime.settings import Settings, SettingsRefused, keyring
from models.audit import event_chain
from models.database.engine import Database
from models.database.pooler import require_own_sessions
from models.schema import drift, version


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


@asynccontextmanager
async def opened(settings: Settings, use: Use, name: str = "laocert") -> AsyncIterator[Database]:
    """Open the database during the block; close it and wait for its threads afterwards. `name` is the session's
    application name in PostgreSQL.

    Raises, before anything is written: SettingsRefused and UrlRefused for the URL, SessionsAreShared for a pooler
    in transaction mode, SchemaOutdated, KeyMissing, KeyUnknown.
    """
    keys = keyring(settings)
    if keys is None and use is Use.RECORDS:
        raise event_chain.KeyMissing
    try:
        database = Database(
            settings.database_url.get_secret_value(), keys, name, may_be_read_only=use in (Use.LOOKS, Use.REPAIRS)
        )
    # ValueError: the URL's port is not a number.
    except (ArgumentError, NoSuchModuleError, InvalidRequestError, ModuleNotFoundError, ValueError):
        raise SettingsRefused(
            "LAOCERT_DATABASE_URL is not the URL of a database;"
            " write sqlite+aiosqlite:///laocert.db or postgresql+asyncpg://user@host/name"
        ) from None
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
    """
    async with database.read() as session:
        connection = await session.connection()
        if event_chain.AuditEvent.__tablename__ in await connection.run_sync(drift.table_names):
            await event_chain.require_known_key(session, where)


async def _joined(threads: set[threading.Thread]) -> None:
    """Wait up to 5 s for each thread of the driver. After a failed connection aiosqlite does not wait for them,
    and a thread that calls a closed event loop prints a traceback. The driver's threads are daemons; the event
    loop's own are not.
    """
    for thread in threads:
        if thread.daemon:
            await asyncio.to_thread(thread.join, 5)
