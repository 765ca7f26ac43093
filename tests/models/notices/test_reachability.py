"""Whether a chat can be written to: pauses, chats that refuse, chats that are there again, groups that moved."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.accounts.account import active_officer
from models.base.clocks import LARGEST_OFFSET
from models.chats.conversation import Conversation, load_conversation
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.notices.reachability import (
    LONGEST_PAUSE,
    Way,
    find_again,
    lose,
    lost_since,
    move,
    pause,
    paused,
    way_to,
)
from models.operator.erasure import forget_officer
from tests.support import link

CHAT, COLLEAGUE, STRANGER, OPERATOR = 501, 502, 777, 900
GROUP, SUPERGROUP = -55, -1000000000055
BLOCKED = "Forbidden: bot was blocked by the user"
A_MOMENT = timedelta(seconds=1)


@pytest.fixture
async def linked(country: Database, now: datetime) -> Database:
    """Two officers of one organization, with a conversation each."""
    async with country.write() as session:
        for chat in (CHAT, COLLEAGUE):
            await link(session, "lao5110201", chat, now)
            await load_conversation(session, chat)
    return country


async def way(database: Database, chat: int, now: datetime) -> Way:
    async with database.read() as session:
        return way_to(chat, await session.get(Conversation, chat), now)


async def rows(database: Database, chat: int) -> list[tuple[NoticeKind, State, str | None]]:
    async with database.read() as session:
        found = await session.scalars(
            select(OutboxMessage).where(OutboxMessage.chat_id == chat).order_by(OutboxMessage.id)
        )
        return [(row.kind, row.state, row.error) for row in found]


# --- pauses -------------------------------------------------------------------------------------------------


async def test_a_chat_is_left_alone_until_its_pause_is_over(linked: Database, now: datetime) -> None:
    until = now + timedelta(seconds=30)
    async with linked.write() as session:
        await pause(session, CHAT, until, now)
        # A shorter one does not end it.
        await pause(session, CHAT, until - A_MOMENT, now)
    assert await way(linked, CHAT, now) == Way(CHAT, until)
    assert await way(linked, CHAT, until) == Way(CHAT)
    assert await way(linked, COLLEAGUE, now) == Way(COLLEAGUE)
    async with linked.write() as session:
        assert await paused(session, now) == {CHAT: until}
        assert await paused(session, until) == {}
        await pause(session, CHAT, until + A_MOMENT, now)
    assert await way(linked, CHAT, until) == Way(CHAT, until + A_MOMENT)


async def test_a_pause_longer_than_any_was_noted_by_a_clock_that_was_ahead(
    linked: Database, now: datetime
) -> None:
    longest = now + LONGEST_PAUSE + LARGEST_OFFSET
    for until, is_paused in ((longest, True), (longest + A_MOMENT, False)):
        async with linked.write() as session:
            await session.execute(update(Conversation).values(paused_until=until))
            assert set(await paused(session, now)) == ({CHAT, COLLEAGUE} if is_paused else set())
        assert await way(linked, CHAT, now) == Way(CHAT, until if is_paused else None)
    # The next one that Telegram asks for takes its place, although it is shorter.
    async with linked.write() as session:
        await session.execute(update(Conversation).values(paused_until=longest + A_MOMENT))
    until = now + timedelta(seconds=30)
    async with linked.write() as session:
        await pause(session, CHAT, until, now)
    assert await way(linked, CHAT, now) == Way(CHAT, until)


async def test_a_chat_of_which_nothing_is_known_is_open_and_stays_unknown(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        await pause(session, STRANGER, now + A_MOMENT, now)
        await lose(session, STRANGER, BLOCKED, now, OPERATOR)
        assert await lost_since(session, STRANGER) is None
        assert list(await session.scalars(select(Conversation))) == []
        # A group is nobody's number.
        await pause(session, GROUP, now + A_MOMENT, now)
    assert await way(country, STRANGER, now) == Way(STRANGER)
    assert await way(country, GROUP, now) == Way(GROUP, now + A_MOMENT)


# --- chats that refuse --------------------------------------------------------------------------------------


async def lost(database: Database, now: datetime, chat: int = CHAT, operator: int | None = OPERATOR) -> None:
    async with database.write() as session:
        await lose(session, chat, BLOCKED, now, operator)


async def test_what_waits_for_a_chat_that_refuses_is_dead_and_its_colleague_is_told(
    linked: Database, now: datetime
) -> None:
    states = (State.PENDING, State.UNCERTAIN, State.HELD, State.SENDING, State.SENT)
    async with linked.write() as session:
        for number, state in enumerate(states):
            outbox.enqueue(session, NoticeKind.REOPENED, CHAT, number, now)
            await session.flush()
            row = update(OutboxMessage).where(OutboxMessage.subject_id == number)
            await session.execute(row.values(state=state))
    await lost(linked, now)
    assert [row[1:] for row in await rows(linked, CHAT)] == [
        *[(State.DEAD, BLOCKED)] * 3,
        (State.SENDING, None),
        (State.SENT, None),
    ]
    assert await way(linked, CHAT, now) == Way(CHAT, unreachable=BLOCKED)
    assert await rows(linked, COLLEAGUE) == [(NoticeKind.UNREACHABLE, State.PENDING, None)]
    assert await rows(linked, OPERATOR) == []
    # Refused again: it is known.
    await lost(linked, now + timedelta(hours=1))
    assert len(await rows(linked, COLLEAGUE)) == 1
    async with linked.read() as session:
        assert await lost_since(session, CHAT) == now


@pytest.mark.parametrize("operator", [OPERATOR, None])
async def test_the_operator_is_told_when_nobody_of_an_account_is_left(
    linked: Database, now: datetime, operator: int | None
) -> None:
    await lost(linked, now, COLLEAGUE, operator)
    assert [kind for kind, *_ in await rows(linked, CHAT)] == [NoticeKind.UNREACHABLE]
    await lost(linked, now, CHAT, operator)
    told = [(NoticeKind.UNREACHABLE, State.PENDING, None)]
    assert await rows(linked, OPERATOR) == (told if operator else [])


async def test_of_somebody_forgotten_no_change_is_kept(linked: Database, now: datetime) -> None:
    async with linked.write() as session:
        officer = await active_officer(session, CHAT)
        assert officer is not None
        await outbox.enqueue_blanks(session, CHAT, [10], now)
        await forget_officer(session, officer.id, "ผู้ดูแล", "คำขอ 1/2570", now)
    assert [kind for kind, *_ in await rows(linked, CHAT)] == [NoticeKind.BLANK]
    await lost(linked, now)
    assert await rows(linked, CHAT) == []
    async with linked.read() as session:
        assert await session.get(Conversation, CHAT) is None


# --- chats that are there again -----------------------------------------------------------------------------


async def again(database: Database, now: datetime, chat: int = CHAT, **more: bool) -> bool:
    async with database.write() as session:
        conversation = await load_conversation(session, chat)
        return await find_again(session, conversation, await active_officer(session, chat), now, OPERATOR, **more)


async def test_who_comes_back_has_its_changes_made_and_is_told_what_it_missed(
    linked: Database, now: datetime
) -> None:
    async with linked.write() as session:
        outbox.enqueue(session, NoticeKind.REOPENED, CHAT, 1, now)
        outbox.enqueue(session, NoticeKind.BLANK, CHAT, 10, now)
    await lost(linked, now)
    later = now + timedelta(hours=1)
    assert await again(linked, later)
    assert await way(linked, CHAT, later) == Way(CHAT)
    reopened, blank, missed = await rows(linked, CHAT)
    assert reopened[1] is State.DEAD
    assert blank == (NoticeKind.BLANK, State.PENDING, None)
    assert missed == (NoticeKind.MISSED, State.PENDING, None)
    assert not await again(linked, later)
    assert len(await rows(linked, CHAT)) == 3


async def test_a_change_that_failed_for_another_reason_is_not_made_after_all(
    linked: Database, now: datetime
) -> None:
    async with linked.write() as session:
        outbox.enqueue(session, NoticeKind.BLANK, CHAT, 10, now)
        await session.flush()
        await session.execute(update(OutboxMessage).values(state=State.DEAD, error="Bad Request"))
    await lost(linked, now)
    assert await again(linked, now)
    assert await rows(linked, CHAT) == [(NoticeKind.BLANK, State.DEAD, "Bad Request")]


async def test_nobody_is_told_what_an_unlinked_chat_missed(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await load_conversation(session, STRANGER)
        outbox.enqueue(session, NoticeKind.REOPENED, STRANGER, 1, now)
    await lost(country, now, STRANGER)
    assert await again(country, now, STRANGER)
    assert [kind for kind, *_ in await rows(country, STRANGER)] == [NoticeKind.REOPENED]


# --- groups -------------------------------------------------------------------------------------------------


async def test_what_is_addressed_to_a_group_goes_to_where_it_has_moved(database: Database, now: datetime) -> None:
    async with database.write() as session:
        (await load_conversation(session, GROUP)).told_private_only = True
        await move(session, GROUP, SUPERGROUP)
    assert await way(database, GROUP, now) == Way(SUPERGROUP)
    async with database.read() as session:
        # It was told, and is not told again.
        assert (await session.get_one(Conversation, SUPERGROUP)).told_private_only


async def test_a_group_that_moved_is_found_again_by_its_new_id(database: Database, now: datetime) -> None:
    async with database.write() as session:
        await move(session, GROUP, SUPERGROUP)
    await lost(database, now, GROUP)
    assert (await way(database, GROUP, now)).unreachable == BLOCKED
    assert await again(database, now, SUPERGROUP)
    assert await way(database, GROUP, now) == Way(SUPERGROUP)


@pytest.mark.parametrize("lets_in", [True, False])
async def test_the_operators_group_may_be_one_that_lets_the_bot_in(
    database: Database, now: datetime, lets_in: bool
) -> None:
    """Under an id that nobody knows yet: the next message to it is tried."""
    await lost(database, now, GROUP)
    async with database.write() as session:
        conversation = await load_conversation(session, SUPERGROUP)
        assert await find_again(session, conversation, None, now, GROUP, lets_in=lets_in) is lets_in
    assert (await way(database, GROUP, now)).unreachable == (None if lets_in else BLOCKED)
