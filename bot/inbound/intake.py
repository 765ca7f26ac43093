"""Updates in, polled or posted: sealed, committed to the inbox, and only then confirmed to Telegram."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from bot.inbound.floods import Floods
from bot.runtime.metrics import TALLY
from handlers.chat.incoming import sender
from models.chats import inbox
from models.database.engine import Database, Session
from models.security.sealing import Seal

log = logging.getLogger(__name__)

ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]

_LARGEST_ID = 2**63 - 1


class Intake:
    """Keeps updates raw: one that cannot be read must not stop the others.

    `on_batch` is told of what was committed. What was committed although the commit seemed to fail comes again
    from Telegram as known, and is found by the worker's next look.
    """

    def __init__(
        self,
        bot_id: int,
        database: Database,
        seal: Seal,
        clock: Callable[[], datetime],
        on_batch: Callable[[list[inbox.InboxUpdate]], None],
        floods: Floods | None = None,
    ) -> None:
        self._bot_id = bot_id
        self._database = database
        self._seal = seal
        self._clock = clock
        self._on_batch = on_batch
        self._floods = floods or Floods()
        self._waiting: list[tuple[inbox.Received, asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None

    def receive(self, update: Any, raw: bytes | None = None) -> inbox.Received | None:
        """An update ready for the inbox; None, logged and counted, for what bears no id: it can never be kept.

        `raw` is its JSON where that is at hand.
        """
        update_id = update.get("update_id") if isinstance(update, dict) else None
        if not isinstance(update_id, int) or not 0 <= update_id <= _LARGEST_ID:
            log.error("an update without an id was left out")
            TALLY.updates["unknown", "left_out"] += 1
            return None
        return inbox.Received(update_id, _turn_of(update), self._seal.close(raw or _as_json(update)))

    async def keep(self, batch: list[inbox.Received]) -> bool:
        """Commit a batch, pass on what was not known; whether there was such. Raises whatever the database does:
        nothing is sure then.

        What a sender who is not linked floods the bot with is counted and dropped: the one exception to "every
        update is stored first". It bounds what anybody at all can make the program do.
        """
        async with self._database.write() as session:
            admitted = await self._admitted(session, batch)
            kept = await inbox.store(session, self._bot_id, admitted, self._clock())
        self._on_batch(kept)
        return bool(kept)

    async def _admitted(self, session: Session, batch: list[inbox.Received]) -> list[inbox.Received]:
        await self._floods.look_up(session, {item.sender for item in batch})
        admitted = [item for item in batch if self._is_admitted(item.sender)]
        if dropped := len(batch) - len(admitted):
            TALLY.updates["unknown", "dropped"] += dropped
            log.warning("%d updates of senders who are not linked and flood the bot were dropped", dropped)
        return admitted

    def _is_admitted(self, sender: int) -> bool:
        # 0 is nobody: what names no sender comes from Telegram itself.
        return sender == 0 or self._floods.is_officer(sender) or self._floods.admits(sender)

    async def put(self, received: inbox.Received) -> None:
        """Commit one update, together with those that come while the database is busy. Raises as `keep`."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((received, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        await done

    async def _commit(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            failure: Exception | None = None
            try:
                await self.keep([received for received, _ in batch])
            except Exception as error:
                failure = error
            for _, done in batch:
                # Somebody who no longer waits has cancelled it.
                if done.done():
                    continue
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(failure)
        self._committing = None


def _turn_of(update: dict[str, Any]) -> int:
    """Whose turn it is; 0 when the update is not shaped so that it could be told."""
    try:
        found = sender(update)
    except (AttributeError, TypeError):
        return 0
    return found if 0 <= found <= _LARGEST_ID else 0


def _as_json(update: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(update)
    except orjson.JSONEncodeError:
        # Half a surrogate pair in a text: kept as an escape.
        return json.dumps(update).encode()
