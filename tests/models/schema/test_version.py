"""Which schema a database is at, and that it is brought to the newest."""

from alembic.script import ScriptDirectory

from models.database.engine import Database
from models.schema import drift, version


def test_the_files_of_the_migrations_say_which_is_the_newest() -> None:
    assert version.head() == ScriptDirectory.from_config(version._config()).get_current_head()


async def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert await version.upgrade(database) == (version.head(), version.head())
    assert await drift.check(database) == []
