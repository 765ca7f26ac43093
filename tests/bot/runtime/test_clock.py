"""Sleeping by the program's clock."""

import asyncio
from datetime import UTC, datetime

from bot.runtime.clock import nap
from demo.botapi import PATIENCE
from tests.support import Clock

NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)


async def test_a_jump_of_the_clock_wakes_who_sleeps_by_it() -> None:
    clock = Clock(NOW)
    sleeper = asyncio.create_task(nap(clock, 3600, look=0.01))
    await asyncio.sleep(0.05)
    assert not sleeper.done()
    clock.move(minutes=59)
    await asyncio.sleep(0.05)
    assert not sleeper.done()
    clock.move(minutes=1)
    async with asyncio.timeout(PATIENCE):
        await sleeper


async def test_a_clock_that_stands_still_or_is_set_back_keeps_nobody_asleep() -> None:
    clock = Clock(NOW)
    async with asyncio.timeout(PATIENCE):
        await nap(clock, 0.02)
        sleeper = asyncio.create_task(nap(clock, 0.05))
        await asyncio.sleep(0)
        clock.move(hours=-1)
        await sleeper
