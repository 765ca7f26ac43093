"""Rows that are marked together, and outcomes that are recorded together."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from markupsafe import Markup
from sqlalchemy import event

from bot.outbound.delivery import Outcome
from bot.outbound.ledger import Ledger
from handlers.chat.screen import Screen
from models.database.engine import Database, Session
from models.notices import outbox, sending
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests import support
from tests.bot.running import outbox_rows
from tests.support import Clock

CHATS = (501, 502, 503)
BLAMED = 502


@pytest.fixture
async def rows(country: Database, clock: Clock) -> list[OutboxMessage]:
    """Bulk messages for three linked chats."""
    async with country.write() as session:
        for chat in CHATS:
            await support.link(session, "lao5110201", chat, clock(), f"ทดสอบ {chat}")
            outbox.enqueue(session, NoticeKind.BROADCAST, chat, 1, clock())
    return await outbox_rows(country)


@pytest.fixture
def desk(country: Database, clock: Clock) -> Ledger:
    return Ledger(country, clock, None, note_pause=0.01)


async def test_one_that_cannot_be_said_holds_up_no_other(
    desk: Ledger, country: Database, rows: list[OutboxMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said(_session: Session, _kind: NoticeKind, chat_id: int, *_: Any) -> Screen:
        if chat_id == BLAMED:
            raise LookupError
        return Screen(Markup("ประกาศ"))

    monkeypatch.setattr("bot.outbound.ledger.notice", said)
    taken = await desk.take(rows)
    assert [taken_message.to for taken_message in taken] == [501, 503]
    assert [(row.state, row.attempts, row.error) for row in await outbox_rows(country)] == [
        (State.SENDING, 1, None),
        (State.PENDING, 1, "LookupError"),
        (State.SENDING, 1, None),
    ]


async def test_what_was_taken_by_somebody_else_is_left_out(
    desk: Ledger, country: Database, rows: list[OutboxMessage], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said(*_: Any) -> Screen:
        return Screen(Markup("ประกาศ"))

    monkeypatch.setattr("bot.outbound.ledger.notice", said)
    async with country.write() as session:
        assert await sending.mark_sending(session, rows[:1], clock()) == {rows[0].id}
    assert [taken_message.to for taken_message in await desk.take(rows)] == [502, 503]


async def test_ends_that_come_together_share_transactions(
    desk: Ledger, country: Database, rows: list[OutboxMessage], clock: Clock
) -> None:
    async with country.write() as session:
        await sending.mark_sending(session, rows, clock())
    commits: list[Any] = []
    event.listen(country.engine.sync_engine, "commit", commits.append)
    await asyncio.gather(*(desk.note(row, Outcome(State.SENT, message_id=row.id)) for row in rows))
    assert {row.state for row in await outbox_rows(country)} == {State.SENT}
    # The first begins alone; the others wait for it together.
    assert len(commits) <= 2


async def test_an_end_that_cannot_be_written_holds_up_no_other(
    desk: Ledger, country: Database, rows: list[OutboxMessage], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with country.write() as session:
        await sending.mark_sending(session, rows, clock())
    real, is_broken = sending.mark_sent, True

    async def mark_sent(session: Session, row_id: int, message_id: int | None, now: datetime) -> None:
        if is_broken and row_id == rows[1].id:
            raise ConnectionError
        await real(session, row_id, message_id, now)

    monkeypatch.setattr(sending, "mark_sent", mark_sent)
    ends = [asyncio.create_task(desk.note(row, Outcome(State.SENT, message_id=row.id))) for row in rows]
    await asyncio.gather(ends[0], ends[2])
    assert [row.state for row in await outbox_rows(country)] == [State.SENT, State.SENDING, State.SENT]
    is_broken = False
    await ends[1]
    assert [row.state for row in await outbox_rows(country)] == [State.SENT] * 3
