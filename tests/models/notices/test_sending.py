"""The outbox: what is due is found by its index, however much waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert

from models.database.engine import Database
from models.notices import sending
from models.notices.kind import NoticeKind
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
