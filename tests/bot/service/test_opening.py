"""A mistyped secret key: every command that writes, and `run`, refuse it before anything is written."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy import text

from bot.cli import cli
from bot.runtime.clock import utc_now
from bot.service import upkeep
from demo.botapi import Emulator
from models.audit import event_chain
from models.certification.certificate import Level
from models.database.engine import Database
from models.security.keys import Keyring
from tests.bot.program import Program
from tests.bot.running import Run, laocert
from tests.conftest import NOW
from tests.support import KEYRING, ORGANIZATIONS, SECRET_KEY, Clock, certify_as

__all__ = ["laocert"]

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
MISTYPED = SECRET_KEY.replace("32", "23")
NEW = "a new key for tests only of more than 32 letters"
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

BY = ("--by", "ผู้ดูแลระบบ", "--reason", "นับซ้ำจริง")
PASSWORDS = "username,password,role,organization,display_name\nlao5110201,,lao,5110201,ก\n"
# Every command that writes to the database, with arguments that succeed under the right key.
WRITING = [
    ("account", "disable", f"lao{FIRST}"),
    ("account", "enable", f"lao{FIRST}"),
    ("account", "reset-password", f"lao{FIRST}"),
    ("account", "unlink", f"lao{FIRST}", "--all"),
    ("audit", "head"),
    ("audit", "keep-words"),
    ("broadcast", "--to", "lao", "--text-file", "accounts.csv", "--yes"),
    ("db", "upgrade"),
    ("export", "certificate", "ABCDE-FGHJK", "a.pdf"),
    ("export", "certifications", "a.xlsx"),
    ("export", "organizations", "a.xlsx", "--province", "11"),
    ("export", "progress", "a.png", "--province", "11"),
    ("import", "accounts", "accounts.csv"),
    ("import", "organizations", "accounts.csv"),
    ("import", "personnel", "accounts.csv"),
    ("invite", f"lao{FIRST}", "--slip", "a.pdf"),
    ("keys", "rotate"),
    ("keys", "seal"),
    ("officer", "forget", "1", *BY),
    ("organization", "close", FIRST, *BY),
    ("organization", "rename", FIRST, "บางใหม่", *BY),
    ("organization", "succeed", "accounts.csv", *BY),
    ("outbox", "release", "--drop"),
    ("outbox", "retry", "1"),
    ("petition", "decide", "1", "--grant", *BY),
    ("reopen", FIRST, *BY),
    ("round", "close"),
    ("round", "open", "--fiscal-year", "2571"),
    ("round", "reopen", *BY),
    ("seal", "accept", "officer", "1", *BY),
]
# Commands that only read, and work with any key.
LOOKING = [
    ("account", "links", f"lao{FIRST}"),
    ("account", "list"),
    ("audit", "list"),
    ("audit", "show", "1"),
    ("db", "backup", "copy.backup"),
    ("db", "check"),
    ("import", "accounts", "accounts.csv", "--dry-run"),
    ("organization", "close", FIRST, *BY, "--dry-run"),
    ("outbox", "list"),
    ("petitions",),
    ("round", "list"),
    ("status",),
    ("webhook", "info"),
]
# Commands with other tests: here, in test_backup.py, or without a database.
OTHERS = {"audit verify", "seal check", "db restore", "doctor", "demo", "run", "webhook set", "webhook delete"}


def leaves(command: click.Command, path: str = "") -> Iterator[str]:
    """The names of all commands that are no groups."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        subcommand = command.get_command(context, name)
        assert subcommand is not None
        yield from leaves(subcommand, f"{path} {name}".strip())


def test_every_command_is_in_one_of_the_lists() -> None:
    everything = set(leaves(cli))
    listed = {
        " ".join(words) for command in WRITING + LOOKING for words in (command[:1], command[:2])
    } & everything
    assert listed | OTHERS == everything


async def content(database: Database) -> dict[str, list[object]]:
    """Every row of every table."""
    async with database.read() as session:
        tables = "information_schema.tables WHERE table_schema = 'public'"
        names = await session.scalars(
            text(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                if database.is_sqlite
                else f"SELECT table_name FROM {tables}"
            )
        )
        return {
            name: sorted(map(str, await session.execute(text(f'SELECT * FROM "{name}"')))) for name in names.all()
        }


def other_files(folder: Path) -> set[str]:
    """The files beside the database."""
    return {path.name for path in folder.iterdir() if ".db" not in path.name}


