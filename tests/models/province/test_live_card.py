"""The live card of a province's officer: what rings, what is edited, and that no change is lost."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.accounts.account import active_officer
from models.base.calendar import BANGKOK
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices import card_marks, sending
from models.notices.kind import NoticeKind, kinds_where
from models.notices.outbox import OutboxMessage, State
from models.notices.tables import ProvinceCard, Quiet, Rhythm
from models.notices.timing import Preference, save_preference
from models.province import live_card
from models.province.live_card import RING_EVERY, Showing
from models.rounds.round import close_round
from tests.support import ORGANIZATIONS, Clock, certify_as, link, put_roster

CODES = [code for code, *_ in ORGANIZATIONS[:4]]
CHAT = 601


@dataclass
class Desk:
    """A province's officer, whose chat the test serves in the courier's place."""

    country: Database
    clock: Clock
    chat: int = CHAT
    last_message: int = 100

    async def link(self) -> int:
        async with self.country.write() as session:
            officer = await link(session, "province11", self.chat, self.clock())
            await card_marks.begin(session, officer, self.clock())
            return officer.id

    async def arrives(self, code: str) -> None:
        """The organization certifies."""
        user = 500 + CODES.index(code)
        await certify_as(self.country, f"lao{code}", user, code, Level.LAO, self.clock())

    async def looks(self) -> None:
        async with self.country.write() as session:
            officer = await active_officer(session, self.chat)
            assert officer is not None
            card = await session.get_one(ProvinceCard, officer.id)
            await card_marks.look(session, officer, card, None, self.clock(), is_idle=False)

    async def taps(self, message_id: int, card: ProvinceCard) -> bool:
        """Whether it is taken for the live card, which is as it was when the tap's turn began."""
        async with self.country.write() as session:
            officer = await active_officer(session, self.chat)
            assert officer is not None
            return await card_marks.look(session, officer, card, message_id, self.clock(), is_idle=False)

    async def prefers(self, preference: Preference) -> None:
        async with self.country.write() as session:
            officer = await active_officer(session, self.chat)
            assert officer is not None
            await save_preference(session, officer.id, preference)
            await card_marks.plan_anew(session, officer, self.clock())

    async def card(self) -> ProvinceCard:
        async with self.country.read() as session:
            officer = await active_officer(session, self.chat)
            assert officer is not None
            return await session.get_one(ProvinceCard, officer.id)

    async def rows(self) -> list[OutboxMessage]:
        async with self.country.read() as session:
            found = await session.scalars(
                select(OutboxMessage)
                .where(
                    OutboxMessage.chat_id == self.chat,
                    OutboxMessage.kind.in_([NoticeKind.WAITING, NoticeKind.REFRESH, NoticeKind.REMOVE]),
                    OutboxMessage.state == State.PENDING,
                )
                .order_by(OutboxMessage.due_at, OutboxMessage.id)
            )
            return list(found)

    async def takes(self, row: OutboxMessage) -> Showing | datetime | None:
        async with self.country.write() as session:
            assert await sending.mark_sending(session, [row], self.clock())
            made = await live_card.decide(session, row, self.clock())
            if isinstance(made, datetime):
                await sending.put_off(session, row, made)
            elif made is None:
                await sending.drop(session, row.id)
            return made

    async def arrived(self, row: OutboxMessage, made: Showing, *, is_gone: bool = False) -> str:
        async with self.country.write() as session:
            if row.kind is NoticeKind.REFRESH:
                await sending.drop(session, row.id)
                await live_card.ended(session, row, None, self.clock(), is_gone=is_gone)
                return f"edit {made.waiting}"
            self.last_message += 1
            await sending.mark_sent(session, row.id, self.last_message, self.clock())
            await live_card.ended(session, row, self.last_message, self.clock())
            return f"ring {made.waiting}"

    async def serve(self) -> list[str]:
        """Do all that is due; what the officer was shown."""
        done = []
        while due := [row for row in await self.rows() if row.due_at <= self.clock()]:
            row = due[0]
            if row.kind is NoticeKind.REMOVE:
                async with self.country.write() as session:
                    await sending.drop(session, row.id)
                done.append(f"remove {row.subject_id}")
                continue
            made = await self.takes(row)
            if isinstance(made, Showing):
                done.append(await self.arrived(row, made))
        return done

    async def after(self, **by: float) -> list[str]:
        self.clock.move(**by)
        return await self.serve()


