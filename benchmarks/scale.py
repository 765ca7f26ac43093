"""What a province's officer asks, at the size of the nation: `python -m benchmarks.scale`.

Fills one database with all 7,849 organizations and about 478,000 records, two rounds and certificates of both
levels, and another, the sample, in which the measured province is the same and of the rest there is 1/100. Then
the functions that the handlers call are timed on both by turns. Prints the medians, their ratio, and how many
queries each makes; exits 1 when one makes more than 5 or takes more than 1.3 times as long as in the sample.

`--url postgresql+asyncpg://…/empty`: the full one on PostgreSQL; the sample is made beside it and dropped.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.nation import SECRET_KEY
from demo import sample
from models.accounts.account import Account, Officer, Role, active_officer
from models.certification.certificate import Certification, Level, Reopening, Status
from models.certification.history import load_history
from models.certification.review import review
from models.database.engine import Database
from models.imports import import_organizations, import_personnel
from models.organizations.organization import Organization
from models.province.listing import Listing, Sorting, next_waiting, search
from models.province.progress import count_statuses
from models.register.roster import Category, list_positions
from models.rounds.round import close_round, open_round
from models.schema import version
from models.security.keys import Keyring
from models.spot_checks.spot_checking import draw

KEYRING = Keyring(SECRET_KEY)
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
# Nakhon Ratchasima with its 334 organizations.
PROVINCE = "30"
USER_ID = 501
TIMES = 100
MOST_QUERIES = 5
MOST_RATIO = 1.3
# 478,000 records of what sample.SIZES makes.
SHARE = 478_000 / 518_885
# Certified this year by the organizations, and by their provinces.
PERCENTS = (70, 35)

# What is measured: an officer of a province asks for an organization of it; the generator is the same on both.
Operation = Callable[[AsyncSession, Officer, str, random.Random], Awaitable[object]]
OPERATIONS: dict[str, Operation] = {
    "list page": lambda session, officer, _, rng: search(session, officer, _listing(rng), NOW),
    "longest waiting": lambda session, officer, _, rng: search(
        session, officer, _listing(rng, Sorting.WAITING), NOW
    ),
    "typed search": lambda session, officer, _, rng: search(session, officer, _typed(rng), NOW),
    "next": lambda session, officer, _, rng: next_waiting(session, officer, _listing(rng), NOW),
    "counts by status": lambda session, officer, *_: count_statuses(session, officer.account.province_code),
    "review": lambda session, officer, code, _: review(session, officer, code),
    "history": lambda session, officer, code, _: load_history(session, officer, code),
    "positions": lambda session, _, code, rng: list_positions(session, code, rng.choice(list(Category)), 0),
    "draw": lambda session, officer, code, rng: draw(session, officer, code, NOW, rng, size=3),
}
# These are for an organization that waits for its province.
FOR_WAITING = {"draw"}


def _listing(rng: random.Random, sorting: Sorting = Sorting.NAME) -> Listing:
    return Listing(status=rng.choice(list(Status)), with_remarks=False, sorting=sorting, page=rng.randrange(12))


def _typed(rng: random.Random) -> Listing:
    listing = _listing(rng)
    listing.words, listing.page = rng.choice(("บาง", "อบต.โน", "โคก", "2300", "เมือง")), 0
    return listing


# --- filling ------------------------------------------------------------------------------------------------


def _personnel(folder: Path, is_sample: bool) -> list[Path]:
    """Write the personnel of the measured province, the same in both databases, and of the others to two files."""
    everyone = sample.read_units()
    own = [unit for unit in everyone if unit.province == PROVINCE]
    others = [unit for unit in everyone if unit.province != PROVINCE and unit.role == "lao"]
    if is_sample:
        others = others[::100]
    files = []
    for seed, units in enumerate((own, others)):
        path = folder / f"personnel{seed}{is_sample}.csv"
        sample.write_personnel(path, units, random.Random(seed), SHARE)  # noqa: S311 - the same in every run
        files.append(path)
    return files


def _organizations(folder: Path, is_sample: bool, files: list[Path]) -> Path:
    """Return a file of the organizations to import: all, or in the sample only those with personnel."""
    if not is_sample:
        return sample.ORGANIZATIONS
    codes = {line.partition(",")[0] for path in files for line in path.read_text(encoding="utf-8").splitlines()}
    path = folder / "organizations.csv"
    header, *rows = sample.ORGANIZATIONS.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    place = header.strip().split(",").index("dla_code")
    sample_rows = [row for row in rows if row.split(",")[place] in codes]
    path.write_text(header + "".join(sample_rows), encoding="utf-8")
    return path


def _certificates(
    codes: list[str], officer: Officer, round_id: int, percent: int, level: Level
) -> Iterator[dict[str, Any]]:
    """Yield certificates with invented numbers for `percent` of the organizations, the same ones in both
    databases.
    """
    for number, code in enumerate(codes):
        if zlib.crc32(code.encode()) % 100 >= percent:
            continue
        yield {
            "organization_code": code,
            "round_id": round_id,
            "revision": 1,
            "level": level,
            "officials": 20,
            "permanent_employees": 5,
            "contract_employees": 20,
            "with_empty_menus": 1,
            "roster_digest": "0" * 64,
            "roster_file": "personnel.csv",
            "roster_imported_at": NOW,
            "officer_id": officer.id,
            "officer_name": "สมมุติ ทดสอบ",
            "officer_position": "ปลัด",
            # Another person than the measured officer, who may not review the own certification.
            "user_id": officer.user_id + 1,
            "account_username": "measuring",
            "statement": f"{level}-1-th",
            "audit_head": "0" * 64,
            "code": f"{round_id}{level[:1]}{code}",
            "is_late": False,
            "certified_at": NOW + timedelta(seconds=number),
        }


async def _certify(session: AsyncSession, officer: Officer) -> None:
    """Certify all organizations last year; this year 70 % as LAO, and half of those as province."""
    order = Organization.province_code, Organization.sort_key
    codes = list(await session.scalars(select(Organization.dla_code).order_by(*order)))
    for round_id, percents in ((1, (100, 100)), (2, PERCENTS)):
        for level, percent in zip(Level, percents, strict=True):
            rows = list(_certificates(codes, officer, round_id, percent, level))
            await session.execute(insert(Certification), rows)


async def _reopen(session: AsyncSession) -> None:
    """Reopen last year's certification of one organization in twenty, without certifying it again."""
    codes = await session.scalars(select(Organization.dla_code))
    rows = [
        {
            "organization_code": code,
            "round_id": 1,
            "revision": 1,
            "by_name": "สมมุติ",
            "reason": "ทดสอบ",
            "reopened_at": NOW,
        }
        for code in codes
        if zlib.crc32(code.encode()) % 100 >= 95
    ]
    await session.execute(insert(Reopening), rows)


