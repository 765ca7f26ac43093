"""Telegram's limits, with a clock that the test moves."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from markupsafe import Markup

from bot.service.wiring import resume_pauses
from bot.telegram.answers import Answers
from bot.telegram.api import RETRIES
from bot.telegram.limiter import RATES, Limiter
from demo.botapi import Emulator
from handlers.chat.screen import Screen
from models.database.engine import Database
from models.notices import reachability
from tests.bot.running import link, opened_bot
from tests.support import Clock


@dataclass
class Seconds:
    """A clock; sleeping moves it."""

    value: float = 100.0

    def __call__(self) -> float:
        return self.value

    async def sleep(self, seconds: float) -> None:
        self.value += seconds


def test_a_chat_is_busy_while_something_is_under_way_and_a_moment_longer() -> None:
    seconds = Seconds()
    limiter = Limiter(seconds)
    limiter.begin(1)
    seconds.value += 3600
    assert limiter.busy() == {1}
    limiter.spend(1)
    assert limiter.busy() == {1}
    for chat, interval in ((1, RATES.chat_interval), (-1, RATES.group_interval)):
        limiter.end(chat)
        assert limiter.until_free() == interval
        seconds.value += interval - 0.01
        assert limiter.busy() == {chat}
        seconds.value += 0.01
        assert limiter.busy() == set()
    limiter.begin(2)
    limiter.end(2, was_sent=False)
    assert limiter.busy() == set()
    limiter.spend(3)
    assert limiter.busy() == {3}


def test_a_429_pauses_for_exactly_as_long_as_it_says_and_several_pause_bulk() -> None:
    seconds = Seconds()
    limiter = Limiter(seconds)
    for chat in range(1, RATES.several + 1):
        assert not limiter.bulk_rests()
        limiter.pause(chat, 10 * chat)
    # A later, shorter pause does not shorten the first.
    limiter.pause(RATES.several, 1)
    for chat in range(1, RATES.several + 1):
        assert limiter.bulk_rests()
        seconds.value += 9.99
        assert chat in limiter.busy()
        seconds.value += 0.01
        assert chat not in limiter.busy()
    assert not limiter.bulk_rests()


async def test_nothing_new_is_sent_into_a_pause_by_whoever_heard_of_it(
    emulator: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, other = emulator.phone("ก"), emulator.phone("ข")
    for username, linked_phone in (("lao5110201", phone), ("province11", other)):
        await link(country, username, linked_phone, clock())
    seconds, screen = Seconds(), Screen(Markup("ก"))
    limiter = Limiter(seconds)
    seconds.value += 1  # The bot as a whole has sent nothing for a while.
    waits: list[float] = []

    async def sleep(wait: float) -> None:
        waits.append(wait)
        assert len(emulator.calls_of("sendMessage")) == 1
        # Woken early, the caller sleeps again.
        seconds.value += wait if wait < 1 else wait - 0.5

    async with opened_bot(emulator) as (bot, _):
        answers = Answers(bot, country, clock, limiter)
        fault = emulator.faults.flood(7, chat_id=phone.id)
        with monkeypatch.context() as patch:
            patch.setattr("bot.telegram.answers.asyncio.sleep", sleep)
            await answers.send("send", phone.id, screen)
        assert fault.hits == 1
        assert len(phone.messages) == 1
        assert sum(waits) >= 7
        # Longer than the longest wait: not even tried.
        limiter.pause(other.id, RETRIES.longest_wait + 1)
        before = emulator.call_count
        assert await answers.send("send", other.id, screen) is None
        assert emulator.call_count == before
    # The next process obeys the pause too.
    async with country.read() as session:
        assert await reachability.paused(session, clock()) == {phone.id: clock() + timedelta(seconds=7)}
    clock.move(seconds=3)
    after = Limiter(seconds)
    await resume_pauses(after, country, clock())
    assert after.paused_for(phone.id) == 4
