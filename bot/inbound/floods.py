"""Flood control: which senders are officers, and how much all others may send.

A sender who sends far more than a person does is answered ever more slowly, then not at all. Token buckets bound
what all senders who are not officers send together.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from models.database.engine import Session
from models.links import senders
from models.links.senders import Senders


@dataclass(frozen=True)
class FloodRules:
    """How much a sender who is not linked may send. A login takes six messages."""

    # Seconds over which a sender's updates are counted.
    window: float = 60.0
    # Updates within the window that are answered at once; each further one is delayed by `step` seconds more.
    free: int = 10
    step: float = 0.2
    # Updates within the window that are stored; further ones are dropped until the sender slows down.
    most: int = 30
    # A sender with fewer updates than `newcomer` in so many seconds is a newcomer, who may be logging in.
    newcomer: int = 8
    newcomer_window: float = 600.0
    # Token buckets for the updates of all newcomers together, and of all others: updates a second, and burst
    # capacity; what exceeds them is dropped. Each update is answered by a message, and a bot may send about 30 a
    # second (bot/telegram/limiter.py), of which the officers need most.
    newcomers_rate: float = 5.0
    newcomers_burst: float = 200.0
    others_rate: float = 1.0
    others_burst: float = 30.0
    # Senders in memory at most.
    senders: int = 20_000
    # Seconds for which a sender counts as an officer without another query. No right depends on it.
    believed_for: float = 60.0


FLOOD_RULES = FloodRules()


class _Allowance:
    """A token bucket: `rate` tokens a second, `burst` at most; full at first."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Take a token; whether there was one."""
        self._left = min(self._burst, self._left + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Floods:
    """Remembers which senders are officers, and counts the updates of all others. Intake and worker share one.

    `clock` is monotonic, in seconds (default: the event loop's time).
    """

    def __init__(self, rules: FloodRules = FLOOD_RULES, clock: Callable[[], float] | None = None) -> None:
        self._rules = rules
        self._clock = clock or asyncio.get_running_loop().time
        self._times: OrderedDict[int, deque[float]] = OrderedDict()
        # By sender: the time until which it counts as an officer.
        self._officers: dict[int, float] = {}
        self._newcomers = _Allowance(rules.newcomers_rate, rules.newcomers_burst, self._clock())
        self._others = _Allowance(rules.others_rate, rules.others_burst, self._clock())

    def is_officer(self, sender: int) -> bool:
        """Whether a query of the last `believed_for` seconds has shown the sender to be linked."""
        return self._officers.get(sender, 0.0) > self._clock()

    async def look_up(self, session: Session, candidates: Iterable[int]) -> Senders:
        """Query those of the senders that are not known to be officers, and remember those that are linked."""
        looked_up = await senders.look_up(
            session, {sender for sender in candidates if not self.is_officer(sender)}
        )
        if len(self._officers) + len(looked_up.linked) > self._rules.senders:
            self._officers.clear()
        self._officers |= dict.fromkeys(looked_up.linked, self._clock() + self._rules.believed_for)
        return looked_up

    def admits(self, sender: int) -> bool:
        """Count an update of a sender who is no officer; whether to store it. A dropped update counts too, so that
        a sender is stored again only after slowing down.
        """
        times = self._times.setdefault(sender, deque(maxlen=self._rules.most))
        self._times.move_to_end(sender)
        if len(self._times) > self._rules.senders:
            self._times.popitem(last=False)
        now = self._clock()
        is_full = len(times) == self._rules.most and now - times[0] < self._rules.window
        lately = sum(now - moment < self._rules.newcomer_window for moment in times)
        times.append(now)
        allowance = self._newcomers if lately < self._rules.newcomer else self._others
        return not is_full and allowance.take(now)

    def delay(self, sender: int) -> float:
        """Seconds to wait before the sender's next update is processed."""
        since = self._clock() - self._rules.window
        lately = sum(moment > since for moment in self._times.get(sender, ()))
        return self._rules.step * max(0, lately - self._rules.free)
