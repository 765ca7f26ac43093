"""From tap to answer, at the size of the nation: `python -m benchmarks.answers [--rounds N] [--url URL]`.

100 officers of organizations and 10 of their province tap 50 times a second together, through `laocert run` in a
process of its own against the emulated Bot API of benchmarks/load.py, in a database of all 7,849 organizations and
478,000 records, and in a sample in which their province is the same and of the rest there is 1/100; by turns.
Prints p50, p95 and p99 of the time from a tap to the end of its answer and edit, and the ratio of the medians.

`--url postgresql+asyncpg://…/empty`: the full one on PostgreSQL; the sample is made beside it and dropped.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks import officers, scale
from benchmarks.load import TOKEN, LoadServer
from benchmarks.nation import Country
from demo import sample
from handlers.chat.taps.accounts import Home
from handlers.chat.taps.certification import CertificationMenu, LaoHistory, LaoMenu, LaoReview, ProvinceReview
from handlers.chat.taps.province import ProvinceMenu, ProvinceSearch
from models.database.engine import Database

TAPS_A_SECOND = 50
LAOS, PROVINCES = 100, 10
# Taps before the measuring begins, and those that are measured, in seconds.
WARM_UP, SECONDS = 5.0, 20.0
# More update ids than one run uses, so that runs do not share any.
TAPS_A_RUN = 1_000_000
# Above the user id of the officer in benchmarks/scale.py.
FIRST_USER = 1000


def people() -> dict[int, sample.Unit]:
    """Return the officers' units by Telegram user id."""
    units = sample.read_units([scale.PROVINCE])
    laos = [unit for unit in units if unit.role == "lao"][:LAOS]
    (province,) = (unit for unit in units if unit.role == "province")
    return dict(enumerate([*laos, *[province] * PROVINCES], FIRST_USER))


def next_taps(place: int, unit: sample.Unit, codes: list[str]) -> Callable[[], str]:
    """Return a function that yields the officer's next tap, in a cycle that begins at another tap for each
    `place`.
    """
    if unit.role == "lao":
        taps = [CertificationMenu(), LaoMenu(), LaoReview(), LaoHistory(0), Home()]
    else:
        code = codes[place % len(codes)]
        taps = [CertificationMenu(), ProvinceMenu(), ProvinceSearch(place % 10), ProvinceReview(code), Home()]
    turns = itertools.cycle([tap.pack() for tap in taps[place % len(taps) :] + taps[: place % len(taps)]])
    return lambda: next(turns)


async def measure(url: str, folder: Path, number: int) -> list[float]:
    """Run number `number` (from 0) on one database. Returns the seconds from each tap to its answer."""
    everyone = people()
    codes = [unit.code for unit in everyone.values() if unit.role == "lao"]
    taps = {user: next_taps(place, unit, codes) for place, (user, unit) in enumerate(everyone.items())}
    server = LoadServer(taps, 0.0, every=len(everyone) / TAPS_A_SECOND, first_update=1 + number * TAPS_A_RUN)
    listening = await server.start()
    bot = await Country(folder, url).start(TOKEN, server.url)
    try:
        async with asyncio.timeout(60):
            await server.ready.wait()
        server.begin()
        await asyncio.sleep(WARM_UP)
        server.times.clear()
        await asyncio.sleep(SECONDS)
        return list(server.times)
    finally:
        bot.terminate()
        await bot.wait()
        listening.close()


def percentiles(times: list[float]) -> str:
    """Format p50, p95 and p99 of times in seconds, in milliseconds."""
    cuts = statistics.quantiles(times, n=100)
    return " / ".join(f"{cuts[place - 1] * 1000:6.1f}" for place in (50, 95, 99))


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Fill both databases, measure by turns, and print the results."""
    everyone = people()
    async with scale.sample_url(folder, options.url) as small:
        urls = {"nation": options.url or f"sqlite+aiosqlite:///{folder / 'nation.db'}", "sample": small}
        for name, url in urls.items():
            database = Database(url, scale.KEYRING)
            await scale.fill(database, folder, is_sample=name == "sample")
            await officers.link(database, everyone, dict.fromkeys(everyone, "none"))
            await database.close()
        medians: dict[str, list[float]] = {name: [] for name in urls}
        for number in range(options.rounds):
            for name in sorted(urls, reverse=bool(number % 2)):
                times = await measure(urls[name], folder, number)
                medians[name].append(statistics.median(times))
                print(
                    f"{name}: {len(times) / SECONDS:.1f} taps a second, p50 / p95 / p99 {percentiles(times)} ms",
                    flush=True,
                )
    ratios = [nation / few for nation, few in zip(medians["nation"], medians["sample"], strict=True)]
    print("nation to sample, medians: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        uvloop.run(run(options, Path(name)))


if __name__ == "__main__":
    main()
