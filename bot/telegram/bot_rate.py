"""The limit over all chats of a bot: about 30 new messages a second (Bot API FAQ, "My bot is hitting limits, how
do I avoid this?"). Beyond it messages wait in line: receipts first, then answers, then notices.
"""

import asyncio
import enum
from collections import deque
from collections.abc import Callable


class Rank(enum.IntEnum):
    """Priority of a new message; the lowest value is sent first."""

    # The receipt of a certificate.
    RECEIPT = 0
    # Any other answer that a person waits for.
    ANSWER = 1
    # A notice of the courier, which nobody waits for.
    NOTICE = 2


class BotRate:
    """A token bucket with a priority queue before it: `rate` messages a second, bursts of `burst`.

    `clock` is monotonic, in seconds. While answers wait, one notice passes after every `answers_a_notice` of them:
    on the deadline day answers may use the whole rate for hours, and notices would starve.
    """

    def __init__(self, clock: Callable[[], float], rate: float, burst: float, answers_a_notice: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._answers_a_notice = answers_a_notice
        # Negative after messages that were sent without waiting.
        self._tokens = 0.0
        self._filled_at = clock()
        self._lines: dict[Rank, deque[asyncio.Future[None]]] = {rank: deque() for rank in Rank}
        self._answers_in_a_row = 0
        self._granting: asyncio.Task[None] | None = None

    def is_free(self) -> bool:
        """Whether a message may be sent now: there is a token, and the queue is empty."""
        return not any(self._lines.values()) and self._filled() >= 1

    async def turn(self, rank: Rank) -> None:
        """Wait in line until a message of this rank may be sent, and take its token. Cancelling gives it back."""
        if self.is_free():
            self.take()
            return
        place = asyncio.get_running_loop().create_future()
        self._lines[rank].append(place)
        if self._granting is None:
            self._granting = asyncio.create_task(self._grant(), name="turns of the bot's messages")
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self.give_back()
            raise

    def take(self) -> None:
        """Take a token without waiting, for a message that is sent now; those in line wait longer for it."""
        self._tokens = self._filled() - 1

    def give_back(self) -> None:
        """Return a token whose message is not sent."""
        self._tokens += 1

    async def _grant(self) -> None:
        """Grant one turn after the other, as fast as the rate allows, until the queue is empty."""
        try:
            while (rank := self._next_rank()) is not None:
                missing = 1 - self._filled()
                if missing > 0:
                    await asyncio.sleep(max(missing / self._rate, 0.001))
                    continue
                self._answers_in_a_row = self._answers_in_a_row + 1 if rank is Rank.ANSWER else 0
                self.take()
                self._lines[rank].popleft().set_result(None)
        finally:
            self._granting = None

    def _next_rank(self) -> Rank | None:
        """The rank whose turn is next; None when nobody waits. Drops cancelled waiters from the queue."""
        for line in self._lines.values():
            while line and line[0].cancelled():
                line.popleft()
        waiting = [rank for rank in Rank if self._lines[rank]]
        is_notices_turn = Rank.NOTICE in waiting and self._answers_in_a_row >= self._answers_a_notice
        if waiting and waiting[0] is Rank.ANSWER and is_notices_turn:
            return Rank.NOTICE
        return waiting[0] if waiting else None

    def _filled(self) -> float:
        """Refill the bucket for the time that has passed; the tokens in it."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return self._tokens
