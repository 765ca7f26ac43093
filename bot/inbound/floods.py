"""Senders who are not linked and send far more than a person does: answered ever more slowly, then not at all."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class FloodRules:
    """How much a sender who is not linked may send. A login takes six messages."""

    # Seconds over which its updates are counted.
    window: float = 60.0
    # Updates in it that are answered at once; each further one waits `step` seconds longer.
    free: int = 10
    step: float = 0.2
    # Updates in it that are kept at all: what comes beyond is dropped until the sender slows down.
    most: int = 30
    # Senders that are remembered.
    senders: int = 20_000


FLOOD_RULES = FloodRules()


class Floods:
    """What each sender who is not linked has sent lately. `clock` never goes back (the loop's time)."""

    def __init__(self, rules: FloodRules = FLOOD_RULES, clock: Callable[[], float] | None = None) -> None:
        self._rules = rules
        self._clock = clock or asyncio.get_running_loop().time
        self._times: OrderedDict[int, deque[float]] = OrderedDict()

    def admits(self, sender: int) -> bool:
        """Count an update; whether it is to be kept. One that is not counts too: the flood must stop first."""
        times = self._times.setdefault(sender, deque(maxlen=self._rules.most))
        self._times.move_to_end(sender)
        if len(self._times) > self._rules.senders:
            self._times.popitem(last=False)
        now = self._clock()
        is_full = len(times) == self._rules.most and now - times[0] < self._rules.window
        times.append(now)
        return not is_full

    def delay(self, sender: int) -> float:
        """Seconds before the sender's next update is begun."""
        since = self._clock() - self._rules.window
        lately = sum(moment > since for moment in self._times.get(sender, ()))
        return self._rules.step * max(0, lately - self._rules.free)
