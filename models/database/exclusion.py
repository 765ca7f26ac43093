"""Keeps every program out of a PostgreSQL database while it is replaced.

Every connection of the program holds a shared advisory lock as long as it lives (models/database/postgresql.py);
whoever replaces the database holds the same lock alone. So neither can begin while the other is there, on whatever
machine and by whatever role, and a connection that idles in a pool counts too. Advisory locks belong to one
database: programs on other databases of the server are not in the way. On SQLite the file's own locks do the same
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

# A program of an earlier release does not hold the lock of those present; when it runs it holds leases.
_LOCKS = (PRESENCE, *(f"laocert {lease}" for lease in LEASES))
# Groups of sessions that are named in one line.
_NAMED = 3


class InUse(DomainError):
    """Sessions of the program are connected to the database; the message names them."""


@asynccontextmanager
async def alone(url: URL, name: str) -> AsyncIterator[None]:
    """Keep every session of the program out of a PostgreSQL database. Raises InUse when one is there."""
    engine = create_async_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args=named(name),
    )
    async with engine.connect() as connection:
        # It stays idle while others work; PostgreSQL before 14 has no such setting.
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
    # Where a session comes from and since when is hidden from an ordinary role when the session is another role's.
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
    facts = [f"{sessions} session{'s' if sessions > 1 else ''}", f"server process {pid}"]
    facts += [f"from {address}"] if address else []
    facts += [f"since {since:%Y-%m-%d %H:%M:%S %Z}"] if since else []
    return f"{name or 'a program without a name'} ({', '.join(facts)})"
