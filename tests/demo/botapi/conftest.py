"""An emulator whose clock stands still, a phone, and a bare HTTP client as the bot."""

import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from demo.botapi import Emulator, Phone

EPOCH = 1_790_000_000.0


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.time = EPOCH

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


class Sleeps:
    """Stands for asyncio.sleep: notes the seconds and goes on at once."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


class Raw:
    """The bot's side over bare HTTP."""

    def __init__(self, session: aiohttp.ClientSession, emulator: Emulator) -> None:
        self.session = session
        self.root = f"{emulator.url}/bot{emulator.token}"

    async def answer(self, method: str, **params: Any) -> tuple[int, dict[str, Any]]:
        data = {
            name: value if isinstance(value, str) else orjson.dumps(value).decode()
            for name, value in params.items()
        }
        async with self.session.post(f"{self.root}/{method}", data=data) as response:
            return response.status, orjson.loads(await response.read())

    async def __call__(self, method: str, **params: Any) -> Any:
        status, body = await self.answer(method, **params)
        assert (status, body["ok"]) == (200, True), body
        return body["result"]

    async def refusal(self, method: str, **params: Any) -> str:
        status, body = await self.answer(method, **params)
        assert body["ok"] is False, body
        assert body["error_code"] == status
        description: str = body["description"]
        return description


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
async def emulator(clock: Clock, sleeps: Sleeps) -> AsyncIterator[Emulator]:
    rng = random.Random(7)
    async with Emulator(clock=clock, rng=rng, sleep=sleeps) as emulator:
        yield emulator


@pytest.fixture
async def bot(emulator: Emulator) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        yield Raw(session, emulator)


@pytest.fixture
async def phone(emulator: Emulator) -> Phone:
    """A phone that has started the bot; that update is already confirmed."""
    phone = emulator.phone("สมชาย")
    await phone.start()
    emulator.updates.pending.clear()
    return phone
