"""Spot-checks as far as a test wants them, and the press that they are for."""

import random
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Officer
from models.certification.certificate import Certification, Level
from models.certification.certify import Demands, certify, prepare_confirmation, review_confirmation
from models.certification.review import review
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.spot_checks.spot_checking import Checking, draw, hand_in, mark
from tests.support import ORGANIZATIONS, link

WAITING, OPEN = ORGANIZATIONS[0][0], ORGANIZATIONS[1][0]
SIZE = 3
OPERATOR = -1009
NOTE = "วันบรรจุไม่ตรงกับทะเบียนประวัติ"


async def province(session: AsyncSession, now: datetime, user: int = 601, username: str = "province11") -> Officer:
    return await link(session, username, user, now)


async def drawn(database: Database, now: datetime, seed: int = 7, size: int = SIZE) -> Checking:
    async with database.write() as session:
        officer = await province(session, now)
        return await draw(session, officer, WAITING, now, random.Random(seed), size=size)


async def marked(database: Database, now: datetime, *marks: Mark) -> int:
    """A draw whose records have these marks; its id."""
    found = await drawn(database, now)
    async with database.write() as session:
        officer = await province(session, now)
        for place, one in enumerate(marks, 1):
            await mark(session, officer, WAITING, found.check.id, place, one, NOTE, now, despite_empty_menus=True)
    return found.check.id


async def failed(database: Database, now: datetime) -> int:
    """A spot-check that was handed in with one record not correct."""
    check = await marked(database, now, Mark.CORRECT, Mark.INCORRECT, Mark.CORRECT)
    async with database.write() as session:
        assert await hand_in(session, await province(session, now), WAITING, check, now, OPERATOR)
    return check


async def press(database: Database, now: datetime, size: int = SIZE, user: int = 601) -> Certification:
    """รับรองระดับจังหวัด as far as the rules let it come."""
    async with database.write() as session:
        officer = await province(session, now, user)
        seen = await review(session, officer, WAITING)
        rng = random.Random(user)
        asked, _ = await prepare_confirmation(
            session,
            officer,
            Level.PROVINCE,
            WAITING,
            seen.fingerprint(Level.PROVINCE),
            now,
            rng,
            demands=Demands(size, 100),
        )
        await review_confirmation(session, officer, asked.nonce, now, demands=Demands(size, 100))
        return await certify(session, officer, asked.nonce, now, rng, demands=Demands(size, 100))
