"""Updates in, by long polling: each batch is committed to the inbox before it is confirmed to Telegram."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from sqlalchemy.exc import SQLAlchemyError
from telegram import Bot
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.api import retry_seconds
from bot.sealing import Seal
from bot.transport import AiohttpRequest
from handlers.incoming import sender
from models import inbox
from models.database import Database

log = logging.getLogger(__name__)

# Seconds that Telegram holds a poll when there is nothing; the read timeout is longer.
POLL = 20
ALLOWED_UPDATES = ["message", "callback_query", "my_chat_member"]
# Seconds before the next poll after a failure.
PAUSE_AFTER_FAILURE = 1.0
FORGET_EVERY = 3600.0


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

    async def run(self) -> None:
        """Poll until cancelled. Raises TokenRefused."""
        forgotten = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await self._poll_once()
            if loop.time() - forgotten > FORGET_EVERY:
                forgotten = loop.time()
                async with self._database.write() as session:
                    await inbox.forget_old(session, self._clock())

    async def _poll_once(self) -> None:
        try:
            updates = await self._get_updates()
            await self._keep(updates)
        except InvalidToken as error:
            raise TokenRefused(error.message) from error
        except RetryAfter as error:
            await asyncio.sleep(retry_seconds(error))
        except Conflict as error:
            log.error("another program polls this bot, or a webhook is set: %s", error.message)
            await asyncio.sleep(PAUSE_AFTER_FAILURE * 5)
        except (NetworkError, TelegramError, SQLAlchemyError) as error:
            # Nothing was confirmed: the same updates come again.
            log.warning("poll failed: %s", error)
            await asyncio.sleep(PAUSE_AFTER_FAILURE)

    async def _get_updates(self) -> list[dict[str, Any]]:
        parameters = {"timeout": POLL, "limit": 100, "allowed_updates": orjson.dumps(ALLOWED_UPDATES).decode()}
        if self._offset is not None:
            parameters["offset"] = self._offset
        # Raw: python-telegram-bot's own objects would refuse a whole batch for one update that they cannot read.
        payload = await self._polls.retrieve(f"{self._url}?{urlencode(parameters)}")
        updates: list[dict[str, Any]] = self._polls.parse_json_payload(payload)["result"]
        return updates

    async def _keep(self, updates: list[dict[str, Any]]) -> None:
        if not updates:
            self._offset = None
            return
        batch = [
            inbox.Received(update["update_id"], sender(update), self._seal.close(orjson.dumps(update)))
            for update in updates
        ]
        async with self._database.write() as session:
            kept = await inbox.store(session, self._bot_id, batch, self._clock())
        self._offset = max(item.update_id for item in batch) + 1
        self._on_batch(kept)
