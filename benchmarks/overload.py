"""Three times as much as can be done: `python -m benchmarks.overload [--minutes N] [--url URL]`.

Officers go the ways of benchmarks/deadline_day.py, each tapping again when it is answered, 1.5 s after its last
tap at the earliest, in design weather: when one has certified, the next begins. First so few that a third of what
can be done is asked for, then so many that three times as much is, for so many minutes (5), then few again. What
can be done is measured before, with many officers for half a minute. On SQLite one program; on PostgreSQL two.

Prints the time from a tap to its answer in each part, and how often an officer had to ask again. Exits 1 when a
certificate is lost, doubled or wrong, a screen showed another number than the register, a way broke off, a call
came into a chat that a 429 had closed, or the 99th percentile is not again what it was 60 s after the many, within
a quarter and 50 ms.
"""

import argparse
import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import uvloop

from benchmarks import officers
from benchmarks.deadline_day import (
    PAUSE,
    Day,
    Hand,
    certificates_at_fault,
    hash_pins,
    lao_way,
    province_way,
    read_registers,
    running,
    to_the_end,
)
from benchmarks.nation import SECRET_KEY, Country
from demo import sample
from demo.botapi import DESIGN, Emulator
from models.database.engine import Database
from models.security.keys import Keyring

# Officers at once while it is measured what can be done, and seconds of it, its beginning left out.
MANY, BEGINNING, MEASURED = 400, 10.0, 20.0
# Of what can be done: asked for in the quiet parts, and in the other.
FEW, TOO_MANY = 1 / 3, 3.0
# Seconds between the beginnings of two organizations of one province's officer: in its minute a chat has calls for
# two of them (docs/contract.md, Visible calls), and what Telegram keeps waiting is not the program's doing.
LOOKS = 30.0
# Seconds of a quiet part, and before the last of them.
QUIET, AFTER = 60.0, 60.0


class Turnstile:
    """Lets so many officers tap. The others put their phones away between two taps until there is room."""

    def __init__(self) -> None:
        self._limit = 0
        self._tapping: set[Hand] = set()
        self._changed = asyncio.Condition()

    async def set_limit(self, officers: int) -> None:
        """So many may tap from now on."""
        async with self._changed:
            self._limit = officers
            self._changed.notify_all()

    async def pass_through(self, hand: Hand) -> None:
        """Wait until this officer may tap."""
        async with self._changed:
            if len(self._tapping) > self._limit:
                self._tapping.discard(hand)
            if hand not in self._tapping:
                await self._changed.wait_for(lambda: len(self._tapping) < self._limit)
                self._tapping.add(hand)

    async def leave(self, hand: Hand) -> None:
        """The officer has finished."""
        async with self._changed:
            self._tapping.discard(hand)
            self._changed.notify_all()


class Crowd:
    """A chosen number of officers at work, each going one way after the other.

    `done`: the codes of the organizations that are certified at both levels.
    """

    def __init__(self, emulator: Emulator, people: dict[int, sample.Unit], day: Day) -> None:
        hands = {user: Hand(emulator.phone(unit.name, user_id=user), day) for user, unit in people.items()}
        for hand in hands.values():
            hand.phone.chat.bot_status = "member"
        self._laos: Iterator[tuple[Hand, sample.Unit]] = iter(
            [(hands[user], unit) for user, unit in people.items() if unit.role == "lao"]
        )
        self._free: dict[str, list[Hand]] = defaultdict(list)
        for user, unit in people.items():
            if unit.role == "province":
                self._free[unit.code].append(hands[user])
        self._waiting: list[sample.Unit] = []
        self.done: set[str] = set()
        self._at_work: set[asyncio.Task[None]] = set()
        self._turnstile = Turnstile()
        for hand in hands.values():
            hand.before_tap = partial(self._turnstile.pass_through, hand)

    def want(self, officers_at_once: int) -> None:
        """Let further officers begin until `officers_at_once` are at work."""
        while len(self._at_work) < officers_at_once:
            task = asyncio.create_task(self._one_way())
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def keep(self, officers_at_once: int, seconds: float) -> None:
        """Keep `officers_at_once` officers at work for `seconds`. Surplus officers pause where they are."""
        await self._turnstile.set_limit(officers_at_once)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.want(officers_at_once)
            await asyncio.sleep(0.05)
            for task in [task for task in self._at_work if task.done()]:
                await task

    async def end(self) -> None:
        """Wait until all officers at work have finished, and the provinces have certified what waits."""
        self._laos = iter(())
        await self._turnstile.set_limit(MANY)
        while self._at_work or self._waiting:
            self.want(min(len(self._at_work) + len(self._waiting), MANY))
            await asyncio.wait(self._at_work, return_when=asyncio.FIRST_COMPLETED)

    async def _one_way(self) -> None:
        """Let a free province officer certify a waiting organization, or else the next organization's officer
        begin.
        """
        for unit in self._waiting:
            if self._free[unit.province]:
                self._waiting.remove(unit)
                hand = self._free[unit.province].pop(0)
                began = time.perf_counter()
                await to_the_end(hand, unit, province_way)
                await self._turnstile.leave(hand)
                self.done.add(unit.code)
                pause = max(began + LOOKS - time.perf_counter(), 0.0)
                asyncio.get_running_loop().call_later(pause, self._free[unit.province].append, hand)
                return
        hand, unit = next(self._laos, (None, None))
        if hand is None or unit is None:
            await asyncio.sleep(PAUSE)
            return
        await to_the_end(hand, unit, lao_way)
        await self._turnstile.leave(hand)
        self._waiting.append(unit)


