"""Sender locks: of all processes on one database, at most one processes a sender's updates.

PostgreSQL: one session-level advisory lock for each sender, all on one dedicated connection of the process. They
end with the connection, even if the process crashes. A process that has lost its connection may still be
processing an update; `finish` (models/chats/inbox.py) therefore checks again, in the update's own transaction,
that it is its turn. SQLite has one process, and needs no locks.
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

# The first key of two-key advisory locks, which are separate from the one-key locks of leases and audit chains.
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
    """The intervals of the sender locks' session."""

    # Seconds between two statements, which keep the session alive: well below `gone_after`.
    alive_every: float = 2.0
    # Timeout of one statement in seconds.
    patience: float = 5.0
    # Whole seconds after which PostgreSQL ends the idle session.
    gone_after: int = GONE_AFTER


SENDER_LOCK_TIMES = SenderLockTimes()


class SenderLocks:
    """The senders that this process holds. One statement takes the locks of all who ask at the same moment."""

    def __init__(self, database: Database, times: SenderLockTimes = SENDER_LOCK_TIMES) -> None:
        self._database = None if database.is_sqlite else database
        self._times = times
        self._connection: AsyncConnection | None = None
        # When the session's server was last known to take writes, by the event loop's clock.
        self._looked_at = 0.0
        self._held: set[int] = set()
        self._wanted: dict[int, asyncio.Future[bool]] = {}
        self._over: set[int] = set()
        self._news = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    async def take(self, sender: int) -> bool:
        """Try to lock a sender, and return whether this process holds the lock now, until `give_back`.

        Returns False too if the database cannot be reached. At most one call for a sender at a time.
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
        """Release the lock on a sender, soon after this call."""
        if sender in self._held:
            self._held.remove(sender)
            self._over.add(sender)
            self._news.set()

    async def close(self) -> None:
        """Release all locks, and close the session."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
            await self._let_go()

    async def _ask(self, database: Database) -> None:
        while True:
            self._news.clear()
            try:
                # Opening a session has a timeout of its own.
                if self._connection is None:
                    self._connection = await own_session(database, self._times.gone_after)
                    self._looked_at = 0.0
                async with asyncio.timeout(self._times.patience):
                    await self._go_round(self._connection)
            except Exception as error:
                log.error("the sender locks could not be taken or renewed: %s", name_of(error))
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
        senders = [sender for sender, answer in self._wanted.items() if not answer.done()]
        # Also with no senders: the statement keeps the session alive.
        locked = set(await connection.scalars(_TAKE, {"senders": senders}))
        for sender in senders:
            answer = self._wanted.get(sender)
            if answer is not None and not answer.done():
                self._held |= {sender} & locked
                answer.set_result(sender in locked)
            elif sender in locked:
                # The caller of `take` was cancelled meanwhile.
                self._over.add(sender)

    async def _let_go(self) -> None:
        """End the session, which releases all locks, and answer all callers with False."""
        self._held.clear()
        self._over.clear()
        for answer in self._wanted.values():
            if not answer.done():
                answer.set_result(False)
        connection, self._connection = self._connection, None
        if connection is not None:
            await end_session(connection)
