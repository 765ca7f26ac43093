"""Who looks at what: told to colleagues for ten minutes, taken back by going on."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from models.accounts.account import Officer
from models.database.engine import Database
from models.links.link import unlink_officer
from models.province.progress import colleague_at
from models.province.visit import LOOKING, Visit, note_opened, note_skipped
from tests.support import ORGANIZATIONS, link

FIRST, SECOND, THIRD, *_ = (code for code, *_ in ORGANIZATIONS)
A_MOMENT = timedelta(seconds=1)


class Two:
    """Two officers of the province of Samut Prakan, and the second one's eyes."""

    def __init__(self, country: Database) -> None:
        self.country = country
        self.ids: list[int] = []

    async def opens(self, who: int, code: str, now: datetime) -> None:
        async with self.country.write() as session:
            await note_opened(session, await session.get_one(Officer, self.ids[who]), code, 1, now)

    async def sees(self, code: str, now: datetime, who: int = 1) -> str | None:
        async with self.country.write() as session:
            officer = await link(session, "province11", 601 + who, now, ("ทดสอบ ก", "ทดสอบ ข")[who])
            return await colleague_at(session, officer, 1, code, now)


@pytest.fixture
async def two(country: Database, now: datetime) -> Two:
    made = Two(country)
    async with country.write() as session:
        for who, name in ((601, "ทดสอบ ก"), (602, "ทดสอบ ข")):
            made.ids.append((await link(session, "province11", who, now, name)).id)
    return made


async def test_the_other_is_told_for_ten_minutes(two: Two, now: datetime) -> None:
    await two.opens(0, FIRST, now)
    assert await two.sees(FIRST, now) == "ทดสอบ ก"
    assert await two.sees(FIRST, now, who=0) is None
    assert await two.sees(SECOND, now) is None
    assert await two.sees(FIRST, now + LOOKING - A_MOMENT) == "ทดสอบ ก"
    assert await two.sees(FIRST, now + LOOKING) is None
    # Opened once more, it is looked at for ten minutes more.
    await two.opens(0, FIRST, now + LOOKING)
    assert await two.sees(FIRST, now + LOOKING) == "ทดสอบ ก"


async def test_who_has_gone_on_does_not_look_any_more(two: Two, now: datetime) -> None:
    await two.opens(0, FIRST, now)
    await two.opens(0, SECOND, now + A_MOMENT)
    assert await two.sees(FIRST, now + A_MOMENT) is None
    assert await two.sees(SECOND, now + A_MOMENT) == "ทดสอบ ก"


async def test_who_has_left_it_for_later_does_not_look_any_more(
    two: Two, country: Database, now: datetime
) -> None:
    await two.opens(0, FIRST, now)
    async with country.write() as session:
        await note_skipped(session, await session.get_one(Officer, two.ids[0]), FIRST, 1, now + A_MOMENT)
    assert await two.sees(FIRST, now + A_MOMENT) is None
    await two.opens(0, FIRST, now + 2 * A_MOMENT)
    assert await two.sees(FIRST, now + 2 * A_MOMENT) == "ทดสอบ ก"


async def test_whose_link_has_ended_does_not_look_any_more(two: Two, country: Database, now: datetime) -> None:
    await two.opens(0, FIRST, now)
    async with country.write() as session:
        officer = await link(session, "province11", 601, now, "ทดสอบ ก")
        await unlink_officer(session, officer, now)
    assert await two.sees(FIRST, now) is None


async def test_a_visit_is_one_row_and_what_was_skipped_stays_so(
    two: Two, country: Database, now: datetime
) -> None:
    await two.opens(0, FIRST, now)
    async with country.write() as session:
        officer = await session.get_one(Officer, two.ids[0])
        await note_skipped(session, officer, FIRST, 1, now + A_MOMENT)
        await note_opened(session, officer, FIRST, 1, now + 2 * A_MOMENT)
        assert await session.scalar(select(func.count()).select_from(Visit)) == 1
        row = await session.get_one(Visit, (FIRST, two.ids[0]), populate_existing=True)
        assert (row.opened_at, row.skipped_at) == (now + 2 * A_MOMENT, now + A_MOMENT)
