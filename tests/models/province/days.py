"""Days of a province on which something was certified."""

from datetime import datetime, timedelta

from models.certification.certificate import Level
from models.database.engine import Database
from tests.support import ORGANIZATIONS, certify_as

FIRST, SECOND, THIRD, _, ABROAD = (code for code, *_ in ORGANIZATIONS)


async def certified(country: Database, now: datetime) -> None:
    """Two organizations by themselves, one of them by the province too a day later; one next door."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, f"lao{ABROAD}", 503, ABROAD, Level.LAO, now)
    await certify_as(country, "province11", 502, FIRST, Level.PROVINCE, now + timedelta(days=1))
    await certify_as(country, f"lao{SECOND}", 504, SECOND, Level.LAO, now + timedelta(days=2))
