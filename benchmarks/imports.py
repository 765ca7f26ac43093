"""Import of the nation's personnel: `python -m benchmarks.imports [--url postgresql+asyncpg://…/empty]`.

Imports about 478,000 generated records of all 7,849 organizations from CSV, first into empty rosters, then others
in their place; each beside a bare `executemany` of the same rows into the same table, with its indexes and
triggers. Meanwhile other processes make the small write transactions of taps: of anybody, and of an officer who
certifies an organization of the file. Prints the times, their ratios, the peak memory of the import's process, and
the longest wait of a tap. Each part runs in a process of its own.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import os
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import select, text

from demo import sample
from models.audit import event_chain
from models.chats import inbox
from models.database.engine import Database
from models.database.sqlite import SQLITE_PRAGMAS
from models.imports import import_organizations, import_personnel
from models.organizations.organization import lock_organization
from models.register.roster import PersonnelRecord
from models.rounds.round import open_round
from models.schema import version
from models.security.keys import Keyring

KEYRING = Keyring("a key for measuring only of more than 32 letters")
# What sample.SIZES makes of all organizations, on average.
USUAL_RECORDS = 518_885
COLUMNS = ("organization_code", "record_no", "full_name", "category", "position", "level", "menus")
INSERT = f"INSERT INTO personnel_record ({', '.join(COLUMNS)})"
# Seconds between the taps of one officer.
PACE = 0.02


@dataclass(frozen=True)
class Import:
    """An import's duration, the part of it that blocks other writers (both in seconds), and its peak memory
    (MB).
    """

    seconds: float
    writing: float
    memory: int


@dataclass(frozen=True)
class Taps:
    """The taps of one officer: their number, and the longest wait for a commit in seconds."""

    count: int
    longest: float


async def prepare(database: Database) -> None:
    """Import all organizations and open a round, without rosters."""
    now = datetime.now(UTC)
    await version.upgrade(database)
    await import_organizations(database, sample.ORGANIZATIONS, now)
    async with database.write() as session:
        await open_round(session, 2570, None, now)


async def run_import(database: Database, path: Path) -> Import:
    """Import personnel as the command line does, and measure it."""
    began: dict[str, float] = {}
    started = time.perf_counter()

    def note(step: str, *_: int) -> None:
        began.setdefault(step, time.perf_counter())

    # The registers that replace the first ones are as large by chance.
    await import_personnel(database, path, datetime.now(UTC), allow_shrink=True, progress=note)
    ended = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Import(ended - started, ended - began["writing"], memory)


async def bare(database: Database) -> float:
    """Delete all records, insert them again by the driver's executemany, and return the seconds of the insert."""
    async with database.write() as session:
        columns = [getattr(PersonnelRecord, name) for name in COLUMNS]
        rows = [tuple(row) for row in await session.execute(select(*columns).order_by(PersonnelRecord.id))]
        await session.execute(text("DELETE FROM personnel_record"))
    if database.is_sqlite:
        return _bare_sqlite(str(database.url.database), rows)
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    # As if nothing had been there before.
    await connection.execute("VACUUM personnel_record")
    started = time.perf_counter()
    async with connection.transaction():
        await connection.executemany(f"{INSERT} VALUES ($1, $2, $3, $4, $5, $6, $7)", rows)
    took = time.perf_counter() - started
    await connection.close()
    return took


def _bare_sqlite(path: str, rows: list[tuple[Any, ...]]) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)
    started = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(f"{INSERT} VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")
    took = time.perf_counter() - started
    connection.close()
    return took


async def tap_on(database: Database, code: str, stop: Any) -> Taps:
    """Tap until `stop` is set: each tap is stored in the inbox and then finished.

    With a code, as a certification does: the organization's row is locked and an event is recorded.
    """
    waits = []
    numbers = itertools.count(time.time_ns())
    while not stop.is_set():
        now, started = datetime.now(UTC), time.perf_counter()
        async with database.write() as session:
            (row,) = await inbox.store(session, 1, [inbox.Received(next(numbers), 1, b"a tap")], now)
        async with database.write() as session:
            await inbox.finish(session, row, now)
            if code:
                await lock_organization(session, code)
                await event_chain.record(session, event_chain.Event.LOGIN, code, now)
        waits.append(time.perf_counter() - started)
        await asyncio.sleep(PACE)
    return Taps(len(waits), max(waits))


def apart(url: str, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Run one of the functions above with a Database of its own, in a process of the pool."""

    async def run() -> Any:
        database = Database(url, KEYRING)
        try:
            return await work(database, *arguments)
        finally:
            await database.close()

    return asyncio.run(run())


def measure(pool: ProcessPoolExecutor, url: str, what: str, path: Path, allowed: int) -> None:
    """Measure one import while officers tap, then the bare executemany, and print both and their ratio."""
    with path.open(encoding="utf-8") as file:
        code = file.readlines(10_000)[1].partition(",")[0]
    with multiprocessing.Manager() as manager:
        stop = manager.Event()
        officers = {"anybody": "", "who certifies": code}
        taps = {who: pool.submit(apart, url, tap_on, code, stop) for who, code in officers.items()}
        measured: Import = pool.submit(apart, url, run_import, path).result()
        stop.set()
        waited = {who: future.result() for who, future in taps.items()}
    plain: float = pool.submit(apart, url, bare).result()
    writing, memory = measured.writing, measured.memory
    print(f"{what}: {measured.seconds:.1f} s, of which writing {writing:.1f} s; peak memory {memory} MB")
    print(f"  bare executemany: {plain:.1f} s; ratio {measured.seconds / plain:.1f} (at most {allowed})")
    print(f"  writing, for which others may wait: {writing / plain:.2f} times as long as that")
    for who, officer_taps in waited.items():
        longest = officer_taps.longest
        print(f"  longest wait of a tap of {who}: {longest:.2f} s, of {officer_taps.count}", flush=True)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite without it")
    parser.add_argument("--records", type=int, default=478_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(3, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool,
    ):
        url = options.url or f"sqlite+aiosqlite:///{Path(name) / 'nation.db'}"
        pool.submit(apart, url, prepare).result()
        units = sample.read_units()
        load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
        print(f"{os.cpu_count()} cores, load {load}", flush=True)
        for seed, what in enumerate(("first import", "import that replaces all")):
            path = Path(name) / f"personnel{seed}.csv"
            rng = random.Random(seed)  # noqa: S311 - the same country in every run
            records = sample.write_personnel(path, units, rng, options.records / USUAL_RECORDS)
            print(f"{records} records")
            measure(pool, url, what, path, 7 if url.startswith("sqlite") else 3)


if __name__ == "__main__":
    main()
