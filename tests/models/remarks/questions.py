"""Questions and their answers, one each by its side."""

from datetime import datetime

from models.certification.remark import Remark
from models.database.engine import Database
from models.remarks.question import Topic, answer, ask
from tests.support import ORGANIZATIONS, link

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
ASKED, ANSWERED = "เหตุใดพนักงานจ้างจึงเพิ่มขึ้น", "รับโอนจากโรงเรียน"
LAO, PROVINCE = (f"lao{FIRST}", 501), ("province11", 601)


async def question(
    database: Database, now: datetime, about: str = Topic.OFFICIAL, organization: str = FIRST
) -> Remark:
    async with database.write() as session:
        return await ask(session, await link(session, *PROVINCE, now), organization, about, ASKED, now)


async def reply(database: Database, number: int, now: datetime, who: tuple[str, int] = LAO) -> Remark:
    async with database.write() as session:
        return await answer(session, await link(session, *who, now), number, ANSWERED, now)
