"""`laocert doctor`: `ok` for each part, or one line that says how to fix it."""

import json
import os
import re
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import URL, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.papers import typesetting
from bot.runtime.settings import load_settings
from bot.service import doctor
from bot.service.doctor import Finding, examine
from demo.botapi import Emulator
from models.certification.certificate import Level
from models.chats import inbox
from models.database import sqlite, wal
from models.database.engine import Database
from tests.bot.running import Run, laocert
from tests.support import SECRET_KEY, before_words, certify_as

__all__ = ["laocert"]

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEY = "a4c1f09e7b52d8e6330f9ac4475be1d2a4c1f09e7b52d8e6330f9ac4475be1d2"
NAMES = [
    "secret key",
    "listener",
    "time zone",
    "database",
    "write-ahead log",
    "file's mode",
    "database's role",
    "work",
    "locks and tables",
    "record",
    "certificates",
    "seals",
    "database's clock",
    "documents",
    "Bot API",
    "updates",
    "operator's chat",
    "clock",
]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Telegram's clock follows the machine's, which the command uses."""
    async with Emulator() as running:
        yield running
        assert not running.violations


@pytest.fixture(autouse=True)
def _strong_key(monkeypatch: pytest.MonkeyPatch, laocert: Run) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", KEY)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", SECRET_KEY)


async def test_where_all_is_well(
    laocert: Run, emulator: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await laocert("keys", "seal")
    # Each kind of database has checks of its own.
    of_sqlite, of_postgresql = {"write-ahead log", "file's mode"}, {"database's role", "database's clock"}
    names = [name for name in NAMES if name not in (of_postgresql if country.is_sqlite else of_sqlite)]
    phone = emulator.phone("ผู้ดูแล")
    await phone.start()
    monkeypatch.setenv("LAOCERT_OPERATOR_CHAT", str(phone.id))
    result = await laocert("doctor")
    lines = result.output.splitlines()
    assert [line.partition(":")[0] for line in lines] == names
    assert all(": ok, " in line for line in lines)
    facts = json.loads((await laocert("doctor", "--json")).output)
    assert [finding["name"] for finding in facts] == names
    assert all(finding["ok"] and not finding["warning"] and finding["mend"] is None for finding in facts)
    assert KEY not in result.output
    assert not emulator.calls_of("sendMessage")


async def ill(laocert: Run) -> dict[str, str]:
    """The parts that are not ok, with how to fix them, beside the seals (tests/bot/commands/test_keys.py)."""
    result = await laocert("doctor", code=1)
    lines_by_name = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert "checks failed" in result.stderr
    return {
        name: line_text
        for name, line_text in lines_by_name.items()
        if not line_text.startswith("ok, ") and name != "seals"
    }


@ONE_DATABASE
@pytest.mark.parametrize(
    ("setting", "value", "name", "mend"),
    [
        (
            "SECRET_KEY",
            None,
            "secret key",
            "LAOCERT_SECRET_KEY is not set; set the key that this database is used with",
        ),
        ("SECRET_KEY", "abab" * 10, "secret key", "LAOCERT_SECRET_KEY can be guessed; make one: "),
        ("BOT_TOKEN", None, "Bot API", "LAOCERT_BOT_TOKEN is not set"),
        ("BOT_TOKEN", "987654321:" + "x" * 35, "Bot API", "LAOCERT_BOT_TOKEN is not known to Telegram"),
        ("API_URL", "http://127.0.0.1:9", "Bot API", "127.0.0.1 does not answer"),
        ("OPERATOR_CHAT", "4711", "operator's chat", "cannot be written to"),
        ("WEBHOOK_URL", "https://bot.example.org/hook", "updates", "run: laocert webhook set"),
        ("DATABASE_URL", "sqlite+aiosqlite:///empty.db", "database", "run: laocert db upgrade"),
        ("DATABASE_URL", "sqlite+aiosqlite:////no/such/place.db", "database", "could not be checked"),
    ],
)
async def test_each_thing_has_its_mend(
    laocert: Run, monkeypatch: pytest.MonkeyPatch, setting: str, value: str | None, name: str, mend: str
) -> None:
    monkeypatch.setenv("LAOCERT_WEBHOOK_SECRET", "s3cret")
    if value is None:
        monkeypatch.delenv(f"LAOCERT_{setting}")
    else:
        monkeypatch.setenv(f"LAOCERT_{setting}", value)
    faults = await ill(laocert)
    assert list(faults) == [name]
    assert mend in faults[name]


@ONE_DATABASE
async def test_older_certificates_without_words_are_told(laocert: Run, country: Database, now: datetime) -> None:
    with before_words():
        await certify_as(country, "lao5110201", 501, "5110201", Level.LAO, now)
    faults = await ill(laocert)
    assert faults["certificates"].endswith(
        "1 do not contain their organizations' names; run: laocert audit keep-words"
    )


@ONE_DATABASE
async def test_a_way_that_others_can_read_is_told(
    laocert: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Here, but not by its name.
    monkeypatch.setenv("LAOCERT_API_URL", emulator.url.replace("127.0.0.1", "0.0.0.0"))  # noqa: S104
    monkeypatch.setenv("LAOCERT_API_INSECURE", "1")
    await laocert("keys", "seal")
    result = await laocert("doctor")
    [line] = [line for line in result.stdout.splitlines() if line.startswith("Bot API: ")]
    assert "others on the network can read everything (LAOCERT_API_INSECURE)" in line
    monkeypatch.setenv("LAOCERT_API_URL", emulator.url)
    assert "LAOCERT_API_INSECURE" not in (await laocert("doctor")).stdout


@ONE_DATABASE
async def test_an_operators_group_under_a_new_id_is_told(
    laocert: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = emulator.phone("ผู้ดูแล")
    group = emulator.group("ผู้ดูแลระบบ", [owner])
    group.add_bot(owner)
    monkeypatch.setenv("LAOCERT_OPERATOR_CHAT", str(group.id))
    moved = group.upgrade(owner)
    result = await laocert("doctor")
    [line] = [line for line in result.stdout.splitlines() if line.startswith("operator's chat: ")]
    assert f"can be written to; it has become the supergroup {moved.id}" in line
    moved.kick_bot(owner)
    assert "cannot be written to" in (await ill(laocert))["operator's chat"]


@ONE_DATABASE
async def test_a_port_that_is_taken_is_told(laocert: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("LAOCERT_LISTEN", address)
        faults = await ill(laocert)
    assert list(faults) == ["listener"]
    assert address in faults["listener"]


@ONE_DATABASE
async def test_a_full_disk_and_a_long_wal_are_named(
    laocert: Run, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with country.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        await driver.execute("VACUUM")
    make_engine = sqlite.make_engine

    def without_room(url: URL) -> AsyncEngine:
        """The database may not grow, as on a full disk."""
        engine = make_engine(url)
        event.listen(
            engine.sync_engine, "connect", lambda driver, _record: driver.execute("PRAGMA max_page_count = 1")
        )
        return engine

    monkeypatch.setattr(sqlite, "make_engine", without_room)
    monkeypatch.setattr(wal, "is_long", lambda _url: True)
    faults = await ill(laocert)
    assert faults["database"] == (
        "cannot be written to: database or disk is full; make room on the disk of the database"
    )
    assert faults["write-ahead log"].startswith("has 0 MB, which makes reading slow; end what reads")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_server_that_takes_no_writes_is_named(laocert: Run, country: Database) -> None:
    setting = f"ALTER DATABASE {country.url.database} SET default_transaction_read_only = on"
    async with country.write() as session:
        await session.execute(text(setting))
    assert (await ill(laocert))["database"] == (
        "cannot be written to: the database is read-only;"
        " let LAOCERT_DATABASE_URL lead to the primary, or check your rights to the file"
    )


@ONE_DATABASE
async def test_a_file_that_others_can_open_is_a_warning(laocert: Run, country: Database) -> None:
    os.chmod(country.url.database or "", 0o640)
    # Exit code 0: it keeps nothing from running.
    lines = (await laocert("doctor")).stdout.splitlines()
    # SQLite has made the others with the file's mode.
    files = "laocert.db laocert.db-wal laocert.db-shm"
    assert f"file's mode: warning, others on this machine can open {files}; run: chmod 600 {files}" in lines
    facts = json.loads((await laocert("doctor", "--json")).stdout)
    [fact] = [one for one in facts if one["name"] == "file's mode"]
    assert (fact["ok"], fact["warning"]) == (True, True)


async def test_work_that_is_left_undone_is_named(laocert: Run, country: Database) -> None:
    async with country.write() as session:
        await inbox.store(session, 1, [inbox.Received(1, 7, b"{}")], datetime.now(UTC) - timedelta(seconds=90))
    faults = await ill(laocert)
    assert faults["work"].startswith("the oldest update waits for 9")
    assert faults["work"].endswith(" s; see the log of laocert run")


async def test_a_lock_that_is_not_in_place_is_found(laocert: Run, country: Database) -> None:
    async with country.write() as session:
        where = "" if country.is_sqlite else " ON roster"
        await session.execute(text(f"DROP TRIGGER roster_locked_insert{where}"))
    faults = await ill(laocert)
    assert faults == {"locks and tables": "1 differences; run: laocert db check"}


@ONE_DATABASE
async def test_a_font_that_is_gone_is_found(laocert: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "missing_font", partial(typesetting.missing_font, "Another"))
    faults = await ill(laocert)
    assert list(faults) == ["documents"]
    assert "the font Another is not there" in faults["documents"]


@pytest.mark.parametrize(
    ("off", "way", "stops"), [(timedelta(minutes=-3), "behind", False), (timedelta(days=3), "ahead of", True)]
)
async def test_a_clock_that_is_off_is_found(
    laocert: Run, country: Database, off: timedelta, way: str, stops: bool
) -> None:
    ill = {
        finding.name: finding
        for finding in await examine(load_settings(), lambda: datetime.now(UTC) + off)
        if finding.mend
    }
    del ill["seals"]
    assert set(ill) == {"clock"} | (set() if country.is_sqlite else {"database's clock"})

    def seconds(finding: Finding) -> float:
        match = re.match(rf"this machine is (\d+) s {way} \S", finding.mend or "")
        assert match is not None, finding
        return float(match[1])

    for finding in ill.values():
        # The duration of the call is not part of the offset.
        assert 0 <= abs(off).total_seconds() - seconds(finding) < 60
    assert ("nothing can be certified" in (ill["clock"].mend or "")) is stops
