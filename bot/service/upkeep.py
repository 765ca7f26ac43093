"""What is to be done from time to time: the day's head of the record, and forgetting what has served."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import wraps

from bot.runtime.clock import Clock, nap
from models.accounts import pin, throttle
from models.audit import event_chain, repeated
from models.audit.event_chain import take_head
from models.base.calendar import bangkok_day
from models.chats import inbox
from models.database import wal
from models.database.engine import Database
from models.database.trouble import name_of
from models.notices import sending
from models.register import draft

log = logging.getLogger(__name__)

Work = Callable[[Database, datetime], Awaitable[None]]

# Seconds between looks whether today's head of the record has been taken, and between forgettings.
HEADS_EVERY = 600.0
FORGET_EVERY = 3600.0
# Seconds between looks at the length of SQLite's write-ahead log.
WAL_EVERY = 60.0
# Seconds between looks whether the record still goes on under a known key: a short range of an index.
KEY_EVERY = 5.0
# Seconds between looks at what waits for a moment at which no rule could have put it. And what waits for longer
# than an hour is decided once more each hour, whatever its rule: its clock may have been ahead by less than that.
FORWARD_EVERY = 60.0
DECIDED_FOR = timedelta(hours=1)
MEGABYTE = 1024 * 1024
# Events that are looked at once more.
LATE = 1000


async def keep_head(database: Database, now: datetime) -> None:
    """Take a head of the record each day (Bangkok's time), at the first look of the day."""
    async with database.read() as session:
        if await event_chain.has_head(session, bangkok_day(now)):
            return
    async with database.write() as session:
        log.info("head of the record: %s", await take_head(session, now))


async def forget(database: Database, now: datetime) -> None:
    """Drop what nobody needs any more."""
    async with database.write() as session:
        await inbox.forget_old(session, now)
        await throttle.forget_old(session, now)
        await pin.forget_old_keypads(session, now)
        await draft.forget_old_drafts(session, now)
        await repeated.tell_repeated(session, now)


async def keep_wal_short(database: Database, _now: datetime) -> None:
    """Cut off SQLite's write-ahead log when it has grown: SQLite itself never does while there is a reader."""
    if not database.is_sqlite or not wal.is_long(database.url):
        return
    grown = wal.length(database.url)
    if await asyncio.to_thread(wal.shorten, database.url):
        log.info("the write-ahead log had %d MB and was cut off", grown // MEGABYTE)
    else:
        log.warning("the write-ahead log has %d MB; something reads the database all the time", grown // MEGABYTE)


async def bring_forward(database: Database, now: datetime) -> None:
    """Messages that were put off by a clock that was ahead are due."""
    async with database.write() as session:
        if count := await sending.bring_forward(session, now):
            log.warning("%d messages were put off by a clock that was ahead; they are due now", count)


async def decide_again(database: Database, now: datetime) -> None:
    """Whatever has been put off for long is decided once more."""
    async with database.write() as session:
        await sending.bring_forward(session, now, beyond=DECIDED_FOR)


def only_if(sends: Callable[[], bool], work: Work) -> Work:
    """Work that is done only while `sends` holds, and left out otherwise."""

    @wraps(work)
    async def done(database: Database, now: datetime) -> None:
        if sends():
            await work(database, now)

    return done


async def run(database: Database, clock: Clock, sends: Callable[[], bool] = lambda: True) -> None:
    """Do all of it again and again, until cancelled. `sends`: whether it is this program that sends messages; only
    the clock of the one that does says what is due.
    """
    await asyncio.gather(
        _again(keep_head, HEADS_EVERY, database, clock),
        _again(forget, FORGET_EVERY, database, clock),
        _again(only_if(sends, bring_forward), FORWARD_EVERY, database, clock),
        _again(only_if(sends, decide_again), FORGET_EVERY, database, clock),
        _again(keep_wal_short, WAL_EVERY, database, clock),
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
            log.error("the record's key could not be looked at: %s", name_of(error))
        await asyncio.sleep(every)


async def _again(
    work: Work,
    seconds: float,
    database: Database,
    clock: Clock,
) -> None:
    while True:
        try:
            await work(database, clock())
        except Exception as error:
            # The database is away; the next time comes.
            log.error("%s: %s", work.__name__, name_of(error))
        await nap(clock, seconds)
