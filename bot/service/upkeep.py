"""Periodic work: the daily head of the record, deletion of expired rows, and other maintenance."""

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

# Seconds between two checks whether today's head has been taken.
HEADS_EVERY = 600.0
# Seconds between two deletions of expired rows.
FORGET_EVERY = 3600.0
# Seconds between two checks of the length of SQLite's write-ahead log.
WAL_EVERY = 60.0
# Seconds between two checks of the keys of new events, which read a short range of an index.
KEY_EVERY = 5.0
# Seconds between two searches for messages that are due later than any rule could have put them off.
FORWARD_EVERY = 60.0
# Messages that are due later than this are decided on again each hour: a clock that was ahead by less than any
# rule's longest delay may have put them off.
DECIDED_FOR = timedelta(hours=1)
MEGABYTE = 1024 * 1024
# The newest events whose keys each check reads again.
LATE = 1000


async def keep_head(database: Database, now: datetime) -> None:
    """Take a head of the record unless the day (in Bangkok's time) has one, and log it."""
    async with database.read() as session:
        if await event_chain.has_head(session, bangkok_day(now)):
            return
    async with database.write() as session:
        log.info("head of the record: %s", await take_head(session, now))


async def forget(database: Database, now: datetime) -> None:
    """Delete expired rows: processed updates, attempts of logins, keypads and drafts."""
    async with database.write() as session:
        await inbox.forget_old(session, now)
        await throttle.forget_old(session, now)
        await pin.forget_old_keypads(session, now)
        await draft.forget_old_drafts(session, now)
        await repeated.tell_repeated(session, now)


async def keep_wal_short(database: Database, _now: datetime) -> None:
    """Truncate SQLite's write-ahead log when it is long: SQLite itself never does while a connection reads."""
    if not database.is_sqlite or not wal.is_long(database.url):
        return
    length = wal.length(database.url)
    if await asyncio.to_thread(wal.shorten, database.url):
        log.info("the write-ahead log had %d MB and was cut off", length // MEGABYTE)
    else:
        log.warning("the write-ahead log has %d MB; something reads the database all the time", length // MEGABYTE)


async def bring_forward(database: Database, now: datetime) -> None:
    """Make messages due that a clock that was ahead has put off."""
    async with database.write() as session:
        if count := await sending.bring_forward(session, now):
            log.warning("%d messages were put off by a clock that was ahead; they are due now", count)


async def decide_again(database: Database, now: datetime) -> None:
    """Make messages due that are put off by more than DECIDED_FOR, so that the courier decides on them again."""
    async with database.write() as session:
        await sending.bring_forward(session, now, beyond=DECIDED_FOR)


def only_if(sends: Callable[[], bool], work: Work) -> Work:
    """Wrap periodic work so that it is skipped while `sends()` is false."""

    @wraps(work)
    async def conditional_work(database: Database, now: datetime) -> None:
        if sends():
            await work(database, now)

    return conditional_work


async def run(database: Database, clock: Clock, sends: Callable[[], bool] = lambda: True) -> None:
    """Do all periodic work until cancelled; failures are logged. `sends()`: whether this program is the one that
    sends messages, whose clock alone decides what is due.
    """
    await asyncio.gather(
        _again(keep_head, HEADS_EVERY, database, clock),
        _again(forget, FORGET_EVERY, database, clock),
        _again(only_if(sends, bring_forward), FORWARD_EVERY, database, clock),
        _again(only_if(sends, decide_again), FORGET_EVERY, database, clock),
        _again(keep_wal_short, WAL_EVERY, database, clock),
    )


async def watch_key(database: Database, first: int, every: float = KEY_EVERY) -> None:
    """Check, every `every` seconds, whether another program has recorded an event under a key that this one does
    not know. Raises KeyUnknown then; runs until cancelled otherwise.

    This program must end: it can neither check PINs chosen under that key nor open what is sealed under it.
    `first` is the id of the newest event when the program started.
    """
    newest_checked = first
    while True:
        try:
            async with database.read() as session:
                # Checks the last LATE events again: on PostgreSQL an event may become visible after one with a
                # higher id.
                since = max(first, newest_checked - LATE)
                newest_checked = max(newest_checked, await event_chain.require_known_since(session, since))
        except event_chain.KeyUnknown:
            raise
        except Exception as error:
            log.error("the record's key could not be checked: %s", name_of(error))
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
            # The next run tries again.
            log.error("%s: %s", work.__name__, name_of(error))
        await nap(clock, seconds)
