"""What officers feel of strangers who write without end: `python -m benchmarks.strangers [--rounds N]
[--url URL]`.

100 officers tap 20 times a second together, through `laocert run` against the emulated Bot API of
benchmarks/load.py: quietly; while one stranger, or 1,000, send 10,000 messages a minute; and after the program was
killed with SIGKILL in the middle of that and started again 10 s later. By polling on SQLite; with `--url
postgresql+asyncpg://…/empty` by webhook, two programs to which updates are posted by turns, of which one is
killed. Prints for each the median and the longest time from a tap to the end of its answer and edit, those
included that were still waited for, and the ratio of the medians; after a start, waits are counted from its first
poll. Exits 1 when one is above 2 s, or the ratio in the median of the rounds above 1.5.
"""

import argparse
import asyncio
import itertools
import random
import socket
import statistics
import sys
import tempfile
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import officers
from benchmarks.load import TOKEN, LoadServer
from benchmarks.nation import Country
from benchmarks.way import SECRET, next_taps
from demo import sample

OFFICERS, TAPS_A_SECOND = 100, 20
MESSAGES_A_MINUTE = 10_000
FIRST_STRANGER = 2_000_000
# Seconds before the measuring begins, of each measuring, and without a program.
WARM_UP, SECONDS, AWAY = 5.0, 20.0, 10.0
LONGEST, RATIO = 2.0, 1.5
# More than there are in any round.
UPDATES_A_ROUND = 1_000_000


@dataclass(frozen=True)
class Waits:
    """How long officers waited for answers, in seconds."""

    median: float
    longest: float

    def __str__(self) -> str:
        return f"median {self.median * 1000:.0f} ms, longest {self.longest * 1000:,.0f} ms"


class Programs:
    """One bot process that polls, or `replicas` processes to which updates are posted."""

    def __init__(self, country: Country, replicas: int) -> None:
        self._country = country
        self.ports = [free_port() for _ in range(replicas)]
        self._running: list[Process] = []

    @property
    def hooks(self) -> list[tuple[str, dict[str, str]]]:
        """The webhook URLs and headers; none if the bot polls."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
        return [(f"http://127.0.0.1:{port}/hook", headers) for port in self.ports]

    async def start(self, server: LoadServer) -> None:
        """Start all processes that are not running, and wait until each is ready."""
        for port in self.ports[len(self._running) :] or ([0] if not self._running else []):
            hook = {
                "LAOCERT_LISTEN": f"127.0.0.1:{port}",
                "LAOCERT_WEBHOOK_URL": f"http://127.0.0.1:{port}/hook",
                "LAOCERT_WEBHOOK_SECRET": SECRET,
            }
            server.ready.clear()
            self._running.append(await self._country.start(TOKEN, server.url, **(hook if port else {})))
            async with asyncio.timeout(60):
                await server.ready.wait()

    async def kill(self) -> None:
        """Kill the process that was started last, with SIGKILL."""
        program = self._running.pop()
        program.kill()
        await program.wait()

    async def end(self) -> None:
        """Terminate all processes."""
        for program in self._running:
            program.terminate()
            await program.wait()


def free_port() -> int:
    """Return a port that is free at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def measured(server: LoadServer) -> Waits:
    """Measure how long officers wait, for SECONDS."""
    server.times.clear()
    await asyncio.sleep(SECONDS)
    waits = [*server.times, *server.waiting()]
    return Waits(statistics.median(waits), max(waits))


@asynccontextmanager
async def flood(server: LoadServer, strangers: int) -> AsyncIterator[None]:
    """Let `strangers` strangers together send MESSAGES_A_MINUTE messages, for the block."""

    async def write() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, began + number * 60 / MESSAGES_A_MINUTE - loop.time()))
            server.say(FIRST_STRANGER + number % strangers, random.choice(("สวัสดี", "/start", "9")))  # noqa: S311

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait({writing})


async def measure(country: Country, users: list[int], strangers: int, number: int) -> dict[str, Waits]:
    """Measure one round: quiet, flooded by `strangers` strangers, and after a kill during the flood."""
    programs = Programs(country, 2 if country.url else 0)
    server = LoadServer(
        {user: next_taps(place) for place, user in enumerate(users)},
        0.0,
        programs.hooks,
        every=OFFICERS / TAPS_A_SECOND,
        first_update=1 + number * UPDATES_A_ROUND,
    )
    listening = await server.start()
    try:
        await programs.start(server)
        server.begin()
        await asyncio.sleep(WARM_UP)
        waits = {"quiet": await measured(server)}
        async with flood(server, strangers):
            await asyncio.sleep(WARM_UP)
            waits["flooded"] = await measured(server)
            await programs.kill()
            await asyncio.sleep(AWAY)
            await programs.start(server)
            server.count_from_now()
            waits["started again"] = await measured(server)
    finally:
        await programs.end()
        await server.end()
        listening.close()
    return waits


async def run(folder: Path, options: argparse.Namespace) -> bool:
    """Fill the database, measure by turns, print, and return whether the bounds are met."""
    country = Country(folder, options.url, "bot")
    units = [unit for unit in sample.read_units() if unit.role == "lao"][:OFFICERS]
    users = list(await officers.fill(country, units))
    ratios: dict[tuple[int, str], list[float]] = defaultdict(list)
    longest = 0.0
    for number, strangers in itertools.product(range(options.rounds), (1, 1000)):
        waits = await measure(country, users, strangers, 2 * number + (strangers > 1))
        for name, measured_waits in waits.items():
            print(f"round {number + 1}, {strangers} strangers, {name}: {measured_waits}", flush=True)
            longest = max(longest, measured_waits.longest)
            ratios[strangers, name].append(measured_waits.median / waits["quiet"].median)
    medians = {key: statistics.median(values) for key, values in ratios.items()}
    for (strangers, name), median in medians.items():
        if name != "quiet":
            print(f"{strangers} strangers, {name}: {median:.2f} times the quiet median, at most {RATIO}")
    print(f"longest wait {longest:.2f} s, at most {LONGEST}")
    return longest <= LONGEST and max(medians.values()) <= RATIO


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url", help="an empty PostgreSQL database: two programs by webhook")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not uvloop.run(run(Path(name), options)):
            sys.exit(1)


if __name__ == "__main__":
    main()
