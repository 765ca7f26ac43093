"""Brings a copy back in place of the database: whole, while no program has it open, or not at all."""

import asyncio
import errno
import glob
import os
import re
import shutil
import sqlite3
import tempfile
from asyncio.subprocess import Process
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql

from bot.service.backup import CHUNK, BackupRefused, path_of, refusal, start_tool
from bot.service.opening import require_known_key
from models.audit import event_chain
from models.base.tables import Base
from models.database.engine import Database
from models.database.exclusion import alone
from models.notices import outbox_admin
from models.notices.outbox import OutboxMessage
from models.operator.sealing import count_accepted_unsealed
from models.schema import drift, postgresql_triggers, version
from models.security.keys import Keyring
from models.verification.findings import Findings
from models.verification.verify import verify

COPY = "the newest event of the copy"
# Seconds that a table is waited for which somebody else than the program holds, such as psql.
LOCK_PATIENCE = 10
# How a file of SQLite ("Database File Format", 1.3) and a copy made by pg_dump (pg_backup_archiver.c) begin.
_SQLITE_MAGIC = b"SQLite format 3\0"
_POSTGRESQL_MAGIC = b"PGDMP"
# Without these nothing can be brought back: they are of the first releases, and the restore itself goes by them.
_NEEDED = {"alembic_version", "audit_event", "certification", OutboxMessage.__tablename__}
# What psql says of an error, with VERBOSITY=verbose: the SQLSTATE, and the server's words.
_SQL_ERROR = re.compile(r"psql:<stdin>:\d+: [^:]+: +(?P<state>[0-9A-Z]{5}): (?P<words>.*)")
# SQLSTATE, of a class that neither PostgreSQL nor the standard uses: the copy was made under another key.
_OTHER_KEY = "LC001"
_LOCK_NOT_AVAILABLE = "55P03"
# Classes of SQLSTATE that a whole copy's statements do not meet: of data, of constraints, of syntax and names.
_OF_THE_COPY = ("22", "23", "42")
_INSUFFICIENT_PRIVILEGE = "42501"


@dataclass(frozen=True)
class Restored:
    """What was found in a database that was brought back.

    `schema` is the copy's when it is not this program's: then nothing else was looked at. `unsealed` rows are from
    before there were seals.
    """

    held: int
    differences: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    schema: str | None = None
    unsealed: int = 0


async def restore(
    database: Database, source: Path, *, force: bool, lock_patience: int = LOCK_PATIENCE
) -> Restored:
    """Bring a copy back in place of the database, with its unsent messages held, and check it.

    What was unsent when the copy was made may have been sent since: the operator releases it
    (`laocert outbox release`). `lock_patience`: whole seconds to wait for a table that somebody else holds.

    Raises KeyMissing and, with nothing changed, BackupRefused, KeyUnknown and InUse: for a file that is no copy or
    was made under another secret key, for a database that holds anything (unless `force`), and for one that a
    program has open.
    """
    if database.keyring is None:
        raise event_chain.KeyMissing
    _require_kind(source, is_sqlite=database.is_sqlite)
    if not force and await _holds_anything(database):
        raise BackupRefused("the database is not empty; to replace all that is in it, add --force")
    await database.close()
    if database.is_sqlite:
        await _replace_sqlite(database, source)
    else:
        await _replace_postgresql(database, database.keyring, source, lock_patience)
    async with database.read() as session:
        held = await outbox_admin.count_held(session)
    revision = await version.revision(database)
    if revision != version.head():
        return Restored(held, schema=revision)
    differences = await drift.check(database)
    async with database.read() as session:
        findings = await verify(session)
        return Restored(held, differences, findings, unsealed=await count_accepted_unsealed(session))


def _require_kind(source: Path, *, is_sqlite: bool) -> None:
    """Refuse a file that begins otherwise than a copy of this kind of database. Raises BackupRefused."""
    if not source.is_file():
        raise BackupRefused(f"there is no file {source}")
    try:
        with source.open("rb") as file:
            head = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise BackupRefused(f"{source} cannot be read: {error.strerror}; check your rights to it") from None
    kinds = {"SQLite": head == _SQLITE_MAGIC, "PostgreSQL": head.startswith(_POSTGRESQL_MAGIC)}
    wanted, other = ("SQLite", "PostgreSQL") if is_sqlite else ("PostgreSQL", "SQLite")
    if kinds[other]:
        raise BackupRefused(
            f"{source} is a copy of a {other} database; restore it where LAOCERT_DATABASE_URL is one"
        )
    if not kinds[wanted]:
        raise _damaged(source)


