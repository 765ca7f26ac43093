"""The outbox as the operator sees it: what became of each message, dead ones again, and what a restore held."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.chats.conversation import load_conversation
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices import outbox, outbox_admin
from models.notices.kind import CHANGES, NoticeKind
from models.notices.outbox import UNSETTLED, OutboxMessage, State
from models.notices.outbox_admin import NotFound, NotRetried
from tests.support import link

LAO, OTHER = "lao5110201", "lao6110301"


@pytest.fixture
async def filled(country: Database, now: datetime) -> Database:
    """One message in each state to an organization's officer, by number; and one to another's and to nobody's."""
    async with country.write() as session:
        await link(session, LAO, 501, now)
        await link(session, OTHER, 502, now)
        for number, state in enumerate(State, 1):
            outbox.enqueue(session, NoticeKind.REOPENED, 501, number, now)
            await session.flush()
            row = update(OutboxMessage).where(OutboxMessage.subject_id == number)
            await session.execute(row.values(state=state, attempts=number, error=f"why {state}"))
        for chat in (502, -7):
            outbox.enqueue(session, NoticeKind.PETITIONED, chat, 1, now)
            await session.flush()
    return country


async def states(database: Database) -> list[State]:
    async with database.read() as session:
        return list(await session.scalars(select(OutboxMessage.state).order_by(OutboxMessage.id)))


# --- the list -----------------------------------------------------------------------------------------------


async def test_messages_are_listed_newest_first_with_whose_they_are(filled: Database) -> None:
    async with filled.read() as session:
        found = await outbox_admin.list_messages(session)
        assert [one.number for one in found.messages] == [*range(9, 0, -1)]
        assert [(one.account, one.kind) for one in found.messages[:3]] == [
            (None, "petitioned"),
            (OTHER, "petitioned"),
            (LAO, "reopened"),
        ]
        assert found.counts == dict.fromkeys(State, 1) | {State.PENDING: 3}
        dead = found.messages[-5]
        assert (dead.state, dead.tries, dead.reason) == (State.DEAD, 5, "why dead")
        assert [one.number for one in (await outbox_admin.list_messages(session, limit=2)).messages] == [9, 8]


async def test_the_list_is_narrowed_and_counts_all_states_of_what_it_is_narrowed_to(filled: Database) -> None:
    async with filled.read() as session:
        theirs = await outbox_admin.list_messages(session, username=LAO, state=State.DEAD)
        assert [one.number for one in theirs.messages] == [5]
        assert theirs.counts == dict.fromkeys(State, 1)
        assert await outbox_admin.list_messages(session, organization="5110201", state=State.DEAD) == theirs
        others = await outbox_admin.list_messages(session, organization="6110301")
        assert (len(others.messages), others.counts[State.PENDING], others.counts[State.DEAD]) == (1, 1, 0)
        # Nobody was ever linked to it.
        assert (await outbox_admin.list_messages(session, username="province12")).messages == []
        with pytest.raises(NotFound, match="there is no account nobody"):
            await outbox_admin.list_messages(session, username="nobody")
        with pytest.raises(NotFound, match="there is no account of 9999999"):
            await outbox_admin.list_messages(session, organization="9999999")


async def test_a_chat_that_went_to_another_account_is_shown_with_the_newest(
    filled: Database, now: datetime
) -> None:
    async with filled.write() as session:
        officer = await link(session, LAO, 501, now)
        await unlink_officer(session, officer, now)
        new = await link(session, "lao6110302", 501, now)
        listed = await outbox_admin.list_messages(session, username=LAO)
        assert {(one.account, one.officer) for one in listed.messages} == {("lao6110302", new.id)}


# --- once more ----------------------------------------------------------------------------------------------


async def test_a_dead_message_is_tried_from_the_beginning(filled: Database, now: datetime) -> None:
    later = now + timedelta(hours=1)
    async with filled.write() as session:
        assert await outbox_admin.retry(session, [5, 5], later) == 1
    async with filled.read() as session:
        row = await session.get_one(OutboxMessage, 5)
    assert (row.state, row.attempts, row.due_at, row.error) == (State.PENDING, 0, later, None)


@pytest.mark.parametrize("state", [state for state in State if state is not State.DEAD])
async def test_only_dead_ones_are_tried_once_more_and_none_if_one_is_not(
    filled: Database, now: datetime, state: State
) -> None:
    before = await states(filled)
    with pytest.raises(NotRetried, match=f"is {state}, not dead"):
        async with filled.write() as session:
            await outbox_admin.retry(session, [5, list(State).index(state) + 1], now)
    assert await states(filled) == before


async def test_what_is_not_there_or_whose_chat_cannot_be_reached_is_not_tried(
    filled: Database, now: datetime
) -> None:
    async with filled.write() as session:
        with pytest.raises(NotFound, match="there is no message 99"):
            await outbox_admin.retry(session, [5, 99], now)
        conversation = await load_conversation(session, 501)
        conversation.unreachable_since, conversation.unreachable_reason = now, "Forbidden: blocked"
        await session.flush()
        with pytest.raises(
            NotRetried, match="cannot be reached: Forbidden: blocked; its officer must open the bot"
        ):
            await outbox_admin.retry(session, [5], now)
    assert (await states(filled))[4] is State.DEAD


# --- after a restore ----------------------------------------------------------------------------------------


async def test_a_restore_holds_what_may_have_been_sent_since(filled: Database, now: datetime) -> None:
    before = await states(filled)
    async with filled.write() as session:
        for kind in sorted(CHANGES):
            outbox.enqueue(session, kind, 501, 1, now)
        await session.flush()
        await session.execute(outbox_admin.holding_unsent())
        assert await outbox_admin.count_held(session) == sum(state in UNSETTLED for state in before) + 1
    after = await states(filled)
    assert after[: len(before)] == [State.HELD if state in UNSETTLED else state for state in before]
    # Changes are idempotent: they go on.
    assert after[len(before) :] == [State.PENDING] * len(CHANGES)


async def test_the_operator_releases_what_is_held(filled: Database, now: datetime) -> None:
    later = now + timedelta(hours=1)
    async with filled.write() as session:
        assert await outbox_admin.release_held(session, later) == 1
        assert await outbox_admin.release_held(session, later) == 0
        row = await session.get_one(OutboxMessage, list(State).index(State.HELD) + 1, populate_existing=True)
        assert (row.state, row.due_at, row.error) == (State.PENDING, later, None)
        assert await outbox_admin.count_held(session) == 0


async def test_or_drops_it_and_it_can_be_tried_once_more(filled: Database, now: datetime) -> None:
    number = list(State).index(State.HELD) + 1
    async with filled.write() as session:
        assert await outbox_admin.drop_held(session) == 1
        assert await outbox_admin.drop_held(session) == 0
        row = await session.get_one(OutboxMessage, number, populate_existing=True)
        assert (row.state, row.error) == (State.DEAD, "dropped by the operator after a restore")
        assert await outbox_admin.retry(session, [number], now) == 1
