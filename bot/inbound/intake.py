"""Updates in, polled or posted: sealed, committed to the inbox, and only then confirmed to Telegram."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import orjson

from bot.inbound.floods import Floods
from bot.runtime.metrics import TALLY
from handlers.chat.incoming import sender
from models.chats import inbox
from models.database.engine import Database
from models.security.sealing import Seal

log = logging.getLogger(__name__)

ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]

_LARGEST_ID = 2**63 - 1
# Seconds from one commit of what senders post who are not known for officers to the next. Each commit takes time
# from the officers' own (docs/performance.md, "In Telegram's weather").
STRANGERS_EVERY = 0.05
# Seconds between two lines of the log about what was dropped.
DROPPED_EVERY = 10.0


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
        # What was dropped since the log was told, and when it was.
        self._dropped = 0
        self._dropped_told_at = -DROPPED_EVERY
        self._officers_posts = _Together(self.keep)
        self._other_posts = _Together(self.keep, STRANGERS_EVERY)

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
        """Commit a batch and pass on what was not known; returns whether there was such. Raises whatever the
        database does: nothing is sure then.

        What senders who are not linked flood the bot with is counted and dropped: the one exception to "every
        update is stored first". It bounds what anybody at all can make the program do.
        """
        known: list[inbox.Received] = []
        others: list[inbox.Received] = []
        for item in batch:
            (known if self._is_known(item.sender) else others).append(item)
        # First: the others' senders must be looked up before.
        is_news = await self._store(known)
        return await self._store(await self._admitted(others)) or is_news

    async def _store(self, batch: list[inbox.Received]) -> bool:
        if not batch:
            return False
        async with self._database.write() as session:
            kept = await inbox.store(session, self._bot_id, batch, self._clock())
        self._on_batch(kept)
        return bool(kept)

    async def _admitted(self, batch: list[inbox.Received]) -> list[inbox.Received]:
        """Those of senders who were not known for officers that are kept. They are looked up each time, in what is
        committed now: an update of somebody who was linked a moment ago is never dropped.
        """
        if not batch:
            return []
        async with self._database.read() as session:
            linked = (await self._floods.look_up(session, {item.sender for item in batch})).linked
        # Whoever became known meanwhile was not looked up any more.
        admitted = [
            item
            for item in batch
            if item.sender in linked or self._is_known(item.sender) or self._floods.admits(item.sender)
        ]
        if dropped := len(batch) - len(admitted):
            self._tell_dropped(dropped)
        return admitted

    def _tell_dropped(self, dropped: int) -> None:
        TALLY.updates["unknown", "dropped"] += dropped
        self._dropped += dropped
        now = asyncio.get_running_loop().time()
        if now >= self._dropped_told_at + DROPPED_EVERY:
            log.warning("%d updates of senders who are not linked and flood the bot were dropped", self._dropped)
            self._dropped, self._dropped_told_at = 0, now

    def _is_known(self, sender: int) -> bool:
        # 0 is nobody: what names no sender comes from Telegram itself.
        return sender == 0 or self._floods.is_officer(sender)

    async def put(self, received: inbox.Received) -> None:
        """Commit one update, together with those that come while the database is busy. Raises as `keep`.

        Updates of officers do not wait for the commits of the others, unless one of the same sender stands there.
        """
        is_first = self._is_known(received.sender) and not self._other_posts.waits(received.sender)
        await (self._officers_posts if is_first else self._other_posts).put(received)


class _Together:
    """Posts that are kept together: those that come while others are being kept, and within `apart` seconds from
    the beginning of that.
    """

    def __init__(self, keep: Callable[[list[inbox.Received]], Awaitable[bool]], apart: float = 0.0) -> None:
        self._keep = keep
        self._apart = apart
        self._waiting: list[tuple[inbox.Received, asyncio.Future[None]]] = []
        self._in_hand: list[tuple[inbox.Received, asyncio.Future[None]]] = []
        self._keeping: asyncio.Task[None] | None = None

    def waits(self, sender: int) -> bool:
        """Whether an update of the sender is not kept yet."""
        return any(received.sender == sender for received, _ in (*self._in_hand, *self._waiting))

    async def put(self, received: inbox.Received) -> None:
        """Have an update kept. Raises whatever keeping the batch did."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((received, done))
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep_all())
        await done

    async def _keep_all(self) -> None:
        while self._waiting:
            begun = asyncio.get_running_loop().time()
            self._in_hand, self._waiting = self._waiting, []
            await self._keep_one_batch()
            if self._apart:
                await asyncio.sleep(max(0.0, begun + self._apart - asyncio.get_running_loop().time()))
        self._keeping = None

    async def _keep_one_batch(self) -> None:
        failure: Exception | None = None
        try:
            await self._keep([received for received, _ in self._in_hand])
        except Exception as error:
            failure = error
        batch, self._in_hand = self._in_hand, []
        for _, done in batch:
            # Somebody who no longer waits has cancelled it.
            if done.done():
                continue
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)


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
