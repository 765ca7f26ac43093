"""A consistent copy of the database while the bot runs, and the way back (docs/operations.md)."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, func, select

from models import outbox_admin, schema
from models.base import Base, DomainError
from models.database import Database
from models.verification import Findings, verify


class BackupRefused(DomainError):
    """A copy cannot be made or brought back; the message says why and how to mend it."""


@dataclass(frozen=True)
class Restored:
    """What was found in a database that was brought back."""

    differences: list[str]
    findings: Findings
    held: int


async def backup(database: Database, target: Path) -> int:
    """Copy the database to a new file, readable by its owner only; the size in bytes.

    SQLite's online backup in one step (in several it starts anew at each write: with writes going on it had not
    ended after 20 s); `pg_dump` for PostgreSQL. Raises BackupRefused.
    """
    if target.exists():  # noqa: ASYNC240 - a look, and nothing else runs in this process
        raise BackupRefused(f"{target} exists; choose another name")
    part = target.with_name(target.name + ".part")
    try:
        part.touch(mode=0o600, exist_ok=False)
        if database.is_sqlite:
            await asyncio.to_thread(_copy_sqlite, _path(database.url), part)
        else:
            await _run_tool(database.url, "pg_dump", "--format=custom", "--no-owner", f"--file={part}")
        part.rename(target)
    except OSError as error:
        raise BackupRefused(f"{target} cannot be written: {error.strerror}; check the folder") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size  # noqa: ASYNC240


async def restore(database: Database, source: Path, *, force: bool) -> Restored:
    """Bring a copy back in place of the database, check it, and hold its unsent messages.

    What was unsent when the copy was made may have been sent since: the operator releases it
    (`laocert outbox release`). Raises BackupRefused, with nothing changed: for a file that is no copy, a database
    that holds anything (unless `force`), and one that a program has open.
    """
    if not source.is_file():  # noqa: ASYNC240
        raise BackupRefused(f"there is no file {source}")
    if not force and await _holds_anything(database):
        raise BackupRefused("the database is not empty; to replace all that is in it, add --force")
    await database.close()
    if database.is_sqlite:
        await asyncio.to_thread(_replace_sqlite, source, _path(database.url))
    else:
        await _require_dump(database.url, source)
        await _run_tool(
            database.url,
            "pg_restore",
            "--clean",
            "--if-exists",
            "--no-owner",
            "--single-transaction",
            "--exit-on-error",
            f"--dbname={database.url.database}",
            str(source),
        )
    differences = await schema.check(database)
    async with database.write() as session:
        held = await outbox_admin.hold_unsent(session)
        findings = await verify(session)
    return Restored(differences, findings, held)


async def _holds_anything(database: Database) -> bool:
    if database.is_sqlite and not _path(database.url).exists():
        return False
    if await schema.revision(database) is None:
        return False
    async with database.read() as session:
        connection = await session.connection()
        there = set(await connection.run_sync(schema.table_names))
        for table in Base.metadata.sorted_tables:
            if table.name in there and await session.scalar(select(func.count()).select_from(table)):
                return True
    return False


def _path(url: URL) -> Path:
    return Path(url.database or "")


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target)) as copy:
        origin.backup(copy, pages=-1)


def _replace_sqlite(source: Path, target: Path) -> None:
    """Put a checked copy of the file in place; what was left of the old one's -wal and -shm goes with it."""
    part = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(source, part)
        part.chmod(0o600)
        _require_copy(part, source)
        _close_for_all(target)
        for leftover in ("-wal", "-shm"):
            target.with_name(target.name + leftover).unlink(missing_ok=True)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _require_copy(part: Path, named: Path) -> None:
    try:
        with closing(sqlite3.connect(part)) as copy:
            intact = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            ours = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'certification'").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupRefused(f"{named} is no copy of a SQLite database: {error}") from error
    if not intact or ours == (0,):
        raise BackupRefused(f"{named} is damaged or no copy of a laocert database; take another copy")


def _close_for_all(target: Path) -> None:
    """Make sure that no program has the database open: leaving WAL mode needs it alone."""
    if not target.exists():
        return
    try:
        with closing(sqlite3.connect(target, timeout=1)) as alone:
            left = alone.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError:
        left = None
    except sqlite3.DatabaseError:
        # What stands there is no database any more; that is why a copy is brought back.
        return
    if left != ("delete",):
        raise BackupRefused("a program has the database open; stop the bot first")


async def _require_dump(url: URL, source: Path) -> None:
    listing = await _run_tool(url, "pg_restore", "--list", str(source))
    if "TABLE DATA public certification" not in listing:
        raise BackupRefused(f"{source} is no copy of a laocert database")


async def _run_tool(url: URL, tool: str, *arguments: str) -> str:
    """Run one of PostgreSQL's programs against the database; what it printed."""
    # The password goes by the environment: the command line can be read by others.
    environment = os.environ | {
        name: str(value)
        for name, value in {
            "PGHOST": url.host,
            "PGPORT": url.port,
            "PGUSER": url.username,
            "PGPASSWORD": url.password,
            "PGDATABASE": url.database,
        }.items()
        if value is not None
    }
    try:
        process = await asyncio.create_subprocess_exec(
            tool, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise BackupRefused(f"{tool} is not installed; install PostgreSQL's client programs") from error
    printed, complaints = await process.communicate()
    if process.returncode:
        said = complaints.decode(errors="replace").strip().splitlines()
        raise BackupRefused(f"{tool}: {said[0] if said else 'failed'}")
    return printed.decode(errors="replace")
