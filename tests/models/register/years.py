"""Registers that change from one round to the next."""

from datetime import datetime

from models.certification.certificate import Certification, Level
from models.certification.review import Review, review
from models.database.engine import Database
from models.rounds.round import close_round, open_round
from tests.support import ORGANIZATIONS, certify_as, link, put_roster

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)


async def seen(database: Database, now: datetime, organization: str = FIRST) -> Review:
    async with database.write() as session:
        return await review(
            session, await link(session, f"lao{organization}", int(organization), now), organization
        )


async def next_round(database: Database, fiscal_year: int, now: datetime) -> None:
    async with database.write() as session:
        await close_round(session, now)
        await open_round(session, fiscal_year, None, now)


async def change(
    database: Database, counts: tuple[int, int, int], now: datetime, organization: str = FIRST
) -> None:
    async with database.write() as session:
        await put_roster(session, organization, counts, now)


async def certify_lao(database: Database, now: datetime, percent: int = 100) -> Certification:
    return await certify_as(database, f"lao{FIRST}", 501, FIRST, Level.LAO, now, difference_percent=percent)


async def year_later(country: Database, now: datetime) -> Database:
    """Certified in 2570 with 12, 3 and 5; in 2571 there are 9, 3 and 5."""
    await certify_lao(country, now)
    await next_round(country, 2571, now)
    await change(country, (9, 3, 5), now)
    return country
