"""How far the organizations are: counts, a province's day, and what is locked."""

from datetime import datetime, timedelta

from models.certification.certificate import Level
from models.database.engine import Database
from models.province.progress import Day, look_around
from models.rounds.round import current_round
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND, THIRD, *_ = (code for code, *_ in ORGANIZATIONS)


async def test_the_day_counts_what_the_province_certified_since_midnight(country: Database, now: datetime) -> None:
    """Midnight in Bangkok; `now` is 9.30 there. What waits counts whenever it came."""
    yesterday, midnight = now - timedelta(hours=9, minutes=31), now - timedelta(hours=9, minutes=30)
    for code, user in ((FIRST, 501), (SECOND, 502), (THIRD, 503)):
        await certify_as(country, f"lao{code}", user, code, Level.LAO, yesterday)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, yesterday)
    await certify_as(country, "province11", 601, SECOND, Level.PROVINCE, midnight)
    async with country.write() as session:
        round_ = await current_round(session)
        assert round_ is not None
        officer = await link(session, "province11", 601, now)
        day, _ = await look_around(session, officer, round_.id, THIRD, now)
        assert (day, day.total) == (Day(done=1, waiting=1), 2)
        outsider = await link(session, "province12", 701, now)
        assert await look_around(session, outsider, round_.id, THIRD, now) == (Day(0, 0), None)
