"""The rate limiter for all sends and edits of a program: the answers and the courier share one.

The bot's limit over all chats is in `bot_rate.py`. In a chat Telegram counts new messages and edits together,
"about 20 times per minute" (tdlib/td #2592 and #3034); `answerCallbackQuery` and deletions are not counted
(tdlib/telegram-bot-api #648 and #572). A 429 pauses its chat for exactly as long as it asks. Times are in seconds.
"""

import enum
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bot.telegram.bot_rate import BotRate


class Weight(enum.IntEnum):
    """How much a call matters in its chat. With few calls left in the minute only the lower values pass."""

    # A result, a warning or a refusal.
    RESULT = 0
    # A screen that only shows something.
    WAY = 1
    # The dots of a PIN.
    PASSING = 2
    # An edit of the province's live card.
    LIVE_CARD = 3


@dataclass(frozen=True)
class Rates:
    """Telegram's limits, and the reserves that the program keeps within them."""

    # New messages a second, over all chats.
    rate: float = 30.0
    # Burst capacity of the token bucket, in messages: makes up for a late wake-up or a slow disk. Small, so that
    # no second has many more than `rate`.
    burst: float = 8.0
    # Answers in a row after which a waiting notice has its turn.
    answers_a_notice: int = 4
    # Seconds between two messages in a chat, and in a group.
    chat_interval: float = 1.0
    group_interval: float = 3.0
    # When so many chats are paused by 429s at once, the bot as a whole is too fast: bulk messages rest.
    several: int = 3
    # New messages and edits of a chat within any window of so many seconds: Telegram's minute, and one second
    # more, because calls take different times to arrive.
    chat_calls: int = 20
    chat_window: float = 61.0
    # By weight: calls of the window that it must leave to the weights below. Certifying an organization takes 8
    # (docs/contract.md, Visible calls), so that a PIN's dots leave 8.
    kept_free: tuple[int, int, int, int] = (0, 4, 8, 10)


RATES = Rates()


class Limiter:
    """The rate limiter of a process. `bot` is the limit over all chats. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, rates: Rates = RATES) -> None:
        self._clock = clock
        self._rates = rates
        self.bot = BotRate(clock, rates.rate, rates.burst, rates.answers_a_notice)
        # By chat id, the time until which the chat has a message in flight or just sent.
        self._busy: dict[int, float] = {}
        # By chat id, the end of the pause that a 429 asked for.
        self._paused: dict[int, float] = {}
        # By chat id, the times of the calls within the window.
        self._calls: dict[int, deque[float]] = {}
        self._bulk_rests_until = 0.0

    def busy(self) -> set[int]:
        """The ids of the chats to which the courier may send nothing now."""
        now = self._clock()
        for chats in (self._busy, self._paused):
            for chat in [chat for chat, until in chats.items() if until <= now]:
                del chats[chat]
        over = now - self._rates.chat_window
        for chat in [chat for chat, calls in self._calls.items() if not calls or calls[-1] <= over]:
            del self._calls[chat]
        return {*self._busy, *self._paused}

    def until_free(self) -> float:
        """Seconds until a busy chat is free. Infinite when none is busy, or all have messages in flight."""
        now = self._clock()
        return min((until - now for until in (*self._busy.values(), *self._paused.values())), default=float("inf"))

    def begin(self, chat_id: int) -> None:
        """Reserve a chat for a message that the courier sends now, until `end`."""
        self._busy[chat_id] = float("inf")

    def end(self, chat_id: int, was_sent: bool = True) -> None:
        """Release a chat after the courier's call. `was_sent`: may have arrived, so the interval applies."""
        self._busy[chat_id] = self._clock() + self._interval(chat_id) if was_sent else 0.0

    def spend(self, chat_id: int) -> None:
        """Count a message or an edit that is made now. The courier leaves its chat alone for an interval."""
        now = self._clock()
        self._busy[chat_id] = max(self._busy.get(chat_id, 0.0), now + self._interval(chat_id))
        self._calls.setdefault(chat_id, deque()).append(now)

    def left(self, chat_id: int) -> int:
        """Calls that the chat has left in the window; those of other programs are not known."""
        return self._rates.chat_calls - len(self._recent(chat_id))

    def wait(self, chat_id: int, weight: Weight = Weight.RESULT) -> float:
        """Seconds until a call of this weight may be made in a chat: no pause, and enough calls left. 0 means now,
        infinity never.
        """
        paused = self.paused_for(chat_id)
        calls = self._recent(chat_id)
        room = self._rates.chat_calls - self._rates.kept_free[weight]
        if len(calls) < room:
            return paused
        if room <= 0:
            return math.inf
        return max(paused, calls[len(calls) - room] + self._rates.chat_window - self._clock())

    def _recent(self, chat_id: int) -> deque[float]:
        calls = self._calls.get(chat_id)
        if calls is None:
            return deque()
        over = self._clock() - self._rates.chat_window
        while calls and calls[0] <= over:
            calls.popleft()
        return calls

    def pause(self, chat_id: int, seconds: float) -> None:
        """Stop all messages and edits in a chat for so many seconds, as a 429 asks."""
        now = self._clock()
        self._paused[chat_id] = max(self._paused.get(chat_id, 0.0), now + seconds)
        paused = [until for until in self._paused.values() if until > now]
        if len(paused) >= self._rates.several:
            self._bulk_rests_until = max(paused)

    def paused_for(self, chat_id: int) -> float:
        """Seconds left of a chat's pause; 0 when it has none."""
        return max(self._paused.get(chat_id, 0.0) - self._clock(), 0.0)

    def bulk_rests(self) -> bool:
        """Whether bulk messages rest because several chats are paused by 429s at once."""
        return self._clock() < self._bulk_rests_until

    def _interval(self, chat_id: int) -> float:
        # Groups have negative ids (Bot API, Chat.id).
        return self._rates.chat_interval if chat_id > 0 else self._rates.group_interval
