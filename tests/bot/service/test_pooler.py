"""A pooler in transaction mode is refused; through one in session mode the bot works."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from demo.botapi import Emulator
from models.database.engine import Database
from models.database.pooler import SessionsAreShared, require_own_sessions
from tests.bot.program import Program
from tests.bot.running import Run, laocert
from tests.chat import reserved_port, running_bot, says
from tests.failover import AS_NOBODY, answers, folder_of_nobody
from tests.support import KEYRING, Clock, until

__all__ = ["laocert"]

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
pytestmark = ON_POSTGRESQL


PGBOUNCER = Path("/usr/sbin/pgbouncer")


def _written(folder: Path, lines: list[str]) -> Path:
    """A configuration that PgBouncer's user can read."""
    if not PGBOUNCER.exists():
        pytest.skip("no pgbouncer")
    configuration = folder / "pgbouncer.ini"
    configuration.write_text("\n".join(lines))
    configuration.chmod(0o644)
    return configuration


@asynccontextmanager
async def pooled(database_url: str, mode: str, *more: str) -> AsyncIterator[str]:
    """The URL of the database through a PgBouncer of the test's own."""
    url = make_url(database_url)
    with folder_of_nobody() as folder, reserved_port() as port:
        lines = [
            "[databases]",
            f"* = host={url.host} port={url.port} user={url.username}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            f"pool_mode = {mode}",
            *more,
        ]
        configuration = _written(folder, lines)
        with (folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                PGBOUNCER, configuration, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **AS_NOBODY
            )
        try:
            await until(lambda: answers(port, url.database or ""))
            yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("more", [(), ("server_round_robin = 1", "min_pool_size = 3")], ids=["last", "in turn"])
async def test_sessions_that_are_shared_are_recognized(database_url: str, more: tuple[str, ...]) -> None:
    for mode in ("transaction", "session"):
        async with pooled(database_url, mode, *more) as url:
            database = Database(url, KEYRING)
            if mode == "transaction":
                with pytest.raises(SessionsAreShared, match="set pool_mode = session"):
                    await require_own_sessions(database)
            else:
                await require_own_sessions(database)
            await database.close()


async def test_run_refuses_them_and_doctor_names_them(
    laocert: Run, emulator: Emulator, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pooled(database_url, "transaction") as url:
        monkeypatch.setenv("LAOCERT_DATABASE_URL", url)
        refusal = "LAOCERT_DATABASE_URL leads through a pooler in transaction mode"
        assert refusal in (await laocert("doctor", code=1)).stdout
        async with Program(tmp_path, emulator, url).running() as program:
            assert await program.wait() == 1
        (line,) = program.log.splitlines()
        assert line.startswith(refusal)


async def test_an_officer_is_served_through_one_in_session_mode(
    emulator: Emulator, country: Database, database_url: str, clock: Clock
) -> None:
    async with pooled(database_url, "session", "default_pool_size = 40") as url:
        database = Database(url, KEYRING)
        phone = emulator.phone("ก")
        async with running_bot(emulator, database, clock):
            await phone.send("/start")
            await says(phone, "หน่วยงาน")
        async with database.read() as session:
            assert await session.scalar(text("SELECT count(*) FROM inbox WHERE state = 'done'")) == 1
        await database.close()
