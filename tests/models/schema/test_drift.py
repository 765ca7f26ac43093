"""The migrations make exactly the models' tables and indexes, and `db check` sees what differs or dangles."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from models.database.engine import Database
from models.schema import definitions, drift, version


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
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'CHECK (level IN',"
        " 'CHECK (1 OR level IN') WHERE name = 'certification'": "table certification differs",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'UNIQUE (code)',"
        " 'UNIQUE (code) ON CONFLICT REPLACE') WHERE name = 'certification'": "table certification differs",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'level VARCHAR(30)',"
        " 'level VARCHAR(30) COLLATE NOCASE') WHERE name = 'certification'": "table certification differs",
        "DROP TRIGGER last_row_no_insert; DROP TABLE last_row": "table last_row is missing",
        "CREATE VIEW other AS SELECT 1": "view other is not ours",
    },
    "postgresql": {
        "CREATE INDEX other ON spot_check((id + 1))": "index other is not ours",
        "DROP INDEX uq_round_open": "uq_round_open",
        "ALTER TABLE roster ALTER COLUMN file_name TYPE varchar(10)": "file_name",
        "DROP INDEX uq_round_open; CREATE UNIQUE INDEX uq_round_open ON round(state) WHERE false": (
            "index uq_round_open differs"
        ),
        "ALTER TABLE personnel_record DROP CONSTRAINT pk_personnel_record": (
            "constraint personnel_record.pk_personnel_record is missing"
        ),
        "ALTER TABLE certification DROP CONSTRAINT ck_certification_level": (
            "constraint certification.ck_certification_level is missing"
        ),
        "ALTER TABLE certification DROP CONSTRAINT ck_certification_level;"
        " ALTER TABLE certification ADD CONSTRAINT ck_certification_level CHECK (level <> '')": (
            "constraint certification.ck_certification_level differs"
        ),
        "ALTER TABLE certification DROP CONSTRAINT uq_certification_code; ALTER TABLE certification"
        " ADD CONSTRAINT uq_certification_code UNIQUE (code) DEFERRABLE INITIALLY DEFERRED": (
            "constraint certification.uq_certification_code differs"
        ),
        "ALTER TABLE personnel_record DISABLE TRIGGER ALL;"
        " ALTER TABLE personnel_record ENABLE ALWAYS TRIGGER personnel_record_locked_insert": (
            "of personnel_record is not kept"
        ),
        "ALTER TABLE round ALTER id SET DEFAULT 7": "column round.id differs",
        "ALTER SEQUENCE round_id_seq INCREMENT -1 MINVALUE -9": "sequence round_id_seq differs",
        'ALTER TABLE certification ALTER organization_code TYPE varchar(10) COLLATE "C"': (
            "column certification.organization_code differs"
        ),
        "ALTER TABLE spot_check_item SET UNLOGGED": "table spot_check_item is not crash-safe",
        "CREATE SCHEMA beside; CREATE TABLE beside.other () INHERITS (personnel_record)": (
            "table beside.other inherits from personnel_record"
        ),
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
async def test_the_check_leaves_nothing_behind_and_asks_for_no_right_that_it_lacks(database: Database) -> None:
    schemas = text("SELECT count(*) FROM pg_namespace")
    async with database.engine.connect() as connection:
        before = await connection.scalar(schemas)
    assert await drift.check(database) == []
    assert await drift.can_check_in_full(database)
    async with database.engine.begin() as connection:
        assert await connection.scalar(schemas) == before
        await connection.execute(text("SET TRANSACTION READ ONLY"))
        # A server that only reads, or a role without the right: the rest is compared all the same.
        assert not await connection.run_sync(definitions.can_compare)
        assert await connection.run_sync(definitions.differences) == []


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