def _damaged(source: Path, words: str | None = None) -> BackupRefused:
    """The refusal of a copy that cannot be brought back by anybody; `words` are the server's."""
    because = "" if words is None else f" ({words})"
    return BackupRefused(f"{source} is damaged or no copy of a laocert database{because}; take another copy")


async def _holds_anything(database: Database) -> bool:
    if database.is_sqlite and not path_of(database.url).exists():
        return False
    if await version.revision(database) is None:
        return False
    async with database.read() as session:
        connection = await session.connection()
        there = set(await connection.run_sync(drift.table_names))
        for table in Base.metadata.sorted_tables:
            if table.name in there and await session.scalar(select(func.count()).select_from(table)):
                return True
    return False


# --- SQLite -------------------------------------------------------------------------------------------------


async def _replace_sqlite(database: Database, source: Path) -> None:
    """Make a copy of the copy ready, then write it into the database's file in one transaction. The file stays the
    same one, for a program that opens it meanwhile waits for the lock and then reads what stands there.
    """
    target = path_of(database.url)
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    part = Path(name)
    try:
        await asyncio.to_thread(shutil.copyfile, source, part)
        await asyncio.to_thread(_require_copy, part, source)
        ready = Database(database.url.set(database=name).render_as_string(hide_password=False), database.keyring)
        try:
            await require_known_key(ready, COPY)
            async with ready.write() as session:
                await session.execute(outbox_admin.holding_unsent())
        finally:
            await ready.close()
        await asyncio.to_thread(_write_over, part, target)
        await asyncio.to_thread(_remove_leftovers, target)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise BackupRefused(
            f"there is no room for a second copy beside {target}; make room and restore once more"
        ) from error
    finally:
        for leftover in ("", "-wal", "-shm"):
            part.with_name(part.name + leftover).unlink(missing_ok=True)


def _remove_leftovers(target: Path) -> None:
    """Copies that restores which were killed have left beside the database: they hold the whole register."""
    for leftover in target.parent.glob(f"{glob.escape(target.name)}.*.part*"):
        leftover.unlink(missing_ok=True)


def _require_copy(part: Path, named: Path) -> None:
    try:
        with closing(sqlite3.connect(part)) as copy:
            intact = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            (size,) = copy.execute(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()
    except sqlite3.DatabaseError as error:
        raise _damaged(named) from error
    # SQLite reads a last page that was cut off as if zeros stood there.
    if not intact or not tables >= _NEEDED or size != part.stat().st_size:
        raise _damaged(named)


def _write_over(part: Path, target: Path) -> None:
    with suppress(FileExistsError):
        target.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(target, timeout=1, isolation_level=None)) as database:
        if _is_held_alone(database):
            with closing(sqlite3.connect(part)) as copy:
                copy.backup(database, pages=-1)
            return
    # What stands there is no database any more; that is why a copy is brought back.
    for leftover in ("-wal", "-shm"):
        target.with_name(target.name + leftover).unlink(missing_ok=True)
    part.replace(target)


def _is_held_alone(database: sqlite3.Connection) -> bool:
    """Lock everybody else out until the connection is closed; False for a file that is no database.

    Leaving WAL mode needs the database alone, which no program that has it open allows; in exclusive locking mode
    the lock of the first transaction is kept (SQLite, "PRAGMA locking_mode"). Raises BackupRefused.
    """
    try:
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        (mode,) = database.execute("PRAGMA journal_mode=DELETE").fetchone()
        database.execute("BEGIN EXCLUSIVE")
        database.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return False
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        mode = "wal"
    if mode != "delete":
        raise BackupRefused("a program has the database open; stop the bot and every other laocert command first")
    return True


# --- PostgreSQL ---------------------------------------------------------------------------------------------


async def _replace_postgresql(database: Database, keys: Keyring, source: Path, lock_patience: int) -> None:
    """Replace everything in one transaction, while no session of the program can be there."""
    await _require_archive(database, source)
    async with alone(database.url, database.name):
        settings = ("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose")
        writer = await start_tool(database, "psql", "--no-psqlrc", "--quiet", *settings, "--file=-")
        script = None
        try:
            script = await start_tool(
                database, "pg_restore", "--clean", "--if-exists", "--no-owner", "--file=-", str(source)
            )
            complaints = await _transact(script, writer, _beginning(lock_patience), _ending(keys))
        finally:
            for process in (script, writer):
                if process is not None and process.returncode is None:
                    process.kill()
                    # Not `wait`, which sees no end while something is left to be read.
                    await process.communicate()
    # One that psql's end has stopped was killed, and has no exit code of its own.
    if script.returncode and script.returncode > 0:
        raise _damaged(source)
    if writer.returncode:
        raise _refused_by_server(source, complaints)


