"""The courier and the outbox: what is due, how each try ends, and what a start finds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from models.base.clocks import LARGEST_OFFSET
from models.database.engine import Database
from models.notices import outbox, sending
from models.notices.kind import AFTER_HOLIDAYS, SOON, NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests.support import make_bulk

CROWD = 2000
# What years have left behind: only then a scan of all is dearer than the index.
LONG_SENT = 20_000
BULK = NoticeKind.COLLEAGUE_CERTIFIED


def row(kind: NoticeKind, chat: int, state: State, due: datetime) -> dict[str, object]:
    return {
        "dedupe_key": f"{kind}:{state}:{chat}",
        "kind": kind,
        "chat_id": chat,
        "subject_id": 1,
        "state": state,
        "attempts": 0,
        "created_at": due,
        "due_at": due,
    }


@pytest.fixture
async def crowded(database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Very much that is bulk and due, very much that was sent, and three that are urgent."""
    make_bulk(monkeypatch, BULK)
    rows = [row(BULK, chat, State.PENDING, now - timedelta(seconds=chat)) for chat in range(CROWD)]
    rows += [row(NoticeKind.PROVINCE_CERTIFIED, chat, State.SENT, now) for chat in range(LONG_SENT)]
    rows += [
        row(NoticeKind.PROVINCE_CERTIFIED, -1, State.PENDING, now),
        row(NoticeKind.RECEIPT, -2, State.UNCERTAIN, now),
        row(NoticeKind.BLANK, -3, State.PENDING, now),
        row(NoticeKind.RECEIPT, -4, State.PENDING, now + timedelta(seconds=1)),
    ]
    async with database.write() as session:
        await session.execute(insert(OutboxMessage), rows)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")
    return database


@contextmanager
def issued(database: Database) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_what_is_due_comes_by_urgency_and_is_found_by_its_index(crowded: Database, now: datetime) -> None:
    with issued(crowded) as statements:
        async with crowded.read() as session:
            urgent = await sending.due(session, now, {-99}, 30)
            bulk = await sending.due_bulk(session, now, {CROWD - 1, CROWD - 3}, 3)
    assert [one.chat_id for one in urgent] == [-2, -3, -1]
    assert [one.chat_id for one in bulk] == [CROWD - 2, CROWD - 4, CROWD - 5]
    asked = [one for one in statements if one[0].startswith("SELECT")]
    assert len(asked) == 2
    explain = "EXPLAIN QUERY PLAN " if crowded.is_sqlite else "EXPLAIN "
    async with crowded.engine.connect() as connection:
        for statement, parameters in asked:
            plan = [str(step) for step in await connection.exec_driver_sql(explain + statement, parameters)]
            assert any("ix_outbox_due" in step for step in plan), plan
            assert not any("SCAN outbox" in step or "Seq Scan" in step for step in plan), plan
        # Bulk is read in the order of the index: no more of it than is taken.
        assert not any("SORT" in step.upper() or "TEMP B-TREE" in step for step in plan), plan


CHAT = 501
A_MOMENT = timedelta(seconds=1)


async def queued(
    database: Database, now: datetime, kind: NoticeKind = NoticeKind.REOPENED, subject: int = 1
) -> OutboxMessage:
    async with database.write() as session:
        outbox.enqueue(session, kind, CHAT, subject, now)
        await session.flush()
    return await row_of(database, subject)


async def row_of(database: Database, subject: int = 1) -> OutboxMessage:
    async with database.read() as session:
        return (await session.scalars(select(OutboxMessage).where(OutboxMessage.subject_id == subject))).one()


# --- a try --------------------------------------------------------------------------------------------------


async def test_of_two_couriers_who_read_the_same_row_one_sends_it(database: Database, now: datetime) -> None:
    row, other = await queued(database, now), await queued(database, now, subject=2)
    async with database.write() as session:
        assert await sending.mark_sending(session, [row, other], now) == {row.id, other.id}
    async with database.write() as session:
        assert await sending.mark_sending(session, [row, other], now) == set()
    found = await row_of(database)
    assert (found.state, found.attempts, found.due_at) == (State.SENDING, 1, now)


async def test_what_was_put_off_since_it_was_read_is_not_sent(database: Database, now: datetime) -> None:
    row = await queued(database, now)
    later = now + timedelta(minutes=1)
    async with database.write() as session:
        assert await sending.mark_sending(session, [row], now)
        await sending.put_off(session, row, later)
        # Read in the same state, with as many tries: as if it had not been marked.
        assert await sending.mark_sending(session, [row], later - A_MOMENT) == set()
        assert await sending.mark_sending(session, [row], later) == {row.id}
    assert (await row_of(database)).attempts == 1


async def test_an_answer_that_is_being_sent_is_doubtful_after_a_while(database: Database, now: datetime) -> None:
    receipt, notice = await queued(database, now, NoticeKind.RECEIPT), await queued(database, now, subject=2)
    async with database.write() as session:
        await sending.mark_sending(session, [receipt, notice], now)
    assert (await row_of(database)).due_at == now + sending.DOUBT
    assert (await row_of(database, 2)).due_at == now


Ending = Callable[[Any, OutboxMessage, datetime], Any]


