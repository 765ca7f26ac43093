"""After a reopening: beside the sample of the register what was not correct is drawn, and what has changed."""

import hashlib
import json
import random
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit import event_chain
from models.certification.certificate import Certification, Level
from models.certification.spot_check import Basis, Mark, draw_numbers, is_drawn_from
from models.database.engine import Database
from models.register.roster import Category, PersonnelRecord, Roster
from models.register.sampling import sample
from models.security.keys import Keyring
from models.spot_checks.spot_checking import MAX_NOTES, Checking, draw, hand_in, load_checking, mark
from models.verification.verify import verify
from tests.models.audit.record import without_triggers
from tests.models.certification.reopened import (
    FIRST,
    add,
    certify_both,
    certify_lao,
    change,
    corrected,
    remove,
    reopened,
)
from tests.models.certification.spot_checks import NOTE, province
from tests.support import certify_as, put_roster

SIZE = 3
ROOT = Path(__file__).parents[3]


async def draw_for(database: Database, now: datetime, seed: int = 7, size: int = SIZE) -> Checking:
    async with database.write() as session:
        return await draw(session, await province(session, now), FIRST, now, random.Random(seed), size=size)


def numbers(found: Checking) -> list[str]:
    return [item.record_no for item in found.check.items]


async def find(database: Database, now: datetime, checking: Checking, *incorrect: str) -> None:
    """Mark these records ไม่ถูกต้อง and the others ถูกต้อง, and hand it in."""
    async with database.write() as session:
        officer = await province(session, now)
        for item in checking.check.items:
            is_wrong = item.record_no in incorrect
            await mark(
                session,
                officer,
                FIRST,
                checking.check.id,
                item.place,
                Mark.INCORRECT if is_wrong else Mark.CORRECT,
                f"{NOTE} {item.record_no}" if is_wrong else None,
                now,
                despite_empty_menus=True,
            )
        await hand_in(session, officer, FIRST, checking.check.id, now, None)


async def failed(database: Database, now: datetime, places: int = 1) -> list[str]:
    """Certify, find the first drawn records not correct, and reopen; their numbers."""
    await certify_lao(database, now)
    checking = await draw_for(database, now)
    wrong = numbers(checking)[:places]
    await find(database, now, checking, *wrong)
    await reopened(database, now)
    return wrong


async def drawn_by_the_whole_register(database: Database, seed: str) -> list[str]:
    async with database.read() as session:
        rows = await session.execute(
            select(PersonnelRecord.record_no, PersonnelRecord.category).where(
                PersonnelRecord.organization_code == FIRST
            )
        )
        return sample(seed, [(number, category) for number, category in rows], SIZE)


# --- the rule, by the recipe of docs/contract.md ---------------------------------------------------------------

registers = st.dictionaries(st.text("0123456789ก", min_size=1, max_size=4), st.sampled_from(Category), max_size=40)


@given(data=st.data(), register=registers, size=st.integers(1, 20), seed=st.text("0123456789abcdef", max_size=64))
def test_the_draw_follows_the_documented_recipe(
    data: st.DataObject, register: dict[str, Category], size: int, seed: str
) -> None:
    some = st.sets(st.sampled_from(sorted(register))) if register else st.just(set())
    incorrect = sorted(data.draw(some))
    changed, may_all_differ = sorted(data.draw(some)), data.draw(st.booleans())
    basis = Basis(size, (1,), tuple(incorrect), (), tuple(changed), may_all_differ)
    found = draw_numbers(seed, register.items(), basis)
    assert len(found) == len(set(found))
    whole = sample(seed, register.items(), size)
    assert found[: len(whole)] == whole
    before = whole + [number for number in incorrect if number not in whole]
    assert found[: len(before)] == before
    in_order = sorted(register, key=lambda number: hashlib.sha256(f"{seed}/changed/{number}".encode()).hexdigest())
    before += [number for number in in_order if number in changed and number not in before][:size]
    assert found[: len(before)] == before
    rest = [number for number in in_order if number not in before][:size] if may_all_differ else []
    assert found[len(before) :] == rest


# --- what is drawn ------------------------------------------------------------------------------------------


