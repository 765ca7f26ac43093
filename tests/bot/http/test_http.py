"""The health probes: liveness, readiness, and the shared work."""

import asyncio
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from bot.http import readiness, work
from bot.http.cached import Cached
from bot.http.server import bind
from bot.runtime.metrics import Tally
from bot.runtime.settings import Settings, SettingsRefused
from bot.service.listener import Front
from demo.botapi import Emulator
from models.chats import inbox
from models.database.engine import Database
from tests.bot.running import front, inbox_rows, served_at, until
from tests.chat import TEST_TUNING, running_bot
from tests.support import Clock

__all__ = ["front"]

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def get(front: Front, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.get(served_at(front, path)) as answer:
        return answer.status, await answer.json()


ANEW = replace(
    TEST_TUNING, readiness=replace(TEST_TUNING.readiness, database_for=0.0, bot_api_for=0.0), read_every=0.0
)
# Fails each insertion as PostgreSQL does with a full disk. The doctor's tests use a really full SQLite database.
FULL = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$",
    "CREATE TRIGGER refuse BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION refuse()",
)


def well(state: dict[str, Any]) -> dict[str, bool]:
    """Whether each part is ok, by name."""
    return {name: part["ok"] for name, part in state.items() if isinstance(part, dict)}


async def until_ready(front: Front) -> None:
    async def is_ready() -> bool:
        return (await get(front, "/readyz"))[0] == 200

    await until(is_ready)


async def test_ready_is_who_can_do_its_own_work(
    emulator: Emulator, country: Database, clock: Clock, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_bot(emulator, country, clock, front=Front(front.listening), tuning=ANEW):
        assert await get(front, "/healthz") == (200, {"status": "ok"})
        await until_ready(front)
        status, state = await get(front, "/readyz")
        assert (status, state["ready"]) == (200, True)
        assert well(state) == {"database": True, "migrations": True, "started": True}

        # Telegram is away for all replicas, which is no reason to take one out of rotation.
        fault = emulator.faults.server_error(502, method="getMe")
        status, state = await get(front, "/healthz/work")
        assert (status, state["working"], state["bot_api"]["ok"], fault.hits) == (503, False, False, 1)
        emulator.faults.server_error(502, method="getMe")
        assert (await get(front, "/readyz"))[0] == 200

        async with country.write() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        status, state = await get(front, "/readyz")
        assert (status, state["database"]["ok"], state["migrations"]["ok"]) == (503, True, False)
        assert state["migrations"]["said"].startswith("0001, needed is ")

        async def away(_database: Database) -> str:
            raise ConnectionRefusedError

        monkeypatch.setattr(readiness.version, "revision", away)
        status, state = await get(front, "/readyz")
        assert (status, state["database"]["said"]) == (503, "ConnectionRefusedError (the database is away)")
        # The process is alive: a restart would not help.
        assert (await get(front, "/healthz"))[0] == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_ready_is_who_can_write(
    emulator: Emulator, country: Database, clock: Clock, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database with a full disk, or a read-only one, still answers reads."""
    async with running_bot(emulator, country, clock, front=Front(front.listening), tuning=ANEW):
        await until_ready(front)
        async with country.write() as session:
            for statement in FULL:
                await session.execute(text(statement))
        status, state = await get(front, "/readyz")
        assert (status, state["ready"]) == (503, False)
        assert state["database"] == {"ok": False, "said": "DBAPIError (database or disk is full)"}
        async with country.write() as session:
            await session.execute(text("DROP TRIGGER refuse ON inbox"))
        # A database that was full a moment ago may have room for the probe only.
        status, state = await get(front, "/readyz")
        assert (status, state["database"]["said"]) == (503, "database or disk is full")
        monkeypatch.setattr(Database, "was_full", False)
        assert (await get(front, "/readyz"))[0] == 200
        # The probes are rolled back.
        assert await inbox_rows(country) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_who_cannot_write_is_not_ready(
    emulator: Emulator, country: Database, clock: Clock, front: Front
) -> None:
    async with running_bot(emulator, country, clock, front=Front(front.listening), tuning=ANEW):
        await until_ready(front)
        refused = "CREATE TRIGGER refuse BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        async with country.write() as session:
            await session.execute(text(refused))
        assert (await get(front, "/readyz"))[0] == 503
        async with country.write() as session:
            await session.execute(text("DROP TRIGGER refuse"))
        assert (await get(front, "/readyz"))[0] == 200
        assert await inbox_rows(country) == []


async def test_what_all_replicas_share_is_told_apart(
    emulator: Emulator, country: Database, clock: Clock, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tally()
    monkeypatch.setattr(work, "TALLY", tally)
    async with running_bot(emulator, country, clock, front=Front(front.listening), tuning=ANEW):
        await until_ready(front)
        # A 429 is an answer.
        emulator.faults.flood(1, method="getMe")
        status, state = await get(front, "/healthz/work")
        assert (status, state["working"]) == (200, True)
        assert well(state) == dict.fromkeys(("bot_api", "updates", "notices", "poller", "refusals"), True)
        # An update of another bot, so that no program processes it.
        async with country.write() as session:
            await inbox.store(session, 1, [inbox.Received(1, 7, b"{}")], clock() - timedelta(seconds=31))
        tally.conflicts["getUpdates"] += 1
        tally.refusals["editMessageText"] += 1
        status, state = await get(front, "/healthz/work")
        assert (status, state["working"]) == (503, False)
        assert [name for name, is_well in well(state).items() if not is_well] == ["updates", "poller", "refusals"]
        assert state["updates"]["said"] == "the oldest waits for 31 s"
        # None of these makes the process not ready.
        assert (await get(front, "/readyz"))[0] == 200


@ONE_DATABASE
async def test_probes_do_not_hammer_the_bot_api(
    emulator: Emulator, country: Database, clock: Clock, front: Front
) -> None:
    async with running_bot(emulator, country, clock, front=Front(front.listening)):
        await until_ready(front)
        before = len(emulator.calls_of("getMe"))
        answers = await asyncio.gather(*(get(front, "/healthz/work") for _ in range(20)))
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
        # On a busy machine this may take as long as the start.
        assert time() - stopped < max(8, stopped - started)
        with pytest.raises(aiohttp.ClientError):
            await client.get(url)
