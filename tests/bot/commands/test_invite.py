"""`laocert invite`: the link and its QR code, a readable slip, and no trace of an invitation
that cannot be made.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands import invite as command
from demo.botapi import Emulator
from models.accounts.account import find_account
from models.audit.event_chain import AuditEvent, Event
from models.database.engine import Database
from models.links.invitation import Invitation, find_invitation
from models.links.link import disable_account
from models.organizations.organization import Organization
from tests.bot.running import Run, laocert
from tests.conftest import NOW
from tests.papers import Paper, scanned

__all__ = ["laocert"]

LINK = re.compile(r"https://t\.me/laocert_bot\?start=([A-Za-z0-9_-]{22})")
USERNAME = "lao5110201"
# Tests that do not depend on the database run on SQLite only.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _at_the_tests_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "now", lambda: NOW)


async def invitations(database: Database) -> list[Invitation]:
    async with database.read() as session:
        return list(await session.scalars(select(Invitation).order_by(Invitation.id)))


async def good_until(database: Database, code: str) -> Any:
    async with database.read() as session:
        invitation = await find_invitation(session, code, NOW)
        assert invitation.account.username
        return invitation.expires_at


def scanned_from_terminal(printed: str) -> list[str]:
    """Decode a QR code that is drawn with half blocks on a dark terminal."""
    rows = [line for line in printed.splitlines() if line and set(line) <= set(" ▀▄█")]
    pixels = []
    for line in rows:
        for lit in ("▀█", "▄█"):
            pixels += [b"".join(b"\xff" * 4 if block in lit else b"\x00" * 4 for block in line)] * 4
    return scanned(b"".join(pixels), len(rows[0]) * 4)


# --- the link -----------------------------------------------------------------------------------------------


async def test_a_link_for_ten_minutes(laocert: Run, country: Database) -> None:
    done = await laocert("invite", USERNAME)
    first, second, *_ = done.stdout.splitlines()
    match = LINK.fullmatch(first)
    assert match is not None
    assert second == f"links one chat to {USERNAME} (เทศบาลตำบลบางปู), once, until 02/11/2569 09:40"
    assert scanned_from_terminal(done.stdout) == [first]
    assert await good_until(country, match[1]) == NOW + timedelta(minutes=10)
    async with country.read() as session:
        event = (await session.scalars(select(AuditEvent).where(AuditEvent.kind == Event.INVITED))).one()
        assert '"by":"operator"' in event.details
        assert match[1] not in event.details


@ONE_DATABASE
@pytest.mark.parametrize(
    ("options", "lifetime"),
    [
        (["--minutes", "90"], timedelta(minutes=90)),
        (["--days", "3"], timedelta(days=3)),
        (["--slip", "a.pdf"], timedelta(days=14)),
        (["--slip", "a.PDF", "--minutes", "5"], timedelta(minutes=5)),
        (["--slip", "a.pdf", "--days", "90"], timedelta(days=90)),
    ],
)
async def test_how_long_it_is_good(
    laocert: Run, country: Database, options: list[str], lifetime: timedelta
) -> None:
    facts = json.loads((await laocert("invite", " PROVINCE12 ", *options, "--json")).stdout)
    assert facts["username"] == "province12"
    assert facts["expires_at"] == (NOW + lifetime).isoformat()
    assert facts["slip"] == (options[1] if options[0] == "--slip" else None)
    match = LINK.fullmatch(facts["link"])
    assert match is not None
    assert await good_until(country, match[1]) == NOW + lifetime


# --- the slip -----------------------------------------------------------------------------------------------


async def test_the_slip_can_be_read_and_scanned(laocert: Run, tmp_path: Path) -> None:
    done = await laocert("invite", USERNAME, "--slip", "letter.pdf")
    link = done.stdout.splitlines()[0]
    assert "letter.pdf written; whoever holds it can act for the account" in done.stdout
    path = tmp_path / "letter.pdf"
    slip = Paper(path.read_bytes())
    assert slip.pages == 1
    assert slip.codes == [link]
    for line in (
        "คำเชิญเชื่อมต่อแชต",
        "เทศบาลตำบลบางปู",
        "อำเภอเมืองสมุทรปราการ จังหวัดสมุทรปราการ",
        "รับรองข้อมูลระดับ อปท.",
        USERNAME,
        "16 พ.ย. 2569 09.30 น.",
        "@laocert_bot",
        "“เชื่อมต่อ”",
        link,
        "ออกเมื่อ 2 พ.ย. 2569",
    ):
        assert line in slip.text
    # Whoever can read the file can act for the account.
    assert path.stat().st_mode & 0o777 == 0o600


@ONE_DATABASE
async def test_the_slip_of_a_province(laocert: Run, tmp_path: Path) -> None:
    await laocert("invite", "province12", "--slip", "letter.pdf")
    text = Paper((tmp_path / "letter.pdf").read_bytes()).text
    assert "จังหวัดนนทบุรี" in text
    assert "รับรองข้อมูลระดับจังหวัด" in text
    assert "อำเภอ" not in text


STRANGE = "#panic() #[*ก*] $x$ `ข` <b> @ค \\u{0e07} // /* \" ' {จ} ]"
LONGEST = {"type_th": "องค์การบริหารส่วนตำบล" * 2, "name_th": "สูงกว่าป้ำปี่ฝี้น้ำ" * 10, "district_th": "กุดข้าวปุ้น" * 9}


@ONE_DATABASE
async def test_a_name_on_the_slip_is_never_markup(laocert: Run, country: Database, tmp_path: Path) -> None:
    async with country.write() as session:
        await session.execute(update(Organization).values(name_th=STRANGE, district_th="= หัวข้อ"))
    await laocert("invite", USERNAME, "--slip", "letter.pdf")
    # Without the line breaks of the layout.
    text = "".join(Paper((tmp_path / "letter.pdf").read_bytes()).text.split())
    assert f"เทศบาลตำบล{STRANGE}".replace(" ", "") in text
    assert "อำเภอ=หัวข้อจังหวัด" in text


@ONE_DATABASE
async def test_the_longest_name_fits_on_the_page(laocert: Run, country: Database, tmp_path: Path) -> None:
    async with country.write() as session:
        await session.execute(update(Organization).values(**LONGEST))
    done = await laocert("invite", USERNAME, "--slip", "letter.pdf")
    slip = Paper((tmp_path / "letter.pdf").read_bytes())
    assert (slip.pages, slip.codes) == (1, [done.stdout.splitlines()[0]])


# --- what is in the way -------------------------------------------------------------------------------------


def slips(directory: Path) -> dict[str, bytes | None]:
    """The existing PDFs, with their contents."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in directory.rglob("*.pdf")}