async def _require_archive(database: Database, source: Path) -> None:
    """Refuse what pg_restore cannot read, or what has none of the program's tables in it. Raises BackupRefused."""
    reader = await start_tool(database, "pg_restore", "--list", str(source))
    listing, complaints = await reader.communicate()
    if b"unsupported version" in complaints:
        raise BackupRefused(
            f"{source} was made by a newer pg_dump than the pg_restore here; install newer client programs"
        )
    tables = set(re.findall(r" TABLE DATA public (\S+) ", listing.decode(errors="replace")))
    if reader.returncode or not tables >= _NEEDED:
        raise _damaged(source)


def _refused_by_server(source: Path, complaints: bytes) -> BackupRefused:
    """Why psql did not come to the commit, and how to mend it."""
    error = _SQL_ERROR.search(complaints.decode(errors="replace"))
    if error is None:
        return refusal("psql", complaints)
    state, words = error["state"], error["words"].strip()
    if state == _OTHER_KEY:
        return BackupRefused(words)
    if state == _LOCK_NOT_AVAILABLE:
        return BackupRefused(f"a session of somebody else holds a table of the database ({words}); end it first")
    if state.startswith(_OF_THE_COPY) and state != _INSUFFICIENT_PRIVILEGE:
        return _damaged(source, words)
    return BackupRefused(f"the server refused what {source} holds: {words}; mend that and restore it again")


async def _transact(script: Process, writer: Process, beginning: str, ending: str) -> bytes:
    """Feed psql the beginning, the copy's script and, only if that came to its end, the ending, which commits.

    A psql that is fed no more ends without a commit. Returns what psql complained of.
    """
    assert script.stdout and script.stderr and writer.stdin and writer.stdout and writer.stderr  # noqa: S101, PT018

    async def feed(statements: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            target.write(beginning.encode())
            while chunk := await statements.read(CHUNK):
                target.write(chunk)
                await target.drain()
            if await script.wait() == 0:
                target.write(ending.encode())
                await target.drain()
        except (BrokenPipeError, ConnectionResetError):
            # psql has stopped at an error and says which.
            with suppress(ProcessLookupError):
                script.kill()
            # While its output is not read to the end, asyncio does not see that a process has ended.
            await statements.read()
        finally:
            target.close()

    *_, complaints = await asyncio.gather(
        feed(script.stdout, writer.stdin), writer.stdout.read(), script.stderr.read(), writer.stderr.read()
    )
    await asyncio.gather(script.wait(), writer.wait())
    return complaints


def _beginning(lock_patience: int) -> str:
    """Away with all that is the program's; what the copy does not know of would stay otherwise."""
    tables = ", ".join(["alembic_version", *(table.name for table in Base.metadata.sorted_tables)])
    functions = ", ".join(f"{name}()" for name in postgresql_triggers.bodies("public"))
    return (
        f"BEGIN; SET LOCAL client_min_messages = error; SET LOCAL lock_timeout = '{lock_patience}s';\n"
        f"DROP TABLE IF EXISTS {tables};\nDROP FUNCTION IF EXISTS {functions};\n"
    )


def _ending(keys: Keyring) -> str:
    """Refuse a copy under another key, hold its unsent messages, commit."""
    known = ", ".join(f"'{key_id}'" for key_id in sorted(keys.admitted))
    sentence = str(event_chain.KeyUnknown("%", keys, COPY)).replace("'", "''")
    held = outbox_admin.holding_unsent().compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
        compile_kwargs={"literal_binds": True},
    )
    return f"""
RESET search_path;
DO $$
DECLARE newest text;
BEGIN
    SELECT key_id INTO newest FROM audit_event ORDER BY id DESC LIMIT 1;
    IF newest NOT IN ({known}) THEN
        RAISE EXCEPTION USING ERRCODE = '{_OTHER_KEY}', MESSAGE = replace('{sentence}', '%', newest);
    END IF;
END
$$;
{held};
COMMIT;
"""  # noqa: S608 - ids of keys, and a sentence of the program's
