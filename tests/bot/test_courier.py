"""Messages out: at least once, at most one copy too many, and within Telegram's limits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update
from telegram.error import Conflict

from bot import api, courier
from bot.courier import Courier
from bot.transport import AiohttpRequest
from demo.botapi import Emulator, Message, Phone
from models import outbox
from models.database import Database
from models.outbox import Kind, OutboxMessage, State
from tests.bot.running import Trouble, certificate, link, opened_bot, outbox_rows, until
from tests.support import Clock


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "CHAT_INTERVAL", 0.01)
    monkeypatch.setattr(courier, "IDLE", 0.02)
    monkeypatch.setattr(courier, "NOTE_PAUSE", 0.01)


@dataclass
class Office:
    """A database with an officer in it who certified a hundred times."""

    emulator: Emulator
    database: Database
    clock: Clock
    officer_id: int
    made: int = 0

    def phone(self, name: str) -> Phone:
        phone = self.emulator.phone(name)
        phone.chat.bot_status = "member"
        return phone

    async def queue(self, phone: Phone, kind: Kind = Kind.RECEIPT) -> str:
        """Queue a message about a new certificate; the verification code in it."""
        self.made += 1
        async with self.database.write() as session:
            made = await certificate(session, self.officer_id, self.clock(), self.made)
            outbox.enqueue(session, kind, phone.id, made, self.clock())
        return f"C{self.made:09}"

    async def state(self, row: int, *states: State) -> OutboxMessage:
        """Wait until the row, counted from 0, is in one of the states."""

        async def there() -> OutboxMessage | None:
            found = (await outbox_rows(self.database))[row]
            return found if found.state in states else None

        found = await until(there)
        assert found is not None
        return found


@pytest.fixture
async def office(emulator: Emulator, country: Database, clock: Clock) -> Office:
    officer_id = await link(country, "lao5110201", emulator.phone("ผู้รับรอง"), clock())
    return Office(emulator, country, clock, officer_id)


@asynccontextmanager
async def sending(
    emulator: Emulator, database: Database, clock: Callable[[], datetime], grace: float = 1.0
) -> AsyncIterator[Courier]:
    async with opened_bot(emulator) as (bot, _):
        one = Courier(bot, database, clock)
        task = asyncio.create_task(one.run())
        try:
            yield one
        finally:
            assert not task.done()
            task.cancel()
            await asyncio.wait({task})
            await one.drain(grace)


def shown(phone: Phone, code: str) -> list[Message]:
    """The messages with this verification code."""
    return [one for one in phone.messages if code in one.text.replace("-", "")]


async def count_of(check: Callable[[], int], wanted: int) -> bool:
    return check() >= wanted


async def test_sending_is_committed_before_the_call_and_sent_after_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = office.phone("ก")
    seen: list[State] = []
    real = api.send

    async def watched(*args: Any) -> int:
        seen.extend(row.state for row in await outbox_rows(office.database))
        return await real(*args)

    monkeypatch.setattr(api, "send", watched)
    code = await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock):
        row = await office.state(0, State.SENT)
    assert seen == [State.SENDING]
    (message,) = shown(phone, code)
    assert (row.message_id, row.attempts, row.sent_at, row.error) == (message.id, 1, office.clock(), None)


async def test_without_a_connection_it_is_tried_as_often_as_it_takes(office: Office) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    await office.emulator.close()
    polls = AiohttpRequest(1)
    bot = api.make_bot(office.emulator.token, office.emulator.url, polls)
    await bot._request[1].initialize()
    one = Courier(bot, office.database, office.clock)
    running = asyncio.create_task(one.run())

    async def tried(times: int) -> bool:
        office.clock.move(seconds=70)
        (row,) = await outbox_rows(office.database)
        assert row.state in (State.PENDING, State.SENDING)
        return row.attempts >= times

    # More often than a message may fail.
    await until(lambda: tried(outbox.MAX_ATTEMPTS + 2))
    await office.emulator.start()

    async def arrived() -> bool:
        office.clock.move(seconds=70)
        return bool(shown(phone, code))

    await until(arrived)
    await office.state(0, State.SENT)
    running.cancel()
    await asyncio.wait({running})
    await one.drain(1)
    await bot._request[1].shutdown()
    assert len(shown(phone, code)) == 1


@pytest.mark.parametrize("fault", ["reset_after", "reset_before", "server_error", "timeout"])
async def test_what_may_have_arrived_is_repeated_once_with_the_same_code(
    office: Office, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    faults = office.emulator.faults
    if fault == "timeout":
        monkeypatch.setattr("bot.api.AiohttpRequest", lambda connections: AiohttpRequest(connections, 0.05))
        faults.delay(0.5, method="sendMessage")
    else:
        getattr(faults, fault)(method="sendMessage")
    async with sending(office.emulator, office.database, office.clock) as one:
        row = await office.state(0, State.UNCERTAIN)
        assert row.due_at > office.clock()
        assert row.error
        office.clock.move(seconds=courier.UNCERTAIN_PAUSE)
        one.wake()
        row = await office.state(0, State.SENT)
        assert row.attempts == 2
    arrived = 2 if fault in ("reset_after", "timeout") else 1
    assert len(shown(phone, code)) == arrived


async def test_a_repetition_that_may_have_arrived_is_the_last(office: Office) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    # The 429 in between is without effect: it does not make the message certain again.
    office.emulator.faults.reset_after(method="sendMessage")
    office.emulator.faults.flood(1, method="sendMessage")
    office.emulator.faults.reset_after(method="sendMessage", times=5)
    async with sending(office.emulator, office.database, office.clock) as one:
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=courier.UNCERTAIN_PAUSE)
        one.wake()

        async def flooded() -> bool:
            (row,) = await outbox_rows(office.database)
            return row.attempts == 2 and row.state is State.UNCERTAIN

        await until(flooded)
        office.clock.move(seconds=2)
        row = await office.state(0, State.DEAD)
    assert row.attempts == 3
    assert row.error
    assert len(shown(phone, code)) == 2


async def test_a_429_pauses_its_chat_and_no_other(office: Office) -> None:
    paused, free = office.phone("ก"), office.phone("ข")
    fault = office.emulator.faults.flood(60, chat_id=paused.id)
    first = await office.queue(paused)
    async with sending(office.emulator, office.database, office.clock) as one:

        async def refused() -> bool:
            return fault.hits == 1 and (await outbox_rows(office.database))[0].state is State.PENDING

        await until(refused)
        await office.queue(paused)
        others = [await office.queue(free) for _ in range(3)]
        one.wake()
        await office.state(4, State.SENT)
        rows = await outbox_rows(office.database)
        assert [row.state for row in rows[:2]] == [State.PENDING, State.PENDING]
        assert (rows[0].due_at - office.clock()).total_seconds() == 60
        assert one._busy[paused.id] > asyncio.get_running_loop().time() + 50
        assert all(len(shown(free, code)) == 1 for code in others)
        # The pause over:
        office.clock.move(seconds=61)
        one._busy.clear()
        one.wake()
        await office.state(1, State.SENT)
    assert len(shown(paused, first)) == 1


async def test_429s_of_several_chats_pause_all(office: Office) -> None:
    phones = [office.phone(str(number)) for number in range(courier.SEVERAL)]
    for phone in phones:
        office.emulator.faults.flood(60, chat_id=phone.id)
        await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock) as one:
        await until(lambda: count_of(lambda: len(one._flooded), courier.SEVERAL))
        assert one._next_send > asyncio.get_running_loop().time() + 50


async def test_who_blocked_the_bot_is_dead_and_stops_nobody(office: Office) -> None:
    gone, unknown, there = office.phone("ก"), office.emulator.phone("ไม่เคยเริ่ม"), office.phone("ข")
    gone.block()
    for phone in (gone, unknown, there, gone, there):
        await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(4, State.SENT)
        await office.state(3, State.DEAD)
    rows = await outbox_rows(office.database)
    assert [row.state for row in rows] == [State.DEAD, State.DEAD, State.SENT, State.DEAD, State.SENT]
    assert "bot was blocked by the user" in (rows[0].error or "")
    assert "Chat not found" in (rows[1].error or "")
    assert {row.attempts for row in rows} == {1}


@pytest.mark.parametrize("what", ["call", "screen"])
async def test_eight_failures_are_the_end(office: Office, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: Any) -> Any:
        raise Conflict("try later") if what == "call" else LookupError("no such certificate")

    name = "bot.courier.api.send" if what == "call" else "bot.courier.notice"
    phone, other = office.phone("ก"), office.phone("ข")
    await office.queue(phone)
    with monkeypatch.context() as patch:
        patch.setattr(name, refuse)
        async with sending(office.emulator, office.database, office.clock):

            async def dead() -> OutboxMessage | None:
                office.clock.move(seconds=70)
                (row,) = await outbox_rows(office.database)
                return row if row.state is State.DEAD else None

            row = await until(dead)
    assert row is not None
    assert (row.attempts, row.error) == (8, "try later" if what == "call" else "LookupError")
    code = await office.queue(other)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(1, State.SENT)
    assert len(shown(other, code)) == 1


async def test_an_answer_that_cannot_be_read_leaves_no_row_behind(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_args: Any) -> int:
        raise KeyError("message_id")

    await office.queue(office.phone("ก"))
    monkeypatch.setattr("bot.courier.api.send", unreadable)
    async with sending(office.emulator, office.database, office.clock):
        row = await office.state(0, State.UNCERTAIN)
    assert row.error == "KeyError"


async def test_what_the_last_courier_was_sending_is_sent_once_more(office: Office) -> None:
    phone = office.phone("ก")
    codes = [await office.queue(phone) for _ in range(2)]
    async with office.database.write() as session:
        await session.execute(update(OutboxMessage).values(state=State.SENDING, attempts=1))
    async with sending(office.emulator, office.database, office.clock):
        for number in range(2):
            await office.state(number, State.UNCERTAIN)
        assert not any(shown(phone, code) for code in codes)
        office.clock.move(seconds=courier.RECOVERY_PAUSE)
        rows = [await office.state(number, State.SENT) for number in range(2)]
    assert [row.attempts for row in rows] == [2, 2]
    assert [len(shown(phone, code)) for code in codes] == [1, 1]


async def test_stopped_within_a_call_it_is_uncertain_at_the_next_start(office: Office) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    fault = office.emulator.faults.delay(3, method="sendMessage")
    async with sending(office.emulator, office.database, office.clock, grace=0):
        await until(lambda: count_of(lambda: fault.hits, 1))
    (row,) = await outbox_rows(office.database)
    assert row.state is State.SENDING
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=courier.RECOVERY_PAUSE)
        await office.state(0, State.SENT)
    assert len(shown(phone, code)) == 2


async def test_receipts_come_before_notices(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    # Side by side a later one may overtake on its last metres.
    monkeypatch.setattr(courier, "PARALLEL", 1)
    phones = [office.phone(str(number)) for number in range(6)]
    for phone in phones[:4]:
        await office.queue(phone, Kind.AWAITS_PROVINCE)
    for phone in phones[4:]:
        await office.queue(phone, Kind.RECEIPT)
    async with sending(office.emulator, office.database, office.clock):
        for number in range(6):
            await office.state(number, State.SENT)
    order = [int(call.params["chat_id"]) for call in office.emulator.calls_of("sendMessage")]
    assert set(order[:2]) == {phone.id for phone in phones[4:]}


async def test_one_chat_gets_its_messages_one_after_another(office: Office) -> None:
    phone = office.phone("ก")
    codes = [await office.queue(phone) for _ in range(5)]
    async with sending(office.emulator, office.database, office.clock):
        await office.state(4, State.SENT)
    texts = [one.text.replace("-", "") for one in phone.messages]
    assert [code in text for code, text in zip(codes, texts, strict=True)] == [True] * 5


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_telegrams_limits_are_kept(country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "CHAT_INTERVAL", 1.0)
    # Its buckets fill up in real time.
    async with Emulator(clock=time.time, enforce_limits=True) as emulator:
        officer_id = await link(country, "lao5110201", emulator.phone("ผู้รับรอง"), clock())
        office = Office(emulator, country, clock, officer_id)
        phones = [office.phone(str(number)) for number in range(60)]
        for phone in phones:
            await office.queue(phone, Kind.AWAITS_PROVINCE)
        # The emulator allows a chat a burst of five.
        for _ in range(5):
            await office.queue(phones[0], Kind.AWAITS_PROVINCE)
        async with sending(emulator, country, lambda: datetime.now(UTC)):
            await until(lambda: _all_sent(country), 20)
        assert emulator.api.limits.refused == 0
        assert len(emulator.calls_of("sendMessage")) == 65


async def _all_sent(database: Database) -> bool:
    return all(row.state is State.SENT for row in await outbox_rows(database))


async def test_a_database_that_was_away_ends_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = office.phone("ก")
    trouble = Trouble(monkeypatch, office.database)
    monkeypatch.setattr(courier, "IDLE", 0.02)
    async with sending(office.emulator, office.database, office.clock):
        trouble.reads = 3
        await until(lambda: count_of(lambda: trouble.struck, 3))
        code = await office.queue(phone)
        await office.state(0, State.SENT)
    assert len(shown(phone, code)) == 1


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_database_away_at_the_end_of_a_send_loses_nothing(
    office: Office, after_commit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    trouble = Trouble(monkeypatch, office.database)
    trouble.after_commit = after_commit
    real = api.send

    async def then_away(*args: Any) -> int:
        sent = await real(*args)
        trouble.times = 3
        return sent

    monkeypatch.setattr(api, "send", then_away)
    async with sending(office.emulator, office.database, office.clock):
        await until(lambda: count_of(lambda: trouble.struck, 3))
        row = await office.state(0, State.SENT)
    assert row.message_id
    assert len(shown(phone, code)) == 1


async def test_a_commit_of_sending_that_went_astray_is_found_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = office.phone("ก")
    async with sending(office.emulator, office.database, office.clock) as one:
        # The first look is over.
        await until(lambda: count_of(lambda: int(not one._unsure), 1))
        code = await office.queue(phone)
        trouble = Trouble(monkeypatch, office.database)
        trouble.times, trouble.after_commit = 1, True
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=courier.RECOVERY_PAUSE)
        await until(lambda: count_of(lambda: len(shown(phone, code)), 1))
        await office.state(0, State.SENT)
    assert len(shown(phone, code)) == 1
