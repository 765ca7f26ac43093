"""Fixtures of the tests of bot/."""

import click.testing
import pytest

from demo.botapi import Emulator
from models.database.engine import Database
from tests.bot.outbound.office import Office
from tests.bot.running import link
from tests.support import Clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stdin is a terminal."""
    monkeypatch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda _self: True, raising=False)


@pytest.fixture
async def office(emulator: Emulator, country: Database, clock: Clock) -> Office:
    officer_id = await link(country, "lao5110201", emulator.phone("ผู้รับรอง"), clock())
    return Office(emulator, country, clock, officer_id)
