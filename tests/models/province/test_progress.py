"""How far the organizations are: counts, a province's day, and what is locked."""

from datetime import datetime, timedelta

import pytest

from models.certification.certificate import Level, Status
from models.certification.certify import reopen
from models.database.engine import Database
from models.province.progress import (
    Day,
    UnknownProvince,
    count_certificates,
    count_day,
    count_statuses,
    locked_organizations,
    require_province,
)
from models.rounds.round import close_round, current_round, open_round
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
        day = await count_day(session, officer, round_.id, now)
        assert (day, day.total) == (Day(certified=1, waiting=1), 2)
        outsider = await link(session, "province12", 701, now)
        assert await count_day(session, outsider, round_.id, now) == Day(0, 0)


ABROAD = ORGANIZATIONS[4][0]
ALL = {code for code, *_ in ORGANIZATIONS}


async def counted(database: Database, province: str | None = None) -> dict[str, list[int]]:
    """Uncertified, certified by the LAO, and by the province."""
    async with database.read() as session:
        return {
            one.province.code: [one.of(status) for status in Status]
            for one in await count_statuses(session, province)
        }


async def test_each_organization_counts_once_by_how_far_it_is(country: Database, now: datetime) -> None:
    assert await counted(country) == {"11": [4, 0, 0], "12": [1, 0, 0]}
    for code, user in ((FIRST, 501), (SECOND, 502)):
        await certify_as(country, f"lao{code}", user, code, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    assert await counted(country) == {"11": [2, 1, 1], "12": [1, 0, 0]}
    assert await counted(country, "12") == {"12": [1, 0, 0]}
    async with country.read() as session:
        assert await count_certificates(session) == {Level.LAO: 2, Level.PROVINCE: 1}
        (own,) = await count_statuses(session, "11")
        assert (own.total, own.province.name_th) == (4, "สมุทรปราการ")
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
        assert await count_certificates(session) == {Level.LAO: 1}
    assert await counted(country, "11") == {"11": [3, 1, 0]}


async def test_only_the_newest_round_counts_and_locks(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        assert await locked_organizations(session, ALL) == {FIRST}
        assert await locked_organizations(session, ALL - {FIRST}) == set()
        # Closed, it is still the newest.
        await close_round(session, now)
        assert await locked_organizations(session, ALL) == {FIRST}
        await open_round(session, 2571, None, now)
        assert await locked_organizations(session, ALL) == set()
        assert await count_certificates(session) == {}
    assert await counted(country, "11") == {"11": [4, 0, 0]}


async def test_a_province_alone_locks_nothing_that_was_reopened(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
        assert await locked_organizations(session, ALL) == set()


async def test_before_the_first_round_nothing_is_certified(database: Database) -> None:
    async with database.read() as session:
        assert await locked_organizations(session, ALL) == set()
        assert await count_certificates(session) == {}
        assert await count_statuses(session) == []


async def test_a_province_is_known_by_its_code(country: Database) -> None:
    async with country.read() as session:
        assert (await require_province(session, "12")).name_en == "Nonthaburi"
        for code in ("1", "99", "", "สมุทรปราการ"):
            with pytest.raises(UnknownProvince, match=f"there is no province {code}; see the codes in"):
                await require_province(session, code)


async def test_a_day_begins_at_midnight_in_bangkok(country: Database, now: datetime) -> None:
    """17.00 UTC is midnight there."""
    evening = now.replace(hour=16, minute=59)
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, evening)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, evening)
    async with country.write() as session:
        officer = await link(session, "province11", 601, now)
        assert await count_day(session, officer, 1, evening) == Day(certified=1, waiting=0)
        assert await count_day(session, officer, 1, now.replace(hour=17, minute=0)) == Day(certified=0, waiting=0)
        # Another round, and another province.
        assert await count_day(session, officer, 99, evening) == Day(0, 0)
        abroad = await link(session, "province12", 602, now)
        assert await count_day(session, abroad, 1, evening) == Day(0, 0)
