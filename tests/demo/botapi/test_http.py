"""Routing, tokens, and the ways in which parameters come."""

import asyncio
import socket
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import orjson
import pytest

import demo
from demo.botapi import Emulator


async def fetch(url: str, **options):
    async with (
        aiohttp.ClientSession() as session,
        session.request(options.pop("method", "GET"), url, **options) as r,
    ):
        return r.status, orjson.loads(await r.read())


async def test_get_me_by_get_and_post_in_any_letter_case(emulator: Emulator):
    root = f"{emulator.url}/bot{emulator.token}"
    for how, name in (("GET", "getMe"), ("POST", "getme"), ("GET", "GETME")):
        status, body = await fetch(f"{root}/{name}", method=how)
        assert status == 200
        assert body["result"]["username"] == "laocert_bot"
        assert body["result"]["is_bot"] is True


async def test_a_well_formed_wrong_token_is_unauthorized(emulator: Emulator):
    status, body = await fetch(f"{emulator.url}/bot987654321:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/getMe")
    assert (status, body) == (401, {"ok": False, "error_code": 401, "description": "Unauthorized"})


@pytest.mark.parametrize("path", ["/botnonsense/getMe", "/", "/getMe", "/bot/getMe"])
async def test_what_is_no_token_or_path_is_not_found(emulator: Emulator, path: str):
    status, body = await fetch(emulator.url + path)
    assert (status, body) == (404, {"ok": False, "error_code": 404, "description": "Not Found"})


@pytest.mark.parametrize(("path", "status"), [("getMe", 200), ("makeCoffee", 404)])
async def test_an_answer_is_dated_by_the_emulators_clock(bot, clock, path, status):
    for ahead in (0, 3 * 86_400):
        clock.advance(ahead)
        async with bot.session.post(f"{bot.root}/{path}") as response:
            assert response.status == status
            assert parsedate_to_datetime(response.headers["Date"]).timestamp() == clock()


async def test_an_unknown_method_is_not_found(bot, emulator: Emulator):
    assert await bot.answer("makeCoffee") == (
        404,
        {"ok": False, "error_code": 404, "description": "Not Found: method not found"},
    )
    assert emulator.violations == []


async def test_a_documented_method_that_is_not_emulated_is_complained_of(bot, emulator: Emulator):
    assert await bot.refusal("sendDice", chat_id=1) == "Not Found: method not found"
    assert emulator.violations == ["sendDice is in the Bot API, but not in the emulator"]


async def test_parameters_come_by_query_form_multipart_and_json(emulator: Emulator, phone):
    url = f"{emulator.url}/bot{emulator.token}/sendMessage"
    markup = {"inline_keyboard": [[{"text": "ก", "callback_data": "a"}]]}
    values = {"chat_id": str(phone.id), "text": "สวัสดี", "reply_markup": orjson.dumps(markup).decode()}
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in values.items():
        form.add_field(name, value)
    ways = [
        {"params": values},
        {"method": "POST", "data": values},
        {"method": "POST", "data": form},
        {"method": "POST", "json": {"chat_id": phone.id, "text": "สวัสดี", "reply_markup": markup}},
    ]
    for way in ways:
        status, body = await fetch(url, **way)
        assert status == 200, body
        assert body["result"]["text"] == "สวัสดี"
        assert body["result"]["reply_markup"] == markup
    assert len(emulator.calls_of("sendMessage")) == len(ways)
    assert emulator.calls[-1].json("reply_markup") == markup
    assert emulator.violations == []


async def test_the_method_may_be_a_parameter(emulator: Emulator):
    _, body = await fetch(f"{emulator.url}/bot{emulator.token}/", params={"method": "getMe"})
    assert body["result"]["id"] == emulator.bot.id


async def test_a_body_that_is_no_json_is_passed_over(emulator: Emulator):
    status, body = await fetch(
        f"{emulator.url}/bot{emulator.token}/sendMessage",
        method="POST",
        data=b"{broken",
        headers={"Content-Type": "application/json"},
    )
    assert (status, body["description"]) == (400, "Bad Request: message text is empty")


async def test_null_in_a_json_body_is_a_value(emulator: Emulator, phone):
    _, body = await fetch(
        f"{emulator.url}/bot{emulator.token}/sendMessage",
        method="POST",
        json={"chat_id": phone.id, "text": "x", "reply_markup": None},
    )
    assert body["description"] == "Bad Request: object expected as reply markup"


