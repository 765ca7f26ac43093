"""Telegram's limits, kept for all who send and edit: one limiter for the answers and the courier of a program.

The bot's limit over all chats is kept in `bot_rate.py`. In a chat Telegram counts new messages and edits together,
"about 20 times per minute" (tdlib/td #2592 and #3034); `answerCallbackQuery` and deletions are free
(tdlib/telegram-bot-api #648 and #572). A 429 is obeyed for exactly as long as it asks. Times are in seconds.
"""

import enum
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bot.telegram.bot_rate import BotRate


class Weight(enum.IntEnum):
    """How much a call matters to its chat: with few calls left in its minute, those below still pass."""

    RESULT = 0
    WAY = 1
    PASSING = 2
    LIVE_CARD = 3


@dataclass(frozen=True)
class Rates:
    """How fast calls may be: Telegram's limits, and the room that the program leaves to them."""

    # Messages a second, over all chats.
    rate: float = 30.0
    # Messages that an idle moment is made good by: a late wake-up, a slow disk. Never so many that a second has
    # many more.
    burst: float = 8.0
    # Answers in a row after which a notice that waits has its turn.
    answers_a_notice: int = 4
    # Seconds between two messages of a chat, and of a group.
    chat_interval: float = 1.0
    group_interval: float = 3.0
    # So many chats paused by 429s at once mean that the bot as a whole is too fast: bulk rests.
    several: int = 3
    # New messages and edits of a chat in any stretch of so many seconds: a minute, and a second for calls that
    # take unequally long to arrive.
    chat_calls: int = 20
    chat_window: float = 61.0
    # Calls of these that each weight leaves to those below it: results, warnings and refusals have all. An
    # organization's whole way takes 8 (docs/contract.md, Visible calls), so that a PIN's dots leave 8.
    kept_free: tuple[int, int, int, int] = (0, 4, 8, 10)


RATES = Rates()


class Limiter:
    """One for a process. `bot` is the limit over all chats. `clock` never goes back (time.monotonic)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, rates: Rates = RATES) -> None:
        self._clock = clock
        self._rates = rates
        self.bot = BotRate(clock, rates.rate, rates.burst, rates.answers_a_notice)
        # Chats and until when: with a message on its way or just sent, and paused by a 429.
        self._busy: dict[int, float] = {}
        self._paused: dict[int, float] = {}
        # When the calls of the last minute were made, by chat.
        self._calls: dict[int, deque[float]] = {}
        self._bulk_rests_until = 0.0

    def busy(self) -> set[int]:
        """The chats to which nothing may be sent now."""
        now = self._clock()
        for chats in (self._busy, self._paused):
            for chat in [chat for chat, until in chats.items() if until <= now]:
                del chats[chat]
        over = now - self._rates.chat_window
        for chat in [chat for chat, calls in self._calls.items() if not calls or calls[-1] <= over]:
            del self._calls[chat]
        return {*self._busy, *self._paused}

    def until_free(self) -> float:
        """Seconds until the next of the busy chats is free; infinity when none is, or none can be told."""
        now = self._clock()
        return min((until - now for until in (*self._busy.values(), *self._paused.values())), default=float("inf"))

    def begin(self, chat_id: int) -> None:
        """The courier's message is on its way: its chat gets no other until it has ended."""
        self._busy[chat_id] = float("inf")

    def end(self, chat_id: int, was_sent: bool = True) -> None:
        """The courier's message has ended; after one that may have arrived its chat is left alone for a moment."""
        self._busy[chat_id] = self._clock() + self._interval(chat_id) if was_sent else 0.0

    def spend(self, chat_id: int) -> None:
        """A call that Telegram counts in its chat is made now: a message or an edit. Other messages of the program
        leave the chat alone for a moment.
        """
        now = self._clock()
        self._busy[chat_id] = max(self._busy.get(chat_id, 0.0), now + self._interval(chat_id))
        self._calls.setdefault(chat_id, deque()).append(now)

    def left(self, chat_id: int) -> int:
        """How many calls a chat has left in this minute, as far as this program has made them."""
        return self._rates.chat_calls - len(self._recent(chat_id))

    def wait(self, chat_id: int, weight: Weight = Weight.RESULT) -> float:
        """Seconds until a call of this weight may be made in a chat: no pause, and enough calls left. 0 is now."""
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
        """Telegram wants no message and no edit in a chat for so long."""
        now = self._clock()
        self._paused[chat_id] = max(self._paused.get(chat_id, 0.0), now + seconds)
        paused = [until for until in self._paused.values() if until > now]
        if len(paused) >= self._rates.several:
            self._bulk_rests_until = max(paused)

    def paused_for(self, chat_id: int) -> float:
        """Seconds that a chat is paused from now on; 0 when it is not."""
        return max(self._paused.get(chat_id, 0.0) - self._clock(), 0.0)

    def bulk_rests(self) -> bool:
        """Whether 429s of several chats have paused all bulk."""
        return self._clock() < self._bulk_rests_until

    def _interval(self, chat_id: int) -> float:
        """Groups have negative ids."""
        return self._rates.chat_interval if chat_id > 0 else self._rates.group_interval
