"""Restore replaces the database completely, with no program running and under the right key, or not at all."""

import asyncio
import errno
import sqlite3
import time
import uuid
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from bot.service import restore as restoring
from bot.service.backup import BackupRefused, backup
from bot.service.restore import restore
from demo.botapi import PATIENCE, Emulator
from models.certification.certificate import Level
from models.database.engine import Database
from models.database.exclusion import InUse, alone
from models.notices.outbox import State
from tests.bot.program import Program
from tests.bot.running import Run, laocert, outbox_rows
from tests.conftest import POSTGRES, _admin, apart
from tests.support import KEYRING, ORGANIZATIONS, SECRET_KEY, certify_as

__all__ = ["laocert"]

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
DAMAGED = "is damaged or no copy of a laocert database; take another copy"
NEW = "a new key for tests only of more than 32 letters"


@pytest.fixture
async def copied(country: Database, now: datetime, tmp_path: Path) -> Path:
    """A copy with one certified organization and unsent messages; the database has two certified ones."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    copy = tmp_path / "copy.backup"
    await backup(country, copy)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    await country.close()
    return copy


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    """An emulator in real time, as the program is."""
    async with Emulator(clock=time.time) as running:
        yield running


async def certificates(database: Database) -> int:
    async with database.read() as session:
        counted = await session.scalar(text("SELECT count(*) FROM certification"))
    await database.close()
    assert isinstance(counted, int)
    return counted


async def test_a_database_that_a_program_runs_on_is_left_alone(
    laocert: Run, copied: Path, country: Database, database_url: str, telegram: Emulator, tmp_path: Path
) -> None:
    program = Program(tmp_path, telegram, database_url)
    async with program.running():
        await program.ready()
        refused = await laocert("db", "restore", str(copied), "--force", code=1)
        assert "stop the bot" in refused.stderr
        if not country.is_sqlite:
            assert "the database is in use by laocert run (" in refused.stderr
            assert "from 127.0.0.1, since 20" in refused.stderr
        assert await program.stop() == 0
    assert await certificates(country) == 2
    await laocert("db", "restore", str(copied), "--force")
    assert await certificates(country) == 1


async def test_a_copy_under_another_key_is_refused_before_anything_is_replaced(
    laocert: Run, copied: Path, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    refused = await laocert("db", "restore", str(copied), "--force", code=1)
    assert refused.stderr.startswith("the newest event of the copy was made with key " + KEYRING.current_id)
    assert len(refused.stderr.splitlines()) == 1
    assert "LAOCERT_OLD_SECRET_KEYS" in refused.stderr
    assert await certificates(country) == 2
    # As after a change of the key: the copy is older than it.
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", SECRET_KEY)
    restored = await laocert("db", "restore", str(copied), "--force")
    assert "unsent messages are held" in restored.stdout
    assert await certificates(country) == 1
    monkeypatch.delenv("LAOCERT_SECRET_KEY")
    assert "is not set" in (await laocert("db", "restore", str(copied), "--force", code=1)).stderr


async def test_a_restore_that_fails_leaves_everything_as_it_was(
    copied: Path, country: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await asyncio.to_thread(copied.read_bytes)
    # A copy begins with its table of contents.
    for length in (len(whole) * 9 // 10, len(whole) - 10):
        cut = tmp_path / "cut.backup"
        await asyncio.to_thread(cut.write_bytes, whole[:length])
        with pytest.raises(BackupRefused) as refused:
            await restore(country, cut, force=True)
        assert str(refused.value) == f"{cut} {DAMAGED}"
        assert await certificates(country) == 2
    if not country.is_sqlite:
        # At the end of the transaction, after everything was replaced.
        monkeypatch.setattr(restoring, "_ending", lambda keys: "SELECT 1 / 0;\nCOMMIT;\n")
        with pytest.raises(BackupRefused, match=r"\(division by zero\); take another copy$"):
            await restore(country, copied, force=True)
        assert await certificates(country) == 2
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]  # noqa: ASYNC240


BEGINNINGS = {
    "empty": b"",
    "a few letters": b"PG",
    "a text": b"-- a dump in plain SQL\n" * 400,
    "PostgreSQL": b"PGDMP",
    "SQLite": b"SQLite format 3\0" + bytes(4096),
}


@pytest.mark.parametrize("what", BEGINNINGS)
async def test_a_file_that_is_no_copy_is_refused_in_one_sentence(
    laocert: Run, country: Database, tmp_path: Path, what: str
) -> None:
    await country.close()
    file = tmp_path / "copy.backup"
    await asyncio.to_thread(file.write_bytes, BEGINNINGS[what])
    refused = await laocert("db", "restore", str(file), "--force", code=1)
    of_the_other_kind = what == ("PostgreSQL" if country.is_sqlite else "SQLite")
    other = f"is a copy of a {what} database; restore it where LAOCERT_DATABASE_URL is one"
    assert refused.stderr == f"{file} {other if of_the_other_kind else DAMAGED}\n"


async def test_a_copy_of_another_programs_database_is_refused(
    laocert: Run, country: Database, tmp_path: Path
) -> None:
    """The archive has one of our tables' names, and none of the others."""
    await country.close()
    url = country.url.set(database=f"{country.url.database}_foreign")
    if not country.is_sqlite:
        apart(_admin(f"CREATE DATABASE {url.database}"))
    foreign, file = Database(url.render_as_string(hide_password=False)), tmp_path / "foreign.backup"
    try:
        async with foreign.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE certification (id int)"))
        await backup(foreign, file)
    finally:
        await foreign.close()
        if not country.is_sqlite:
            apart(_admin(f"DROP DATABASE {url.database}"))
    assert (await laocert("db", "restore", str(file), "--force", code=1)).stderr == f"{file} {DAMAGED}\n"
    assert await certificates(country) == 0


