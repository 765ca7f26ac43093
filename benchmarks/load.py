"""A fast emulated Bot API for load tests: it sends taps, answers each call after a fixed latency, and counts.

The strict emulator (demo/botapi) checks every call and stores what phones show, which costs more than the bots
that are measured. This one reads only the method and the chat, and answers with prepared bytes.
"""

import asyncio
import contextlib
import itertools
import math
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import cast

import aiohttp
import orjson

BOT_ID = 110201543
TOKEN = f"{BOT_ID}:load-of-no-bot-that-there-is-000000"
# As many as Telegram gives at once (Bot API, getUpdates.limit).
BATCH = 100
# Posts under way at once (Bot API, setWebhook.max_connections).
POSTS = 40
# Seconds before a post is repeated.
REPEAT_AFTER = 0.05
# Seconds that an empty poll is held.
HOLD = 10.0

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
# In JSON, in a form, and in one of several parts.
_CHAT = re.compile(rb'chat_id(?:"?[=:] ?|"\r\n(?:[^\r]+\r\n)*\r\n)(\d+)')
_OFFSET = re.compile(rb'offset(?:"?[=:] ?|"\r\n(?:[^\r]+\r\n)*\r\n)(\d+)')

_BOT = {"id": BOT_ID, "is_bot": True, "first_name": "bot", "username": "load_bot", "can_join_groups": True}
# Of the size that a card has: the answer to an edit holds the whole message (Bot API, editMessageText).
_TEXT = (
    "เทศบาลตำบลตัวอย่าง\nอำเภอเมือง นครราชสีมา\n\nปีงบประมาณ 2570 · ภายใน 15 ก.ย. 2570\nสถานะการรับรองข้อมูล: ยังไม่รับรอง"
)
_KEYBOARD = {
    "inline_keyboard": [
        [{"text": label, "callback_data": data}]
        for label, data in (
            ("รับรองข้อมูลระดับ อปท.", "review"),
            ("ประวัติการรับรองข้อมูล", "history:0"),
            ("ส่งทะเบียนเป็นไฟล์", "file"),
            ("ย้อนกลับ", "menu"),
            ("หน้าหลัก", "home"),
        )
    ]
}


def _message(chat_id: int) -> dict[str, object]:
    return {
        "message_id": 7,
        "from": _BOT,
        "chat": {"id": chat_id, "first_name": "สมมุติ", "type": "private"},
        "date": 1793000000,
        "edit_date": 1793000100,
        "text": _TEXT,
        "entities": [{"type": "bold", "offset": 0, "length": 19}],
        "reply_markup": _KEYBOARD,
    }


def _tap(update_id: int, user_id: int, data: str) -> dict[str, object]:
    return {
        "update_id": update_id,
        "callback_query": {
            "id": str(update_id),
            "from": {"id": user_id, "is_bot": False, "first_name": "สมมุติ", "language_code": "th"},
            "message": _message(user_id),
            "chat_instance": "-4602",
            "data": data,
        },
    }


def _said(update_id: int, user_id: int, text: str) -> dict[str, object]:
    return {
        "update_id": update_id,
        "message": {
            "message_id": update_id,
            "from": {"id": user_id, "is_bot": False, "first_name": "สมมุติ", "language_code": "th"},
            "chat": {"id": user_id, "first_name": "สมมุติ", "type": "private"},
            "date": int(time.time()),
            "text": text,
        },
    }


def _answer(status: str, content: dict[str, object]) -> bytes:
    body = orjson.dumps(content)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _reply(result: object) -> bytes:
    return _answer("200 OK", {"ok": True, "result": result})


def _refusal(retry_after: int) -> bytes:
    words = f"Too Many Requests: retry after {retry_after}"
    parameters = {"retry_after": retry_after}
    content = {"ok": False, "error_code": 429, "description": words, "parameters": parameters}
    return _answer("429 Too Many Requests", content)


_TRUE = _reply(True)
_ME = _reply(_BOT)
_NO_WEBHOOK = _reply({"url": "", "has_custom_certificate": False, "pending_update_count": 0})
_FACTS = {"getMe": _ME, "getWebhookInfo": _NO_WEBHOOK}
_EDITED = _reply(_message(501))


