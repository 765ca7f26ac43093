"""The numbers as Prometheus reads them: what this process counted, and what stands in the database."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.http.stored import Stored
from bot.runtime.metrics import TALLY, TAP_BUCKETS
from models.certification.certificate import Level


def text(stored: Stored | None, now: datetime) -> bytes:
    """All numbers in Prometheus's text format. `stored` is what was read from the database, None while it is away:
    its numbers are left out then.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(stored, now))
    return generate_latest(registry)


class _Numbers(Collector):
    """One scrape."""

    def __init__(self, stored: Stored | None, now: datetime) -> None:
        self._stored = stored
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield _counted("laocert_updates", "Updates.", ["kind", "outcome"], TALLY.updates)
        yield _counted("laocert_messages", "Tries to send a message.", ["kind", "outcome"], TALLY.messages)
        posts = {(status,): count for status, count in TALLY.posts.items()}
        yield _counted("laocert_webhook_requests", "Requests to the webhook by HTTP status.", ["status"], posts)
        refusals = {(method,): count for method, count in TALLY.refusals.items()}
        yield _counted("laocert_refusals", "Screens and messages refused by Telegram.", ["method"], refusals)
        troubles = {(name,): count for name, count in TALLY.troubles.items()}
        yield _counted(
            "laocert_database_troubles", "What the database could not do, by the reason.", ["trouble"], troubles
        )
        bad_seals = {(table,): count for table, count in TALLY.bad_seals.items()}
        yield _counted(
            "laocert_bad_seals", "Rows met that were changed without the secret key.", ["table"], bad_seals
        )
        yield CounterMetricFamily("laocert_floods", "Answers 429 of the Bot API.", value=TALLY.floods)
        yield CounterMetricFamily("laocert_conflicts", "Answers 409 to a poll.", value=TALLY.conflicts.total())
        answers = {} if TALLY.bot_api_answers is None else {(): float(TALLY.bot_api_answers)}
        yield _gauged("laocert_bot_api", "Whether the Bot API answers.", [], answers)
        yield _tap_histogram()
        leases = {(name,): float(is_held()) for name, is_held in TALLY.leases.items()}
        yield _gauged("laocert_lease", "Whether this process holds a lease.", ["name"], leases)
        offsets = {
            (whose,): offset.total_seconds()
            for whose, believed in TALLY.clock_offsets.items()
            if (offset := believed()) is not None
        }
        yield _gauged(
            "laocert_clock_offset_seconds",
            "Seconds by which this process's clock is ahead of another one.",
            ["against"],
            offsets,
        )
        yield _gauged("laocert_build_info", "The program's version.", ["version"], {(version("laocert"),): 1})
        if self._stored is not None:
            yield from _of_database(self._stored, self._now)


def _of_database(stored: Stored, now: datetime) -> Iterator[Metric]:
    yield _gauged("laocert_inbox_depth", "Updates that are not done.", [], {(): stored.updates.depth})
    yield _gauged(
        "laocert_inbox_age_seconds", "Age of the oldest of them.", [], {(): _age(stored.updates.oldest, now)}
    )
    messages = {(state.value,): count for state, count in stored.messages.depth.items()}
    yield _gauged("laocert_outbox_depth", "Messages that are not sent.", ["state"], messages)
    yield _gauged(
        "laocert_outbox_age_seconds",
        "Age of the oldest of those that are to be sent.",
        [],
        {(): _age(stored.messages.oldest, now)},
    )
    levels = {(level.value,): stored.certificates.get(level, 0) for level in Level}
    yield _gauged("laocert_certificates", "Certificates of the newest round that count.", ["level"], levels)


def _counted(name: str, documentation: str, labels: list[str], counts: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, documentation, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _gauged(name: str, documentation: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for named, value in values.items():
        family.add_metric(named, value)
    return family


def _tap_histogram() -> HistogramMetricFamily:
    bounds = [*map(str, TAP_BUCKETS), "+Inf"]
    counts = accumulate(TALLY.taps[number] for number in range(len(bounds)))
    return HistogramMetricFamily(
        "laocert_tap_seconds",
        "Seconds from the receipt of a tap to its answer.",
        buckets=list(zip(bounds, counts, strict=True)),
        sum_value=TALLY.tap_seconds,
    )


def _age(oldest: datetime | None, now: datetime) -> float:
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
