"""The lines about events behind the chats are the same whenever the database is read."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from demo.behind import Behind
from demo.botapi import Emulator
from demo.clock import MovedClock
from demo.phones import Phones
from demo.sample import read_units
from demo.session import PROVINCES
from models.database.engine import Database
from models.notices import outbox, sending
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State

FLOOD = "Flood control exceeded. Retry in 4 seconds"


@pytest.fixture
async def behind(country: Database, tmp_path: Path) -> Behind:
    """An observer that has already reported all earlier events."""
    phones = Phones(Emulator(), read_units(PROVINCES), tmp_path / "phones.json")
    watched = Behind(country, phones, MovedClock(tmp_path / "clock"))
    await watched.look()
    return watched


async def claim(database: Database, now: datetime) -> OutboxMessage:
    """The only row of the outbox, marked as sending."""
    async with database.write() as session:
        row = (await session.scalars(select(OutboxMessage))).one()
        session.expunge(row)
        assert await sending.mark_sending(session, [row], now)
    return row


async def meet_a_429(database: Database, now: datetime) -> None:
    """A whole try that Telegram answers with 429, which does not count as an attempt."""
    row = await claim(database, now)
    async with database.write() as session:
        await sending.mark_retry(session, row, State.PENDING, FLOOD, now + timedelta(seconds=4), counts=False)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seen", ["nothing", "queued", "sending"])
async def test_a_429_is_told_whatever_was_seen_of_the_notice_before(
    behind: Behind, country: Database, now: datetime, seen: str
) -> None:
    async with country.write() as session:
        outbox.enqueue(session, NoticeKind.REOPENED, 501, 1, now)
    if seen != "nothing":
        await behind.look()
    if seen == "sending":
        row = await claim(country, now)
        await behind.look()
        async with country.write() as session:
            await sending.mark_retry(session, row, State.PENDING, FLOOD, now, counts=False)
    else:
        await meet_a_429(country, now)
    for _ in range(2):
        await behind.look()
        assert [line["en"] for line in behind.value()["lines"]] == [
            f"Notice not delivered yet ({FLOOD}) · still queued, sent again by itself"
        ]
