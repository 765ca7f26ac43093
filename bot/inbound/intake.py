"""Stores incoming updates, polled or posted: each is sealed and committed to the inbox, and only then confirmed to
Telegram.
"""

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
from models.security.sealing import Seal, Unreadable

log = logging.getLogger(__name__)

ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]

_LARGEST_ID = 2**63 - 1
# Seconds between two commits of posts whose senders are not known to be officers. Each commit delays those of the
# officers (docs/performance.md, "In Telegram's weather"; docs/adr/0042).
STRANGERS_EVERY = 0.05
# Seconds between two log lines about dropped updates.
DROPPED_EVERY = 10.0


class Intake:
    """Stores updates in raw form, so that one that cannot be decoded does not stop the others.

    `on_batch` receives the rows that were committed and were not there before. After a commit that failed on the
    connection but took effect, Telegram sends the same updates again; they count as known, and the worker's next
    scan finds their rows.
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
        # Updates dropped since the last log line about them, and the loop's time of that line.
        self._dropped = 0
        self._dropped_logged_at = -DROPPED_EVERY
        self._officers_posts = _Batches(self.keep)
        self._other_posts = _Batches(self.keep, STRANGERS_EVERY)

    def receive(self, update: Any, raw: bytes | None = None) -> inbox.Received | None:
        """Seal a decoded update for the inbox. `raw` is its JSON, where the caller has it.

        Returns None for one without a valid `update_id`, which cannot be stored; it is logged and counted.
        """
        update_id = update.get("update_id") if isinstance(update, dict) else None
        if not isinstance(update_id, int) or not 0 <= update_id <= _LARGEST_ID:
            log.error("an update without an id was left out")
            TALLY.updates["unknown", "left_out"] += 1
            return None
        sender_id = _sender_of(update)
        about = inbox.identity(self._bot_id, update_id, sender_id)
        return inbox.Received(update_id, sender_id, self._seal.close(raw or _as_json(update), about))

    async def keep(self, batch: list[inbox.Received]) -> bool:
        """Commit a batch to the inbox and pass the new rows to `on_batch`. Idempotent; returns whether any was
        new.

        Updates of senders who are not linked and flood the bot are counted and dropped: the one exception to
        "every update is stored first". It bounds the work that a stranger can cause. Raises the database's errors;
        the batch may be committed all the same.
        """
        known: list[inbox.Received] = []
        others: list[inbox.Received] = []
        for item in batch:
            (known if self._is_known(item.sender) else others).append(item)
        # The officers' first: for the others a query must look up the senders.
        is_news = await self._store(known)
        return await self._store(await self._admitted(others)) or is_news

    async def _store(self, batch: list[inbox.Received]) -> bool:
        if not batch:
            return False
        async with self._database.write() as session:
            new_updates = await inbox.store(session, self._bot_id, batch, self._clock())
        self._on_batch(new_updates)
        return bool(new_updates)

    async def _admitted(self, batch: list[inbox.Received]) -> list[inbox.Received]:
        """The updates to store, of a batch whose senders were not known to be officers. Queries the senders each
        time, so that an update of a sender who was linked a moment ago is never dropped.
        """
        if not batch:
            return []
        async with self._database.read() as session:
            linked = (await self._floods.look_up(session, {item.sender for item in batch})).linked
        # A sender who became known in the meantime was left out of the query.
        admitted = [
            item
            for item in batch
            if item.sender in linked or self._is_known(item.sender) or self._floods.admits(item.sender)
        ]
        if dropped := len(batch) - len(admitted):
            self._log_dropped(dropped)
        return admitted

    def _log_dropped(self, dropped: int) -> None:
        TALLY.updates["unknown", "dropped"] += dropped
        self._dropped += dropped
        now = asyncio.get_running_loop().time()
        if now >= self._dropped_logged_at + DROPPED_EVERY:
            log.warning("%d updates of senders who are not linked and flood the bot were dropped", self._dropped)
            self._dropped, self._dropped_logged_at = 0, now

    def _is_known(self, sender: int) -> bool:
        # 0 stands for an update without a sender, which comes from Telegram itself.
        return sender == 0 or self._floods.is_officer(sender)

    async def put(self, received: inbox.Received) -> None:
        """Commit one update in a batch with those that arrive while another batch is being committed.

        Officers' updates have batches of their own and do not wait for those of the others, unless an earlier
        update of the same sender is waiting there. Raises as `keep`.
        """
        is_first = self._is_known(received.sender) and not self._other_posts.waits(received.sender)
        await (self._officers_posts if is_first else self._other_posts).put(received)


class _Batches:
    """Batches posts into shared commits: a post joins the batch that is stored when the running commit has ended,
    and at least `apart` seconds after that commit began.
    """

    def __init__(self, keep: Callable[[list[inbox.Received]], Awaitable[bool]], apart: float = 0.0) -> None:
        self._keep = keep
        self._apart = apart
        self._waiting: list[tuple[inbox.Received, asyncio.Future[None]]] = []
        self._in_hand: list[tuple[inbox.Received, asyncio.Future[None]]] = []
        self._keeping: asyncio.Task[None] | None = None

    def waits(self, sender: int) -> bool:
        """Whether an update of the sender is not committed yet."""
        return any(received.sender == sender for received, _ in (*self._in_hand, *self._waiting))

    async def put(self, received: inbox.Received) -> None:
        """Wait until the update is committed. Raises the error of its batch."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((received, done))
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep_all())
        await done

    async def _keep_all(self) -> None:
        while self._waiting:
            started_at = asyncio.get_running_loop().time()
            self._in_hand, self._waiting = self._waiting, []
            await self._keep_one_batch()
            if self._apart:
                await asyncio.sleep(max(0.0, started_at + self._apart - asyncio.get_running_loop().time()))
        self._keeping = None

    async def _keep_one_batch(self) -> None:
        failure: Exception | None = None
        try:
            await self._keep([received for received, _ in self._in_hand])
        except Exception as error:
            failure = error
        batch, self._in_hand = self._in_hand, []
        for _, done in batch:
            # Cancelled: its caller does not wait any more.
            if done.done():
                continue
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)


def open_body(seal: Seal, row: inbox.InboxUpdate) -> Any:
    """Decrypt an update from the inbox and decode its JSON. Raises Unreadable for a body that was changed, or that
    was sealed for another row.
    """
    sealed = row.body or b""
    try:
        return orjson.loads(seal.open(sealed, inbox.identity(row.bot_id, row.update_id, row.sender)))
    except Unreadable:
        # The previous version sealed bodies without associated data. What it left pending must still be processed,
        # but in its own row only.
        update = orjson.loads(seal.open(sealed))
    if (update["update_id"], _sender_of(update)) != (row.update_id, row.sender):
        raise Unreadable
    return update


def _sender_of(update: dict[str, Any]) -> int:
    """The sender's id; 0 when the update's shape gives none."""
    try:
        sender_id = sender(update)
    except (AttributeError, TypeError):
        return 0
    return sender_id if 0 <= sender_id <= _LARGEST_ID else 0


def _as_json(update: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(update)
    except orjson.JSONEncodeError:
        # A text with an unpaired surrogate, which json writes as an escape.
        return json.dumps(update).encode()
