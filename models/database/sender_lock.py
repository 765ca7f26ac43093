"""Who serves whom: of all programs on one database, one at a time does a sender's updates.

PostgreSQL: session-level advisory locks, one a sender, all of a program on one connection of its own. They end
with that connection, however the program ends. Whose connection was lost may still have an update in hand: whether
it is its turn is looked at once more in the update's own transaction (models/chats/inbox.py, finish). SQLite has
one program.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database.engine import Database
from models.database.lease import GONE_AFTER, end_session, own_session
from models.database.postgresql import REQUIRE_WRITABLE
from models.database.trouble import name_of

log = logging.getLogger(__name__)

# Locks of two numbers are apart from those of one, which leases and the record have.
_CLASS = 0x1A0C
_TAKE = text(
    f"SELECT sender FROM unnest(:senders) AS sender"  # noqa: S608 - a constant
    f" WHERE pg_try_advisory_lock({_CLASS}, hashint8(sender))"
).bindparams(bindparam("senders", type_=ARRAY(BigInteger)))
_GIVE = text(
    f"SELECT pg_advisory_unlock({_CLASS}, hashint8(sender)) FROM unnest(:senders) AS sender"  # noqa: S608
).bindparams(bindparam("senders", type_=ARRAY(BigInteger)))


@dataclass(frozen=True)
class SenderLockTimes:
    """How the locks of senders are kept."""

    # Seconds between signs of life: well below `gone_after`.
    alive_every: float = 2.0
    # Seconds that an answer may take.
    patience: float = 5.0
    # Whole seconds after which PostgreSQL ends their session.
    gone_after: int = GONE_AFTER


SENDER_LOCK_TIMES = SenderLockTimes()


class SenderLocks:
    """The senders that this program serves. Those who ask at the same moment are asked for together."""

    def __init__(self, database: Database, times: SenderLockTimes = SENDER_LOCK_TIMES) -> None:
        self._database = None if database.is_sqlite else database
        self._times = times
        self._connection: AsyncConnection | None = None
        # By the loop's clock, when the session was last asked whether its server takes writes.
        self._looked_at = 0.0
        self._held: set[int] = set()
        self._wanted: dict[int, asyncio.Future[bool]] = {}
        self._over: set[int] = set()
        self._news = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    async def take(self, sender: int) -> bool:
        """Whether the sender is this program's to serve now; it stays so until `give_back`. One call a sender at a
        time.
        """
        if self._database is None or sender in self._held:
            return True
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(self._database), name="sender locks")
        self._wanted[sender] = asyncio.get_running_loop().create_future()
        self._news.set()
        try:
            return await self._wanted[sender]
        finally:
            self._wanted.pop(sender, None)

    def give_back(self, sender: int) -> None:
        """The sender may be served by others."""
        if sender in self._held:
            self._held.remove(sender)
            self._over.add(sender)
            self._news.set()

    async def close(self) -> None:
        """Nothing is held any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
            await self._let_go()

    async def _ask(self, database: Database) -> None:
        while True:
            self._news.clear()
            try:
                # To open a session has a patience of its own.
                if self._connection is None:
                    self._connection = await own_session(database, self._times.gone_after)
                    self._looked_at = 0.0
                async with asyncio.timeout(self._times.patience):
                    await self._go_round(self._connection)
            except Exception as error:
                log.error("it could not be asked who serves whom: %s", name_of(error))
                await self._let_go()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._times.alive_every):
                    await self._news.wait()

    async def _go_round(self, connection: AsyncConnection) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= self._times.alive_every:
            await connection.execute(REQUIRE_WRITABLE)
            self._looked_at = now
        over, self._over = self._over, set()
        if over:
            await connection.execute(_GIVE, {"senders": list(over)})
        wanted = [sender for sender, answer in self._wanted.items() if not answer.done()]
        # With nothing wanted it is a sign of life.
        taken = set(await connection.scalars(_TAKE, {"senders": wanted}))
        for sender in wanted:
            answer = self._wanted.get(sender)
            if answer is not None and not answer.done():
                self._held |= {sender} & taken
                answer.set_result(sender in taken)
            elif sender in taken:
                # Whoever asked does not wait any more.
                self._over.add(sender)

    async def _let_go(self) -> None:
        """With the session its locks are gone."""
        self._held.clear()
        self._over.clear()
        for answer in self._wanted.values():
            if not answer.done():
                answer.set_result(False)
        connection, self._connection = self._connection, None
        if connection is not None:
            await end_session(connection)
