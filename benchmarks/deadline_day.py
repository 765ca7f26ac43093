"""The deadline day: `python -m benchmarks.deadline_day [--organizations N] [--taps-a-second N] [--url URL]
[--weather design|loose|none]`.

Each organization's officer goes the whole way to the certificate, PIN and all, and then an officer of its province
types its code, looks at its numbers, does the spot-check and certifies; every province has two officers who share
the work. They begin at random moments, so that there are so many taps a second on the average. They tap again when
they are answered, but 1.5 s after their last tap at the earliest. The strict emulated Bot API enforces a weather
(demo/botapi/limits.py). Without `--url` one `laocert run` on SQLite; on an empty PostgreSQL database two, of which
one is killed with SIGKILL every minute and started again.

Prints the time from a tap (or a typed text) to its answer on the screen: p50, p95, p99 and the longest, kills
included; how many answers an officer had to ask for again because a program was killed between doing and showing;
and how many sends and edits were answered 429. Exits 1 when a certificate is lost, doubled or wrong, a screen
showed another number than the register, or a call came into a chat that a 429 had closed.
"""

import argparse
import asyncio
import csv
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import uvloop
from sqlalchemy import select

from benchmarks import officers
from benchmarks.nation import DESPITE_EMPTY, PIN, SECRET_KEY, Country, dots
from demo import sample
from demo.botapi import WEATHERS, CountedCall, Emulator, Message, Phone
from demo.botapi.limits import EDITS
from models.accounts.pin import hash_pin
from models.certification.certificate import Certification, Level
from models.database.engine import Database
from models.security.keys import Keyring

# Taps and texts of an organization and its province, with a spot-check of three records.
TAPS = 27
# Seconds between two taps of an officer: as fast as a thumb that reads nothing.
PAUSE = 1.5
# Seconds that an officer waits before tapping again, longer than the minute over which Telegram counts a chat's
# calls; and tries before it is called lost.
PATIENCE = 75.0
TRIES = 5
KILL_EVERY = 60.0

# What the register has of each category, in the words of the screens.
Numbers = dict[str, int]
T = TypeVar("T")


class Unanswered(Exception):
    """An officer has waited long enough."""


class Day:
    """What all officers have in common: what the registers hold, and what they saw."""

    def __init__(self, registers: dict[str, Numbers]) -> None:
        self.registers = registers
        self.times: list[float] = []
        self.again = 0
        self.wrong: list[str] = []


async def _nothing() -> None:
    pass


class Hand:
    """An officer at a phone; `card` is the message that is tapped."""

    def __init__(self, phone: Phone, day: Day) -> None:
        self.phone = phone
        self.day = day
        self.card: Message | None = None
        self._may_tap_at = 0.0
        # What an officer waits for between two taps, apart from the thumb.
        self.before_tap: Callable[[], Awaitable[None]] = _nothing

    async def say(self, text: str, words: str) -> None:
        """Type something, which is answered on a new card."""
        began = await self._pause()
        last = max((one.id for one in self.phone.messages), default=0)
        await self.phone.send(text)
        self.card = await self._seen(
            lambda shown: next(
                # A proof that comes meanwhile has these words too, and no buttons.
                (one for one in shown.messages if one.id > last and one.labels and words in one.text),
                None,
            ),
            began,
            text,
        )

    async def tap(self, label: str, words: str, *, gone: bool = False) -> str:
        """Tap and read the card, which then has these words, or has them no more."""
        card = self.card
        assert card is not None  # noqa: S101 - something was typed before
        began = await self._pause()
        await self.phone.tap(label, card)
        await self._seen(lambda _: (words in card.text) is not gone, began, label)
        return card.text

    @property
    def labels(self) -> list[str]:
        """The buttons on the card."""
        return self.card.labels if self.card is not None else []

    async def enter_pin(self, unit: sample.Unit) -> None:
        """Six digits, each when the toast has told of the one before, and the proof that the last one brings."""
        assert self.card is not None  # noqa: S101 - the keypad
        for place, digit in enumerate(PIN[:-1], 1):
            began = await self._pause()
            tap = await self.phone.tap(digit, self.card)
            with suppress(AssertionError):
                answer = await tap.answer(PATIENCE)
                if answer.text == dots(place):
                    self.day.times.append(time.perf_counter() - began)
                    continue
            raise Unanswered(digit)
        began = await self._pause()
        await self.phone.tap(PIN[-1], self.card)
        await self._seen(lambda _: self.has_receipt(unit), began, "the proof")

    def has_receipt(self, unit: sample.Unit) -> bool:
        """Whether a proof of this organization's certificate is on the phone: a name may begin another one's."""
        words = "หลักฐานการรับรอง", f"{unit.name}\n", unit.district
        return any(all(word in one.text for word in words) for one in self.phone.messages)

    def check(self, text: str, code: str) -> None:
        """The numbers on a screen are those of the register."""
        for name, number in self.day.registers[code].items():
            if f"{name} {number:,} คน" not in text:
                self.day.wrong.append(f"{code}: not {number} {name}")

    async def _pause(self) -> float:
        """Wait until the thumb is ready for the next tap; the time then."""
        await asyncio.sleep(max(self._may_tap_at - time.perf_counter(), 0))
        await self.before_tap()
        now = time.perf_counter()
        self._may_tap_at = now + PAUSE
        return now

    async def _seen(self, predicate: Callable[[Phone], T], began: float, what: str) -> T:
        try:
            result = await self.phone.until(predicate, PATIENCE)
        except AssertionError:
            raise Unanswered(what) from None
        self.day.times.append(time.perf_counter() - began)
        return result