async def fill(database: Database, folder: Path, *, is_sample: bool) -> None:
    """Fill a database with organizations, personnel, an officer, two rounds, certificates and reopenings."""
    await version.upgrade(database)
    files = _personnel(folder, is_sample)
    await import_organizations(database, _organizations(folder, is_sample, files), NOW)
    for path in files:
        await import_personnel(database, path, NOW)
    async with database.write() as session:
        account = Account(
            username=f"province{PROVINCE}", role=Role.PROVINCE, province_code=PROVINCE, display_name="จังหวัด"
        )
        officer = Officer(account=account, user_id=USER_ID, full_name="ก", position="ข", linked_at=NOW)
        session.add(officer)
        await session.flush()
        await open_round(session, 2569, None, NOW)
        await close_round(session, NOW)
        await open_round(session, 2570, None, NOW)
        await _certify(session, officer)
        await _reopen(session)
    if not database.is_sqlite:
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql("ANALYZE")


# --- measuring ----------------------------------------------------------------------------------------------


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Yield a list that collects the SELECT statements which run during the block."""
    queries: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            queries.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield queries
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def timed(database: Database, operation: Operation, code: str, seed: int) -> tuple[float, int]:
    """Return the seconds and the number of queries of one operation in its own session, with the officer
    loaded.
    """
    async with database.read() as session:
        officer = await active_officer(session, USER_ID)
        assert officer is not None  # noqa: S101 - filled so
        with counted(database) as statements:
            started = time.perf_counter()
            await operation(session, officer, code, random.Random(seed))  # noqa: S311 - the same on both
            return time.perf_counter() - started, len(statements)


async def compare(full: Database, small: Database, times: int) -> bool:
    """Time all operations on both databases by turns, print a line for each, and return whether all meet the
    bounds.
    """
    async with full.read() as session:
        codes = list(
            await session.scalars(
                select(Organization.dla_code)
                .where(Organization.province_code == PROVINCE)
                .order_by(Organization.dla_code)
            )
        )
    waiting = [code for code in codes if PERCENTS[1] <= zlib.crc32(code.encode()) % 100 < PERCENTS[0]]
    took: dict[str, dict[Database, list[float]]] = {name: {full: [], small: []} for name in OPERATIONS}
    queries = dict.fromkeys(OPERATIONS, 0)
    # The first rounds only warm up. Each round runs all operations, so that other load on the machine affects all
    # alike.
    for turn in range(-3, times):
        for name, operation in OPERATIONS.items():
            for database in (full, small) if turn % 2 else (small, full):
                about = waiting if name in FOR_WAITING else codes
                seconds, number = await timed(database, operation, about[turn % len(about)], turn)
                queries[name] = max(queries[name], number)
                if turn >= 0:
                    took[name][database].append(seconds)
    is_good = True
    print(f"{'':18}{'sample':>10}{'nation':>10}  ratio  queries")
    for name, times_of in took.items():
        there, nation = (statistics.median(times_of[database]) for database in (small, full))
        ratio = nation / there
        is_good = is_good and ratio <= MOST_RATIO and queries[name] <= MOST_QUERIES
        print(f"{name:18}{there * 1000:7.2f} ms{nation * 1000:7.2f} ms{ratio:7.2f}{queries[name]:9}")
    return is_good


@asynccontextmanager
async def sample_url(folder: Path, url: str | None) -> AsyncIterator[str]:
    """Yield the URL of a new database for the sample. On PostgreSQL it is dropped at the end."""
    if url is None:
        yield f"sqlite+aiosqlite:///{folder / 'sample.db'}"
        return
    base, _, name = url.replace("+asyncpg", "").rpartition("/")
    connection = await asyncpg.connect(f"{base}/{name}")
    await connection.execute(f'CREATE DATABASE "{name}_sample"')
    try:
        yield f"{url}_sample"
    finally:
        await connection.execute(f'DROP DATABASE "{name}_sample" WITH (FORCE)')
        await connection.close()


async def measure(url: str | None, times: int) -> bool:
    """Fill both databases, compare them, and return whether all operations meet the bounds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with sample_url(folder, url) as small_url:
            full = Database(url or f"sqlite+aiosqlite:///{folder / 'nation.db'}", KEYRING)
            small = Database(small_url, KEYRING)
            for database in (full, small):
                started = time.perf_counter()
                await fill(database, folder, is_sample=database is small)
                print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
            try:
                return await compare(full, small, times)
            finally:
                await full.close()
                await small.close()


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite without it")
    parser.add_argument("--times", type=int, default=TIMES)
    options = parser.parse_args()
    if not asyncio.run(measure(options.url, options.times)):
        sys.exit("a bound is missed")


if __name__ == "__main__":
    main()
