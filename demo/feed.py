"""The page's content as server-sent events: only the newest value of each topic.

A page that connects gets the current value of every topic, so that it is up to date after a reconnection. A slow
page skips outdated values, and needs no buffer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson


class Feed:
    """Topics with their JSON values, and the pages that watch them."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._watchers: set[_Watcher] = set()
        self._passing = 0

    def put(self, topic: str, value: Any) -> None:
        """Set a topic's value, and push it to the pages if it has changed."""
        encoded = orjson.dumps(value)
        if self._values.get(topic) != encoded:
            self._values[topic] = encoded
            self._tell(topic, encoded)

    def flash(self, topic: str, value: Any) -> None:
        """Push a value to the pages that watch now, without storing it."""
        self._passing += 1
        self._tell(f"{topic} {self._passing}", orjson.dumps(value))

    def value(self, topic: str) -> Any:
        """Return a topic's current value. Raises KeyError for an unknown topic."""
        return orjson.loads(self._values[topic])

    def _tell(self, topic: str, encoded: bytes) -> None:
        for watcher in self._watchers:
            watcher.news[topic] = encoded
            watcher.awake.set()

    def close(self) -> None:
        """End all streams."""
        for watcher in self._watchers:
            watcher.closed = True
            watcher.awake.set()

    async def watch(self, beat: float) -> AsyncIterator[bytes]:
        """Yield the event stream of one page: all topics, then changes, and a comment every `beat` seconds if
        idle.
        """
        watcher = _Watcher(dict(self._values))
        self._watchers.add(watcher)
        try:
            while not watcher.closed:
                news, watcher.news = watcher.news, {}
                watcher.awake.clear()
                yield b"".join(_event(topic, value) for topic, value in news.items()) or b": still here\n\n"
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(beat):
                        await watcher.awake.wait()
        finally:
            self._watchers.discard(watcher)


class _Watcher:
    def __init__(self, news: dict[str, bytes]) -> None:
        self.news = news
        self.awake = asyncio.Event()
        self.closed = False


def _event(topic: str, value: bytes) -> bytes:
    """Encode an event. The topic `phone 7` becomes an event `phone`, whose value contains the id."""
    return b"event: %s\ndata: %s\n\n" % (topic.split(maxsplit=1)[0].encode(), value)
