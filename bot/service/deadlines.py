"""Keeps the round's deadlines: the reminders on their days, and once a round whom they did not reach."""

import logging
from datetime import datetime

from bot.runtime.clock import Clock, nap
from bot.runtime.clock_offset import ClockOffset
from models.database.engine import Database
from models.database.trouble import name_of
from models.outreach.reminder import forget_early, queue_due
from models.outreach.unreached import escalate_due

log = logging.getLogger(__name__)

# Seconds between looks whether something is due.
LOOK_EVERY = 60.0


async def keep_deadlines(
    database: Database,
    clock: Clock,
    operator_chat: int | None,
    every: float = LOOK_EVERY,
    offset: ClockOffset | None = None,
) -> None:
    """Look every `every` seconds until cancelled. The courier finds within a second what is queued. `offset` says
    how far the clock is off.

    Several may look at once: what the database has noted is done by one of them (models/outreach/reminder.py).
    """
    while True:
        try:
            await look(database, clock(), operator_chat, offset)
        except Exception as error:
            # The database is away; the next look comes.
            log.error("the deadlines could not be looked at: %s", name_of(error))
        await nap(clock, every)


async def look(
    database: Database, now: datetime, operator_chat: int | None, offset: ClockOffset | None = None
) -> None:
    """Queue what is due at this moment. A clock that is known to be wrong does not tell which day it is."""
    if offset is not None and offset.is_wrong:
        return
    async with database.write() as session:
        if offset is not None and offset.is_right and (early := await forget_early(session, now)):
            log.warning("%d reminders were queued by a clock that was ahead; they come on their days", early)
        reminded = await queue_due(session, now)
        unreached = await escalate_due(session, operator_chat, now)
    if reminded is not None:
        log.info("today's reminder goes to %d chats", reminded)
    if unreached and operator_chat is None:
        log.warning(
            "%d organizations have not certified and were not reached by reminders;"
            " see: laocert status --unreached; LAOCERT_OPERATOR_CHAT is not set",
            unreached,
        )
    elif unreached is not None:
        log.info("%d organizations have not certified and were not reached by reminders", unreached)
