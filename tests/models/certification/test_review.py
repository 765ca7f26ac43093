"""Reopening: the way back that keeps everything."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from models.certification.certificate import Level, Status
from models.certification.certify import AlreadyCertified, ReopenRefused, certify, prepare_confirmation, reopen
from models.certification.history import load_history
from models.certification.review import RosterChanged, own_status, review
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.province.progress import count_statuses, locked_organizations
from models.rounds.round import close_round
from tests.support import DEMANDS, ORGANIZATIONS, certify_as, link, put_roster

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
REASON = "พบข้อมูลซ้ำหนึ่งรายการ"


@pytest.fixture
async def certified(country: Database, now: datetime) -> Database:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    return country


async def test_a_reopened_register_is_certified_anew_and_nothing_is_lost(
    certified: Database, now: datetime
) -> None:
    async with certified.write() as session:
        ended = await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
        assert ended.revision == 1
        assert (await own_status(session, FIRST))[1] is Status.UNCERTIFIED
        assert await locked_organizations(session, {FIRST}) == set()
        (counts,) = await count_statuses(session, "11")
        assert counts.uncertified == counts.total
        await put_roster(session, FIRST, (11, 3, 5), now)
    await certify_as(certified, f"lao{FIRST}", 501, FIRST, Level.LAO, now + timedelta(hours=1))
    async with certified.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        found = await load_history(session, officer, FIRST)
        assert [(one.revision, one.level, one.headcount.total) for one in found.certificates] == [
            (2, Level.LAO, 19),
            (1, Level.PROVINCE, 20),
            (1, Level.LAO, 20),
        ]
        assert [found.end_of(one) is not None for one in found.certificates] == [False, True, True]
        shown = await review(session, officer, FIRST)
        assert (shown.revision, shown.status) == (2, Status.LAO_CERTIFIED)


async def test_only_what_is_certified_in_an_open_round_is_reopened(certified: Database, now: datetime) -> None:
    with pytest.raises(ReopenRefused, match="not certified"):
        async with certified.write() as session:
            await reopen(session, SECOND, "ผู้ดูแล", REASON, now)
    async with certified.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
    with pytest.raises(ReopenRefused, match="not certified"):
        async with certified.write() as session:
            await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
    await certify_as(certified, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with certified.write() as session:
        await close_round(session, now)
    with pytest.raises(ReopenRefused, match="no round is open"):
        async with certified.write() as session:
            await reopen(session, FIRST, "ผู้ดูแล", REASON, now)


async def test_both_sides_are_told_of_a_reopening(certified: Database, now: datetime) -> None:
    async with certified.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
        told = await session.scalars(
            select(OutboxMessage.chat_id).where(OutboxMessage.kind == NoticeKind.REOPENED)
        )
        assert set(told) == {501, 601}


async def test_a_warning_of_an_ended_revision_confirms_nothing(country: Database, now: datetime) -> None:
    """A warning that was shown before a reopening is bound to the old revision."""
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        seen = await review(session, officer, FIRST)
        asked, _ = await prepare_confirmation(
            session, officer, Level.LAO, FIRST, seen.fingerprint(Level.LAO), now, random.Random(1), demands=DEMANDS
        )
    await certify_as(country, f"lao{FIRST}", 502, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        with pytest.raises(AlreadyCertified):
            await certify(session, officer, asked.nonce, now, random.Random(2), demands=DEMANDS)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        with pytest.raises(RosterChanged):
            await certify(session, officer, asked.nonce, now, random.Random(2), demands=DEMANDS)
