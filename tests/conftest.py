"""A fresh database for each test, on SQLite and on PostgreSQL, from a template made once."""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from demo.botapi import Emulator
from models import schema
from models.database import Database
from tests.canary import Canary
from tests.support import KEYRING, Clock, Officer, running_bot, settle

# CI sets it: there, a test that is skipped has failed.
NO_SKIP = "LAOCERT_TEST_NO_SKIP" in os.environ

# Where the tests may make databases of their own; a machine without it skips them by name.
POSTGRES = os.environ.get("LAOCERT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
MARK = "laocert_test_"

# 9.30 on a working morning in Bangkok, in the fiscal year 2570.
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)


_CANARY = Canary()


def pytest_configure() -> None:
    _CANARY.listen()


@pytest.fixture(autouse=True)
def canary() -> Iterator[Canary]:
    """Whatever a test does, no log says a secret."""
    yield _CANARY
    leaks, _CANARY.leaks = _CANARY.leaks, []
    assert leaks == []


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
    connection = await asyncpg.connect(f"{POSTGRES}/postgres", timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _upgrade(url: str) -> None:
    database = Database(url)
    await schema.upgrade(database)
    await database.close()


def postgres_url(name: str) -> str:
    return f"{POSTGRES.replace('postgresql:', 'postgresql+asyncpg:')}/{name}"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    apart(_upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


class Spares:
    """PostgreSQL databases at head, one ready before it is asked for. Making and dropping one costs a quarter of a
    second of the disk: tests need not wait for it.
    """

    def __init__(self) -> None:
        self._template = MARK + uuid.uuid4().hex[:12]
        self._thread = ThreadPoolExecutor(1)
        apart(_admin(f"CREATE DATABASE {self._template}"))
        apart(_upgrade(postgres_url(self._template)))
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
def spares() -> Iterator[Spares]:
    try:
        made = Spares()
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES}: {error}")
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database at head."""
    if request.param == "sqlite":
        path = tmp_path / "laocert.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    spares: Spares = request.getfixturevalue("spares")
    name = await spares.take()
    yield postgres_url(name)
    spares.give_back(name)


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
    """A database with two provinces, five organizations and an open round (tests/support.py)."""
    await settle(database, NOW)
    return database


@pytest.fixture
async def bot(emulator: Emulator, country: Database, clock: Clock) -> AsyncIterator[Emulator]:
    """The bot running on the country; the emulator, for its phones."""
    async with running_bot(emulator, country, clock):
        yield emulator


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
        "--torture", action="store_true", help="faults at full count (make torture), not at a twentieth"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: else one worker ends alone with them while the other has nothing to do."""
    items.sort(key=lambda item: "torture" not in item.path.parts)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """A count of faults: full with --torture, a twentieth in the suite."""
    return lambda full: full if request.config.getoption("--torture") else full // 20