async def test_in_a_first_revision_nothing_more_is_drawn(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    found = await draw_for(country, now)
    assert numbers(found) == await drawn_by_the_whole_register(country, found.check.seed)


async def test_what_was_not_correct_is_drawn_again(country: Database, now: datetime) -> None:
    wrong = await failed(country, now, 2)
    await certify_lao(country, now)
    for seed in (8, 9, 10):
        found = await draw_for(country, now, seed)
        assert set(wrong) <= set(numbers(found))
    whole = await drawn_by_the_whole_register(country, found.check.seed)
    # The sample of the whole register stays as it is; nothing was changed.
    assert numbers(found) == [*whole, *(number for number in sorted(wrong) if number not in whole)]
    assert found.basis == Basis(SIZE, (1,), tuple(sorted(wrong)))
    assert found.earlier_notes == {number: f"{NOTE} {number}" for number in wrong}


async def test_changed_records_are_drawn_up_to_the_size_of_the_sample(country: Database, now: datetime) -> None:
    await certify_both(country, now)
    await reopened(country, now)
    await corrected(country)
    await certify_lao(country, now)
    found = await draw_for(country, now)
    whole = await drawn_by_the_whole_register(country, found.check.seed)
    pool = {"0001", "0002", "0003", "0021", "0022"}
    more = numbers(found)[len(whole) :]
    assert numbers(found)[: len(whole)] == whole
    assert len(more) == min(SIZE, len(pool - set(whole)))
    assert set(more) <= pool - set(whole)
    assert found.changes is not None
    assert all(found.changes.of_record(number) is not None for number in more)


async def test_few_changed_records_are_all_drawn(country: Database, now: datetime) -> None:
    await certify_both(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await change(session, "0009", level="อื่น")
    await certify_lao(country, now)
    for seed in range(5):
        assert "0009" in numbers(await draw_for(country, now, seed))


async def test_marks_of_a_check_that_was_never_handed_in_count(country: Database, now: datetime) -> None:
    """The organization's own petition was granted while its province was checking."""
    await certify_lao(country, now)
    checking = await draw_for(country, now)
    wrong = numbers(checking)[1]
    async with country.write() as session:
        officer = await province(session, now)
        await mark(session, officer, FIRST, checking.check.id, 2, Mark.INCORRECT, NOTE, now)
    await reopened(country, now)
    await certify_lao(country, now)
    assert wrong in numbers(await draw_for(country, now, 11))


async def test_a_further_reopening_takes_nothing_away(country: Database, now: datetime) -> None:
    """Neither what was not correct nor what was changed in a revision that the province has not certified."""
    wrong = await failed(country, now)
    async with country.write() as session:
        await change(session, "0011", level="อื่น")
    # Certified and reopened before the province looked.
    await certify_lao(country, now)
    await reopened(country, now)
    await certify_lao(country, now)
    found = await draw_for(country, now, 12)
    assert found.basis == Basis(SIZE, (2, 1), tuple(wrong), (), ("0011",))
    assert {*wrong, "0011"} <= set(numbers(found))
    await find(country, now, found)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    # The province has certified it: that is settled.
    await reopened(country, now)
    await certify_lao(country, now)
    assert (await draw_for(country, now, 13)).basis == Basis(SIZE, (3,))


async def test_what_was_not_correct_and_is_gone_is_named(country: Database, now: datetime) -> None:
    (wrong,) = await failed(country, now)
    async with country.write() as session:
        await remove(session, wrong)
        await add(session, 99)
    await certify_lao(country, now)
    found = await draw_for(country, now, 8)
    assert found.basis == Basis(SIZE, (1,), (), (wrong,), ("0099",))
    assert "0099" in numbers(found)


async def test_another_number_for_the_same_person_takes_nobody_out(country: Database, now: datetime) -> None:
    (wrong,) = await failed(country, now)
    async with country.write() as session:
        for number in range(60, 80):
            await add(session, number)
        await change(session, wrong, record_no="0099")
    await certify_lao(country, now)
    for seed in (8, 9, 10):
        found = await draw_for(country, now, seed)
        assert "0099" in numbers(found)
    assert found.basis is not None
    assert (found.basis.incorrect, found.basis.gone) == (("0099",), (wrong,))
    await find(country, now, found)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    assert await breaks(country) == []
    # Without the key the names cannot be compared, and the certificate's own list stands.
    url = country.url.render_as_string(hide_password=False)
    other = Database(url, Keyring("another key of more than 32 letters"))
    assert not any(FACTS in line for line in await breaks(other))
    await other.close()


async def test_where_the_certified_register_is_not_known_every_record_counts_as_changed(
    country: Database, now: datetime
) -> None:
    await certify_both(country, now)
    await reopened(country, now)
    await corrected(country)
    await without_triggers(country, "DELETE FROM certified_register")
    await certify_lao(country, now)
    found = await draw_for(country, now)
    assert found.basis == Basis(SIZE, (1,), (), (), (), may_all_differ=True)
    assert len(numbers(found)) == 2 * SIZE


async def test_other_menus_hide_no_changed_record_among_all_others(country: Database, now: datetime) -> None:
    """Each record says something else then; what differs besides is drawn as if it were alone."""
    await certify_both(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await change(session, "0009", level="อื่น")
        menus = ["ประวัติ", "การศึกษา", "อื่น"]
        await session.execute(update(Roster).where(Roster.organization_code == FIRST).values(menu_names=menus))
    await certify_lao(country, now)
    for seed in range(5):
        found = await draw_for(country, now, seed)
        assert "0009" in numbers(found)
        assert found.basis == Basis(SIZE, (1,), (), (), ("0009",), may_all_differ=True)
        assert len(numbers(found)) >= 2 * SIZE
    await find(country, now, found)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    assert await breaks(country) == []


async def test_more_incorrect_records_than_a_petition_has_room_for(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await put_roster(session, FIRST, (60, 0, 0), now)
    for _ in range(2):
        await certify_lao(country, now)
        checking = await draw_for(country, now, _, size=20)
        await find(country, now, checking, *numbers(checking))
        await reopened(country, now)
        async with country.write() as session:
            for number in range(1, 61):
                await change(session, f"{number:04}", level=f"ระดับ {_}")
    await certify_lao(country, now)
    checking = await draw_for(country, now, 3, size=20)
    assert len(numbers(checking)) > 50
    async with country.write() as session:
        officer = await province(session, now)
        for item in checking.check.items:
            await mark(session, officer, FIRST, checking.check.id, item.place, Mark.INCORRECT, NOTE * 9, now)
        asked = await hand_in(session, officer, FIRST, checking.check.id, now, None)
    assert asked is not None
    assert len(asked.body) <= MAX_NOTES
    assert asked.body.count("\n") == 40
    assert asked.body.endswith(f"… (+{len(numbers(checking)) - 40})")


# --- what the certificate says ---------------------------------------------------------------------------------


async def certified(country: Database, now: datetime) -> Certification:
    """A province's certificate of a second revision: one record was not correct before, one was changed."""
    wrong = await failed(country, now)
    async with country.write() as session:
        await change(session, "0011", level="อื่น")
        await change(session, wrong[0], level="แก้แล้ว")
    await certify_lao(country, now)
    await find(country, now, await draw_for(country, now, 14))
    return await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)


async def test_anybody_draws_again_by_the_recipe_of_the_contract(country: Database, now: datetime) -> None:
    made = await certified(country, now)
    recipe = re.search(
        r"```python\n(.*?)```", (ROOT / "docs" / "contract.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert recipe is not None
    names: dict[str, Any] = {"sample": sample}
    exec(recipe[1], names)  # noqa: S102 - the contract's own words
    register = [(f"{number:04}", _category(number)) for number in range(1, 21)]
    assert names["redraw"](made.spot_check, register)
    kept = json.loads(made.spot_check or "")
    kept["records"].pop()
    assert not names["redraw"](json.dumps(kept), register)


async def test_the_certificate_names_its_rule_and_what_was_drawn_from(country: Database, now: datetime) -> None:
    made = await certified(country, now)
    kept = json.loads(made.spot_check or "")
    assert (kept["rule"], kept["size"], kept["since"], kept["gone"]) == (2, SIZE, [1], [])
    (wrong,) = kept["incorrect"]
    assert kept["changed"] == sorted(["0011", wrong])
    assert {"0011", wrong} <= {one["record_no"] for one in kept["records"]}
    assert "บุคคล" not in (made.spot_check or "")
    assert NOTE not in (made.spot_check or "")
    async with country.read() as session:
        assert (await verify(session)).breaks == []


def _set(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def tamper(kept: dict[str, Any]) -> None:
        kept[name] = value

    return tamper


DRAW, FACTS = "its seed does not draw its sample", "is not drawn from what was found before and what has changed"
TAMPERINGS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another rule": (_set("rule", 3), DRAW),
    "a number that is no record's": (_set("changed", ["x"]), DRAW),
    "no revision": (_set("since", []), FACTS),
    "a record that is there as gone": (_set("gone", ["0011"]), DRAW),
    "a record that was never there as gone": (_set("gone", ["x"]), FACTS),
    "all of them to be assumed": (_set("may_all_differ", True), DRAW),
    "no list": (lambda kept: kept.pop("incorrect"), DRAW),
}


@pytest.mark.parametrize(("tamper", "what"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
async def test_audit_verify_finds_a_draw_from_something_else(
    country: Database, now: datetime, tamper: Callable[[dict[str, Any]], None], what: str
) -> None:
    assert f"spot-check of certificate {await tampered(country, now, tamper)}: {what}" in await breaks(country)


async def test_a_changed_record_that_was_left_out_is_found(country: Database, now: datetime) -> None:
    """Its draw fits its own list: only the comparison with what was certified tells."""

    def leave_out(kept: dict[str, Any]) -> None:
        register = [(f"{number:04}", _category(number)) for number in range(1, 21)]
        basis = Basis(SIZE, (1,), tuple(kept["incorrect"]), (), tuple(kept["incorrect"]))
        kept["changed"] = list(basis.changed)
        by_number = {one["record_no"]: one for one in kept["records"]}
        drawn = draw_numbers(kept["seed"], register, basis)
        kept["records"] = [by_number[number] for number in drawn]
        assert is_drawn_from(json.dumps(kept), register)

    code = await tampered(country, now, leave_out)
    assert f"spot-check of certificate {code}: {FACTS}" in await breaks(country)
    # Without the key nobody can compare: the certificate's own list stands.
    url = country.url.render_as_string(hide_password=False)
    other = Database(url, Keyring("another key of more than 32 letters"))
    assert not any(FACTS in line for line in await breaks(other))
    await other.close()


async def test_a_certificate_cannot_go_back_to_rule_1(country: Database, now: datetime) -> None:
    def old(kept: dict[str, Any]) -> None:
        for name in ("rule", "since", "incorrect", "gone", "changed", "may_all_differ"):
            kept.pop(name)
        kept["records"] = kept["records"][:SIZE]

    code = await tampered(country, now, old)
    assert f"spot-check of certificate {code}: {FACTS}" in await breaks(country)


async def test_a_draw_from_before_the_upgrade_is_certified_and_verified_by_rule_1(
    country: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded then said nothing of statements and draws."""
    await failed(country, now)
    record = event_chain.record

    async def record_as_before(
        session: AsyncSession, kind: event_chain.Event, chain: str, moment: datetime, **details: Any
    ) -> None:
        details.pop("statement_sha256", None)
        if kind is not event_chain.Event.DRAWN:
            await record(session, kind, chain, moment, **details)

    with monkeypatch.context() as before:
        before.setattr(event_chain, "record", record_as_before)
        await certify_lao(country, now)
        found = await draw_for(country, now, 15)
    await without_triggers(country, "UPDATE spot_check SET basis = NULL WHERE revision = 2")
    await without_triggers(country, f"DELETE FROM spot_check_item WHERE place > {SIZE} AND spot_check_id = 2")
    async with country.write() as session:
        officer = await province(session, now)
        shown = await load_checking(session, officer, FIRST, found.check.id)
        assert (len(shown.check.items), shown.basis, shown.changes) == (SIZE, None, None)
    await find(country, now, shown)
    made = await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    kept = json.loads(made.spot_check or "")
    assert (kept["rule"], kept["size"], set(kept)) == (
        1,
        SIZE,
        {"rule", "seed", "size", "drawn_at", "handed_in_at", "records"},
    )
    assert await breaks(country) == []


def _category(number: int) -> Category:
    """Of the register that tests.support.put_roster makes with (12, 3, 5)."""
    return [Category.OFFICIAL, Category.PERMANENT_EMPLOYEE, Category.CONTRACT_EMPLOYEE][
        (number > 12) + (number > 15)
    ]


async def tampered(country: Database, now: datetime, tamper: Callable[[dict[str, Any]], Any]) -> str:
    """The code of a province's certificate whose spot-check somebody has changed."""
    made = await certified(country, now)
    kept = json.loads(made.spot_check or "")
    tamper(kept)
    written = json.dumps(kept).replace("'", "''").replace(":", "\\:")
    await without_triggers(country, f"UPDATE certification SET spot_check = '{written}' WHERE id = {made.id}")
    return made.code


async def breaks(country: Database) -> list[str]:
    async with country.read() as session:
        return (await verify(session)).breaks
