"""An organization that is closed: everything that waits for it ends, and what was certified stays."""

import asyncio
import random
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, active_officer, login_candidate
from models.accounts.pin import Keypad, Purpose, close_keypad, open_keypad
from models.audit import event_chain
from models.certification.certificate import Certification, Level, Status
from models.certification.certify import (
    Confirmation,
    ConfirmationExpired,
    Demands,
    certify,
    prepare_confirmation,
    reopen,
)
from models.certification.history import load_history
from models.certification.remark import OperatorRefused, RemarkRefused
from models.certification.review import review
from models.chats.conversation import Awaiting, load_conversation
from models.database.engine import Database
from models.imports.sent_roster import propose
from models.links.account_admin import enable_account
from models.links.invitation import InvitationRefused, find_invitation, invite
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.operator.closing import reopen_round
from models.operator.erasure import forget_officer
from models.organizations.organization import OrganizationEnded, UnknownOrganization, find_end
from models.outreach.reminder import queue_due
from models.outreach.unreached import list_unreached
from models.province.export import province_list, take_certificate, take_list
from models.province.listing import count_by_status, search, type_words, whole_list
from models.province.progress import count_certificates, count_statuses, locked_organizations
from models.province.statistics import province_progress
from models.register.draft import SentRoster
from models.register.roster import Category, PersonnelRecord, Record
from models.remarks.petition import list_petitions, petition
from models.remarks.question import ask, require_askable
from models.rounds.round import close_round, open_round
from models.spot_checks.spot_checking import draw
from models.succession.closing import close, look_at_closing
from models.succession.decision import ChangeRefused, decision
from tests.models.succession.decisions import BY, GAZETTE, REASON, breaks, chain, decided
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])


async def closed(database: Database, now: datetime, code: str = FIRST) -> None:
    async with database.write() as session:
        await close(session, code, decided(now), now)


async def total(session: AsyncSession, province: str = "11") -> int:
    (counts,) = await count_statuses(session, province)
    return counts.total


async def test_the_register_stays_as_it_is_and_is_locked_for_ever(country: Database, now: datetime) -> None:
    """Also one that was never certified, and through every later round."""
    await closed(country, now)
    async with country.write() as session:
        await close_round(session, now)
        await open_round(session, 2571, None, now)
        assert await locked_organizations(session, {FIRST, SECOND}) == {FIRST}
        kept = select(func.count()).select_from(PersonnelRecord).where(PersonnelRecord.organization_code == FIRST)
        assert await session.scalar(kept) == 20
    for change in ("UPDATE personnel_record SET level = 'x'", "DELETE FROM personnel_record"):
        with pytest.raises(DBAPIError, match="its organization has ended"):
            async with country.write() as session:
                await session.execute(text(f"{change} WHERE organization_code = '{FIRST}'"))
    assert await breaks(country) == []


