"""Queues the reminders before a round's closing date on their days, and once a round the notice about
organizations that reminders did not reach.
"""

import logging
from datetime import datetime

from bot.runtime.clock import Clock, nap
from bot.runtime.clock_offset import ClockOffset
from models.database.engine import Database
from models.database.trouble import name_of
from models.outreach.reminder import forget_early, queue_due
from models.outreach.unreached import escalate_due

log = logging.getLogger(__name__)

# Seconds between two checks whether something is due.
LOOK_EVERY = 60.0


async def keep_deadlines(
    database: Database,
    clock: Clock,
    operator_chat: int | None,
    every: float = LOOK_EVERY,
    offset: ClockOffset | None = None,
) -> None:
    """Check every `every` seconds until cancelled; failures are logged. The courier sends what is queued.
    `offset`: the measured offset of the clock.

    Several programs may do this at once: the database records what is queued, so that it is queued only once
    (models/outreach/reminder.py).
    """
    while True:
        try:
            await look(database, clock(), operator_chat, offset)
        except Exception as error:
            # The next check tries again.
            log.error("the deadlines could not be checked: %s", name_of(error))
        await nap(clock, every)


async def look(
    database: Database, now: datetime, operator_chat: int | None, offset: ClockOffset | None = None
) -> None:
    """Queue the notices that are due at `now`, in one transaction. Does nothing while the clock is known to be
    wrong, because the day is then unknown. Raises the database's errors.
    """
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
