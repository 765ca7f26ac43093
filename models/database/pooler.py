"""Whether a pooler stands before PostgreSQL that lends a server's session out for one transaction at a time.

Through such a one (PgBouncer, `pool_mode = transaction`) leases, sender locks and the presence lock are of nobody,
because they belong to a session, and prepared statements are found by the wrong one.
"""

from contextlib import AsyncExitStack
from typing import Any

from models.base.errors import DomainError
from models.database.engine import Database
from models.database.postgresql import CONNECT_TIMEOUT, ServerUnreachable, named, places_of

# Pairs of looks: between two of them others may have been lent what was ours.
LOOKS = 3
# Options of a URL that are SQLAlchemy's own (its dialect for asyncpg).
_OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_creator_fn")


class SessionsAreShared(DomainError):
    """A pooler lends sessions out by the transaction."""

    def __init__(self) -> None:
        super().__init__(
            "LAOCERT_DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer with"
            " pool_mode = transaction; connect to PostgreSQL directly, or set pool_mode = session"
        )


async def require_own_sessions(database: Database) -> None:
    """Raises SessionsAreShared when what looks like a session of PostgreSQL is none."""
    if not database.is_sqlite and await _are_shared(database):
        raise SessionsAreShared


async def _are_shared(database: Database) -> bool:
    """Two connections at once: with sessions of their own, each meets the same server process again and again, and
    never the other's.
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
    """To the first host that answers. Raises OSError when none does, asyncpg.PostgresError."""
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - not needed on SQLite

    _, given = database.engine.dialect.create_connect_args(database.url)
    options = dict(given)
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
    # In a transaction and without prepared statements even such a pooler does not stand in the way.
    async with connection.transaction():
        return int(await connection.fetchval("SELECT pg_backend_pid()"))