async def lao_way(hand: Hand, unit: sample.Unit) -> None:
    """The procedure's first part."""
    await hand.say("/menu", "ปีงบประมาณ")
    await hand.tap("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน")
    await hand.tap("ดำเนินการ(อปท.)", "สถานะการรับรองข้อมูล")
    hand.check(await hand.tap("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่"), unit.code)
    await hand.tap("รับรองระดับ อปท.", "แก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก")
    await hand.tap("ยืนยันการรับรอง", "โปรดใส่ PIN")
    await hand.enter_pin(unit)


async def province_way(hand: Hand, unit: sample.Unit) -> None:
    """The procedure's second part, for one organization."""
    await hand.say(unit.code, unit.code)
    hand.check(await hand.tap("🔍", "ตรวจสอบข้อมูลระดับจังหวัด"), unit.code)
    # Begun anew, it may have been marked before.
    if "รับรองระดับจังหวัด" not in hand.labels:
        text = await hand.tap("สุ่มตรวจสอบ", "ตรวจสอบข้อมูลระดับจังหวัด", gone=True)
        while "สรุปผลสุ่มตรวจสอบ" not in text:
            text = await hand.tap(DESPITE_EMPTY if DESPITE_EMPTY in hand.labels else "✅ ถูกต้อง", text, gone=True)
    hand.check(await hand.tap("รับรองระดับจังหวัด", "ยกเลิกไม่ได้"), unit.code)
    await hand.tap("ยืนยันการรับรอง", "โปรดใส่ PIN")
    await hand.enter_pin(unit)


Way = Callable[[Hand, sample.Unit], Awaitable[None]]


async def to_the_end(hand: Hand, unit: sample.Unit, way: Way) -> None:
    """A way, begun anew when an answer did not come: what was pressed may have been done all the same."""
    for _ in range(TRIES):
        if hand.has_receipt(unit):
            return
        try:
            await way(hand, unit)
            return
        except (Unanswered, AssertionError) as error:
            hand.day.again += 1
            shown = hand.card.text[:60] if hand.card is not None else ""
            print(f"           begun anew, {unit.code}: {error!r:.120} at {shown!r}", flush=True)
            # What was pressed may have been done: its proof comes as soon as the bot may send so many messages.
            with suppress(AssertionError):
                await hand.phone.until(lambda _: hand.has_receipt(unit), PATIENCE)
    raise SystemExit(f"{unit.name} did not come to an end:\n{hand.phone.screen()}")


async def all_ways(emulator: Emulator, people: dict[int, sample.Unit], day: Day, taps_a_second: float) -> None:
    """Everybody to the end of the day. Each organization's officer begins at a moment of its own."""
    waiting: dict[str, asyncio.Queue[sample.Unit | None]] = defaultdict(asyncio.Queue)
    hands = {user: Hand(emulator.phone(unit.name, user_id=user), day) for user, unit in people.items()}
    for hand in hands.values():
        hand.phone.chat.bot_status = "member"

    async def lao(hand: Hand, unit: sample.Unit, begins: float) -> None:
        await asyncio.sleep(begins)
        await to_the_end(hand, unit, lao_way)
        waiting[unit.province].put_nowait(unit)

    async def province(hand: Hand, unit: sample.Unit) -> None:
        while (organization := await waiting[unit.code].get()) is not None:
            await to_the_end(hand, organization, province_way)

    laos = [(hands[user], unit) for user, unit in people.items() if unit.role == "lao"]
    rng = random.Random(1)  # noqa: S311 - the same in every run
    lasts = TAPS * len(laos) / taps_a_second
    provinces = [(hands[user], unit) for user, unit in people.items() if unit.role == "province"]
    async with asyncio.TaskGroup() as group:
        for hand, unit in provinces:
            group.create_task(province(hand, unit))
        async with asyncio.TaskGroup() as first:
            for hand, unit in laos:
                first.create_task(lao(hand, unit, rng.uniform(0, lasts)))
        for _, unit in provinces:
            waiting[unit.code].put_nowait(None)


