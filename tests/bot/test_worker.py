"""Updates done: in order, side by side, once, whatever Telegram and the network make of the answers."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from bot import api, service, worker
from bot.courier import Courier
from bot.intake import Intake
from bot.limiter import Limiter
from bot.polling import Poller
from bot.worker import Worker
from demo.botapi import Emulator
from demo.botapi.state import Button
from handlers import dispatch, home, proving
from handlers.screen import Screen
from handlers.turn import Right, Setup, Turn
from models import inbox, outbox, passwords
from models.certificate import Certification
from models.conversation import load_conversation
from models.database import Database
from models.inbox import State
from models.pin import pin_matches
from models.throttle import Throttle
from tests.bot.running import (
    SEAL,
    Trouble,
    all_but_one_digit,
    inbox_rows,
    link,
    opened_bot,
    outbox_rows,
    until,
)
from tests.support import PASSWORD, PIN, Clock, Officer, running_bot

ENTER = "โปรดใส่ PIN ของท่าน"
WRONG = "135790"
ASK_USERNAME = "พิมพ์ชื่อผู้ใช้ของหน่วยงาน"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PAUSE_AFTER_FAILURE", 0.01)
    monkeypatch.setattr(api, "FIRST_WAIT", 0.01)


class Gate:
    """The emulator's `sleep`: a delayed answer waits until it is opened."""

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


async def finished(database: Database) -> bool:
    return all(row.state is not State.PENDING for row in await inbox_rows(database))


def sent_texts(emulator: Emulator, chat_id: int) -> list[str]:
    calls = emulator.calls_of("sendMessage")
    return [call.params["text"] for call in calls if call.params["chat_id"] == str(chat_id)]


