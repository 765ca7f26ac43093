"""A consistent copy of the database while the bot runs (docs/operations.md); bot/service/restore.py is the way
back.
"""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from models.base.errors import DomainError
from models.database.engine import Database


class BackupRefused(DomainError):
    """A copy cannot be made or brought back; the message says why and how to mend it."""


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
            await asyncio.to_thread(_copy_sqlite, path_of(database.url), part)
        else:
            await run_tool(database, "pg_dump", "--format=custom", "--no-owner", f"--file={part}")
        part.rename(target)
    except OSError as error:
        raise BackupRefused(f"{target} cannot be written: {error.strerror}; check the folder") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size  # noqa: ASYNC240


def path_of(url: URL) -> Path:
    """Where a SQLite database lies."""
    return Path(url.database or "")


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target)) as copy:
        origin.backup(copy, pages=-1)


async def run_tool(database: Database, tool: str, *arguments: str) -> str:
    """Run one of PostgreSQL's programs against the database; what it printed. Raises BackupRefused."""
    process = await start_tool(database, tool, *arguments)
    printed, complaints = await process.communicate()
    if process.returncode:
        raise refusal(tool, complaints)
    return printed.decode(errors="replace")


async def start_tool(database: Database, tool: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start one of PostgreSQL's programs with pipes to it and from it. Raises BackupRefused."""
    url = database.url
    # The password goes by the environment: the command line can be read by others.
    environment = os.environ | {
        name: str(value)
        for name, value in {
            "PGHOST": url.host,
            "PGPORT": url.port,
            "PGUSER": url.username,
            "PGPASSWORD": url.password,
            "PGDATABASE": url.database,
            "PGAPPNAME": database.name,
        }.items()
        if value is not None
    }
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(
            tool, *arguments, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
        )
    except FileNotFoundError as error:
        raise BackupRefused(f"{tool} is not installed; install PostgreSQL's client programs") from error


def refusal(tool: str, complaints: bytes) -> BackupRefused:
    """The first error among what a program of PostgreSQL complained of."""
    lines = complaints.decode(errors="replace").strip().splitlines()
    said = next((line for line in lines if "ERROR:" in line or "error:" in line), lines[0] if lines else "failed")
    return BackupRefused(said if said.startswith(f"{tool}: ") else f"{tool}: {said}")
