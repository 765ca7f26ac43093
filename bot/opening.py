"""The database of the settings, opened for the length of a command."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import ArgumentError, InvalidRequestError, NoSuchModuleError

from bot.settings import Settings, SettingsRefused, keyring
from models import schema
from models.database import Database


@asynccontextmanager
async def opened(settings: Settings, *, needs_head: bool = True) -> AsyncIterator[Database]:
    """Open the database, and leave nothing of it running.

    Raises SettingsRefused for a URL that is none, and SchemaOutdated when `needs_head` and it is not at head.
    """
    try:
        database = Database(settings.database_url.get_secret_value(), keyring(settings))
    except (ArgumentError, NoSuchModuleError, InvalidRequestError, ModuleNotFoundError):
        raise SettingsRefused(
            "LAOCERT_DATABASE_URL is no URL of a database;"
            " write sqlite+aiosqlite:///laocert.db or postgresql+asyncpg://user@host/name"
        ) from None
    threads = set(threading.enumerate())
    try:
        if needs_head:
            await schema.require_head(database)
        yield database
    finally:
        await database.close()
        await _joined(set(threading.enumerate()) - threads)


async def _joined(threads: set[threading.Thread]) -> None:
    """Wait for the driver's threads: aiosqlite does not after a connection that failed, and a thread that reports
    to a closed loop prints a traceback. They are daemons; the event loop's own are not.
    """
    for thread in threads:
        if thread.daemon:
            await asyncio.to_thread(thread.join, 5)
