"""Fifty logins at once, and what the other officers feel of it: `python -m benchmarks.logins [--rounds N]`.

Officers tap on while fifty others give their passwords at the same moment, half of them wrong; each costs one
Argon2id hash. Through `laocert run` on SQLite against the emulated Bot API, quiet and busy times by turns.
Prints how long a tap waited for its answer (median and 95th percentile) in both, and their ratio.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.nation import Country, log_in
from demo import sample
from demo.botapi import Emulator, Phone
from handlers.chat.taps.accounts import Home
from handlers.chat.taps.certification import CertificationMenu, LaoMenu, LaoReview
from models.security import passwords

PROVINCE = "30"
LOGINS = 50
OFFICERS = 20
# Seconds between an officer's taps.
PACE = 0.5
QUIET = 3.0
ROUND = [tap.pack() for tap in (CertificationMenu(), LaoMenu(), LaoReview(), Home())]


@dataclass
class Watch:
    """The seconds that each tap waited for its answer, by the phase `now`: "quiet", "busy" (others load the bot),
    "beside" (another process does the same work), or "" (not measured).
    """

    now: str = ""
    stop: bool = False
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def tap_on(self, phone: Phone, rng: random.Random) -> None:
        """Tap through the same screens in a cycle, at a person's pace, until `stop` is set."""
        card, number = phone.last, 0
        await asyncio.sleep(rng.random() * PACE)
        while not self.stop:
            before, started = self.now, time.perf_counter()
            tap = await phone.tap_data(card, ROUND[number % len(ROUND)])
            await tap.answer(60)
            # A tap that spans two phases counts for neither.
            self.times[before if before == self.now else ""].append(time.perf_counter() - started)
            number += 1
            await asyncio.sleep(PACE * (0.5 + rng.random()))


async def to_the_password(phone: Phone, unit: sample.Unit) -> None:
    """Log out, and begin a login up to the question for the password."""
    await phone.send("/logout")
    await phone.until(lambda screen: "เข้าสู่ระบบ" in screen.last.labels, 60)
    await phone.tap("เข้าสู่ระบบ")
    await phone.until(lambda screen: "พิมพ์ชื่อผู้ใช้" in screen.last.text, 60)
    await phone.send(unit.username)
    await phone.until(lambda screen: "รหัสผ่าน" in screen.last.text, 60)


async def give_password(phone: Phone, unit: sample.Unit, is_right: bool) -> float:
    """Send the password, or a wrong one, and return the seconds until the answer."""
    started = time.perf_counter()
    await phone.send(unit.password if is_right else "wrong")
    expected = "พิมพ์ชื่อ-สกุล" if is_right else "ไม่ถูกต้อง"
    await phone.until(lambda screen: expected in screen.last.text, 60)
    return time.perf_counter() - started


def hash_milliseconds() -> float:
    """Return the median milliseconds of one Argon2id hash on an idle machine."""
    times = []
    for _ in range(20):
        started = time.perf_counter()
        passwords.password_matches(passwords.NO_PASSWORD, "wrong")
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def percentiles(times: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile, in milliseconds, of times in seconds."""
    return statistics.median(times) * 1000, statistics.quantiles(times, n=20)[-1] * 1000


async def measure(country: Country, units: list[sample.Unit], rounds: int) -> None:
    """Start the bot, measure, and print the results."""
    async with Emulator() as emulator:
        bot = await country.start_bot(emulator)
        try:
            watch, logins = await take_turns(emulator, units, rounds)
        finally:
            bot.terminate()
            await bot.wait()
    report(watch, logins, rounds)


async def take_turns(emulator: Emulator, units: list[sample.Unit], rounds: int) -> tuple[Watch, list[float]]:
    """Measure quiet and busy times by turns. Returns the taps' times, and the seconds of each login."""
    rng = random.Random(1)  # noqa: S311 - the same in every run
    officers = {emulator.phone(unit.code): unit for unit in units[:OFFICERS]}
    others = {emulator.phone(unit.code): unit for unit in units[OFFICERS : OFFICERS + LOGINS]}
    await asyncio.gather(*(log_in(phone, unit) for phone, unit in officers.items()))
    watch, logins = Watch(), []
    tapping = [asyncio.create_task(watch.tap_on(phone, rng)) for phone in officers]
    for number in range(rounds):
        await asyncio.gather(*(to_the_password(phone, unit) for phone, unit in others.items()))
        await asyncio.sleep(1)
        watch.now = "quiet"
        await asyncio.sleep(QUIET)
        watch.now = "busy"
        logins += await asyncio.gather(
            *(
                give_password(phone, unit, (place + number) % 2 == 0)
                for place, (phone, unit) in enumerate(others.items())
            )
        )
        watch.now = ""
    watch.stop = True
    await asyncio.gather(*tapping)
    return watch, logins


def report(watch: Watch, logins: list[float], rounds: int) -> None:
    """Print both times side by side."""
    quiet, busy = percentiles(watch.times["quiet"]), percentiles(watch.times["busy"])
    print(f"one Argon2id hash: {hash_milliseconds():.0f} ms")
    print(f"from tap to answer, {OFFICERS} officers, each tapping every {PACE} s: median, 95th percentile")
    print(f"  while nobody logs in, {len(watch.times['quiet']):,} taps: {quiet[0]:.1f} ms, {quiet[1]:.1f} ms")
    print(
        f"  while {LOGINS} log in at once, {len(watch.times['busy']):,} taps: {busy[0]:.1f} ms, {busy[1]:.1f} ms"
    )
    print(f"  that is {busy[0] / quiet[0]:.2f} and {busy[1] / quiet[1]:.2f} times as long")
    median, most = statistics.median(logins), max(logins)
    print(
        f"from password to answer, {LOGINS} at once, {rounds} times: median {median:.2f} s, longest {most:.2f} s"
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    # More than eight would be too many wrong passwords of one chat.
    parser.add_argument("--rounds", type=int, default=8, choices=range(1, 9))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        country = Country(folder, None)
        units = [unit for unit in sample.read_units([PROVINCE]) if unit.role == "lao"][: OFFICERS + LOGINS]
        sample.write_organizations(folder / "organizations.csv", [PROVINCE])
        sample.write_accounts(folder / "accounts.csv", units)
        sample.write_personnel(folder / "personnel.csv", units[:OFFICERS], random.Random(1))  # noqa: S311 - samples
        country.laocert("db", "upgrade")
        for kind in ("organizations", "accounts", "personnel"):
            country.laocert("import", kind, str(folder / f"{kind}.csv"))
        country.laocert("round", "open", "--fiscal-year", "2570", "--closes", "2670-09-15")
        asyncio.run(measure(country, units, options.rounds))


if __name__ == "__main__":
    main()
