"""PostgreSQL's roles in the tests. Roles belong to a whole cluster, so each is named by the database that it is
for, and dropped with it.

In a database that is made from a template everything of the program runs under the role that it has in production:
the bot's tasks as the application, a command as what bot/commands/roles.py says. What the test does itself runs as
the superuser that it connects by.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.runtime.settings import Settings
from bot.service import opening
from models.base.grants import DatabaseRole, RoleNames
from models.database.engine import Database

ROLES_SQL = Path(__file__).parents[1] / "deploy/roles.sql"
# The roles of databases, by the database's name.
NAMES: dict[str, RoleNames] = {}
_acting: ContextVar[DatabaseRole | None] = ContextVar("acting", default=None)


def names_for(database: str, owner: str) -> RoleNames:
    """Roles that no other database has."""
    return RoleNames(owner, f"{database}_application", f"{database}_operator")


@contextmanager
def acting_as(role: DatabaseRole) -> Iterator[None]:
    """What begins within it acts in databases as their role of this work."""
    token = _acting.set(role)
    try:
        yield
    finally:
        _acting.reset(token)


def _wanted(database: str) -> str | None:
    names, role = NAMES.get(database), _acting.get()
    if names is None or role in (None, DatabaseRole.OWNER):
        return None
    return names.application if role is DatabaseRole.APPLICATION else names.operator


def let_sessions_act(engine: AsyncEngine) -> None:
    """Whoever takes a session of the engine's pool has it under the role that it acts as."""
    database = engine.url.database or ""

    @event.listens_for(engine.sync_engine, "checkout")
    def checkout(dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        wanted = _wanted(database)
        if record.info.get("acts as") == wanted:
            return
        # By the driver: no statement of the program's, and in no transaction.
        statement = "RESET ROLE" if wanted is None else f"SET ROLE {wanted}"
        dbapi_connection.run_async(lambda driver: driver.execute(statement))
        record.info["acts as"] = wanted


def let_commands_act() -> None:
    """Each command acts as what it connects as."""
    opened: Callable[..., Any] = opening._opened

    @asynccontextmanager
    async def acting(
        settings: Settings, use: opening.Use, name: str, role: DatabaseRole
    ) -> AsyncIterator[Database]:
        with acting_as(role):
            async with opened(settings, use, name, role) as database:
                yield database
        if name == "laocert db restore":
            # No role has rights in a copy: from then on one does all.
            NAMES.pop(database.url.database or "", None)

    opening._opened = acting


@asynccontextmanager
async def three_roles(database: Database) -> AsyncIterator[RoleNames]:
    """Hand a database over to three roles that it alone has, as deploy/roles.sql does; they have no rights yet. At
    the end they are gone, whatever the test did.
    """
    name = database.url.database or ""
    NAMES.pop(name, None)
    plain = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    names = RoleNames(f"{name}_owner", f"{name}_application", f"{name}_operator")
    variables = [f"--set={role}={getattr(names, role)}" for role in DatabaseRole]
    command = ["psql", "--no-psqlrc", "--quiet", *variables, f"--dbname={plain}", f"--file={ROLES_SQL}"]
    try:
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        yield names
    finally:
        superuser = await asyncpg.connect(plain)
        for role in (names.owner, *names.restricted()):
            if await superuser.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
                await superuser.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}")
                await superuser.execute(f"DROP ROLE {role}")
        await superuser.close()


def url_of(database: Database, role: str) -> str:
    """The database as one of its roles."""
    return database.url.set(username=role).render_as_string(hide_password=False)
