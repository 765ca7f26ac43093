"""Fixtures: for each test a fresh database on SQLite and on PostgreSQL, copied from a template; the bot;
officers.
"""

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
from urllib.parse import urlsplit

import asyncpg
import hypothesis
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.runtime.metrics import TALLY, Tally
from bot.service.tuning import Tuning
from demo.botapi import PATIENCE, Emulator
from models.base.grants import RoleNames
from models.database import aiosqlite_dialect, postgresql, sqlite
from models.database.engine import Database
from models.schema import version
from tests import roles
from tests.canary import Canary
from tests.chat import TEST_TUNING, Officer, running_bot
from tests.support import KEYRING, Clock, settle, unrecorded

# Set by CI: a skipped test counts as failed.
NO_SKIP = "LAOCERT_TEST_NO_SKIP" in os.environ

# The PostgreSQL server on which tests create their own databases. Without one they are skipped.
POSTGRES = os.environ.get("LAOCERT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
MARK = "laocert_test_"

# 9.30 on a working morning in Bangkok, in the fiscal year 2570.
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)


_CANARY = Canary()

# No deadlines: the time that an example takes depends on the load of the machine.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


class CompiledOnce(dict[tuple[Any, ...], Any]):
    """A cache of compiled SQL statements, shared by all engines of a dialect (SQLAlchemy, `compiled_cache`).

    Each test has its own engine; compiling for each took a fifth of the suite's time.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        """The key begins with the engine's dialect."""
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__((key[0].name, *key[1:]), compiled)


# The folder for test files in memory, and how many bytes must be free there for three tests at once.
MEMORY, ENOUGH = Path("/dev/shm"), 2**30  # noqa: S108 - pytest makes a folder of its own there


def pytest_configure(config: pytest.Config) -> None:
    _CANARY.listen()
    # In memory, commits of a SQLite database need not wait for the disk. No test cuts the power.
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH and not config.getoption("--torture"):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    # Tests create many long-lived objects. With Python's default thresholds, the garbage collector would traverse
    # all of them again and again.
    gc.set_threshold(50_000, 50, 50)
    with_cache = partial(create_async_engine, execution_options={"compiled_cache": CompiledOnce()})

    def with_roles(*arguments: Any, **options: Any) -> AsyncEngine:
        engine = with_cache(*arguments, **options)
        roles.let_sessions_act(engine)
        return engine

    sqlite.create_async_engine = with_cache  # type: ignore[attr-defined]
    postgresql.create_async_engine = with_roles  # type: ignore[attr-defined]
    roles.let_commands_act()


@pytest.fixture(autouse=True)
def canary() -> Iterator[Canary]:
    """Fail a test if a log record contains a secret."""
    yield _CANARY
    leaks, _CANARY.leaks = _CANARY.leaks, []
    assert leaks == []


@pytest.fixture(autouse=True)
def tally() -> None:
    """Reset the process's counters, so that probes and metrics contain nothing of earlier tests."""
    vars(TALLY).update(vars(Tally()))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"