async def test_what_is_unsent_is_held_when_the_copy_is_there(copied: Path, country: Database) -> None:
    """In the same transaction: a program must not send the messages in between."""
    held = (await restore(country, copied, force=True)).held
    assert held == 1
    assert {row.state for row in await outbox_rows(country)} == {State.HELD}
    # A second restore holds what the first one held.
    assert (await restore(country, copied, force=True)).held == held


# --- PostgreSQL ---------------------------------------------------------------------------------------------


@ON_POSTGRESQL
async def test_programs_on_other_databases_are_not_in_the_way(copied: Path, country: Database) -> None:
    elsewhere = Database(f"{POSTGRES.replace('postgresql:', 'postgresql+asyncpg:')}/postgres", KEYRING)
    async with elsewhere.read() as session:
        await session.execute(text("SELECT 1"))
    assert (await restore(country, copied, force=True)).differences == []
    await elsewhere.close()


@pytest.fixture
def ordinary_role(country: Database) -> Iterator[str]:
    """A role that owns nothing and may not see other roles' sessions."""
    name = f"laocert_role_{uuid.uuid4().hex[:12]}"
    apart(_admin(f"CREATE ROLE {name} LOGIN"))
    yield name
    apart(_admin(f"DROP ROLE {name}"))


@ON_POSTGRESQL
async def test_an_ordinary_role_sees_who_is_there(country: Database, ordinary_role: str) -> None:
    async with country.read() as session:
        await session.execute(text("SELECT 1"))
        # What the server shows of another role's session.
        with pytest.raises(InUse, match=r"in use by laocert \(1 session, server process \d+\); stop"):
            async with alone(make_url(country.url).set(username=ordinary_role), "laocert db restore"):
                pass
    await country.close()


@ON_POSTGRESQL
async def test_somebody_elses_open_transaction_is_not_waited_for_for_ever(
    copied: Path, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.database.postgresql._enter", lambda *_: None)
    psql = Database(country.url.render_as_string(hide_password=False), name="psql")
    async with psql.read() as session:
        await session.execute(text("SELECT count(*) FROM certification"))
        with pytest.raises(BackupRefused, match=r"^a session of somebody else .*lock timeout.*end it first$"):
            await restore(country, copied, force=True, lock_patience=1)
    await psql.close()
    assert await certificates(country) == 2


@pytest.mark.parametrize("attempt", range(5))
async def test_a_script_that_is_longer_than_what_psql_reads_ends_with_it(attempt: int) -> None:
    """Unread output in the pipe keeps asyncio from noticing the end of the process."""
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}
    script = await asyncio.create_subprocess_exec("yes", **pipes)
    psql = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.2; echo refused >&2; exit 3", **pipes)
    async with asyncio.timeout(PATIENCE):
        assert await restoring._transact(script, psql, "BEGIN;", "COMMIT;") == b"refused\n"
    assert psql.returncode == 3


