"""New messages in answer to a person, sent within the rate limits. The pauses that Telegram asks for are stored
in the database, so that all programs obey them, after a restart too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from telegram import Bot
from telegram.error import RetryAfter

from bot.telegram import api
from bot.telegram.api import RETRIES, Retries
from bot.telegram.bot_rate import Rank
from bot.telegram.limiter import Limiter, Weight
from handlers.chat.screen import Screen
from models.database.engine import Database
from models.notices import reachability

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Answers:
    """Sends answers through the rate limiter that it shares with the courier. `clock` gives the time in UTC."""

    def __init__(
        self,
        bot: Bot,
        database: Database,
        clock: Callable[[], datetime],
        limiter: Limiter | None = None,
        retries: Retries = RETRIES,
    ) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._limiter = limiter or Limiter()
        self._retries = retries
        # By chat id: the end of the pause that was last read from the database or written to it.
        self._obeyed: dict[int, datetime] = {}

    async def send(self, what: str, chat_id: int, screen: Screen) -> int | None:
        """Send a screen as a new message, with retries. Returns the message's id, or None when Telegram refused it
        or all tries failed. `what` names the call in the log.
        """
        return await self.make(what, chat_id, lambda: api.send(self._bot, chat_id, screen))

    async def make(self, what: str, chat_id: int, call: Callable[[], Awaitable[Result]]) -> Result | None:
        """Make a call that sends a new message, with the retries of `api.persist`; None when it failed for good.

        Each try waits for its turn under the bot's limit and for the end of the chat's pause. A pause longer than
        `Retries.longest_wait` is not waited for: the result is None.
        """

        async def attempt() -> Result:
            await self._limiter.bot.turn(Rank.ANSWER)
            await self._wait(chat_id)
            self._limiter.spend(chat_id)
            try:
                return await call()
            except RetryAfter as error:
                await self.pause(chat_id, api.retry_seconds(error))
                raise

        return await api.persist(what, attempt, self._retries)

    async def _wait(self, chat_id: int) -> None:
        """Wait until the chat may be called. Raises RetryAfter when that takes longer than `longest_wait`."""
        while (seconds := self._limiter.wait(chat_id, Weight.WAY)) > 0:
            if seconds > self._retries.longest_wait:
                raise RetryAfter(timedelta(seconds=seconds))
            await asyncio.sleep(max(seconds, 0.001))

    def obey(self, chat_id: int, until: datetime | None) -> None:
        """Apply a chat's pause as read from the database: another program may have received the 429. None is no
        pause.
        """
        if until is None or until == self._obeyed.get(chat_id):
            return
        self._obeyed[chat_id] = until
        seconds = (until - self._clock()).total_seconds()
        if seconds > self._limiter.paused_for(chat_id):
            self._limiter.pause(chat_id, seconds)

    async def pause(self, chat_id: int, seconds: float) -> None:
        """Apply a pause that Telegram asked for with a 429, and store it for the other programs and for a restart.

        A failure to store it is logged: this program obeys the pause all the same.
        """
        self._limiter.pause(chat_id, seconds)
        now = self._clock()
        until = self._obeyed[chat_id] = now + timedelta(seconds=seconds)
        try:
            async with self._database.write() as session:
                await reachability.pause(session, chat_id, until, now)
        except Exception as error:
            log.error("the pause of a chat could not be stored: %s", type(error).__name__)
