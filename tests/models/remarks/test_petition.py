"""Petitions unlock nothing; the operator's decision on one may."""

from datetime import datetime

import pytest
from sqlalchemy import select

from models.accounts.access import NotYours
from models.accounts.account import Role
from models.certification.certificate import Level
from models.certification.certify import ReopenRefused, reopen
from models.certification.remark import OperatorRefused, Remark, RemarkRefused
from models.certification.review import live_certificates
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.organizations.organization import Organization
from models.province.progress import locked_organizations
from models.remarks.petition import (
    NotLocked,
    PetitionPending,
    UnknownPetition,
    count_petitions,
    decide,
    find_remark,
    list_petitions,
    open_petition,
    petition,
    petition_of_province,
    require_petitionable,
)
from models.rounds.round import close_round, current_round
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
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


async def asked(database: Database, now: datetime, words: str = "ขอแก้ไขจำนวนพนักงานจ้าง") -> Remark:
    async with database.write() as session:
        return await petition(session, await link(session, f"lao{FIRST}", 501, now), words, now, OPERATOR)


async def asked_by_province(database: Database, now: datetime, user: int = 601) -> Remark:
    async with database.write() as session:
        officer = await link(session, "province11", user, now)
        organization = await session.get_one(Organization, FIRST)
        made = (await live_certificates(session, FIRST, await current_round(session)))[Level.LAO]
        return await petition_of_province(session, officer, organization, made, "พบวันบรรจุไม่ตรง", now, OPERATOR)


async def test_each_side_has_one_petition_at_a_time(certified: Database, now: datetime) -> None:
    """By the organization and by its province, which has found something in a spot-check."""
    own, provinces = await asked(certified, now), await asked_by_province(certified, now)
    with pytest.raises(PetitionPending):
        await asked(certified, now)
    with pytest.raises(PetitionPending):
        await asked_by_province(certified, now, user=602)
    async with certified.write() as session:
        assert [one.id for one in await list_petitions(session)] == [own.id, provinces.id]
        assert await count_petitions(session) == 2
        for side, made in ((Role.LAO, own), (Role.PROVINCE, provinces)):
            found = await open_petition(session, FIRST, side)
            assert found is not None
            assert found.id == made.id
            assert await open_petition(session, SECOND, side) is None
        with pytest.raises(PetitionPending):
            await require_petitionable(session, await link(session, f"lao{FIRST}", 501, now))


async def test_a_provinces_petition_is_told_to_everybody_else_concerned(
    certified: Database, now: datetime
) -> None:
    async with certified.write() as session:
        await link(session, "province11", 602, now)
        await link(session, f"lao{SECOND}", 502, now)
    await asked_by_province(certified, now)
    async with certified.read() as session:
        told = await session.scalars(
            select(OutboxMessage.chat_id).where(OutboxMessage.kind == NoticeKind.PETITIONED)
        )
        assert set(told) == {501, 602, OPERATOR}


async def test_a_decision_on_one_side_that_reopens_leaves_nothing_to_ask_on_the_other(
    certified: Database, now: datetime
) -> None:
    own, provinces = await asked(certified, now), await asked_by_province(certified, now)
    async with certified.write() as session:
        await decide(session, provinces.id, granted=True, by="ผู้ดูแล", reason=REASON, now=now)
        # Its revision has ended.
        assert await count_petitions(session) == 0
        with pytest.raises(UnknownPetition, match=f"no open petition {own.id}"):
            await decide(session, own.id, granted=True, by="ผู้ดูแล", reason=REASON, now=now)


async def test_after_a_refusal_it_may_be_asked_once_more(certified: Database, now: datetime) -> None:
    first = await asked(certified, now)
    async with certified.write() as session:
        await decide(session, first.id, granted=False, by="ผู้ดูแล", reason=REASON, now=now)
    assert (await asked(certified, now, "ขอแก้ไขอีกครั้งหนึ่ง")).id > first.id


async def test_a_decision_wants_a_name_and_words_and_an_open_round_to_grant(
    certified: Database, now: datetime
) -> None:
    made = await asked(certified, now)
    async with certified.write() as session:
        with pytest.raises(OperatorRefused):
            await decide(session, made.id, granted=True, by="  ", reason=REASON, now=now)
        with pytest.raises(RemarkRefused):
            await decide(session, made.id, granted=True, by="ผู้ดูแล", reason="123", now=now)
        with pytest.raises(UnknownPetition):
            await decide(session, 999, granted=True, by="ผู้ดูแล", reason=REASON, now=now)
        await close_round(session, now)
    with pytest.raises(ReopenRefused):
        async with certified.write() as session:
            await decide(session, made.id, granted=True, by="ผู้ดูแล", reason=REASON, now=now)
    async with certified.write() as session:
        # All of it was taken back; to refuse is always possible.
        assert await count_petitions(session) == 1
        await decide(session, made.id, granted=False, by="ผู้ดูแล", reason=REASON, now=now)
        assert await count_petitions(session) == 0


async def test_a_reopening_ends_what_was_asked(certified: Database, now: datetime) -> None:
    await asked(certified, now)
    async with certified.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
        assert await list_petitions(session) == []
        with pytest.raises(NotLocked):
            await require_petitionable(session, await link(session, f"lao{FIRST}", 501, now))


async def test_a_remark_is_read_by_both_sides_and_nobody_else(certified: Database, now: datetime) -> None:
    made = await asked(certified, now)
    async with certified.write() as session:
        for username, user in ((f"lao{FIRST}", 501), ("province11", 601)):
            assert (await find_remark(session, await link(session, username, user, now), made.id)).id == made.id
        for username, user in ((f"lao{SECOND}", 502), ("province12", 602)):
            with pytest.raises(NotYours):
                await find_remark(session, await link(session, username, user, now), made.id)
        with pytest.raises(NotYours):
            await find_remark(session, await link(session, f"lao{FIRST}", 501, now), 999)
