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
    """A tap or text was not answered within PATIENCE."""


class Day:
    """Shared by all officers: the registers' numbers, the response times, and what went wrong."""

    def __init__(self, registers: dict[str, Numbers]) -> None:
        self.registers = registers
        self.times: list[float] = []
        self.again = 0
        self.wrong: list[str] = []


async def _nothing() -> None:
    pass


class Hand:
    """An officer at a phone. `card` is the message whose buttons the officer taps."""

    def __init__(self, phone: Phone, day: Day) -> None:
        self.phone = phone
        self.day = day
        self.card: Message | None = None
        self._may_tap_at = 0.0
        # What an officer waits for between two taps, apart from the thumb.
        self.before_tap: Callable[[], Awaitable[None]] = _nothing

    async def say(self, text: str, words: str) -> None:
        """Send a text, and wait for a new card that contains `words`. Raises Unanswered."""
        began = await self._pause()
        last = max((message.id for message in self.phone.messages), default=0)
        await self.phone.send(text)
        self.card = await self._seen(
            lambda phone: next(
                # A receipt that arrives meanwhile contains these words too, but has no buttons.
                (
                    message
                    for message in phone.messages
                    if message.id > last and message.labels and words in message.text
                ),
                None,
            ),
            began,
            text,
        )

    async def tap(self, label: str, words: str, *, until_gone: bool = False) -> str:
        """Tap a button, wait until the card contains `words`, or with `until_gone` no longer does, and return its
        text. Raises Unanswered.
        """
        card = self.card
        assert card is not None  # noqa: S101 - something was typed before
        began = await self._pause()
        await self.phone.tap(label, card)
        await self._seen(lambda _: (words in card.text) is not until_gone, began, label)
        return card.text

    @property
    def labels(self) -> list[str]:
        """The labels of the card's buttons."""
        return self.card.labels if self.card is not None else []

    async def enter_pin(self, unit: sample.Unit) -> None:
        """Tap the PIN, each digit after the toast of the one before, and wait for the receipt. Raises
        Unanswered.
        """
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
        """Return whether the receipt of this organization's certificate is on the phone."""
        # With the line break, because one organization's name may be the beginning of another's.
        words = "หลักฐานการรับรอง", f"{unit.name}\n", unit.district
        return any(all(word in message.text for word in words) for message in self.phone.messages)

    def check(self, text: str, code: str) -> None:
        """Record a fault for each number of the register that a screen does not show."""
        for name, number in self.day.registers[code].items():
            if f"{name} {number:,} คน" not in text:
                self.day.wrong.append(f"{code}: not {number} {name}")

    async def _pause(self) -> float:
        """Wait until PAUSE after the last tap, and return the time."""
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
    """Go through the LAO's part of the procedure."""
    await hand.say("/menu", "ปีงบประมาณ")
    await hand.tap("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน")
    await hand.tap("ดำเนินการ(อปท.)", "สถานะการรับรองข้อมูล")
    hand.check(await hand.tap("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่"), unit.code)
    await hand.tap("รับรองระดับ อปท.", "แก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก")
    await hand.tap("ยืนยันการรับรอง", "โปรดใส่ PIN")
    await hand.enter_pin(unit)


async def province_way(hand: Hand, unit: sample.Unit) -> None:
    """Go through the province's part of the procedure, for one organization."""
    await hand.say(unit.code, unit.code)
    hand.check(await hand.tap("🔍", "ตรวจสอบข้อมูลระดับจังหวัด"), unit.code)
    # After a restart of this way, the spot-check may already be finished.
    if "รับรองระดับจังหวัด" not in hand.labels:
        text = await hand.tap("สุ่มตรวจสอบ", "ตรวจสอบข้อมูลระดับจังหวัด", until_gone=True)
        while "สรุปผลสุ่มตรวจสอบ" not in text:
            label = DESPITE_EMPTY if DESPITE_EMPTY in hand.labels else "✅ ถูกต้อง"
            text = await hand.tap(label, text, until_gone=True)
    hand.check(await hand.tap("รับรองระดับจังหวัด", "ยกเลิกไม่ได้"), unit.code)
    await hand.tap("ยืนยันการรับรอง", "โปรดใส่ PIN")
    await hand.enter_pin(unit)


