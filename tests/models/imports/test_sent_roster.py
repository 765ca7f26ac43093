"""An organization's officer sends its register: compared, and written whole only as it was seen."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from models.accounts.access import NotYours
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.imports.sent_roster import (
    BaseChanged,
    RosterLocked,
    cancel,
    load_proposal,
    propose,
    require_sendable,
    save,
    take_template,
)
from models.register.draft import KEPT, DraftGone, SentRoster
from models.register.roster import Category, Headcount, load_records, load_summary
from models.rounds.round import close_round, open_round
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


async def test_only_the_organization_itself_sends_its_register(country: Database, now: datetime) -> None:
    _, key = await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        assert (await require_sendable(session, await link(session, f"lao{BANGPU}", 7, now))).dla_code == BANGPU
        province = await link(session, "province11", 601, now)
        with pytest.raises(NotYours):
            await require_sendable(session, province)
        with pytest.raises(NotYours):
            await propose(session, province, sent(person(1)), now)
        with pytest.raises(NotYours):
            await take_template(session, province, now)
        # Who has the key of another's file has nothing of it.
        colleague, neighbour = (
            await link(session, f"lao{BANGPU}", 8, now),
            await link(session, "lao6110301", 9, now),
        )
        for officer in (colleague, neighbour):
            for operation in (save, load_proposal, cancel):
                with pytest.raises(DraftGone):
                    await operation(session, officer, key, now)


async def test_a_register_can_be_sent_until_it_is_certified_and_when_it_is_reopened(
    country: Database, now: datetime
) -> None:
    async def may() -> bool:
        async with country.write() as session:
            try:
                await require_sendable(session, await link(session, f"lao{BANGPU}", 7, now))
            except RosterLocked:
                return False
            return True

    assert await may()
    await certify_as(country, f"lao{BANGPU}", 8, BANGPU, Level.LAO, now)
    assert not await may()
    async with country.write() as session:
        await close_round(session, now)
    # A closed round locks until the next one opens.
    assert not await may()
    async with country.write() as session:
        await open_round(session, 2571, None, now)
    assert await may()
    await certify_as(country, f"lao{BANGPU}", 8, BANGPU, Level.LAO, now)
    async with country.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "นับซ้ำ", now)
    assert await may()


async def test_a_file_is_saved_within_a_day_and_once(country: Database, now: datetime) -> None:
    _, key = await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        with pytest.raises(DraftGone):
            await save(session, officer, key, now + KEPT + timedelta(seconds=1))
        await save(session, officer, key, now + KEPT)
        with pytest.raises(DraftGone):
            await save(session, officer, key, now + KEPT)


async def test_columns_may_be_moved_about(country: Database, now: datetime) -> None:
    """The same menus in another order are no change, and are kept in the register's order."""
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        same = await take_template(session, officer, now)
        moved = tuple(one._replace(menus=one.menus[::-1]) for one in same.records)
        found = await propose(session, officer, SentRoster("a.csv", same.menu_names[::-1], moved), now)
        assert (found.draft, found.sent.menu_names) == (None, same.menu_names)


async def test_what_goes_out_and_comes_in_is_recorded(country: Database, now: datetime) -> None:
    number, key = await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        template = await take_template(session, officer, now)
        assert len(template.records) == 20
        assert list(template.records) == sorted(template.records)
        await save(session, officer, key, now)
        empty = await take_template(session, await link(session, f"lao{NO_ROSTER}", 9, now), now)
        assert (empty.menu_names, empty.records) == ((), ())
        kinds = AuditEvent.kind.in_([Event.EXPORTED, Event.IMPORTED])
        events = await session.execute(
            select(AuditEvent.chain, AuditEvent.kind, AuditEvent.details).where(kinds).order_by(AuditEvent.id)
        )
        assert [(chain, kind, json.loads(details)) for chain, kind, details in events][:2] == [
            (BANGPU, Event.EXPORTED, {"what": "register", "records": 20, "officer": number}),
            (BANGPU, Event.IMPORTED, {"what": "personnel", "file": "register.csv", "officer": number}),
        ]
