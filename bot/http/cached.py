"""Caches the result of a call for some seconds, so that frequent probes and scrapes cost little."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """Makes a call when its last result is older than `seconds`; concurrent callers share one call."""

    def __init__(self, call: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self._lock = asyncio.Lock()
        # The last result, after the loop's time at which its call began.
        self._last: tuple[float, T] | None = None

    async def get(self) -> T:
        """The cached or a new result. Raises the call's errors, which are not cached."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._last is None or now - self._last[0] >= self._seconds:
                self._last = (now, await self._call())
            return self._last[1]
