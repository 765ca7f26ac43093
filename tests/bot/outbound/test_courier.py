"""The courier: each message at least once and at most twice, within Telegram's limits."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from telegram.error import Conflict

from bot.outbound import courier, delivery
from bot.telegram import api
from bot.telegram.limiter import RATES
from bot.telegram.transport import READ_TIMEOUT
from demo.botapi import DESIGN, PATIENCE, Emulator
from handlers.chat.screen import Deferred, Dropped
from handlers.notices.rendering import notice
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests import support
from tests.bot.outbound.office import HASTY, Office, count_of, make_courier, sending, shown
from tests.bot.running import Trouble, link, opened_bot, outbox_rows, until
from tests.chat import make_bot
from tests.support import Clock, make_bulk

PACE = HASTY.courier


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
    bot, _ = make_bot(office.emulator)
    await bot._request[1].initialize()
    running_courier = make_courier(bot, office.database, office.clock)
    running = asyncio.create_task(running_courier.run())

    tries = 0
    real = delivery.deliver

    async def counted(*args: Any) -> delivery.Outcome:
        nonlocal tries
        tries += 1
        return await real(*args)

    monkeypatch.setattr(courier, "deliver", counted)
    # More failures than attempts are allowed.
    await until(lambda: count_of(lambda: tries, outbox.MAX_ATTEMPTS + 2))
    (row,) = await outbox_rows(office.database)
    assert row.state in (State.PENDING, State.SENDING)
    await office.emulator.start()
    row = await office.state(0, State.SENT)
    assert row.attempts == 1
    running.cancel()
    await asyncio.wait({running})
    await running_courier.drain(1)
    await bot._request[1].shutdown()
    assert len(shown(phone, code)) == 1


@pytest.mark.parametrize("fault", ["reset_after", "reset_before", "server_error", "timeout"])
async def test_what_may_have_arrived_is_repeated_once_with_the_same_code(office: Office, fault: str) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    faults = office.emulator.faults
    read_timeout = READ_TIMEOUT
    if fault == "timeout":
        read_timeout = 0.05
        faults.delay(0.5, method="sendMessage")
    else:
        getattr(faults, fault)(method="sendMessage")
    async with sending(
        office.emulator, office.database, office.clock, read_timeout=read_timeout
    ) as running_courier:
        row = await office.state(0, State.UNCERTAIN)
        assert row.due_at > office.clock()
        assert row.error
        office.clock.move(seconds=PACE.uncertain_pause)
        running_courier.wake()
        row = await office.state(0, State.SENT)
        assert row.attempts == 2
    arrived = 2 if fault in ("reset_after", "timeout") else 1
    assert len(shown(phone, code)) == arrived


async def test_a_repetition_that_may_have_arrived_is_the_last(office: Office) -> None:
    phone = office.phone("ก")
    code = await office.queue(phone)
    # The 429 in between sends nothing, and leaves the row uncertain.
    office.emulator.faults.reset_after(method="sendMessage")
    fault = office.emulator.faults.flood(1, method="sendMessage")
    office.emulator.faults.reset_after(method="sendMessage", times=5)
    async with sending(office.emulator, office.database, office.clock) as running_courier:
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=PACE.uncertain_pause)
        running_courier.wake()

        async def flooded() -> bool:
            (row,) = await outbox_rows(office.database)
            return fault.hits == 1 and row.state is State.UNCERTAIN

        await until(flooded)
        office.clock.move(seconds=2)
        running_courier._limiter._paused.clear()
        row = await office.state(0, State.DEAD)
    assert row.attempts == 2
    assert row.error
    assert len(shown(phone, code)) == 2


async def test_a_429_pauses_its_chat_and_no_other(office: Office) -> None:
    paused, free = await office.linked("ก"), office.phone("ข")
    fault = office.emulator.faults.flood(60, chat_id=paused.id)
    first = await office.queue(paused)
    async with sending(office.emulator, office.database, office.clock) as running_courier:

        async def refused() -> bool:
            return fault.hits == 1 and (await outbox_rows(office.database))[0].state is State.PENDING

        await until(refused)
        await office.queue(paused)
        others = [await office.queue(free) for _ in range(3)]
        running_courier.wake()
        await office.state(4, State.SENT)
        rows = await outbox_rows(office.database)
        assert [row.state for row in rows[:2]] == [State.PENDING, State.PENDING]
        assert (rows[0].due_at - office.clock()).total_seconds() == 60
        assert rows[0].attempts == 0
        assert 40 < running_courier._limiter.paused_for(paused.id) <= 60
        assert all(len(shown(free, code)) == 1 for code in others)
    # Another courier, which did not get the 429: its untried messages wait too.
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
    make_bulk(monkeypatch, NoticeKind.COLLEAGUE_CERTIFIED)
    phones = [await office.linked(str(number)) for number in range(HASTY.rates.several)]
    crowd, urgent = await office.linked("มวล"), await office.linked("ด่วน")
    for phone in phones:
        office.emulator.faults.flood(60, chat_id=phone.id)
        await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock) as running_courier:
        await until(lambda: count_of(lambda: int(running_courier._limiter.bulk_rests()), 1))
        await office.queue(crowd, NoticeKind.COLLEAGUE_CERTIFIED)
        await office.queue(urgent, NoticeKind.PROVINCE_CERTIFIED)
        running_courier.wake()
        await office.state(HASTY.rates.several + 1, State.SENT)
        assert (await outbox_rows(office.database))[HASTY.rates.several].state is State.PENDING
        # The latest pause over:
        running_courier._limiter._bulk_rests_until = 0.0
        await office.state(HASTY.rates.several, State.SENT)
    assert len(crowd.messages) == len(urgent.messages) == 1


async def test_who_blocked_the_bot_is_dead_and_stops_nobody(office: Office) -> None:
    blocked, unknown, there = office.phone("ก"), office.emulator.phone("ไม่เคยเริ่ม"), office.phone("ข")
    blocked.block()
    for phone in (blocked, unknown, there, blocked, there):
        await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(4, State.SENT)
        await office.state(3, State.DEAD)
    rows = await outbox_rows(office.database)
    assert [row.state for row in rows] == [State.DEAD, State.DEAD, State.SENT, State.DEAD, State.SENT]
    assert "bot was blocked by the user" in (rows[0].error or "")
    assert "Chat not found" in (rows[1].error or "")
    # One call for each chat: its other messages end with it.
    assert len([call for call in office.emulator.calls if call.params.get("chat_id") == str(blocked.id)]) == 1


@pytest.mark.parametrize("what", ["call", "screen"])
async def test_eight_failures_are_the_end(office: Office, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: Any) -> Any:
        raise Conflict("try later") if what == "call" else LookupError("no such certificate")

    phone, other = office.phone("ก"), office.phone("ข")
    await office.queue(phone)
    with monkeypatch.context() as patch:
        if what == "call":
            patch.setattr("bot.outbound.delivery.api.send", refuse)
        else:
            patch.setattr("bot.outbound.ledger.notice", refuse)
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
    monkeypatch.setattr("bot.outbound.delivery.api.send", unreadable)
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
        office.clock.move(seconds=PACE.recovery_pause)
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
    # After this time a receipt in `sending` counts as abandoned by its program.
    office.clock.move(seconds=PACE.doubt)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=PACE.recovery_pause)
        await office.state(0, State.SENT)
    assert len(shown(phone, code)) == 2


async def test_receipts_come_before_notices(office: Office) -> None:
    # In parallel, a later call may overtake an earlier one.
    one_by_one = replace(HASTY, courier=replace(PACE, parallel=1))
    phones = [await office.linked(str(number)) for number in range(6)]
    for phone in phones[:4]:
        await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
    for phone in phones[4:]:
        await office.queue(phone, NoticeKind.RECEIPT)
    async with sending(office.emulator, office.database, office.clock, tuning=one_by_one):
        for number in range(6):
            await office.state(number, State.SENT)
    order = [int(call.params["chat_id"]) for call in office.emulator.calls_of("sendMessage")]
    assert set(order[:2]) == {phone.id for phone in phones[4:]}


async def test_one_chat_gets_its_messages_one_after_another(office: Office) -> None:
    phone = office.phone("ก")
    codes = [await office.queue(phone) for _ in range(5)]
    async with sending(office.emulator, office.database, office.clock):
        await office.state(4, State.SENT)
    texts = [message.text.replace("-", "") for message in phone.messages]
    assert [code in text for code, text in zip(codes, texts, strict=True)] == [True] * 5


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_telegrams_limits_are_kept(country: Database, clock: Clock) -> None:
    # The limiter's bucket refills in real time.
    async with Emulator(clock=time.time, weather=DESIGN) as emulator:
        officer_id = await link(country, "lao5110201", emulator.phone("ผู้รับรอง"), clock())
        office = Office(emulator, country, clock, officer_id)
        phones = [await office.linked(str(number)) for number in range(60)]
        for phone in phones:
            await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
        # A burst into one chat.
        for _ in range(5):
            await office.queue(phones[0], NoticeKind.COLLEAGUE_CERTIFIED)
        at_telegrams_pace = replace(HASTY, rates=RATES)
        async with sending(emulator, country, lambda: datetime.now(UTC), tuning=at_telegrams_pace):
            await until(lambda: _all_sent(country))
        assert not emulator.refusals
        assert len(emulator.calls_of("sendMessage")) == 65


async def _all_sent(database: Database) -> bool:
    return all(row.state is State.SENT for row in await outbox_rows(database))


async def test_a_database_that_was_away_ends_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = office.phone("ก")
    trouble = Trouble(monkeypatch, office.database)
    async with sending(office.emulator, office.database, office.clock):
        trouble.reads = 3
        await until(lambda: count_of(lambda: trouble.struck, 3))
        code = await office.queue(phone)
        await office.state(0, State.SENT)
    assert len(shown(phone, code)) == 1


async def test_a_database_that_is_away_is_not_asked_all_the_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = Trouble(monkeypatch, office.database)
    trouble.reads = 1000
    slow = replace(HASTY, courier=replace(HASTY.courier, idle=PATIENCE))
    async with opened_bot(office.emulator) as (bot, _):
        running_courier = make_courier(bot, office.database, office.clock, slow)
        # A chat that is free soon: the courier would read the outbox then.
        running_courier._limiter.begin(7)
        running_courier._limiter.end(7, True)
        running = asyncio.create_task(running_courier.run())
        await until(lambda: count_of(lambda: trouble.struck, 1))
        for _ in range(20):
            await asyncio.sleep(0.02)
        assert trouble.struck == 1
        running.cancel()
        await asyncio.wait({running})
        await running_courier.drain(0)


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
    phone = await office.linked("ก")
    async with sending(office.emulator, office.database, office.clock) as running_courier:
        # The first look is over.
        await until(lambda: count_of(lambda: int(not running_courier._is_unsure), 1))
        code = await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
        trouble = Trouble(monkeypatch, office.database)
        trouble.times, trouble.after_commit = 1, True
        await office.state(0, State.UNCERTAIN)
        office.clock.move(seconds=PACE.recovery_pause)
        await until(lambda: count_of(lambda: len(shown(phone, code)), 1))
        await office.state(0, State.SENT)
    assert len(shown(phone, code)) == 1


# --- decided when it is sent --------------------------------------------------------------------------------


async def test_what_is_no_longer_true_is_dropped(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def untrue(*_args: Any) -> Dropped:
        return Dropped("certified meanwhile")

    monkeypatch.setattr("bot.outbound.ledger.notice", untrue)
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

    monkeypatch.setattr("bot.outbound.ledger.notice", not_at_night)
    code = await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock):
        await until(lambda: put_off(office, 0, morning))
        office.clock.move(hours=8)
        row = await office.state(0, State.SENT)
    assert row.attempts == 1
    assert len(shown(phone, code)) == 1


async def test_bulk_makes_nothing_urgent_wait(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bulk(monkeypatch, NoticeKind.COLLEAGUE_CERTIFIED)
    two_of_bulk = replace(HASTY, courier=replace(PACE, bulk_parallel=2))
    crowd = [await office.linked(str(number)) for number in range(4)]
    urgent = await office.linked("ด่วน")
    for phone in crowd:
        await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
    held = office.emulator.faults.delay(0.5, method="sendMessage", times=2)
    async with sending(office.emulator, office.database, office.clock, tuning=two_of_bulk) as running_courier:
        await until(lambda: count_of(lambda: held.hits, 2))
        await office.queue(urgent, NoticeKind.PROVINCE_CERTIFIED)
        running_courier.wake()
        await office.state(4, State.SENT)
        # Bulk uses all its places: its other messages have not started.
        assert [row.state for row in (await outbox_rows(office.database))[2:4]] == [State.PENDING] * 2
        for number in range(4):
            await office.state(number, State.SENT)


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
            # The lease is lost: the first courier starts no more sends, and the second takes over.
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