@pytest.fixture
def nothing_written(country: Database, tmp_path: Path) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        assert await invitations(country) == []
        assert slips(tmp_path) == {}

    return check


@ONE_DATABASE
@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["nobody"], 1, "there is no account nobody; see: laocert account list"),
        (["lao6110301"], 1, "lao6110301 is disabled; run: laocert account enable lao6110301"),
        (["nobody", "--slip", "a.pdf"], 1, "there is no account nobody"),
        (["lao6110301", "--slip", "a.pdf"], 1, "lao6110301 is disabled"),
        ([USERNAME, "--slip", "a.txt"], 1, "a.txt does not end with .pdf; give it that name"),
        ([USERNAME, "--slip", "no/a.pdf"], 1, "no/a.pdf cannot be written: No such file or directory; check"),
        ([USERNAME, "--slip", "here.pdf"], 1, "here.pdf exists; give another name or remove it first"),
        ([USERNAME, "--slip", "folder.pdf"], 1, "folder.pdf exists; give another name"),
        ([USERNAME, "--minutes", "0"], 2, "0 is not in the range"),
        ([USERNAME, "--minutes", "-5"], 2, "-5 is not in the range"),
        ([USERNAME, "--days", "91"], 2, "91 is not in the range"),
        ([USERNAME, "--days", "1" * 40], 2, "is not in the range"),
        ([USERNAME, "--minutes", "ten"], 2, "'ten' is not a valid integer"),
        ([USERNAME, "--minutes", "10", "--days", "1"], 2, "give either --minutes or --days"),
        ([], 2, "Missing argument 'USERNAME'"),
    ],
)
async def test_bad_input_writes_nothing(
    laocert: Run,
    country: Database,
    tmp_path: Path,
    options: list[str],
    code: int,
    sentence: str,
) -> None:
    async with country.write() as session:
        await disable_account(session, await find_account(session, "lao6110301"), NOW)
    if "here.pdf" in options:
        (tmp_path / "here.pdf").write_text("a letter that was made before")
    if "folder.pdf" in options:
        (tmp_path / "folder.pdf").mkdir()
    slips_before = slips(tmp_path)
    done = await laocert("invite", *options, code=code)
    assert sentence in done.stderr
    assert done.stdout == ""
    assert await invitations(country) == []
    assert slips(tmp_path) == slips_before


