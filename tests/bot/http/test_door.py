"""The limits of a connection before the app sees its request."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.http.door import Bounds
from bot.http.server import Server
from bot.runtime.metrics import TALLY
from bot.service.wiring import Front
from demo.botapi import Emulator
from models.database.engine import Database
from tests.bot.running import front, until
from tests.chat import running_bot
from tests.support import Clock

__all__ = ["front"]

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# Seconds that suffice for a request on a busy machine, for tests that do not wait for its end.
LONG = 300.0

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def at_once(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@asynccontextmanager
async def served(bounds: Bounds, *routes: Route) -> AsyncIterator[Connect]:
    """A server with these limits; gives a function that connects to it."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = Server(listening, Starlette(routes=[Route("/", at_once, methods=["GET", "POST"]), *routes]), bounds)
    serving = asyncio.create_task(server.run())
    writers = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in writers:
            writer.close()
        await server.stop(serving)


def request(size: int = 0) -> bytes:
    """A request whose head has so many bytes, by default as few as possible."""
    begin, end = b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n"
    if not size:
        return begin + end
    filler = b"X-Filler: \r\n"
    return begin + filler[:-2] + b"x" * (size - len(begin) - len(filler) - len(end)) + b"\r\n" + end


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Status line, headers and body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head + await reader.readexactly(int(length.partition(b":")[2]))


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All bytes until the connection ends, also by a reset."""
    content = b""
    try:
        while chunk := await reader.read(1 << 16):
            content += chunk
    except ConnectionResetError:
        pass
    return content


async def test_a_head_may_have_so_many_bytes_and_no_more() -> None:
    async with served(Bounds(longest_head=1000, head_seconds=LONG)) as connect:
        reader, writer = await connect()
        # Each head on one connection may have the full length.
        for _ in range(3):
            writer.write(request(1000))
            assert (await answer(reader)).endswith(b"here")
        writer.write(request(1001))
        assert (await rest(reader)).startswith(b"HTTP/1.1 431 ")


async def test_a_head_without_an_end_is_not_read_to_its_end() -> None:
    refused = TALLY.posts["431"]
    async with served(Bounds(longest_head=1000, head_seconds=LONG)) as connect:
        for beginning in (b"GET /", b"GET / HTTP/1.1\r\nX-Filler: "):
            reader, writer = await connect()
            writer.write(beginning)
            # Unread bytes may reset the connection before the answer is received.
            with contextlib.suppress(ConnectionResetError):
                for _ in range(100):
                    writer.write(b"x" * 10)
                    await writer.drain()
            await rest(reader)
    assert TALLY.posts["431"] == refused + 2


async def test_a_body_does_not_count_as_a_head() -> None:
    async with served(Bounds(longest_head=1000, head_seconds=LONG)) as connect:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
            assert (await answer(reader)).endswith(b"here")


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 408 "),
    ],
    ids=["silent", "slow"],
)
async def test_a_head_has_so_much_time(sent: bytes, answered: bytes) -> None:
    async with served(Bounds(head_seconds=0.2)) as connect:
        reader, writer = await connect()
        writer.write(sent)
        content = await rest(reader)
        assert content.startswith(answered)
        assert bool(content) == bool(answered)


async def test_line_breaks_before_a_request_keep_nothing_open() -> None:
    async with served(Bounds(head_seconds=0.2)) as connect:
        reader, writer = await connect()
        writer.write(request())
        assert (await answer(reader)).endswith(b"here")
        # Empty lines before a request are ignored (RFC 9112, 2.2).
        writer.write(b"\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_nobody_wants_has_so_much_time() -> None:
    async with served(Bounds(head_seconds=LONG, body_seconds=0.2)) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert (await answer(reader)).endswith(b"here")

        async def drip() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await rest(reader) == b""
        dripping.cancel()


async def test_whoever_holds_connections_loses_them_and_others_get_in() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> PlainTextResponse:
        begun.set()
        await go_on.wait()
        return PlainTextResponse("done")

    bounds = Bounds(head_seconds=LONG, body_seconds=LONG, connections=8)
    async with served(bounds, Route("/slow", slow)) as connect:
        # A connection whose request is being answered stays open, however old it is.
        served_reader, served_writer = await connect()
        served_writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        held = [await connect() for _ in range(30)]
        for number, (_, writer) in enumerate(held):
            writer.write(b"" if number % 2 else b"GET /")
        # The request was refused without reading its body, so the connection counts as waiting.
        _, dripping = await connect()
        dripping.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(20):
            reader, writer = await connect()
            writer.write(request())
            assert (await answer(reader)).endswith(b"here")
        # The oldest were closed first: twenty requests and seven silent connections leave no more than eight.
        assert [await rest(reader) for reader, _ in held] == [b""] * 30
        go_on.set()
        assert (await answer(served_reader)).endswith(b"done")


@ONE_DATABASE
async def test_the_listener_of_the_program_has_bounds(
    emulator: Emulator, country: Database, clock: Clock, front: Front
) -> None:
    async with running_bot(emulator, country, clock, front=front):
        host, port = front.listening.getsockname()[:2]
        refused = TALLY.posts["431"]
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /hook HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"x" * (64 << 10))
        await until(lambda: TALLY.posts["431"] == refused + 1)
        writer.close()
        # Beyond the limit the surplus connections are closed.
        held = [await asyncio.open_connection(host, port) for _ in range(Bounds().connections + 10)]
        await until(lambda: sum(reader.at_eof() or reader.exception() is not None for reader, _ in held) == 10)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
        for _, opened in [*held, (reader, writer)]:
            opened.close()
