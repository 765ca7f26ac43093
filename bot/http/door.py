"""Limits on connections before the app sees a request: size and time of the head, time of the body, and number of
connections.

uvicorn has none of these: its parser reads headers without end, and a silent connection stays open for ever.
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
    """The limits of each connection, and their number.

    `longest_head`: bytes of the request line and the headers; Node.js and h11 allow 16 KB. `head_seconds`: for the
    whole head, from the connection or the head's first byte on. `body_seconds`: from the end of the head to the
    end of the body, also after the answer; the webhook gives its bodies less (bot/http/webhook.py). `connections`:
    Telegram opens at most 100 (Bot API, setWebhook, max_connections); most machines allow a process 1,024 open
    files.
    """

    longest_head: int = 16_384
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    connections: int = 256


class Door(HttpToolsProtocol):
    """One connection, as a protocol of uvicorn with the limits of `bounds`.

    `waiting` is shared by all connections: those without a request in progress, the one that has waited longest
    first. Beyond `Bounds.connections` the first of them is closed. So a client that holds connections open loses
    them, and a probe, which sends its request at once, gets in.
    """

    def __init__(
        self, *arguments: Any, bounds: Bounds, waiting: "dict[Door, None]", **keyword_arguments: Any
    ) -> None:
        super().__init__(*arguments, **keyword_arguments)
        self._bounds = bounds
        self._waiting = waiting
        self._is_in_head = True
        self._head_left = bounds.longest_head
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the connection; when there are too many, close the one that has waited longest."""
        super().connection_made(transport)
        self._waiting[self] = None
        self._allow(self._bounds.head_seconds)
        if len(self.connections) > self._bounds.connections:
            # Never empty: this connection is among those that wait.
            next(iter(self._waiting))._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        self._waiting.pop(self, None)
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass data to uvicorn's parser; refuse a head beyond `longest_head` with 431."""
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
        """Hand the request to the app, and start the time limit of the body."""
        self._is_in_head = False
        self._waiting.pop(self, None)
        self._allow(self._bounds.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Prepare for the head of the next request on this connection."""
        self._is_in_head = True
        self._head_left = self._bounds.longest_head
        self._stop_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Count the connection as waiting again: for a next request, or with an unread rest of a body."""
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
        """Close a connection whose time is over. Only within a begun head is it answered (408): otherwise the
        client could take the answer for that to its next request.
        """
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
        # Removed here and not in connection_lost, before which more connections may come.
        self._waiting.pop(self, None)
        self.transport.abort()


def door(bounds: Bounds) -> Any:
    """A protocol factory for uvicorn's setting `http`, whose connections have these limits."""
    return partial(Door, bounds=bounds, waiting={})