async def test_its_accounts_links_and_invitations_end_and_its_officers_are_told(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        await link(session, f"lao{FIRST}", 501, now)
        account = (await session.scalars(select(Account).where(Account.username == f"lao{FIRST}"))).one()
        code = await invite(session, account, timedelta(days=1), now)
        closing = await close(session, FIRST, decided(now), now)
    assert (closing.accounts, closing.chats, closing.status) == (1, 1, Status.UNCERTIFIED)
    async with country.write() as session:
        assert (await login_candidate(session, f"lao{FIRST}")).account_id is None
        with pytest.raises(InvitationRefused):
            await find_invitation(session, code, now)
        with pytest.raises(OrganizationEnded):
            await enable_account(session, f"lao{FIRST}", now)
        (told,) = await session.scalars(
            select(OutboxMessage).where(OutboxMessage.kind == NoticeKind.ORGANIZATION_ENDED)
        )
        assert (told.chat_id, told.state) == (501, State.PENDING)


async def test_what_waits_for_it_ends(country: Database, now: datetime) -> None:
    """A confirmation with its keypad, a file, a text that is typed, a petition, a question, unsent notices."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        lao = await link(session, f"lao{FIRST}", 501, now)
        await petition(session, lao, "ขอแก้ไขจำนวนพนักงานจ้าง", now, None)
        province = await link(session, "province11", 601, now)
        await draw(session, province, FIRST, now, random.Random(1), size=1)
        await ask(session, province, FIRST, "whole", "เหตุใดจึงลดลง", now)
        (await load_conversation(session, 601)).awaiting = Awaiting.QUESTION
        (await load_conversation(session, 601)).subject = f"question:{FIRST}/whole"
        (await load_conversation(session, 601)).draft = "ยังไม่ได้ส่ง"
        await session.flush()
        await close(session, FIRST, decided(now), now)
    async with country.write() as session:
        assert await list_petitions(session) == []
        about = (NoticeKind.PETITIONED, NoticeKind.QUESTIONED)
        states = await session.scalars(select(OutboxMessage.state).where(OutboxMessage.kind.in_(about)))
        # What goes to an officer whose link ends is dead by that.
        assert set(states) <= {State.DROPPED, State.DEAD}
        waiting = await load_conversation(session, 601)
        assert (waiting.awaiting, waiting.subject, waiting.draft) == (Awaiting.NOTHING, None, None)
        province = await link(session, "province11", 601, now)
        for refused in (
            review(session, province, FIRST),
            require_askable(session, province, FIRST),
            draw(session, province, FIRST, now, random.Random(1), size=1),
            reopen(session, FIRST, BY, REASON, now),
            close(session, FIRST, decided(now), now),
        ):
            with pytest.raises(OrganizationEnded, match=f"{FIRST} was closed on 2026-11-02 by {BY}; nothing"):
                await refused
    assert await breaks(country) == []


async def test_a_press_that_was_prepared_before_comes_too_late(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    rng = random.Random(1)
    async with country.write() as session:
        province = await link(session, "province11", 601, now)
        check = (await draw(session, province, FIRST, now, rng, size=1)).check
        shown = await review(session, province, FIRST)
        demands = Demands(0, 100)
        assert check.items
        confirmation, _ = await prepare_confirmation(
            session, province, Level.PROVINCE, FIRST, shown.fingerprint(Level.PROVINCE), now, rng, demands=demands
        )
        await open_keypad(session, province, Purpose.CONFIRM, confirmation.nonce, "", now, rng)
    await closed(country, now)
    async with country.write() as session:
        province = await link(session, "province11", 601, now)
        assert await session.scalar(select(func.count()).select_from(Confirmation)) == 1  # the LAO's, used
        assert await session.get(Keypad, 601) is None
        with pytest.raises(ConfirmationExpired):
            await certify(session, province, confirmation.nonce, now, rng, demands=demands)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_press_that_races_the_end_is_refused(country: Database, now: datetime) -> None:
    """It waits for the organization's row, and then finds that it has ended."""
    rng, demands = random.Random(1), Demands(0, 100)
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, "province11", 601, now)
        seen = (await review(session, officer, FIRST)).fingerprint(Level.PROVINCE)
        confirmation, _ = await prepare_confirmation(
            session, officer, Level.PROVINCE, FIRST, seen, now, rng, demands=demands
        )
        await open_keypad(session, officer, Purpose.CONFIRM, confirmation.nonce, "", now, rng)

    async def press(*, with_keypad: bool) -> None:
        async with country.write() as session:
            pressing = await active_officer(session, 601)
            assert pressing is not None
            if with_keypad:
                await close_keypad(session, pressing)
            await certify(session, pressing, confirmation.nonce, now, rng, demands=demands)

    async def reopen_meanwhile() -> None:
        async with country.write() as session:
            await reopen(session, FIRST, BY, REASON, now)

    async with country.write() as session:
        await close(session, FIRST, decided(now), now)
        work = press(with_keypad=True), press(with_keypad=False), reopen_meanwhile()
        tasks = [asyncio.create_task(one) for one in work]
        done, _ = await asyncio.wait(tasks, timeout=0.3)
        assert not done
    refused = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in refused] == [ConfirmationExpired, OrganizationEnded, OrganizationEnded]
    async with country.read() as session:
        assert [one.level for one in await session.scalars(select(Certification))] == [Level.LAO]
    assert await breaks(country) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_press_that_comes_first_counts(country: Database, now: datetime) -> None:
    """The end waits for the press, and ends what was certified then."""
    async with country.write() as session:
        made = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now, session=session)
        closing = asyncio.create_task(closed(country, now))
        done, _ = await asyncio.wait({closing}, timeout=0.3)
        assert not done
    await closing
    async with country.read() as session:
        assert (await session.get_one(Certification, made.id)).organization_code == FIRST
    assert await breaks(country) == []


