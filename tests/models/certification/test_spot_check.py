"""A draw can be neither foreseen nor chosen, and can be drawn again by anybody."""

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from models.certification.certificate import Level
from models.certification.spot_check import Mark, SpotCheck, Verdict, is_drawn_from, verdict
from models.database.engine import Database
from models.register.roster import Category
from models.register.sampling import sample
from models.spot_checks.spot_checking import hand_in, mark
from models.verification.verify import verify
from tests.models.certification.spot_checks import WAITING, drawn, marked, province
from tests.support import certify_as

# --- the sample: a pure function of the seed and the register ------------------------------------------------

seeds = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
registers = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8),
    st.sampled_from(Category),
    max_size=60,
).map(lambda found: list(found.items()))


@settings(deadline=None)
@given(seeds, registers, st.integers(0, 25))
def test_a_sample_is_spread_over_the_categories(
    seed: str, register: list[tuple[str, Category]], size: int
) -> None:
    drawn = sample(seed, register, size)
    assert len(drawn) == len(set(drawn)) == min(size, len(register))
    assert set(drawn) <= {record_no for record_no, _ in register}
    counts = Counter(category for _, category in register)
    places = Counter(dict(register)[record_no] for record_no in drawn)
    if size >= len(counts):
        assert set(places) == set(counts), "each category that has records has one"
    elif size:
        assert set(places.values()) <= {1}
    for one in counts:
        for other in counts:
            # Nobody has a place beyond its first that another category needed more.
            if places[one] > 1 and places[other] < counts[other]:
                assert counts[one] * (places[other] + 1) >= counts[other] * places[one]


@settings(deadline=None)
@given(seeds, registers, st.integers(0, 25), st.randoms(use_true_random=False))
def test_the_order_of_the_register_does_not_matter(
    seed: str, register: list[tuple[str, Category]], size: int, rng: random.Random
) -> None:
    drawn = sample(seed, register, size)
    rng.shuffle(register)
    assert sample(seed, register, size) == drawn
    # What the certificate keeps draws the same again.
    assert sample(seed, register, len(drawn)) == drawn


def test_the_rule_stays_as_it_is() -> None:
    """Certificates keep the seed: an older sample must be drawn again for ever, by any Python."""
    register = [(f"{number:04}", tuple(Category)[number % 7 % 3]) for number in range(1, 30)]
    assert sample("ab" * 32, register, 5) == ["0007", "0021", "0011", "0001", "0016"]
    assert sample("ab" * 32, register[:2], 5) == ["0001", "0002"]


def test_every_record_has_its_chance() -> None:
    register = [(f"{number:04}", Category.OFFICIAL) for number in range(40)]
    drawn = Counter(number for seed in range(2000) for number in sample(f"{seed:064x}", register, 3))
    assert len(drawn) == 40
    # 2,000 draws of 3 from 40: 150 for each, give or take four standard deviations.
    assert all(abs(times - 150) < 4 * 12 for times in drawn.values())


def test_places_follow_the_numbers() -> None:
    sizes = {Category.OFFICIAL: 60, Category.PERMANENT_EMPLOYEE: 2, Category.CONTRACT_EMPLOYEE: 30}
    register = [(f"{category}{n}", category) for category, count in sizes.items() for n in range(count)]
    drawn = Counter(dict(register)[number] for number in sample("0" * 64, register, 10))
    assert drawn == {
        Category.OFFICIAL: 6,
        Category.PERMANENT_EMPLOYEE: 1,
        Category.CONTRACT_EMPLOYEE: 3,
    }


def test_what_the_verdict_is_of() -> None:
    assert verdict(None, size=0, records=20) is Verdict.NOT_NEEDED
    assert verdict(None, size=3, records=0) is Verdict.NOT_NEEDED
    assert verdict(None, size=3, records=1) is Verdict.OPEN


@pytest.mark.parametrize("certified", ["", "[]", "{}", '{"records":[],"seed":"","size":0}'])
def test_nonsense_is_no_sample(certified: str) -> None:
    assert not is_drawn_from(certified, [])


