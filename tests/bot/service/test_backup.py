"""Backup while the program runs, and restore: nothing is overwritten by accident or sent twice."""

import asyncio
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from bot.service.backup import BackupRefused, backup
from bot.service.restore import restore
from models.certification.certificate import Certification, Level
from models.database.engine import Database
from models.notices.outbox import OutboxMessage, State
from models.notices.outbox_admin import drop_held, release_held
from models.schema import version
from tests.conftest import MARK, _admin, apart, postgres_url
from tests.support import KEYRING, ORGANIZATIONS, certify_as

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])


@pytest.fixture
async def copied(country: Database, now: datetime, tmp_path: Path) -> Path:
    """A copy of a database in which one organization is certified and two messages are unsent."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    copy = tmp_path / "copy.backup"
    assert (await backup(country, copy)).size > 0
    return copy


@pytest.fixture
def elsewhere(country: Database, tmp_path: Path) -> Iterator[str]:
    """The URL of another database of the same kind, with nothing in it."""
    if country.is_sqlite:
        yield f"sqlite+aiosqlite:///{tmp_path / 'elsewhere.db'}"
        return
    name = MARK + uuid.uuid4().hex[:12]
    apart(_admin(f"CREATE DATABASE {name}"))
    yield postgres_url(name)
    apart(_admin(f"DROP DATABASE {name} WITH (FORCE)"))


async def test_a_copy_comes_back_whole_and_holds_its_messages(copied: Path, elsewhere: str, now: datetime) -> None:
    there = Database(elsewhere, KEYRING)
    restored = await restore(there, copied, force=False)
    assert (restored.differences, restored.findings.breaks) == ([], [])
    assert (restored.findings.certificates, restored.findings.rosters, restored.held) == (1, 1, 1)
    with pytest.raises(Exception, match="locked"):
        async with there.write() as session:
            await session.execute(text(f"DELETE FROM personnel_record WHERE organization_code = '{FIRST}'"))
    async with there.write() as session:
        assert await release_held(session, now) == 1
        assert await session.scalar(select(OutboxMessage.state)) is State.PENDING
    await there.close()


async def test_held_messages_can_be_dropped(copied: Path, elsewhere: str) -> None:
    there = Database(elsewhere, KEYRING)
    await restore(there, copied, force=False)
    async with there.write() as session:
        assert await drop_held(session) == 1
        assert await session.scalar(select(OutboxMessage.state)) is State.DEAD
    await there.close()


async def test_what_is_there_is_replaced_only_by_force(copied: Path, country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    with pytest.raises(BackupRefused, match="--force"):
        await restore(country, copied, force=False)
    async with country.read() as session:
        assert await session.scalar(select(func.count()).select_from(Certification)) == 2
    await country.close()
    restored = await restore(country, copied, force=True)
    assert restored.findings.certificates == 1
    assert restored.findings.breaks == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_of_several_hosts_the_one_that_answers_is_copied(country: Database, tmp_path: Path) -> None:
    url = country.url
    several = f"postgresql+asyncpg://{url.username}@/{url.database}?host=127.0.0.9:1&host={url.host}:{url.port}"
    database = Database(several, KEYRING)
    assert (await backup(database, tmp_path / "copy")).rows > 0
    await database.close()


async def test_a_copy_is_not_overwritten(copied: Path, country: Database) -> None:
    with pytest.raises(BackupRefused, match="exists"):
        await backup(country, copied)


async def test_what_another_backup_writes_is_left_to_it(country: Database, tmp_path: Path) -> None:
    part = tmp_path / "copy.backup.part"
    await asyncio.to_thread(part.write_bytes, b"half a copy")
    with pytest.raises(BackupRefused, match=r"copy\.backup\.part exists: .*in that case remove it"):
        await backup(country, tmp_path / "copy.backup")
    assert await asyncio.to_thread(part.read_bytes) == b"half a copy"


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"x" * 200])
async def test_what_is_no_copy_is_refused(
    country: Database, elsewhere: str, tmp_path: Path, content: bytes
) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(content)
    there = Database(elsewhere, KEYRING)
    with pytest.raises(BackupRefused):
        await restore(there, nonsense, force=True)
    with pytest.raises(BackupRefused, match="there is no file"):
        await restore(there, tmp_path / "missing", force=True)
    assert await version.revision(there) is None
    await there.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_database_in_use_is_left_alone(copied: Path, country: Database) -> None:
    path = str(country.url.database)
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM certification").fetchone()
    await country.close()
    with pytest.raises(BackupRefused, match="stop the bot"):
        await restore(country, copied, force=True)
    other.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_old_wal_survives(copied: Path, country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    path = Path(str(country.url.database))
    await country.close()
    # As after a crash: the commit is only in the -wal file.
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).write_bytes(b"what an old bot left")
    restored = await restore(country, copied, force=True)
    assert (restored.differences, restored.findings.certificates) == ([], 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_backup_while_somebody_writes(country: Database, now: datetime, tmp_path: Path) -> None:
    async with country.write() as session:
        await session.execute(text("UPDATE account SET display_name = 'half done'"))
        await backup(country, tmp_path / "copy.backup")
    copy = sqlite3.connect(tmp_path / "copy.backup")
    assert copy.execute("SELECT count(*) FROM account WHERE display_name = 'half done'").fetchone() == (0,)
    copy.close()
