"""PostgreSQL as the bot uses it: to which of its hosts a session leads, and when a session is given up."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import URL, ExceptionContext, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from models.base.errors import DomainError
from models.database.trouble import DatabaseTrouble, Trouble, trouble_of

# The advisory lock that every session of the program shares; whoever replaces the database has it alone
# (models/database/exclusion.py).
PRESENCE = "laocert presence"
# Seconds that one host is given to open a session, before the next is tried.
CONNECT_TIMEOUT = 4.0
# Milliseconds after which a machine that acknowledges nothing is taken for gone (tcp(7)), and seconds before and
# between the probes of a connection on which nothing is said.
UNACKNOWLEDGED = 5000
PROBE_AFTER = 3
PROBE_EVERY = 1
# The one that the program asks for (libpq, target_session_attrs): it writes.
_WRITES = ("read-write", "primary")
# Asks a session whether its server still takes writes, and raises SQLSTATE 25006 where it does not: to a question
# that only reads, a primary that was taken out of service answers as before. The engine then gives the session up,
# and all others that were opened before.
REQUIRE_WRITABLE = text(
    "DO $$ BEGIN IF current_setting('transaction_read_only') = 'on' THEN"
    " RAISE EXCEPTION 'this server is read-only' USING ERRCODE = '25006'; END IF; END $$"
)


class BeingReplaced(DomainError, DatabaseTrouble):
    """The database is being restored at this moment."""

    trouble = Trouble.AWAY

    def __init__(self) -> None:
        super().__init__("laocert db restore is replacing this database; start again when it has ended")


class ServerIsReadOnly(DomainError, DatabaseTrouble):
    """A standby, or a primary that takes no writes."""

    trouble = Trouble.READ_ONLY

    def __init__(self) -> None:
        super().__init__(
            "the database's server is read-only: a standby, or one that takes no writes now;"
            " let LAOCERT_DATABASE_URL lead to the primary"
        )


class ServerUnreachable(ConnectionError, DatabaseTrouble):
    """No session could be opened."""

    trouble = Trouble.AWAY


class UrlRefused(DomainError):
    """A URL of PostgreSQL that asks for what the program cannot do; the message says what to write."""


def named(name: str) -> dict[str, Any]:
    """The arguments of asyncpg connections that PostgreSQL lists under this name (`application_name`)."""
    return {"server_settings": {"application_name": name}}


def hosts_of(url: URL) -> list[tuple[str, int | None]]:
    """The hosts of a URL, each with its port where one is written; none where the system's default is meant.

    Several are written as `?host=a:5432&host=b:5432` (SQLAlchemy, asyncpg, Multihost Connections).
    """
    written = url.query.get("host", ())
    if url.host and not written:
        return [(url.host, url.port)]
    hosts: list[tuple[str, int | None]] = []
    for one in (written,) if isinstance(written, str) else written:
        host, colon, port = one.rpartition(":")
        hosts.append((host.strip("[]"), int(port)) if colon and port.isdecimal() else (one, None))
    return hosts


def places_of(url: URL) -> list[dict[str, Any]]:
    """What asyncpg is told of each host of a URL; nothing of the system's default."""
    return [{"host": host, "port": port} for host, port in hosts_of(url)] or [{}]


