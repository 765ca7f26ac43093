"""Answers that Telegram refuses or the network interrupts."""

import asyncio
import logging
from typing import Any

import pytest

from bot.telegram import api
from demo.botapi import Emulator
from models.chats.inbox import State
from models.database.engine import Database
from tests.bot.running import (
    ASK_USERNAME,
    finished,
    inbox_rows,
    opened_bot,
    polled,
    received,
    sent_texts,
    until,
)
from tests.chat import Officer, running_bot
from tests.support import Clock


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
    assert [message.id for message in officer.phone.messages if message.outgoing] == [card.id]
    assert "Traceback" not in caplog.text
    assert "failed" not in caplog.text


async def _calls(emulator: Emulator, method: str, count: int) -> bool:
    return len(emulator.calls_of(method)) >= count


async def test_a_tap_answered_too_late_still_edits(emulator: Emulator, country: Database, clock: Clock) -> None:
    officer = Officer(emulator.phone("ก"))
    async with running_bot(emulator, country, clock):
        await officer.says("/start", "เข้าสู่ระบบ")
    card = officer.phone.last
    async with opened_bot(emulator) as (bot, polls), polled(bot, polls, country, clock, lambda rows: None):
        tap = await officer.phone.tap("เข้าสู่ระบบ")
        await until(lambda: received(country, 2))
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


async def test_into_a_chat_that_must_rest_for_an_hour_nothing_is_sent(bot: Emulator, country: Database) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    flood = bot.faults.flood(3600, method="editMessageText")
    await officer.phone.tap("เข้าสู่ระบบ")
    await until(lambda: bool(flood.hits))
    sent = await officer.phone.send("/help")
    await until(lambda: finished(country))
    assert len(bot.calls_of("editMessageText")) == 1
    assert len(bot.calls_of("sendMessage")) == 1
    assert officer.phone.messages[-1] == sent


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
    await officer.phone.until(lambda at: card.id not in {message.id for message in at.messages})


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "server_error"])
async def test_the_network_fails_under_a_new_card(bot: Emulator, fault: str) -> None:
    officer = Officer(bot.phone("ก"))
    getattr(bot.faults, fault)(method="sendMessage", times=2)
    await officer.phone.send("/start")
    await until(lambda: _calls(bot, "sendMessage", 3))
    await officer.says("/help", "/language")
    # A connection cut after the effect, or a proxy's 502, may leave copies, which is better than no answer.
    expected_count = 3 if fault == "reset_after" else 1
    await officer.phone.until(
        lambda at: len([message for message in at.messages if message.outgoing]) == expected_count
    )


async def test_no_network_for_long_does_not_stop_the_officer(bot: Emulator, country: Database) -> None:
    officer = Officer(bot.phone("ก"))
    struck = bot.faults.reset_before(method="sendMessage", times=api.RETRIES.tries)
    await officer.phone.send("/start")
    await until(lambda: _hits(struck, api.RETRIES.tries))
    await officer.says("/help", "/language")
    assert [row.state for row in await inbox_rows(country)] == [State.DONE] * 2


async def _hits(fault: Any, count: int) -> bool:
    return bool(fault.hits >= count)


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
    await phone.until(lambda at: at.button("เข้าสู่ระบบ"))
    assert [(row.state, row.attempts) for row in await inbox_rows(country)] == [(State.DONE, 0)] * 2
    assert not any("ขออภัย" in text for text in sent_texts(bot, phone.id))


async def _told(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.text
