"""Planned faults."""

import asyncio

import aiohttp
import pytest

from demo.botapi import Emulator
from demo.botapi.faults import STRANGE_BODIES


async def test_flood_without_effect(bot, phone, emulator):
    fault = emulator.faults.flood(7, method="sendMessage", times=2)
    async with bot.session.post(f"{bot.root}/sendMessage", data={"chat_id": phone.id, "text": "x"}) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert await response.json() == {
            "ok": False,
            "error_code": 429,
            "description": "Too Many Requests: retry after 7",
            "parameters": {"retry_after": 7},
        }
    assert await bot("getMe")
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x") == "Too Many Requests: retry after 7"
    assert fault.hits == 2
    assert not any(message.outgoing for message in phone.messages)
    await bot("sendMessage", chat_id=phone.id, text="x")


async def test_a_fault_may_strike_one_chat_only(bot, phone, emulator):
    other = emulator.phone("สมหญิง")
    await other.start()
    emulator.faults.flood(3, chat_id=other.id)
    await bot("sendMessage", chat_id=phone.id, text="x")
    assert await bot.refusal("sendMessage", chat_id=other.id, text="x") == "Too Many Requests: retry after 3"


@pytest.mark.parametrize("after_effect", [True, False])
async def test_server_errors_come_as_html(bot, phone, emulator, after_effect):
    emulator.faults.server_error(502, method="sendMessage", after_effect=after_effect)
    async with bot.session.post(f"{bot.root}/sendMessage", data={"chat_id": phone.id, "text": "x"}) as response:
        assert (response.status, response.content_type) == (502, "text/html")
        assert "<h1>502 Bad Gateway</h1>" in await response.text()
    assert any(message.outgoing for message in phone.messages) is after_effect


async def test_a_reset_before_and_after_the_effect(bot, phone, emulator):
    emulator.faults.reset_before(method="sendMessage")
    with pytest.raises(aiohttp.ClientConnectionError):
        await bot("sendMessage", chat_id=phone.id, text="lost")
    assert not any(message.outgoing for message in phone.messages)
    emulator.faults.reset_after(method="sendMessage")
    with pytest.raises(aiohttp.ClientConnectionError):
        await bot("sendMessage", chat_id=phone.id, text="done")
    assert phone.last.text == "done"
    assert len(emulator.calls_of("sendMessage")) == 2


async def test_a_delay_comes_after_the_effect():
    released = asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == 30
        await released.wait()

    async with Emulator(sleep=sleep) as emulator, aiohttp.ClientSession() as session:
        person = emulator.phone("สมชาย")
        await person.start()
        emulator.faults.delay(30, method="sendMessage")
        url = f"{emulator.url}/bot{emulator.token}/sendMessage"
        call = asyncio.create_task(session.post(url, data={"chat_id": person.id, "text": "slow"}))
        await person.until(lambda p: p.last.text == "slow")
        assert not call.done()
        released.set()
        assert (await call).status == 200
        call.result().release()


async def test_latency_is_applied_to_each_call(bot, emulator, sleeps):
    emulator.faults.latency = 0.05
    await bot("getMe")
    await bot("getUpdates")
    assert sleeps.asked == [0.05, 0.05]
    emulator.faults.clear()
    await bot("getMe")
    assert len(sleeps.asked) == 2


async def test_polling_is_struck_only_by_name(bot, emulator):
    emulator.faults.flood(1)
    assert await bot("getUpdates") == []
    emulator.faults.flood(1, method="getUpdates")
    assert await bot.refusal("getUpdates") == "Too Many Requests: retry after 1"


@pytest.mark.parametrize("body", STRANGE_BODIES.values(), ids=STRANGE_BODIES)
async def test_an_answer_may_be_any_bytes(bot, phone, emulator, body):
    emulator.faults.strange_answer(body, method="sendMessage")
    async with bot.session.post(f"{bot.root}/sendMessage", data={"chat_id": phone.id, "text": "x"}) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.read() == body
    assert phone.last.text == "x"


async def test_a_strange_answer_may_have_a_status_a_type_and_no_effect(bot, phone, emulator):
    emulator.faults.strange_answer(
        b"<title>Moved</title>", status=203, content_type="text/html", chat_id=phone.id, after_effect=False
    )
    async with bot.session.post(f"{bot.root}/sendMessage", data={"chat_id": phone.id, "text": "x"}) as response:
        assert (response.status, response.content_type) == (203, "text/html")
        assert await response.read() == b"<title>Moved</title>"
    assert not any(message.outgoing for message in phone.messages)


async def test_an_answer_may_break_off_after_the_effect(bot, phone, emulator):
    emulator.faults.truncated(method="sendMessage")
    async with bot.session.post(f"{bot.root}/sendMessage", data={"chat_id": phone.id, "text": "x"}) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert phone.last.text == "x"
    assert await bot("getMe")
    assert emulator.frontend.errors == []
