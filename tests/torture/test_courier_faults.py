"""Seeded runs with random faults of Telegram and a courier that crashes: no message lost or early, few copies.

A run has three chats, five messages and their faults. Ten runs at a time share a courier and its crashes, to save
time. Pauses are real, but a second of Telegram's lasts a fiftieth of a second. The results are read from the
emulated server.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from telegram import Bot

from bot.outbound.courier import Courier, CourierPace
from bot.telegram import api
from bot.telegram.limiter import Rates
from demo.botapi import Emulator, Phone
from demo.botapi.faults import Fault, Kind
from demo.botapi.params import Params
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import UNSETTLED, OutboxMessage, State
from tests import support
from tests.bot.outbound.office import make_courier
from tests.bot.program import Program
from tests.bot.running import certificate, link, opened_bot, until
from tests.chat import TEST_TUNING
from tests.support import make_bulk

SECOND = 0.02
# The bot's read timeout in seconds, and the delay of an answer that comes too late. Other answers take far less: a
# further late one would be one uncertain fault too many.
READ_TIMEOUT = 5.0
TOO_LATE = 6.0
CHATS = 3
MESSAGES = 5
RUNS = 10
# Faults after which the bot cannot know whether a message arrived. With the last two it did.
UNCERTAIN: list[Kind] = ["reset_before", "server_error", "reset_after", "delay"]
# All pauses shortened to a fiftieth, and no rate limits: these tests are about order.
TUNING = replace(
    TEST_TUNING,
    lease=replace(TEST_TUNING.lease, every=0.01),
    rates=Rates(rate=5000.0, chat_interval=0.001, chat_calls=1_000_000),
    courier=CourierPace(
        idle=0.01,
        note_pause=0.01,
        recovery_pause=CourierPace().recovery_pause * SECOND,
        uncertain_pause=0.03,
        # Longer than the slowest call, whose answer comes too late.
        doubt=TOO_LATE + 2,
        look_for_lost=0.2,
    ),
)


def seconds_of_telegram(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits that Telegram asks for to a fiftieth."""
    real = api.retry_seconds
    monkeypatch.setattr(api, "retry_seconds", lambda error: real(error) * SECOND)


@dataclass
class BadDay:
    """Injects random faults into calls, and records the waits that each chat was asked for.

    A message gets at most one uncertain fault, and none after a crash, because the courier gives a message up
    after the second. The message with the code `doomed` gets only uncertain faults.
    """

    rng: random.Random
    second: float = SECOND
    uncertain: bool = True
    doomed: str = "none"
    free_at: dict[int, float] = field(default_factory=dict)
    early: int = 0
    floods: int = 0
    sends: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    arrived_unsaid: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set)

    def strike(self, method: str, params: Params) -> Fault | None:
        if method != "sendmessage":
            return None
        self.sends += 1
        chat, words = int(params.text("chat_id")), params.text("text")
        self.early += time.monotonic() < self.free_at.get(chat, 0.0)
        if self.doomed in words.replace("-", ""):
            return Fault("reset_after", None, None, 0, 0, after_effect=True)
        dice = self.rng.random()
        if dice < 0.25:
            self.floods += 1
            wait = self.rng.choice([1, 2, 5])
            self.free_at[chat] = time.monotonic() + wait * self.second
            return Fault("flood", None, None, 0, wait)
        is_first = words not in self._seen
        self._seen.add(words)
        if dice > 0.5 or not (self.uncertain and is_first):
            return None
        kind = self.rng.choices(UNCERTAIN, [4, 4, 4, 0.1])[0]
        is_after = kind in ("reset_after", "delay")
        self.struck[kind] += 1
        self.arrived_unsaid[words] += is_after
        return Fault(
            kind, None, None, 0, {"server_error": 502, "delay": TOO_LATE}.get(kind, 0), after_effect=is_after
        )

    @contextmanager
    def over(self, emulator: Emulator) -> Iterator[None]:
        faults = emulator.faults
        real, faults.strike = faults.strike, self.strike  # type: ignore[method-assign]
        planned = faults.flood(0, times=0)
        try:
            yield
        finally:
            faults.strike = real  # type: ignore[method-assign]
            faults.planned.remove(planned)