@pytest.mark.parametrize(
    ("end", "state", "attempts", "error", "message_id"),
    [
        (lambda s, row, now: sending.mark_sent(s, row.id, 77, now), State.SENT, 1, None, 77),
        (
            lambda s, row, now: sending.mark_retry(s, row, State.UNCERTAIN, "timed out", now, counts=True),
            State.UNCERTAIN,
            1,
            "timed out",
            None,
        ),
        (
            lambda s, row, now: sending.mark_retry(s, row, State.PENDING, "429", now, counts=False),
            State.PENDING,
            0,
            "429",
            None,
        ),
        (lambda s, row, now: sending.mark_ended(s, row, State.DEAD, "x" * 999), State.DEAD, 1, "x" * 300, None),
        (lambda s, row, now: sending.mark_ended(s, row, State.DROPPED, "late"), State.DROPPED, 0, "late", None),
    ],
    ids=["sent", "uncertain", "not counted", "dead", "dropped"],
)
async def test_how_a_try_ends(
    database: Database,
    now: datetime,
    end: Ending,
    state: State,
    attempts: int,
    error: str | None,
    message_id: int | None,
) -> None:
    row = await queued(database, now)
    async with database.write() as session:
        await sending.mark_sending(session, [row], now)
        await end(session, row, now)
    found = await row_of(database)
    assert (found.state, found.attempts, found.error, found.message_id) == (state, attempts, error, message_id)


async def test_the_end_of_a_try_is_not_written_over_a_later_one(database: Database, now: datetime) -> None:
    """A courier that stood still tells how it ended when another has tried again twice."""
    first = await queued(database, now)
    async with database.write() as session:
        await sending.mark_sending(session, [first], now)
        for _ in range(2):
            await session.execute(update(OutboxMessage).values(state=State.PENDING, due_at=now))
            again = (await session.scalars(select(OutboxMessage).execution_options(populate_existing=True))).one()
            assert await sending.mark_sending(session, [again], now)
        await sending.mark_ended(session, first, State.DEAD, "what the first one saw")
        await sending.mark_retry(session, first, State.PENDING, "what the first one saw", now, counts=True)
        await sending.put_off(session, first, now + timedelta(days=1))
    found = await row_of(database)
    assert (found.state, found.attempts, found.error, found.due_at) == (State.SENDING, 3, None, now)


async def test_what_is_done_leaves_nothing_to_blank(database: Database, now: datetime) -> None:
    row = await queued(database, now)
    async with database.write() as session:
        await sending.mark_sent(session, row.id, 77, now)
        await sending.forget_message(session, CHAT, 76)
    assert (await row_of(database)).message_id == 77
    async with database.write() as session:
        await sending.forget_message(session, CHAT, 77)
        found = (await session.scalars(select(OutboxMessage))).one()
        assert (found.state, found.message_id) == (State.SENT, None)
        await sending.drop(session, row.id)
        assert list(await session.scalars(select(OutboxMessage.id))) == []


# --- after a start ------------------------------------------------------------------------------------------


async def test_what_was_being_sent_may_have_arrived_and_an_answer_may_be_on_its_way(
    database: Database, now: datetime
) -> None:
    kinds = (NoticeKind.REOPENED, NoticeKind.RECEIPT, NoticeKind.QUESTIONED)
    rows = [await queued(database, now, kind, number) for number, kind in enumerate(kinds)]
    async with database.write() as session:
        await sending.mark_sending(session, rows[:2], now)

    async def recovered(at: datetime) -> list[int]:
        async with database.write() as session:
            await sending.recover(session, at, at + A_MOMENT)
            found = select(OutboxMessage.subject_id).where(OutboxMessage.state == State.UNCERTAIN)
            return list(await session.scalars(found.order_by(OutboxMessage.subject_id)))

    assert await recovered(now) == [0]
    assert (await row_of(database, 0)).due_at == now + A_MOMENT
    assert await recovered(now + sending.DOUBT - A_MOMENT) == [0]
    assert await recovered(now + sending.DOUBT) == [0, 1]
    assert (await row_of(database, 2)).state is State.PENDING


async def test_an_answer_that_a_clock_ahead_has_marked_is_found_at_once(database: Database, now: datetime) -> None:
    row = await queued(database, now, NoticeKind.RECEIPT)
    async with database.write() as session:
        assert await sending.mark_sending(session, [row], now + LARGEST_OFFSET)
        assert await sending.recover_answers(session, now, now) == []
    async with database.write() as session:
        ahead = now + sending.DOUBT + LARGEST_OFFSET + A_MOMENT
        await session.execute(update(OutboxMessage).values(due_at=ahead))
        assert await sending.recover_answers(session, now, now) == [CHAT]


@pytest.mark.parametrize(
    ("kind", "created", "due", "is_brought"),
    [
        (NoticeKind.REOPENED, timedelta(0), SOON, False),
        (NoticeKind.REOPENED, timedelta(0), SOON + A_MOMENT, True),
        (NoticeKind.REMINDER, timedelta(0), SOON + A_MOMENT, False),
        (NoticeKind.REMINDER, timedelta(0), AFTER_HOLIDAYS + A_MOMENT, True),
        # Queued later than now: by a clock that was ahead.
        (NoticeKind.REOPENED, A_MOMENT, A_MOMENT, True),
        (NoticeKind.REOPENED, A_MOMENT, timedelta(0), False),
    ],
)
async def test_what_no_rule_could_have_put_off_so_far_is_due_now(
    database: Database, now: datetime, kind: NoticeKind, created: timedelta, due: timedelta, is_brought: bool
) -> None:
    await queued(database, now, kind)
    async with database.write() as session:
        await session.execute(update(OutboxMessage).values(created_at=now + created, due_at=now + due))
        assert await sending.bring_forward(session, now) == int(is_brought)
    assert (await row_of(database)).due_at == (now if is_brought else now + due)


async def test_beyond_a_given_moment_everything_is_brought_forward(database: Database, now: datetime) -> None:
    await queued(database, now, NoticeKind.REMINDER)
    async with database.write() as session:
        await session.execute(update(OutboxMessage).values(due_at=now + timedelta(days=1)))
        assert await sending.bring_forward(session, now, beyond=timedelta(days=1)) == 0
        assert await sending.bring_forward(session, now, beyond=timedelta(hours=23)) == 1
