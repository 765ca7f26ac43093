"""The worker: one sender's updates in order, senders in parallel, each update processed once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text

from bot.inbound.worker import Worker
from bot.outbound.courier import Courier
from demo.botapi import Emulator
from handlers import routes
from handlers.accounts import home
from handlers.chat.screen import Screen
from handlers.chat.turn import Right, Turn
from models.certification.certificate import Certification
from models.chats import inbox
from models.chats.conversation import load_conversation
from models.chats.inbox import State
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from tests.bot.running import (
    ASK_USERNAME,
    SEAL,
    Trouble,
    all_but_one_digit,
    finished,
    inbox_rows,
    link,
    make_worker,
    opened_bot,
    outbox_rows,
    polled,
    received,
    sent_texts,
    until,
    working,
)
from tests.chat import TEST_TUNING, Officer, running_bot, says
from tests.support import PIN, Clock


class Gate:
    """Replaces the emulator's `sleep`: a delayed answer waits until the gate is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, _seconds: float) -> None:
        await self.opened.wait()


@pytest.fixture
async def gate() -> Gate:
    return Gate()


@pytest.fixture
async def gated(clock: Clock, gate: Gate) -> AsyncIterator[Emulator]:
    async with Emulator(clock=clock.timestamp, sleep=gate) as running:
        yield running
        gate.opened.set()


async def hits(fault: Any) -> bool:
    return bool(fault.hits)


async def test_one_officer_is_served_in_order(bot: Emulator, country: Database) -> None:
    phone = bot.phone("ก")
    commands = ["/help", "/language", "/menu"] * 4
    for words in commands:
        await phone.send(words)
    await until(lambda: _answers(bot, phone.id, len(commands)))
    texts = sent_texts(bot, phone.id)
    assert texts == texts[:3] * 4
    assert len(set(texts[:3])) == 3
    # Each new card takes the old one's place.
    await phone.until(lambda at: len([message for message in at.messages if message.outgoing]) == 1)


async def _answers(emulator: Emulator, chat_id: int, count: int) -> bool:
    return len(sent_texts(emulator, chat_id)) >= count


async def test_a_slow_chat_holds_up_nobody_else(
    gated: Emulator, gate: Gate, country: Database, clock: Clock
) -> None:
    slow, quick = gated.phone("ช้า"), gated.phone("เร็ว")
    gated.faults.delay(1, method="sendMessage", chat_id=slow.id)
    async with running_bot(gated, country, clock):
        await slow.send("/start")
        await slow.send("/help")
        for _ in range(3):
            await quick.send("/help")
        await until(lambda: _answers(gated, quick.id, 3))
        assert len(sent_texts(gated, slow.id)) == 1
        gate.opened.set()
        await until(lambda: _answers(gated, slow.id, 2))


