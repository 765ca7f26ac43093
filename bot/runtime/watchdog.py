"""Ends the program when it stands still, so that its supervisor (systemd, Docker) starts it again."""

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
    """How often the watchdog checks, and what counts as a standstill; all in seconds."""

    # Between two checks.
    look_every: float = 5.0
    # Without a finished poll although Telegram answers: the time of three polls.
    standstill: float = 60.0
    # For which one update may be processed although the database answers: longer than any wait that Telegram asks
    # for.
    stuck: float = 600.0
    # For which one piece of work may block the event loop.
    held_up: float = 60.0


WATCHDOG_TIMES = WatchdogTimes()


class StoodStill(DomainError):
    """The program stands still and must be started again; the message says which part."""


class Watchdog:
    """Checks that polls end and updates are processed.

    `idle()`: seconds since the last poll ended, None while nothing polls. `in_hand()`: seconds for which the
    oldest update is being processed. `bot_api()` and `database()` tell whether these answer; they are called only
    when something seems to stand still.
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
        """Check every `look_every` seconds until cancelled. Raises StoodStill, as `look` does, when polls do not
        end or an update is not finished. A blocked event loop is noticed by `guard`.
        """
        while True:
            self.beat = time.monotonic()
            await self.look()
            await asyncio.sleep(self.times.look_every)

    async def look(self) -> None:
        """Check once. Raises StoodStill; not while Telegram or the database is away, as no restart helps."""
        idle, in_hand = self._idle(), self._in_hand()
        is_idle = idle is not None and idle > self.times.standstill
        if is_idle and await self._bot_api() and await self._database():
            raise StoodStill(
                f"no poll was finished for {idle:.0f} s although Telegram answers; start laocert run again"
            )
        if in_hand > self.times.stuck and await self._database():
            raise StoodStill(f"an update is in hand for {in_hand:.0f} s; start laocert run again")


def guard(watchdog: Watchdog, end: Callable[[int], object] = os._exit) -> threading.Event:
    """Watch the event loop from a thread, because a blocked loop cannot end itself: log and call `end(1)` when it
    was blocked for `held_up` seconds. Set the returned event to stop watching.
    """
    over = threading.Event()
    held_up = watchdog.times.held_up

    def watch() -> None:
        late = 0
        while not over.wait(held_up / 2):
            # Twice in a row: after a suspended machine or a stopped process the loop gets time to catch up.
            late = late + 1 if time.monotonic() - watchdog.beat > held_up else 0
            if late > 1:
                log.critical("the event loop was held up for %.0f s; start laocert run again", held_up)
                end(FAILED)
                return

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    return over
