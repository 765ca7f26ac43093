"""Ends the program when it stands still, so that whoever looks after it starts it again."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from models.base.errors import DomainError

log = logging.getLogger(__name__)

FAILED = 1


@dataclass(frozen=True)
class WatchdogTimes:
    """When the watchdog looks, and what it takes for a standstill."""

    # Seconds between looks.
    look_every: float = 5.0
    # Seconds without a finished poll, although Telegram answers: three polls' time.
    standstill: float = 60.0
    # Seconds that one update may be in hand, although the database answers: what Telegram asks to wait is within
    # it.
    stuck: float = 600.0
    # Seconds that the event loop may be held up by one piece of work.
    held_up: float = 60.0


WATCHDOG_TIMES = WatchdogTimes()


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
        times: WatchdogTimes = WATCHDOG_TIMES,
    ) -> None:
        self._idle = idle
        self._in_hand = in_hand
        self._bot_api = bot_api
        self._database = database
        self.times = times
        self.beat = time.monotonic()

    async def run(self) -> None:
        """Look until cancelled. Raises StoodStill."""
        while True:
            self.beat = time.monotonic()
            await self.look()
            await asyncio.sleep(self.times.look_every)

    async def look(self) -> None:
        """One look. Raises StoodStill. While Telegram or the database is away, a new start would mend nothing."""
        idle, in_hand = self._idle(), self._in_hand()
        is_idle = idle is not None and idle > self.times.standstill
        if is_idle and await self._bot_api() and await self._database():
            raise StoodStill(
                f"no poll was finished for {idle:.0f} s although Telegram answers; start laocert run again"
            )
        if in_hand > self.times.stuck and await self._database():
            raise StoodStill(f"an update is in hand for {in_hand:.0f} s; start laocert run again")


def guard(watchdog: Watchdog, end: Callable[[int], object] = os._exit) -> threading.Event:
    """Watch the event loop itself, from a thread: one that is held up for good cannot end itself.

    Set what is returned to end the watch.
    """
    over = threading.Event()
    held_up = watchdog.times.held_up

    def watch() -> None:
        late = 0
        while not over.wait(held_up / 2):
            # Twice in a row: a machine that was asleep, or a process that was stopped, gets its time to go on.
            late = late + 1 if time.monotonic() - watchdog.beat > held_up else 0
            if late > 1:
                log.critical("the event loop was held up for %.0f s; start laocert run again", held_up)
                end(FAILED)
                return

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    return over
