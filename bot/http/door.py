"""Bounds on connections before a request is looked at: size and time of its head, time of its body, how many.

uvicorn has none of them: its parser takes headers without end, and a connection that says nothing stays for ever.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bot.runtime.metrics import TALLY


@dataclass(frozen=True)
class Bounds:
    """What a connection may take.

    `longest_head`: bytes of the request line and the headers; 16 KB are the limit of Node.js and of h11.
    `head_seconds`: for the whole head, from the connection or the head's first byte on. `body_seconds`: from the
    end of the head to the end of the body, whatever was answered meanwhile; a body that is wanted has less
    (bot/http/webhook.py). `connections`: Telegram opens at most 100 (Bot API, setWebhook, max_connections); a
    process may have 1,024 open files on most machines.
    """

    longest_head: int = 16_384
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    connections: int = 256


class Door(HttpToolsProtocol):
    """One connection.

    `waiting` is shared by all connections: those that are not being answered, the longest first. When there are
    too many connections the first of them is closed. So whoever holds connections open loses them, and a probe,
    which asks at once, gets in.
    """

    def __init__(self, *arguments: Any, bounds: Bounds, waiting: "dict[Door, None]", **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = bounds
        self._waiting = waiting
        self._is_in_head = True
        self._head_left = bounds.longest_head
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in; where there are too many, another one goes."""
        super().connection_made(transport)
        self._waiting[self] = None
        self._allow(self._bounds.head_seconds)
        if len(self.connections) > self._bounds.connections:
            # This connection is among them, so that there is one.
            next(iter(self._waiting))._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._waiting.pop(self, None)
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read no more of a head than it may have left."""
        while data and not self.transport.is_closing():
            if self._deadline is None:
                self._allow(self._bounds.head_seconds)
            part = data
            if self._is_in_head:
                part = data[: self._head_left]
                self._head_left -= len(part)
            data = data[len(part) :]
            super().data_received(part)
            if self._is_in_head and self._head_left <= 0 and not self.transport.is_closing():
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """From here on it is the app's business, but for the time of the body."""
        self._is_in_head = False
        self._waiting.pop(self, None)
        self._allow(self._bounds.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Another head may follow."""
        self._is_in_head = True
        self._head_left = self._bounds.longest_head
        self._stop_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is waiting again, whether for another request or with a body that nobody wants."""
        if not self.pipeline:
            self._waiting[self] = None
        super().on_response_complete()

    def _allow(self, seconds: float) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(seconds, self._be_late)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _be_late(self) -> None:
        """Time is up. Where nothing was asked for, an answer could be taken for that to the next request."""
        self._deadline = None
        if self._is_in_head and self._head_left < self._bounds.longest_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._leave()

    def _refuse(self, status: HTTPStatus) -> None:
        TALLY.posts[str(int(status))] += 1
        lines = f"HTTP/1.1 {int(status)} {status.phrase}", "content-length: 0", "connection: close", "", ""
        self.transport.write("\r\n".join(lines).encode())
        self.transport.close()

    def _leave(self) -> None:
        # At once, for more connections may come before the loop tells that this one is lost.
        self._waiting.pop(self, None)
        self.transport.abort()


def door(bounds: Bounds) -> Any:
    """What uvicorn makes a connection of: its `http`, beside the name of an implementation of its own."""
    return partial(Door, bounds=bounds, waiting={})
