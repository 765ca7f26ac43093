"""PINs after the secret key was changed: the next right one moves to the new key; after a day the others end."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from demo.botapi import Emulator
from models.accounts.account import Officer as Link
from models.audit.event_chain import AuditEvent, Event
from models.base.calendar import bangkok_day
from models.database.engine import Database
from models.operator.seal_check import check_seals
from models.operator.sealing import rotate, seal_all
from models.security.keys import Keyring
from tests.chat import running_bot
from tests.handlers.support import Hand
from tests.support import PASSWORD, PIN, SECRET_KEY, Clock, link

NEW = Keyring("a newer key for tests of more than 32 letters", (SECRET_KEY,))
ENDED = "PIN เดิมของท่านเก่าเกินไป"


@pytest.fixture
async def renewed(country: Database, database_url: str, clock: Clock) -> AsyncIterator[Database]:
    """The country under a new key; PINs under the old one are taken for a week."""
    async with country.write() as session:
        await link(session, "lao5110201", 701, clock())
    async with country.write() as session:
        await seal_all(session, clock())
    database = Database(database_url, NEW)
    async with database.write() as session:
        await rotate(session, clock(), bangkok_day(clock()) + timedelta(days=7))
    yield database
    await database.close()


@pytest.fixture
async def hand(emulator: Emulator, renewed: Database, clock: Clock) -> AsyncIterator[Hand]:
    """The officer, whose chat was left alone."""
    officer = Hand(emulator, emulator.phone("ทดสอบ หนึ่ง", user_id=701))
    clock.move(hours=13)
    async with running_bot(emulator, renewed, clock):
        yield officer


async def pin_key(database: Database) -> str:
    async with database.read() as session:
        hashed = (await session.scalars(select(Link.pin_hash))).one()
    return (hashed or "").partition(":")[0]


async def test_a_right_pin_moves_to_the_new_key(hand: Hand, renewed: Database) -> None:
    assert "PIN" in await hand.say("/start")
    await hand.enter("135790")
    assert await pin_key(renewed) != NEW.current_id
    assert "เทศบาลตำบลบางปู" in await hand.enter()
    assert await pin_key(renewed) == NEW.current_id
    async with renewed.read() as session:
        kinds = list(await session.scalars(select(AuditEvent.kind).order_by(AuditEvent.id)))
        assert (await check_seals(session)).bad == []
    assert kinds.count(Event.PIN_MOVED) == 1


async def test_a_pin_that_was_not_moved_ends(hand: Hand, renewed: Database, clock: Clock) -> None:
    clock.move(days=8)
    assert ENDED in await hand.say("/start")
    await hand.say(PASSWORD)
    await hand.enter(PIN)
    assert "✅" in await hand.enter(PIN)
    assert await pin_key(renewed) == NEW.current_id
