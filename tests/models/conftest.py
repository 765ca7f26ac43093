"""A small table of its own on SQLite, and a country in which much has happened."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from models.database import aiosqlite_dialect
from models.database.engine import Database
from tests.models.audit.record import live


@pytest.fixture
async def shelf(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Database]:
    """A database with one small table; with the parameter `stock` through SQLAlchemy's own driver."""
    if getattr(request, "param", "") == "stock":
        monkeypatch.setattr(aiosqlite_dialect, "missing_parts", lambda: ["Connection._execute"])
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'shelf.db'}")
    async with database.write() as session:
        await session.execute(text("CREATE TABLE book (name TEXT PRIMARY KEY)"))
    yield database
    await database.close()


@pytest.fixture
async def lived(country: Database, now: datetime) -> Database:
    """Certified, reopened, asked and answered, closed and reopened (tests/models/audit/record.py)."""
    return await live(country, now)