class LoadServer:
    """A server whose officers tap again as soon as their tap is answered and their card edited.

    `people`: a function for each user id that returns the next tap's data. `latency`: seconds for each call.
    `every`: tap at fixed intervals of so many seconds instead. `hooks`: URLs and headers to which updates are
    posted by turns; without them the bot polls. `first_update`: the id of the first update, because a database
    accepts each id once.

    `floods`: the seconds for which the next edit or message of a chat is refused with a 429; a further one within
    that time counts in `violations`.
    """

    def __init__(
        self,
        people: dict[int, Callable[[], str]],
        latency: float,
        hooks: Sequence[tuple[str, dict[str, str]]] = (),
        every: float = 0.0,
        first_update: int = 1,
    ) -> None:
        self._people = people
        self._latency = latency
        self._hooks = hooks
        self._every = every
        self._tapped_at: dict[int, float] = {}
        self._first_at: dict[int, float] = {}
        # Seconds from each tap to the end of its answer and edit; uvloop's own clock goes by milliseconds.
        self.times: list[float] = []
        self._to_post: asyncio.Queue[bytes] = asyncio.Queue()
        self._posting: list[asyncio.Task[None]] = []
        # How many calls (an answer and an edit) each user still waits for before the next tap.
        self._open: dict[int, int] = {}
        self.floods: dict[int, int] = {}
        self._closed_until: dict[int, float] = {}
        self.refused = self.violations = 0
        self._users_by_query: dict[bytes, int] = {}
        self._next_id = first_update
        self._updates: deque[tuple[int, bytes]] = deque()
        self._poll: Callable[[bytes], None] | None = None
        self.ready = asyncio.Event()
        self.calls: Counter[str] = Counter()
        # Edits that passed, by chat.
        self.edits: Counter[int] = Counter()
        self.taps_done = 0
        self._loop = asyncio.get_running_loop()
        self.url = ""

    async def start(self) -> asyncio.Server:
        """Listen on a free port. The caller closes the returned server."""
        server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    def begin(self) -> None:
        """Let everybody tap; with `every`, evenly spread over that interval."""
        if self._hooks:
            self._posting = [self._loop.create_task(self._post_on(place)) for place in range(POSTS)]
        for place, user_id in enumerate(self._people):
            later = self._every * place / len(self._people)
            self._first_at[user_id] = self._loop.time() + later
            self._loop.call_later(later, self._tap, user_id)

    def _tap(self, user_id: int) -> None:
        self._tapped_at[user_id] = time.perf_counter()
        # An answer and an edit.
        self._open[user_id] = 2
        self._users_by_query[str(self._next_id).encode()] = user_id
        self._add(_tap(self._next_id, user_id, self._people[user_id]()))

    def tap(self, user_id: int, data: str) -> None:
        """Send one more tap, which is not timed and not repeated."""
        self._add(_tap(self._next_id, user_id, data))

    def say(self, user_id: int, text: str) -> None:
        """Send a text message, which is not timed."""
        self._add(_said(self._next_id, user_id, text))

    def waiting(self) -> list[float]:
        """Return how many seconds each user without an answer has waited so far."""
        now = time.perf_counter()
        return [now - self._tapped_at[user_id] for user_id, missing in self._open.items() if missing > 0]

    def count_from_now(self) -> None:
        """Count the waits of users without an answer from now on: before, no bot was running."""
        waiting = (user for user, missing in self._open.items() if missing > 0)
        self._tapped_at |= dict.fromkeys(waiting, time.perf_counter())

    def _add(self, update: dict[str, object]) -> None:
        body = orjson.dumps(update)
        if self._hooks:
            self._to_post.put_nowait(body)
        else:
            self._updates.append((self._next_id, body))
        self._next_id += 1
        self._feed()

    async def _post_on(self, place: int) -> None:
        """Post updates over one connection. An update that one hook refuses goes to the next one, as by a
        proxy.
        """
        first = place % len(self._hooks)
        hooks = itertools.cycle([*self._hooks[first:], *self._hooks[:first]])
        async with aiohttp.ClientSession() as client:
            while True:
                update = await self._to_post.get()
                while not await _is_taken(client, *next(hooks), update):  # noqa: ASYNC110 - no waiting
                    await asyncio.sleep(REPEAT_AFTER)

    async def end(self) -> None:
        """Stop posting."""
        for task in self._posting:
            task.cancel()
        await asyncio.gather(*self._posting, return_exceptions=True)

    def _note_call(self, user_id: int) -> None:
        """Note one of the two calls that complete a tap; after the second, time it and plan the next tap."""
        missing = self._open.get(user_id, 0) - 1
        self._open[user_id] = missing
        if missing == 0:
            self.taps_done += 1
            took = time.perf_counter() - self._tapped_at[user_id]
            self.times.append(took)
            self._loop.call_later(self._pause(user_id), self._tap, user_id)

    def _pause(self, user_id: int) -> float:
        """Return the seconds to an officer's next tap. Each keeps its own schedule, even if all are answered
        at once.
        """
        if not self._every:
            return 0.0
        return self._every - (self._loop.time() - self._first_at[user_id]) % self._every

    def _feed(self) -> None:
        if self._poll is None or not self._updates:
            return
        answer, self._poll = self._poll, None
        batch = b",".join(update for _, update in itertools.islice(self._updates, BATCH))
        body = b'{"ok":true,"result":[' + batch + b"]}"
        answer(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    def call(self, method: str, query: bytes, body: bytes, answer: Callable[[bytes], None]) -> None:
        """Handle one call of the bot, and pass the HTTP response to `answer`."""
        self.calls[method] += 1
        later = answer
        if self._latency:

            def later(reply: bytes) -> None:
                self._loop.call_later(self._latency, answer, reply)

        if method == "getUpdates":
            self._start_poll(query + b"&" + body, later)
        elif method == "answerCallbackQuery":
            later(_TRUE)
            query_id = re.search(rb"callback_query_id\D{1,120}?(\d+)", body)
            if query_id:
                self._note_call(self._users_by_query.pop(query_id[1], 0))
        elif method in ("editMessageText", "sendMessage"):
            chat = _CHAT.search(body)
            chat_id = int(chat[1]) if chat else 0
            wait = self._flood_wait(chat_id)
            later(_refusal(wait) if wait else _EDITED)
            if method == "editMessageText" and not wait:
                self.edits[chat_id] += 1
                self._note_call(chat_id)
        else:
            later(_FACTS.get(method, _TRUE))
            if method == "getWebhookInfo" and self._hooks:
                self.ready.set()

    def _flood_wait(self, chat_id: int) -> int:
        """Return the `retry_after` of a call, or 0 if it passes."""
        remaining = self._closed_until.get(chat_id, 0.0) - time.perf_counter()
        if remaining > 0:
            self.violations += 1
            return math.ceil(remaining)
        wait = self.floods.pop(chat_id, 0)
        if wait:
            self.refused += 1
            self._closed_until[chat_id] = time.perf_counter() + wait
        return wait

    def _start_poll(self, parameters: bytes, answer: Callable[[bytes], None]) -> None:
        offset = _OFFSET.search(parameters)
        while offset and self._updates and self._updates[0][0] < int(offset[1]):
            self._updates.popleft()
        self._poll = answer
        self._feed()
        if self._poll is answer:
            self._loop.call_later(HOLD, self._end_poll, answer)
        self.ready.set()

    def _end_poll(self, answer: Callable[[bytes], None]) -> None:
        if self._poll is answer:
            self._poll = None
            answer(_reply([]))


async def _is_taken(client: aiohttp.ClientSession, url: str, headers: dict[str, str], update: bytes) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with client.post(url, data=update, headers=headers) as answer:
            return answer.status == 200
    return False


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with Content-Length, which is all that the bots speak."""

    def __init__(self, server: LoadServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is none of asyncio's subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, separator, content = self._buffer.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if not separator or len(content) < size:
                return
            body, self._buffer = content[:size], content[size:]
            path, _, query = head.split(b" ", 2)[1].partition(b"?")
            self._server.call(path.rpartition(b"/")[2].decode(), query, body, self._write)

    def _write(self, reply: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(reply)
