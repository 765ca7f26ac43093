"""The whole way of a tap beside bare bots: `make bench`, `make bench ARGS=--quick`, or
`python -m benchmarks.way [--rounds N] [--seconds S]`.

Our pipeline (durable inbox, rights, queries, rendering, commit, answer and edit) on SQLite through `laocert run`
by polling and by webhook, a bare python-telegram-bot, a bare aiogram, and the raw HTTP calls alone, each against
the same emulated Bot API (benchmarks/load.py), which runs in this process; by turns, without latency and with
50 ms a call. 200 officers each tap again as soon as they are answered. Prints taps a second and processor time a
tap (user and system, all threads, from /proc), and the ratios: min, median, max of the rounds.

The peers' own environment is `.venv-bench` (benchmarks/peers/requirements.lock), or `--peers` names its Python.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import officers
from benchmarks.load import TOKEN, LoadServer
from benchmarks.nation import Country
from demo import sample
from handlers.chat.taps.accounts import Home
from handlers.chat.taps.certification import CertificationMenu, LaoHistory, LaoMenu, LaoReview

PROVINCE = "30"
OFFICERS = 200
ROUND = [tap.pack() for tap in (CertificationMenu(), LaoMenu(), LaoReview(), LaoHistory(0), Home())]
LATENCIES = (0.0, 0.05)
OURS, HOOKED = "laocert run", "laocert run, webhook"
PTB, AIOGRAM, RAW = "python-telegram-bot", "aiogram", "raw HTTP calls"
BOTS = (OURS, HOOKED, PTB, AIOGRAM, RAW)
SECRET = "of-no-bot-that-there-is"  # noqa: S105 - opens nothing anywhere
PEERS = {PTB: "ptb_echo.py", AIOGRAM: "aiogram_echo.py", RAW: "raw_calls.py"}
# Taps before the measuring begins, in seconds: pools are open and caches warm then.
WARM_UP = 1.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figures:
    """The results of one run.

    `rate`: taps a second. `cost`: processor milliseconds for each tap. `start`: seconds to the first poll.
    `memory`: resident MB.
    """

    rate: float
    cost: float
    start: float
    memory: float


def processor_seconds(pid: int) -> float:
    """Return the user and system seconds of a process with all its threads (proc(5), /proc/pid/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process in MB (proc(5), /proc/pid/statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def next_taps(place: int) -> Callable[[], str]:
    """Return a function that yields the officer's next tap, in a cycle that begins at another tap for each
    `place`.
    """
    turns = itertools.cycle(ROUND[place % len(ROUND) :] + ROUND[: place % len(ROUND)])
    return lambda: next(turns)


class Bench:
    """Runs the bots, each in a new process for every run; laocert on a fresh copy of the database."""

    def __init__(self, country: Country, people: list[int], peers: str, seconds: float) -> None:
        self._country = country
        self._people = people
        self._peers = peers
        self._seconds = seconds
        self._number = itertools.count(1)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._port = server.getsockname()[1]
        self._hook_url = f"http://127.0.0.1:{self._port}/hook"

    def _command(self, name: str, url: str) -> tuple[list[str], dict[str, str]]:
        if name in PEERS:
            script = Path(__file__).parent / "peers" / PEERS[name]
            return [self._peers, str(script)], os.environ | {"LOAD_URL": url, "LOAD_TOKEN": TOKEN}
        copy = self._country.folder / f"run{next(self._number)}.db"
        shutil.copy(self._country.folder / "nation.db", copy)
        settings = {
            "LAOCERT_DATABASE_URL": f"sqlite+aiosqlite:///{copy}",
            "LAOCERT_BOT_TOKEN": TOKEN,
            "LAOCERT_API_URL": url,
            "LAOCERT_LISTEN": f"127.0.0.1:{self._port}",
        }
        if name == HOOKED:
            settings |= {"LAOCERT_WEBHOOK_URL": self._hook_url, "LAOCERT_WEBHOOK_SECRET": SECRET}
        return [sys.executable, "-m", self._country.bot, "run"], self._country.environment | settings

    @asynccontextmanager
    async def running(self, name: str, server: LoadServer) -> AsyncIterator[tuple[int, float]]:
        """Run one bot for the block. Yields its process id and the seconds to its first poll."""
        command, environment = self._command(name, server.url)
        started = time.perf_counter()
        with (self._country.folder / "bots.log").open("w+b") as log:
            bot = await asyncio.create_subprocess_exec(*command, env=environment, stderr=log)
            try:
                ended = asyncio.create_task(bot.wait())
                ready = asyncio.create_task(server.ready.wait())
                await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
                if not ready.done():
                    log.seek(0)
                    sys.exit(f"{name} did not start: {log.read().decode()}")
                yield bot.pid, time.perf_counter() - started
            finally:
                if bot.returncode is None:
                    bot.kill()
                await bot.wait()

    async def watch_memory(self, taps: int) -> None:
        """Run laocert for so many taps, and print the resident memory after each tenth of them."""
        server = LoadServer({user: next_taps(place) for place, user in enumerate(self._people)}, 0.0)
        listening = await server.start()
        async with self.running(OURS, server) as (pid, _):
            server.begin()
            for tenth in range(1, 11):
                while server.taps_done < taps * tenth // 10:  # noqa: ASYNC110 - measuring needs no event for it
                    await asyncio.sleep(0.1)
                print(f"after {server.taps_done:,} taps: {resident_megabytes(pid):.1f} MB", flush=True)
        listening.close()

    async def measure(self, name: str, latency: float) -> Figures:
        """Run one bot once, and return its figures."""
        people = {user: next_taps(place) for place, user in enumerate(self._people)}
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
        server = LoadServer(people, latency, [(self._hook_url, headers)] if name == HOOKED else [])
        listening = await server.start()
        async with self.running(name, server) as (pid, start):
            server.begin()
            await asyncio.sleep(WARM_UP)
            taps, work, began = server.taps_done, processor_seconds(pid), time.perf_counter()
            await asyncio.sleep(self._seconds)
            taps, work = server.taps_done - taps, processor_seconds(pid) - work
            took, memory = time.perf_counter() - began, resident_megabytes(pid)
        await server.end()
        listening.close()
        if not taps:
            sys.exit(f"{name} answered nothing: {(self._country.folder / 'bots.log').read_text()}")
        return Figures(taps / took, work / taps * 1000, start, memory)


async def import_seconds(peers: str) -> float:
    """Return the seconds of `python -c "import telegram.ext"`."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(peers, "-c", "import telegram.ext")
    await process.wait()
    return time.perf_counter() - started


def spread(values: list[float], digits: int = 2) -> str:
    """Format the minimum, median and maximum."""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


# The figures of each round by the bot's name and the latency in seconds.
Rounds = list[dict[tuple[str, float], Figures]]


def report(rounds: Rounds, imports: list[float]) -> Iterator[str]:
    """Yield the lines of the tables in docs/performance.md."""
    for latency in LATENCIES:
        yield f"\n{latency * 1000:.0f} ms a call, {len(rounds)} rounds: min / median / max\n"
        yield "| bot | taps a second | CPU ms a tap | resident MB |\n|---|---|---|---|"
        for name in BOTS:
            runs = [figures[name, latency] for figures in rounds]
            rate, cost = spread([run.rate for run in runs], 0), spread([run.cost for run in runs])
            yield f"| {name} | {rate} | {cost} | {spread([run.memory for run in runs], 0)} |"
    yield "\n| ratio, of the same round | min / median / max | at least or at most | goal |\n|---|---|---|---|"
    for words, values, limit, goal in ratios(rounds, imports):
        yield f"| {words} | {spread(values)} | {limit} | {goal} |"


def ratios(rounds: Rounds, imports: list[float]) -> Iterator[tuple[str, list[float], str, str]]:
    """Yield each ratio's description, its values by round, its limit and its goal."""

    def rates(peer: str, latency: float) -> Iterator[tuple[str, list[float]]]:
        for name in (OURS, HOOKED):
            yield name, [figures[name, latency].rate / figures[peer, latency].rate for figures in rounds]

    for latency, peer, limit, goal in (
        (0.0, PTB, "≥ 1.5", "2"),
        (0.0, AIOGRAM, "≥ 0.8", "1"),
        (0.05, PTB, "≥ 30", ""),
        (0.05, AIOGRAM, "≥ 1", ""),
    ):
        for name, values in rates(peer, latency):
            yield f"{name}, taps a second at {latency * 1000:.0f} ms, of {peer}'s", values, limit, goal
    for latency, name in itertools.product(LATENCIES, (OURS, HOOKED)):
        costs = [figures[name, latency].cost / figures[RAW, latency].cost for figures in rounds]
        yield f"{name}, CPU a tap at {latency * 1000:.0f} ms, of the raw calls'", costs, "≤ 8", "5"
    starts = [figures[OURS, 0.0].start / imported for figures, imported in zip(rounds, imports, strict=True)]
    yield "start to first poll, of `import telegram.ext`", starts, "≤ 5", "3"
    memory = [figures[OURS, 0.0].memory / figures[PTB, 0.0].memory for figures in rounds]
    yield "resident memory, of python-telegram-bot's", memory, "≤ 3", ""


async def run(folder: Path, options: argparse.Namespace) -> None:
    """Fill the database, measure by turns, and print the results."""
    country = Country(folder, None)
    units = [unit for unit in sample.read_units([PROVINCE]) if unit.role == "lao"][:OFFICERS]
    people = await officers.fill(country, units)
    bench = Bench(country, list(people), options.peers, options.seconds)
    if options.taps:
        await bench.watch_memory(options.taps)
        return
    rounds: Rounds = []
    imports = []
    for number in range(options.rounds):
        results: dict[tuple[str, float], Figures] = {}
        for latency in LATENCIES:
            for name in BOTS:
                if options.only and name != options.only:
                    continue
                figures = results[name, latency] = await bench.measure(name, latency)
                print(
                    f"round {number + 1}, {latency * 1000:2.0f} ms, {name}: {figures.rate:,.0f} taps/s,"
                    f" {figures.cost:.2f} ms CPU a tap, start {figures.start:.2f} s, {figures.memory:.0f} MB",
                    flush=True,
                )
        imports.append(await import_seconds(options.peers))
        rounds.append(results)
    if not options.only:
        print("\n".join(report(rounds, imports)))


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each run")
    parser.add_argument("--peers", default=".venv-bench/bin/python", help="Python of the peers' environment")
    parser.add_argument("--only", choices=BOTS, help="one of the bots, without ratios")
    parser.add_argument("--taps", type=int, help="only the memory of ours, over so many taps")
    parser.add_argument("--quick", action="store_true", help="one short round, for a first look")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 2.0
    with tempfile.TemporaryDirectory() as name:
        uvloop.run(run(Path(name), options))


if __name__ == "__main__":
    main()