async def to_keypad(officer: Officer) -> None:
    """From home to the PIN before the irreversible press."""
    await officer.says("/menu", "ปีงบประมาณ")
    await officer.tap("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน")
    await officer.tap("ดำเนินการ(อปท.)", "ยังไม่รับรอง")
    await officer.tap("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
    await officer.tap("รับรองระดับ อปท.", "จะไม่สามารถแก้ไข")
    await officer.tap("ยืนยันการรับรอง", ENTER)


async def test_one_officer_is_served_in_order(bot: Emulator, country: Database) -> None:
    phone = bot.phone("ก")
    wanted = ["/help", "/language", "/menu"] * 4
    for text in wanted:
        await phone.send(text)
    await until(lambda: _answers(bot, phone.id, len(wanted)))
    texts = sent_texts(bot, phone.id)
    assert texts == texts[:3] * 4
    assert len(set(texts[:3])) == 3
    # Each new card takes the old one's place.
    await phone.until(lambda at: len([one for one in at.messages if one.outgoing]) == 1)


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


@asynccontextmanager
async def working(emulator: Emulator, database: Database, clock: Clock, rng: Any = None) -> AsyncIterator[Worker]:
    """Intake and worker without the courier; killed at the end, nothing is brought to its end."""
    async with opened_bot(emulator) as (bot, polls):
        one = Worker(bot, database, SEAL, clock, rng or service.random.Random(1), lambda: None, Setup(), Limiter())
        await one.look()
        poller = Poller(bot, polls, Intake(bot.id, database, SEAL, clock, one.take))
        polling = asyncio.create_task(poller.run())
        try:
            yield one
        finally:
            polling.cancel()
            await asyncio.wait({polling})
            await one.drain(0)


async def test_a_crash_between_commit_and_edit_doubles_nothing(
    gated: Emulator, gate: Gate, country: Database, clock: Clock
) -> None:
    officer = Officer(gated.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with working(gated, country, clock):
        await to_keypad(officer)
        card = await all_but_one_digit(officer.phone)
        # The edit never reaches the phone; the process dies while it waits.
        fault = gated.faults.reset_before(method="editMessageText", times=99)
        held = gated.faults.delay(1, method="answerCallbackQuery")
        await officer.phone.tap(PIN[-1], card)
        await until(lambda: hits(held))
        await until(lambda: hits(fault))
    gated.faults.clear()
    gate.opened.set()
    assert "●●●●●○" in officer.text
    assert [row.state for row in await inbox_rows(country)] == [State.DONE] * len(await inbox_rows(country))
    async with running_bot(gated, country, clock):
        # The receipt was in the transaction: it tells the officer all the same.
        await officer.sees("หลักฐานการรับรองของท่าน")
        await officer.phone.tap(PIN[-1], card)
        await officer.sees("แป้นใส่ PIN นี้ใช้ไม่ได้แล้ว")
    async with country.read() as session:
        assert len(list(await session.scalars(select(Certification)))) == 1
    assert [row.kind for row in await outbox_rows(country)] == [outbox.Kind.RECEIPT]


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator["Checks"]:
    """The checks of PINs, held up until they are let go on."""
    held = Checks()
    monkeypatch.setattr(proving, "pin_matches", held)
    yield held
    held.let.set()


class Checks:
    """In place of `pin_matches`: counts what gets as far as the hash."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.begun = 0

    def __call__(self, *args: Any) -> bool:
        self.begun += 1
        self.let.wait(20)
        return pin_matches(*args)

    async def are(self, count: int) -> bool:
        return self.begun >= count


async def test_a_try_is_counted_before_it_is_checked(
    emulator: Emulator, country: Database, clock: Clock, checks: Checks
) -> None:
    """A process that dies while it hashes gives nobody a try for nothing."""
    officer = Officer(emulator.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with working(emulator, country, clock):
        await to_keypad(officer)
        card = await all_but_one_digit(officer.phone, WRONG)
        await officer.phone.tap(WRONG[-1], card)
        await until(lambda: checks.are(1))
    assert (await inbox_rows(country))[-1].state is State.PENDING
    assert await failures(country) == 1
    checks.let.set()
    async with running_bot(emulator, country, clock):
        await officer.sees("PIN ไม่ถูกต้อง")
        # The same tap is checked again, and was counted already.
        assert await failures(country) == 1
        await officer.enter(PIN, "ประวัติการรับรองข้อมูล")
    assert await failures(country) == 0


async def failures(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.sum(Throttle.failures))) or 0


async def test_of_eight_wrong_pins_at_once_five_get_as_far_as_the_hash(
    emulator: Emulator, country: Database, clock: Clock, checks: Checks
) -> None:
    officer = Officer(emulator.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with working(emulator, country, clock) as one:
        await to_keypad(officer)
        card = await all_but_one_digit(officer.phone, WRONG)
        before = len(await inbox_rows(country))
        # The last digit eight times, each as if somebody else had sent it: nothing puts them in order.
        tap = orjson.loads(callback(officer.phone.button(WRONG[-1], card)))
        received = [
            inbox.Received(number, number, SEAL.close(orjson.dumps({"update_id": number, "callback_query": tap})))
            for number in range(1, 9)
        ]
        async with country.write() as session:
            rows = await inbox.store(session, 1, received, clock())
        one.take(rows)
        # Three are refused; the others are at the hash, or wait for it.
        await until(lambda: _done(country, before + 3))
        checks.let.set()
        await until(lambda: finished(country))
    assert checks.begun == 5
    async with country.read() as session:
        assert list(await session.scalars(select(Certification))) == []
    assert [row.kind for row in await outbox_rows(country)] == [outbox.Kind.PIN_BLOCKED]


async def _done(database: Database, count: int) -> bool:
    return sum(row.state is State.DONE for row in await inbox_rows(database)) >= count


def callback(button: Button) -> bytes:
    """A tap as the Bot API tells of it."""
    message = button.message
    return orjson.dumps(
        {
            "id": "1",
            "from": message.chat.user.json(),  # type: ignore[union-attr]
            "message": message.json(),
            "chat_instance": "1",
            "data": button.data,
        }
    )


async def test_what_a_dead_process_left_is_taken_up_in_order(
    emulator: Emulator, country: Database, clock: Clock
) -> None:
    phone = emulator.phone("ก")
    async with opened_bot(emulator) as (bot, polls):
        poller = Poller(bot, polls, Intake(bot.id, country, SEAL, clock, lambda rows: None))
        polling = asyncio.create_task(poller.run())
        for text in ("/help", "/language", "/menu"):
            await phone.send(text)
        await until(lambda: _received(country, 3))
        polling.cancel()
        await asyncio.wait({polling})
    async with running_bot(emulator, country, clock):
        await until(lambda: _answers(emulator, phone.id, 3))
        await until(lambda: finished(country))
    assert [row.attempts for row in await inbox_rows(country)] == [0, 0, 0]
    assert len(set(sent_texts(emulator, phone.id))) == 3
    assert "เข้าสู่ระบบ" in phone.last.labels[0]


async def test_a_look_that_was_overtaken_takes_nothing_up_again(
    emulator: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads before the intake tells of what it has committed, and its answer comes when that is done."""
    phone, kept = emulator.phone("ก"), asyncio.Queue[list[inbox.InboxUpdate]]()
    has_read, may_answer, pending = asyncio.Event(), asyncio.Event(), inbox.pending

    async def slow(*arguments: Any) -> list[inbox.InboxUpdate]:
        found = await pending(*arguments)
        has_read.set()
        await may_answer.wait()
        return found

    monkeypatch.setattr(inbox, "pending", slow)
    async with opened_bot(emulator) as (bot, polls):
        one = Worker(bot, country, SEAL, clock, service.random.Random(1), lambda: None, Setup(), Limiter())
        poller = Poller(bot, polls, Intake(bot.id, country, SEAL, clock, kept.put_nowait))
        polling = asyncio.create_task(poller.run())
        await phone.send("/help")
        rows = await kept.get()
        look = asyncio.create_task(one.look())
        await has_read.wait()
        one.take(rows)
        await until(lambda: _is_idle(one, phone.id))
        may_answer.set()
        await look
        assert not one.serves(phone.id)
        polling.cancel()
        await asyncio.wait({polling})
        await one.drain(0)
    assert len(sent_texts(emulator, phone.id)) == 1


async def _is_idle(one: Worker, user: int) -> bool:
    return not one.serves(user)


async def _received(database: Database, count: int) -> bool:
    return len(await inbox_rows(database)) == count


async def test_a_deleted_card_is_replaced(bot: Emulator) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    card = officer.phone.last
    button = officer.phone.button("เข้าสู่ระบบ")
    officer.phone.delete_own(card)
    assert button.data is not None
    await officer.phone.tap_data(card, button.data)
    await officer.sees(ASK_USERNAME)
    assert officer.phone.last.id != card.id


async def test_the_same_screen_again_is_harmless(
    bot: Emulator, country: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    card = officer.phone.last
    taps = [await officer.phone.tap("เข้าสู่ระบบ", card)]
    await officer.sees(ASK_USERNAME)
    data = taps[0].query.data
    taps += [await officer.phone.tap_data(card, data) for _ in range(2)]
    for tap in taps:
        await tap.answer()
    await until(lambda: _calls(bot, "editMessageText", 3))
    await until(lambda: finished(country))
    assert [one.id for one in officer.phone.messages if one.outgoing] == [card.id]
    assert "Traceback" not in caplog.text
    assert "failed" not in caplog.text


async def _calls(emulator: Emulator, method: str, count: int) -> bool:
    return len(emulator.calls_of(method)) >= count


async def test_a_tap_answered_too_late_still_edits(emulator: Emulator, country: Database, clock: Clock) -> None:
    officer = Officer(emulator.phone("ก"))
    async with running_bot(emulator, country, clock):
        await officer.says("/start", "เข้าสู่ระบบ")
    card = officer.phone.last
    async with opened_bot(emulator) as (bot, polls):
        poller = Poller(bot, polls, Intake(bot.id, country, SEAL, clock, lambda rows: None))
        polling = asyncio.create_task(poller.run())
        tap = await officer.phone.tap("เข้าสู่ระบบ")
        await until(lambda: _received(country, 2))
        polling.cancel()
        await asyncio.wait({polling})
    clock.move(seconds=200)
    async with running_bot(emulator, country, clock):
        await officer.sees(ASK_USERNAME)
        await until(lambda: finished(country))
    assert tap.answered is None
    assert officer.phone.last.id == card.id
    assert [row.attempts for row in await inbox_rows(country)] == [0, 0]


async def test_an_edit_waits_as_long_as_a_429_says(bot: Emulator) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    bot.faults.flood(1, method="editMessageText")
    loop = asyncio.get_running_loop()
    before = loop.time()
    await officer.tap("เข้าสู่ระบบ", ASK_USERNAME)
    assert loop.time() - before >= 1
    assert len(bot.calls_of("editMessageText")) == 2


async def test_an_answer_wanted_in_an_hour_is_given_up(bot: Emulator, country: Database) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    bot.faults.flood(3600, method="editMessageText")
    await officer.tap("เข้าสู่ระบบ", ASK_USERNAME)
    await until(lambda: finished(country))
    assert len(bot.calls_of("editMessageText")) == 1
    assert len(bot.calls_of("sendMessage")) == 2


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "server_error"])
async def test_the_network_fails_under_an_edit(bot: Emulator, fault: str) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    card = officer.phone.last
    getattr(bot.faults, fault)(method="editMessageText", times=2)
    getattr(bot.faults, fault)(method="answerCallbackQuery", times=2)
    await officer.tap("เข้าสู่ระบบ", ASK_USERNAME)
    await until(lambda: _calls(bot, "editMessageText", 3))
    await officer.says("lao5110201", "รหัสผ่าน")
    await officer.phone.until(lambda at: card.id not in {one.id for one in at.messages})


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "server_error"])
async def test_the_network_fails_under_a_new_card(bot: Emulator, fault: str) -> None:
    officer = Officer(bot.phone("ก"))
    getattr(bot.faults, fault)(method="sendMessage", times=2)
    await officer.phone.send("/start")
    await until(lambda: _calls(bot, "sendMessage", 3))
    await officer.says("/help", "/language")
    # A cut after the effect, or a proxy's 502, may leave copies: better than no answer.
    wanted = 3 if fault == "reset_after" else 1
    await officer.phone.until(lambda at: len([one for one in at.messages if one.outgoing]) == wanted)


