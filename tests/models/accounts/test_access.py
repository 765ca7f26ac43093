"""Whose organizations an officer may see: an LAO its own, a province those of its province, nobody others."""

from datetime import datetime

import pytest

from models.accounts.access import NotYours, find_organization, require_sight
from models.accounts.account import Role
from models.database.engine import Database
from models.organizations.organization import Organization
from tests.support import ORGANIZATIONS, link

FIRST, SECOND, _, _, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)


async def seen(database: Database, now: datetime, username: str, user: int) -> list[str]:
    """The organizations that an officer of an account finds, of all there are and one that is not there."""
    found = []
    async with database.write() as session:
        officer = await link(session, username, user, now)
        for code in (*(code for code, *_ in ORGANIZATIONS), "9999999", ""):
            try:
                organization = await find_organization(session, officer, code)
            except NotYours:
                continue
            assert organization.dla_code == code
            # A screen names the province, too.
            assert organization.province.code == organization.province_code
            found.append(code)
    return found


async def test_an_lao_finds_itself_alone(country: Database, now: datetime) -> None:
    assert await seen(country, now, f"lao{FIRST}", 501) == [FIRST]
    assert await seen(country, now, f"lao{ELSEWHERE}", 505) == [ELSEWHERE]


async def test_a_province_finds_all_of_its_own(country: Database, now: datetime) -> None:
    assert await seen(country, now, "province11", 601) == [code for code, *_, province in ORGANIZATIONS[:4]]
    assert await seen(country, now, "province12", 602) == [ELSEWHERE]


async def test_an_lao_of_the_same_province_sees_no_neighbour(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        assert officer.account.role is Role.LAO
        await require_sight(session, officer.account, await session.get_one(Organization, FIRST))
        with pytest.raises(NotYours):
            await require_sight(session, officer.account, await session.get_one(Organization, SECOND))
