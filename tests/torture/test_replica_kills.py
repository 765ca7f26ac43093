"""Two bot processes on one PostgreSQL are killed at random moments of certification traffic: nothing is lost,
doubled or out of order, with polling and with a webhook behind a proxy.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import select

from bot.inbound.intake import ALLOWED_UPDATES
from demo.botapi import Emulator
from models.chats.inbox import InboxUpdate
from models.database.engine import Database
from tests.bot.program import Program
from tests.bot.running import SECRET, until
from tests.chat import reserved_port
from tests.torture.test_kills import LONGEST, Traffic, certified, check, settled


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    async with Emulator(clock=time.time) as running:
        yield running
        assert not running.violations


@asynccontextmanager
async def proxied(ports: list[int], rng: random.Random) -> AsyncIterator[str]:
    """Run a proxy in front of the processes: each post goes to a random one, and to the other one if that is
    down.
    """
    async with aiohttp.ClientSession() as client:

        async def pass_on(request: web.BaseRequest) -> web.Response:
            body = await request.read()
            for port in rng.sample(ports, len(ports)):
                try:
                    url = f"http://127.0.0.1:{port}{request.path}"
                    async with client.post(url, data=body, headers=request.headers) as answer:
                        return web.Response(status=answer.status, headers={"Retry-After": "1"})
                except aiohttp.ClientError:
                    continue
            return web.Response(status=502)

        runner = web.ServerRunner(web.Server(pass_on))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        await runner.cleanup()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("way", ["polls", "posts"])
async def test_random_kills_of_one_of_two(
    country: Database,
    telegram: Emulator,
    database_url: str,
    tmp_path: Path,
    times: Callable[[int], int],
    way: str,
) -> None:
    rng = random.Random(7)
    # Each start takes seconds, so the ordinary suite has only a few kills.
    kills = 150 if times(10) == 10 else 2
    first_update = telegram.updates.next_id
    traffic = Traffic(telegram, country, rng)
    async with AsyncExitStack() as stack:
        ports = [stack.enter_context(reserved_port()) for _ in range(2)]
        settings = {}
        if way == "posts":
            url = await stack.enter_async_context(proxied(ports, rng))
            settings = {"LAOCERT_WEBHOOK_URL": url, "LAOCERT_WEBHOOK_SECRET": SECRET}
            telegram.call("setWebhook", url=url, secret_token=SECRET, allowed_updates=json.dumps(ALLOWED_UPDATES))
        programs = []
        for port in ports:
            (tmp_path / str(port)).mkdir()
            listen = {"LAOCERT_LISTEN": f"127.0.0.1:{port}"}
            program = Program(tmp_path / str(port), telegram, database_url, **settings, **listen)
            programs.append(await stack.enter_async_context(program.running()))
        for program in programs:
            await program.ready()
        await traffic.start()
        for _ in range(kills):
            await asyncio.sleep(rng.random() * 3)
            program = rng.choice(programs)
            await program.kill()
            await program.start()
            await program.ready()
        # After only a few kills, nobody may have certified yet.
        await until(lambda: certified(country), LONGEST)
        await traffic.stop()
        await until(lambda: settled(country, telegram), LONGEST)
        for program in programs:
            assert await program.stop() == 0
            assert "Traceback" not in program.log
    await check(country, telegram, first_update, kills)
    await check_order(country)


async def check_order(database: Database) -> None:
    """Check that each sender's updates were processed in order."""
    async with database.read() as session:
        rows = list(await session.scalars(select(InboxUpdate).order_by(InboxUpdate.sender, InboxUpdate.update_id)))
    out_of_order = [
        (before.update_id, after.update_id)
        for before, after in pairwise(rows)
        if before.sender == after.sender and before.finished_at > after.finished_at  # type: ignore[operator]
    ]
    assert out_of_order == []
