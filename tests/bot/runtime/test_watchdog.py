"""The watchdog: ends a program that stands still, but only when a restart would help."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from bot.inbound.polling import Poller
from bot.inbound.worker import Worker
from bot.runtime.watchdog import WATCHDOG_TIMES, StoodStill, Watchdog, WatchdogTimes, guard
from bot.service import wiring
from demo.botapi import PATIENCE, Emulator
from models.database.engine import Database
from tests.bot.running import SEAL, opened_bot
from tests.chat import TEST_TUNING
from tests.support import Clock

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


STANDSTILL, STUCK = WATCHDOG_TIMES.standstill, WATCHDOG_TIMES.stuck


def watching(
    idle: float | None,
    in_hand: float,
    bot_api: bool = True,
    database: bool = True,
    times: WatchdogTimes = WATCHDOG_TIMES,
) -> Watchdog:
    async def telegram() -> bool:
        return bot_api

    async def stored() -> bool:
        return database

    return Watchdog(lambda: idle, lambda: in_hand, telegram, stored, times)


@pytest.mark.parametrize(
    ("dog", "reason"),
    [
        (lambda: watching(STANDSTILL + 1, 0), "no poll was finished for 61 s although Telegram answers"),
        (lambda: watching(None, STUCK + 1), "an update is in hand for 601 s"),
    ],
)
async def test_what_stands_still_ends_the_program(dog, reason) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StoodStill, match=reason):
        await dog().run()


@pytest.mark.parametrize(
    "dog",
    [
        lambda: watching(STANDSTILL - 1, STUCK - 1),
        lambda: watching(None, 0),
        lambda: watching(STANDSTILL + 1, 0, bot_api=False),
        lambda: watching(STANDSTILL + 1, STUCK + 1, database=False),
    ],
)
async def test_what_a_new_start_would_not_mend_is_left_alone(dog) -> None:  # type: ignore[no-untyped-def]
    await dog().look()


@ONE_DATABASE
@pytest.mark.parametrize("still", ["intake", "worker"])
async def test_the_program_ends_with_the_reason(
    emulator: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, still: str
) -> None:
    seconds, idle, oldest = {"intake": 0.0, "worker": 0.0}, Poller.idle, Worker.oldest

    def seems_idle(poller: Poller) -> float | None:
        since = idle(poller)
        return None if since is None else since + seconds["intake"]

    monkeypatch.setattr(Poller, "idle", seems_idle)
    monkeypatch.setattr(Worker, "oldest", lambda worker: oldest(worker) + seconds["worker"])
    tuning = replace(TEST_TUNING, watchdog=WatchdogTimes(look_every=0.02), grace=0.2)
    async with opened_bot(emulator) as (bot, polls):
        running = asyncio.create_task(
            wiring.serve(bot, polls, country, SEAL, asyncio.Event(), clock, tuning=tuning)
        )
        phone = emulator.phone("ก")
        await phone.send("/start")
        await phone.until(lambda at: at.button("เข้าสู่ระบบ"))
        # From now on the program seems to stand still.
        seconds[still] = STUCK + 1
        with pytest.raises(StoodStill, match="start laocert run again"):
            await asyncio.wait_for(running, PATIENCE)


def test_a_loop_that_is_held_up_is_ended_from_outside(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []
    done = threading.Event()

    def end(code: int) -> None:
        ended.append(code)
        done.set()

    dog = watching(None, 0, times=WatchdogTimes(held_up=0.02))
    dog.beat = time.monotonic() - 100
    over = guard(dog, end)
    assert done.wait(10)
    over.set()
    assert ended == [1]
    assert "the event loop was held up" in caplog.text


async def test_a_loop_that_lives_is_left_alone() -> None:
    ended: list[int] = []
    dog = watching(None, 0, times=WatchdogTimes(look_every=0.0))
    running = asyncio.create_task(dog.run())
    over = guard(dog, ended.append)
    await asyncio.sleep(0)
    over.set()
    running.cancel()
    await asyncio.wait({running})
    assert ended == []
    assert time.monotonic() - dog.beat < 60
