"""PostgreSQL servers for fail-over tests: a primary, a standby that follows it, and a proxy address in front."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from demo.botapi import PATIENCE
from tests.chat import reserved_port
from tests.support import until

# PostgreSQL and PgBouncer refuse to run as root.
AS_NOBODY: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
_SETTINGS = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_wal_senders": "4",
}


@contextlib.contextmanager
def folder_of_nobody() -> Any:
    """Yield a temporary folder that the servers' user can write. Only the test's user can write pytest's
    folders.
    """
    folder = Path(tempfile.mkdtemp(prefix="laocert_servers_"))
    try:
        if AS_NOBODY:
            shutil.chown(folder, AS_NOBODY["user"])
        yield folder
    finally:
        shutil.rmtree(folder)


def program_of_postgresql(name: str) -> str:
    """Return the path of one of the newest PostgreSQL's programs. Skips the test if there is none."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not installed:
        pytest.skip("no programs of a PostgreSQL server")
    return str(installed[-1])


async def _run(*command: str | Path) -> None:
    await asyncio.to_thread(
        subprocess.run, command, check=True, capture_output=True, stdin=subprocess.DEVNULL, cwd="/", **AS_NOBODY
    )


@asynccontextmanager
async def server_in(folder: Path, port: int) -> AsyncIterator[None]:
    """Run a PostgreSQL server on a data directory for the block."""
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            program_of_postgresql("postgres"),
            *("-D", folder, "-p", str(port), *settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            **AS_NOBODY,
        )
    try:
        await until(lambda: answers(port))
        yield
    finally:
        # SIGQUIT is an immediate shutdown. After SIGKILL its children would run on for a while.
        process.send_signal(signal.SIGQUIT)
        await process.wait()


async def answers(port: int, database: str = "postgres") -> bool:
    """Return whether a session can be opened at a port."""
    with contextlib.suppress(OSError, asyncpg.PostgresError):
        await on(port, "SELECT 1", database)
        return True
    return False


async def on(port: int, statement: str, database: str = "laocert") -> Any:
    """Run one statement in a new session on the server at a port, and return its first value."""
    connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/{database}", timeout=PATIENCE)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


class Address:
    """A TCP proxy to the server at `port`. When `port` changes, existing connections stay with the old server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: set[asyncio.StreamWriter] = set()

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Proxy one connection until it ends."""
        there, thither = await asyncio.open_connection("127.0.0.1", self.port)
        self._open |= {writer, thither}
        await asyncio.gather(self._pass_on(reader, thither), self._pass_on(there, writer))
        self._open -= {writer, thither}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        """Close all connections."""
        for writer in self._open:
            writer.close()


@dataclass
class Servers:
    """The ports of a primary and its standby, and the proxy `address`, whose port programs connect to."""

    primary: int
    standby: int
    address: Address
    port: int

    @property
    def url(self) -> str:
        """The database URL for programs, through the proxy."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/laocert"

    async def make_read_only(self) -> None:
        """Make the primary read-only without ending its sessions."""
        await on(self.primary, "ALTER SYSTEM SET default_transaction_read_only = on")
        await on(self.primary, "SELECT pg_reload_conf()")

        async def is_read_only() -> bool:
            return bool(await on(self.primary, "SHOW default_transaction_read_only") == "on")

        await until(is_read_only)

    async def promote(self) -> None:
        """Promote the standby once it has replayed everything, and lead new connections to it."""
        written = await on(self.primary, "SELECT pg_current_wal_lsn()::text")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"
        await until(lambda: on(self.standby, replayed))
        assert await on(self.standby, "SELECT pg_promote()")
        self.address.port = self.standby


@asynccontextmanager
async def primary_and_standby() -> AsyncIterator[Servers]:
    """Run a primary with an empty database `laocert`, and its standby, for the block."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(folder_of_nobody())
        first, second = (stack.enter_context(reserved_port()) for _ in range(2))
        primary, standby = folder / "primary", folder / "standby"
        await _run(program_of_postgresql("initdb"), "-D", primary, "-U", "postgres", "-A", "trust", "--no-sync")
        await stack.enter_async_context(server_in(primary, first))
        await on(first, "CREATE DATABASE laocert", "postgres")
        source = f"host=127.0.0.1 port={first} user=postgres"
        copy = program_of_postgresql("pg_basebackup")
        await _run(copy, "-D", standby, "-R", "-d", source, "-c", "fast", "--no-sync")
        await stack.enter_async_context(server_in(standby, second))
        address = Address(first)
        listener = await asyncio.start_server(address.lead, "127.0.0.1", 0)
        stack.callback(address.cut)
        stack.callback(listener.close)
        yield Servers(first, second, address, listener.sockets[0].getsockname()[1])
