"""The migrations make exactly the models' tables, indexes and triggers, and `db check` sees what differs."""

import re
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from models.database.engine import Database
from models.schema import drift, version


async def test_the_migrations_make_the_models(database: Database) -> None:
    assert await drift.check(database) == []
    assert await version.revision(database) == version.head()


def test_the_files_of_the_migrations_say_which_is_the_newest() -> None:
    assert version.head() == ScriptDirectory.from_config(version._config()).get_current_head()


async def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert await version.upgrade(database) == (version.head(), version.head())
    assert await drift.check(database) == []


DAMAGES = {
    "sqlite": {
        "DROP TRIGGER personnel_record_locked_delete": "trigger personnel_record_locked_delete is missing",
        "DROP INDEX uq_officer_active_user": "uq_officer_active_user",
        "CREATE UNIQUE INDEX other ON spot_check((1)) WHERE id IN (1, 900)": "index other is not ours",
        "CREATE UNIQUE INDEX other ON certification(officials)": "index other is not ours",
        "DROP INDEX uq_officer_active_user; CREATE UNIQUE INDEX uq_officer_active_user ON officer (user_id)": (
            "index uq_officer_active_user differs"
        ),
        "ALTER TABLE roster ADD COLUMN extra TEXT": "extra",
        "DROP TABLE confirmation": "confirmation",
        "CREATE TRIGGER other BEFORE INSERT ON round BEGIN SELECT 1; END": "trigger other is not ours",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'IS NOT', 'IS')"
        " WHERE name = 'round_no_rekeying'": "trigger round_no_rekeying differs",
        "DROP TRIGGER round_no_delete; CREATE TRIGGER round_no_delete BEFORE DELETE ON round WHEN 0"
        " BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END": (
            "trigger round_no_delete differs"
        ),
    },
    "postgresql": {
        "DROP TRIGGER personnel_record_locked_delete ON personnel_record": (
            "trigger personnel_record_locked_delete is missing"
        ),
        "CREATE INDEX other ON spot_check((id + 1))": "index other is not ours",
        "ALTER TABLE personnel_record DISABLE TRIGGER personnel_record_locked_insert": (
            "personnel_record_locked_insert differs"
        ),
        "CREATE OR REPLACE FUNCTION refuse_locked_roster() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'": "function refuse_locked_roster differs",
        "ALTER FUNCTION keep_round() RESET search_path": "function keep_round differs",
        "ALTER FUNCTION keep_round() SET search_path = pg_temp, public": "function keep_round differs",
        "ALTER FUNCTION keep_round() SECURITY DEFINER": "function keep_round differs",
        "ALTER FUNCTION refuse_locked_roster() STABLE": "function refuse_locked_roster differs",
        "ALTER FUNCTION refuse_change() SET transform_null_equals = on": "function refuse_change differs",
        "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'": (
            "function other is not ours"
        ),
        "ALTER TABLE round ENABLE TRIGGER round_kept": "trigger round_kept differs: not enabled always",
        "ALTER TABLE round ENABLE REPLICA TRIGGER round_kept": "trigger round_kept differs: not enabled always",
        "CREATE OR REPLACE TRIGGER round_kept BEFORE DELETE OR UPDATE ON round FOR EACH ROW WHEN (false)"
        " EXECUTE FUNCTION keep_round(); ALTER TABLE round ENABLE ALWAYS TRIGGER round_kept": (
            "trigger round_kept differs"
        ),
        "CREATE SCHEMA beside; CREATE FUNCTION beside.keep_round() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'; CREATE OR REPLACE TRIGGER round_kept BEFORE DELETE OR UPDATE ON round"
        " FOR EACH ROW EXECUTE FUNCTION beside.keep_round(); ALTER TABLE round ENABLE ALWAYS TRIGGER round_kept;"
        " SET search_path = public, beside": "trigger round_kept differs",
        "CREATE RULE other AS ON DELETE TO certification DO INSTEAD NOTHING": (
            "rule other on certification is not ours"
        ),
        "ALTER TABLE certification ENABLE ROW LEVEL SECURITY": "row security is on for certification",
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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_check_leaves_the_search_path_as_it_was(database: Database) -> None:
    async with database.engine.begin() as connection:
        before = await connection.scalar(text("SHOW search_path"))
        assert await connection.run_sync(drift.differences) == []
        assert await connection.scalar(text("SHOW search_path")) == before


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
