"""A clock that is known to be wrong dates no certificate, and nothing that stands on one; nothing is half done."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from models.accounts.account import active_officer
from models.audit.event_chain import AuditEvent
from models.base.clocks import LARGEST_OFFSET
from models.certification.certificate import Certification, Level
from models.certification.certify import (
    CONFIRMATION_LIFETIME,
    ClockWrong,
    Confirmation,
    ConfirmationExpired,
    certify,
    prepare_confirmation,
    review_confirmation,
)
from models.certification.review import review
from models.certification.spot_check import Mark, SpotCheck, SpotCheckItem
from models.database.engine import Database
from models.notices.outbox import OutboxMessage
from models.spot_checks.spot_checking import draw, hand_in, mark
from tests.support import DEMANDS, ORGANIZATIONS, SPOT_CHECK_SIZE, certify_as, link, pass_spot_check

CODE = ORGANIZATIONS[0][0]
RIGHT, SECOND = timedelta(0), timedelta(seconds=1)
WRONG = [LARGEST_OFFSET + SECOND, -LARGEST_OFFSET - SECOND, timedelta(days=3)]
SIDES = [(Level.LAO, f"lao{CODE}", 501), (Level.PROVINCE, "province11", 601)]


async def counts(database: Database) -> list[int | None]:
    """Rows of everything that a press makes, and confirmations that were used."""
    async with database.read() as session:
        tables = [Certification, AuditEvent, OutboxMessage, SpotCheck]
        rows = [await session.scalar(select(func.count()).select_from(table)) for table in tables]
        return [*rows, await session.scalar(select(func.count(Confirmation.used_at)))]


async def waits_for_province(database: Database, now: datetime) -> None:
    await certify_as(database, f"lao{CODE}", 501, CODE, Level.LAO, now)
    async with database.write() as session:
        officer = await link(session, "province11", 601, now)
        await pass_spot_check(session, officer, CODE, now, random.Random(1))


async def ask(database: Database, level: Level, username: str, user: int, now: datetime, off: timedelta) -> str:
    async with database.write() as session:
        officer = await link(session, username, user, now)
        seen = await review(session, officer, CODE)
        asked, _ = await prepare_confirmation(
            session,
            officer,
            level,
            CODE,
            seen.fingerprint(level),
            now,
            random.Random(7),
            demands=DEMANDS,
            clock_offset=off,
        )
        return asked.nonce


async def press(
    database: Database, username: str, user: int, nonce: str, now: datetime, off: timedelta
) -> Certification:
    async with database.write() as session:
        officer = await link(session, username, user, now)
        return await certify(session, officer, nonce, now, random.Random(8), demands=DEMANDS, clock_offset=off)


@pytest.mark.parametrize("off", WRONG)
@pytest.mark.parametrize(("level", "username", "user"), SIDES)
async def test_nothing_is_certified_and_the_confirmation_may_be_repeated(
    country: Database, now: datetime, level: Level, username: str, user: int, off: timedelta
) -> None:
    if level is Level.PROVINCE:
        await waits_for_province(country, now)
    with pytest.raises(ClockWrong):
        await ask(country, level, username, user, now + off, off)
    nonce = await ask(country, level, username, user, now, RIGHT)
    before = await counts(country)
    # Then the clock goes wrong: not even the age of the confirmation can be told by it.
    with pytest.raises(ClockWrong) as refusal:
        await press(country, username, user, nonce, now + off, off)
    assert refusal.value.confirmation is not None
    assert refusal.value.confirmation.nonce == nonce
    async with country.write() as session:
        officer = await active_officer(session, user)
        assert officer is not None
        with pytest.raises(ClockWrong):
            await review_confirmation(session, officer, nonce, now, demands=DEMANDS, clock_offset=off)
    assert await counts(country) == before
    made = await press(country, username, user, nonce, now + SECOND, LARGEST_OFFSET)
    assert (made.level, made.certified_at) == (level, now + SECOND)


async def test_nothing_is_drawn_marked_or_handed_in(country: Database, now: datetime) -> None:
    off = timedelta(days=3)
    await certify_as(country, f"lao{CODE}", 501, CODE, Level.LAO, now)
    async with country.write() as session:
        officer, rng = await link(session, "province11", 601, now), random.Random(1)
        with pytest.raises(ClockWrong) as refusal:
            await draw(session, officer, CODE, now + off, rng, size=SPOT_CHECK_SIZE, clock_offset=off)
        assert (refusal.value.organization_code, refusal.value.confirmation) == (CODE, None)
        assert (await session.scalars(select(SpotCheck))).all() == []
        check = (await draw(session, officer, CODE, now, rng, size=SPOT_CHECK_SIZE)).check
        # What was drawn can be looked at.
        await draw(session, officer, CODE, now + off, rng, size=SPOT_CHECK_SIZE, clock_offset=off)
        with pytest.raises(ClockWrong):
            await mark(
                session,
                officer,
                CODE,
                check.id,
                1,
                Mark.CORRECT,
                None,
                now + off,
                clock_offset=off,
                despite_empty_menus=True,
            )
        assert (await session.scalars(select(SpotCheckItem.mark))).unique().all() == [None]
        for item in check.items:
            await mark(
                session, officer, CODE, check.id, item.place, Mark.CORRECT, None, now, despite_empty_menus=True
            )
        with pytest.raises(ClockWrong):
            await hand_in(session, officer, CODE, check.id, now + off, None, clock_offset=off)
        assert check.handed_in_at is None
        await hand_in(session, officer, CODE, check.id, now, None)
        assert check.handed_in_at == now


async def test_a_confirmation_from_the_future_is_as_old_as_one_from_the_past(
    country: Database, now: datetime
) -> None:
    """It was shown under a clock that was ahead and is right now."""
    level, username, user = SIDES[0]
    nonce = await ask(country, level, username, user, now + CONFIRMATION_LIFETIME + SECOND, RIGHT)
    with pytest.raises(ConfirmationExpired):
        await press(country, username, user, nonce, now, RIGHT)
    await press(country, username, user, nonce, now + SECOND, RIGHT)