async def test_no_network_for_long_does_not_stop_the_officer(bot: Emulator, country: Database) -> None:
    officer = Officer(bot.phone("ก"))
    struck = bot.faults.reset_before(method="sendMessage", times=api.TRIES)
    await officer.phone.send("/start")
    await until(lambda: _hits(struck, api.TRIES))
    await officer.says("/help", "/language")
    assert [row.state for row in await inbox_rows(country)] == [State.DONE] * 2


async def _hits(fault: Any, count: int) -> bool:
    return bool(fault.hits >= count)


async def test_a_typed_password_is_hashed_beside_the_loop_and_deleted(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    real = passwords.password_matches

    def watched(*args: Any) -> bool:
        threads.append(threading.current_thread().name)
        return real(*args)

    monkeypatch.setattr(passwords, "password_matches", watched)
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    await officer.tap("เข้าสู่ระบบ", ASK_USERNAME)
    await officer.says("lao5110201", "รหัสผ่าน")
    await officer.says("ผิด", "ชื่อผู้ใช้")
    await officer.says("lao5110201", "รหัสผ่าน")
    await officer.says(PASSWORD, "ชื่อ-สกุล")
    assert len(threads) == 2
    assert all(name.startswith("argon2") for name in threads)
    shown = {one.text for one in officer.phone.messages}
    assert not shown & {PASSWORD, "ผิด"}


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

    monkeypatch.setitem(dispatch.COMMANDS, "help", (Right.ANYONE, broken))
    phone, other = bot.phone("ก"), bot.phone("ข")
    await phone.send("/help")
    await phone.send("/menu")
    await other.send("/menu")
    await phone.until(lambda at: "เข้าสู่ระบบ" in at.last.labels[0])
    await other.until(lambda at: "เข้าสู่ระบบ" in at.last.labels[0])
    assert tries == [phone.id] * 3
    assert "ขออภัย" in sent_texts(bot, phone.id)[0]
    await until(lambda: finished(country))
    first, *rest = await inbox_rows(country)
    assert (first.state, first.attempts, first.body) == (State.SET_ASIDE, 3, None)
    assert [row.state for row in rest] == [State.DONE, State.DONE]
    async with country.read() as session:
        conversation = await load_conversation(session, phone.id)
    assert conversation.username is None
    assert typed not in caplog.text
    assert "RuntimeError" in caplog.text


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

    monkeypatch.setitem(dispatch.COMMANDS, "help", (Right.ANYONE, shaky))
    phone = bot.phone("ก")
    await phone.send("/help")
    await phone.until(lambda at: "เข้าสู่ระบบ" in at.last.labels[0])
    (row,) = await inbox_rows(country)
    assert (row.state, row.attempts) == (State.DONE, 2)
    assert len(sent_texts(bot, phone.id)) == 1


async def test_a_failing_answer_is_not_taken_for_a_failed_update(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_args: Any) -> int:
        raise KeyError("message_id")

    phone = bot.phone("ก")
    with monkeypatch.context() as patch:
        patch.setattr(api, "send", broken)
        await phone.send("/help")
        await until(lambda: _told(caplog, "its answer not shown"))
    await phone.send("/menu")
    await phone.until(lambda at: "เข้าสู่ระบบ" in at.last.labels[0])
    assert [(row.state, row.attempts) for row in await inbox_rows(country)] == [(State.DONE, 0)] * 2
    assert not any("ขออภัย" in text for text in sent_texts(bot, phone.id))


async def _told(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.text


async def test_a_database_that_was_away_costs_no_update(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    trouble = Trouble(monkeypatch, country)
    monkeypatch.setattr("bot.polling.PAUSE_AFTER_FAILURE", 0.01)
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
    gated: Emulator, gate: Gate, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GRACE", 0.1)
    phone = gated.phone("ก")
    async with running_bot(gated, country, clock):
        fault = gated.faults.delay(1, method="sendMessage")
        await phone.send("/start")
        await phone.send("/help")
        await until(lambda: hits(fault))
        await until(lambda: _received(country, 2))
    # The first was committed and is on its way; the second waits for the next start.
    assert [row.state for row in await inbox_rows(country)] == [State.DONE, State.PENDING]
    gate.opened.set()
    async with running_bot(gated, country, clock):
        await phone.until(lambda at: "/language" in at.last.text)


async def test_the_courier_is_woken_by_a_commit_that_queued_something(
    emulator: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def queuing(turn: Turn, arguments: str) -> Screen:
        outbox.enqueue(turn.session, outbox.Kind.RECEIPT, turn.user_id, 1, turn.now)
        return await home.show_help(turn)

    monkeypatch.setitem(dispatch.COMMANDS, "help", (Right.ANYONE, queuing))
    woken = []
    async with opened_bot(emulator) as (bot, polls):
        courier = Courier(bot, country, clock)
        one = Worker(
            bot,
            country,
            SEAL,
            clock,
            service.random.Random(1),
            lambda: woken.append(courier.wake()),
            Setup(),
            Limiter(),
        )
        poller = Poller(bot, polls, Intake(bot.id, country, SEAL, clock, one.take))
        polling = asyncio.create_task(poller.run())
        phone = emulator.phone("ก")
        await phone.start()
        await phone.until(lambda at: at.last)
        assert woken == []
        await phone.send("/help")
        await until(lambda: _answers(emulator, phone.id, 2))
        polling.cancel()
        await asyncio.wait({polling})
        await one.drain(1)
    assert woken == [None]
    assert courier._awake.is_set()
