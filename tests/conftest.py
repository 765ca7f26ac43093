"""A fresh database for each test, on SQLite and on PostgreSQL, from a template made once."""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from models import schema
from models.database import Database

# Where the tests may make databases of their own; a machine without it skips them by name.
POSTGRES = os.environ.get("LAOCERT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
MARK = "laocert_test_"

# 9.30 on a working morning in Bangkok, in the fiscal year 2570.
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)


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
    asyncio.run(_upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    name = MARK + uuid.uuid4().hex[:12]
    try:
        asyncio.run(_admin(f"CREATE DATABASE {name}"))
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES}: {error}")
    asyncio.run(_upgrade(postgres_url(name)))
    yield name
    asyncio.run(_admin(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database at head."""
    if request.param == "sqlite":
        path = tmp_path / "laocert.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    template = request.getfixturevalue("postgres_template")
    name = MARK + uuid.uuid4().hex[:12]
    await _admin(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres_url(name)
    await _admin(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def now() -> datetime:
    return NOW
