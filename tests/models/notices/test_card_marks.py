"""Marks on the live cards of a province's officers: each change is counted, and one edit waits for all of them."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.accounts.account import Officer
from models.base.clocks import LARGEST_OFFSET
from models.chats.conversation import note_card
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices import card_marks, outbox, sending
from models.notices.card_marks import ALL_IS_NEW, EDIT_EVERY
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.notices.tables import ProvinceCard
from tests.support import link

CHAT, COLLEAGUE, ELSEWHERE = 601, 602, 701
A_MOMENT = timedelta(seconds=1)


@pytest.fixture
async def cards(country: Database, now: datetime) -> Database:
    """Two officers of a province and one of another, whose cards show how things are; and one of an LAO."""
    async with country.write() as session:
        for username, chat in (("province11", CHAT), ("province11", COLLEAGUE), ("province12", ELSEWHERE)):
            await card_marks.begin(session, await link(session, username, chat, now), now)
        await link(session, "lao5110201", 501, now)
        await session.execute(update(OutboxMessage).values(state=State.DROPPED))
        await session.execute(update(ProvinceCard).values(new_from=None))
    return country


async def officer(database: Database, chat: int = CHAT) -> Officer:
    async with database.read() as session:
        return (await session.scalars(select(Officer).where(Officer.user_id == chat))).one()


async def card(database: Database, chat: int = CHAT) -> ProvinceCard:
    async with database.read() as session:
        found = select(ProvinceCard).join(Officer).where(Officer.user_id == chat)
        return (await session.scalars(found)).one()


async def waiting(database: Database) -> list[tuple[int, datetime]]:
    """The edits that wait: of which chat, and when they are due."""
    async with database.read() as session:
        found = await session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.kind == NoticeKind.REFRESH, OutboxMessage.state == State.PENDING)
            .order_by(OutboxMessage.chat_id)
        )
        return [(row.chat_id, row.due_at) for row in found]


async def test_who_begins_finds_all_that_waits_new(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await card_marks.begin(session, await link(session, "province11", CHAT, now), now)
        # An organization's officer has no card.
        await card_marks.begin(session, await link(session, "lao5110201", 501, now), now)
        assert len(list(await session.scalars(select(ProvinceCard)))) == 1
    found = await card(country)
    assert (found.new_from, found.message_id, found.shows_waiting) == (ALL_IS_NEW, None, False)
    assert await waiting(country) == [(CHAT, now)]


async def test_a_change_is_of_the_cards_of_its_province(cards: Database, now: datetime) -> None:
    before = {chat: (await card(cards, chat)).changes for chat in (CHAT, ELSEWHERE)}
    async with cards.write() as session:
        await card_marks.touch(session, "11", now)
    assert await waiting(cards) == [(CHAT, now), (COLLEAGUE, now)]
    assert (await card(cards)).changes > before[CHAT]
    assert (await card(cards, ELSEWHERE)).changes == before[ELSEWHERE]
    async with cards.write() as session:
        await card_marks.touch_all(session, now)
    assert [chat for chat, _ in await waiting(cards)] == [CHAT, COLLEAGUE, ELSEWHERE]


async def test_an_officers_own_change_is_of_its_card_alone(cards: Database, now: datetime) -> None:
    async with cards.write() as session:
        await card_marks.touch_own(session, await officer(cards, COLLEAGUE), now)
    assert await waiting(cards) == [(COLLEAGUE, now)]


async def test_who_has_no_position_yet_or_no_link_any_more_has_no_mark(cards: Database, now: datetime) -> None:
    async with cards.write() as session:
        await session.execute(update(Officer).where(Officer.user_id == CHAT).values(position=None))
        await unlink_officer(session, await link(session, "province11", COLLEAGUE, now), now)
        await card_marks.touch_all(session, now)
    assert await waiting(cards) == [(ELSEWHERE, now)]


async def test_one_edit_waits_for_however_many_changes(cards: Database, now: datetime) -> None:
    for number in range(5):
        async with cards.write() as session:
            await card_marks.touch(session, "12", now + number * A_MOMENT)
    assert await waiting(cards) == [(ELSEWHERE, now)]
    # The courier has taken it: what changes now is seen by another.
    async with cards.write() as session:
        row = (await session.scalars(select(OutboxMessage).where(OutboxMessage.state == State.PENDING))).one()
        assert await sending.mark_sending(session, [row], now)
        await card_marks.touch(session, "12", now)
        await card_marks.touch(session, "12", now)
    assert await waiting(cards) == [(ELSEWHERE, now)]


async def test_an_edit_comes_three_seconds_after_the_last_one(cards: Database, now: datetime) -> None:
    async def due_at(edited_at: datetime | None) -> datetime:
        async with cards.write() as session:
            await session.execute(update(OutboxMessage).values(state=State.DROPPED))
            await session.execute(update(ProvinceCard).values(edited_at=edited_at))
            await card_marks.touch(session, "12", now)
        ((_, due),) = await waiting(cards)
        return due

    assert timedelta(seconds=3) == EDIT_EVERY
    assert await due_at(None) == now
    assert await due_at(now) == now + EDIT_EVERY
    assert await due_at(now - A_MOMENT) == now + EDIT_EVERY - A_MOMENT
    assert await due_at(now - timedelta(hours=1)) == now
    # Edited by a clock that was ahead: it is not waited for.
    assert await due_at(now + LARGEST_OFFSET + A_MOMENT) == now


async def test_the_lowest_certificate_that_is_new_is_kept(cards: Database, now: datetime) -> None:
    for arrived, lowest in ((None, None), (8, 8), (9, 8), (None, 8), (5, 5)):
        async with cards.write() as session:
            await card_marks.touch(session, "12", now, arrived=arrived)
        assert (await card(cards, ELSEWHERE)).new_from == lowest
    assert (await card(cards)).new_from is None


async def test_what_is_rolled_back_leaves_no_mark(cards: Database, now: datetime) -> None:
    before = (await card(cards)).changes

    async def fails() -> None:
        async with cards.write() as session:
            await card_marks.touch(session, "11", now, arrived=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await waiting(cards) == []
    assert (await card(cards)).changes == before


async def test_every_officer_is_marked_in_one_order(cards: Database, now: datetime) -> None:
    """Two that mark the same cards wait for each other, and do not lock each other out."""
    async with cards.write() as session:
        for chat in range(610, 616):
            await card_marks.begin(session, await link(session, "province11", chat, now), now)

    async def mark(province: str | None) -> None:
        async with cards.write() as session:
            await (card_marks.touch(session, province, now) if province else card_marks.touch_all(session, now))
            await asyncio.sleep(0)

    await asyncio.gather(*(mark(one) for one in ("11", None) * 10))
    assert [chat for chat, _ in await waiting(cards)] == [CHAT, COLLEAGUE, *range(610, 616), ELSEWHERE]


# --- the officer looks --------------------------------------------------------------------------------------


async def look(
    database: Database, now: datetime, message: int | None, *, is_idle: bool = False
) -> tuple[bool, datetime | None]:
    """Whether what it tapped is its live card, and when it looked last."""
    async with database.write() as session:
        one = await session.get_one(Officer, (await officer(database)).id)
        held = await card_marks.hold_card(session, one.id)
        assert held is not None
        return await card_marks.look(session, one, held, message, now, is_idle=is_idle), one.last_seen_at


async def test_what_rang_is_seen_by_the_next_tap_unless_the_session_is_idle(
    cards: Database, now: datetime
) -> None:
    rang, later = now + timedelta(minutes=5), now + timedelta(minutes=6)
    # Nothing rang since it looked last: nothing is written.
    assert await look(cards, later, None) == (False, now)
    async with cards.write() as session:
        await session.execute(update(ProvinceCard).values(rung_at=rang))
    assert await look(cards, later, None, is_idle=True) == (False, now)
    assert await look(cards, later, None) == (False, later)
    assert await look(cards, later + A_MOMENT, None) == (False, later)


async def test_a_tap_on_the_live_card_is_known_before_its_arrival_is_noted(cards: Database, now: datetime) -> None:
    async with cards.write() as session:
        await session.execute(update(ProvinceCard).values(message_id=10))
        await note_card(session, CHAT, 11, now)
        outbox.enqueue(session, NoticeKind.REOPENED, CHAT, 1, now)
        await session.flush()
        await session.execute(update(OutboxMessage).values(message_id=12))

    async def is_live(message: int) -> bool:
        return (await look(cards, now, message))[0]

    assert [await is_live(message) for message in (10, 11, 12, 13)] == [True, False, False, False]
    # A new one is on its way: of which nobody knows, that is it.
    async with cards.write() as session:
        await session.execute(update(ProvinceCard).values(telling_from=5))
    assert [await is_live(message) for message in (10, 11, 12, 13)] == [True, False, False, True]


async def test_other_times_are_decided_on_anew(cards: Database, now: datetime) -> None:
    async with cards.write() as session:
        await session.execute(update(ProvinceCard).values(ring_at=now + timedelta(hours=1)))
        await card_marks.plan_anew(session, await officer(cards), now)
    assert (await card(cards)).ring_at is None
    assert (await card(cards, COLLEAGUE)).ring_at == now + timedelta(hours=1)
    assert await waiting(cards) == [(CHAT, now)]
