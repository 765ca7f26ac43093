"""What tests of SQLite itself have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from models.database.engine import Database


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Database]:
    """A database with one small table."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'shelf.db'}")
    async with database.write() as session:
        await session.execute(text("CREATE TABLE book (name TEXT PRIMARY KEY)"))
    yield database
    await database.close()