@pytest.fixture
async def certified(country: Database, tmp_path: Path) -> Database:
    """A database with audit events."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    (tmp_path / "accounts.csv").write_text(PASSWORDS)
    return country


async def test_every_command_that_writes_refuses_a_mistyped_key(
    laocert: Run, certified: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, files = await content(certified), other_files(tmp_path)
    await certified.close()
    monkeypatch.setenv("LAOCERT_SECRET_KEY", MISTYPED)
    for command in WRITING:
        refused = await laocert(*command, code=1)
        assert "LAOCERT_SECRET_KEY is another one" in refused.stderr, command
        assert "LAOCERT_OLD_SECRET_KEYS" in refused.stderr
        assert KEYRING.current_id in refused.stderr
        assert refused.stdout == "", command
    assert await content(certified) == before
    assert other_files(tmp_path) == files


async def test_what_only_looks_needs_no_key(
    laocert: Run, certified: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", MISTYPED)
    for command in LOOKING:
        await laocert(*command)


async def test_a_change_of_the_key_that_names_the_old_one_is_accepted(
    laocert: Run, certified: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", f"{MISTYPED}, {SECRET_KEY}\n")
    await laocert("reopen", FIRST, *BY)
    await laocert("audit", "verify")
    # From now on the new key must be known.
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", "")
    assert Keyring(NEW).current_id in (await laocert("audit", "head", code=1)).stderr
    # Without the oldest key events can be appended, but `audit verify` reports what it cannot check.
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    await laocert("audit", "head")
    assert "cannot be checked" in (await laocert("audit", "verify", code=1)).stderr


@ONE_DATABASE
async def test_an_empty_record_takes_any_key(laocert: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAOCERT_DATABASE_URL", "sqlite+aiosqlite:///empty.db")
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    await laocert("db", "upgrade")
    await laocert("audit", "head")
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    await laocert("audit", "head", code=1)


@ONE_DATABASE
@pytest.mark.parametrize("written", [f"{SECRET_KEY}\n", f"  {SECRET_KEY} ", f"{SECRET_KEY}\r\n"])
async def test_blanks_around_the_key_are_no_part_of_it(
    laocert: Run, certified: Database, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", written)
    await laocert("audit", "head")
    # Nor of one that an earlier release took them for a part of.
    earlier = Database(certified.url.render_as_string(hide_password=False), Keyring(written, (SECRET_KEY,)))
    async with earlier.write() as session:
        await event_chain.record(session, event_chain.Event.REFUSED, FIRST, NOW)
    await earlier.close()
    await laocert("audit", "head")
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", f"{written},{MISTYPED}")
    await laocert("audit", "head")
    await laocert("audit", "verify")


@ONE_DATABASE
@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("\n" * 40, "is empty"),
        ("x" * 31 + " ", "has less than 32 letters"),
    ],
)
async def test_a_key_that_is_none_is_refused(
    laocert: Run, certified: Database, monkeypatch: pytest.MonkeyPatch, written: str, fault: str
) -> None:
    """The message does not suggest a new key, which would lock out the database's officers."""
    monkeypatch.setenv("LAOCERT_SECRET_KEY", written)
    assert (await laocert("audit", "head", code=1)).stderr.startswith(
        f"LAOCERT_SECRET_KEY: {fault}; set the key that this database is used with; for a new database make one: "
    )


