"""What is served beside the webhook: whether the program lives, and whether it can do its work."""

import asyncio
import socket
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from bot.http import readiness
from bot.http.cached import Cached
from bot.http.server import bind
from bot.runtime.settings import Settings, SettingsRefused
from bot.service.wiring import Front
from demo.botapi import Emulator
from models.database.engine import Database
from tests.bot.running import front, served_at
from tests.chat import TEST_TUNING, running_bot
from tests.support import Clock

__all__ = ["front"]

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def get(front: Front, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.get(served_at(front, path)) as answer:
        return answer.status, await answer.json()


async def test_ready_is_who_has_all_it_needs(
    emulator: Emulator, country: Database, clock: Clock, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = replace(TEST_TUNING, readiness=replace(TEST_TUNING.readiness, database_for=0.0, bot_api_for=0.0))
    async with running_bot(emulator, country, clock, front=Front(front.listening), tuning=anew):
        assert await get(front, "/healthz") == (200, {"status": "ok"})
        status, told = await get(front, "/readyz")
        assert (status, told.pop("ready")) == (200, True)
        assert {name: part["ok"] for name, part in told.items()} == {
            "database": True,
            "migrations": True,
            "bot_api": True,
        }

        fault = emulator.faults.server_error(502, method="getMe")
        status, told = await get(front, "/readyz")
        assert fault.hits == 1
        assert (status, told["ready"], told["bot_api"]["ok"]) == (503, False, False)
        # To be asked to wait is an answer.
        emulator.faults.flood(1, method="getMe")
        assert (await get(front, "/readyz"))[0] == 200

        async with country.write() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        status, told = await get(front, "/readyz")
        assert (status, told["database"]["ok"], told["migrations"]["ok"]) == (503, True, False)
        assert told["migrations"]["said"].startswith("0001, needed is ")

        async def away(_database: Database) -> str:
            raise ConnectionRefusedError

        monkeypatch.setattr(readiness.version, "revision", away)
        status, told = await get(front, "/readyz")
        assert (status, told["database"]) == (503, {"ok": False, "said": "ConnectionRefusedError"})
        # It lives all the same: to start it again would mend nothing.
        assert (await get(front, "/healthz"))[0] == 200


@ONE_DATABASE
async def test_probes_do_not_hammer_the_bot_api(
    emulator: Emulator, country: Database, clock: Clock, front: Front
) -> None:
    async with running_bot(emulator, country, clock, front=Front(front.listening)):
        before = len(emulator.calls_of("getMe"))
        answers = await asyncio.gather(*(get(front, "/readyz") for _ in range(20)))
        assert {status for status, _ in answers} == {200}
        assert len(emulator.calls_of("getMe")) == before + 1


async def test_what_a_call_raises_is_not_kept() -> None:
    outcomes = iter([ValueError(), 7, 8])

    async def call() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    cached = Cached(call, 60)
    with pytest.raises(ValueError, match=r"^$"):
        await cached.get()
    assert [await cached.get(), await cached.get()] == [7, 7]


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsRefused) as refused:
            bind(Settings(listen=address, _env_file=None))  # type: ignore[call-arg]
    assert str(refused.value) == (
        f"LAOCERT_LISTEN: {address} cannot be listened at: Address already in use;"
        " stop what uses it, or choose another"
    )


@ONE_DATABASE
async def test_the_end_is_not_held_up_by_an_open_connection(
    emulator: Emulator, country: Database, clock: Clock, front: Front
) -> None:
    url, time = served_at(front, "/healthz"), asyncio.get_running_loop().time
    async with aiohttp.ClientSession() as client:
        started = time()
        async with running_bot(emulator, country, clock, front=front):
            async with client.get(url) as answer:
                assert answer.status == 200
            stopped = time()
        # On a busy machine it may take as long as the start.
        assert time() - stopped < max(8, stopped - started)
        with pytest.raises(aiohttp.ClientError):
            await client.get(url)
