"""Replaces the database by a copy, completely and while no program has it open, or not at all."""

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
from models.base.grants import RoleNames
from models.base.tables import Base
from models.database.engine import Database
from models.database.exclusion import alone
from models.notices import outbox_admin
from models.notices.outbox import OutboxMessage
from models.operator.sealing import count_accepted_unsealed
from models.schema import drift, postgresql_triggers, roles, version
from models.security.keys import Keyring
from models.verification.findings import Findings
from models.verification.verify import verify

COPY = "the newest event of the copy"
# Seconds to wait for a table that a foreign session, such as psql, has locked.
LOCK_PATIENCE = 10
# First bytes of a SQLite file ("Database File Format", 1.3) and of a copy made by pg_dump (pg_backup_archiver.c).
_SQLITE_MAGIC = b"SQLite format 3\0"
_POSTGRESQL_MAGIC = b"PGDMP"
# Tables that every copy has: they exist since the first releases, and the restore itself uses them.
_NEEDED = {"alembic_version", "audit_event", "certification", OutboxMessage.__tablename__}
# An error as psql prints it with VERBOSITY=verbose: the SQLSTATE, and the server's message.
_SQL_ERROR = re.compile(r"psql:<stdin>:\d+: [^:]+: +(?P<state>[0-9A-Z]{5}): (?P<words>.*)")
# Own SQLSTATE for a copy made under another key, in a class that neither PostgreSQL nor the standard uses.
_OTHER_KEY = "LC001"
_LOCK_NOT_AVAILABLE = "55P03"
# SQLSTATE classes that only a damaged copy causes: data, integrity constraints, syntax and names.
_OF_THE_COPY = ("22", "23", "42")
_INSUFFICIENT_PRIVILEGE = "42501"


@dataclass(frozen=True)
class Restored:
    """The state of a restored database.

    `held`: unsent messages that the operator must release. `differences`: of the schema. `findings`: of the
    record. `unsealed`: rows from before there were seals. `schema`: the copy's version when it is not this
    program's; then nothing else was checked.
    """

    held: int
    differences: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    schema: str | None = None
    unsealed: int = 0


async def restore(
    database: Database,
    source: Path,
    *,
    force: bool,
    lock_patience: int = LOCK_PATIENCE,
    names: RoleNames | None = None,
) -> Restored:
    """Replace the database by the copy `source`, hold its unsent messages, and verify it. A copy knows no role of
    the database: with `names` each role gets its rights once the copy is there.

    A message that was unsent when the copy was made may have been sent since, so the operator decides on releasing
    it (`laocert outbox release`). `force`: replace a database that is not empty. `lock_patience`: whole seconds to
    wait for a table that a foreign session has locked.

    Raises, with nothing changed: KeyMissing; RolesMissing for a role that the cluster does not have; BackupRefused
    for a file that is no copy, or a database that is not empty without `force`; KeyUnknown for a copy made under
    another secret key; InUse, or BackupRefused on SQLite, for a database that a program has open.
    """
    if database.keyring is None:
        raise event_chain.KeyMissing
    _require_kind(source, is_sqlite=database.is_sqlite)
    if not force and await _holds_anything(database):
        raise BackupRefused("the database is not empty; to replace all that is in it, add --force")
    if names is not None:
        await roles.require(database, names)
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
    if names is not None:
        async with database.engine.begin() as connection:
            await connection.run_sync(roles.apply, names)
    differences = await drift.check(database, names)
    async with database.read() as session:
        findings = await verify(session)
        return Restored(held, differences, findings, unsealed=await count_accepted_unsealed(session))


def _require_kind(source: Path, *, is_sqlite: bool) -> None:
    """Raises BackupRefused for a file that is not a copy of this kind of database, by its first bytes."""
    if not source.is_file():
        raise BackupRefused(f"there is no file {source}")
    try:
        with source.open("rb") as file:
            head = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise BackupRefused(f"{source} cannot be read: {error.strerror}; check your rights to it") from None
    kinds = {"SQLite": head == _SQLITE_MAGIC, "PostgreSQL": head.startswith(_POSTGRESQL_MAGIC)}
    needed, other = ("SQLite", "PostgreSQL") if is_sqlite else ("PostgreSQL", "SQLite")
    if kinds[other]:
        raise BackupRefused(
            f"{source} is a copy of a {other} database; restore it where LAOCERT_DATABASE_URL is one"
        )
    if not kinds[needed]:
        raise _damaged(source)


def _damaged(source: Path, words: str | None = None) -> BackupRefused:
    """The refusal of a file that is no complete copy; `words` are the server's error message."""
    because = "" if words is None else f" ({words})"
    return BackupRefused(f"{source} is damaged or no copy of a laocert database{because}; take another copy")


