"""What the page shows, pushed by server-sent events: the newest value of each topic, and nothing older.

Whoever connects gets every topic as it is now, so a page that missed something is right again after it has
reconnected; a slow page skips what was overtaken, and costs no memory.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson


class Feed:
    """Topics by name, each with a JSON value, and the pages that watch them."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._watchers: set[_Watcher] = set()
        self._passing = 0

    def put(self, topic: str, value: Any) -> None:
        """Set a topic's value; pages hear of it when it differs."""
        encoded = orjson.dumps(value)
        if self._values.get(topic) != encoded:
            self._values[topic] = encoded
            self._tell(topic, encoded)

    def flash(self, topic: str, value: Any) -> None:
        """Tell those who watch now; it is not kept."""
        self._passing += 1
        self._tell(f"{topic} {self._passing}", orjson.dumps(value))

    def value(self, topic: str) -> Any:
        """A topic as it is now."""
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
        """The stream for one page: everything, then changes; a comment when nothing happened for `beat` s."""
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
    """The topic `phone 7` is an event `phone`; its value says which one."""
    return b"event: %s\ndata: %s\n\n" % (topic.split(maxsplit=1)[0].encode(), value)