async def test_unknown_and_mistyped_parameters_are_tolerated_and_noted(bot, emulator: Emulator, phone):
    await bot(
        "sendMessage", chat_id=phone.id, text="x", colour="red", protect_content="perhaps", message_thread_id="a"
    )
    assert emulator.violations == [
        "sendMessage has no parameter 'colour'",
        "sendMessage, protect_content: a Boolean expected, got 'perhaps'",
        "sendMessage, message_thread_id: an Integer expected, got 'a'",
    ]


async def test_undocumented_fields_inside_json_are_noted(bot, emulator: Emulator, phone):
    markup = {"inline_keyboard": [[{"text": "ก", "callback_data": "a", "color": "red"}]]}
    await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=markup)
    assert len(emulator.violations) == 1
    assert "InlineKeyboardButton has no field 'color'" in emulator.violations[0]


async def test_a_file_that_belongs_to_no_parameter_is_noted(emulator: Emulator, phone):
    form = aiohttp.FormData()
    form.add_field("chat_id", str(phone.id))
    form.add_field("text", "x")
    form.add_field("attachment", b"abc", filename="a.txt")
    await fetch(f"{emulator.url}/bot{emulator.token}/sendMessage", method="POST", data=form)
    assert emulator.violations == ["sendMessage has no file 'attachment'"]


async def test_kept_calls_are_bounded_but_counted():
    async with Emulator(calls_kept=3) as emulator:
        for _ in range(5):
            await fetch(f"{emulator.url}/bot{emulator.token}/getMe")
        assert len(emulator.calls) == 3
        assert emulator.call_count == 5


async def test_a_bug_of_the_emulator_is_raised_when_it_closes():
    async with Emulator() as emulator:
        emulator.bot.first_name = 5  # type: ignore[assignment]
        status, _ = await fetch(f"{emulator.url}/bot{emulator.token}/getMe")
        assert status == 500
        with pytest.raises(AssertionError, match="first_name: a String expected"):
            await emulator.close()
        emulator.frontend.errors.clear()


async def test_nobody_is_given_the_port_during_an_outage():
    async with Emulator() as emulator:
        await emulator.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(emulator.host, emulator.port)
        with socket.socket() as somebody, pytest.raises(OSError, match="already in use"):
            somebody.bind((emulator.host, emulator.port))
        await emulator.start()
        assert (await fetch(f"{emulator.url}/bot{emulator.token}/getMe"))[0] == 200


async def test_two_emulators_live_side_by_side():
    async with Emulator() as first, Emulator() as other:
        assert first.port != other.port
        assert (await fetch(f"{other.url}/bot{other.token}/getMe"))[0] == 200


async def test_a_bot_that_hangs_up_is_no_error(emulator: Emulator):
    _, writer = await asyncio.open_connection(emulator.host, emulator.port)
    head = f"POST /bot{emulator.token}/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    writer.write(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
    await writer.drain()
    writer.transport.abort()
    assert (await fetch(f"{emulator.url}/bot{emulator.token}/getMe"))[0] == 200
    assert emulator.frontend.errors == []


async def test_what_is_not_utf8_is_refused(emulator: Emulator):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{emulator.url}/bot{emulator.token}/sendMessage"
    _, body = await fetch(url, method="POST", data=b"text=\xff", headers=headers)
    assert body["description"] == "Bad Request: strings must be encoded in UTF-8"


async def test_an_outage_keeps_state_and_port(bot, emulator: Emulator, phone):
    await phone.send("before")
    port = emulator.port
    await emulator.close()
    with pytest.raises(aiohttp.ClientConnectionError):
        await bot("getMe")
    await phone.send("meanwhile")
    await emulator.start()
    assert emulator.port == port
    assert [u["message"]["text"] for u in await bot("getUpdates")] == ["before", "meanwhile"]


async def test_the_command_serves():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "demo.botapi",
        "--port",
        "0",
        cwd=Path(demo.__file__).parents[1],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        words = (await process.stdout.readline()).decode().split()
        assert (await fetch(f"{words[1]}/bot{words[3]}/getMe"))[0] == 200
        process.stdin.write("สวัสดี\n".encode())
        await process.stdin.drain()
        assert (await process.stdout.readline()).decode().rstrip().endswith("received: สวัสดี")
    finally:
        process.terminate()
        await process.wait()
