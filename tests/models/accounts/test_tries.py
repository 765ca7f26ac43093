"""What the record holds of failed tries, when somebody has deleted, changed or put back what counts them."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import tries
from models.accounts.account import (
    Officer,
    active_officer,
    allow_new_pin,
    record_failed_login,
    record_wrong_pin,
)
from models.accounts.pin import hash_pin, set_pin
from models.accounts.throttle import (
    LONGEST_BLOCK,
    TRIES,
    Throttle,
    admit,
    blocked_until,
    clear,
    name_key,
    pin_key,
    tries_of,
)
from models.audit.event_chain import AuditEvent
from models.database.engine import Database
from tests.support import KEYRING, PIN, link

LAO, USER, KEY = "lao5110201", 501, pin_key(501)
WINDOW = timedelta(minutes=15)


class Tried:
    """An officer who tries PINs, each in an update of its own."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database, self.now, self.update = database, now, 0

    async def wrong(self) -> datetime | None:
        """One wrong PIN; the end of the block in which it was not even looked at."""
        until, spent = await self._admitted()
        if until is not None:
            return until
        async with self.database.write() as session:
            officer = await self._officer(session)
            closes = await blocked_until(session, [KEY], self.now) is not None
            await record_wrong_pin(session, officer, self.now, spent, blocks=closes)
        return None

    async def right(self) -> None:
        until, _ = await self._admitted()
        assert until is None
        async with self.database.write() as session:
            await clear(session, [KEY], self.now)

    async def _admitted(self) -> tuple[datetime | None, tries.Tries]:
        self.update += 1
        async with self.database.write() as session:
            officer = await self._officer(session)
            witness = tries.of_pin(officer.account.unit, officer.id)
            until = await admit(session, [KEY], self.now, self.update, {KEY: witness})
            return until, (await tries_of(session, [KEY]))[KEY]

    async def _officer(self, session: AsyncSession) -> Officer:
        return await active_officer(session, USER) or await link(session, LAO, USER, self.now)


@pytest.fixture
def tried(country: Database, now: datetime) -> Tried:
    return Tried(country, now)


async def changed(database: Database, *statements: object) -> None:
    async with database.write() as session:
        for statement in statements:
            await session.execute(statement)  # type: ignore[call-overload]


async def row(database: Database) -> dict[str, object]:
    table = Throttle.core()
    async with database.read() as session:
        found = (await session.execute(select(table).where(table.c.key == KEY))).mappings().one()
    return dict(found)


async def test_a_deleted_row_gives_no_fresh_tries(tried: Tried) -> None:
    for _ in range(TRIES):
        assert await tried.wrong() is None
        await changed(tried.database, delete(Throttle))
    assert await tried.wrong() == tried.now + WINDOW


async def test_nor_does_a_row_that_is_put_back(tried: Tried) -> None:
    """As it was after a right PIN, after the first wrong one, and before a block."""
    await tried.right()
    before = await row(tried.database)
    for _ in range(TRIES):
        assert await tried.wrong() is None
        await changed(tried.database, delete(Throttle), insert(Throttle.core()).values(**before))
    assert await tried.wrong() == tried.now + WINDOW


async def test_blocks_grow_all_the_same(tried: Tried) -> None:
    for minutes in (15, 30, 60):
        for _ in range(TRIES):
            assert await tried.wrong() is None
        await changed(tried.database, delete(Throttle))
        assert await tried.wrong() == tried.now + timedelta(minutes=minutes)
        tried.now += timedelta(minutes=minutes)


async def test_after_a_right_pin_all_tries_are_there_again(tried: Tried) -> None:
    for _ in range(TRIES - 1):
        await tried.wrong()
    await tried.right()
    for _ in range(TRIES):
        assert await tried.wrong() is None
    assert await tried.wrong() == tried.now + WINDOW


async def test_a_new_pin_forgives_what_was_tried_with_the_old_one(tried: Tried) -> None:
    for _ in range(TRIES):
        await tried.wrong()
    async with tried.database.write() as session:
        officer = await active_officer(session, USER)
        assert officer is not None
        await allow_new_pin(session, officer, tried.now, "password")
        await set_pin(session, officer, hash_pin(KEYRING, USER, PIN), tried.now)
    await changed(tried.database, delete(Throttle))
    assert await tried.wrong() is None


async def test_an_event_that_was_changed_closes_the_key(tried: Tried) -> None:
    """Who takes the triggers away as well cannot make the event say less."""
    await tried.wrong()
    trigger = "audit_event_no_update" if tried.database.is_sqlite else "audit_event_insert_only ON audit_event"
    await changed(
        tried.database,
        text(f"DROP TRIGGER {trigger}"),
        update(AuditEvent).where(AuditEvent.kind == "pin_failed").values(details=AuditEvent.details.concat(" ")),
        delete(Throttle),
    )
    assert await tried.wrong() == tried.now + LONGEST_BLOCK


@pytest.mark.parametrize("column", ["kind", "key_id"])
async def test_an_event_that_was_hidden_under_another_kind_or_key_closes_the_key(
    tried: Tried, column: str
) -> None:
    await tried.wrong()
    trigger = "audit_event_no_update" if tried.database.is_sqlite else "audit_event_insert_only ON audit_event"
    await changed(
        tried.database,
        text(f"DROP TRIGGER {trigger}"),
        text(f"UPDATE audit_event SET {column} = 'hidden' WHERE kind = 'pin_failed'"),
        delete(Throttle),
    )
    assert await tried.wrong() == tried.now + LONGEST_BLOCK


async def test_passwords_of_an_account_are_counted_by_its_chain_too(country: Database, now: datetime) -> None:
    async def wrong(session: AsyncSession, number: int) -> datetime | None:
        key = name_key(session, LAO)
        witnesses = {key: tries.of_login("5110201", LAO)}
        until = await admit(session, [key], now, number, witnesses)
        if until is None:
            await record_failed_login(session, LAO, USER, now, (await tries_of(session, [key]))[key])
        return until

    for number in range(1, TRIES + 1):
        async with country.write() as session:
            assert await wrong(session, number) is None
        await changed(country, delete(Throttle))
    async with country.write() as session:
        assert await wrong(session, TRIES + 1) == now + WINDOW
