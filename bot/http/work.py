"""Health of the work that all replicas share: Telegram answers, no other program polls, no update or message waits
long, and Telegram accepts what is sent. It is no reason to take one replica out of rotation.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from telegram import Bot
from telegram.error import InvalidToken, NetworkError, TelegramError

from bot.http.cached import Cached
from bot.http.readiness import READINESS_TIMES, Part, ReadinessTimes
from bot.http.stored import Stored
from bot.runtime.metrics import TALLY, Latest

# Seconds for which the oldest update, and the oldest message that is due, may wait (deploy/alerts.yml).
UPDATE_WAITS = 30.0
MESSAGE_WAITS = 600.0
# Seconds for which a 409 to a poll, or a refusal, counts as not ok.
RECENT = 600.0
# The state of parts that are read from the database, while it is away.
NOT_KNOWN = Part(False, "not known")


class Work:
    """Checks the parts on request, with a cache of some seconds. `stored` reads the database's numbers."""

    def __init__(
        self,
        bot: Bot,
        stored: Cached[Stored | None],
        clock: Callable[[], datetime],
        times: ReadinessTimes = READINESS_TIMES,
    ) -> None:
        self._bot = bot
        self._stored = stored
        self._clock = clock
        self._patience = times.patience
        self._bot_api = Cached(self._ask_bot_api, times.bot_api_for)
        # Why the Bot API has not been reached since the start; None once it has.
        self.waits_for: str | None = "it was not asked yet"

    async def parts(self) -> dict[str, Part]:
        """The state of each part by name: `bot_api`, `updates`, `notices`, `poller`, `refusals`."""
        bot_api, stored = await asyncio.gather(self.bot_api(), self._stored.get())
        return {
            "bot_api": bot_api,
            "updates": NOT_KNOWN if stored is None else self._waiting(stored.updates.oldest, UPDATE_WAITS),
            "notices": NOT_KNOWN if stored is None else self._waiting(stored.messages.oldest, MESSAGE_WAITS),
            "poller": _quiet(TALLY.conflicts, "another program polls this bot"),
            "refusals": _quiet(TALLY.refusals, "Telegram refused what was sent"),
        }

    async def bot_api(self) -> Part:
        """Whether the Bot API answers and accepts the token; also sets the metric."""
        part = Part(False, self.waits_for) if self.waits_for is not None else await self._bot_api.get()
        TALLY.bot_api_answers = part.is_ok
        return part

    async def bot_api_answers(self) -> bool:
        """`bot_api` as a truth value."""
        return (await self.bot_api()).is_ok

    def _waiting(self, oldest: datetime | None, longest_wait: float) -> Part:
        if oldest is None:
            return Part(True, "none waits")
        seconds = max(0.0, (self._clock() - oldest).total_seconds())
        return Part(seconds <= longest_wait, f"the oldest waits for {seconds:.0f} s")

    async def _ask_bot_api(self) -> Part:
        try:
            async with asyncio.timeout(self._patience):
                await self._bot.get_me()
        except (InvalidToken, NetworkError, TimeoutError) as error:
            return Part(False, type(error).__name__)
        except TelegramError:
            # Any other refusal, such as a 429, is an answer too.
            pass
        return Part(True, "answers")


def _quiet(counter: Latest, what: str) -> Part:
    """Not ok when the counter has counted within RECENT seconds."""
    ago = None if counter.at is None else time.monotonic() - counter.at
    if ago is None or ago > RECENT:
        return Part(True, "none lately")
    return Part(False, f"{what}, {ago:.0f} s ago")
