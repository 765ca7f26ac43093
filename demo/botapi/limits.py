"""What Telegram counts in a chat, and how much of it passes: new messages and edits together.

Telegram documents no figures beyond its FAQ for bots ("My bot is hitting limits, how do I avoid this?"). The rest
is the word of TDLib's maintainer and what others met:

- Sends and edits share one limit, "about 20 times per minute in a specific chat" (tdlib/td #2592 and #3034).
  Twenty edits one second apart were followed by minutes of refusals (python-telegram-bot #939).
- `answerCallbackQuery` is free (tdlib/telegram-bot-api #648).
- Deletions are free: their limits "cover all reasonable usages" (tdlib/telegram-bot-api #572).
- `sendChatAction` is free here: it is no message and no edit, and nobody says that it shares their limit. It has
  one of its own, which is not known and not emulated.
- The bot as a whole sends about 30 messages a second (FAQ, on broadcasts). Edits do not count there.

A call counts when it reaches Telegram's own servers: after all that the Bot API server checks by itself, and also
when those servers then refuse it. Times are in seconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from demo.botapi.errors import ApiError, too_many_requests

NEW_MESSAGES = frozenset({"sendMessage", "sendPhoto", "sendDocument"})
EDITS = frozenset({"editMessageText", "editMessageReplyMarkup", "editMessageCaption", "editMessageMedia"})

# Times since 1970 are floats of about a microsecond; a wait shorter than this is none.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in so many seconds: in any such stretch (`rolling`), or as a token bucket.

    The bucket holds `calls` and is refilled evenly over `seconds`.
    """

    calls: int
    seconds: float
    rolling: bool = False


@dataclass(frozen=True, slots=True)
class Weather:
    """How patient Telegram is.

    `shortest_wait` is the least `retry_after` of a chat that has spent its limit. Where `closes` is set, a chat
    that was refused stays closed for the announced seconds, and a counted call meanwhile is a violation.
    """

    private: Limit
    group: Limit
    shortest_wait: int = 1
    closes: bool = False


# What the program is designed for: the maintainer's "20 times per minute", and waits as long as they are met.
DESIGN = Weather(Limit(20, 60, rolling=True), Limit(20, 60, rolling=True), shortest_wait=30, closes=True)
# What Telegram mostly lets pass: the FAQ's one a second with bursts, and 20 a minute in a group.
LOOSE = Weather(Limit(20, 20), Limit(20, 60))
WEATHERS: dict[str, Weather | None] = {"design": DESIGN, "loose": LOOSE, "none": None}

_BOT = Limit(30, 1)


@dataclass(frozen=True, slots=True)
class CountedCall:
    """A call that Telegram counts in its chat; `retry_after` is 0 when it passed."""

    time: float
    chat_id: int
    method: str
    retry_after: int = 0


class _Window:
    """At most `calls` in any stretch of `seconds`."""

    def __init__(self, limit: Limit) -> None:
        self._seconds = limit.seconds
        self._times: deque[float] = deque(maxlen=limit.calls)

    def wait(self, now: float) -> float:
        is_full = len(self._times) == self._times.maxlen
        return self._times[0] + self._seconds - now if is_full else 0.0

    def spend(self, now: float) -> None:
        self._times.append(now)


class _Bucket:
    """A token bucket, full at first."""

    def __init__(self, limit: Limit) -> None:
        self._size = float(limit.calls)
        self._rate = limit.calls / limit.seconds
        self._tokens = self._size
        self._filled_at = -math.inf

    def _fill(self, now: float) -> None:
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now

    def wait(self, now: float) -> float:
        self._fill(now)
        return (1 - self._tokens) / self._rate

    def spend(self, now: float) -> None:
        self._fill(now)
        self._tokens = max(0.0, self._tokens - 1)


def _budget(limit: Limit) -> _Window | _Bucket:
    return _Window(limit) if limit.rolling else _Bucket(limit)


class Limits:
    """Counts always, refuses only in a weather. `complain` gets the calls into a chat that is closed."""

    def __init__(self, clock: Callable[[], float], complain: Callable[[str], None]) -> None:
        self.passed: dict[int, list[CountedCall]] = {}
        self.refusals: list[CountedCall] = []
        self._clock = clock
        self._complain = complain
        self._weather: Weather | None = None
        self._bot = _budget(_BOT)
        self._chats: dict[int, _Window | _Bucket] = {}
        self._open_at: dict[int, float] = {}

    @property
    def weather(self) -> Weather | None:
        """Which limits are enforced; None enforces none. A new one counts what passed before it, too."""
        return self._weather

    @weather.setter
    def weather(self, weather: Weather | None) -> None:
        self._weather = weather
        self._chats.clear()
        self._open_at.clear()

    def spend(self, chat_id: int, method: str) -> None:
        """Count one call in its chat. Raises ApiError 429, with which it is refused instead."""
        now = self._clock()
        if self._weather is not None:
            wait = self._wait(self._weather, chat_id, method, now)
            if wait > 0:
                raise self.refuse(chat_id, method, wait)
            self._chat(self._weather, chat_id).spend(now)
        if method in NEW_MESSAGES:
            self._bot.spend(now)
        self.passed.setdefault(chat_id, []).append(CountedCall(now, chat_id, method))

    def refuse(self, chat_id: int, method: str, retry_after: int) -> ApiError:
        """Give the refusal of a counted call; note it, and close its chat where the weather does that."""
        now = self._clock()
        remaining = self._open_at.get(chat_id, now) - now
        if remaining > _ROUNDING:
            self._complain(f"{method} into chat {chat_id}, which was closed for {remaining:.1f} s more by a 429")
        if self._weather is not None and self._weather.closes:
            self._open_at[chat_id] = max(self._open_at.get(chat_id, 0.0), now + retry_after)
        self.refusals.append(CountedCall(now, chat_id, method, retry_after))
        return too_many_requests(retry_after)

    def _wait(self, weather: Weather, chat_id: int, method: str, now: float) -> int:
        closed = self._open_at.get(chat_id, now) - now
        if closed > _ROUNDING:
            return math.ceil(closed)
        of_chat = self._chat(weather, chat_id).wait(now)
        if of_chat > _ROUNDING:
            return max(weather.shortest_wait, math.ceil(of_chat - _ROUNDING))
        of_bot = self._bot.wait(now) if method in NEW_MESSAGES else 0.0
        return math.ceil(of_bot) if of_bot > _ROUNDING else 0

    def _chat(self, weather: Weather, chat_id: int) -> _Window | _Bucket:
        budget = self._chats.get(chat_id)
        if budget is None:
            budget = self._chats[chat_id] = _budget(weather.private if chat_id > 0 else weather.group)
            for call in self.passed.get(chat_id, ()):
                budget.spend(call.time)
        return budget