@pytest.fixture
async def waiting(country: Database, now: datetime) -> Database:
    """เทศบาลตำบลบางปู waits for its province."""
    await certify_as(country, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    return country


# --- what the database itself keeps ---------------------------------------------------------------------------

ALWAYS = {
    "another seed": "UPDATE spot_check SET seed = 'x'",
    "another time": "UPDATE spot_check SET drawn_at = '2026-01-01 00:00:00'",
    "another officer": "UPDATE spot_check SET officer_id = officer_id + 1",
    "another revision": "UPDATE spot_check SET revision = 2",
    "another number": "UPDATE spot_check SET id = id + 1",
    "the draw taken away": "DELETE FROM spot_check",
    "another record": "UPDATE spot_check_item SET record_no = 'x' WHERE place = 1",
    "another place": "UPDATE spot_check_item SET place = 9 WHERE place = 1",
    "a record taken away": "DELETE FROM spot_check_item WHERE place = 1",
    "another basis": "UPDATE spot_check SET basis = '{}'",
    "no basis": "UPDATE spot_check SET basis = NULL",
    "the draw once more": "INSERT INTO spot_check"
    " (organization_code, round_id, revision, officer_id, seed, drawn_at, basis)"
    " SELECT organization_code, round_id, revision, officer_id, 'x', drawn_at, basis FROM spot_check",
    "a draw that is handed in": "INSERT INTO spot_check"
    " (organization_code, round_id, revision, officer_id, seed, drawn_at, basis, handed_in_at)"
    " SELECT organization_code, round_id, 9, officer_id, 'x', drawn_at, basis, drawn_at FROM spot_check",
    # As one by rule 1, which takes no look at what was reopened.
    "a draw without its basis": "INSERT INTO spot_check"
    " (organization_code, round_id, revision, officer_id, seed, drawn_at)"
    " SELECT organization_code, round_id, 9, officer_id, 'x', drawn_at FROM spot_check",
}
UNFINISHED = {"handed in too early": "UPDATE spot_check SET handed_in_at = drawn_at"}
HANDED_IN = {
    "another mark": "UPDATE spot_check_item SET mark = 'incorrect' WHERE place = 1",
    "no mark": "UPDATE spot_check_item SET mark = NULL",
    "another note": "UPDATE spot_check_item SET note = 'x'",
    "a record more": "INSERT INTO spot_check_item (spot_check_id, place, record_no, mark)"
    " SELECT id, 4, '0020', 'correct' FROM spot_check",
    "handed in again": "UPDATE spot_check SET handed_in_at = '2027-01-01 00:00:00'",
    "not handed in any more": "UPDATE spot_check SET handed_in_at = NULL",
}
REFUSED = r"drawn once|never changed|unique|duplicate|(?i:foreign key)"


async def contents(database: Database) -> list[object]:
    async with database.read() as session:
        return [
            [tuple(row) for row in await session.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]
            for table in ("spot_check", "spot_check_item")
        ]


async def refuses(database: Database, statement: str) -> None:
    before = await contents(database)
    with pytest.raises(DBAPIError, match=REFUSED):
        async with database.write() as session:
            await session.execute(text(statement))
    assert await contents(database) == before


async def test_a_draw_is_kept_against_raw_sql(waiting: Database, now: datetime) -> None:
    check = await marked(waiting, now, Mark.CORRECT, Mark.CORRECT)
    for statement in (*ALWAYS.values(), *UNFINISHED.values()):
        await refuses(waiting, statement)
    async with waiting.write() as session:
        officer = await province(session, now)
        await mark(session, officer, WAITING, check, 3, Mark.CORRECT, None, now, despite_empty_menus=True)
        await hand_in(session, officer, WAITING, check, now, None)
    for statement in (*ALWAYS.values(), *HANDED_IN.values()):
        await refuses(waiting, statement)


SQLITE_REPLACES = {
    "the draw by its key": "INSERT OR REPLACE INTO spot_check"
    " (organization_code, round_id, revision, officer_id, seed, drawn_at, basis)"
    " SELECT organization_code, round_id, revision, officer_id, 'x', drawn_at, basis FROM spot_check",
    "the draw by its number": "INSERT OR REPLACE INTO spot_check"
    " (id, organization_code, round_id, revision, officer_id, seed, drawn_at, basis)"
    " SELECT id, organization_code, round_id, 9, officer_id, 'x', drawn_at, basis FROM spot_check",
    "a record by its place": "INSERT OR REPLACE INTO spot_check_item (spot_check_id, place, record_no)"
    " SELECT id, 1, 'x' FROM spot_check",
    "a record by its number": "INSERT OR REPLACE INTO spot_check_item (spot_check_id, place, record_no)"
    " SELECT spot_check_id, 9, record_no FROM spot_check_item WHERE place = 1",
    "a record by another's place": "UPDATE OR REPLACE spot_check_item SET place = 2 WHERE place = 1",
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_handed_in", [False, True])
async def test_replace_from_a_connection_without_pragmas(
    waiting: Database, now: datetime, is_handed_in: bool
) -> None:
    check = await marked(waiting, now, *[Mark.CORRECT] * 3)
    if is_handed_in:
        async with waiting.write() as session:
            await hand_in(session, await province(session, now), WAITING, check, now, None)
    before = await contents(waiting)
    foreign = sqlite3.connect(str(waiting.url.database))
    for statement in SQLITE_REPLACES.values():
        with pytest.raises(sqlite3.IntegrityError, match="drawn once"):
            foreign.execute(statement)
    foreign.close()
    assert await contents(waiting) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", ["spot_check", "spot_check_item"])
async def test_truncate_is_refused(waiting: Database, now: datetime, table: str) -> None:
    await drawn(waiting, now)
    await refuses(waiting, f"TRUNCATE {table} CASCADE")


# --- drawn again by the record ---------------------------------------------------------------------------------


def other_seed(kept: dict[str, object]) -> None:
    kept["seed"] = "0" * 64


def other_record(kept: dict[str, object]) -> None:
    kept["records"][0]["record_no"] = "0019"  # type: ignore[index]


def one_less(kept: dict[str, object]) -> None:
    kept["records"].pop()  # type: ignore[attr-defined]


def none_at_all(kept: dict[str, object]) -> None:
    kept["records"], kept["size"] = [], 0


@pytest.mark.parametrize("tamper", [other_seed, other_record, one_less, none_at_all])
async def test_audit_verify_draws_the_sample_again(
    waiting: Database, now: datetime, tamper: Callable[[dict[str, object]], None]
) -> None:
    made = await certify_as(waiting, "province11", 601, WAITING, Level.PROVINCE, now)
    kept = json.loads(made.spot_check or "")
    tamper(kept)
    async with waiting.write() as session:
        if waiting.is_sqlite:
            await session.execute(text("DROP TRIGGER certification_no_update"))
        else:
            await session.execute(text("ALTER TABLE certification DISABLE TRIGGER USER"))
        await session.execute(
            text("UPDATE certification SET spot_check = :kept WHERE id = :id").bindparams(
                kept=json.dumps(kept), id=made.id
            )
        )
    async with waiting.read() as session:
        breaks = (await verify(session)).breaks
        assert await session.scalar(select(SpotCheck.seed))
    assert f"spot-check of certificate {made.code}: its seed does not draw its sample" in breaks
