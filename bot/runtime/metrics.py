"""What the program counts of its own work, for Prometheus (docs/operations.md, Seeing it run).

Counted in plain numbers; prometheus_client is imported when the first scrape comes (bot/http/scrape.py). Nothing
personal stands in a label.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

# Seconds from the receipt of a tap to its answer; the goal is a p99 under one.
TAP_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0)


class Latest(Counter[str]):
    """A counter that knows when it counted last: `at`, by time.monotonic(); None before the first."""

    at: float | None = None

    def __setitem__(self, name: str, count: int) -> None:
        """Counted."""
        super().__setitem__(name, count)
        self.at = time.monotonic()


@dataclass
class Tally:
    """Counts since the start of the process."""

    # By kind and outcome: `done`, `failed` (one try), `set_aside`, `left_out` (bears no id), `dropped` (of a
    # flood).
    updates: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Tries to send a message of the outbox, by its kind and how they ended.
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Requests to the webhook, and heads that were refused before their path was known, by their HTTP status.
    posts: Counter[str] = field(default_factory=Counter)
    # Screens and messages that Telegram took for wrong (400), by method.
    refusals: Latest = field(default_factory=Latest)
    # What the database could not do, by what was the matter (models/database/trouble.py).
    troubles: Mapping[str, int] = field(default_factory=Counter)
    # Rows that decide and were found changed without the secret key, each time, by table.
    bad_seals: Mapping[str, int] = field(default_factory=Counter)
    # Answers 429 of the Bot API.
    floods: int = 0
    # Answers 409 to a poll, because another program polls, too.
    conflicts: Latest = field(default_factory=Latest)
    # Whether the Bot API answered when it was asked last; None before that.
    bot_api_answers: bool | None = None
    # Taps by the number of their bucket; the one beyond the last is for what took longer.
    taps: Counter[int] = field(default_factory=Counter)
    tap_seconds: float = 0.0
    # How far the clock is off against another one, by whose that is; None while that is not known.
    clock_offsets: dict[str, Callable[[], timedelta | None]] = field(default_factory=dict)
    # Whether this process holds a lease, by its name.
    leases: dict[str, Callable[[], bool]] = field(default_factory=dict)

    def time_tap(self, seconds: float) -> None:
        """A tap that was answered; less than nothing it took where the clock was set back meanwhile."""
        seconds = max(seconds, 0.0)
        self.taps[bisect_left(TAP_BUCKETS, seconds)] += 1
        self.tap_seconds += seconds


TALLY = Tally()