def make_engine(
    url: URL, name: str, *, may_be_read_only: bool = False, connect_timeout: float = CONNECT_TIMEOUT
) -> AsyncEngine:
    """The engine of a PostgreSQL database, whose sessions bear `name` there.

    Its sessions lead to the first host that takes writes, or with `may_be_read_only` to the first that answers.
    What a session raises shows whether it still leads there: then all of the pool are given up, each when it is
    next asked for. `connect_timeout`: seconds for each host.

    Raises UrlRefused. A session that is opened raises BeingReplaced, ServerIsReadOnly, ServerUnreachable.
    """
    _require_understood(url)
    places = places_of(url)
    # Said with each BEGIN: a role may set another default for itself, and a press at REPEATABLE READ would compare
    # the register with a snapshot that is older than its lock.
    engine = create_async_engine(
        url.difference_update_query(["target_session_attrs"]),
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={**named(name), "timeout": connect_timeout},
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def do_connect(dialect: Any, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        return _open(dialect, arguments, options, places, may_be_read_only)

    event.listen(engine.sync_engine, "connect", _enter)
    event.listen(engine.sync_engine, "handle_error", _give_up)
    return engine


def _require_understood(url: URL) -> None:
    asked_for = url.query.get("target_session_attrs", "read-write")
    if asked_for not in _WRITES:
        raise UrlRefused(
            f"LAOCERT_DATABASE_URL: target_session_attrs={asked_for} is not for a program that writes;"
            " write read-write, or leave it out"
        )
    if any("," in host for host, _ in hosts_of(url)):
        raise UrlRefused(
            "LAOCERT_DATABASE_URL: several hosts are written"
            " postgresql+asyncpg://user@/name?host=first:5432&host=second:5432"
        )


def _open(
    dialect: Any,
    arguments: Any,
    options: dict[str, Any],
    places: list[dict[str, Any]],
    may_be_read_only: bool,
) -> Any:
    """A session of the first host that can be used. Each has its own time: asyncpg has one for all of them, which
    a first one that is switched off would use up.
    """
    error: Exception | None = None
    for place in places:
        try:
            connection = dialect.connect(*arguments, **{**options, **place})
        except OSError as failed:
            error = failed
            continue
        with _ended_on_error(connection):
            _probe(connection.driver_connection)
            if may_be_read_only or _is_writable(connection):
                return connection
        connection.terminate()
        error = ServerIsReadOnly()
    if isinstance(error, ConnectionError | DatabaseTrouble):
        raise error
    raise ServerUnreachable(type(error).__name__) from error


@contextmanager
def _ended_on_error(connection: Any) -> Iterator[None]:
    """End a session that no pool has yet, whatever stops its opening: an error, or a task that is cancelled."""
    try:
        yield
    except BaseException:
        connection.terminate()
        raise


def _is_writable(connection: Any) -> bool:
    state = "SELECT current_setting('transaction_read_only')"
    return bool(connection.run_async(lambda driver: driver.fetchval(state)) == "off")


def _probe(driver: Any) -> None:
    """Have the system notice a machine that has vanished: its silence is no error by itself, and was waited for a
    quarter of an hour.
    """
    # Without a documented way to it; where it is not, the system's own patience holds.
    transport = getattr(driver, "_transport", None)
    one: socket.socket | None = transport.get_extra_info("socket") if transport is not None else None
    if one is None or one.family not in (socket.AF_INET, socket.AF_INET6):
        return
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", PROBE_AFTER),
        ("TCP_KEEPINTVL", PROBE_EVERY),
        ("TCP_USER_TIMEOUT", UNACKNOWLEDGED),
    ):
        # Linux has all of them.
        if hasattr(socket, option):
            one.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _enter(connection: Any, _record: Any) -> None:
    """Hold the lock of those present on a new asyncpg connection of a pool. Raises BeingReplaced."""
    taken = f"SELECT pg_try_advisory_lock_shared(hashtextextended('{PRESENCE}', 0))"
    with _ended_on_error(connection):
        if not connection.run_async(lambda driver: driver.fetchval(taken)):
            raise BeingReplaced


def _give_up(context: ExceptionContext) -> None:
    """A session that leads to a server without writes, or whose end was announced, is of no more use; and what is
    true of it is true of all that were opened before.
    """
    error = context.original_exception
    if trouble_of(error) in (Trouble.READ_ONLY, Trouble.AWAY):
        context.is_disconnect = True


async def server_time(session: AsyncSession) -> datetime:
    """What the server's clock says at this moment, not at the beginning of the transaction (PostgreSQL, 9.9.5,
    clock_timestamp). SQLite has no clock but the program's own.
    """
    found: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return found
