"""Telegram's limits on sending, as its FAQ for bots gives them; off unless asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from demo.botapi.errors import too_many_requests


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated: float


class Limits:
    """30 messages a second for the bot, 1 a second in a chat with a small burst, 20 a minute in a group."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.enforced = False
        self.refused = 0
        self._clock = clock
        self._buckets: dict[int, _Bucket] = {}

    def spend(self, chat_id: int) -> None:
        """Count one message, or refuse it with the seconds after which it would pass."""
        if not self.enforced:
            return
        now = self._clock()
        checks = [(0, 30.0, 30.0), (chat_id, *((1.0, 5.0) if chat_id > 0 else (20 / 60, 20.0)))]
        buckets = [(self._bucket(key, rate, burst, now), rate) for key, rate, burst in checks]
        wait = max((1 - bucket.tokens) / rate for bucket, rate in buckets)
        if wait > 1e-9:
            self.refused += 1
            raise too_many_requests(max(1, math.ceil(wait)))
        for bucket, _ in buckets:
            bucket.tokens -= 1

    def _bucket(self, key: int, rate: float, burst: float, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(burst, now)
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.updated) * rate)
        bucket.updated = now
        return bucket
