"""What others feel while Telegram keeps 1,000 chats waiting: `python -m benchmarks.flood_waits [--rounds N]
[--url URL]`.

200 officers tap 50 times a second together, through `laocert run` against the emulated Bot API of
benchmarks/load.py: quietly, and then while the screens of 1,000 others were refused with a 429 of 60 s. Prints for
each round the 95th percentile of the time from a tap to the end of its answer and edit in both, and their ratio;
exits 1 when the median of the ratios is above 1.25, when a call came into a chat that a 429 had closed, or when
one of the 1,000 was not shown its screen in the end.

`--url postgresql+asyncpg://…/empty`: on PostgreSQL.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks import officers
from benchmarks.load import TOKEN, LoadServer
from benchmarks.nation import Country
from benchmarks.way import next_taps
from demo import sample
from handlers.chat.taps.accounts import Home

TAPPING, WAITING = 200, 1000
TAPS_A_SECOND = 50
# Of `retry_after`: as long as others have met (tdlib/td #3034).
FLOOD_WAIT = 60
# Seconds before the measuring begins, of each measuring, and in which the 1,000 tap.
WARM_UP, SECONDS, SPREAD = 5.0, 20.0, 20.0
# Seconds within which the 1,000 must have their screens after the wait.
AFTERWARDS = 60.0
AT_MOST = 1.25
# More than there are in any round.
UPDATES_A_ROUND = 1_000_000


def p95(times: list[float]) -> float:
    """Return the 95th percentile, in milliseconds, of times in seconds."""
    return statistics.quantiles(times, n=20)[-1] * 1000


async def measured(server: LoadServer) -> float:
    """Measure for SECONDS, and return the 95th percentile of the taps in milliseconds."""
    server.times.clear()
    await asyncio.sleep(SECONDS)
    return p95(server.times)


async def flood(server: LoadServer, users: list[int]) -> None:
    """Let each user tap once, and refuse the screen with a 429."""
    for user in users:
        server.floods[user] = FLOOD_WAIT
        server.tap(user, Home().pack())
        await asyncio.sleep(SPREAD / len(users))


async def measure(country: Country, users: list[int], number: int) -> tuple[float, float, list[str]]:
    """Measure one round. Returns the percentile in quiet times and with waiting chats, and the faults."""
    tapping, waiting = users[:TAPPING], users[TAPPING:]
    server = LoadServer(
        {user: next_taps(place) for place, user in enumerate(tapping)},
        0.0,
        every=TAPPING / TAPS_A_SECOND,
        first_update=1 + number * UPDATES_A_ROUND,
    )
    listening = await server.start()
    bot = await country.start(TOKEN, server.url)
    try:
        async with asyncio.timeout(60):
            await server.ready.wait()
        server.begin()
        await asyncio.sleep(WARM_UP)
        quiet = await measured(server)
        await flood(server, waiting)
        while server.refused < len(waiting):  # noqa: ASYNC110 - measuring needs no event for it
            await asyncio.sleep(0.05)
        busy = await measured(server)
        shown_count = await all_shown(server, waiting)
    finally:
        bot.terminate()
        await bot.wait()
        listening.close()
    missing = len(waiting) - shown_count
    faults = [f"{missing} were never shown their screens"] if missing else []
    if server.violations:
        faults.append(f"{server.violations} calls came into closed chats")
    return quiet, busy, faults


async def all_shown(server: LoadServer, waiting: list[int]) -> int:
    """Wait until all have their screens or the time is over, and return how many have."""
    loop = asyncio.get_running_loop()
    until = loop.time() + FLOOD_WAIT + AFTERWARDS
    while any(not server.edits[user] for user in waiting) and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return sum(server.edits[user] > 0 for user in waiting)


async def run(folder: Path, options: argparse.Namespace) -> bool:
    """Fill the database, measure by turns, print, and return whether the bounds are met."""
    country = Country(folder, options.url, "bot")
    units = [unit for unit in sample.read_units() if unit.role == "lao"][: TAPPING + WAITING]
    users = list(await officers.fill(country, units))
    ratios, faults = [], []
    for number in range(options.rounds):
        quiet, busy, wrong = await measure(country, users, number)
        ratios.append(busy / quiet)
        faults += wrong
        print(f"round {number + 1}: p95 {quiet:.1f} ms, with {WAITING} chats waiting {busy:.1f} ms", flush=True)
    median = statistics.median(ratios)
    print(f"ratios: {', '.join(f'{ratio:.2f}' for ratio in ratios)}; median {median:.2f}, at most {AT_MOST}")
    print(*faults, sep="\n")
    return median <= AT_MOST and not faults


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not uvloop.run(run(Path(name), options)):
            sys.exit(1)


if __name__ == "__main__":
    main()
