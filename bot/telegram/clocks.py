"""Compares this machine's clock with Telegram's and the database's while the program runs."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from telegram import Bot
from telegram.error import TelegramError

from bot.runtime.clock import Clock
from bot.runtime.clock_offset import ClockOffset
from bot.runtime.metrics import TALLY
from bot.telegram import api
from models.database.engine import Database
from models.database.postgresql import server_time

log = logging.getLogger(__name__)

# Seconds between checks whether a comparison is due.
LOOK_EVERY = 10.0
# Seconds that the other side may take to answer.
PATIENCE = 5.0


@dataclass(frozen=True)
class Clocks:
    """Offsets of this machine's clock against Telegram's and PostgreSQL's (None on SQLite).

    Telegram's decides whether anything may be certified. The database's is only reported: nobody can tell which of
    the two machines is wrong, and no certificate bears the database's time.
    """

    telegram: ClockOffset
    database: ClockOffset | None


def make_clocks(
    bot: Bot, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic
) -> Clocks:
    """Set up the comparisons: from now on each answer of the Bot API is a sample, and the metrics show the
    offsets.

    `monotonic` is in seconds.
    """
    telegram = ClockOffset("Telegram's", clock, monotonic)
    server = None if database.is_sqlite else ClockOffset("the database's", clock, monotonic, decides=False)
    api.tell_dates(bot, telegram.note_date)
    TALLY.clock_offsets["telegram"] = lambda: telegram.believed
    if server is not None:
        TALLY.clock_offsets["database"] = lambda: server.believed
    return Clocks(telegram, server)


async def keep_comparing(bot: Bot, database: Database, clocks: Clocks, look_every: float = LOOK_EVERY) -> None:
    """Compare, every `look_every` seconds, with each clock whose last sample is old. Runs until cancelled;
    failures are logged.
    """
    while True:
        await asyncio.sleep(look_every)
        try:
            await compare(bot, database, clocks)
        except (TelegramError, TimeoutError) as error:
            log.info("Telegram's clock could not be asked: %s", type(error).__name__)
        except Exception as error:
            log.info("the database's clock could not be asked: %s", type(error).__name__)


async def compare(bot: Bot, database: Database, clocks: Clocks) -> None:
    """Take a sample from each clock that is due. Raises TelegramError, TimeoutError and the database's errors."""
    if clocks.database is not None and clocks.database.wants_answer:
        async with asyncio.timeout(PATIENCE):
            clocks.database.note(*await ask_database(database))
    if clocks.telegram.wants_answer:
        # Without officers' updates the program only polls, and a long poll takes too long to serve as a sample.
        async with asyncio.timeout(PATIENCE):
            await bot.get_me()


async def ask_database(database: Database) -> tuple[datetime, float]:
    """PostgreSQL's time, and the seconds that the statement took. Raises the database's errors."""
    async with database.read() as session:
        # The first statement also waits for a connection, which must not count.
        await server_time(session)
        began = time.monotonic()
        return await server_time(session), time.monotonic() - began
