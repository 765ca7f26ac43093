"""What the tests of the courier begin with."""

import click.testing
import pytest

from bot.outbound import courier, ledger
from bot.telegram import limiter
from demo.botapi import Emulator
from models.database import lease
from models.database.engine import Database
from tests.bot.outbound.office import Office
from tests.bot.running import link
from tests.support import Clock


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "CHAT_INTERVAL", 0.01)
    monkeypatch.setattr(limiter, "GROUP_INTERVAL", 0.01)
    monkeypatch.setattr(courier, "OFFLINE_LONGEST", 0.01)
    monkeypatch.setattr(courier, "IDLE", 0.02)
    monkeypatch.setattr(lease, "EVERY", 0.02)
    monkeypatch.setattr(ledger, "NOTE_PAUSE", 0.01)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits before the command."""
    monkeypatch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda _self: True, raising=False)


@pytest.fixture
async def office(emulator: Emulator, country: Database, clock: Clock) -> Office:
    officer_id = await link(country, "lao5110201", emulator.phone("ผู้รับรอง"), clock())
    return Office(emulator, country, clock, officer_id)
