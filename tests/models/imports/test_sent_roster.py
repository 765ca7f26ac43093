"""An organization's officer sends its register: compared, and written whole only as it was seen."""

from datetime import datetime, timedelta

import pytest

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
from models.register.draft import DraftGone, SentRoster
from models.register.roster import Category, Headcount, load_records, load_summary
from tests.models.register.rosters import BANGPU, NO_ROSTER, drafts, person, proposed, sent
from tests.support import certify_as, link, put_roster


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
