"""What is asked of the inbox with every tap and twice a second reads what waits, not what was done in 14 days."""

from typing import Any

from sqlalchemy import event, insert, text

from models.chats import inbox
from models.chats.inbox import InboxUpdate, State
from models.database.engine import Database
from models.notices import outbox
from tests.conftest import NOW

DONE = 3000


async def plans(database: Database) -> list[tuple[str, str]]:
    """Each statement of a tap, a look and a scrape, and how the database goes about it."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    async with database.write() as session:
        row = (await inbox.pending(session, 1, [5, 6], 128))[0]
        assert (await inbox.waiting(session)).depth == 1
        assert await inbox.is_next(session, row)
        assert await inbox.finish(session, row, NOW)
        await outbox.waiting(session)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    found = []
    async with database.engine.connect() as connection:
        for statement, parameters in asked:
            if statement.startswith("BEGIN"):
                continue
            how = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
            steps = await connection.exec_driver_sql(f"{how} {statement}", parameters)
            found.append((statement, "\n".join(str(step[-1]) for step in steps)))
    return found


async def test_what_was_done_is_not_read(database: Database) -> None:
    rows = [
        {
            "bot_id": 1,
            "update_id": number,
            "sender": number % 7,
            "received_at": NOW,
            "state": State.DONE,
            "attempts": 0,
        }
        for number in range(DONE)
    ]
    async with database.write() as session:
        await session.execute(insert(InboxUpdate), [*rows, {**rows[0], "update_id": DONE, "state": State.PENDING}])
    async with database.engine.connect() as connection:
        await connection.execute(text("ANALYZE"))
        await connection.commit()
    explained = await plans(database)
    # However the database begins a savepoint: each question has its plan.
    assert len([one for one, _ in explained if one.startswith(("SELECT", "UPDATE"))]) == 7
    for statement, plan in explained:
        assert "Seq Scan on inbox" not in plan, statement
        assert "SCAN inbox\n" not in plan + "\n", statement
        assert "SCAN outbox\n" not in plan + "\n", statement
    finished = next(plan for statement, plan in explained if statement.startswith("UPDATE"))
    assert "ix_inbox_turn" in finished