def apart(work: Coroutine[None, None, None]) -> None:
    """Run a coroutine to its end in another thread's event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _admin(statement: str) -> None:
    """Create or drop a database, waiting while it is in use or the server has too many sessions."""
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


async def _fill(url: str, *, settled: bool, names: RoleNames | None = None) -> None:
    """Upgrade a database to head, with the rights of the roles `names`; with `settled`, fill it with the data of
    `country`.
    """
    database = Database(url, KEYRING)
    await version.upgrade(database, names)
    if settled:
        await settle(database, NOW)
    await database.close()


def postgres_url(name: str) -> str:
    return f"{POSTGRES.replace('postgresql:', 'postgresql+asyncpg:')}/{name}"


class Files:
    """SQLite databases, copied from a template."""

    def __init__(self, folder: Path, *, settled: bool) -> None:
        self._template = folder / f"template{settled:d}.db"
        apart(_fill(f"sqlite+aiosqlite:///{self._template}", settled=settled))

    def copy(self, path: Path) -> None:
        """Copy the template to `path`."""
        shutil.copy(self._template, path)


class Spares:
    """PostgreSQL databases, copied from a template. The next one is created in advance, and used ones are dropped
    in the background, because each takes a quarter of a second.
    """

    def __init__(self, *, settled: bool) -> None:
        self._template = MARK + uuid.uuid4().hex[:12]
        self._thread = ThreadPoolExecutor(1)
        self._names = roles.names_for(self._template, urlsplit(POSTGRES).username or "postgres")
        for role in self._names.restricted():
            apart(_admin(f"CREATE ROLE {role} LOGIN"))
        apart(_admin(f"CREATE DATABASE {self._template}"))
        apart(_fill(postgres_url(self._template), settled=settled, names=self._names))
        self._next = self._thread.submit(self._make)

    def _make(self) -> str:
        name = MARK + uuid.uuid4().hex[:12]
        asyncio.run(_admin(f"CREATE DATABASE {name} TEMPLATE {self._template}"))
        # What the template's tables grant came with them.
        roles.NAMES[name] = self._names
        return name

    async def take(self) -> str:
        """Return the name of a database for one test."""
        ready, self._next = self._next, self._thread.submit(self._make)
        return await asyncio.wrap_future(ready)

    def give_back(self, name: str) -> None:
        """Drop a database that is no longer used, in the background."""
        roles.NAMES.pop(name, None)
        self._thread.submit(asyncio.run, _admin(f"DROP DATABASE {name} WITH (FORCE)"))

    def close(self) -> None:
        """Drop the spare database and the template."""
        self.give_back(self._next.result())
        self._thread.shutdown()
        apart(_admin(f"DROP DATABASE {self._template} WITH (FORCE)"))
        # Nothing grants them anything any more.
        apart(_admin(f"DROP ROLE {', '.join(self._names.restricted())}"))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Files]:
    """A function from `settled` to the SQLite databases of that template."""
    folder = tmp_path_factory.mktemp("templates")
    return cache(lambda settled: Files(folder, settled=settled))


@pytest.fixture(scope="session")
def spares() -> Iterator[Callable[[bool], Spares]]:
    """A function from `settled` to the PostgreSQL databases of that template. It skips the test without a
    server.
    """
    by_template: dict[bool, Spares] = {}

    def get(settled: bool) -> Spares:
        if settled not in by_template:
            try:
                by_template[settled] = Spares(settled=settled)
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                pytest.skip(f"no PostgreSQL at {POSTGRES}: {error}")
        return by_template[settled]

    yield get
    for databases in by_template.values():
        databases.close()


# SQLite through SQLAlchemy's own driver, which the program uses if the fast driver lacks a private part.
STOCK = "stock sqlite"


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a module with `ON_STOCK_DRIVER_TOO` on STOCK too, except tests that choose their databases
    themselves.
    """
    chosen = [mark for mark in metafunc.definition.iter_markers("parametrize") if "database_url" in mark.args[0]]
    if hasattr(metafunc.module, "ON_STOCK_DRIVER_TOO") and "database_url" in metafunc.fixturenames and not chosen:
        databases = ["sqlite", STOCK, "postgresql"]
        # The mark replaces the fixture's own parameters.
        metafunc.definition.add_marker(pytest.mark.parametrize("database_url", databases, indirect=True))


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    files: Callable[[bool], Files],
    spares: Callable[[bool], Spares],
) -> AsyncIterator[str]:
    """The URL of a database at head, filled for tests that use `country`, empty for others."""
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
    """The emulated Bot API. The test fails if the bot has sent anything undocumented."""
    async with Emulator(clock=clock.timestamp) as running:
        yield running
        assert not running.violations


@pytest.fixture
async def country(database: Database) -> Database:
    """A database with two provinces, five organizations and an open round (settle() in tests/support.py)."""
    return database


@pytest.fixture
def tuning(request: pytest.FixtureRequest) -> Tuning:
    """The bot's tuning. A test sets another one by an indirect parameter."""
    chosen: Tuning = getattr(request, "param", TEST_TUNING)
    return chosen


@pytest.fixture
async def bot(emulator: Emulator, country: Database, clock: Clock, tuning: Tuning) -> AsyncIterator[Emulator]:
    """The emulator, whose phones talk to the bot, which runs on `country`."""
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
    """Run the longest tests first, so that parallel workers end at about the same time."""
    items.sort(key=lambda item: "torture" not in item.path.parts)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """A function from a full number of faults to the number to use: all with --torture, otherwise a fortieth."""
    return lambda full: full if request.config.getoption("--torture") else full // 40
