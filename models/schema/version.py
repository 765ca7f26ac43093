"""The schema's version: which revision a database has, and the upgrade to the newest one."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from models.base.errors import DomainError
from models.database.engine import Database

# Alembic is imported only to change or compare a schema: every start of the bot reads the revision, and stays
# fast.
if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(DomainError):
    """The database's schema is not at the program's revision."""


def config(connection: Connection | None = None) -> "Config":
    """Return Alembic's configuration, with the connection on which it migrates."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    # Alembic interpolates % in this value.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the newest revision of this program: the highest prefix of the migrations' file names."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


async def revision(database: Database) -> str | None:
    """Return the revision of the database; None before the first upgrade."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_revision)


async def require_head(database: Database) -> None:
    """Raise SchemaOutdated, saying how to fix it, if the database is not at head."""
    current = await revision(database)
    if current != head():
        raise SchemaOutdated(
            f"the database is at schema {current or 'none'}, this program needs {head()}; run: laocert db upgrade"
        )


async def upgrade(database: Database) -> tuple[str | None, str]:
    """Upgrade the schema to head in one transaction. Returns the revisions before and after."""
    from alembic import command  # noqa: PLC0415

    before = await revision(database)
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
    return before, head()
