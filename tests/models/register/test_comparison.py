"""A register's numbers beside the last round's: what is compared, and which difference is too much."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from models.certification.certificate import Level
from models.certification.certify import reopen
from models.certification.review import review
from models.database.engine import Database
from models.register.comparison import is_beyond, marked, numbers
from models.register.roster import Category, Headcount
from tests.models.register.years import FIRST, SECOND, certify_lao, change, next_round, seen, year_later
from tests.support import certify_as, link

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


@pytest.fixture
async def later(country: Database, now: datetime) -> Database:
    return await year_later(country, now)


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
