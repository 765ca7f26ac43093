"""A fresh database for each test, on SQLite and on PostgreSQL, from a template made once."""

import asyncio
import gc
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import asyncpg
import hypothesis
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from bot.runtime.metrics import TALLY, Tally
from bot.service.tuning import Tuning
from demo.botapi import PATIENCE, Emulator
from models.database import aiosqlite_dialect, postgresql, sqlite
from models.database.engine import Database
from models.schema import version
from tests.canary import Canary
from tests.chat import TEST_TUNING, Officer, running_bot
from tests.support import KEYRING, Clock, settle, unrecorded

# CI sets it: there, a test that is skipped has failed.
NO_SKIP = "LAOCERT_TEST_NO_SKIP" in os.environ

# Where the tests may make databases of their own; a machine without it skips them by name.
POSTGRES = os.environ.get("LAOCERT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
MARK = "laocert_test_"

# 9.30 on a working morning in Bangkok, in the fiscal year 2570.
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)


_CANARY = Canary()

# How long an example takes, and how long it takes to make one, says how busy the machine is.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


class CompiledOnce(dict[tuple[Any, ...], Any]):
    """What SQL statements were compiled to, for all engines of a kind of database (SQLAlchemy, `compiled_cache`).
    Each test has an engine of its own; compiling anew for it took a fifth of the time.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        """The key begins with the engine's dialect."""
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__((key[0].name, *key[1:]), compiled)


# Where files lie in memory, and how many bytes must be free: three tests at once, with what they write.
MEMORY, ENOUGH = Path("/dev/shm"), 2**30  # noqa: S108 - pytest makes a folder of its own there


def pytest_configure(config: pytest.Config) -> None:
    _CANARY.listen()
    # Each commit of a SQLite database waits for the disk, in memory it does not: no test cuts the power.
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH and not config.getoption("--torture"):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    # A test makes many objects that live as long as the next: with Python's own threshold they are looked through
    # for cycles, all of them, again and again.
    gc.set_threshold(50_000, 50, 50)
    with_cache = partial(create_async_engine, execution_options={"compiled_cache": CompiledOnce()})
    for module in (sqlite, postgresql):
        module.create_async_engine = with_cache  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def canary() -> Iterator[Canary]:
    """Whatever a test does, no log says a secret."""
    yield _CANARY
    leaks, _CANARY.leaks = _CANARY.leaks, []
    assert leaks == []


@pytest.fixture(autouse=True)
def tally() -> None:
    """Nothing is counted yet: what an earlier test's program counted stands in no probe and no metric."""
    vars(TALLY).update(vars(Tally()))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"


def apart(work: Coroutine[None, None, None]) -> None:
    """Run something to its end outside the test's event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _admin(statement: str) -> None:
    """Create or drop a database, as soon as its sessions and those of all other tests leave room for it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                connection = await asyncpg.connect(f"{POSTGRES}/postgres", timeout=PATIENCE)
                try:
                    return await connection.execute(statement)
                finally:
                    await connection.close()
            except (asyncpg.ObjectInUseError, asyncpg.TooManyConnectionsError):
                await asyncio.sleep(0.1)


async def _fill(url: str, *, settled: bool) -> None:
    """At head; and with what `country` has."""
    database = Database(url, KEYRING)
    await version.upgrade(database)
    if settled:
        await settle(database, NOW)
    await database.close()


def postgres_url(name: str) -> str:
    return f"{POSTGRES.replace('postgresql:', 'postgresql+asyncpg:')}/{name}"


class Files:
    """SQLite databases, copied from one that was made once."""

    def __init__(self, folder: Path, *, settled: bool) -> None:
        self._template = folder / f"template{settled:d}.db"
        apart(_fill(f"sqlite+aiosqlite:///{self._template}", settled=settled))

    def copy(self, path: Path) -> None:
        """A database of a test's own."""
        shutil.copy(self._template, path)