async def _holds_anything(database: Database) -> bool:
    if database.is_sqlite and not path_of(database.url).exists():
        return False
    if await version.revision(database) is None:
        return False
    async with database.read() as session:
        connection = await session.connection()
        existing = set(await connection.run_sync(drift.table_names))
        for table in Base.metadata.sorted_tables:
            if table.name in existing and await session.scalar(select(func.count()).select_from(table)):
                return True
    return False


# --- SQLite -------------------------------------------------------------------------------------------------


async def _replace_sqlite(database: Database, source: Path) -> None:
    """Prepare a second copy beside the database, then write it into the database's file in one transaction.

    The file itself is not replaced: a program that opens it meanwhile waits for the lock, and then reads the
    restored database.
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
    """Delete second copies that killed restores have left beside the database: each holds the whole register."""
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
    # SQLite reads the missing end of a truncated last page as zeros.
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
    # The file is damaged beyond opening, so that it cannot be written into; it is replaced.
    for leftover in ("-wal", "-shm"):
        target.with_name(target.name + leftover).unlink(missing_ok=True)
    part.replace(target)


def _is_held_alone(database: sqlite3.Connection) -> bool:
    """Lock the database exclusively until the connection is closed; False for a file that is no database.

    Leaving WAL mode fails while any other connection is open. In exclusive locking mode the connection keeps the
    lock of its first transaction (SQLite, "PRAGMA locking_mode"). Raises BackupRefused while a program has the
    database open.
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
    """Replace all tables in one transaction, while the program's other sessions are locked out."""
    await _require_archive(database, source)
    async with alone(database.url, database.name):
        settings = ("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose")
        writer = await start_tool(database, "psql", "--no-psqlrc", "--quiet", *settings, "--file=-")
        script = None
        try:
            script = await start_tool(
                database, "pg_restore", "--clean", "--if-exists", "--no-owner", "--no-acl", "--file=-", str(source)
            )
            complaints = await _transact(script, writer, _beginning(lock_patience), _ending(keys))
        finally:
            for process in (script, writer):
                if process is not None and process.returncode is None:
                    process.kill()
                    # Not `wait`, which does not return while output is left to be read.
                    await process.communicate()
    # Negative: killed because psql had ended, which says nothing about the copy.
    if script.returncode and script.returncode > 0:
        raise _damaged(source)
    if writer.returncode:
        raise _refused_by_server(source, complaints)


async def _require_archive(database: Database, source: Path) -> None:
    """Raises BackupRefused for a file that pg_restore cannot read, or that lacks the program's tables."""
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
    """The refusal that explains why psql did not commit, and how to fix it."""
    error = _SQL_ERROR.search(complaints.decode(errors="replace"))
    if error is None:
        return refusal("psql", complaints)
    state, words = error["state"], error["words"].strip()
    if state == _OTHER_KEY:
        return BackupRefused(words)
    if state == _INSUFFICIENT_PRIVILEGE:
        return BackupRefused(
            f"the server refused it ({words}): a copy is brought back by the owner of the database; set"
            " LAOCERT_DATABASE_OWNER_URL (docs/operations.md, Roles)"
        )
    if state == _LOCK_NOT_AVAILABLE:
        return BackupRefused(f"a session of somebody else holds a table of the database ({words}); end it first")
    if state.startswith(_OF_THE_COPY):
        return _damaged(source, words)
    return BackupRefused(f"the server refused what {source} holds: {words}; mend that and restore it again")


async def _transact(script: Process, writer: Process, beginning: str, ending: str) -> bytes:
    """Feed psql the beginning, then the copy's script and, only if pg_restore wrote all of it, the ending, which
    commits. Without the ending psql exits, and the transaction rolls back. Returns psql's standard error.
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
            # psql has stopped at an error, which its standard error explains.
            with suppress(ProcessLookupError):
                script.kill()
            # asyncio notices the end of a process only when its output has been read to the end.
            await statements.read()
        finally:
            target.close()

    *_, complaints = await asyncio.gather(
        feed(script.stdout, writer.stdin), writer.stdout.read(), script.stderr.read(), writer.stderr.read()
    )
    await asyncio.gather(script.wait(), writer.wait())
    return complaints


def _beginning(lock_patience: int) -> str:
    """SQL that opens the transaction and drops all tables and functions of the program. pg_restore alone would
    leave those that the copy does not contain.
    """
    tables = ", ".join(["alembic_version", *(table.name for table in Base.metadata.sorted_tables)])
    functions = ", ".join(f"{name}()" for name in postgresql_triggers.bodies("public"))
    return (
        f"BEGIN; SET LOCAL client_min_messages = error; SET LOCAL lock_timeout = '{lock_patience}s';\n"
        f"DROP TABLE IF EXISTS {tables};\nDROP FUNCTION IF EXISTS {functions};\n"
    )


def _ending(keys: Keyring) -> str:
    """SQL that refuses a copy made under another key, holds its unsent messages, and commits."""
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
