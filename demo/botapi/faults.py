"""Faults on demand, as a bot meets them when Telegram or the network has problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from demo.botapi.params import Params

Kind = Literal["flood", "server_error", "reset_before", "reset_after", "delay", "bytes", "truncated"]

SERVER_ERROR_PAGE = (
    "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1>"
    "</center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n"
)

# Bodies with status 200 that are not the Bot API's: from a proxy, a captive portal, another server, or a
# connection that ended early.
STRANGE_BODIES = {
    "nothing": b"",
    "a page": b"<!doctype html><title>Sign in</title>",
    "half of it": b'{"ok":true,"resu',
    "not UTF-8": b'{"ok":true,"result":"\xff\xfe"}',
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "no ok": b'{"result":true}',
    "no result": b'{"ok":true}',
    "ok is no Boolean": b'{"ok":"yes","result":true}',
    "a refusal without words": b'{"ok":false}',
    "a result of another type": b'{"ok":true,"result":7}',
    "a result of nulls": b'{"ok":true,"result":[null]}',
}


@dataclass(slots=True, eq=False)
class Fault:
    """One planned fault; `hits` counts how often it has struck."""

    kind: Kind
    method: str | None
    chat_id: int | None
    remaining: int
    value: float = 0
    after_effect: bool = False
    hits: int = 0
    body: bytes = b""
    content_type: str = ""

    def matches(self, method: str, params: Params) -> bool:
        """Return whether the fault applies to this call. It applies to getUpdates only if its `method` says so."""
        if self.remaining <= 0:
            return False
        if self.method is None:
            if method == "getupdates":
                return False
        elif self.method.lower() != method:
            return False
        return self.chat_id is None or params.text("chat_id") == str(self.chat_id)


class Faults:
    """The planned faults. Each call meets at most one, the first one that matches."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.planned: list[Fault] = []

    def flood(
        self, retry_after: int, *, method: str | None = None, chat_id: int | None = None, times: int = 1
    ) -> Fault:
        """Answer 429 with retry_after, without effect."""
        return self._plan(Fault("flood", method, chat_id, times, retry_after))

    def server_error(
        self,
        status: int = 502,
        *,
        method: str | None = None,
        chat_id: int | None = None,
        times: int = 1,
        after_effect: bool = False,
    ) -> Fault:
        """Answer 500 or 502 with a page of HTML, as a proxy in front does."""
        return self._plan(Fault("server_error", method, chat_id, times, status, after_effect))

    def reset_before(self, *, method: str | None = None, chat_id: int | None = None, times: int = 1) -> Fault:
        """Cut the connection before anything happens."""
        return self._plan(Fault("reset_before", method, chat_id, times))

    def reset_after(self, *, method: str | None = None, chat_id: int | None = None, times: int = 1) -> Fault:
        """Perform the call, then cut the connection instead of answering, so that the bot cannot know."""
        return self._plan(Fault("reset_after", method, chat_id, times, after_effect=True))

    def delay(
        self, seconds: float, *, method: str | None = None, chat_id: int | None = None, times: int = 1
    ) -> Fault:
        """Perform the call, then answer after some seconds, which exceeds a short read timeout of the bot."""
        return self._plan(Fault("delay", method, chat_id, times, seconds, after_effect=True))

    def strange_answer(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        method: str | None = None,
        chat_id: int | None = None,
        times: int = 1,
        after_effect: bool = True,
    ) -> Fault:
        """Perform the call (unless `after_effect` is false), then answer with any bytes, such as of
        STRANGE_BODIES.
        """
        fault = Fault("bytes", method, chat_id, times, status, after_effect, body=body, content_type=content_type)
        return self._plan(fault)

    def truncated(self, *, method: str | None = None, chat_id: int | None = None, times: int = 1) -> Fault:
        """Perform the call, then close the connection in the middle of the answer, whose length was announced."""
        return self._plan(Fault("truncated", method, chat_id, times, after_effect=True))

    def clear(self) -> None:
        """Remove all planned faults and the latency."""
        self.planned.clear()
        self.latency = 0.0

    def strike(self, method: str, params: Params) -> Fault | None:
        """Return the fault that this call meets, and count it; None if it meets none."""
        for fault in self.planned:
            if fault.matches(method, params):
                fault.remaining -= 1
                fault.hits += 1
                return fault
        return None

    def _plan(self, fault: Fault) -> Fault:
        self.planned.append(fault)
        return fault
