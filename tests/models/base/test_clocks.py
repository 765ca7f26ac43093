"""What a clock that was three days ahead leaves behind stops nothing once it is right: every moment that is stored
and waited for, or lived by.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from models.accounts import pin, throttle
from models.accounts.account import IDLE, PIN_CHOICE, Officer, active_officer, find_account, saw_officer
from models.accounts.pin import KeypadExpired, Purpose
from models.audit import event_chain
from models.base.calendar import bangkok_day
from models.base.clocks import LARGEST_OFFSET, is_ahead, is_past
from models.base.tables import Base, UtcDateTime
from models.certification.certificate import Level
from models.chats.conversation import Conversation, load_conversation
from models.database.engine import Database
from models.links.arrival import load_arrival
from models.links.invitation import InvitationRefused, find_invitation, invite
from models.links.link import unlink_officer
from models.notices import card_marks, outbox, reachability, sending
from models.notices.kind import RULES, SOON, NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.notices.tables import ProvinceCard, Quiet, Rhythm
from models.notices.timing import Preference, quiet_end, save_preference
from models.outreach.broadcast import announce, parse_audience
from models.outreach.reminder import NotTrue, Reminder, forget_early, look_at, queue_due
from models.outreach.unreached import escalate_due, load_escalation
from models.province import live_card
from models.province.progress import colleague_at
from models.province.statistics import province_progress
from models.province.visit import note_opened
from models.register import draft
from models.register.draft import DraftGone, SentRoster, keep_draft, load_draft
from models.rounds.round import Round
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
LAO, PROVINCE = f"lao{FIRST}", "province11"
CHAT, COLLEAGUE = 501, 502
AHEAD = timedelta(days=3)
MINUTE, A_SECOND = timedelta(minutes=1), timedelta(seconds=1)


def test_the_documents_say_of_each_stored_moment_what_becomes_of_it() -> None:
    told = (Path(__file__).parents[3] / "docs/reliability.md").read_text(encoding="utf-8")
    section = told.partition("## A clock that is set right\n")[2].partition("\n## ")[0]
    moments = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, UtcDateTime)
    }
    assert ("outbox", "due_at") in moments
    untold = {
        f"{table}.{column}"
        for table, column in moments
        if f"`{table}.{column}`" not in section and f", `{column}`" not in section
    }
    assert untold == set()


def test_what_has_outlived_its_lifetime_by_either_side(now: datetime) -> None:
    for moment in (now - MINUTE, now, now + MINUTE):
        assert not is_past(moment, MINUTE, now)
    for moment in (now - MINUTE - A_SECOND, now + MINUTE + A_SECOND):
        assert is_past(moment, MINUTE, now)


def test_machines_that_differ_a_little_take_each_other_s_moments(now: datetime) -> None:
    assert not is_ahead(now + MINUTE + LARGEST_OFFSET, MINUTE, now)
    assert is_ahead(now + MINUTE + LARGEST_OFFSET + A_SECOND, MINUTE, now)


# --- messages -----------------------------------------------------------------------------------------------


async def due(database: Database, now: datetime) -> list[int]:
    async with database.read() as session:
        rows = await sending.due(session, now, [], 100) + await sending.due_bulk(session, now, [], 100)
        return sorted(row.subject_id for row in rows)


async def bring_forward(database: Database, now: datetime, beyond: timedelta | None = None) -> int:
    async with database.write() as session:
        return await sending.bring_forward(session, now, beyond=beyond)


async def test_what_was_queued_by_a_clock_ahead_is_due_when_it_is_right(database: Database, now: datetime) -> None:
    async with database.write() as session:
        for number, kind in enumerate(NoticeKind):
            outbox.enqueue(session, kind, CHAT, number, now + AHEAD)
    assert await due(database, now) == []
    assert await bring_forward(database, now) == len(NoticeKind)
    assert await due(database, now) == list(range(len(NoticeKind)))
    # Once is enough.
    assert await bring_forward(database, now) == 0


async def test_what_was_put_off_by_a_clock_ahead_is_due(database: Database, now: datetime) -> None:
    kinds = [NoticeKind.RECEIPT, NoticeKind.REMINDER]
    async with database.write() as session:
        for number, kind in enumerate(kinds):
            outbox.enqueue(session, kind, CHAT, number, now)
        await session.flush()
        for row in await session.scalars(select(OutboxMessage)):
            await sending.put_off(session, row, now + AHEAD)
    # Quiet hours and holidays can be as long as that: each hour it is decided anew.
    assert await bring_forward(database, now) == 1
    assert await due(database, now) == [0]
    assert await bring_forward(database, now, SOON) == 1
    assert await due(database, now) == [0, 1]


async def test_what_a_rule_has_put_off_waits(database: Database, now: datetime) -> None:
    async with database.write() as session:
        outbox.enqueue(session, NoticeKind.RECEIPT, CHAT, 0, now, due_at=now + SOON)
        outbox.enqueue(session, NoticeKind.BROADCAST, CHAT, 1, now, due_at=now + timedelta(days=4))
        outbox.enqueue(session, NoticeKind.RECEIPT, COLLEAGUE, 2, now + AHEAD)
        await session.flush()
        held = update(OutboxMessage).where(OutboxMessage.subject_id == 2)
        await session.execute(held.values(state=State.HELD))
    assert await bring_forward(database, now) == 0
    assert await due(database, now) == []


async def test_a_receipt_that_a_clock_ahead_has_marked_is_in_doubt(database: Database, now: datetime) -> None:
    """Whoever marked it has died, or takes no longer than a call does."""
    async with database.write() as session:
        outbox.enqueue(session, NoticeKind.RECEIPT, CHAT, 0, now)
        await session.flush()
        rows = (await session.scalars(select(OutboxMessage))).all()
        assert await sending.mark_sending(session, rows, now + AHEAD)
        # One that a machine a little ahead has in hand is left to it.
        assert await sending.recover_answers(session, now + AHEAD - LARGEST_OFFSET, now) == []
        assert await sending.recover_answers(session, now, now) == [CHAT]
    assert await due(database, now) == [0]


def test_no_quiet_hours_last_longer_than_their_kinds_may_wait(now: datetime) -> None:
    """Over ten years of holidays, as far as the calendar has them."""
    preference = Preference(quiet=Quiet.AFTER_HOURS, skips_days_off=True)
    longest = max(
        quiet_end(preference, moment) - moment
        for moment in (now + timedelta(hours=8 * step) for step in range(10_957))
    )
    waiting = [rules.furthest for kind, rules in RULES.items() if rules.is_bulk or kind is NoticeKind.WAITING]
    assert timedelta(days=3) < longest < min(waiting)


# --- chats --------------------------------------------------------------------------------------------------


async def test_a_pause_that_a_clock_ahead_has_noted_is_over(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, CHAT, now)
        await reachability.pause(session, CHAT, now + AHEAD + MINUTE, now)
    async with country.write() as session:
        chat = await load_conversation(session, CHAT)
        assert reachability.way_to(CHAT, chat, now).paused_until is None
        assert await reachability.paused(session, now) == {}
        # The next one holds, though it ends sooner.
        await reachability.pause(session, CHAT, now + MINUTE, now)
        await session.flush()
        assert reachability.way_to(CHAT, chat, now).paused_until == now + MINUTE
        assert await reachability.paused(session, now) == {CHAT: now + MINUTE}
        await reachability.pause(session, CHAT, now + A_SECOND, now)
        assert chat.paused_until == now + MINUTE
        assert await session.get(Conversation, CHAT) is chat


async def test_what_was_sent_under_a_link_is_blanked_whenever_the_link_began(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, CHAT, now + AHEAD)
        outbox.enqueue(session, NoticeKind.REOPENED, CHAT, 1, now)
        await session.flush()
        row = await session.scalar(select(OutboxMessage.id))
        assert row is not None
        await sending.mark_sent(session, row, 77, now)
        await unlink_officer(session, officer, now + MINUTE)
    async with country.read() as session:
        blanked = select(OutboxMessage.subject_id).where(OutboxMessage.kind == NoticeKind.BLANK)
        assert (await session.scalars(blanked)).all() == [77]
    async with country.write() as session:
        # A second link ends: what the first had is not blanked again.
        await session.execute(update(OutboxMessage).values(state=State.SENT))
        officer = await link(session, LAO, CHAT, now)
        await unlink_officer(session, officer, now + MINUTE)
    async with country.read() as session:
        assert (await session.scalars(blanked)).all() == [77]


# --- who is at the other end --------------------------------------------------------------------------------


async def tries(database: Database, key: str, now: datetime, count: int) -> list[datetime | None]:
    ends = []
    for _ in range(count):
        async with database.write() as session:
            ends.append(await throttle.admit(session, [key], now))
    return ends


@pytest.mark.parametrize("key", [throttle.chat_key(CHAT), throttle.pin_key(CHAT)])
async def test_a_block_that_a_clock_ahead_has_set_is_over(database: Database, now: datetime, key: str) -> None:
    assert await tries(database, key, now + AHEAD, 5) == [None] * 5
    async with database.read() as session:
        assert await throttle.blocked_until(session, [key], now + AHEAD) == now + AHEAD + 15 * MINUTE
        assert await throttle.blocked_until(session, [key], now) is None
    assert await tries(database, key, now, 1) == [None]


async def test_a_block_holds_on_a_machine_that_is_a_little_behind(database: Database, now: datetime) -> None:
    key, behind = throttle.chat_key(CHAT), LARGEST_OFFSET
    await tries(database, key, now, 5)
    assert await tries(database, key, now - behind, 2) == [now + 15 * MINUTE] * 2
    # Failures that are counted here and there add up.
    other = throttle.chat_key(COLLEAGUE)
    for step in range(5):
        await tries(database, other, now - behind * (step % 2), 1)
    async with database.read() as session:
        assert await throttle.blocked_until(session, [other], now) is not None


async def test_failures_of_the_future_fill_no_window(database: Database, now: datetime) -> None:
    key = throttle.chat_key(CHAT)
    await tries(database, key, now + AHEAD, 4)
    assert await tries(database, key, now, 4) == [None] * 4
    async with database.read() as session:
        assert await throttle.blocked_until(session, [key], now) is None
    async with database.write() as session:
        await throttle.forget_old(session, now - throttle.FORGIVEN - A_SECOND)
        assert (await session.scalars(select(throttle.Throttle))).all() == []


async def test_a_phone_seen_in_the_future_asks_for_the_pin(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, CHAT, now + AHEAD)
        assert officer.is_idle(now)
        assert not officer.is_idle(now + AHEAD - IDLE)
        officer.last_seen_at = now + timedelta(hours=6)
        await saw_officer(session, officer, now)
        assert officer.last_seen_at == now


async def test_the_right_to_choose_a_pin_ends_with_its_quarter_of_an_hour(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, CHAT, now)
        officer.may_set_pin_until = now + PIN_CHOICE
        assert officer.may_set_pin(now)
        officer.may_set_pin_until = now + AHEAD
        assert not officer.may_set_pin(now)
        with pytest.raises(KeypadExpired):
            await pin.set_pin(session, officer, "hash", now)


async def test_a_keypad_of_the_future_has_lapsed(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, CHAT, now)
        pad = await pin.open_keypad(session, officer, Purpose.CONFIRM, "", "", now + AHEAD, random.Random(1))
    async with country.write() as session:
        officer = await session.get_one(Officer, officer.id)
        with pytest.raises(KeypadExpired):
            await pin.load_keypad(session, officer, pad.nonce, now)
        arrived = await load_arrival(session, CHAT, CHAT)
        assert (arrived.open_keypad(now), arrived.lapsed_keypad(now)) == ("", Purpose.CONFIRM)
        assert await pin.load_keypad(session, officer, pad.nonce, now + AHEAD) == pad
        await pin.forget_old_keypads(session, now)
        assert (await session.scalars(select(pin.Keypad))).all() == []


async def test_a_file_of_the_future_is_gone_and_erased(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, CHAT, now)
        kept = await keep_draft(session, officer.id, FIRST, SentRoster("a.csv", (), ()), "", now + AHEAD)
        with pytest.raises(DraftGone):
            await load_draft(session, officer.id, kept.key, now)
        await load_draft(session, officer.id, kept.key, now + AHEAD)
        await draft.forget_old_drafts(session, now)
        assert (await session.scalars(select(draft.RosterDraft))).all() == []


async def test_an_invitation_lives_no_longer_than_it_was_given(country: Database, now: datetime) -> None:
    async with country.write() as session:
        account = await find_account(session, LAO)
        short = await invite(session, account, timedelta(minutes=10), now + AHEAD)
        long = await invite(session, account, timedelta(days=14), now + AHEAD)
        with pytest.raises(InvitationRefused):
            await find_invitation(session, short, now)
        await find_invitation(session, short, now + AHEAD)
        await find_invitation(session, long, now)


# --- the live card, and who looks at what -------------------------------------------------------------------


async def rings(
    country: Database, now: datetime, change: Callable[[ProvinceCard], None], preference: Preference | None = None
) -> datetime | None:
    """When news rings that comes now, on a card that was changed by a clock that was ahead."""
    async with country.write() as session:
        officer = await link(session, PROVINCE, CHAT, now)
        await card_marks.begin(session, officer, now)
        if preference is not None:
            await save_preference(session, officer.id, preference)
        card = await card_marks.hold_card(session, officer.id)
        assert card is not None
        card.message_id, card.shows_waiting = 7, True
        change(card)
        officer.last_seen_at = now
        await session.flush()
    await certify_as(country, LAO, COLLEAGUE, FIRST, Level.LAO, now)
    async with country.write() as session:
        changes = select(OutboxMessage).where(OutboxMessage.kind == NoticeKind.REFRESH)
        [row] = (await session.scalars(changes)).all()
        await live_card.decide(session, row, now)
        return (await session.scalars(select(ProvinceCard.ring_at))).one()


async def test_a_card_that_rang_in_the_future_rings_again(country: Database, now: datetime) -> None:
    def rang(card: ProvinceCard) -> None:
        card.rung_at = now + AHEAD

    assert await rings(country, now, rang) == now


async def test_a_ring_that_was_planned_by_a_clock_ahead_is_planned_anew(country: Database, now: datetime) -> None:
    def planned(card: ProvinceCard) -> None:
        card.ring_at = now + AHEAD

    # 9.30 in Bangkok: the next full hour.
    hourly = Preference(rhythm=Rhythm.HOURLY)
    assert await rings(country, now, planned, hourly) == now + timedelta(minutes=30)


async def test_a_card_that_was_edited_in_the_future_is_edited_now(country: Database, now: datetime) -> None:
    def edited(card: ProvinceCard) -> None:
        card.edited_at = now + AHEAD

    await rings(country, now, edited)
    async with country.write() as session:
        await session.execute(update(OutboxMessage).values(state=State.SENT))
        officer = await active_officer(session, CHAT)
        assert officer is not None
        card = await card_marks.hold_card(session, officer.id)
        assert card is not None
        card.edited_at = now + AHEAD
        await card_marks.touch(session, "11", now)
        waits = select(OutboxMessage.due_at).where(OutboxMessage.state == State.PENDING)
        assert (await session.scalars(waits)).all() == [now]


async def test_who_looked_in_the_future_looks_no_more(country: Database, now: datetime) -> None:
    async with country.write() as session:
        colleague = await link(session, PROVINCE, COLLEAGUE, now, "ทดสอบ เพื่อน")
        await note_opened(session, colleague, FIRST, 1, now + AHEAD)
        officer = await link(session, PROVINCE, CHAT, now)
        assert await colleague_at(session, officer, 1, FIRST, now) is None
        # And where it really looks is not hidden by that.
        await note_opened(session, colleague, SECOND, 1, now)
        assert await colleague_at(session, officer, 1, SECOND, now) == "ทดสอบ เพื่อน"


# --- rounds, reminders, announcements, the record -----------------------------------------------------------


async def test_a_reminder_of_a_day_to_come_is_taken_back_and_comes_on_its_day(
    country: Database, now: datetime
) -> None:
    """The clock was three days ahead four days before the last one."""
    async with country.write() as session:
        await link(session, LAO, CHAT, now)
        await session.execute(update(Round).values(closes_on=bangkok_day(now) + timedelta(days=4)))
        assert await queue_due(session, now + AHEAD) == 1
        await session.execute(update(OutboxMessage).values(state=State.SENT))
        assert await escalate_due(session, 900, now + AHEAD) is not None
        await session.execute(update(OutboxMessage).values(state=State.PENDING))
        early = (await session.scalars(select(Reminder.id))).one()
    async with country.write() as session:
        assert await queue_due(session, now) is None
        assert await forget_early(session, now) == 1
        assert set(await session.scalars(select(OutboxMessage.state))) == {State.DROPPED}
        officer = await active_officer(session, CHAT)
        assert officer is not None
        # Those that the courier had in its hand.
        with pytest.raises(NotTrue):
            await look_at(session, early, officer, now)
        with pytest.raises(NotTrue):
            await load_escalation(session, early, now)
        for day, queued in ((1, 1), (2, None), (3, 1), (4, 1)):
            there = now + timedelta(days=day)
            assert await queue_due(session, there) == queued
            assert await forget_early(session, there) == 0
        # A machine that is some seconds behind takes nothing back.
        assert await forget_early(session, now + timedelta(days=4, seconds=-20)) == 0


async def test_the_same_announcement_is_no_slip_when_the_other_is_of_another_day(
    country: Database, now: datetime
) -> None:
    audience = parse_audience("lao")
    async with country.write() as session:
        await link(session, LAO, CHAT, now)
        await announce(session, audience, "ข้อความ", now + AHEAD)
        await announce(session, audience, "ข้อความ", now)


async def test_each_day_has_its_head(database: Database, now: datetime) -> None:
    async with database.write() as session:
        await event_chain.take_head(session, now + AHEAD)
        assert not await event_chain.has_head(session, bangkok_day(now))
        await event_chain.take_head(session, now)
        assert await event_chain.has_head(session, bangkok_day(now))
        assert await event_chain.has_head(session, bangkok_day(now + AHEAD))
        assert not await event_chain.has_head(session, bangkok_day(now + timedelta(days=1)))


async def test_a_round_that_was_opened_in_the_future_has_its_days(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await session.execute(update(Round).values(opened_at=now + AHEAD))
    async with country.read() as session:
        progress = await province_progress(session, "11", now)
        assert [one.day for one in progress.days] == [bangkok_day(now)]
