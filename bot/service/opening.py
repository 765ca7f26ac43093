"""The database of the settings, opened for the length of a command: the one place where its keys are compared."""

import asyncio
import enum
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import ArgumentError, InvalidRequestError, NoSuchModuleError

from bot.runtime.settings import Settings, SettingsRefused, keyring
from models.audit import event_chain
from models.audit.row_seal import load_seal_state
from models.database.engine import Database
from models.database.pooler import require_own_sessions
from models.schema import drift, version


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


@asynccontextmanager
async def opened(settings: Settings, use: Use, name: str = "laocert") -> AsyncIterator[Database]:
    """Open the database, and leave nothing of it running. `name` is what PostgreSQL shows of the session.

    Raises SettingsRefused for a URL that is none, UrlRefused, SessionsAreShared, SchemaOutdated, KeyMissing and
    KeyUnknown, before anything is written.
    """
    keys = keyring(settings)
    if keys is None and use is Use.RECORDS:
        raise event_chain.KeyMissing
    try:
        database = Database(
            settings.database_url.get_secret_value(), keys, name, may_be_read_only=use in (Use.LOOKS, Use.REPAIRS)
        )
    # ValueError: what stands for a port is no number.
    except (ArgumentError, NoSuchModuleError, InvalidRequestError, ModuleNotFoundError, ValueError):
        raise SettingsRefused(
            "LAOCERT_DATABASE_URL is no URL of a database;"
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
    """Refuse a key under which the record cannot go on; a database without a record yet takes any. And learn
    whether rows without a seal are still accepted.

    Raises KeyUnknown.
    """
    async with database.read() as session:
        connection = await session.connection()
        if event_chain.AuditEvent.__tablename__ in await connection.run_sync(drift.table_names):
            await event_chain.require_known_key(session, where)
            await load_seal_state(session)


async def _joined(threads: set[threading.Thread]) -> None:
    """Wait for the driver's threads: aiosqlite does not after a connection that failed, and a thread that reports
    to a closed loop prints a traceback. They are daemons; the event loop's own are not.
    """
    for thread in threads:
        if thread.daemon:
            await asyncio.to_thread(thread.join, 5)
