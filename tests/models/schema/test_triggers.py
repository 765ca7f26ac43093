"""Triggers and their functions are compared with the program's, word by word."""

import re

import pytest
from sqlalchemy import text

from models.database.engine import Database
from models.schema import triggers

DAMAGES = {
    "sqlite": {
        "DROP TRIGGER personnel_record_locked_delete": "trigger personnel_record_locked_delete is missing",
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
    },
}


@pytest.mark.parametrize(
    ("database_url", "damage", "finding"),
    [(kind, damage, finding) for kind, cases in DAMAGES.items() for damage, finding in cases.items()],
    indirect=["database_url"],
)
async def test_what_was_changed_of_a_trigger_is_found(database: Database, damage: str, finding: str) -> None:
    async with database.engine.begin() as connection:
        for statement in re.split(r";(?! END)(?=.)", damage):
            await connection.execute(text(statement))
    async with database.engine.connect() as connection:
        found = await connection.run_sync(triggers.differences)
    assert any(finding in line for line in found)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_look_leaves_the_search_path_as_it_was(database: Database) -> None:
    async with database.engine.begin() as connection:
        before = await connection.scalar(text("SHOW search_path"))
        assert await connection.run_sync(triggers.differences) == []
        assert await connection.scalar(text("SHOW search_path")) == before
