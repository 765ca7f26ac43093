"""The PostgreSQL engine: to which host sessions connect, and when they are discarded."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import URL, ExceptionContext, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from models.base.errors import DomainError
from models.database.trouble import DatabaseTrouble, Trouble, trouble_of

# The advisory lock that every session of the program holds in shared mode. A restore holds it exclusively
# (models/database/exclusion.py).
PRESENCE = "laocert presence"
# Seconds to open a session to one host, before the next host is tried.
CONNECT_TIMEOUT = 4.0
# TCP (tcp(7)): milliseconds without an acknowledgement after which a connection is dead, and the seconds before
# and between keep-alive probes of an idle connection.
UNACKNOWLEDGED = 5000
PROBE_AFTER = 3
PROBE_EVERY = 1
# Values of libpq's target_session_attrs that ask for a server that takes writes.
_WRITES = ("read-write", "primary")
# Raises SQLSTATE 25006 if the session's server takes no writes any more; a SELECT would still succeed on a primary
# that was taken out of service. The engine then discards this session and all that were opened before.
REQUIRE_WRITABLE = text(
    "DO $$ BEGIN IF current_setting('transaction_read_only') = 'on' THEN"
    " RAISE EXCEPTION 'this server is read-only' USING ERRCODE = '25006'; END IF; END $$"
)


class BeingReplaced(DomainError, DatabaseTrouble):
    """`laocert db restore` is replacing the database."""

    trouble = Trouble.AWAY

    def __init__(self) -> None:
        super().__init__("laocert db restore is replacing this database; start again when it has ended")


class ServerIsReadOnly(DomainError, DatabaseTrouble):
    """The server is a standby, or a primary that takes no writes."""

    trouble = Trouble.READ_ONLY

    def __init__(self) -> None:
        super().__init__(
            "the database's server is read-only: a standby, or one that takes no writes now;"
            " let LAOCERT_DATABASE_URL lead to the primary"
        )


class ServerUnreachable(ConnectionError, DatabaseTrouble):
    """No host opened a session."""

    trouble = Trouble.AWAY


class UrlRefused(DomainError):
    """The PostgreSQL URL asks for something unsupported. The message says what to write instead."""


def named(name: str) -> dict[str, Any]:
    """Return asyncpg arguments that set a connection's `application_name`."""
    return {"server_settings": {"application_name": name}}


def hosts_of(url: URL) -> list[tuple[str, int | None]]:
    """Return the hosts of a URL, each with its port or None. [] if the URL names none (the system's default).

    Several hosts are written as `?host=a:5432&host=b:5432` (SQLAlchemy, asyncpg, Multihost Connections).
    """
    written = url.query.get("host", ())
    if url.host and not written:
        return [(url.host, url.port)]
    hosts: list[tuple[str, int | None]] = []
    for place in (written,) if isinstance(written, str) else written:
        host, colon, port = place.rpartition(":")
        hosts.append((host.strip("[]"), int(port)) if colon and port.isdecimal() else (place, None))
    return hosts


def places_of(url: URL) -> list[dict[str, Any]]:
    """Return the asyncpg arguments of each host of a URL; one empty dictionary for the system's default."""
    return [{"host": host, "port": port} for host, port in hosts_of(url)] or [{}]


def make_engine(
    url: URL, name: str, *, may_be_read_only: bool = False, connect_timeout: float = CONNECT_TIMEOUT
) -> AsyncEngine:
    """Create the engine of a PostgreSQL database, whose sessions have the `application_name` `name`.

    Sessions connect to the first host that takes writes, or with `may_be_read_only` to the first that answers.
    When an error shows that a server is gone or read-only, all sessions of the pool are discarded at their next
    use. `connect_timeout`: seconds for each host. Raises UrlRefused. Opening a session raises BeingReplaced,
    ServerIsReadOnly, ServerUnreachable.
    """
    _require_understood(url)
    places = places_of(url)
    # Set at each BEGIN, because a role may have another default. At REPEATABLE READ a certifying press would
    # compare the register with a snapshot that is older than its lock.
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
    """Open a session to the first usable host. Each host has its own timeout: asyncpg has one for all hosts, which
    a first host that is switched off would use up.
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
    """Close a session that does not belong to a pool yet, if its opening fails or is cancelled."""
    try:
        yield
    except BaseException:
        connection.terminate()
        raise


def _is_writable(connection: Any) -> bool:
    state = "SELECT current_setting('transaction_read_only')"
    return bool(connection.run_async(lambda driver: driver.fetchval(state)) == "off")


def _probe(driver: Any) -> None:
    """Enable TCP keep-alive, so that the system detects a machine that has vanished. By default that took a
    quarter of an hour.
    """
    # asyncpg has no documented access to the socket. Without it, the system's timeouts apply.
    transport = getattr(driver, "_transport", None)
    tcp: socket.socket | None = transport.get_extra_info("socket") if transport is not None else None
    if tcp is None or tcp.family not in (socket.AF_INET, socket.AF_INET6):
        return
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", PROBE_AFTER),
        ("TCP_KEEPINTVL", PROBE_EVERY),
        ("TCP_USER_TIMEOUT", UNACKNOWLEDGED),
    ):
        # Linux has all three options, other systems some.
        if hasattr(socket, option):
            tcp.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _enter(connection: Any, _record: Any) -> None:
    """Take the shared presence lock on a new connection of the pool. Raises BeingReplaced."""
    lock = f"SELECT pg_try_advisory_lock_shared(hashtextextended('{PRESENCE}', 0))"
    with _ended_on_error(connection):
        if not connection.run_async(lambda driver: driver.fetchval(lock)):
            raise BeingReplaced


def _give_up(context: ExceptionContext) -> None:
    """Treat an error of a read-only or vanished server as a disconnect, so that SQLAlchemy discards this session
    and all that were opened before.
    """
    error = context.original_exception
    if trouble_of(error) in (Trouble.READ_ONLY, Trouble.AWAY):
        context.is_disconnect = True


async def server_time(session: AsyncSession) -> datetime:
    """Return the time of PostgreSQL's clock now, not at the beginning of the transaction (PostgreSQL, 9.9.5,
    clock_timestamp). Not for SQLite, which has no clock of its own.
    """
    moment: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return moment
