"""Messages out: at least once, at most one copy too many, and within Telegram's limits."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from telegram.error import Conflict

from bot import api, courier, delivery, ledger, limiter
from bot.courier import Courier
from bot.transport import AiohttpRequest
from demo.botapi import Emulator, Message, Phone
from handlers.dispatch import respond
from handlers.incoming import decode
from handlers.notices import notice
from handlers.screen import Deferred, Dropped
from handlers.turn import DEFAULTS
from models import lease, outbox
from models.account import IDLE, Officer, active_officer
from models.conversation import Conversation
from models.database import Database
from models.link import unlink_officer
from models.outbox import Kind, OutboxMessage, State
from tests import support
from tests.bot.running import Trouble, certificate, link, opened_bot, outbox_rows, until
from tests.support import Clock


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "CHAT_INTERVAL", 0.01)
    monkeypatch.setattr(limiter, "GROUP_INTERVAL", 0.01)
    monkeypatch.setattr(courier, "OFFLINE_LONGEST", 0.01)
    monkeypatch.setattr(courier, "IDLE", 0.02)
    monkeypatch.setattr(lease, "EVERY", 0.02)
    monkeypatch.setattr(ledger, "NOTE_PAUSE", 0.01)


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

    async def linked(self, name: str, username: str = "province11") -> Phone:
        """A phone whose chat is linked and whose officer has just been there."""
        phone = self.phone(name)
        async with self.database.write() as session:
            await support.link(session, username, phone.id, self.clock(), f"ทดสอบ {name}")
        return phone

    async def unlink(self, phone: Phone) -> None:
        async with self.database.write() as session:
            officer = await active_officer(session, phone.id)
            assert officer is not None
            await unlink_officer(session, officer, self.clock())

    async def enqueue(self, kind: Kind, phone: Phone, subject_id: int) -> None:
        async with self.database.write() as session:
            outbox.enqueue(session, kind, phone.id, subject_id, self.clock())

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
    emulator: Emulator,
    database: Database,
    clock: Callable[[], datetime],
    grace: float = 1.0,
    operator_chat: int | None = None,
) -> AsyncIterator[Courier]:
    async with opened_bot(emulator) as (bot, _):
        one = Courier(bot, database, clock, operator_chat)
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


async def test_without_a_connection_it_is_tried_as_often_as_it_takes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    await office.emulator.close()
    polls = AiohttpRequest(1)
    bot = api.make_bot(office.emulator.token, office.emulator.url, polls)
    await bot._request[1].initialize()
    one = Courier(bot, office.database, office.clock)
    running = asyncio.create_task(one.run())

    tries = 0
    real = delivery.deliver

    async def counted(*args: Any) -> delivery.Outcome:
        nonlocal tries
        tries += 1
        return await real(*args)

    monkeypatch.setattr(courier, "deliver", counted)
    # More often than a message may fail.
    await until(lambda: count_of(lambda: tries, outbox.MAX_ATTEMPTS + 2))
    (row,) = await outbox_rows(office.database)
    assert row.state in (State.PENDING, State.SENDING)
    await office.emulator.start()
    row = await office.state(0, State.SENT)
    assert row.attempts == 1
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
        office.clock.move(seconds=delivery.UNCERTAIN_PAUSE)
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
    fault = office.emulator.faults.flood(1, method="sendMessage")
    office.emulator.faults.reset_after(method="sendMessage", times=5)
    async with sending(office.emulator, office.database, office.clock) as one:
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=delivery.UNCERTAIN_PAUSE)
        one.wake()

        async def flooded() -> bool:
            (row,) = await outbox_rows(office.database)
            return fault.hits == 1 and row.state is State.UNCERTAIN

        await until(flooded)
        office.clock.move(seconds=2)
        one._limiter._paused.clear()
        row = await office.state(0, State.DEAD)
    assert row.attempts == 2
    assert row.error
    assert len(shown(phone, code)) == 2


async def test_a_429_pauses_its_chat_and_no_other(office: Office) -> None:
    paused, free = await office.linked("ก"), office.phone("ข")
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
        assert rows[0].attempts == 0
        assert 40 < one._limiter.paused_for(paused.id) <= 60
        assert all(len(shown(free, code)) == 1 for code in others)
    # Another courier, which has heard nothing of it: also what was never tried waits.
    async with sending(office.emulator, office.database, office.clock):
        await until(lambda: put_off(office, 1, office.clock() + timedelta(seconds=60)))
        assert fault.hits == 1
        assert not paused.messages
        office.clock.move(seconds=60)
        for number in range(2):
            await office.state(number, State.SENT)
    assert len(shown(paused, first)) == 1


async def put_off(office: Office, number: int, when: datetime) -> bool:
    row = (await outbox_rows(office.database))[number]
    return (row.state, row.attempts, row.due_at) == (State.PENDING, 0, when)


async def test_429s_of_several_chats_pause_all_bulk(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BULK", frozenset({Kind.COLLEAGUE_CERTIFIED}))
    phones = [await office.linked(str(number)) for number in range(limiter.SEVERAL)]
    crowd, urgent = await office.linked("มวล"), await office.linked("ด่วน")
    for phone in phones:
        office.emulator.faults.flood(60, chat_id=phone.id)
        await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock) as one:
        await until(lambda: count_of(lambda: int(one._limiter.bulk_rests()), 1))
        await office.queue(crowd, Kind.COLLEAGUE_CERTIFIED)
        await office.queue(urgent, Kind.PROVINCE_CERTIFIED)
        one.wake()
        await office.state(limiter.SEVERAL + 1, State.SENT)
        assert (await outbox_rows(office.database))[limiter.SEVERAL].state is State.PENDING
        # The latest pause over:
        one._limiter._bulk_rests_until = 0.0
        await office.state(limiter.SEVERAL, State.SENT)
    assert len(crowd.messages) == len(urgent.messages) == 1


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
    # One call a chat: what else waits there ends with it.
    assert len([call for call in office.emulator.calls if call.params.get("chat_id") == str(gone.id)]) == 1


@pytest.mark.parametrize("what", ["call", "screen"])
async def test_eight_failures_are_the_end(office: Office, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: Any) -> Any:
        raise Conflict("try later") if what == "call" else LookupError("no such certificate")

    name = "bot.delivery.api.send" if what == "call" else "bot.ledger.notice"
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
    monkeypatch.setattr("bot.delivery.api.send", unreadable)
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
    phones = [await office.linked(str(number)) for number in range(6)]
    for phone in phones[:4]:
        await office.queue(phone, Kind.COLLEAGUE_CERTIFIED)
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
    monkeypatch.setattr(limiter, "CHAT_INTERVAL", 1.0)
    # Its buckets fill up in real time.
    async with Emulator(clock=time.time, enforce_limits=True) as emulator:
        officer_id = await link(country, "lao5110201", emulator.phone("ผู้รับรอง"), clock())
        office = Office(emulator, country, clock, officer_id)
        phones = [await office.linked(str(number)) for number in range(60)]
        for phone in phones:
            await office.queue(phone, Kind.COLLEAGUE_CERTIFIED)
        # The emulator allows a chat a burst of five.
        for _ in range(5):
            await office.queue(phones[0], Kind.COLLEAGUE_CERTIFIED)
        async with sending(emulator, country, lambda: datetime.now(UTC)):
            await until(lambda: _all_sent(country))
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
        await until(lambda: count_of(lambda: int(not one._is_unsure), 1))
        code = await office.queue(phone)
        trouble = Trouble(monkeypatch, office.database)
        trouble.times, trouble.after_commit = 1, True
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=courier.RECOVERY_PAUSE)
        await until(lambda: count_of(lambda: len(shown(phone, code)), 1))
        await office.state(0, State.SENT)
    assert len(shown(phone, code)) == 1


# --- links that end, and chats that were left alone ---------------------------------------------------------

BLANKED = "แชตนี้ไม่ได้เชื่อมต่อแล้ว ระบบนำข้อความเดิมออกแล้ว"


async def none_left(office: Office) -> bool:
    return not [row for row in await outbox_rows(office.database) if row.kind is Kind.BLANK]


async def test_what_was_sent_is_taken_away_when_the_link_ends_and_receipts_stay(office: Office) -> None:
    phone = await office.linked("ก")
    notice, receipt = await office.queue(phone, Kind.COLLEAGUE_CERTIFIED), await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock) as one:
        for number in range(2):
            await office.state(number, State.SENT)
        (sent,) = shown(phone, notice)
        assert sent.buttons
        await office.unlink(phone)
        one.wake()
        await until(lambda: none_left(office))
    assert (sent.text, sent.buttons) == (BLANKED, [])
    (kept,) = shown(phone, receipt)
    assert "รวม 20" in kept.text


async def test_what_cannot_show_anything_any_more_counts_as_blanked(office: Office) -> None:
    phone = await office.linked("ก")
    codes = [await office.queue(phone, Kind.COLLEAGUE_CERTIFIED) for _ in range(3)]
    async with sending(office.emulator, office.database, office.clock) as one:
        for number in range(3):
            await office.state(number, State.SENT)
        gone, fixed, blank = [shown(phone, code)[0] for code in codes]
        gone.deleted = True
        # What a message of a business account would say.
        fixed.service = True
        blank.content, blank.markup = {"text": BLANKED}, None
        await office.unlink(phone)
        one.wake()
        await until(lambda: none_left(office))
    assert [call.params["message_id"] for call in office.emulator.calls_of("editMessageText")] == [
        str(message.id) for message in (blank, fixed, gone)
    ]


async def test_a_blank_is_tried_until_it_is_done(office: Office) -> None:
    phone = await office.linked("ก")
    code = await office.queue(phone, Kind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock) as one:
        await office.state(0, State.SENT)
        (sent,) = shown(phone, code)
        times = outbox.MAX_ATTEMPTS + 2
        fault = office.emulator.faults.reset_after(method="editMessageText", times=times)
        await office.unlink(phone)

        async def done() -> bool:
            office.clock.move(seconds=70)
            one.wake()
            return await none_left(office)

        await until(done)
    # Each of them may have arrived; the last one is answered "not modified".
    assert fault.hits == times
    assert sent.text == BLANKED


async def test_blanks_come_after_receipts_and_before_notices(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "PARALLEL", 1)
    stolen = await office.linked("ก")
    await office.queue(stolen, Kind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.SENT)
    phones = [await office.linked(str(number)) for number in range(3)]
    await office.queue(phones[0], Kind.COLLEAGUE_CERTIFIED)
    await office.unlink(stolen)
    await office.queue(phones[1])
    before = office.emulator.call_count
    async with sending(office.emulator, office.database, office.clock):
        await until(lambda: none_left(office))
        for number in (1, 2):
            await office.state(number, State.SENT)
    calls = list(office.emulator.calls)[before - office.emulator.call_count :]
    order = [int(call.params["chat_id"]) for call in calls if call.method in ("sendMessage", "editMessageText")]
    assert order == [phones[1].id, stolen.id, phones[0].id]


async def test_an_accounts_business_reaches_no_chat_that_is_not_linked(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    stranger, operator = office.phone("ก"), office.phone("ผู้ดูแล")
    code = await office.queue(stranger, Kind.COLLEAGUE_CERTIFIED)
    await office.enqueue(Kind.LINKED, stranger, office.officer_id)
    receipt = await office.queue(stranger)
    await office.enqueue(Kind.HANDED_OVER, stranger, office.officer_id)
    await office.enqueue(Kind.PIN_BLOCKED, stranger, int(office.clock().timestamp()))
    to_operator = await office.queue(operator, Kind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock, operator_chat=operator.id):
        for number in range(6):
            await office.state(number, State.SENT, State.DEAD)
    rows = await outbox_rows(office.database)
    assert [row.state for row in rows] == [State.DEAD] * 2 + [State.SENT] * 4
    assert {row.error for row in rows[:2]} == {"the chat's link has ended"}
    assert not shown(stranger, code)
    assert len(shown(stranger, receipt)) == len(shown(operator, to_operator)) == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_what_was_on_its_way_when_the_link_ended_is_taken_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await office.linked("ก")
    await office.queue(phone, Kind.COLLEAGUE_CERTIFIED)
    real = api.send

    async def overtaken(*args: Any) -> int:
        sent = await real(*args)
        await office.unlink(phone)
        return sent

    monkeypatch.setattr(api, "send", overtaken)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.SENT)
        await until(lambda: none_left(office))
    assert [message.text for message in phone.messages] == [BLANKED]


async def test_why_a_blank_is_dead_is_kept_unless_its_person_was_forgotten(office: Office) -> None:
    known, forgotten = await office.linked("ก"), await office.linked("ข")
    for phone in (known, forgotten):
        await office.queue(phone, Kind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock):
        for number in range(2):
            await office.state(number, State.SENT)
    for phone in (known, forgotten):
        phone.block()
        await office.unlink(phone)
    async with office.database.write() as session:
        await session.execute(update(Officer).where(Officer.user_id == forgotten.id).values(user_id=-1))
    async with sending(office.emulator, office.database, office.clock):

        async def ended() -> list[OutboxMessage]:
            blanks = [row for row in await outbox_rows(office.database) if row.kind is Kind.BLANK]
            return blanks if [row.state for row in blanks] == [State.DEAD] else []

        (row,) = await until(ended)
    assert (row.chat_id, row.subject_id) == (known.id, known.messages[0].id)
    assert "blocked by the user" in (row.error or "")


async def test_an_idle_chat_is_told_without_numbers_and_names(office: Office) -> None:
    awake, idle = await office.linked("ก"), await office.linked("ข")
    async with office.database.write() as session:
        officer = await active_officer(session, idle.id)
        assert officer is not None
        officer.last_seen_at = office.clock() - IDLE - timedelta(seconds=1)
    codes = [await office.queue(phone, Kind.COLLEAGUE_CERTIFIED) for phone in (awake, idle)]
    receipt = await office.queue(idle)
    async with sending(office.emulator, office.database, office.clock):
        for number in range(3):
            await office.state(number, State.SENT)
    (whole,) = shown(awake, codes[0])
    assert not shown(idle, codes[1])
    kept, brief = idle.messages
    assert brief.buttons[0][0].label == whole.buttons[0][0].label
    assert brief.text == (
        "🔔 หน่วยงานของท่านได้รับรองข้อมูลแล้ว\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        "โปรดเปิดด้วย PIN เพื่อดูรายละเอียด"
    )
    assert "ทดสอบ ลงชื่อ" in whole.text
    # One's own receipt is whole, wherever it is, and may be passed on.
    assert shown(idle, receipt) == [kept]
    protected = [bool(one.options.get("has_protected_content")) for one in (whole, brief, kept)]
    assert protected == [True, True, False]


# --- decided when it is sent --------------------------------------------------------------------------------


async def test_what_is_no_longer_true_is_dropped(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def untrue(*_args: Any) -> Dropped:
        return Dropped("certified meanwhile")

    monkeypatch.setattr("bot.ledger.notice", untrue)
    await office.queue(office.phone("ก"))
    async with sending(office.emulator, office.database, office.clock):
        row = await office.state(0, State.DROPPED)
    assert (row.attempts, row.error, row.sent_at) == (0, "certified meanwhile", None)
    assert not office.emulator.calls_of("sendMessage")
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_what_is_put_off_is_rendered_anew_then(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, morning = office.phone("ก"), office.clock() + timedelta(hours=8)

    async def not_at_night(*args: Any) -> Any:
        return Deferred(morning) if office.clock() < morning else await notice(*args)

    monkeypatch.setattr("bot.ledger.notice", not_at_night)
    code = await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock):
        await until(lambda: put_off(office, 0, morning))
        office.clock.move(hours=8)
        row = await office.state(0, State.SENT)
    assert row.attempts == 1
    assert len(shown(phone, code)) == 1


async def test_bulk_makes_nothing_urgent_wait(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BULK", frozenset({Kind.COLLEAGUE_CERTIFIED}))
    monkeypatch.setattr(courier, "BULK_PARALLEL", 2)
    crowd = [await office.linked(str(number)) for number in range(4)]
    urgent = await office.linked("ด่วน")
    for phone in crowd:
        await office.queue(phone, Kind.COLLEAGUE_CERTIFIED)
    held = office.emulator.faults.delay(0.5, method="sendMessage", times=2)
    async with sending(office.emulator, office.database, office.clock) as one:
        await until(lambda: count_of(lambda: held.hits, 2))
        await office.queue(urgent, Kind.PROVINCE_CERTIFIED)
        one.wake()
        await office.state(4, State.SENT)
        # All that bulk may take is taken: the others of it have not begun.
        assert [row.state for row in (await outbox_rows(office.database))[2:4]] == [State.PENDING] * 2
        for number in range(4):
            await office.state(number, State.SENT)


# --- chats that cannot be written to, or are somewhere else -------------------------------------------------


async def unreachable_kinds(office: Office) -> list[tuple[int, int]]:
    rows = await outbox_rows(office.database)
    return [(row.chat_id, row.subject_id) for row in rows if row.kind is Kind.UNREACHABLE]


async def officer_of(office: Office, phone: Phone) -> Officer:
    async with office.database.read() as session:
        found = await active_officer(session, phone.id)
    assert found is not None
    return found


async def hears_from(office: Office, update_: dict[str, Any]) -> None:
    """What the worker does with an update of the chat."""
    async with office.database.write() as session:
        await respond(session, decode(update_), None, office.clock(), random.Random(1), DEFAULTS)


async def test_colleagues_are_told_once_that_a_chat_is_unreachable_until_it_is_heard_of_again(
    office: Office,
) -> None:
    gone, colleague, operator = await office.linked("ก"), await office.linked("ข"), office.phone("ผู้ดูแล")
    officer = await officer_of(office, gone)
    notices = [await office.queue(gone, Kind.COLLEAGUE_CERTIFIED)]
    async with sending(office.emulator, office.database, office.clock, operator_chat=operator.id) as one:
        await office.state(0, State.SENT)
        gone.block()
        await office.enqueue(Kind.BLANK, gone, gone.messages[0].id)
        notices += [await office.queue(gone, Kind.COLLEAGUE_CERTIFIED) for _ in range(2)]
        one.wake()
        for number in (1, 2, 3):
            row = await office.state(number, State.DEAD)
            assert "blocked by the user" in (row.error or "")
        await office.state(4, State.SENT)
        # What comes later does not even try.
        before = office.emulator.call_count
        await office.queue(gone, Kind.COLLEAGUE_CERTIFIED)
        one.wake()
        assert "blocked by the user" in ((await office.state(5, State.DEAD)).error or "")
        assert office.emulator.call_count == before
        assert await unreachable_kinds(office) == [(colleague.id, officer.id)]
        (told,) = colleague.messages
        assert told.text.startswith("⚠️ ส่งข้อความถึงเจ้าหน้าที่ไม่ได้")
        assert "ทดสอบ ก" in told.text
        # Unblocked: what was to be taken away there is taken away, and notices come again.
        gone.chat.bot_status = "member"
        member = {"status": "member"}
        chat = {"id": gone.id, "type": "private"}
        await hears_from(
            office, {"my_chat_member": {"chat": chat, "from": {"id": gone.id}, "new_chat_member": member}}
        )
        await office.queue(gone, Kind.COLLEAGUE_CERTIFIED)
        one.wake()
        await until(lambda: none_left(office))
        await office.state(5, State.SENT)
        assert gone.messages[0].text == BLANKED
        # A second time, with the colleague gone as well: the operator hears of the last.
        office.clock.move(minutes=1)
        colleague.block()
        await office.queue(colleague, Kind.COLLEAGUE_CERTIFIED)
        one.wake()
        await office.state(6, State.DEAD)
        gone.block()
        await office.queue(gone, Kind.COLLEAGUE_CERTIFIED)
        one.wake()

        async def operator_told() -> bool:
            return (operator.id, officer.id) in await unreachable_kinds(office)

        await until(operator_told)
        await until(lambda: count_of(lambda: len(operator.messages), 1))
    assert "province11" in operator.messages[0].text


async def test_that_a_chat_was_unreachable_is_dropped_when_it_is_there_again(office: Office) -> None:
    back, colleague = await office.linked("ก"), await office.linked("ข")
    await office.enqueue(Kind.UNREACHABLE, colleague, (await officer_of(office, back)).id)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.DROPPED)
    assert not colleague.messages


async def test_of_somebody_forgotten_nothing_is_remembered_for_being_unreachable(office: Office) -> None:
    phone = await office.linked("ก")
    async with office.database.write() as session:
        await session.execute(update(Officer).where(Officer.user_id == phone.id).values(user_id=-1))
        for message in (1, 2):
            outbox.enqueue(session, Kind.BLANK, phone.id, message, office.clock())
    phone.block()
    async with sending(office.emulator, office.database, office.clock):
        await until(lambda: none_left(office))
    async with office.database.read() as session:
        assert await session.get(Conversation, phone.id) is None


async def test_a_group_that_has_moved_is_followed_at_once_and_after_a_restart(office: Office) -> None:
    owner = office.phone("ผู้ดูแล")
    group = office.emulator.group("ผู้ดูแลระบบ", [owner])
    group.add_bot(owner)
    old, new = group.id, group.upgrade(owner).id
    codes = []
    for _ in range(2):
        office.made += 1
        async with office.database.write() as session:
            made = await certificate(session, office.officer_id, office.clock(), office.made)
            outbox.enqueue(session, Kind.PROVINCE_CERTIFIED, old, made, office.clock())
        async with sending(office.emulator, office.database, office.clock, operator_chat=old):
            await office.state(len(codes), State.SENT)
        codes.append(f"C{office.made:09}")
    texts = [one.history[0].replace("-", "") for one in office.emulator.chat(new).messages.values() if one.history]
    assert [sum(code in text for text in texts) for code in codes] == [1, 1]
    calls = [int(call.params["chat_id"]) for call in office.emulator.calls_of("sendMessage")]
    assert calls == [old, new, new]


# --- one courier at a time ----------------------------------------------------------------------------------


async def test_another_courier_takes_over_when_the_lease_is_lost(office: Office) -> None:
    phone = office.phone("ก")
    async with sending(office.emulator, office.database, office.clock) as first:
        await office.queue(phone)
        await office.state(0, State.SENT)
        second_database = Database(office.database.url.render_as_string(hide_password=False), support.KEYRING)
        async with sending(office.emulator, second_database, office.clock) as second:
            codes = [await office.queue(phone) for _ in range(3)]
            await office.state(3, State.SENT)
            assert not second._lease.is_held
            # Lost: nothing is begun any more by the first, and the second goes on.
            assert first._keeping is not None
            first._keeping.cancel()
            await first._lease.give_back()
            await until(lambda: count_of(lambda: int(second._lease.is_held), 1))
            codes += [await office.queue(phone) for _ in range(3)]
            first.wake()
            second.wake()
            await office.state(6, State.SENT)
            assert not first._sending
        await second_database.close()
    assert [len(shown(phone, code)) for code in codes] == [1] * 6
