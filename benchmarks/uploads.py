"""Registers sent as files, and what the other officers feel of it: `python -m benchmarks.uploads [--rounds N]`.

One officer sends registers of 60, 300 and 2,000 records as CSV and as XLSX, one after the other, while twenty
others tap on; through `laocert run` on SQLite against the emulated Bot API, quiet and busy times by turns. Prints
the time from a file to what it changes, and how long taps waited (median and 95th percentile) in both times, with
their ratio.
"""

import argparse
import asyncio
import csv
import io
import random
import statistics
import tempfile
import time
from pathlib import Path

from openpyxl import Workbook

from benchmarks.logins import QUIET, Watch, percentiles
from benchmarks.nation import Country, log_in
from demo import sample
from demo.botapi import Emulator, Phone

PROVINCE = "30"
OFFICERS = 20
SIZES = (60, 300, 2000)
# Seconds that a file may take before the measuring gives up.
PATIENCE = 120.0

Cells = list[list[str]]


def register(people: Cells, unit: sample.Unit, records: int) -> Cells:
    """Build an organization's register of `records` records from rows of other organizations, with the header."""
    header, *rows = people
    return [header, *([unit.code, f"{number:04}", *row[2:]] for number, row in enumerate(rows[:records], 1))]


def as_csv(rows: Cells) -> bytes:
    """Encode rows as CSV."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def as_xlsx(rows: Cells) -> bytes:
    """Encode rows as XLSX with shared strings, as a spreadsheet program does."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("ทะเบียน")
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


async def send(phone: Phone, name: str, content: bytes) -> float:
    """Send a file, and return the seconds until the bot shows what it would change."""
    started = time.perf_counter()
    sent = await phone.send_document(name, content)
    await phone.until(lambda screen: screen.last.id > sent.id and "สิ่งที่ไฟล์จะเปลี่ยน" in screen.last.text, PATIENCE)
    return time.perf_counter() - started


async def take_turns(
    emulator: Emulator, units: list[sample.Unit], people: Cells, rounds: int
) -> tuple[Watch, dict[tuple[int, str], list[float]]]:
    """Measure quiet and busy times by turns. Returns the taps' times, and the seconds of each file by (records,
    kind).
    """
    rng = random.Random(1)  # noqa: S311 - the same in every run
    sender, *others = units
    phone = emulator.phone(sender.code)
    officers = {emulator.phone(unit.code): unit for unit in others}
    await asyncio.gather(*(log_in(officer, unit) for officer, unit in ({phone: sender} | officers).items()))
    watch = Watch()
    took: dict[tuple[int, str], list[float]] = {}
    files = {}
    for records in SIZES:
        rows = register(people, sender, records)
        files |= {(records, "csv"): as_csv(rows), (records, "xlsx"): as_xlsx(rows)}
    tapping = [asyncio.create_task(watch.tap_on(officer, rng)) for officer in officers]
    for _ in range(rounds):
        watch.now = "quiet"
        await asyncio.sleep(2 * QUIET)
        watch.now = "busy"
        for (records, kind), content in files.items():
            took.setdefault((records, kind), []).append(await send(phone, f"register.{kind}", content))
        watch.now = ""
    watch.stop = True
    await asyncio.gather(*tapping)
    return watch, took


def report(watch: Watch, took: dict[tuple[int, str], list[float]]) -> None:
    """Print the files' times by size and kind, and both times of taps side by side."""
    for (records, kind), times in took.items():
        median, longest = statistics.median(times), max(times)
        print(f"{records:5,} records as {kind}: median {median:.2f} s, longest {longest:.2f} s")
    quiet, busy = percentiles(watch.times["quiet"]), percentiles(watch.times["busy"])
    print(f"from tap to answer, {OFFICERS} officers: median, 95th percentile")
    print(f"  while no file is sent, {len(watch.times['quiet']):,} taps: {quiet[0]:.1f} ms, {quiet[1]:.1f} ms")
    print(f"  while files are sent, {len(watch.times['busy']):,} taps: {busy[0]:.1f} ms, {busy[1]:.1f} ms")
    print(f"  that is {busy[0] / quiet[0]:.2f} and {busy[1] / quiet[1]:.2f} times as long")


async def measure(country: Country, units: list[sample.Unit], people: Cells, rounds: int) -> None:
    """Start the bot, measure, and print the results."""
    async with Emulator() as emulator:
        bot = await country.start_bot(emulator)
        try:
            watch, took = await take_turns(emulator, units, people, rounds)
        finally:
            bot.terminate()
            await bot.wait()
    report(watch, took)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        country = Country(folder, None)
        everybody = [unit for unit in sample.read_units([PROVINCE]) if unit.role == "lao"]
        units = everybody[: OFFICERS + 1]
        sample.write_personnel(folder / "people.csv", everybody, random.Random(2))  # noqa: S311 - samples
        with (folder / "people.csv").open(encoding="utf-8", newline="") as file:
            people = list(csv.reader(file))
        sample.write_organizations(folder / "organizations.csv", [PROVINCE])
        sample.write_accounts(folder / "accounts.csv", units)
        sample.write_personnel(folder / "personnel.csv", units, random.Random(1))  # noqa: S311 - samples
        country.laocert("db", "upgrade")
        for kind in ("organizations", "accounts", "personnel"):
            country.laocert("import", kind, str(folder / f"{kind}.csv"))
        country.laocert("round", "open", "--fiscal-year", "2570", "--closes", "2670-09-15")
        asyncio.run(measure(country, units, people, options.rounds))


if __name__ == "__main__":
    main()
