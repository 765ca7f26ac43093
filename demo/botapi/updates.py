"""The queue of updates and getUpdates.

Rules: td/db/TQueue.cpp and Client.cpp (process_get_updates_query, do_get_updates, abort_long_poll).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from demo.botapi.errors import ApiError
from demo.botapi.params import MISSING, Params
from demo.botapi.schema import load

DAY = 86400.0
CALLBACK_LIFE = 150.0  # a tap that nobody fetched in this time is gone
_MAX_TIMEOUT = 50
_CONFLICT_PAUSE = 3.0
_MAX_PENDING = 100_000
_ID_LIMIT = 2**31 - 2
# Not sent unless asked for by name (Client.h, DEFAULT_ALLOWED_UPDATE_TYPES).
_OPT_IN = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_TERMINATED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


@dataclass(frozen=True, slots=True)
class Update:
    """A pending update, encoded when it happened: later changes of a message do not reach it."""

    id: int
    kind: str
    body: bytes
    expires_at: float
    queue: int

    def encoded(self) -> bytes:
        """Give it as JSON."""
        return b'{"update_id":%d,"%s":%s}' % (self.id, self.kind.encode(), self.body)


class Updates:
    """Updates wait here until an offset confirms them, or they get too old."""

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[object]], rng: random.Random
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self.rng = rng
        self.pending: deque[Update] = deque()
        self.allowed: frozenset[str] | None = None  # None: all but those to be asked for
        self.webhook_active = False
        self.on_added: Callable[[], None] | None = None
        # Slows down a bot that polls in a hot loop; on with the other limits only.
        self.throttle = False
        self._tail = rng.randrange(2_000_001, _ID_LIMIT // 2)
        self._earliest = math.inf
        self._waiting: asyncio.Future[None] | None = None
        self._watchers: list[asyncio.Future[None]] = []
        self._last_poll: tuple[int, float] = (0, float("-inf"))
        self._next_prompt_conflict = -math.inf

    @property
    def next_id(self) -> int:
        """The id that the next update will have."""
        return self._tail

    def restart_ids(self, *, smaller: bool | None = None) -> None:
        """Choose the next id at random, as after a week without updates; pending ones are lost with it."""
        lower = self.rng.random() < 0.5 if smaller is None else smaller
        self.pending.clear()
        if lower:
            self._tail = self.rng.randrange(1_000_000, self._tail - 200_000)
        else:
            self._tail = self.rng.randrange(self._tail + 200_000, _ID_LIMIT - 1_000_000)

    def add(self, kind: str, payload: dict[str, Any], queue: int, life: float = DAY) -> None:
        """Queue an update, unless the bot did not ask for this kind; `queue` keeps one person's in order."""
        if not (kind not in _OPT_IN if self.allowed is None else kind in self.allowed):
            return
        load().verify("Update", {"update_id": self._tail, kind: payload})
        if len(self.pending) >= _MAX_PENDING:
            return
        expires_at = self.clock() + life
        self.pending.append(Update(self._tail, kind, orjson.dumps(payload), expires_at, queue))
        self._earliest = min(self._earliest, expires_at)
        self._tail += 1
        self.wake()
        if self.on_added is not None:
            self.on_added()

    def expire(self) -> None:
        """Drop what is too old; lifetimes differ, so the whole queue is looked through only when needed."""
        now = self.clock()
        if now >= self._earliest:
            self.pending = deque(update for update in self.pending if update.expires_at > now)
            self._earliest = min((update.expires_at for update in self.pending), default=math.inf)

    def wake(self) -> None:
        """Let a waiting getUpdates look again."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def abort(self, description: str = _TERMINATED) -> None:
        """End a waiting getUpdates with a conflict."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ApiError(409, description))

    def set_allowed(self, params: Params) -> None:
        """Remember allowed_updates until the next call that names it; nonsense changes nothing."""
        try:
            names = params.json("allowed_updates")
        except ValueError:
            return
        if names is MISSING or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            return
        self.allowed = frozenset(name.lower() for name in names) or None

    async def get(self, params: Params) -> bytes:
        """Do getUpdates and give the encoded list.

        Raises ApiError 409; when the last one was answered within 3 s, it is held for 3 s (Client.cpp,
        fail_query_conflict).
        """
        try:
            return await self._get(params)
        except ApiError:
            now = self.clock()
            if now < self._next_prompt_conflict:
                await self.sleep(_CONFLICT_PAUSE)
            else:
                self._next_prompt_conflict = now + _CONFLICT_PAUSE
            raise

    async def _get(self, params: Params) -> bytes:
        if self.webhook_active:
            raise ApiError(409, _WEBHOOK_ACTIVE)
        offset = params.integer("offset")
        limit = params.integer("limit", 100, 1, 100)
        timeout: float = params.integer("timeout", 0, 0, _MAX_TIMEOUT)
        self.set_allowed(params)
        if self.throttle:
            limit, timeout = self._throttled(offset, limit, timeout)
        updates = self._take(offset, limit)
        if not updates and timeout > 0:
            # Only a call that has to wait ends the one that waits; one that finds updates leaves it alone.
            self.abort()
            if await self._wait(timeout):
                updates = self._take(offset, limit)
        return b"[%s]" % b",".join([update.encoded() for update in updates])

    def _throttled(self, offset: int, limit: int, timeout: float) -> tuple[int, float]:
        last_offset, last_time = self._last_poll
        now = self.clock()
        self._last_poll = (offset, now)
        if offset != last_offset:
            return limit, timeout
        return (1 if now < last_time + 0.5 else limit), (max(3.0, timeout) if now < last_time + 3 else timeout)

    def _take(self, offset: int, limit: int) -> list[Update]:
        self.expire()
        if offset < 0:
            while len(self.pending) > -offset:
                self.pending.popleft()
        elif 0 < offset <= self._tail + 10:
            # An offset far beyond the newest id is taken for a mistake: nothing is confirmed, all is given.
            while self.pending and self.pending[0].id < offset:
                self.pending.popleft()
        return list(islice(self.pending, limit))

    async def until_waiting(self) -> None:
        """Wait until the bot's getUpdates has nothing to do but wait: it has taken all that was pending."""
        while self._waiting is None:
            watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    async def _wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - the Bot API's own parameter
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)
        handle = loop.call_later(timeout, self._give_up, waiting)
        try:
            await waiting
        finally:
            handle.cancel()
            if self._waiting is waiting:
                self._waiting = None
        return True

    @staticmethod
    def _give_up(waiting: asyncio.Future[None]) -> None:
        if not waiting.done():
            waiting.set_result(None)
