"""The explanation that is owed before the LAO certifies other numbers than last year's."""

import random
from datetime import datetime

import pytest
from sqlalchemy import select

from models.accounts.access import NotYours
from models.accounts.account import Officer
from models.audit.event_chain import AuditEvent
from models.certification.certificate import Level
from models.certification.certify import Demands, certify, prepare_confirmation, reopen, review_confirmation
from models.certification.remark import Remark, RemarkKind, RemarkRefused
from models.certification.review import ExplanationMissing, RosterChanged, review
from models.database.engine import Database
from models.register.roster import Headcount
from models.remarks.explanation import NothingToExplain, explain, require_explainable
from models.remarks.petition import find_remark
from models.rounds.round import NoOpenRound, close_round
from models.verification.verify import verify
from tests.models.register.years import FIRST, certify_lao, change, seen, year_later
from tests.support import certify_as, link

WHY = "เกษียณสามราย\nยุบตำแหน่ง"


@pytest.fixture
async def later(country: Database, now: datetime) -> Database:
    return await year_later(country, now)


async def explained(database: Database, about: str, now: datetime, percent: int = 10) -> Remark:
    async with database.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        return await explain(session, officer, about, WHY, now, difference_percent=percent)


async def test_the_lao_explains_before_it_certifies(later: Database, now: datetime) -> None:
    with pytest.raises(ExplanationMissing) as refused:
        await certify_lao(later, now, percent=10)
    assert refused.value.review.roster.headcount == Headcount(9, 3, 5)
    made = await explained(later, "9/3/5", now)
    assert (made.kind, made.about, made.body, made.revision) == (RemarkKind.EXPLANATION, "9/3/5", WHY, 1)
    await certify_lao(later, now, percent=10)
    # The province reads it on its review, and certifies.
    async with later.write() as session:
        officer = await link(session, "province11", 601, now)
        shown = await review(session, officer, FIRST)
        assert shown.explanation is not None
        assert (shown.explanation.body, shown.remarks) == (WHY, 1)
        assert (await find_remark(session, officer, made.id)).author == "ทดสอบ ลงนาม ปลัด"
    await certify_as(later, "province11", 601, FIRST, Level.PROVINCE, now, difference_percent=10)
    async with later.read() as session:
        assert (await verify(session)).breaks == []
        kinds = await session.scalars(
            select(AuditEvent.kind).where(AuditEvent.chain == FIRST).order_by(AuditEvent.number)
        )
        told = [kind for kind in kinds if kind in ("certified", "explained")]
        assert told == ["certified", "explained", "certified", "certified"]


async def test_the_press_itself_wants_the_explanation(later: Database, now: datetime) -> None:
    """A warning that was shown while nothing had to be explained does not get around it."""
    rng = random.Random(1)
    async with later.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        shown = await review(session, officer, FIRST)
        asked, _ = await prepare_confirmation(
            session, officer, Level.LAO, FIRST, shown.fingerprint(Level.LAO), now, rng, demands=Demands(0, 100)
        )
        with pytest.raises(ExplanationMissing):
            await review_confirmation(session, officer, asked.nonce, now, demands=Demands(0, 10))
        with pytest.raises(ExplanationMissing):
            await certify(session, officer, asked.nonce, now, rng, demands=Demands(0, 10))


async def test_other_numbers_want_another_explanation(later: Database, now: datetime) -> None:
    await explained(later, "9/3/5", now)
    await change(later, (8, 3, 5), now)
    assert (await seen(later, now)).explanation is None
    with pytest.raises(ExplanationMissing):
        await certify_lao(later, now, percent=10)
    # The officer had the old numbers before its eyes.
    with pytest.raises(RosterChanged):
        await explained(later, "9/3/5", now)
    await explained(later, "8/3/5", now)
    await certify_lao(later, now, percent=10)


async def test_a_new_revision_wants_a_new_explanation(later: Database, now: datetime) -> None:
    await explained(later, "9/3/5", now)
    await certify_lao(later, now, percent=10)
    async with later.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
    with pytest.raises(ExplanationMissing):
        await certify_lao(later, now, percent=10)
    made = await explained(later, "9/3/5", now)
    assert made.revision == 2
    await certify_lao(later, now, percent=10)


async def test_what_needs_no_explanation_takes_none(later: Database, now: datetime) -> None:
    with pytest.raises(NothingToExplain):
        await explained(later, "9/3/5", now, percent=100)
    with pytest.raises(NothingToExplain):
        await explained(later, "9/3/5", now, percent=25)
    await explained(later, "9/3/5", now)
    with pytest.raises(NothingToExplain):
        await explained(later, "9/3/5", now)
    await certify_lao(later, now, percent=10)
    async with later.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
    await certify_lao(later, now, percent=100)
    with pytest.raises(NothingToExplain):
        await explained(later, "9/3/5", now)


async def test_only_the_lao_itself_explains_in_an_open_round(later: Database, now: datetime) -> None:
    async with later.write() as session:
        for username, user in (("province11", 601), ("province12", 602)):
            officer: Officer = await link(session, username, user, now)
            with pytest.raises(NotYours):
                await explain(session, officer, "9/3/5", WHY, now, difference_percent=10)
            with pytest.raises(NotYours):
                await require_explainable(session, officer, difference_percent=10)
        lao = await link(session, f"lao{FIRST}", 501, now)
        with pytest.raises(RemarkRefused):
            await explain(session, lao, "9/3/5", "123 456", now, difference_percent=10)
        await close_round(session, now)
        with pytest.raises(NoOpenRound):
            await explain(session, lao, "9/3/5", WHY, now, difference_percent=10)
        assert list(await session.scalars(select(Remark))) == []
