"""The pauses that Telegram asks for, kept in the database, and what is sent to a person and waits for them."""

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
    """Sends within the limits that it shares with the courier."""

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
        # Until when each chat is paused, as the database says.
        self._obeyed: dict[int, datetime] = {}

    async def send(self, what: str, chat_id: int, screen: Screen) -> int | None:
        """Send a screen until it gets through; the message's id, or None when it will not."""
        return await self.make(what, chat_id, lambda: api.send(self._bot, chat_id, screen))

    async def make(self, what: str, chat_id: int, call: Callable[[], Awaitable[Result]]) -> Result | None:
        """Make a call that sends a new message, like api.persist; nothing goes to a chat that is paused."""

        async def once() -> Result:
            await self._limiter.bot.turn(Rank.ANSWER)
            await self._wait(chat_id)
            self._limiter.spend(chat_id)
            try:
                return await call()
            except RetryAfter as error:
                await self.pause(chat_id, api.retry_seconds(error))
                raise

        return await api.persist(what, once, self._retries)

    async def _wait(self, chat_id: int) -> None:
        """Wait until the chat is not paused. Raises RetryAfter when that is not waited for."""
        while (seconds := self._limiter.wait(chat_id, Weight.WAY)) > 0:
            if seconds > self._retries.longest_wait:
                raise RetryAfter(timedelta(seconds=seconds))
            await asyncio.sleep(max(seconds, 0.001))

    def obey(self, chat_id: int, until: datetime | None) -> None:
        """A pause that the database knows of: another program may have been asked for it."""
        if until is None or until == self._obeyed.get(chat_id):
            return
        self._obeyed[chat_id] = until
        seconds = (until - self._clock()).total_seconds()
        if seconds > self._limiter.paused_for(chat_id):
            self._limiter.pause(chat_id, seconds)

    async def pause(self, chat_id: int, seconds: float) -> None:
        """Obey at once, in all programs on the database, and after a restart too."""
        self._limiter.pause(chat_id, seconds)
        now = self._clock()
        until = self._obeyed[chat_id] = now + timedelta(seconds=seconds)
        try:
            async with self._database.write() as session:
                await reachability.pause(session, chat_id, until, now)
        except Exception as error:
            log.error("a chat's pause could not be noted: %s", type(error).__name__)