@asynccontextmanager
async def running(country: Country, emulator: Emulator, count: int, *, kills: bool) -> AsyncIterator[None]:
    """So many programs, of which one is killed every minute if need be."""
    programs = [await country.start(emulator.token, emulator.url) for _ in range(count)]
    rng = random.Random(1)  # noqa: S311 - which is killed is no secret

    async def kill() -> None:
        while True:
            await asyncio.sleep(KILL_EVERY)
            place = rng.randrange(len(programs))
            programs[place].kill()
            await programs[place].wait()
            programs[place] = await country.start(emulator.token, emulator.url)
            print("           SIGKILL, and started again", flush=True)

    while not emulator.calls_of("getUpdates"):  # noqa: ASYNC110 - measuring needs no event for it
        await asyncio.sleep(0.01)
    killing = asyncio.create_task(kill()) if kills else None
    try:
        yield
    finally:
        if killing is not None:
            killing.cancel()
            await asyncio.wait({killing})
        for program in programs:
            # The end of the day may come between a kill and the next start.
            if program.returncode is None:
                program.terminate()
            await program.wait()


def read_registers(path: Path) -> dict[str, Numbers]:
    """How many of each category an organization's register has."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            counted[row["organization"]][row["category"]] += 1
    return {code: {name: numbers[name] for name in sample.POSITIONS} for code, numbers in counted.items()}


async def certificates_at_fault(database: Database, registers: dict[str, Numbers]) -> list[str]:
    """One line for each organization that has not exactly one certificate a level, with the register's numbers."""
    found: dict[str, list[Certification]] = defaultdict(list)
    async with database.read() as session:
        for one in await session.scalars(select(Certification)):
            found[one.organization_code].append(one)
    faults = []
    for code, numbers in registers.items():
        levels = Counter(one.level for one in found[code])
        if levels != {Level.LAO: 1, Level.PROVINCE: 1}:
            faults.append(f"{code}: {dict(levels)}")
        wanted = tuple(numbers.values())
        if any((one.officials, one.permanent_employees, one.contract_employees) != wanted for one in found[code]):
            faults.append(f"{code}: other numbers than {wanted}")
    return faults


def hash_pins(users: list[int]) -> dict[int, str]:
    """Everybody's PIN at its full cost, on all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return dict(
            zip(users, pool.map(partial(hash_pin, Keyring(SECRET_KEY), pin=PIN), users, chunksize=16), strict=True)
        )


async def run(folder: Path, options: argparse.Namespace) -> bool:
    """The whole day; whether all is right at its end."""
    country = Country(folder, options.url, "bot")
    everyone = sample.read_units()
    laos = [unit for unit in everyone if unit.role == "lao"]
    chosen = set(random.Random(1).sample(laos, min(options.organizations, len(laos))))  # noqa: S311
    needed = {unit.province for unit in chosen}
    provinces = [unit for unit in everyone if unit.role == "province" and unit.code in needed]
    people = await officers.fill(
        country, [*(unit for unit in laos if unit in chosen), *provinces, *provinces], hash_pins
    )
    day = Day(read_registers(folder / "personnel.csv"))
    database = Database(country.environment["LAOCERT_DATABASE_URL"], Keyring(SECRET_KEY))
    began = time.perf_counter()
    async with Emulator(weather=WEATHERS[options.weather], calls_kept=1000) as emulator:
        async with running(country, emulator, 2 if options.url else 1, kills=options.url is not None):
            await all_ways(emulator, people, day, options.taps_a_second)
        violations, refusals = emulator.violations, emulator.refusals
    took = time.perf_counter() - began
    faults = [*await certificates_at_fault(database, day.registers), *day.wrong, *violations]
    await database.close()
    rate = len(day.times) / took
    print(f"{len(chosen)} organizations, {len(people)} officers, {took:.0f} s, {rate:.1f} taps a second")
    report(day, refusals, faults)
    return not faults


def report(day: Day, refusals: list[CountedCall], faults: list[str]) -> None:
    """What was seen."""
    cuts = statistics.quantiles(day.times, n=100)
    shown = ", ".join(
        f"{name} {cuts[place - 1] * 1000:,.0f} ms" for name, place in (("p50", 50), ("p95", 95), ("p99", 99))
    )
    print(f"from tap to answer, {len(day.times):,} taps: {shown}, longest {max(day.times):.2f} s")
    print(f"begun anew because an answer did not come: {day.again}")
    edits = sum(refusal.method in EDITS for refusal in refusals)
    per_tap = edits * 1000 / len(day.times)
    print(f"429s: {edits} on edits, {per_tap:.2f} in 1,000 taps; {len(refusals) - edits} on new messages")
    print(f"lost, doubled or wrong: {len(faults)}", *faults[:20], sep="\n")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=7849)
    parser.add_argument("--taps-a-second", type=float, default=50.0)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite without it")
    parser.add_argument("--weather", choices=WEATHERS, default="design", help="which limits Telegram enforces")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not uvloop.run(run(Path(name), options)):
            sys.exit(1)


if __name__ == "__main__":
    main()
