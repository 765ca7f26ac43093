"""The bot's limit over all chats, with a clock that the test moves."""

import asyncio
from dataclasses import dataclass

import pytest

from bot.telegram.bot_rate import BotRate, Rank

RATE, BURST, ANSWERS_A_NOTICE = 30.0, 8.0, 4
REAL_SLEEP = asyncio.sleep


@dataclass
class Seconds:
    """A clock; sleeping moves it and lets other tasks run."""

    value: float = 100.0

    def __call__(self) -> float:
        return self.value

    async def sleep(self, seconds: float) -> None:
        self.value += seconds
        await REAL_SLEEP(0)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    monkeypatch.setattr("bot.telegram.bot_rate.asyncio.sleep", clock.sleep)
    return clock


@pytest.fixture
def rate(seconds: Seconds) -> BotRate:
    return BotRate(seconds, RATE, BURST, ANSWERS_A_NOTICE)


async def send(rate: BotRate, messages: int) -> None:
    for _ in range(messages):
        await rate.turn(Rank.NOTICE)


async def test_a_thousand_take_as_long_as_the_limit_says(rate: BotRate, seconds: Seconds) -> None:
    began = seconds()
    await send(rate, 1000)
    assert seconds() - began == pytest.approx(1000 / RATE, abs=0.01)


async def test_lateness_is_made_good_up_to_a_small_burst(rate: BotRate, seconds: Seconds) -> None:
    began = seconds()
    await send(rate, 30)
    seconds.value += 0.1
    await send(rate, 30)
    assert seconds() - began == pytest.approx(60 / RATE, abs=0.01)
    seconds.value += 60
    began = seconds()
    await send(rate, int(BURST))
    assert seconds() == began, "a burst and no more"
    await send(rate, 30)
    assert seconds() - began == pytest.approx(30 / RATE, abs=0.01)


async def test_the_next_ones_pay_for_what_did_not_wait(rate: BotRate, seconds: Seconds) -> None:
    began = seconds()
    for _ in range(60):
        rate.take()
    await rate.turn(Rank.ANSWER)
    assert seconds() - began == pytest.approx(61 / RATE, abs=0.01)


async def in_line(rate: BotRate, ranks: list[Rank]) -> list[Rank]:
    """The order in which simultaneous waiters get their turns."""
    order: list[Rank] = []

    async def wait(rank: Rank) -> None:
        await rate.turn(rank)
        order.append(rank)

    await asyncio.gather(*(wait(rank) for rank in ranks))
    return order


async def test_receipts_come_first_then_answers(rate: BotRate) -> None:
    ranks = [Rank.NOTICE, Rank.ANSWER, Rank.ANSWER, Rank.RECEIPT, Rank.RECEIPT]
    assert await in_line(rate, ranks) == sorted(ranks)


async def test_answers_do_not_keep_notices_waiting_for_ever(rate: BotRate) -> None:
    order = await in_line(rate, [Rank.NOTICE] * 3 + [Rank.ANSWER] * 20)
    places = [place for place, rank in enumerate(order) if rank is Rank.NOTICE]
    assert places == [ANSWERS_A_NOTICE, 2 * ANSWERS_A_NOTICE + 1, 3 * ANSWERS_A_NOTICE + 2]


async def test_nobody_passes_those_who_wait(rate: BotRate, seconds: Seconds) -> None:
    waiting = asyncio.create_task(rate.turn(Rank.NOTICE))
    await REAL_SLEEP(0)
    seconds.value += 1
    assert not rate.is_free()
    await waiting
    assert rate.is_free()


async def test_who_gives_up_takes_no_turn(rate: BotRate, seconds: Seconds) -> None:
    began = seconds()
    gave_up = asyncio.create_task(rate.turn(Rank.ANSWER))
    await REAL_SLEEP(0)
    gave_up.cancel()
    await asyncio.gather(gave_up, return_exceptions=True)
    await rate.turn(Rank.NOTICE)
    assert seconds() - began == pytest.approx(1 / RATE, abs=0.01)


async def test_a_turn_that_comes_too_late_is_there_for_the_next(rate: BotRate, seconds: Seconds) -> None:
    """The waiter is cancelled after its turn was granted, and before it continued."""
    seconds.value += 1
    before = [rate.turn(Rank.ANSWER) for _ in range(int(BURST))]
    await asyncio.gather(*before)
    cancelled = asyncio.create_task(rate.turn(Rank.ANSWER))
    await REAL_SLEEP(0)
    rate.take()
    rate._lines[Rank.ANSWER].popleft().set_result(None)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert cancelled.cancelled()
    began = seconds()
    await rate.turn(Rank.NOTICE)
    assert seconds() - began == pytest.approx(1 / RATE, abs=0.01)


async def test_a_turn_given_back_is_there_for_the_next(rate: BotRate, seconds: Seconds) -> None:
    await rate.turn(Rank.NOTICE)
    rate.give_back()
    began = seconds()
    await rate.turn(Rank.NOTICE)
    assert seconds() == began
