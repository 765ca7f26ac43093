"""What was certified and what ended it: whole, newest first, and for those concerned."""

from datetime import datetime

import pytest

from models.certification.certificate import Level
from models.certification.history import UnknownCode, find_by_code, load_history
from models.database.engine import Database
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
REASON = "พบข้อมูลซ้ำหนึ่งรายการ"


@pytest.fixture
async def certified(country: Database, now: datetime) -> Database:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    return country


async def test_a_verification_code_is_for_those_concerned(certified: Database, now: datetime) -> None:
    async with certified.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        made = (await load_history(session, officer, FIRST)).certificates[0]
        for typed in (made.code, made.code.lower(), f"{made.code[:5]}-{made.code[5:]}", f" {made.code} "):
            assert (await find_by_code(session, officer, typed))[0].id == made.id
        province = await link(session, "province11", 601, now)
        assert (await find_by_code(session, province, made.code))[1] is None
        for outsider in (
            await link(session, f"lao{SECOND}", 502, now),
            await link(session, "province12", 602, now),
        ):
            with pytest.raises(UnknownCode):
                await find_by_code(session, outsider, made.code)
        with pytest.raises(UnknownCode):
            await find_by_code(session, officer, "0000000000")