Way = Callable[[Hand, sample.Unit], Awaitable[None]]


async def to_the_end(hand: Hand, unit: sample.Unit, way: Way) -> None:
    """Go a way until the receipt arrives, and begin again if an answer is missing.

    A press without an answer may have taken effect nevertheless. Exits the program after TRIES attempts.
    """
    for _ in range(TRIES):
        if hand.has_receipt(unit):
            return
        try:
            await way(hand, unit)
            return
        except (Unanswered, AssertionError) as error:
            hand.day.again += 1
            card_text = hand.card.text[:60] if hand.card is not None else ""
            print(f"           begun anew, {unit.code}: {error!r:.120} at {card_text!r}", flush=True)
            # If the press took effect, the receipt arrives once the chat's limit allows another message.
            with suppress(AssertionError):
                await hand.phone.until(lambda _: hand.has_receipt(unit), PATIENCE)
    raise SystemExit(f"{unit.name} did not come to an end:\n{hand.phone.screen()}")


async def all_ways(emulator: Emulator, people: dict[int, sample.Unit], day: Day, taps_a_second: float) -> None:
    """Let all officers go their ways to the end. Each organization's officer begins at a random moment."""
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
    """Run `count` bot processes for the block. With `kills`, kill and restart a random one every KILL_EVERY
    seconds.
    """
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
            # The block may end between a kill and the next start.
            if program.returncode is None:
                program.terminate()
            await program.wait()


def read_registers(path: Path) -> dict[str, Numbers]:
    """Count the records of each category, by organization."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            counted[row["organization"]][row["category"]] += 1
    return {code: {name: numbers[name] for name in sample.POSITIONS} for code, numbers in counted.items()}


async def certificates_at_fault(database: Database, registers: dict[str, Numbers]) -> list[str]:
    """Return one line for each organization without exactly one certificate of each level with its register's
    numbers.
    """
    certificates: dict[str, list[Certification]] = defaultdict(list)
    async with database.read() as session:
        for certificate in await session.scalars(select(Certification)):
            certificates[certificate.organization_code].append(certificate)
    faults = []
    for code, numbers in registers.items():
        levels = Counter(certificate.level for certificate in certificates[code])
        if levels != {Level.LAO: 1, Level.PROVINCE: 1}:
            faults.append(f"{code}: {dict(levels)}")
        expected = tuple(numbers.values())
        for certificate in certificates[code]:
            certified = (
                certificate.officials,
                certificate.permanent_employees,
                certificate.contract_employees,
            )
            if certified != expected:
                faults.append(f"{code}: other numbers than {expected}")
                break
    return faults


def hash_pins(users: list[int]) -> dict[int, str]:
    """Hash the PIN of each user at full cost, on all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return dict(
            zip(users, pool.map(partial(hash_pin, Keyring(SECRET_KEY), pin=PIN), users, chunksize=16), strict=True)
        )


async def run(folder: Path, options: argparse.Namespace) -> bool:
    """Run the whole day, print the results, and return whether there were no faults."""
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
    """Print the results."""
    cuts = statistics.quantiles(day.times, n=100)
    percentiles = ", ".join(
        f"{name} {cuts[place - 1] * 1000:,.0f} ms" for name, place in (("p50", 50), ("p95", 95), ("p99", 99))
    )
    print(f"from tap to answer, {len(day.times):,} taps: {percentiles}, longest {max(day.times):.2f} s")
    print(f"begun anew because an answer did not come: {day.again}")
    edits = sum(refusal.method in EDITS for refusal in refusals)
    per_tap = edits * 1000 / len(day.times)
    print(f"429s: {edits} on edits, {per_tap:.2f} in 1,000 taps; {len(refusals) - edits} on new messages")
    print(f"lost, doubled or wrong: {len(faults)}", *faults[:20], sep="\n")


def main() -> None:
    """Run the benchmark from the command line."""
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
