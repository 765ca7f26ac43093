"""Which senders are officers; and what the others may send: one who sends far more than a person does is answered
ever more slowly, then not at all, and all of them together have a bounded part of the work.
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

    # Seconds over which its updates are counted.
    window: float = 60.0
    # Updates in it that are answered at once; each further one waits `step` seconds longer.
    free: int = 10
    step: float = 0.2
    # Updates in it that are kept at all: what comes beyond is dropped until the sender slows down.
    most: int = 30
    # Who has sent fewer in the last 10 minutes is a newcomer: a login takes six messages.
    newcomer: int = 8
    newcomer_window: float = 600.0
    # Updates of all newcomers together, and of all others, that are kept: so many a second, and so many at once
    # after a quiet time. What comes beyond is dropped. Each is answered by a message, and Telegram takes about 30
    # a second from a bot (bot/telegram/limiter.py), of which most are the officers'.
    newcomers_rate: float = 5.0
    newcomers_burst: float = 200.0
    others_rate: float = 1.0
    others_burst: float = 30.0
    # Senders that are remembered, and seconds for which an officer is taken for one without another look at the
    # database: it decides on no right.
    senders: int = 20_000
    believed_for: float = 60.0


FLOOD_RULES = FloodRules()


class _Allowance:
    """A token bucket: full at first, `rate` more a second, `burst` at most."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Whether there was one left."""
        self._left = min(self._burst, self._left + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Floods:
    """Who is an officer, and what each other sender has sent lately; one for intake and worker.

    `clock` never goes back (the loop's time).
    """

    def __init__(self, rules: FloodRules = FLOOD_RULES, clock: Callable[[], float] | None = None) -> None:
        self._rules = rules
        self._clock = clock or asyncio.get_running_loop().time
        self._times: OrderedDict[int, deque[float]] = OrderedDict()
        # Until when each officer is taken for one.
        self._officers: dict[int, float] = {}
        self._newcomers = _Allowance(rules.newcomers_rate, rules.newcomers_burst, self._clock())
        self._others = _Allowance(rules.others_rate, rules.others_burst, self._clock())

    def is_officer(self, sender: int) -> bool:
        """Whether a sender was linked a moment ago."""
        return self._officers.get(sender, 0.0) > self._clock()

    async def look_up(self, session: Session, asked: Iterable[int]) -> Senders:
        """Look up those of some senders that are not known for officers, and remember those who are."""
        looked_up = await senders.look_up(session, {sender for sender in asked if not self.is_officer(sender)})
        if len(self._officers) + len(looked_up.linked) > self._rules.senders:
            self._officers.clear()
        self._officers |= dict.fromkeys(looked_up.linked, self._clock() + self._rules.believed_for)
        return looked_up

    def admits(self, sender: int) -> bool:
        """Count an update of a sender who is no officer; whether it is to be kept. One that is not counts too: the
        flood must stop first.
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
        """Seconds before the sender's next update is begun."""
        since = self._clock() - self._rules.window
        lately = sum(moment > since for moment in self._times.get(sender, ()))
        return self._rules.step * max(0, lately - self._rules.free)
