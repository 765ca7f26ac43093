"""The program's clock: given to whatever needs the time, so that tests and the demonstration bring their own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

# Seconds between looks of a sleeper at a clock that may have jumped.
LOOK = 1.0


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


async def nap(clock: Clock, seconds: float, look: float = LOOK) -> None:
    """Sleep so long by the clock, or by the event loop's, whichever ends first.

    A clock that jumps, as the demonstration's does, wakes its sleepers within `look` seconds; one that stands
    still or is set back does not keep them from waking.
    """
    loop = asyncio.get_running_loop()
    ends, loop_ends = clock() + timedelta(seconds=seconds), loop.time() + seconds
    while (left := min((ends - clock()).total_seconds(), loop_ends - loop.time())) > 0:  # noqa: ASYNC110 - clocks set no event
        await asyncio.sleep(min(left, look))