@ONE_DATABASE
@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("BOT_TOKEN", None, "LAOCERT_BOT_TOKEN is not set; put the token from @BotFather in .env"),
        ("SECRET_KEY", None, "LAOCERT_SECRET_KEY is not set; set the key that this database is used with"),
        ("BOT_TOKEN", "987654321:" + "x" * 35, "LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather"),
        ("BOT_TOKEN", "", "LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather"),
        ("API_URL", "http://127.0.0.1:9", "the Bot API does not say the bot's name: "),
        ("API_URL", "nonsense", "LAOCERT_API_URL: is no URL; write https://host"),
        ("API_URL", "http://api.example.org", "set LAOCERT_API_INSECURE=1"),
    ],
)
async def test_settings_that_are_in_the_way(
    laocert: Run,
    monkeypatch: pytest.MonkeyPatch,
    nothing_written: Callable[[], Awaitable[None]],
    setting: str,
    value: str | None,
    sentence: str,
) -> None:
    if value is None:
        monkeypatch.delenv(f"LAOCERT_{setting}")
    else:
        monkeypatch.setenv(f"LAOCERT_{setting}", value)
    done = await laocert("invite", USERNAME, "--slip", "letter.pdf", code=1)
    assert sentence in done.stderr
    assert not value or len(value) < 20 or value not in done.output
    await nothing_written()


@ONE_DATABASE
async def test_a_bot_api_that_answers_with_a_fault(
    laocert: Run, emulator: Emulator, nothing_written: Callable[[], Awaitable[None]]
) -> None:
    emulator.faults.server_error(method="getMe")
    done = await laocert("invite", USERNAME, "--slip", "letter.pdf", code=1)
    assert "check the network and LAOCERT_API_URL" in done.stderr
    await nothing_written()


async def test_a_slip_that_cannot_be_made_takes_the_invitation_back(
    laocert: Run, monkeypatch: pytest.MonkeyPatch, nothing_written: Callable[[], Awaitable[None]]
) -> None:
    def broken(*_arguments: object) -> bytes:
        raise RuntimeError("typst")

    monkeypatch.setattr(command, "make_slip", broken)
    assert "unexpected RuntimeError" in (await laocert("invite", USERNAME, "--slip", "a.pdf", code=1)).stderr
    await nothing_written()


async def test_a_full_disk_takes_the_invitation_back(
    laocert: Run, monkeypatch: pytest.MonkeyPatch, nothing_written: Callable[[], Awaitable[None]]
) -> None:
    really_open = os.open

    def on_a_full_disk(path: Any, *arguments: Any) -> int:
        handle = really_open(path, *arguments)
        os.close(handle)
        return really_open("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(command.os, "open", on_a_full_disk)
    done = await laocert("invite", USERNAME, "--slip", "a.pdf", code=1)
    assert "a.pdf cannot be written: No space left on device; check the directory, its space" in done.stderr
    await nothing_written()


async def test_a_database_that_fails_leaves_no_slip(
    laocert: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nothing_written: Callable[[], Awaitable[None]]
) -> None:
    """The file is written before the commit, and removed when the commit fails."""
    really_write = Database.write

    @asynccontextmanager
    async def failing(database: Database) -> AsyncIterator[AsyncSession]:
        async with really_write(database) as session:
            yield session
            sizes.append((tmp_path / "a.pdf").stat().st_size)
            raise ConnectionRefusedError(111, "Connection refused")

    sizes: list[int] = []
    monkeypatch.setattr(Database, "write", failing)
    assert "Connection refused" in (await laocert("invite", USERNAME, "--slip", "a.pdf", code=1)).stderr
    assert sizes[0] > 1000
    await nothing_written()
