"""Long polling: each batch is committed to the inbox before the next poll's offset confirms it to Telegram."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from telegram import Bot
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.inbound.intake import ALLOWED_UPDATES, Intake
from bot.runtime.metrics import TALLY
from bot.telegram.api import retry_seconds
from bot.telegram.transport import AiohttpRequest
from models.database.lease import Lease
from models.database.trouble import name_of

log = logging.getLogger(__name__)

# Seconds that Telegram holds a poll when there is nothing; the read timeout is longer.
POLL = 20
# Seconds between looks whether the lease is still held.
LEASE_EVERY = 1.0


@dataclass(frozen=True)
class PollPauses:
    """How long polls take, and what is between them, in seconds."""

    # Before the next poll after a failure; when another program polls, it gets some more.
    after_failure: float = 1.0
    after_conflict: float = 5.0
    # From the beginning of a poll that brought nothing new to the next: a server that does not hold polls, or
    # gives the same again and again, is asked no more often.
    floor: float = 1.0
    # For the batch itself, beside POLL: together less than what the watchdog allows a poll.
    transfer: float = 30.0


POLL_PAUSES = PollPauses()


class TokenRefused(Exception):
    """Telegram does not know the token."""


class Poller:
    """Asks for updates, and has the intake keep them. The floor is in seconds of `now`, which `sleep` spends."""

    def __init__(
        self,
        bot: Bot,
        polls: AiohttpRequest,
        intake: Intake,
        pauses: PollPauses = POLL_PAUSES,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = f"{bot.base_url}/getUpdates"
        self._polls = polls
        self._intake = intake
        self._pauses = pauses
        self._now = now
        self._sleep = sleep
        # None: nothing of ours is unconfirmed. After an idle week the ids restart at random (Bot API,
        # Update.update_id), so that an old offset could hide new updates.
        self._offset: int | None = None
        # By the loop's clock, when what a poll brought was last kept; None while nothing polls.
        self._finished_at: float | None = None

    def idle(self) -> float | None:
        """Seconds since a poll was finished; None while nothing polls."""
        return None if self._finished_at is None else asyncio.get_running_loop().time() - self._finished_at

    async def run(self) -> None:
        """Poll until cancelled. Raises TokenRefused."""
        self._finished_at = asyncio.get_running_loop().time()
        try:
            await self._poll()
        finally:
            self._finished_at = None

    async def _poll(self) -> None:
        while True:
            begun = self._now()
            try:
                is_news = await self._keep(await self._get_updates())
                self._finished_at = asyncio.get_running_loop().time()
                if not is_news:
                    await self._sleep(max(0.0, begun + self._pauses.floor - self._now()))
            except InvalidToken as error:
                raise TokenRefused from error
            except RetryAfter as error:
                log.warning("poll failed: %s", error.message)
                await asyncio.sleep(max(retry_seconds(error), self._pauses.after_failure))
            except Conflict as error:
                TALLY.conflicts["getUpdates"] += 1
                log.error("another program polls this bot, or a webhook is set: %s", error.message)
                await asyncio.sleep(self._pauses.after_conflict)
            except Exception as error:
                # Whatever it is: nothing was confirmed, the same updates come again.
                log.warning("poll failed: %s", error if isinstance(error, TelegramError) else name_of(error))
                await asyncio.sleep(self._pauses.after_failure)

    async def _get_updates(self) -> list[Any]:
        parameters = {"timeout": POLL, "limit": 100, "allowed_updates": json.dumps(ALLOWED_UPDATES)}
        if self._offset is not None:
            parameters["offset"] = self._offset
        # Raw: python-telegram-bot's own objects would refuse a whole batch for one update that they cannot read;
        # so would orjson for half a surrogate pair in a text.
        payload = await self._polls.retrieve(f"{self._url}?{urlencode(parameters)}")
        updates = json.loads(payload.decode(errors="replace"))["result"]
        return list(updates)

    async def _keep(self, updates: list[Any]) -> bool:
        """Have them kept; whether there was anything new. What a flood's batch loses is new, too: the updates of
        others wait behind it.
        """
        if not updates:
            self._offset = None
            return False
        batch = [item for item in map(self._intake.receive, updates) if item is not None]
        if not batch:
            raise ValueError("a batch without a single update in it")
        confirmed = self._offset
        is_news = await self._intake.keep(batch)
        self._offset = max(item.update_id for item in batch) + 1
        return is_news or (confirmed is not None and self._offset > confirmed)


async def poll_in_turn(poller: Poller, lease: Lease) -> None:
    """Poll as long as this program has the lease, until cancelled: Telegram lets one program poll. Raises
    TokenRefused.
    """
    keeping = asyncio.create_task(lease.keep(), name="lease of the poller")
    try:
        while True:
            await lease.taken.wait()
            await _poll_while(poller, lease)
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        await lease.give_back()


async def _poll_while(poller: Poller, lease: Lease) -> None:
    polling = asyncio.create_task(poller.run(), name="polls")
    try:
        while lease.is_held and not polling.done():
            await asyncio.wait({polling}, timeout=LEASE_EVERY)
    finally:
        if not polling.done():
            polling.cancel()
            await asyncio.wait({polling})
    if not polling.cancelled():
        polling.result()
