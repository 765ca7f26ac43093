"""What is to be done from time to time: the day's head of the record, and forgetting what has served."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from bot.runtime.clock import Clock, nap
from models.accounts import pin, throttle
from models.audit import event_chain
from models.audit.event_chain import last_head, take_head
from models.base.calendar import BANGKOK
from models.chats import inbox
from models.database.engine import Database
from models.register import draft

log = logging.getLogger(__name__)

# Seconds between looks whether today's head of the record has been taken, and between forgettings.
HEADS_EVERY = 600.0
FORGET_EVERY = 3600.0
# Seconds between looks whether the record still goes on under a known key: a short range of an index.
KEY_EVERY = 5.0
# Events that are looked at once more.
LATE = 1000


async def keep_head(database: Database, now: datetime) -> None:
    """Take a head of the record each day (Bangkok's time), at the first look of the day."""
    async with database.read() as session:
        last = await last_head(session)
    if last is not None and _day(last) >= _day(now):
        return
    async with database.write() as session:
        log.info("head of the record: %s", await take_head(session, now))


def _day(moment: datetime) -> int:
    return moment.astimezone(BANGKOK).toordinal()


async def forget(database: Database, now: datetime) -> None:
    """Drop what nobody needs any more."""
    async with database.write() as session:
        await inbox.forget_old(session, now)
        await throttle.forget_old(session, now)
        await pin.forget_old_keypads(session, now)
        await draft.forget_old_drafts(session, now)


async def run(database: Database, clock: Clock) -> None:
    """Do both again and again, until cancelled."""
    await asyncio.gather(
        _again(keep_head, HEADS_EVERY, database, clock), _again(forget, FORGET_EVERY, database, clock)
    )


async def watch_key(database: Database, first: int, every: float = KEY_EVERY) -> None:
    """Look again and again whether another program has begun to record under a key that this one does not know.

    This one could not check the PINs that are chosen under that key, nor open what is sealed under it: it must
    end. `first` is the id of the newest event before it began. Raises KeyUnknown.
    """
    seen = first
    while True:
        try:
            async with database.read() as session:
                # On PostgreSQL an event may become visible after one with a higher id.
                seen = max(seen, await event_chain.require_known_since(session, max(first, seen - LATE)))
        except event_chain.KeyUnknown:
            raise
        except Exception as error:
            log.error("the record's key could not be looked at: %s", type(error).__name__)
        await asyncio.sleep(every)


async def _again(
    work: Callable[[Database, datetime], Awaitable[None]],
    seconds: float,
    database: Database,
    clock: Clock,
) -> None:
    while True:
        try:
            await work(database, clock())
        except Exception as error:
            # The database is away; the next time comes.
            log.error("%s: %s", work.__name__, type(error).__name__)
        await nap(clock, seconds)