@pytest.fixture
async def desk(country: Database, clock: Clock) -> Desk:
    made = Desk(country, clock)
    async with country.write() as session:
        await put_roster(session, CODES[3], (4, 1, 0), clock())
    await made.link()
    assert await made.serve() == []
    return made


async def test_only_its_own_kinds_are_decided_on(desk: Desk, clock: Clock) -> None:
    card = await desk.card()
    other = OutboxMessage(kind=NoticeKind.RECEIPT, chat_id=CHAT, subject_id=card.officer_id)
    async with desk.country.write() as session:
        with pytest.raises(ValueError, match="receipt"):
            await live_card.decide(session, other, clock())
        with pytest.raises(ValueError, match="receipt"):
            await live_card.ended(session, other, 1, clock())


async def test_every_kind_with_the_cards_rule_is_one_of_its_own() -> None:
    assert kinds_where(lambda rules: rules.is_live_card) == {NoticeKind.WAITING, NoticeKind.REFRESH}


async def test_one_ring_and_then_edits(desk: Desk, clock: Clock) -> None:
    clock.move(minutes=1)
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(minutes=5)
    for code in CODES[1:]:
        await desk.arrives(code)
    # One row for all three.
    assert [row.kind for row in await desk.rows()] == [NoticeKind.REFRESH]
    assert await desk.serve() == ["edit 4"]


