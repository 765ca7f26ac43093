"""The transport: the error of each kind of failure, and what arrives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from telegram import Bot
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.telegram import api
from bot.telegram.transport import AiohttpRequest, NotSent
from demo.botapi import PATIENCE, Emulator
from tests.bot.running import opened_bot, server
from tests.chat import reserved_port

TOKEN = "123456789:canary-token-that-opens-nothing-x"


@asynccontextmanager
async def calling(
    url: str, read_timeout: float = PATIENCE, transfer_timeout: float = PATIENCE
) -> AsyncIterator[Bot]:
    """A bot that is not initialized."""
    request = AiohttpRequest(4, read_timeout, transfer_timeout)
    bot = Bot(
        TOKEN,
        base_url=f"{url}/bot",
        base_file_url=f"{url}/file/bot",
        request=request,
        get_updates_request=AiohttpRequest(1),
    )
    await request.initialize()
    try:
        yield bot
    finally:
        await request.shutdown()


async def test_json_bodies_arrive_as_they_are(emulator: Emulator) -> None:
    phone = emulator.phone("ก")
    phone.chat.bot_status = "member"
    async with opened_bot(emulator) as (bot, _):
        message = await bot.send_message(phone.id, "<b>ไทย</b> 😀 \"'\\", parse_mode="HTML")
        await bot.delete_message(phone.id, message.message_id)
    assert emulator.calls_of("sendMessage")[0].params["text"] == "<b>ไทย</b> 😀 \"'\\"
    assert not phone.messages


async def test_a_file_arrives_whole(emulator: Emulator) -> None:
    phone = emulator.phone("ก")
    phone.chat.bot_status = "member"
    content = bytes(range(256)) * 4000
    async with opened_bot(emulator) as (bot, _):
        message = await bot.send_document(phone.id, content, filename="ใบรับรอง.pdf", caption="หลักฐาน")
        assert message.document is not None
        file = await bot.get_file(message.document.file_id)
        assert bytes(await file.download_as_bytearray()) == content
    assert phone.last.text == "หลักฐาน"
    assert phone.last.content["document"]["file_name"] == "ใบรับรอง.pdf"


async def test_a_refused_connection_was_not_sent() -> None:
    with reserved_port() as port:
        async with calling(f"http://127.0.0.1:{port}") as bot:
            with pytest.raises(NotSent) as caught:
                await bot.get_me()
    assert_no_token(caught.value)


async def test_an_unknown_host_was_not_sent() -> None:
    async with calling("http://no-such-host.invalid") as bot:
        with pytest.raises(NotSent) as caught:
            await bot.get_me()
    assert_no_token(caught.value)


async def test_a_url_that_is_none_is_told_without_the_token() -> None:
    async with calling("http://[") as bot:
        with pytest.raises(TelegramError) as caught:
            await bot.get_me()
    assert_no_token(caught.value)


async def test_a_slow_answer_timed_out(emulator: Emulator) -> None:
    request = AiohttpRequest(1, 0.05)
    await request.initialize()
    emulator.faults.delay(0.5, method="getMe")
    with pytest.raises(TimedOut) as caught:
        await request.retrieve(f"{emulator.url}/bot{emulator.token}/getMe")
    await request.shutdown()
    assert not isinstance(caught.value, NotSent)
    assert emulator.token not in str(caught.value)


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "server_error"])
async def test_a_cut_connection_may_have_had_an_effect(emulator: Emulator, fault: str) -> None:
    async with opened_bot(emulator) as (bot, _):
        getattr(emulator.faults, fault)(method="getMe")
        with pytest.raises(NetworkError) as caught:
            await bot.get_me()
    assert type(caught.value) is NetworkError
    assert emulator.token not in str(caught.value)


REFUSALS: list[tuple[int, dict[str, Any], type[TelegramError]]] = [
    (400, {"description": "Bad Request: chat not found"}, BadRequest),
    (401, {"description": "Unauthorized"}, InvalidToken),
    (403, {"description": "Forbidden: bot was blocked by the user"}, Forbidden),
    (404, {"description": "Not Found"}, InvalidToken),
    (409, {"description": "Conflict: terminated by other getUpdates request"}, Conflict),
    (429, {"description": "Too Many Requests: retry after 7", "parameters": {"retry_after": 7}}, RetryAfter),
    (500, {"description": "Internal Server Error"}, NetworkError),
]


@pytest.mark.parametrize(("status", "answer", "kind"), REFUSALS, ids=[str(case[0]) for case in REFUSALS])
async def test_telegrams_refusals_keep_their_meaning(
    status: int, answer: dict[str, Any], kind: type[TelegramError]
) -> None:
    async def refuse(_request: web.BaseRequest) -> web.Response:
        body = orjson.dumps({"ok": False, "error_code": status, **answer})
        return web.Response(status=status, body=body, content_type="application/json")

    async with server(refuse) as url, calling(url) as bot:
        with pytest.raises(kind) as caught:
            await bot.send_message(1, "x")
    assert type(caught.value) is kind
    assert_no_token(caught.value)
    if isinstance(caught.value, RetryAfter):
        assert api.retry_seconds(caught.value) == 7


@pytest.mark.parametrize("status", [200, 400, 403, 404, 413, 502])
@pytest.mark.parametrize("page", [b"<html>", b"", b"null", b"[]", b'{"ok":true}', b"\xff"])
async def test_what_is_not_the_bot_apis_is_a_network_error(status: int, page: bytes) -> None:
    async def other(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=page)

    async with server(other) as url, calling(url) as bot:
        with pytest.raises(NetworkError) as caught:
            await bot.send_message(1, "x")
    assert type(caught.value) is NetworkError
    assert_no_token(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """If the redirect were followed, the other server's 404 would be taken for an unknown token."""
    paths = []

    async def redirect(request: web.BaseRequest) -> web.Response:
        paths.append(request.path)
        if request.path == "/elsewhere":
            body = orjson.dumps({"ok": False, "error_code": 404, "description": "Not Found"})
            return web.Response(status=404, body=body, content_type="application/json")
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with server(redirect) as url, calling(url) as bot:
        with pytest.raises(NetworkError, match="redirect") as caught:
            await bot.get_me()
        assert type(caught.value) is NetworkError
        request = bot.request
        assert isinstance(request, AiohttpRequest)
        with pytest.raises(NetworkError, match=f"HTTP {status} in place of a file"):
            await request.fetch(f"{url}/file/bot{TOKEN}/documents/file_1.csv", 100)
    assert "/elsewhere" not in paths
    assert_no_token(caught.value)


