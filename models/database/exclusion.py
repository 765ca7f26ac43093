"""Keeps all other processes out of a PostgreSQL database while a restore replaces it.

Every connection of the program holds a shared advisory lock for its lifetime (models/database/postgresql.py); the
restore holds the same lock exclusively. Neither can begin while the other one runs, whatever the machine or the
role, and an idle connection of a pool counts too. Advisory locks belong to one database, so processes on other
databases of the server do not matter. On SQLite the locks of the file have the same effect
(bot/service/backup.py).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import URL, NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from models.base.errors import DomainError
from models.database.lease import LEASES
from models.database.postgresql import PRESENCE, named

# Earlier releases do not hold the presence lock, but hold the leases while they run.
_LOCKS = (PRESENCE, *(f"laocert {lease}" for lease in LEASES))
# How many groups of sessions the message names.
_NAMED = 3


class InUse(DomainError):
    """Other sessions of the program are connected to the database. The message names them."""


@asynccontextmanager
async def alone(url: URL, name: str) -> AsyncIterator[None]:
    """Keep all sessions of the program out of a PostgreSQL database for the block. Raises InUse if there are any.

    `name`: the `application_name` of the session that holds the locks.
    """
    engine = create_async_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args=named(name),
    )
    async with engine.connect() as connection:
        # This session idles during the restore and must not time out. The setting exists since PostgreSQL 14.
        await connection.execute(
            text("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'")
        )
        for lock in _LOCKS:
            if not await connection.scalar(
                text("SELECT pg_try_advisory_lock(hashtextextended(:lock, 0))"), {"lock": lock}
            ):
                raise InUse(await _sessions(connection))
        yield


_SESSIONS = text(
    # An ordinary role does not see the address and start of another role's session.
    "SELECT application_name AS name, host(client_addr) AS address, min(backend_start) AS since,"
    " min(pid) AS pid, count(*) AS sessions"
    " FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND pid IN ("
    "  SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    "  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    "  AND (classid::bigint << 32) | objid::bigint IN"
    "   (SELECT hashtextextended(lock, 0) FROM unnest(CAST(:locks AS text[])) AS lock))"
    " GROUP BY application_name, client_addr ORDER BY sessions DESC, pid"
)


async def _sessions(connection: AsyncConnection) -> str:
    rows = (await connection.execute(_SESSIONS, {"locks": list(_LOCKS)})).all()
    if not rows:
        return "a program had the database open a moment ago; stop it first, and try again"
    listed = ", ".join(
        _described(row.name, row.sessions, row.pid, row.address, row.since) for row in rows[:_NAMED]
    )
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return f"the database is in use by {listed}{more}; stop the bot and every other laocert command first"


def _described(name: str, sessions: int, pid: int, address: str | None, since: datetime | None) -> str:
    details = [f"{sessions} session{'s' if sessions > 1 else ''}", f"server process {pid}"]
    details += [f"from {address}"] if address else []
    details += [f"since {since:%Y-%m-%d %H:%M:%S %Z}"] if since else []
    return f"{name or 'a program without a name'} ({', '.join(details)})"