class Dead(Exception):
    """The courier was killed within a transaction."""


class Mortal:
    """A database for one courier. Once it is dead, the courier can neither read nor commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_dead = False
        self.under_way = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with self._living(self._database.read()) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        async with self._living(self._database.write()) as session:
            yield session

    @asynccontextmanager
    async def _living(self, opened: AbstractAsyncContextManager[AsyncSession]) -> AsyncIterator[AsyncSession]:
        if self.is_dead:
            await asyncio.Event().wait()
        self.under_way += 1
        try:
            async with opened as session:
                yield session
                if self.is_dead:
                    raise Dead
        finally:
            self.under_way -= 1


async def kill(courier: Courier, running: asyncio.Task[None], database: Mortal) -> None:
    """Stop a courier as SIGKILL would: at any point, without further writes, and with the lease free.

    Open transactions are rolled back first, because a cancelled statement of aiosqlite would lock the database.
    """

    async def is_still() -> bool:
        return not database.under_way

    database.is_dead = True
    await until(is_still)
    assert courier._keeping is not None
    tasks = [running, courier._keeping, *courier._sending]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await courier._lease.give_back()


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Scene:
    """Officers' phones, grouped by run, and the means to queue messages. `made` counts the certificates."""

    emulator: Emulator
    database: Database
    officer_id: int
    phones: list[list[Phone]]
    made: int = 0

    async def queue(self, rng: random.Random, runs: int = 1) -> dict[int, tuple[Phone, str]]:
        """Queue receipts and bulk notices for so many runs. Returns the phone and the code by the row's id."""
        rows = {}
        async with self.database.write() as session:
            for index in range(runs * MESSAGES):
                self.made += 1
                phone = rng.choice(self.phones[index // MESSAGES])
                kind = rng.choice([NoticeKind.RECEIPT, NoticeKind.COLLEAGUE_CERTIFIED])
                subject = await certificate(session, self.officer_id, now(), self.made, phone.id)
                outbox.enqueue(session, kind, phone.id, subject, now())
                await session.flush()
                number = await session.scalar(select(func.max(OutboxMessage.id)))
                rows[number or 0] = (phone, f"C{self.made:09}")
        return rows

    async def ends(self, rows: dict[int, tuple[Phone, str]]) -> list[OutboxMessage]:
        """Wait until all rows are in a final state, and return them."""

        async def ended() -> list[OutboxMessage]:
            mine = OutboxMessage.id.in_(rows)
            async with self.database.read() as session:
                if await session.scalar(select(func.count()).where(mine, OutboxMessage.state.in_(UNSETTLED))):
                    return []
                return list(await session.scalars(select(OutboxMessage).where(mine)))

        return await until(ended)

    async def unmarked(self, rows: dict[int, tuple[Phone, str]]) -> list[int]:
        """Return the ids of pending rows whose messages have arrived."""
        async with self.database.read() as session:
            pending = await session.scalars(
                select(OutboxMessage.id).where(OutboxMessage.id.in_(rows), OutboxMessage.state == State.PENDING)
            )
        return [number for number in pending if self.copies(*rows[number])]

    def copies(self, phone: Phone, code: str) -> int:
        return sum(code in message.text.replace("-", "") for message in phone.messages)


@pytest.fixture
async def scene(emulator: Emulator, country: Database) -> Scene:
    officer_id = await link(country, "lao5110201", emulator.phone("ผู้รับรอง"), now())
    phones = [[emulator.phone(f"{run} {number}") for number in range(CHATS)] for run in range(RUNS)]
    async with country.write() as session:
        for phone in (phone for run in phones for phone in run):
            phone.chat.bot_status = "member"
            await support.link(session, "province11", phone.id, now(), f"ทดสอบ {phone.id}")
    return Scene(emulator, country, officer_id, phones)


async def ten_runs(scene: Scene, bot: Bot, seed: int, counted: Counter[str]) -> None:
    rng = random.Random(seed)
    crashes = rng.choice([0, 1, 1, 2])
    day = BadDay(rng)
    rows = await scene.queue(rng, RUNS)
    doomed = rng.choice(list(rows))
    day.doomed = rows[doomed][1]
    with day.over(scene.emulator):
        for _ in range(crashes):
            database = Mortal(scene.database)
            courier = make_courier(bot, database, now, TUNING)  # type: ignore[arg-type]
            running = asyncio.create_task(courier.run())
            await asyncio.sleep(rng.random() * 0.3)
            await kill(courier, running, database)
            assert await scene.unmarked(rows) == [], f"seed {seed}"
            day.uncertain = False
        courier = make_courier(bot, scene.database, now, TUNING)
        running = asyncio.create_task(courier.run())
        ended = await scene.ends(rows)
        running.cancel()
        await asyncio.wait({running})
        await courier.drain(5)
    context = f"seed {seed}: {crashes} crashes, {day.struck}"
    assert len(ended) == RUNS * MESSAGES, context
    assert {(row.state, row.error) for row in ended if row.id != doomed} == {(State.SENT, None)}, context
    assert {row.state for row in ended if row.id == doomed} == {State.DEAD}, context
    # Sent once, and once more, plus one for each crash.
    assert 1 <= scene.copies(*rows.pop(doomed)) <= 2 + crashes, context
    assert day.early == 0, context
    unsaid = {words.replace("-", ""): count for words, count in day.arrived_unsaid.items()}
    for phone, code in rows.values():
        copies = scene.copies(phone, code)
        arrived_unsaid = sum(count for words, count in unsaid.items() if code in words)
        assert 1 <= copies <= 1 + arrived_unsaid + crashes, context
        counted["extra"] += copies - 1
    counted.update(day.struck, crashes=crashes, floods=day.floods, messages=len(ended))


async def test_a_bad_day_and_a_courier_that_dies(
    scene: Scene, times: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds_of_telegram(monkeypatch)
    make_bulk(monkeypatch, NoticeKind.COLLEAGUE_CERTIFIED)
    counted: Counter[str] = Counter()
    async with opened_bot(scene.emulator, READ_TIMEOUT) as (bot, _):
        for seed in range(times(1000) // RUNS):
            await ten_runs(scene, bot, seed, counted)
    print(f"{times(1000)} runs: {dict(counted)}; 0 lost, 0 early")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_program_killed_within_pauses(
    scene: Scene, database_url: str, tmp_path: Path, times: Callable[[int], int]
) -> None:
    rng = random.Random(7)
    kills = max(times(20), 1)
    day = BadDay(rng, second=1.0, uncertain=False)
    program = Program(tmp_path, scene.emulator, database_url)
    with day.over(scene.emulator):
        async with program.running():
            rows = await scene.queue(rng)
            for _ in range(kills):
                sends = day.sends
                await until(lambda sends=sends: sent_more(day, sends))  # type: ignore[misc]
                await asyncio.sleep(rng.random() / 2)
                await program.kill()
                await program.start()
                rows |= await scene.queue(rng)
            ended = await scene.ends(rows)
            assert await program.stop() == 0
    assert {row.state for row in ended} == {State.SENT}
    assert day.early == 0
    copies = [scene.copies(phone, code) for phone, code in rows.values()]
    assert min(copies) == 1
    assert max(copies) <= 1 + kills
    print(f"{kills} kills: {len(copies)} messages, {sum(copies) - len(copies)} extra copies, {day.floods} floods")


async def sent_more(day: BadDay, before: int) -> bool:
    return day.sends > before