async def dripped(request: web.BaseRequest) -> web.StreamResponse:
    """An endless answer whose bytes each arrive in time."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


async def not_taken(_request: web.BaseRequest) -> web.StreamResponse:
    """A server that neither reads the request nor answers."""
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("handle", "call"),
    [
        (dripped, lambda bot: bot.get_me()),
        (dripped, lambda bot: bot.request.fetch(f"{bot.base_file_url}/documents/file_1.csv", 1 << 20)),
        # More than the socket buffers hold.
        (not_taken, lambda bot: bot.send_document(1, bytes(20 << 20))),
    ],
    ids=["an answer", "a file that comes", "a file that goes"],
)
async def test_a_transfer_has_an_end_however_it_drips(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], call: Callable[[Bot], Awaitable[Any]]
) -> None:
    async with server(handle) as url, calling(url, read_timeout=1, transfer_timeout=0.2) as bot:
        with pytest.raises(TimedOut) as caught:
            await call(bot)
    assert_no_token(caught.value)


async def test_who_gets_no_connection_in_time_has_sent_nothing() -> None:
    """NotSent, as for any other connection that was not made: the call can be repeated safely."""
    async with server(not_taken) as url:
        request = AiohttpRequest(1, PATIENCE, pool_timeout=0.1)
        await request.initialize()
        first = asyncio.create_task(request.retrieve(f"{url}/first"))
        await asyncio.sleep(0)
        with pytest.raises(NotSent):
            await request.retrieve(f"{url}/second")
        first.cancel()
        await asyncio.wait({first})
        await request.shutdown()


async def test_a_closed_transport_says_so() -> None:
    request = AiohttpRequest(1)
    with pytest.raises(NetworkError, match="closed"):
        await request.retrieve("http://127.0.0.1:1/")
    await request.initialize()
    await request.shutdown()
    await request.shutdown()


def assert_no_token(error: BaseException) -> None:
    assert TOKEN not in str(error)
    assert TOKEN not in repr(error)
