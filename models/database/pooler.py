"""Detects a connection pooler in front of PostgreSQL that assigns server sessions for one transaction at a time.

With such a pooler (PgBouncer, `pool_mode = transaction`), leases, sender locks and the presence lock are useless,
because they belong to a session, and prepared statements end up in the wrong session.
"""

from contextlib import AsyncExitStack
from typing import Any

from models.base.errors import DomainError
from models.database.engine import Database
from models.database.postgresql import CONNECT_TIMEOUT, ServerUnreachable, named, places_of

# How often both connections are asked for their server process. Between two looks a pooler may reassign sessions.
LOOKS = 3
# URL options that belong to SQLAlchemy's dialect for asyncpg, and not to asyncpg.
_OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_creator_fn")


class SessionsAreShared(DomainError):
    """The database URL leads to a pooler in transaction mode."""

    def __init__(self) -> None:
        super().__init__(
            "LAOCERT_DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer with"
            " pool_mode = transaction; connect to PostgreSQL directly, or set pool_mode = session"
        )


async def require_own_sessions(database: Database) -> None:
    """Raise SessionsAreShared if a connection does not have a PostgreSQL session of its own. No-op on SQLite.

    Raises ServerUnreachable if no host answers, and asyncpg.PostgresError.
    """
    if not database.is_sqlite and await _are_shared(database):
        raise SessionsAreShared


async def _are_shared(database: Database) -> bool:
    """Open two connections and compare their server processes: with sessions of their own, each connection always
    has the same process, and never the other's.
    """
    async with AsyncExitStack() as stack:
        first, second = await _connect_twice(database)
        for connection in (first, second):
            stack.callback(connection.terminate)
        mine, others = set(), set()
        for _ in range(LOOKS):
            mine.add(await _server_process(first))
            others.add(await _server_process(second))
    return len(mine) > 1 or len(others) > 1 or bool(mine & others)


async def _connect_twice(database: Database) -> tuple[Any, Any]:
    """Open two connections to the first host that answers. Raises ServerUnreachable, asyncpg.PostgresError."""
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - not needed on SQLite

    _, url_options = database.engine.dialect.create_connect_args(database.url)
    options = dict(url_options)
    for name in (*_OF_SQLALCHEMY, "target_session_attrs"):
        options.pop(name, None)
    options |= {**named(database.name), "timeout": CONNECT_TIMEOUT, "statement_cache_size": 0}
    error: OSError | None = None
    for place in places_of(database.url):
        try:
            first = await asyncpg.connect(**{**options, **place})
        except OSError as failed:
            error = failed
            continue
        try:
            return first, await asyncpg.connect(**{**options, **place})
        except BaseException:
            first.terminate()
            raise
    raise ServerUnreachable(type(error).__name__) from error


async def _server_process(connection: Any) -> int:
    # In a transaction and without prepared statements, which such a pooler supports too.
    async with connection.transaction():
        return int(await connection.fetchval("SELECT pg_backend_pid()"))
