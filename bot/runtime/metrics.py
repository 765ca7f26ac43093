"""Counters of this process, for Prometheus (docs/operations.md, Seeing it run).

They are plain numbers: prometheus_client is imported only for the first scrape (bot/http/scrape.py). Labels
contain no personal data.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

# Upper bounds of the histogram's buckets: seconds from the receipt of a tap to its answer. The goal is a p99 below
# 1 s.
TAP_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0)


class Latest(Counter[str]):
    """A counter with the time of its last count: `at`, by time.monotonic(); None before the first."""

    at: float | None = None

    def __setitem__(self, name: str, count: int) -> None:
        """Set the count of a name, and note the time."""
        super().__setitem__(name, count)
        self.at = time.monotonic()


@dataclass
class Tally:
    """Counts since the start of the process."""

    # Updates by kind and outcome: `done`, `failed` (one try), `set_aside`, `left_out` (no update id), `dropped`
    # (flood control).
    updates: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Attempts to send a message of the outbox, by its kind and the resulting state.
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Requests to the webhook by HTTP status, with those whose head was refused before the path was known.
    posts: Counter[str] = field(default_factory=Counter)
    # Screens and messages that Telegram refused as malformed (400), by method.
    refusals: Latest = field(default_factory=Latest)
    # Failures of the database by `Trouble` (models/database/trouble.py).
    troubles: Mapping[str, int] = field(default_factory=Counter)
    # Rows that decide and were changed without the secret key, by table; each use of such a row counts.
    bad_seals: Mapping[str, int] = field(default_factory=Counter)
    # 429 answers of the Bot API.
    floods: int = 0
    # 409 answers to a poll, because another program polls too.
    conflicts: Latest = field(default_factory=Latest)
    # Whether the Bot API answered the last check; None before the first.
    bot_api_answers: bool | None = None
    # Taps by the index of their bucket in TAP_BUCKETS; slower ones have the index after the last.
    taps: Counter[int] = field(default_factory=Counter)
    # Sum of all taps' seconds.
    tap_seconds: float = 0.0
    # By the other clock's name (`telegram`, `database`): how far this machine's clock is ahead; None while
    # unknown.
    clock_offsets: dict[str, Callable[[], timedelta | None]] = field(default_factory=dict)
    # By a lease's name: whether this process holds it.
    leases: dict[str, Callable[[], bool]] = field(default_factory=dict)

    def time_tap(self, seconds: float) -> None:
        """Count a tap that was answered after so many seconds. Negative ones, after the clock was set back, count
        as 0.
        """
        seconds = max(seconds, 0.0)
        self.taps[bisect_left(TAP_BUCKETS, seconds)] += 1
        self.tap_seconds += seconds


TALLY = Tally()
