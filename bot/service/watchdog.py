"""Ends the program when it stands still, so that whoever looks after it starts it again."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable

from models.base.errors import DomainError

log = logging.getLogger(__name__)

# Seconds between looks.
LOOK_EVERY = 5.0
# Seconds without a finished poll, although Telegram answers: three polls' time.
STANDSTILL = 60.0
# Seconds that one update may be in hand, although the database answers: what Telegram asks to wait is within it.
STUCK = 600.0
# Seconds that the event loop may be held up by one piece of work.
HELD_UP = 60.0
FAILED = 1


class StoodStill(DomainError):
    """The program is to be started again; the message says what stood still."""


class Watchdog:
    """Looks at intake and worker.

    `idle` are the seconds since a poll was finished (None where nothing polls), `in_hand` those for which the
    oldest update is in hand; `bot_api` and `database` tell whether they answer, and are asked only then.
    """

    def __init__(
        self,
        idle: Callable[[], float | None],
        in_hand: Callable[[], float],
        bot_api: Callable[[], Awaitable[bool]],
        database: Callable[[], Awaitable[bool]],
    ) -> None:
        self._idle = idle
        self._in_hand = in_hand
        self._bot_api = bot_api
        self._database = database
        self.beat = time.monotonic()

    async def run(self) -> None:
        """Look until cancelled. Raises StoodStill."""
        while True:
            self.beat = time.monotonic()
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """One look. Raises StoodStill. While Telegram or the database is away, a new start would mend nothing."""
        idle, in_hand = self._idle(), self._in_hand()
        if idle is not None and idle > STANDSTILL and await self._bot_api() and await self._database():
            raise StoodStill(
                f"no poll was finished for {idle:.0f} s although Telegram answers; start laocert run again"
            )
        if in_hand > STUCK and await self._database():
            raise StoodStill(f"an update is in hand for {in_hand:.0f} s; start laocert run again")


def guard(watchdog: Watchdog, end: Callable[[int], object] = os._exit) -> threading.Event:
    """Watch the event loop itself, from a thread: one that is held up for good cannot end itself.

    Set what is returned to end the watch.
    """
    over = threading.Event()

    def watch() -> None:
        late = 0
        while not over.wait(HELD_UP / 2):
            # Twice in a row: a machine that was asleep, or a process that was stopped, gets its time to go on.
            late = late + 1 if time.monotonic() - watchdog.beat > HELD_UP else 0
            if late > 1:
                log.critical("the event loop was held up for %.0f s; start laocert run again", HELD_UP)
                end(FAILED)
                return

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    return over