async def test_a_file_that_waits_is_gone(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        people = (Record("1", "บุคคล ทดสอบ", Category.OFFICIAL, "ปลัด", "กลาง", "r"),)
        await propose(session, officer, SentRoster("x.csv", ("ประวัติ",), people), now)
        await close(session, FIRST, decided(now), now)
        assert await session.scalar(text("SELECT count(*) FROM roster_draft")) == 0


async def test_it_leaves_lists_counts_and_reminders_of_the_open_round(country: Database, now: datetime) -> None:
    """Certified at LAO level, it would have waited for its province."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        province = await link(session, "province11", 601, now)
        assert await total(session) == 4
        await close(session, FIRST, decided(now), now)
    async with country.write() as session:
        province = await link(session, "province11", 601, now)
        assert await total(session) == 3
        assert await count_certificates(session) == {}
        _, by_status = await count_by_status(session, province, whole_list(province))
        assert sum(by_status.values()) == 3
        assert (await search(session, province, whole_list(province), now)).total == 0
        assert FIRST not in {row.dla_code for row in (await province_list(session, "11", now)).rows}
        assert (await province_progress(session, "11", now)).total.total == 3
        await take_list(session, province, now)
        newest = await chain(session, "11")
        assert '"organizations":3' in newest[-1].details
        # Nothing waits for the province: it is not reminded.
        await session.execute(text("UPDATE round SET closes_on = '2026-11-02'"))
        await queue_due(session, now)
        reminded = select(OutboxMessage.chat_id).where(OutboxMessage.kind == NoticeKind.REMINDER)
        assert 601 not in set(await session.scalars(reminded))


async def test_nobody_is_to_be_reached_there(country: Database, now: datetime) -> None:
    async with country.write() as session:
        assert FIRST in {one.organization.dla_code for one in await list_unreached(session)}
        await close(session, FIRST, decided(now), now)
        unreached = {one.organization.dla_code for one in await list_unreached(session)}
        assert unreached == {code for code, *_ in ORGANIZATIONS} - {FIRST}


async def test_closed_rounds_keep_their_denominators(country: Database, now: datetime) -> None:
    """It left after that round; one that is reopened is open, and it has left that."""
    later = now + timedelta(minutes=1)
    async with country.write() as session:
        await close_round(session, now)
        await close(session, FIRST, decided(later), later)
        assert await total(session) == 4
        assert (await province_progress(session, "11", now)).total.total == 4
        assert FIRST in {row.dla_code for row in (await province_list(session, "11", now)).rows}
        await reopen_round(session, BY, REASON, later)
        assert await total(session) == 3
        await close_round(session, later + timedelta(minutes=1))
        assert await total(session) == 3
        await open_round(session, 2571, None, later)
        assert await total(session) == 3


async def test_a_round_that_a_clock_ahead_has_closed_counts_it(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await close_round(session, now + timedelta(days=1))
        await close(session, FIRST, decided(now), now)
        assert await total(session) == 4
    assert await breaks(country) == []


async def test_a_search_finds_it_as_closed(country: Database, now: datetime) -> None:
    await closed(country, now)
    async with country.write() as session:
        province = await link(session, "province11", 601, now)
        found = await type_words(session, province, whole_list(province), "บางปู", now)
        ends = {row.name.dla_code: row.end for row in found.rows}
        assert ends[SECOND] is None
        end = ends[FIRST]
        assert end is not None
        assert (end.successor, end.gazette, end.effective_on) == (None, GAZETTE, date(2026, 11, 2))


async def test_its_chain_ends_and_later_events_are_recorded_elsewhere(country: Database, now: datetime) -> None:
    """What an officer of the province takes away of it later must be recorded all the same."""
    made = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await closed(country, now)
    async with country.write() as session:
        events = await chain(session, FIRST)
        assert events[-1].kind == "ended"
        assert '"successor":null' in events[-1].details
        province = await link(session, "province11", 601, now)
        assert (await load_history(session, province, FIRST)).certificates[0].code == made.code
        await take_certificate(session, province, made.id, now)
        assert len(await chain(session, FIRST)) == len(events)
        taken = (await chain(session, "system"))[-1]
        assert taken.kind == "exported"
        assert f'"organization":"{FIRST}"' in taken.details
    assert await breaks(country) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE organization_end SET reason = 'another reason'",
        "DELETE FROM organization_end",
    ],
)
async def test_verify_finds_an_end_that_was_changed(country: Database, now: datetime, statement: str) -> None:
    await closed(country, now)
    with pytest.raises(DBAPIError, match="never changed"):
        async with country.write() as session:
            await session.execute(text(statement))
    async with country.engine.begin() as connection:
        if country.is_sqlite:
            for name in ("organization_end_no_update", "organization_end_no_delete"):
                await connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            await connection.execute(text("DROP TRIGGER organization_end_insert_only ON organization_end"))
        await connection.execute(text(statement))
    assert "ended 1: the row and its event do not agree" in await breaks(country)


async def test_verify_finds_a_register_that_was_changed_after_the_end(country: Database, now: datetime) -> None:
    await closed(country, now)
    async with country.engine.begin() as connection:
        on = "" if country.is_sqlite else " ON personnel_record"
        await connection.execute(text(f"DROP TRIGGER personnel_record_locked_update{on}"))
        await connection.execute(
            text(f"UPDATE personnel_record SET level = 'x' WHERE organization_code = '{FIRST}'")
        )
    assert await breaks(country) == [f"roster of {FIRST}: is not what it was when the organization ended"]


async def test_verify_finds_a_chain_that_goes_on_after_the_end(country: Database, now: datetime) -> None:
    """Whoever has the key could make such an event."""
    await closed(country, now)
    async with country.write() as session:
        last = (await chain(session, FIRST))[-1]
        keys = event_chain.keyring(session)
        key = keys.key(event_chain.PURPOSE, keys.current_id)
        assert key is not None
        facts = {"chain": FIRST, "number": last.number + 1, "kind": "login", "at": now, "details": "{}"}
        facts |= {"key_id": keys.current_id}
        session.add(event_chain.AuditEvent(**facts, mac=event_chain.event_mac(key, last.mac, facts)))
    assert await breaks(country) == [f"chain {FIRST}: goes on after the end of its organization"]


async def test_its_officer_can_be_forgotten(country: Database, now: datetime) -> None:
    """What the law asks for is recorded, but not behind the end."""
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        await close(session, FIRST, decided(now), now)
        await forget_officer(session, officer.id, BY, REASON, now)
        assert (await chain(session, FIRST))[-1].kind == "ended"
        assert (await chain(session, "system"))[-1].kind == "forgotten"
    assert await breaks(country) == []


async def test_bad_input_changes_nothing(country: Database, now: datetime) -> None:
    tomorrow = date(2026, 11, 3)
    with pytest.raises(ChangeRefused, match="2026-11-03 has not come yet"):
        decision(BY, REASON, None, tomorrow, now)
    for gazette in ("", "\u200b", "ก" * 201):
        with pytest.raises(ChangeRefused, match="--gazette"):
            decision(BY, REASON, gazette, None, now)
    with pytest.raises(OperatorRefused):
        decision("", REASON, None, None, now)
    with pytest.raises(RemarkRefused):
        decision(BY, "ย", None, None, now)
    async with country.write() as session:
        with pytest.raises(UnknownOrganization):
            await close(session, "9999999", decided(now), now)
        with pytest.raises(UnknownOrganization):
            await look_at_closing(session, "9999999")
        assert await find_end(session, FIRST) is None
