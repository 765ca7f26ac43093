"""Updates in, by long polling: each batch is committed to the inbox before it is confirmed to Telegram."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from telegram import Bot
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.api import retry_seconds
from bot.transport import AiohttpRequest
from handlers.incoming import sender
from models import inbox, pin, roster_draft, throttle
from models.database import Database
from models.sealing import Seal

log = logging.getLogger(__name__)

# Seconds that Telegram holds a poll when there is nothing; the read timeout is longer.
POLL = 20
ALLOWED_UPDATES = ["message", "callback_query", "my_chat_member"]
# Seconds before the next poll after a failure; when another program polls, it gets some more.
PAUSE_AFTER_FAILURE = 1.0
PAUSE_AFTER_CONFLICT = 5.0
FORGET_EVERY = 3600.0

_LARGEST_ID = 2**63 - 1


class TokenRefused(Exception):
    """Telegram does not know the token."""


class Poller:
    """Asks for updates and puts them into the inbox, raw: one that cannot be read must not stop the others.

    `on_batch` is told of what was committed.
    """

    def __init__(
        self,
        bot: Bot,
        polls: AiohttpRequest,
        database: Database,
        seal: Seal,
        clock: Callable[[], datetime],
        on_batch: Callable[[list[inbox.InboxUpdate]], None],
    ) -> None:
        self._url = f"{bot.base_url}/getUpdates"
        self._bot_id = bot.id
        self._database = database
        self._seal = seal
        self._clock = clock
        self._on_batch = on_batch
        self._polls = polls
        # None: nothing of ours is unconfirmed. After an idle week the ids restart at random (Bot API,
        # Update.update_id), so that an old offset could hide new updates.
        self._offset: int | None = None
        # A commit that failed may have been made all the same: its updates come again as known ones.
        self._unsure = False
        self._forget_at = 0.0

    async def run(self) -> None:
        """Poll until cancelled. Raises TokenRefused."""
        while True:
            try:
                await self._keep(await self._get_updates())
                await self._forget()
            except InvalidToken as error:
                raise TokenRefused from error
            except RetryAfter as error:
                log.warning("poll failed: %s", error.message)
                await asyncio.sleep(retry_seconds(error))
            except Conflict as error:
                log.error("another program polls this bot, or a webhook is set: %s", error.message)
                await asyncio.sleep(PAUSE_AFTER_CONFLICT)
            except Exception as error:
                # Whatever it is: nothing was confirmed, the same updates come again.
                log.warning("poll failed: %s", error if isinstance(error, TelegramError) else type(error).__name__)
                self._unsure = True
                await asyncio.sleep(PAUSE_AFTER_FAILURE)

    async def _get_updates(self) -> list[Any]:
        parameters = {"timeout": POLL, "limit": 100, "allowed_updates": json.dumps(ALLOWED_UPDATES)}
        if self._offset is not None:
            parameters["offset"] = self._offset
        # Raw: python-telegram-bot's own objects would refuse a whole batch for one update that they cannot read;
        # so would orjson for half a surrogate pair in a text.
        payload = await self._polls.retrieve(f"{self._url}?{urlencode(parameters)}")
        updates = json.loads(payload.decode(errors="replace"))["result"]
        return list(updates)

    async def _keep(self, updates: list[Any]) -> None:
        if not updates and not self._unsure:
            self._offset = None
            return
        batch = [item for item in map(self._received, updates) if item is not None]
        if updates and not batch:
            raise ValueError("a batch without a single update in it")
        async with self._database.write() as session:
            kept = await inbox.store(session, self._bot_id, batch, self._clock())
            if self._unsure:
                kept = await inbox.pending(session, self._bot_id)
        self._unsure = False
        self._offset = max(item.update_id for item in batch) + 1 if batch else None
        self._on_batch(kept)

    def _received(self, update: Any) -> inbox.Received | None:
        update_id = update.get("update_id") if isinstance(update, dict) else None
        if not isinstance(update_id, int) or not 0 <= update_id <= _LARGEST_ID:
            log.error("an update without an id was left out")
            return None
        return inbox.Received(update_id, _turn_of(update), self._seal.close(json.dumps(update).encode()))

    async def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._forget_at:
            return
        self._forget_at = now + FORGET_EVERY
        async with self._database.write() as session:
            await inbox.forget_old(session, self._clock())
            await throttle.forget_old(session, self._clock())
            await pin.forget_old_keypads(session, self._clock())
            await roster_draft.forget_old_drafts(session, self._clock())


def _turn_of(update: dict[str, Any]) -> int:
    """Whose turn it is; 0 when the update is not shaped so that it could be told."""
    try:
        found = sender(update)
    except (AttributeError, TypeError):
        return 0
    return found if 0 <= found <= _LARGEST_ID else 0
