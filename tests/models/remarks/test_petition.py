"""Petitions unlock nothing; the operator's decision on one may."""

from datetime import datetime

import pytest
from sqlalchemy import select

from models.accounts.access import NotYours
from models.certification.certificate import Level
from models.certification.remark import RemarkRefused
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.province.progress import locked_organizations
from models.remarks.petition import NotLocked, PetitionPending, UnknownPetition, decide, list_petitions, petition
from tests.support import ORGANIZATIONS, certify_as, link

FIRST = ORGANIZATIONS[0][0]
REASON = "พบข้อมูลซ้ำหนึ่งรายการ"
OPERATOR = -1009


@pytest.fixture
async def certified(country: Database, now: datetime) -> Database:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    return country


async def test_a_petition_unlocks_nothing_and_is_told_to_province_and_operator(
    certified: Database, now: datetime
) -> None:
    async with certified.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        made = await petition(session, officer, "  ขอแก้ไข   จำนวนพนักงานจ้าง ", now, OPERATOR)
        assert made.body == "ขอแก้ไข จำนวนพนักงานจ้าง"
        told = await session.scalars(
            select(OutboxMessage.chat_id).where(OutboxMessage.kind == NoticeKind.PETITIONED)
        )
        assert set(told) == {601, OPERATOR}
        assert await locked_organizations(session, {FIRST}) == {FIRST}
        assert [one.id for one in await list_petitions(session)] == [made.id]
        with pytest.raises(PetitionPending):
            await petition(session, officer, "ขออีกครั้งหนึ่ง", now, OPERATOR)


@pytest.mark.parametrize("granted", [True, False])
async def test_a_decision_closes_the_petition(certified: Database, now: datetime, granted: bool) -> None:
    async with certified.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        made = await petition(session, officer, "ขอแก้ไขจำนวนพนักงานจ้าง", now, OPERATOR)
    async with certified.write() as session:
        await decide(session, made.id, granted=granted, by="ผู้ดูแล", reason=REASON, now=now)
        assert await list_petitions(session) == []
        kind = NoticeKind.REOPENED if granted else NoticeKind.PETITION_REFUSED
        told = await session.scalars(select(OutboxMessage.chat_id).where(OutboxMessage.kind == kind))
        assert set(told) == {501, 601}
        assert (FIRST in await locked_organizations(session, {FIRST})) is not granted
        with pytest.raises(UnknownPetition):
            await decide(session, made.id, granted=True, by="ผู้ดูแล", reason=REASON, now=now)


async def test_only_a_locked_lao_petitions_and_in_words(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        with pytest.raises(NotLocked):
            await petition(session, officer, "ขอแก้ไขจำนวน", now, None)
        for words in ("", "  ", "....", "123456", "ก" * 1001):
            with pytest.raises(RemarkRefused):
                await petition(session, officer, words, now, None)
        province = await link(session, "province11", 601, now)
        with pytest.raises(NotYours):
            await petition(session, province, "ขอแก้ไขจำนวน", now, None)
