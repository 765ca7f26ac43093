"""What an organization is called, and that those who change something of it follow one another."""

import asyncio

import pytest
from sqlalchemy import select, update

from models.database.engine import Database
from models.organizations.organization import Organization, UnknownOrganization, full_name, lock_organization
from tests.support import ORGANIZATIONS

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])


def test_a_name_is_that_of_its_type_and_its_own_but_for_the_special_area() -> None:
    assert full_name("subdistrict_municipality", "เทศบาลตำบล", "บางปู") == "เทศบาลตำบลบางปู"
    assert full_name("tao", "อบต.", "บางปู") == "อบต.บางปู"
    assert full_name("special_admin_area", "เมืองพัทยา", "เมืองพัทยา") == "เมืองพัทยา"


async def test_the_organization_that_is_held_is_given(country: Database) -> None:
    async with country.write() as session:
        assert (await lock_organization(session, FIRST)).full_name == "เทศบาลตำบลบางปู"
        with pytest.raises(UnknownOrganization, match="there is no organization 9999999"):
            await lock_organization(session, "9999999")


async def test_who_holds_it_sees_what_the_one_before_has_left(country: Database) -> None:
    """Each adds a letter to the name that it has read: none of them is lost."""

    async def add() -> None:
        async with country.write() as session:
            held = await lock_organization(session, FIRST)
            await asyncio.sleep(0)
            own = update(Organization).where(Organization.dla_code == FIRST)
            await session.execute(own.values(district_th=held.district_th + "ก"))

    await asyncio.gather(*(add() for _ in range(6)))
    async with country.read() as session:
        named = select(Organization.district_th).where(Organization.dla_code == FIRST)
        assert await session.scalar(named) == "เมืองสมุทรปราการ" + "ก" * 6


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_others_are_not_held_up(country: Database) -> None:
    async with country.write() as holding:
        await lock_organization(holding, FIRST)
        async with country.write() as session, asyncio.timeout(60):
            assert (await lock_organization(session, SECOND)).dla_code == SECOND