async def test_a_crash_between_commit_and_receipt_doubles_nothing(
    gated: Emulator, gate: Gate, country: Database, clock: Clock
) -> None:
    officer = Officer(gated.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with working(gated, country, clock):
        await officer.to_keypad()
        card = await all_but_one_digit(officer.phone)
        # The process dies before it has sent the receipt.
        held = gated.faults.delay(1, method="answerCallbackQuery")
        await officer.phone.tap(PIN[-1], card)
        await until(lambda: hits(held))
    gated.faults.clear()
    gate.opened.set()
    assert "●●●●●○" in officer.text
    assert [row.state for row in await inbox_rows(country)] == [State.DONE] * len(await inbox_rows(country))
    async with running_bot(gated, country, clock):
        # The receipt was queued in the transaction, so the officer gets it all the same.
        await officer.sees("หลักฐานการรับรองของท่าน")
        await officer.phone.tap(PIN[-1], card)
        await officer.sees("แป้นใส่ PIN นี้ใช้ไม่ได้แล้ว")
    async with country.read() as session:
        assert len(list(await session.scalars(select(Certification)))) == 1
    assert [row.kind for row in await outbox_rows(country)] == [NoticeKind.RECEIPT]


async def test_what_a_dead_process_left_is_taken_up_in_order(
    emulator: Emulator, country: Database, clock: Clock
) -> None:
    phone = emulator.phone("ก")
    async with opened_bot(emulator) as (bot, polls), polled(bot, polls, country, clock, lambda rows: None):
        for text in ("/help", "/language", "/menu"):
            await phone.send(text)
        await until(lambda: received(country, 3))
    async with running_bot(emulator, country, clock):
        await until(lambda: _answers(emulator, phone.id, 3))
        await until(lambda: finished(country))
    assert [row.attempts for row in await inbox_rows(country)] == [0, 0, 0]
    assert len(set(sent_texts(emulator, phone.id))) == 3
    assert "เข้าสู่ระบบ" in phone.last.labels[0]


async def test_a_look_that_was_overtaken_takes_nothing_up_again(
    emulator: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan that began before intake passed on its commit returns rows that are done by then."""
    phone, stored_batches = emulator.phone("ก"), asyncio.Queue[list[inbox.InboxUpdate]]()
    has_read, may_answer, pending = asyncio.Event(), asyncio.Event(), inbox.pending

    async def slow(*arguments: Any) -> list[inbox.InboxUpdate]:
        pending_rows = await pending(*arguments)
        has_read.set()
        await may_answer.wait()
        return pending_rows

    monkeypatch.setattr(inbox, "pending", slow)
    async with opened_bot(emulator) as (bot, polls):
        worker = make_worker(bot, country, clock)
        async with polled(bot, polls, country, clock, stored_batches.put_nowait):
            await phone.send("/help")
            rows = await stored_batches.get()
            look = asyncio.create_task(worker.look())
            await has_read.wait()
            worker.take(rows)
            await until(lambda: _is_idle(worker, phone.id))
            may_answer.set()
            await look
            assert not worker.serves(phone.id)
        await worker.drain(0)
    assert len(sent_texts(emulator, phone.id)) == 1


async def _is_idle(worker: Worker, user: int) -> bool:
    return not worker.serves(user)


async def test_a_bug_is_tried_three_times_and_then_apologized_for(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    typed = "what the officer typed"

    async def broken(turn: Turn, _arguments: str) -> Screen:
        tries.append(turn.user_id)
        turn.conversation.username = "half done"
        await turn.session.flush()
        raise RuntimeError(typed)

    monkeypatch.setitem(routes.COMMANDS, "help", (Right.ANYONE, broken))
    phone, other = bot.phone("ก"), bot.phone("ข")
    await phone.send("/help")
    await phone.send("/menu")
    await other.send("/menu")
    await phone.until(lambda at: at.button("เข้าสู่ระบบ"))
    await other.until(lambda at: at.button("เข้าสู่ระบบ"))
    assert tries == [phone.id] * 3
    assert "ขออภัย" in sent_texts(bot, phone.id)[0]
    await until(lambda: finished(country))
    first, *later_rows = await inbox_rows(country)
    assert (first.state, first.attempts, first.body) == (State.SET_ASIDE, 3, None)
    assert [row.state for row in later_rows] == [State.DONE, State.DONE]
    async with country.read() as session:
        conversation = await load_conversation(session, phone.id)
    assert conversation.username is None
    assert typed not in caplog.text
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("row", ["another number", "another sender", "another bot", "as it was"])
@pytest.mark.parametrize("is_bound", [True, False], ids=["bound", "of the version before"])
async def test_a_sealed_update_opens_in_its_own_row_only(
    emulator: Emulator, country: Database, clock: Clock, row: str, *, is_bound: bool
) -> None:
    """Whoever can write to the database cannot have a stored update answered again under another number, nor as
    another sender's. What the previous version sealed and left pending is still answered.
    """
    phone, other = emulator.phone("ก"), emulator.phone("ข")
    message = {
        "message_id": 1,
        "from": {"id": phone.id},
        "chat": {"id": phone.id, "type": "private"},
        "text": "/help",
    }
    about = inbox.identity(1, 70, phone.id) if is_bound else b""
    body = SEAL.close(orjson.dumps({"update_id": 70, "message": message}), about)
    number = 71 if row == "another number" else 70
    sender = other.id if row == "another sender" else phone.id
    bot_id = 2 if row == "another bot" else 1
    async with working(emulator, country, clock) as worker:
        async with country.write() as session:
            rows = await inbox.store(session, bot_id, [inbox.Received(number, sender, body)], clock())
        worker.take(rows)
        await until(lambda: finished(country))
    (stored,) = await inbox_rows(country)
    is_own = row == "as it was" or (row == "another bot" and not is_bound)
    assert stored.state is (State.DONE if is_own else State.SET_ASIDE)
    assert stored.body is None


async def test_what_the_database_cannot_do_never_sets_an_update_aside(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Failures of the database do not count, however many there are."""
    tries: list[int] = []
    over = asyncio.Event()
    help_entry = routes.COMMANDS["help"]

    async def waits_in_vain(turn: Turn, arguments: str) -> Screen:
        tries.append(turn.user_id)
        if not over.is_set():
            await turn.session.execute(text("SET LOCAL lock_timeout = '10ms'"))
            await turn.session.execute(text("SELECT pg_advisory_xact_lock(4711)"))
        return await help_entry[1](turn, arguments)

    async def full(turn: Turn, arguments: str) -> Screen:
        tries.append(turn.user_id)
        if not over.is_set():
            pages = await turn.session.scalar(text("PRAGMA page_count"))
            await turn.session.execute(text(f"PRAGMA max_page_count = {pages}"))
            await turn.session.execute(text("CREATE TABLE too_much AS SELECT zeroblob(10000000)"))
        return await help_entry[1](turn, arguments)

    monkeypatch.setitem(routes.COMMANDS, "help", (help_entry[0], full if country.is_sqlite else waits_in_vain))
    phone = bot.phone("ก")
    async with country.engine.connect() as holding:
        if not country.is_sqlite:
            await holding.execute(text("SELECT pg_advisory_xact_lock(4711)"))
        await phone.send("/help")
        await until(lambda: len(tries) > 2 * inbox.MAX_ATTEMPTS)
        over.set()
        if country.is_sqlite:
            await holding.execute(text("PRAGMA max_page_count = 1000000"))
    await says(phone, "/language")
    await until(lambda: finished(country))
    (row,) = await inbox_rows(country)
    assert (row.state, row.attempts) == (State.DONE, 0)
    assert not [text for text in sent_texts(bot, phone.id) if "ขออภัย" in text]
    words = "database or disk is full" if country.is_sqlite else "the database is busy"
    assert caplog.text.count(f"({words})") >= len(tries) - 1
    assert "the update waits for the database: " in caplog.text
    assert country.troubles["full" if country.is_sqlite else "busy"] == len(tries) - 1


async def test_a_passing_failure_is_tried_again_without_an_apology(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def shaky(turn: Turn, _arguments: str) -> Screen:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError
        return await home.show_home(turn)

    monkeypatch.setitem(routes.COMMANDS, "help", (Right.ANYONE, shaky))
    phone = bot.phone("ก")
    await phone.send("/help")
    await phone.until(lambda at: at.button("เข้าสู่ระบบ"))
    (row,) = await inbox_rows(country)
    assert (row.state, row.attempts) == (State.DONE, 2)
    assert len(sent_texts(bot, phone.id)) == 1


async def test_a_database_that_was_away_costs_no_update(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    trouble = Trouble(monkeypatch, country)
    trouble.times = 9
    await officer.tap("เข้าสู่ระบบ", ASK_USERNAME)
    assert trouble.struck >= 9
    await until(lambda: finished(country))
    assert [row.state for row in await inbox_rows(country)] == [State.DONE] * 2


async def test_what_is_in_hand_is_finished_before_the_end(
    gated: Emulator, gate: Gate, country: Database, clock: Clock
) -> None:
    phone = gated.phone("ก")
    async with running_bot(gated, country, clock):
        fault = gated.faults.delay(1, method="sendMessage")
        await phone.send("/start")
        await phone.send("/help")
        await until(lambda: hits(fault))
        asyncio.get_running_loop().call_later(0.05, gate.opened.set)
    assert len(sent_texts(gated, phone.id)) == 2
    assert await finished(country)


async def test_the_end_does_not_wait_for_ever(
    gated: Emulator, gate: Gate, country: Database, clock: Clock
) -> None:
    phone = gated.phone("ก")
    async with running_bot(gated, country, clock, tuning=replace(TEST_TUNING, grace=0.1)):
        fault = gated.faults.delay(1, method="sendMessage")
        await phone.send("/start")
        await phone.send("/help")
        await until(lambda: hits(fault))
        await until(lambda: received(country, 2))
    # The first was committed and is being answered; the second waits for the next start.
    assert [row.state for row in await inbox_rows(country)] == [State.DONE, State.PENDING]
    gate.opened.set()
    async with running_bot(gated, country, clock):
        await says(phone, "/language")


async def test_the_courier_is_woken_by_a_commit_that_queued_something(
    emulator: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def queuing(turn: Turn, arguments: str) -> Screen:
        outbox.enqueue(turn.session, NoticeKind.RECEIPT, turn.user_id, 1, turn.now)
        return await home.show_help(turn)

    monkeypatch.setitem(routes.COMMANDS, "help", (Right.ANYONE, queuing))
    woken = []
    async with opened_bot(emulator) as (bot, polls):
        courier = Courier(bot, country, clock)
        worker = make_worker(bot, country, clock, lambda: woken.append(courier.wake()))
        async with polled(bot, polls, country, clock, worker.take):
            phone = emulator.phone("ก")
            await phone.start()
            await phone.until(lambda at: at.last)
            assert woken == []
            await phone.send("/help")
            await until(lambda: _answers(emulator, phone.id, 2))
        await worker.drain(1)
    assert woken == [None]
    assert courier._awake.is_set()
