"""Officers who are logged in already, and a log without errors after every conversation."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from demo.botapi import Emulator
from models.database.engine import Database
from tests.handlers.support import Hand, MakeHand, errors, notices_taken_for_answers
from tests.handlers.widths import cut
from tests.support import Clock, link


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Checks that the log has no errors and tracebacks, whatever an officer does."""
    yield
    assert not errors(caplog.get_records("setup") + caplog.get_records("call"))


@pytest.fixture
async def fitting(bot: Emulator) -> AsyncIterator[None]:
    """Checks that no button's label is cut on a phone; labels with a test's own markup are left out."""
    yield
    keyboards = (call.params["reply_markup"] for call in bot.calls if call.params.get("reply_markup"))
    rows = (row for keyboard in set(keyboards) for row in json.loads(keyboard)["inline_keyboard"])
    labels = ([button["text"] for button in row] for row in rows)
    assert [label for row in labels for label in cut([row]) if "<b>" not in label] == []


@pytest.fixture
async def officer(bot: Emulator, fitting: None, country: Database, clock: Clock) -> AsyncIterator[MakeHand]:
    """Make an officer who is logged in and at home, by default one of เทศบาลตำบลบางปู."""

    async def make(username: str = "lao5110201", name: str = "ทดสอบ หนึ่ง") -> Hand:
        hand = Hand(bot, bot.phone(name))
        async with country.write() as session:
            await link(session, username, hand.phone.id, clock(), name)
        await hand.say("/start")
        return hand

    yield make
    assert await notices_taken_for_answers(bot, country) == []


@pytest.fixture
def stranger(bot: Emulator, fitting: None) -> Hand:
    """A sender whose chat is not linked."""
    return Hand(bot, bot.phone("ค"))
