"""Which schema a database is at, and that it is brought to the newest."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from models.database.engine import Database
from models.schema import drift, version


def test_the_files_of_the_migrations_say_which_is_the_newest() -> None:
    assert version.head() == ScriptDirectory.from_config(version.config()).get_current_head()


async def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert await version.upgrade(database) == (version.head(), version.head())
    assert await drift.check(database) == []


async def test_an_empty_database_is_brought_to_the_newest(tmp_path: Path) -> None:
    empty = Database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    assert await version.revision(empty) is None
    assert await version.upgrade(empty) == (None, version.head())
    assert await version.revision(empty) == version.head()
    await version.require_head(empty)
    await empty.close()


@pytest.mark.parametrize("found", ["0009", "9999"])
async def test_a_program_works_with_its_own_schema_only(database: Database, found: str) -> None:
    """An older one lacks something, and of a newer one it knows nothing."""
    await version.require_head(database)
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
    assert await version.revision(database) == found
    with pytest.raises(version.SchemaOutdated) as refused:
        await version.require_head(database)
    assert str(refused.value) == (
        f"the database is at schema {found}, this program needs {version.head()}; run: laocert db upgrade"
    )


async def test_an_upgrade_that_fails_changes_nothing(database: Database) -> None:
    """One transaction: here the newest migration meets what is there already."""
    before = await version.revision(database)
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    with pytest.raises(Exception, match="already exists"):
        await version.upgrade(database)
    assert await version.revision(database) == "0009"
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": before})
    assert await drift.check(database) == []