class Spares:
    """PostgreSQL databases, one ready before it is asked for. Making and dropping one costs a quarter of a second
    of the disk: tests need not wait for it.
    """

    def __init__(self, *, settled: bool) -> None:
        self._template = MARK + uuid.uuid4().hex[:12]
        self._thread = ThreadPoolExecutor(1)
        apart(_admin(f"CREATE DATABASE {self._template}"))
        apart(_fill(postgres_url(self._template), settled=settled))
        self._next = self._thread.submit(self._make)

    def _make(self) -> str:
        name = MARK + uuid.uuid4().hex[:12]
        asyncio.run(_admin(f"CREATE DATABASE {name} TEMPLATE {self._template}"))
        return name

    async def take(self) -> str:
        """The name of a database of its own."""
        ready, self._next = self._next, self._thread.submit(self._make)
        return await asyncio.wrap_future(ready)

    def give_back(self, name: str) -> None:
        """It is used no more."""
        self._thread.submit(asyncio.run, _admin(f"DROP DATABASE {name} WITH (FORCE)"))

    def close(self) -> None:
        """Leave none behind."""
        self.give_back(self._next.result())
        self._thread.shutdown()
        apart(_admin(f"DROP DATABASE {self._template} WITH (FORCE)"))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Files]:
    """The files for databases that are settled already, or only at head."""
    folder = tmp_path_factory.mktemp("templates")
    return cache(lambda settled: Files(folder, settled=settled))


@pytest.fixture(scope="session")
def spares() -> Iterator[Callable[[bool], Spares]]:
    """The same on PostgreSQL."""
    made: dict[bool, Spares] = {}

    def get(settled: bool) -> Spares:
        if settled not in made:
            try:
                made[settled] = Spares(settled=settled)
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                pytest.skip(f"no PostgreSQL at {POSTGRES}: {error}")
        return made[settled]

    yield get
    for one in made.values():
        one.close()


# SQLite through SQLAlchemy's own driver, as where the private parts of ours are missing.
STOCK = "stock sqlite"


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with `ON_STOCK_DRIVER_TOO` runs once more on it, but for its tests that name their databases."""
    chosen = [mark for mark in metafunc.definition.iter_markers("parametrize") if "database_url" in mark.args[0]]
    if hasattr(metafunc.module, "ON_STOCK_DRIVER_TOO") and "database_url" in metafunc.fixturenames and not chosen:
        databases = ["sqlite", STOCK, "postgresql"]
        # A mark takes the place of the fixture's own parameters.
        metafunc.definition.add_marker(pytest.mark.parametrize("database_url", databases, indirect=True))


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    files: Callable[[bool], Files],
    spares: Callable[[bool], Spares],
) -> AsyncIterator[str]:
    """The URL of a database at head: empty, or for tests with `country` settled."""
    settled = "country" in request.fixturenames
    if request.param == STOCK:
        monkeypatch.setattr(aiosqlite_dialect, "missing_parts", lambda: ["Connection._execute"])
    if request.param in ("sqlite", STOCK):
        path = tmp_path / "laocert.db"
        files(settled).copy(path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    source = spares(settled)
    name = await source.take()
    yield postgres_url(name)
    source.give_back(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, KEYRING)
    yield opened
    await opened.close()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
async def emulator(clock: Clock) -> AsyncIterator[Emulator]:
    """The emulated Bot API; what the bot sent must be as documented."""
    async with Emulator(clock=clock.timestamp) as running:
        yield running
        assert not running.violations


@pytest.fixture
async def country(database: Database) -> Database:
    """A database with two provinces, five organizations and an open round (settle() in tests/support.py)."""
    return database


@pytest.fixture
def tuning(request: pytest.FixtureRequest) -> Tuning:
    """How the bot is tuned; a test gives another by an indirect parameter."""
    given: Tuning = getattr(request, "param", TEST_TUNING)
    return given


@pytest.fixture
async def bot(emulator: Emulator, country: Database, clock: Clock, tuning: Tuning) -> AsyncIterator[Emulator]:
    """The bot running on the country; the emulator, for its phones."""
    async with running_bot(emulator, country, clock, tuning=tuning):
        yield emulator
    # Whatever an officer has done, an event tells of it with the seal that it has left.
    assert await unrecorded(country) == {}


@pytest.fixture
async def lao(bot: Emulator) -> Officer:
    """An officer of เทศบาลตำบลบางปู, logged in."""
    officer = Officer(bot.phone("ก"))
    await officer.log_in("lao5110201", "ทดสอบ หนึ่ง", "ปลัดเทศบาล")
    return officer


@pytest.fixture
async def province(bot: Emulator) -> Officer:
    """An officer of the province of Samut Prakan, logged in."""
    officer = Officer(bot.phone("ข"))
    await officer.log_in("province11", "ทดสอบ สอง", "ท้องถิ่นจังหวัด")
    return officer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--torture", action="store_true", help="faults at full count (make torture), not at a fortieth"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: else one worker ends alone with them while the other has nothing to do."""
    items.sort(key=lambda item: "torture" not in item.path.parts)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """A count of faults: full with --torture, a fortieth in the suite."""
    return lambda full: full if request.config.getoption("--torture") else full // 40
