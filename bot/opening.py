"""The database of the settings, opened for the length of a command."""

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
    try:
        if needs_head:
            await schema.require_head(database)
        yield database
    finally:
        await database.close()
