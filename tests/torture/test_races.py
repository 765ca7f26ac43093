"""Simultaneous presses, repeated presses and presses on changed figures have exactly one effect, or none."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select, update

from models.certification.certificate import Certification, Level
from models.certification.certify import AlreadyCertified, certify, prepare_confirmation, reopen
from models.certification.review import RosterChanged, review
from models.database.engine import Database
from models.register.roster import PersonnelRecord
from tests.support import DEMANDS, ORGANIZATIONS, link

ON_STOCK_DRIVER_TOO = True

FIRST = ORGANIZATIONS[0][0]
USERS = range(501, 509)


async def warnings(database: Database, now: datetime, rng: random.Random, users: range = USERS) -> dict[int, str]:
    """Show each officer the warning before the press. Returns the confirmations' nonces by user id."""
    async with database.write() as session:
        nonces = {}
        for user in users:
            officer = await link(session, f"lao{FIRST}", user, now)
            current = await review(session, officer, FIRST)
            confirmation, _ = await prepare_confirmation(
                session, officer, Level.LAO, FIRST, current.fingerprint(Level.LAO), now, rng, demands=DEMANDS
            )
            nonces[user] = confirmation.nonce
        return nonces


async def press(database: Database, user: int, nonce: str, now: datetime, rng: random.Random) -> Certification:
    async with database.write() as session:
        officer = await link(session, f"lao{FIRST}", user, now)
        return await certify(session, officer, nonce, now, rng, demands=DEMANDS)


async def start_again(database: Database, now: datetime) -> None:
    async with database.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "ทดสอบซ้ำ", now)


async def test_eight_simultaneous_confirmations(
    country: Database, now: datetime, times: Callable[[int], int]
) -> None:
    rng = random.Random(8)
    rounds = times(1000)
    for _ in range(rounds):
        nonces = await warnings(country, now, rng)
        ended = await asyncio.gather(
            *(press(country, user, nonce, now, rng) for user, nonce in nonces.items()), return_exceptions=True
        )
        assert Counter(type(outcome) for outcome in ended) == {Certification: 1, AlreadyCertified: 7}
        await start_again(country, now)
    async with country.read() as session:
        counted = await session.execute(
            select(Certification.revision, func.count()).group_by(Certification.revision)
        )
        assert dict(counted.all()) == dict.fromkeys(range(1, rounds + 1), 1)
    print(f"{rounds} rounds of 8 simultaneous confirmations: {rounds} certificates")


async def test_repeated_presses(country: Database, now: datetime, times: Callable[[int], int]) -> None:
    rng = random.Random(9)
    nonces = await warnings(country, now, rng)
    await press(country, USERS[0], nonces[USERS[0]], now, rng)
    presses = times(1000)
    refused = 0
    for number in range(presses):
        user = USERS[number % len(USERS)]
        try:
            await press(country, user, nonces[user], now, rng)
        except AlreadyCertified:
            refused += 1
    async with country.read() as session:
        certificates = await session.scalar(select(func.count()).select_from(Certification))
    assert (refused, certificates) == (presses, 1)
    print(f"{presses} repeated presses: {presses - refused} extra effects")


async def test_rosters_that_change_between_screen_and_press(
    country: Database, now: datetime, times: Callable[[int], int]
) -> None:
    rng = random.Random(10)
    changes = times(1000)
    refused = 0
    for number in range(changes):
        nonces = await warnings(country, now, rng, range(501, 502))
        async with country.write() as session:
            column = rng.choice(["full_name", "position", "level", "menus"])
            await session.execute(
                update(PersonnelRecord)
                .where(
                    PersonnelRecord.organization_code == FIRST,
                    PersonnelRecord.record_no == f"{rng.randint(1, 20):04}",
                )
                .values({column: f"เปลี่ยน {number}"})
            )
        try:
            await press(country, 501, nonces[501], now, rng)
        except RosterChanged:
            refused += 1
    async with country.read() as session:
        certificates = await session.scalar(select(func.count()).select_from(Certification))
    assert (refused, certificates) == (changes, 0)
    print(f"{changes} rosters changed between screen and press: {refused} refusals")
