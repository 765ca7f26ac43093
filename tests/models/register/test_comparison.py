"""A register's numbers beside the last round's, and the explanation that is owed before the LAO certifies."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from models.accounts.access import NotYours
from models.accounts.account import Officer
from models.audit.event_chain import AuditEvent
from models.certification.certificate import Certification, Level
from models.certification.certify import Demands, certify, prepare_confirmation, reopen, review_confirmation
from models.certification.remark import Remark, RemarkKind, RemarkRefused
from models.certification.review import ExplanationMissing, Review, RosterChanged, review
from models.database.engine import Database
from models.operator.verification import verify
from models.register.comparison import is_beyond, marked, numbers
from models.register.roster import Category, Headcount
from models.remarks.explanation import NothingToExplain, explain, require_explainable
from models.remarks.petition import find_remark
from models.rounds.round import NoOpenRound, close_round, open_round
from tests.support import ORGANIZATIONS, certify_as, link, put_roster

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
WHY = "เกษียณสามราย\nยุบตำแหน่ง"


# --- the rule -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "before", "percent", "beyond"),
    [
        (39, 42, 10, False),
        (38, 42, 10, False),
        (37, 42, 10, True),
        (47, 42, 10, True),
        # The very share is not beyond it.
        (9, 10, 10, False),
        (11, 10, 10, False),
        (8, 10, 10, True),
        (0, 0, 10, False),
        (1, 0, 10, True),
        (1, 0, 99, True),
        (0, 7, 10, True),
        (7, 7, 0, False),
        (8, 7, 0, True),
        (0, 7, 100, False),
        (500, 0, 100, False),
    ],
)
def test_which_difference_is_too_much(now: int, before: int, percent: int, beyond: bool) -> None:
    assert is_beyond(now, before, percent) is beyond


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 99))
def test_the_rule_is_that_of_fractions(now: int, before: int, percent: int) -> None:
    share = abs(now - before) / before if before else float("inf") if now else 0.0
    if abs(share - percent / 100) > 1e-9:
        assert is_beyond(now, before, percent) is (share > percent / 100)


def test_the_marks_are_of_categories() -> None:
    now, before = Headcount(9, 3, 5), Headcount(12, 3, 5)
    assert marked(now, before, 10) == (Category.OFFICIAL,)
    assert marked(now, None, 10) == ()
    # The total hides what the categories show.
    assert marked(Headcount(10, 4, 5), Headcount(11, 3, 5), 10) == (Category.PERMANENT_EMPLOYEE,)
    assert numbers(now) == "9/3/5"


# --- what it is compared with -------------------------------------------------------------------------------


async def seen(database: Database, now: datetime, organization: str = FIRST) -> Review:
    async with database.write() as session:
        return await review(
            session, await link(session, f"lao{organization}", int(organization), now), organization
        )


async def next_round(database: Database, fiscal_year: int, now: datetime) -> None:
    async with database.write() as session:
        await close_round(session, now)
        await open_round(session, fiscal_year, None, now)


async def change(
    database: Database, counts: tuple[int, int, int], now: datetime, organization: str = FIRST
) -> None:
    async with database.write() as session:
        await put_roster(session, organization, counts, now)


async def certify_lao(database: Database, now: datetime, percent: int = 100) -> Certification:
    return await certify_as(database, f"lao{FIRST}", 501, FIRST, Level.LAO, now, difference_percent=percent)


@pytest.fixture
async def later(country: Database, now: datetime) -> Database:
    """Certified in 2570 with 12, 3 and 5; in 2571 there are 9, 3 and 5."""
    await certify_lao(country, now)
    await next_round(country, 2571, now)
    await change(country, (9, 3, 5), now)
    return country


async def test_the_first_round_is_compared_with_nothing(country: Database, now: datetime) -> None:
    shown = await seen(country, now)
    assert (shown.previous, shown.previous_year, shown.explanation) == (None, None, None)
    assert shown.marked(0) == ()
    await certify_lao(country, now, percent=0)
    assert (await seen(country, now)).previous is None


async def test_the_last_round_is_of_the_organization_itself(later: Database, now: datetime) -> None:
    shown = await seen(later, now)
    assert (shown.previous, shown.previous_year) == (Headcount(12, 3, 5), 2570)
    assert shown.marked(10) == (Category.OFFICIAL,)
    assert (await seen(later, now, SECOND)).previous is None


async def test_the_newest_earlier_round_with_a_certificate_counts(later: Database, now: datetime) -> None:
    await next_round(later, 2572, now)
    assert (await seen(later, now)).previous_year == 2570
    await certify_lao(later, now)
    await next_round(later, 2573, now)
    shown = await seen(later, now)
    assert (shown.previous, shown.previous_year) == (Headcount(9, 3, 5), 2572)


async def test_an_ended_revision_is_not_compared_with(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
    await change(country, (11, 3, 5), now)
    # Reopened and not certified anew: nothing of that round counts.
    await next_round(country, 2571, now)
    assert (await seen(country, now)).previous is None
    await certify_lao(country, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
    await change(country, (10, 3, 5), now)
    await certify_lao(country, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    await next_round(country, 2572, now)
    shown = await seen(country, now)
    assert (shown.previous, shown.previous_year) == (Headcount(10, 3, 5), 2571)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The SELECTs that are made meanwhile."""
    made: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            made.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_review_is_three_queries(later: Database, now: datetime) -> None:
    async with later.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        with counted(later) as made:
            shown = await review(session, officer, FIRST)
    assert shown.previous is not None
    assert len(made) == 3, made
    assert all("organization_code =" in one or "dla_code =" in one for one in made)


# --- the explanation ----------------------------------------------------------------------------------------


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
        assert (await find_remark(session, officer, made.id)).author == "ทดสอบ ลงนาม · ปลัด"
    await certify_as(later, "province11", 601, FIRST, Level.PROVINCE, now, difference_percent=10)
    async with later.read() as session:
        assert (await verify(session)).breaks == []
        kinds = await session.scalars(
            select(AuditEvent.kind).where(AuditEvent.chain == FIRST).order_by(AuditEvent.number)
        )
        assert [kind for kind in kinds if kind != "login"] == ["certified", "explained", "certified", "certified"]


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
