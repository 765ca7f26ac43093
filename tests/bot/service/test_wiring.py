"""What `laocert run` gives its parts."""

import asyncio
import random
from typing import Any, NoReturn

import pytest

from bot.service import wiring
from demo.botapi import Emulator
from models.database.engine import Database
from models.security.sealing import Seal
from tests.chat import make_bot
from tests.support import KEYRING, Clock


class Given(Exception):
    """In place of a worker: what it was given."""


async def test_what_is_drawn_comes_from_the_systems_random_source(
    emulator: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples, keypads, codes and nonces: nobody can foresee them."""

    def worker(_bot: Any, _database: Any, _seal: Any, _clock: Any, rng: random.Random, *_: Any) -> NoReturn:
        raise Given(type(rng))

    monkeypatch.setattr(wiring, "Worker", worker)
    bot, polls = make_bot(emulator)
    await bot.initialize()
    with pytest.raises(Given) as given:
        await wiring.serve(bot, polls, country, Seal(KEYRING), asyncio.Event(), clock)
    await bot.shutdown()
    assert given.value.args == (random.SystemRandom,)
