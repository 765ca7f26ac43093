"""What organizations lack before they can certify."""

from datetime import datetime

from sqlalchemy import delete, update

from models.accounts.account import Account
from models.database.engine import Database
from models.operator.incomplete import Lack, list_incomplete
from tests.support import ORGANIZATIONS, link

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)


async def lacks(database: Database, province: str | None = None) -> dict[str, tuple[Lack, ...]]:
    async with database.read() as session:
        found = await list_incomplete(session, province)
        assert all(one.organization.province.name_th for one in found)
        return {one.organization.dla_code: one.lacks for one in found}


async def test_each_organization_has_its_own_reasons(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, f"lao{FIRST}", 501, now)
        # Linked, and without a PIN.
        (await link(session, f"lao{SECOND}", 502, now)).pin_hash = None
        await link(session, f"lao{THIRD}", 503, now)
        await session.execute(update(Account).where(Account.organization_code == THIRD).values(disabled_at=now))
        await session.execute(delete(Account).where(Account.organization_code == ELSEWHERE))
    expected = {
        WITHOUT_ROSTER: (Lack.NO_ROSTER, Lack.NO_OFFICER),
        SECOND: (Lack.NO_OFFICER,),
        THIRD: (Lack.ACCOUNT_DISABLED, Lack.NO_OFFICER),
        ELSEWHERE: (Lack.NO_ACCOUNT, Lack.NO_OFFICER),
    }
    assert await lacks(country) == expected
    assert await lacks(country, "12") == {ELSEWHERE: expected[ELSEWHERE]}
    # By province and name.
    assert list(await lacks(country)) == [WITHOUT_ROSTER, SECOND, THIRD, ELSEWHERE]


async def test_who_lacks_nothing_is_not_listed(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, f"lao{ELSEWHERE}", 501, now)
    assert await lacks(country, "12") == {}
