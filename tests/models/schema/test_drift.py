"""The migrations make exactly the models' tables and indexes, and `db check` sees what differs or dangles."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from models.database.engine import Database
from models.schema import drift, version


async def test_the_migrations_make_the_models(database: Database) -> None:
    assert await drift.check(database) == []
    assert await version.revision(database) == version.head()


DAMAGES = {
    "sqlite": {
        "DROP INDEX uq_officer_active_user": "uq_officer_active_user",
        "CREATE UNIQUE INDEX other ON spot_check((1)) WHERE id IN (1, 900)": "index other is not ours",
        "CREATE UNIQUE INDEX other ON certification(officials)": "index other is not ours",
        "DROP INDEX uq_officer_active_user; CREATE UNIQUE INDEX uq_officer_active_user ON officer (user_id)": (
            "index uq_officer_active_user differs"
        ),
        "ALTER TABLE roster ADD COLUMN extra TEXT": "extra",
        "DROP TABLE confirmation": "confirmation",
    },
    "postgresql": {
        "CREATE INDEX other ON spot_check((id + 1))": "index other is not ours",
        "DROP INDEX uq_round_open": "uq_round_open",
        "ALTER TABLE roster ALTER COLUMN file_name TYPE varchar(10)": "file_name",
    },
}


@pytest.mark.parametrize(
    ("database_url", "damage", "finding"),
    [(kind, damage, finding) for kind, cases in DAMAGES.items() for damage, finding in cases.items()],
    indirect=["database_url"],
)
async def test_the_check_finds_what_was_changed(database: Database, damage: str, finding: str) -> None:
    async with database.engine.begin() as connection:
        for statement in re.split(r";(?! END)(?=.)", damage):
            await connection.execute(text(statement))
    assert any(finding in line for line in await drift.check(database))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_check_finds_dangling_rows(country: Database) -> None:
    async with country.engine.connect() as connection:
        await connection.exec_driver_sql("ROLLBACK")
        await connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        await connection.exec_driver_sql("DELETE FROM roster WHERE organization_code = '5110201'")
        await connection.exec_driver_sql("BEGIN")
    assert any("personnel_record points to no roster" in line for line in await drift.check(country))


async def test_a_database_without_schema_is_told_the_mend(tmp_path: Path) -> None:
    empty = Database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    assert await drift.check(empty) == ["the database has no schema yet; run: laocert db upgrade"]
    with pytest.raises(version.SchemaOutdated, match="laocert db upgrade"):
        await version.require_head(empty)
    await empty.close()