def described(name: str, times: list[float]) -> str:
    """Format the percentiles of a part."""
    if len(times) < 2:
        return f"{name}: nobody was answered"
    cuts = statistics.quantiles(times, n=100)
    percentiles = ", ".join(
        f"{percent} {cuts[place - 1] * 1000:,.0f} ms" for percent, place in (("p50", 50), ("p99", 99))
    )
    return f"{name}: {len(times):,} taps, {percentiles}, longest {max(times):.2f} s"


def p99(times: list[float]) -> float:
    """Return the 99th percentile in seconds; infinity if nobody was answered."""
    return statistics.quantiles(times, n=100)[98] if len(times) > 1 else math.inf


async def parts(crowd: Crowd, day: Day, minutes: float) -> list[str]:
    """Run all parts, and return the faults."""

    async def part(name: str, officers_at_once: int, seconds: float) -> list[float]:
        day.times.clear()
        await crowd.keep(officers_at_once, seconds)
        times = list(day.times)
        print(f"{described(name, times)}, {len(times) / seconds:.1f} taps a second", flush=True)
        return times

    await part("warming up", MANY, BEGINNING)
    can = len(await part(f"{MANY} officers", MANY, MEASURED)) / MEASURED
    few, too_many = round(can * FEW * PAUSE), round(can * TOO_MANY * PAUSE)
    await part("a third, 60 s after the many", few, AFTER)
    before = await part(f"{few} officers, a third", few, QUIET)
    await part(f"{too_many} officers, three times as much", too_many, minutes * 60)
    await part("60 s afterwards", few, AFTER)
    after = await part(f"{few} officers, a third again", few, QUIET)
    await crowd.end()
    if p99(after) > p99(before) * 1.25 + 0.05:
        return [f"p99 {p99(after):.3f} s afterwards, {p99(before):.3f} s before"]
    return []


async def run(folder: Path, options: argparse.Namespace) -> bool:
    """Fill the database, measure, print, and return whether there were no faults."""
    country = Country(folder, options.url, "bot")
    everyone = sample.read_units()
    laos = random.Random(1).sample(  # noqa: S311 - the same in every run
        [unit for unit in everyone if unit.role == "lao"], options.organizations
    )
    needed = {unit.province for unit in laos}
    provinces = [unit for unit in everyone if unit.role == "province" and unit.code in needed]
    people = await officers.fill(country, [*laos, *provinces, *provinces], hash_pins)
    day = Day(read_registers(folder / "personnel.csv"))
    database = Database(country.environment["LAOCERT_DATABASE_URL"], Keyring(SECRET_KEY))
    async with Emulator(weather=DESIGN, calls_kept=1000) as emulator:
        async with running(country, emulator, 1 if options.url is None else 2, kills=False):
            crowd = Crowd(emulator, people, day)
            faults = await parts(crowd, day, options.minutes)
        faults += emulator.violations
    registers = {code: numbers for code, numbers in day.registers.items() if code in crowd.done}
    faults += [*await certificates_at_fault(database, registers), *day.wrong]
    await database.close()
    print(f"{len(crowd.done)} organizations certified at both levels; asked again {day.again} times")
    print(f"lost, doubled, wrong or slow: {len(faults)}", *faults[:20], sep="\n")
    return not faults


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--organizations", type=int, default=5000)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not uvloop.run(run(Path(name), options)):
            sys.exit(1)


if __name__ == "__main__":
    main()
