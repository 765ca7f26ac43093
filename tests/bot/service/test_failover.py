"""PostgreSQL fails over to its standby while the program runs: it must go on there by itself."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.inbound.intake import ALLOWED_UPDATES
from demo.botapi import Emulator
from models.database.engine import Database
from models.schema import version
from tests.bot.program import Program
from tests.bot.running import SECRET
from tests.chat import Officer, reserved_port
from tests.failover import Servers, primary_and_standby
from tests.support import KEYRING

# Seconds within which the program must work again once a writable server is reachable.
GOES_ON_WITHIN = 10


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    """An emulator in real time, as the program is."""
    async with Emulator(clock=time.time) as running:
        yield running
        assert not running.violations


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with primary_and_standby() as servers:
        database = Database(servers.url, KEYRING)
        await version.upgrade(database)
        await database.close()
        yield servers


@pytest.mark.parametrize("way", ["polls", "posts"])
async def test_it_goes_on_with_the_new_primary(
    tmp_path: Path, telegram: Emulator, servers: Servers, way: str
) -> None:
    """The old primary becomes read-only, with all sessions of the program still open."""
    settings = {}
    with reserved_port() as port:
        if way == "posts":
            url = f"http://127.0.0.1:{port}/hook"
            settings = {
                "LAOCERT_WEBHOOK_URL": url,
                "LAOCERT_WEBHOOK_SECRET": SECRET,
                "LAOCERT_LISTEN": f"127.0.0.1:{port}",
            }
            telegram.call("setWebhook", url=url, secret_token=SECRET, allowed_updates=json.dumps(ALLOWED_UPDATES))
        program = Program(tmp_path, telegram, servers.url, **settings)
        officer = Officer(telegram.phone("ก"))
        async with program.running():
            await program.ready()
            await officer.says("/start", "หน่วยงาน")
            await servers.make_read_only()
            await officer.phone.send("/help")
            await program.logged("could not be stored" if way == "posts" else "poll failed")
            await servers.promote()
            promoted = time.monotonic()
            await officer.sees("/language")
            assert time.monotonic() - promoted < program.seconds(GOES_ON_WITHIN)
            assert await program.stop() == 0