@ON_POSTGRESQL
async def test_what_the_copy_does_not_know_does_not_stay(copied: Path, country: Database) -> None:
    async with country.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE throttle ADD COLUMN later int"))
    assert (await restore(country, copied, force=True)).differences == []


@ON_POSTGRESQL
async def test_sessions_are_named_by_their_command(laocert: Run, copied: Path, country: Database) -> None:
    seen: set[str] = set()

    async def look() -> None:
        watcher = Database(country.url.set(database="postgres").render_as_string(hide_password=False))
        query = text("SELECT application_name FROM pg_stat_activity WHERE datname = :name")
        while "laocert audit verify" not in seen:
            async with watcher.read() as session:
                seen.update(await session.scalars(query, {"name": country.url.database}))
        await watcher.close()

    looking = asyncio.create_task(look())
    while not looking.done():
        await laocert("audit", "verify")
    await looking


# --- SQLite -------------------------------------------------------------------------------------------------


@ON_SQLITE
async def test_a_program_that_starts_meanwhile_reads_what_was_restored(
    copied: Path, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is not replaced, so that no program goes on with a deleted database."""
    target = Path(str(country.url.database))
    inode = (await asyncio.to_thread(target.stat)).st_ino
    with closing(sqlite3.connect(target, timeout=30)) as waiting:
        assert (await restore(country, copied, force=True)).held == 1
        assert waiting.execute("SELECT count(*) FROM certification").fetchone() == (1,)
    assert (await asyncio.to_thread(target.stat)).st_ino == inode


@ON_SQLITE
async def test_nobody_opens_a_file_that_is_being_written_over(country: Database, tmp_path: Path) -> None:
    await country.close()
    target = Path(str(country.url.database))
    with closing(sqlite3.connect(target, isolation_level=None)) as held:
        assert restoring._is_held_alone(held)
        with (
            closing(sqlite3.connect(target, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("SELECT count(*) FROM certification")


@ON_SQLITE
async def test_what_a_killed_restore_left_goes_with_the_next(copied: Path, country: Database) -> None:
    target = Path(str(country.url.database))
    left = [target.with_name(f"{target.name}.abcd1234.part{end}") for end in ("", "-wal", "-shm")]
    other = target.with_name("other.db.abcd1234.part")
    for path in (*left, other):
        await asyncio.to_thread(path.write_bytes, b"a register")
    await restore(country, copied, force=True)
    assert [path for path in (*left, other) if path.exists()] == [other]


@ON_SQLITE
async def test_a_disk_without_room_is_told_as_such(
    laocert: Run, copied: Path, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bot.service.restore.shutil.copyfile", full)
    with pytest.raises(BackupRefused, match="make room and restore once more"):
        await restore(country, copied, force=True)
    assert await certificates(country) == 2


async def test_a_copy_whose_key_is_lost_comes_back_and_is_not_called_bad(
    laocert: Run, copied: Path, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", f"lost:{KEYRING.current_id}")
    refused = await laocert("db", "restore", str(copied), "--force", code=1)
    assert "events cannot be checked: the key that made them is not here" in refused.stdout
    assert "the copy is back, and what could be checked of it is as it should be" in refused.stderr
    assert await certificates(country) == 1


@ON_SQLITE
async def test_a_file_that_is_no_database_any_more_is_replaced(copied: Path, country: Database) -> None:
    target = Path(str(country.url.database))
    await asyncio.to_thread(target.write_bytes, b"x" * 8192)
    restored = await restore(country, copied, force=True)
    assert (restored.differences, restored.findings.certificates) == ([], 1)


@ON_SQLITE
async def test_a_copy_of_another_schema_is_brought_back_and_not_checked(
    laocert: Run, copied: Path, country: Database
) -> None:
    with closing(sqlite3.connect(copied)) as copy, copy:
        copy.execute("UPDATE alembic_version SET version_num = '0004'")
    refused = await laocert("db", "restore", str(copied), "--force", code=1)
    assert "restored, at schema 0004, and not checked" in refused.stderr
    assert "laocert db upgrade" in refused.stderr
    assert "1 unsent messages are held" in refused.stdout
