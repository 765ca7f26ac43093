"""The result of a call, kept for a while: probes and scrapes come as often as they like."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """Makes a call again when its last result is older than `seconds`; one call at a time, whoever asks."""

    def __init__(self, call: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._kept: tuple[float, T] | None = None

    async def get(self) -> T:
        """The result, new enough. Raises what the call raises, which is not kept."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._kept is None or now - self._kept[0] >= self._seconds:
                self._kept = (now, await self._call())
            return self._kept[1]
