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

# Seconds for which Telegram holds a poll while there is no update; the read timeout is longer.
POLL = 20
# Seconds between checks whether this program still has the lease.
LEASE_EVERY = 1.0


@dataclass(frozen=True)
class PollPauses:
    """How long polls take, and the pauses between them, in seconds."""

    # Before the next poll after a failure, and after a 409 because another program polls.
    after_failure: float = 1.0
    after_conflict: float = 5.0
    # At least from the start of a poll that brought nothing new to the start of the next: for a server that does
    # not hold polls, or that sends the same updates again and again.
    floor: float = 1.0
    # To transfer a batch, on top of POLL. The sum is less than the time that the watchdog allows a poll.
    transfer: float = 30.0


POLL_PAUSES = PollPauses()


class TokenRefused(Exception):
    """Telegram does not know the token."""


class Poller:
    """Long polling: fetches updates and has the intake store them. `now` is monotonic, in seconds."""

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
        # None when all stored updates are confirmed. After an idle week the ids restart at random (Bot API,
        # Update.update_id), so that an old offset could hide new updates.
        self._offset: int | None = None
        # The loop's time at which the last poll's updates were committed; None while nothing polls.
        self._finished_at: float | None = None

    def idle(self) -> float | None:
        """Seconds since the updates of a poll were last committed; None while nothing polls."""
        return None if self._finished_at is None else asyncio.get_running_loop().time() - self._finished_at

    async def run(self) -> None:
        """Poll until cancelled; failures are logged and retried. Raises TokenRefused."""
        self._finished_at = asyncio.get_running_loop().time()
        try:
            await self._poll()
        finally:
            self._finished_at = None

    async def _poll(self) -> None:
        while True:
            started_at = self._now()
            try:
                is_news = await self._keep(await self._get_updates())
                self._finished_at = asyncio.get_running_loop().time()
                if not is_news:
                    await self._sleep(max(0.0, started_at + self._pauses.floor - self._now()))
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
                # Any error: nothing was confirmed, so Telegram sends the same updates again.
                log.warning("poll failed: %s", error if isinstance(error, TelegramError) else name_of(error))
                await asyncio.sleep(self._pauses.after_failure)

    async def _get_updates(self) -> list[Any]:
        parameters = {"timeout": POLL, "limit": 100, "allowed_updates": json.dumps(ALLOWED_UPDATES)}
        if self._offset is not None:
            parameters["offset"] = self._offset
        # Decoded by json: python-telegram-bot's objects would refuse a whole batch for one update that they cannot
        # read, and orjson for an unpaired surrogate in a text.
        payload = await self._polls.retrieve(f"{self._url}?{urlencode(parameters)}")
        updates = json.loads(payload.decode(errors="replace"))["result"]
        return list(updates)

    async def _keep(self, updates: list[Any]) -> bool:
        """Store the updates and advance the offset; whether any was new. Updates that were dropped as a flood
        count as new, because others' updates wait behind them.
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
    """Poll whenever this program has the lease, until cancelled, and give the lease back. Telegram lets only one
    program poll at a time. Raises TokenRefused.
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
