"""The database's schema: bring it to head, and tell where it differs from the models."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from models.base.errors import DomainError
from models.base.grants import RoleNames
from models.database.engine import Database

# Alembic is only there when a schema is changed or compared: every start of the bot asks which one it is.
if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(DomainError):
    """The database is not at the program's schema."""


def config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration, with the connection on which it is to migrate."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    # Alembic reads this as a format string.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision that this program knows: the files of the migrations begin with theirs, in order."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


async def revision(database: Database) -> str | None:
    """The revision that the database is at; None before the first upgrade."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_revision)


async def require_head(database: Database) -> None:
    """Raises SchemaOutdated with the mend when the database is not at head."""
    found = await revision(database)
    if found != head():
        raise SchemaOutdated(
            f"the database is at schema {found or 'none'}, this program needs {head()}; run: laocert db upgrade"
        )


async def upgrade(database: Database, names: RoleNames | None = None) -> tuple[str | None, str]:
    """Bring the schema to head, and the rights of PostgreSQL's roles to what the tables declare, in one
    transaction; the revisions before and after. Without `names` no right is changed.

    Raises models.schema.roles.RolesMissing.
    """
    from alembic import command  # noqa: PLC0415

    from models.schema import roles  # noqa: PLC0415

    before = await revision(database)
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
        if names is not None:
            await connection.run_sync(roles.apply, names)
    return before, head()