async def test_at_most_one_edit_in_three_seconds(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(seconds=10)
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["edit 2"]
    clock.move(seconds=1)
    await desk.arrives(CODES[2])
    assert await desk.serve() == []
    assert await desk.after(seconds=1.9) == []
    assert await desk.after(seconds=0.1) == ["edit 3"]


async def test_who_has_looked_is_rung_again_once_a_minute(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(seconds=5)
    await desk.looks()
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["edit 2"]
    assert await desk.after(seconds=54) == []
    # Before the minute is over what is new has grown; it is one ring, and the old card goes.
    await desk.arrives(CODES[2])
    assert await desk.serve() == ["edit 3"]
    assert await desk.after(seconds=1) == ["ring 3", "remove 101"]
    clock.move(minutes=5)
    await desk.arrives(CODES[3])
    assert await desk.serve() == ["edit 4"]


async def test_certifying_itself_never_rings(desk: Desk, clock: Clock) -> None:
    for code in CODES[:2]:
        await desk.arrives(code)
    assert await desk.serve() == ["ring 2"]
    for code, left in ((CODES[0], 1), (CODES[1], 0)):
        clock.move(minutes=2)
        await desk.looks()
        await certify_as(desk.country, "province11", CHAT, code, Level.PROVINCE, clock())
        assert await desk.serve() == [f"edit {left}"]
    # Nothing waited any more: the next one rings, though nobody has looked since.
    clock.move(minutes=2)
    await desk.arrives(CODES[2])
    assert await desk.serve() == ["ring 1", "remove 101"]


async def test_a_ring_that_is_no_longer_true_is_not_sent(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(seconds=5)
    await desk.looks()
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["edit 2"]
    clock.move(seconds=5)
    async with desk.country.write() as session:
        await reopen(session, CODES[1], "ผู้ดูแลระบบ", "ทดสอบ", clock())
    assert await desk.serve() == ["edit 1"]
    assert await desk.after(minutes=5) == []


async def test_two_officers_have_a_card_each(desk: Desk, clock: Clock) -> None:
    other = Desk(desk.country, clock, chat=602, last_message=200)
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    # Who links later gets its card at once.
    clock.move(minutes=2)
    await other.link()
    assert await other.serve() == ["ring 1"]
    assert await desk.serve() == []
    clock.move(seconds=3)
    await desk.looks()
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["ring 2", "remove 101"]
    assert await other.serve() == ["edit 2"]
    # What a colleague certifies is an edit for both.
    clock.move(minutes=2)
    await desk.looks()
    await certify_as(desk.country, "province11", 602, CODES[0], Level.PROVINCE, clock())
    assert (await desk.serve(), await other.serve()) == (["edit 1"], ["edit 1"])


async def test_a_card_that_its_officer_deleted_is_forgotten(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["ring 2"]
    clock.move(minutes=2)
    await certify_as(desk.country, "province11", CHAT, CODES[0], Level.PROVINCE, clock())
    (row,) = await desk.rows()
    made = await desk.takes(row)
    assert isinstance(made, Showing)
    await desk.arrived(row, made, is_gone=True)
    # Nothing new waits: no ring, and nothing to edit.
    assert await desk.serve() == []
    assert (await desk.card()).message_id is None
    clock.move(minutes=1)
    await desk.arrives(CODES[2])
    assert await desk.serve() == ["ring 2"]


async def test_news_on_a_card_that_is_gone_rings(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(minutes=2)
    await desk.arrives(CODES[1])
    (row,) = await desk.rows()
    made = await desk.takes(row)
    assert isinstance(made, Showing)
    await desk.arrived(row, made, is_gone=True)
    assert await desk.after(seconds=3) == ["ring 2"]


async def test_an_old_card_is_replaced_by_what_is_new(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(hours=48)
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["ring 2", "remove 101"]


@pytest.mark.parametrize(
    ("preference", "when"),
    [
        (Preference(Rhythm.HOURLY), (2, 10, 0)),
        (Preference(Rhythm.TWICE), (2, 13, 30)),
        (Preference(Rhythm.AT_ONCE, Quiet.OVERNIGHT), (3, 7, 0)),
        (Preference(Rhythm.TWICE, Quiet.AFTER_HOURS, True), (2, 13, 30)),
    ],
)
async def test_rings_come_at_the_chosen_times(
    desk: Desk, clock: Clock, preference: Preference, when: tuple[int, int, int]
) -> None:
    """The country's clock stands at 09:30 on Monday 2 November 2026 in Bangkok."""
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(seconds=90)
    await desk.looks()
    await desk.prefers(preference)
    await desk.serve()
    if preference.quiet is Quiet.OVERNIGHT:
        clock.now = datetime(2026, 11, 2, 20, 0, tzinfo=BANGKOK)
    clock.move(seconds=5)
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["edit 2"]
    day, hour, minute = when
    clock.now = datetime(2026, 11, day, hour, minute, tzinfo=BANGKOK) - timedelta(seconds=1)
    assert await desk.serve() == []
    assert await desk.after(seconds=1.5) == ["ring 2", "remove 101"]
    # Nothing new since: no second ring.
    clock.move(seconds=30)
    await certify_as(desk.country, "province11", CHAT, CODES[0], Level.PROVINCE, clock())
    assert await desk.serve() == ["edit 1"]
    assert await desk.after(days=2) == []


async def test_after_an_outage_a_digest_keeps_to_the_quiet_hours(desk: Desk, clock: Clock) -> None:
    await desk.prefers(Preference(Rhythm.TWICE, Quiet.AFTER_HOURS))
    await desk.serve()
    await desk.arrives(CODES[0])
    assert await desk.serve() == []
    clock.now = datetime(2026, 11, 2, 22, 0, tzinfo=BANGKOK)
    assert await desk.serve() == []
    clock.now = datetime(2026, 11, 3, 8, 30, 1, tzinfo=BANGKOK)
    assert await desk.serve() == ["ring 1"]


async def test_off_rings_never_and_edits_on(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(minutes=2)
    await desk.looks()
    await desk.prefers(Preference(Rhythm.OFF))
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["edit 2"]
    assert await desk.after(days=1) == []
    # On again, only what comes now is new.
    await desk.looks()
    await desk.prefers(Preference())
    assert await desk.serve() == ["edit 2"]
    clock.move(minutes=1)
    await desk.arrives(CODES[2])
    assert await desk.serve() == ["ring 3", "remove 101"]


async def test_another_rhythm_holds_from_now_on(desk: Desk, clock: Clock) -> None:
    await desk.prefers(Preference(Rhythm.TWICE))
    await desk.arrives(CODES[0])
    assert await desk.serve() == []
    clock.move(seconds=10)
    await desk.prefers(Preference(Rhythm.AT_ONCE))
    assert await desk.serve() == ["ring 1"]
    # The ring that was planned before finds nothing new.
    assert await desk.after(days=1) == []


async def test_a_change_during_an_edit_leads_to_another(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(minutes=1)
    await desk.arrives(CODES[1])
    (row,) = await desk.rows()
    made = await desk.takes(row)
    assert isinstance(made, Showing)
    await desk.arrives(CODES[2])
    await desk.arrived(row, made)
    assert await desk.after(seconds=3) == ["edit 3"]


async def test_news_during_a_ring_is_news_after_it(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    refresh = (await desk.rows())[0]
    assert await desk.takes(refresh) is None
    (ring,) = await desk.rows()
    made = await desk.takes(ring)
    assert isinstance(made, Showing)
    await desk.arrives(CODES[1])
    await desk.arrived(ring, made)
    clock.move(seconds=1)
    await desk.looks()
    assert await desk.after(seconds=2) == ["edit 2"]
    assert await desk.after(minutes=1) == ["ring 2", "remove 101"]


async def test_a_new_card_is_known_before_while_and_after_its_arrival_is_noted(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.takes((await desk.rows())[0]) is None
    (ring,) = await desk.rows()
    made = await desk.takes(ring)
    assert isinstance(made, Showing)
    as_sent, new = await desk.card(), desk.last_message + 1
    assert await desk.taps(new, as_sent)
    await desk.arrived(ring, made)
    assert await desk.taps(new, as_sent)
    assert await desk.taps(new, await desk.card())
    clock.move(minutes=2)
    await desk.looks()
    await desk.arrives(CODES[1])
    assert await desk.serve() == ["ring 2", "remove 101"]
    assert not await desk.taps(new, as_sent)
    assert not await desk.taps(new, await desk.card())


async def test_a_ring_cut_short_by_a_crash_is_made_once_more(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.takes((await desk.rows())[0]) is None
    (ring,) = await desk.rows()
    assert isinstance(await desk.takes(ring), Showing)
    async with desk.country.write() as session:
        assert await sending.recover(session, clock(), clock()) == [CHAT]
        await session.execute(update(OutboxMessage).values(state=State.PENDING))
    assert await desk.serve() == ["ring 1"]


async def test_rows_go_with_the_link_and_a_new_one_begins_anew(desk: Desk, clock: Clock) -> None:
    await desk.prefers(Preference(Rhythm.OFF))
    await desk.arrives(CODES[0])
    async with desk.country.write() as session:
        officer = await active_officer(session, CHAT)
        assert officer is not None
        await unlink_officer(session, officer, clock())
        assert list(await session.scalars(select(ProvinceCard))) == []
    assert await desk.rows() == []
    await desk.link()
    assert await desk.serve() == ["ring 1"]


async def test_rounds_change_every_card(desk: Desk, clock: Clock) -> None:
    await desk.arrives(CODES[0])
    assert await desk.serve() == ["ring 1"]
    clock.move(minutes=1)
    async with desk.country.write() as session:
        await close_round(session, clock())
    assert await desk.serve() == ["edit 1"]


async def test_changes_at_the_same_moment_are_all_shown(desk: Desk, clock: Clock) -> None:
    """Organizations certify while the courier looks and the officer chooses: no deadlock, nothing lost."""
    other = Desk(desk.country, clock, chat=602, last_message=200)
    await other.link()
    await asyncio.gather(
        *(desk.arrives(code) for code in CODES),
        desk.serve(),
        other.serve(),
        desk.prefers(Preference(Rhythm.TWICE)),
    )
    await asyncio.gather(desk.prefers(Preference()), other.serve())
    clock.move(seconds=3)
    await asyncio.gather(desk.serve(), other.serve())
    clock.move(minutes=1)
    await desk.looks()
    await asyncio.gather(desk.serve(), other.serve())
    clock.move(seconds=3)
    for one in (desk, other):
        await one.serve()
        assert (await one.card()).shows_waiting
        # At most a ring that was planned for later.
        assert {row.kind for row in await one.rows()} <= {NoticeKind.WAITING}
        async with desk.country.write() as session:
            await card_marks.touch(session, "11", clock())
        clock.move(seconds=3)
        assert "edit 4" in await one.serve()


def test_never_more_than_twelve_rings_in_ten_minutes() -> None:
    assert timedelta(minutes=10) / RING_EVERY + 1 <= 12
