"""Messages on their way into the outbox: each cause once, and with its transaction."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from models.accounts.account import Account, chats
from models.database.engine import Database
from models.notices import outbox, sending
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State, has_queued
from tests.models.links.chats import CHAT, blanks
from tests.support import Clock, link


async def test_a_message_is_blanked_once_more_only_when_the_first_time_may_have_been_too_early(
    country: Database, clock: Clock
) -> None:
    async def enqueue() -> int:
        async with country.write() as session:
            return await outbox.enqueue_blanks(session, CHAT, [10], clock())

    async def all_are(state: State) -> None:
        async with country.write() as session:
            await session.execute(update(OutboxMessage).values(state=state))

    assert [await enqueue(), await enqueue()] == [1, 0]
    await all_are(State.SENDING)
    assert [await enqueue(), await enqueue()] == [1, 0]
    async with country.write() as session:
        first = (await session.scalars(select(OutboxMessage.id).order_by(OutboxMessage.id))).first()
        assert first is not None
        await sending.drop(session, first)
    await all_are(State.SENDING)
    assert [await enqueue(), len(await blanks(country))] == [1, 2]


async def queued(database: Database) -> list[tuple[NoticeKind, int, int]]:
    async with database.read() as session:
        rows = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))
        return [(row.kind, row.chat_id, row.subject_id) for row in rows]


async def test_a_message_is_there_if_and_only_if_its_transaction_commits(
    database: Database, now: datetime
) -> None:
    async def fail() -> None:
        async with database.write() as session:
            outbox.enqueue(session, NoticeKind.RECEIPT, CHAT, 1, now)
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await queued(database) == []
    async with database.write() as session:
        # The courier is to look only where something was queued.
        assert not has_queued(session)
        outbox.enqueue(session, NoticeKind.RECEIPT, CHAT, 1, now)
        assert has_queued(session)
    assert await queued(database) == [(NoticeKind.RECEIPT, CHAT, 1)]
    async with database.write() as session:
        assert not has_queued(session)


async def test_the_same_cause_never_sends_the_same_message_twice(database: Database, now: datetime) -> None:
    async def again(
        kind: NoticeKind = NoticeKind.RECEIPT, chat: int = CHAT, subject: int = 1, on: str = ""
    ) -> None:
        async with database.write() as session:
            outbox.enqueue(session, kind, chat, subject, now, on)

    await again()
    with pytest.raises(IntegrityError):
        await again()
    # Another chat, subject or kind, and what may happen to the same subject again.
    await again(chat=502)
    await again(subject=2)
    await again(NoticeKind.REOPENED)
    await again(on="2026-11-02")
    with pytest.raises(IntegrityError):
        await again(on="2026-11-02")
    assert len(await queued(database)) == 5


async def test_a_message_is_found_by_its_cause(database: Database, now: datetime) -> None:
    async with database.write() as session:
        await outbox.enqueue_each(session, NoticeKind.QUESTIONED, [501, 502], 7, now)
        found = await outbox.find(session, NoticeKind.QUESTIONED, 502, 7)
        assert found is not None
        assert (found.chat_id, found.state, found.attempts, found.due_at) == (502, State.PENDING, 0, now)
        assert await outbox.find(session, NoticeKind.QUESTIONED, 503, 7) is None
        assert await outbox.find(session, NoticeKind.ANSWERED, 502, 7) is None
        assert await outbox.told(session, NoticeKind.QUESTIONED, 501, [6, 7, 8]) == {7}
        assert await outbox.told(session, NoticeKind.LINKED, 501, [7]) == set()
        # Whatever became of it.
        await sending.mark_ended(session, found, State.DEAD, "Chat not found")
        assert await outbox.told(session, NoticeKind.QUESTIONED, 502, [7]) == {7}


async def test_what_goes_to_many_is_one_statement_and_once_a_chat(country: Database, now: datetime) -> None:
    async with country.write() as session:
        for username, user in (("lao5110201", 501), ("lao6110301", 502), ("lao6110301", 512), ("province11", 601)):
            await link(session, username, user, now)
        ready = chats(Account.organization_code.is_not(None))
        assert await outbox.enqueue_all(session, NoticeKind.REMINDER, ready, 1, now) == 3
        for row in await session.scalars(select(OutboxMessage)):
            assert (row.state, row.attempts, row.created_at, row.due_at) == (State.PENDING, 0, now, now)
            # As `enqueue` names it: the other way of queueing finds it.
            assert await outbox.find(session, NoticeKind.REMINDER, row.chat_id, 1) is not None
        assert await outbox.enqueue_all(session, NoticeKind.REMINDER, ready, 2, now) == 3
    with pytest.raises(IntegrityError):
        async with country.write() as session:
            await outbox.enqueue_all(session, NoticeKind.REMINDER, chats(), 1, now)
    assert [chat for _, chat, subject in await queued(country) if subject == 1] == [501, 502, 512]


async def test_messages_are_blanked_newest_first_and_each_once(database: Database, now: datetime) -> None:
    async with database.write() as session:
        assert await outbox.enqueue_blanks(session, CHAT, [10, 30, 20, 10], now) == 3
        assert await outbox.enqueue_blanks(session, CHAT, [20, 40], now) == 1
        assert await outbox.enqueue_blanks(session, CHAT, [], now) == 0
    assert await blanks(database) == [30, 20, 10, 40]


async def test_what_waits_and_since_when(database: Database, now: datetime) -> None:
    dues = {State.PENDING: 3, State.UNCERTAIN: 2, State.SENDING: 9, State.DEAD: 9, State.HELD: 9, State.SENT: 9}
    async with database.write() as session:
        assert await outbox.waiting(session) == outbox.Waiting(
            dict.fromkeys([state for state in State if state not in outbox.OVER], 0), None
        )
        for number, (state, hours) in enumerate(dues.items()):
            outbox.enqueue(session, NoticeKind.REOPENED, CHAT, number, now, due_at=now - timedelta(hours=hours))
            await session.flush()
            rows = update(OutboxMessage).where(OutboxMessage.subject_id == number)
            await session.execute(rows.values(state=state))
        found = await outbox.waiting(session)
    assert found.depth == dict.fromkeys([state for state in State if state not in outbox.OVER], 1)
    # Of those that are to be sent by themselves.
    assert found.oldest == now - timedelta(hours=3)


@pytest.mark.parametrize(
    ("state", "error", "is_one"),
    [
        (State.DEAD, "Forbidden: bot was blocked by the user", True),
        (State.DEAD, "Chat not found", True),
        (State.DEAD, "Bad Request: message is too long", False),
        (State.DEAD, None, False),
        (State.PENDING, "Forbidden: bot was blocked by the user", False),
    ],
)
async def test_which_messages_were_lost_to_a_chat_that_nothing_reaches(
    database: Database, now: datetime, state: State, error: str | None, is_one: bool
) -> None:
    async with database.write() as session:
        outbox.enqueue(session, NoticeKind.REOPENED, CHAT, 1, now)
        await session.flush()
        await session.execute(update(OutboxMessage).values(state=state, error=error))
        assert await outbox.count(session, NoticeKind.REOPENED, [1, 2], outbox.is_unreachable()) == int(is_one)
        assert await outbox.count(session, NoticeKind.REOPENED, [1, 2]) == 1
        assert await outbox.count(session, NoticeKind.REOPENED, []) == 0
