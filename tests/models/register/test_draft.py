"""A file beside the register: what differs, what is kept of it and for how long, and what is never written."""

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from models.certification.certificate import Level
from models.database.engine import Database
from models.imports.sent_roster import (
    BaseChanged,
    RosterLocked,
    cancel,
    load_proposal,
    propose,
    save,
    take_template,
)
from models.links.link import unlink_officer
from models.operator.erasure import forget_officer
from models.register.difference import ChangeKind, aligned, compare
from models.register.draft import DraftGone, RosterDraft, SentRoster, forget_old_drafts, load_draft
from models.register.roster import Category, Headcount, MenuState, Record, load_records, load_summary
from models.security.keys import Keyring
from tests.support import certify_as, link, put_roster

BANGPU, NO_ROSTER = "5110201", "6110303"
MENUS = ("ประวัติ", "การศึกษา", "เครื่องราชฯ")


def person(number: int, category: Category = Category.OFFICIAL, menus: str = "rrr") -> Record:
    return Record(f"{number:04}", "สมมุติ ลับเฉพาะ", category, "ปลัด", "กลาง", menus)


def sent(*records: Record, menus: tuple[str, ...] = MENUS) -> SentRoster:
    return SentRoster("register.csv", menus, records)


# --- what differs -------------------------------------------------------------------------------------------

records = st.builds(
    Record,
    st.integers(0, 8).map(str),
    st.sampled_from(["ก ข", "ค ง"]),
    st.sampled_from(Category),
    st.sampled_from(["ปลัด", "ครู"]),
    st.sampled_from(["", "กลาง"]),
    st.text("rn-", min_size=3, max_size=3),
)
registers = st.lists(records, max_size=9, unique_by=lambda record: record.record_no)


@given(old=registers, new=registers)
def test_the_difference_leads_from_the_one_register_to_the_other(old: list[Record], new: list[Record]) -> None:
    found = compare(MENUS, old, sent(*new))
    result = {record.record_no: record for record in old}
    for change in found.changes:
        assert change.before == result.pop(change.record.record_no, None)
        if change.after is not None:
            result[change.record.record_no] = change.after
    assert result == {record.record_no: record for record in new}
    assert found.before == Headcount.count(record.category for record in old)
    assert found.after == Headcount.count(record.category for record in new)
    assert found.after.total - found.before.total == found.count(ChangeKind.ADDED) - found.count(
        ChangeKind.REMOVED
    )
    assert found.is_nothing is (sorted(old) == sorted(new))
    assert sum(found.count(kind, one) for kind in ChangeKind for one in Category) == len(found.changes)


@given(old=registers, order=st.permutations(range(3)))
def test_the_order_of_rows_and_columns_is_no_difference(old: list[Record], order: list[int]) -> None:
    shuffled = random.Random(1).sample(old, len(old))
    moved = [record._replace(menus="".join(record.menus[place] for place in order)) for record in shuffled]
    file = aligned(sent(*moved, menus=tuple(MENUS[place] for place in order)), MENUS)
    assert file.menu_names == MENUS
    assert compare(MENUS, old, file).is_nothing


def test_menus_are_compared_by_name() -> None:
    file = sent(person(1, menus="n-r"), menus=("การศึกษา", "วันลา", "ประวัติ"))
    found = compare(MENUS, [person(1, menus="rrr")], file)
    assert (found.new_menus, found.gone_menus) == (("วันลา",), ("เครื่องราชฯ",))
    assert [change.menus for change in found.changes] == [(("การศึกษา", MenuState.RECORDED, MenuState.NONE),)]
    assert found.with_empty_menus == 1


def test_a_menu_that_only_goes_is_a_difference() -> None:
    assert not compare(MENUS, [person(1)], sent(person(1, menus="rr"), menus=MENUS[:2])).is_nothing


# --- what is kept -------------------------------------------------------------------------------------------


async def drafts(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(RosterDraft)) or 0


async def proposed(
    database: Database, now: datetime, file: SentRoster, organization: str = BANGPU
) -> tuple[int, str]:
    """An officer whose file waits: its id and the file's key."""
    async with database.write() as session:
        officer = await link(session, f"lao{organization}", 7, now)
        found = await propose(session, officer, file, now)
        assert found.draft is not None
        return officer.id, found.draft.key


async def test_a_file_that_waits_is_sealed(country: Database, now: datetime) -> None:
    await proposed(country, now, sent(person(1)))
    async with country.read() as session:
        draft = (await session.scalars(select(RosterDraft))).one()
    assert (draft.organization_code, draft.file_name, draft.made_at) == (BANGPU, "register.csv", now)
    assert "ลับเฉพาะ".encode() not in draft.sealed
    assert draft.base_digest


