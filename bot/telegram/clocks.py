"""Compares the program's clock with Telegram's and the database's, as long as the program runs."""

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

# Seconds between looks whether a clock wants to be asked.
LOOK_EVERY = 10.0
# Seconds that an answer may take.
PATIENCE = 5.0


@dataclass(frozen=True)
class Clocks:
    """How far the program's clock is off against Telegram's, and against PostgreSQL's (None on SQLite).

    Telegram's decides whether anything may be certified. The database's only warns: of two machines that differ
    nobody can tell which one is right, and no certificate bears the database's time.
    """

    telegram: ClockOffset
    database: ClockOffset | None


def make_clocks(
    bot: Bot, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic
) -> Clocks:
    """The comparisons of a program; from now on every answer of the Bot API counts."""
    telegram = ClockOffset("Telegram's", clock, monotonic)
    server = None if database.is_sqlite else ClockOffset("the database's", clock, monotonic, decides=False)
    api.tell_dates(bot, telegram.note_date)
    TALLY.clock_offsets["telegram"] = lambda: telegram.believed
    if server is not None:
        TALLY.clock_offsets["database"] = lambda: server.believed
    return Clocks(telegram, server)


async def keep_comparing(bot: Bot, database: Database, clocks: Clocks, look_every: float = LOOK_EVERY) -> None:
    """Ask each clock when it has not been heard for a while, until cancelled. `look_every` is in seconds."""
    while True:
        await asyncio.sleep(look_every)
        try:
            await compare(bot, database, clocks)
        except (TelegramError, TimeoutError) as error:
            log.info("Telegram's clock could not be asked: %s", type(error).__name__)
        except Exception as error:
            log.info("the database's clock could not be asked: %s", type(error).__name__)


async def compare(bot: Bot, database: Database, clocks: Clocks) -> None:
    """Ask those that want to be asked. Raises TelegramError, TimeoutError, and whatever the database does."""
    if clocks.database is not None and clocks.database.wants_answer:
        async with asyncio.timeout(PATIENCE):
            clocks.database.note(*await ask_database(database))
    if clocks.telegram.wants_answer:
        # A program that nobody writes to hears nothing but polls, which take too long to tell the time by.
        async with asyncio.timeout(PATIENCE):
            await bot.get_me()


async def ask_database(database: Database) -> tuple[datetime, float]:
    """The time of PostgreSQL's clock, and the seconds that it took to ask."""
    async with database.read() as session:
        # The first statement waits for a connection, which is not to be counted.
        await server_time(session)
        began = time.monotonic()
        return await server_time(session), time.monotonic() - began
