"""Forgetting an officer: what is erased, what stays, and what is recorded of it."""

from datetime import datetime

from models.database.engine import Database
from models.operator.erasure import forget_officer
from tests.models.register.rosters import drafts, person, proposed, sent


async def test_forgetting_an_officer_erases_its_file(country: Database, now: datetime) -> None:
    number, _ = await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        await forget_officer(session, number, "ผู้ดูแลระบบ", "คำขอ 1/2570", now)
    assert await drafts(country) == 0