async def test_a_file_under_another_key_waits_no_more(country: Database, now: datetime) -> None:
    number, key = await proposed(country, now, sent(person(1)))
    url = country.url.render_as_string(hide_password=False)
    other = Database(url, Keyring("another key of more than 32 letters"))
    async with other.read() as session:
        with pytest.raises(DraftGone):
            await load_draft(session, number, key, now)
    await other.close()


async def test_a_day_later_it_is_forgotten(country: Database, now: datetime) -> None:
    number, key = await proposed(country, now, sent(person(1)))
    later = now + timedelta(hours=24)
    async with country.write() as session:
        await forget_old_drafts(session, later)
        await load_draft(session, number, key, later)
        later += timedelta(seconds=1)
        with pytest.raises(DraftGone):
            await load_draft(session, number, key, later)
        await forget_old_drafts(session, later)
    assert await drafts(country) == 0


async def test_a_link_that_ends_takes_its_file_with_it(country: Database, now: datetime) -> None:
    await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        assert await unlink_officer(session, officer, now)
    assert await drafts(country) == 0


async def test_forgetting_an_officer_erases_its_file(country: Database, now: datetime) -> None:
    number, _ = await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        await forget_officer(session, number, "ผู้ดูแลระบบ", "คำขอ 1/2570", now)
    assert await drafts(country) == 0


async def test_a_file_without_a_difference_does_not_wait(country: Database, now: datetime) -> None:
    await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        same = await take_template(session, officer, now)
        found = await propose(session, officer, SentRoster("same.xlsx", same.menu_names, same.records), now)
        assert found.draft is None
        assert found.difference.is_nothing
    # The one before was for a register that the officer does not want any more.
    assert await drafts(country) == 0


# --- what is written ----------------------------------------------------------------------------------------


async def test_saving_replaces_the_register_whole(country: Database, now: datetime) -> None:
    number, key = await proposed(country, now, sent(person(1), person(2, Category.CONTRACT_EMPLOYEE, "rn-")))
    later = now + timedelta(hours=1)
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, later)
        assert officer.id == number
        await save(session, officer, key, later)
    async with country.read() as session:
        summary = await load_summary(session, BANGPU)
        assert (summary.file_name, summary.imported_at) == ("register.csv", later)
        assert summary.headcount == Headcount(1, 0, 1)
        assert sorted(await load_records(session, BANGPU)) == [
            person(1),
            person(2, Category.CONTRACT_EMPLOYEE, "rn-"),
        ]
        # Nobody else's.
        assert (await load_summary(session, "6110301")).headcount == Headcount(12, 3, 5)
    assert await drafts(country) == 0


async def test_a_register_that_was_never_imported_begins_with_the_file(country: Database, now: datetime) -> None:
    _, key = await proposed(country, now, sent(person(1)), NO_ROSTER)
    async with country.write() as session:
        await save(session, await link(session, f"lao{NO_ROSTER}", 7, now), key, now)
    async with country.read() as session:
        assert (await load_summary(session, NO_ROSTER)).headcount.total == 1


async def test_what_was_compared_must_still_be_there(country: Database, now: datetime) -> None:
    _, key = await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        await put_roster(session, BANGPU, (1, 2, 3), now)
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        for operation in (save, load_proposal):
            with pytest.raises(BaseChanged):
                await operation(session, officer, key, now)
    async with country.read() as session:
        assert (await load_summary(session, BANGPU)).headcount == Headcount(1, 2, 3)


async def test_a_certified_register_stays_as_it_is(country: Database, now: datetime) -> None:
    _, key = await proposed(country, now, sent(person(1)))
    made = await certify_as(country, f"lao{BANGPU}", 8, BANGPU, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        with pytest.raises(RosterLocked) as refused:
            await save(session, officer, key, now)
        assert refused.value.certification.id == made.id
        with pytest.raises(RosterLocked):
            await propose(session, officer, sent(person(2)), now)
    async with country.read() as session:
        assert (await load_summary(session, BANGPU)).digest == made.roster_digest


async def test_only_the_file_that_was_seen_is_saved_or_dropped(country: Database, now: datetime) -> None:
    _, old = await proposed(country, now, sent(person(1)))
    _, new = await proposed(country, now, sent(person(2)))
    assert old != new
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        for operation in (save, cancel):
            with pytest.raises(DraftGone):
                await operation(session, officer, old, now)
        await cancel(session, officer, new, now)
    assert await drafts(country) == 0