async def test_after_a_lost_key_the_record_goes_on_only_when_its_id_is_named(
    laocert: Run, certified: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", "lost:00000000")
    await laocert("audit", "head", code=1)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", f"{MISTYPED}, lost:{KEYRING.current_id}")
    await laocert("audit", "head")
    await laocert("reopen", FIRST, *BY)
    assert "under the lost key and were not checked" in (await laocert("keys", "seal")).stdout
    # Events made under it stay unchecked, and are reported so.
    refused = await laocert("audit", "verify", code=1)
    assert "cannot be checked" in refused.stderr
    assert KEYRING.current_id in refused.stderr


async def test_verify_says_a_wrong_key_in_one_line(
    laocert: Run, certified: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await certify_as(certified, f"lao{SECOND}", 502, SECOND, Level.LAO, NOW)
    head = (await laocert("audit", "head")).stdout.strip()
    monkeypatch.setenv("LAOCERT_SECRET_KEY", MISTYPED)
    for arguments in ((), ("--head", head)):
        refused = await laocert("audit", "verify", *arguments, code=1)
        assert refused.stdout == ""
        assert "10 of 10 events cannot be checked" in refused.stderr
        assert f"10 with key {KEYRING.current_id}" in refused.stderr
    facts = json.loads((await laocert("audit", "verify", "--json", code=1)).stdout)
    assert (facts["ok"], facts["breaks"], facts["unknown_keys"]) == (False, [], {KEYRING.current_id: 10})
    # A head is compared without a key.
    refused = await laocert("audit", "verify", "--head", f"{head[:-1]}x", code=1)
    assert "the record is broken in 1 places" in refused.stderr
    assert [line.partition(":")[0] for line in refused.stdout.splitlines()[:1]] == [f"head {head[:-1]}x"]


async def test_a_part_under_an_unknown_key_hides_no_break(
    laocert: Run, certified: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", SECRET_KEY)
    await laocert("reopen", FIRST, *BY)
    await laocert("audit", "head")
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", "")
    refused = await laocert("audit", "verify", code=1)
    assert refused.stdout == ""
    assert "5 of 7 events cannot be checked" in refused.stderr
    async with certified.engine.begin() as connection:
        for statement in (
            "DROP TRIGGER audit_event_no_update"
            if certified.is_sqlite
            else "DROP TRIGGER audit_event_insert_only ON audit_event",
            "UPDATE audit_event SET details = '{}' WHERE kind = 'reopened'",
        ):
            await connection.execute(text(statement))
    refused = await laocert("audit", "verify", code=1)
    assert f"chain {FIRST}, event 5: was changed" in refused.stdout
    assert "5 of 7 events cannot be checked" in refused.stdout


async def test_the_doctor_says_it(
    laocert: Run, certified: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Set the emulated Telegram's clock to the machine's, which the command uses.
    clock.now = utc_now()
    async with certified.write() as session:
        # Nothing has waited since the tests' day.
        await session.execute(text("UPDATE outbox SET state = 'sent'"))
    # The rows are not sealed yet, so that it never says that all is well.
    monkeypatch.setenv("LAOCERT_SECRET_KEY", MISTYPED)
    output = (await laocert("doctor", code=1)).stdout
    assert f"record: the newest event of this database was made with key {KEYRING.current_id}" in output
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", SECRET_KEY)
    assert "record: ok, 5 events, the newest under an old key" in (await laocert("doctor")).stdout
    await laocert("audit", "head")
    assert "record: ok, 6 events, the newest under the key in use" in (await laocert("doctor")).stdout
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", "")
    output = (await laocert("doctor", code=1)).stdout
    assert f"record: 5 events were made with a key that is not here ('{KEYRING.current_id}')" in output


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    """An emulator in real time, as the program is."""
    async with Emulator(clock=time.time) as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, telegram: Emulator, certified: Database, database_url: str) -> Program:
    return Program(tmp_path, telegram, database_url)


@ONE_DATABASE
async def test_run_refuses_at_its_start(program: Program, certified: Database, telegram: Emulator) -> None:
    before = await content(certified)
    program.settings["LAOCERT_SECRET_KEY"] = MISTYPED
    async with program.running():
        assert await program.wait() == 1
    (line,) = program.log.splitlines()
    assert "LAOCERT_SECRET_KEY" in line
    assert "LAOCERT_OLD_SECRET_KEYS" in line
    assert not telegram.calls_of("getMe")
    assert await content(certified) == before


async def test_run_ends_when_another_program_has_changed_the_key(program: Program, certified: Database) -> None:
    async with program.running():
        await program.ready()
        rotated = Database(certified.url.render_as_string(hide_password=False), Keyring(NEW, (SECRET_KEY,)))
        async with rotated.write() as session:
            await event_chain.record(session, event_chain.Event.REFUSED, FIRST, NOW)
        await rotated.close()
        # The program's own later events do not hide it.
        async with certified.write() as session:
            await event_chain.record(session, event_chain.Event.REFUSED, FIRST, NOW)
        assert await program.wait() == 1
    assert Keyring(NEW).current_id in program.log.splitlines()[-1]


async def test_a_database_that_is_away_does_not_end_the_watch(
    country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    async def away(session: object, event_id: int) -> int:
        looks.append(event_id)
        raise (
            ConnectionRefusedError
            if len(looks) < 3
            else event_chain.KeyUnknown("00000000", KEYRING, event_chain.NEWEST)
        )

    monkeypatch.setattr("bot.service.upkeep.event_chain.require_known_since", away)
    with pytest.raises(event_chain.KeyUnknown):
        await upkeep.watch_key(country, 0, every=0.0)
    assert len(looks) == 3
