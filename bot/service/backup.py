"""Backs up the database while the bot runs (docs/operations.md); bot/service/restore.py restores the copy."""

import asyncio
import os
import sqlite3
from asyncio.subprocess import Process
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, text

from bot.service.copy_check import (
    ArchiveReader,
    Contents,
    check_sqlite,
    contents_of_postgresql,
    contents_of_sqlite,
)
from models.base.errors import DomainError
from models.database.engine import Database
from models.database.postgresql import hosts_of

# Bytes of one read from a tool's output.
CHUNK = 65_536


class BackupRefused(DomainError):
    """A copy cannot be made or restored; the message says why and how to fix it."""


@dataclass(frozen=True)
class Copied:
    """A copy that was made and verified: its size in bytes, its number of rows, and its newest event's id."""

    size: int
    rows: int
    newest_event: int | None


async def backup(database: Database, target: Path) -> Copied:
    """Copy the database to a new file with mode 0600, and verify the copy by reading all of it.

    Uses SQLite's online backup in one step: in several steps it restarts at each write, and under load had not
    ended after 20 s. Uses `pg_dump` for PostgreSQL. Raises BackupRefused, and leaves no file, also when the copy
    differs from the database.
    """
    if target.exists():  # noqa: ASYNC240 - a quick check, and nothing else runs in this process
        raise BackupRefused(f"{target} exists; choose another name")
    part = target.with_name(target.name + ".part")
    is_ours = False
    try:
        part.touch(mode=0o600, exist_ok=False)
        is_ours = True
        if database.is_sqlite:
            contents = await asyncio.to_thread(_copy_sqlite, path_of(database.url), part)
            differences = await asyncio.to_thread(check_sqlite, part, contents)
        else:
            contents, schema = await _dump(database, part)
            differences = contents.differences(await _read_archive(database, part, schema))
        if differences:
            raise BackupRefused(
                f"the copy differs from the database ({differences[0]}) and was not kept;"
                " look at the disk, and run: laocert db check"
            )
        _sync(part)
        part.rename(target)
        _sync(target.parent)
    except FileExistsError:
        raise BackupRefused(
            f"{part} exists: another backup writes it, or one that was killed left it; in that case remove it"
        ) from None
    except OSError as error:
        raise BackupRefused(f"{target} cannot be written: {error.strerror}; check the folder") from error
    finally:
        if is_ours:
            part.unlink(missing_ok=True)
    return Copied(target.stat().st_size, sum(contents.rows.values()), contents.newest_event)  # noqa: ASYNC240


def _sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk, so that they survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def path_of(url: URL) -> Path:
    """The file of a SQLite database."""
    return Path(url.database or "")


def _copy_sqlite(source: Path, target: Path) -> Contents:
    """Copy the database; its contents in the copied state. Raises BackupRefused."""
    try:
        with (
            closing(sqlite3.connect(source, isolation_level=None)) as origin,
            closing(sqlite3.connect(target)) as copy,
        ):
            # The backup runs in this transaction, so that it copies the state that is counted.
            origin.execute("BEGIN")
            contents = contents_of_sqlite(origin)
            origin.backup(copy, pages=-1)
    except sqlite3.DatabaseError as error:
        raise BackupRefused(f"the database cannot be copied ({error}); run: laocert db check") from error
    return contents


async def _dump(database: Database, target: Path) -> tuple[Contents, str]:
    """Copy the database; its contents in the copied state, and the name of their schema. Raises BackupRefused."""
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        # The transaction idles while pg_dump works in its snapshot.
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        snapshot = await connection.scalar(text("SELECT pg_export_snapshot()"))
        schema = await connection.scalar(text("SELECT current_schema()"))
        contents = await contents_of_postgresql(connection)
        await run_tool(
            database, "pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={target}"
        )
    return contents, str(schema)


async def _read_archive(database: Database, archive: Path, schema: str) -> Contents:
    """The contents of a copy made by pg_dump, all of which is unpacked. Raises BackupRefused."""
    reader = ArchiveReader(schema, await run_tool(database, "pg_restore", "--list", str(archive)))
    process = await start_tool(database, "pg_restore", "--data-only", "--file=-", str(archive))
    _, complaints = await asyncio.gather(_feed(reader, process), _all_of(process.stderr))
    if await process.wait():
        raise refusal("pg_restore", complaints)
    return reader.contents()


async def _feed(reader: ArchiveReader, process: Process) -> None:
    while process.stdout is not None and (piece := await process.stdout.read(CHUNK)):
        reader.feed(piece)


async def _all_of(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


async def run_tool(database: Database, tool: str, *arguments: str) -> str:
    """Run a client program of PostgreSQL against the database; its standard output. Raises BackupRefused."""
    process = await start_tool(database, tool, *arguments)
    printed, complaints = await process.communicate()
    if process.returncode:
        raise refusal(tool, complaints)
    return printed.decode(errors="replace")


async def start_tool(database: Database, tool: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a client program of PostgreSQL against the database, with pipes for its standard streams. Raises
    BackupRefused when it is not installed.
    """
    url = database.url
    hosts = hosts_of(url)
    # Either all hosts have a port or none has.
    ports = [str(port) for _, port in hosts if port is not None]
    # The password is passed in the environment, because other users can read command lines.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LAOCERT_")} | {
        name: str(value)
        for name, value in {
            "PGHOST": ",".join(host for host, _ in hosts) or None,
            "PGPORT": ",".join(ports) or None,
            "PGTARGETSESSIONATTRS": "read-write" if len(hosts) > 1 else None,
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
    """The refusal with the first error line of a PostgreSQL program's standard error."""
    lines = complaints.decode(errors="replace").strip().splitlines()
    error = next((line for line in lines if "ERROR:" in line or "error:" in line), lines[0] if lines else "failed")
    return BackupRefused(error if error.startswith(f"{tool}: ") else f"{tool}: {error}")
