"""A backup succeeds only when the copy equals the database; otherwise no file stays."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.service import backup as making
from bot.service.backup import BackupRefused, backup
from bot.service.copy_check import Contents
from models.certification.certificate import Level
from models.database.engine import Database
from tests.bot.running import Run, laocert
from tests.support import ORGANIZATIONS, certify_as

__all__ = ["laocert"]

FIRST = ORGANIZATIONS[0][0]
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
HARMLESS = " BEFORE INSERT ON roster BEGIN SELECT 1; END"
# Files with the copy's name, complete or not.
COPY = "copy.backup"


@pytest.fixture
async def certified(country: Database, now: datetime) -> Database:
    """A database in which something was recorded."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    return country


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(COPY)]


async def test_what_is_in_a_copy_is_counted(certified: Database, laocert: Run, tmp_path: Path) -> None:
    async with certified.read() as session:
        newest = await session.scalar(text("SELECT max(id) FROM audit_event"))
        records = await session.scalar(text("SELECT count(*) FROM personnel_record"))
    await certified.close()
    copied = await backup(certified, tmp_path / COPY)
    assert copied.newest_event == newest
    assert copied.rows > records
    result = await laocert("db", "backup", "another.backup")
    assert f"checked: {copied.rows:,} rows as in the database, the newest event is {newest};" in result.output


# --- SQLite -------------------------------------------------------------------------------------------------


def execute(*statements: str) -> Callable[[Path], None]:
    def damage(copy: Path) -> None:
        with closing(sqlite3.connect(copy)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return damage


def cut_off(copy: Path) -> None:
    os.truncate(copy, copy.stat().st_size - 4096)


def overwrite(copy: Path) -> None:
    """Overwrite a page in the middle, as after a lost write."""
    with copy.open("r+b") as file:
        file.seek(copy.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)


@ON_SQLITE
@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        (execute("DELETE FROM account WHERE username = 'province11'"), "account has "),
        (execute("DROP TRIGGER roster_locked_insert"), "trigger roster_locked_insert is missing"),
        (
            execute("DROP TRIGGER roster_locked_insert", "CREATE TRIGGER roster_locked_insert" + HARMLESS),
            "trigger roster_locked_insert differs",
        ),
        (execute("DROP TABLE outbox"), "outbox"),
        (cut_off, ""),
        (overwrite, ""),
        (lambda copy: copy.write_bytes(b""), ""),
        (lambda copy: copy.write_bytes(b"no database" * 1000), "not a database"),
    ],
    ids=["a row", "a trigger", "another trigger", "a table", "cut off", "overwritten", "empty", "something else"],
)
async def test_a_copy_that_is_otherwise_is_not_kept(
    certified: Database,
    laocert: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    difference: str,
) -> None:
    copy = making._copy_sqlite

    def badly(source: Path, target: Path) -> Contents:
        contents = copy(source, target)
        damage(target)
        return contents

    monkeypatch.setattr(making, "_copy_sqlite", badly)
    with pytest.raises(BackupRefused, match="the copy differs from the database") as refused:
        await backup(certified, tmp_path / COPY)
    assert difference in str(refused.value)
    assert left_behind(tmp_path) == []
    result = await laocert("db", "backup", COPY, code=1)
    assert "was not kept; look at the disk, and run: laocert db check" in result.stderr
    assert left_behind(tmp_path) == []


@ON_SQLITE
async def test_a_database_that_is_damaged_is_said_to_be(certified: Database, laocert: Run, tmp_path: Path) -> None:
    await certified.close()
    overwrite(Path(str(certified.url.database)))
    result = await laocert("db", "backup", COPY, code=1)
    assert "laocert db check" in result.stderr
    assert left_behind(tmp_path) == []


# --- PostgreSQL ---------------------------------------------------------------------------------------------


@pytest.fixture
def dumping(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Replaces pg_dump by a shell script, which calls the real one as $REAL; $FILE is the copy."""
    real = shutil.which("pg_dump")

    def use(script: str) -> None:
        tools = tmp_path / "tools"
        tools.mkdir()
        program = tools / "pg_dump"
        program.write_text(
            f"#!/bin/sh -e\nREAL={real}\nfor word; do case $word in --file=*) FILE=${{word#*=}};; esac; done\n"
            + script
        )
        program.chmod(0o700)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    return use


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("script", "difference"),
    [
        ('$REAL "$@" --exclude-table-data=personnel_record', "personnel_record has 0 of "),
        ('$REAL "$@" --exclude-table=outbox', "TABLE outbox is missing"),
        ('$REAL "$@" --section=pre-data --section=data', "TRIGGER audit_event audit_event_insert_only is missing"),
        ('$REAL "$@"; truncate --size=-2000 "$FILE"', "pg_restore: error"),
        ('$REAL "$@"; truncate --size=0 "$FILE"', "pg_restore: error"),
    ],
    ids=["rows", "a table", "triggers", "cut off", "empty"],
)
async def test_an_archive_that_is_otherwise_is_not_kept(
    certified: Database,
    laocert: Run,
    dumping: Callable[[str], None],
    tmp_path: Path,
    script: str,
    difference: str,
) -> None:
    dumping(script)
    result = await laocert("db", "backup", COPY, code=1)
    assert difference in result.stderr
    assert left_behind(tmp_path) == []


@ON_POSTGRESQL
async def test_what_is_written_between_the_count_and_the_copy_is_in_neither(
    certified: Database, dumping: Callable[[str], None], tmp_path: Path
) -> None:
    async with certified.read() as session:
        newest = await session.scalar(text("SELECT max(id) FROM audit_event"))
    statement = "INSERT INTO province (code, name_th, name_en) VALUES ('99', 'x', 'x')"
    dumping(f'psql --quiet --command "{statement}"\n$REAL "$@"')
    copied = await backup(certified, tmp_path / COPY)
    assert copied.newest_event == newest
    async with certified.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM province WHERE code = '99'")) == 1
