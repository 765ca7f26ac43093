"""The program's clock. Code that needs the time takes a `Clock`, so that tests and the demo can pass their own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

# Seconds between two checks, during a sleep, whether the clock has jumped.
LOOK = 1.0


def utc_now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


async def nap(clock: Clock, seconds: float, look: float = LOOK) -> None:
    """Sleep for so many seconds of the clock or of the event loop, whichever is over first.

    When the clock jumps ahead, as the demo's does, the sleep ends within `look` seconds. A clock that stands still
    or is set back does not prolong it.
    """
    loop = asyncio.get_running_loop()
    ends, loop_ends = clock() + timedelta(seconds=seconds), loop.time() + seconds
    while (remaining := min((ends - clock()).total_seconds(), loop_ends - loop.time())) > 0:  # noqa: ASYNC110 - clocks set no event
        await asyncio.sleep(min(remaining, look))
