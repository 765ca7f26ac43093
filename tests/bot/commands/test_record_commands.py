"""The operator's commands around the record: reopen, petitions, audit, backup and restore, held messages."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from bot.cli import cli
from models.certification.certificate import Level
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.remarks.petition import petition
from models.spot_checks.spot_checking import draw, hand_in, mark
from tests.conftest import NOW, apart
from tests.support import ORGANIZATIONS, SECRET_KEY, before_words, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
Run = Callable[..., Result]


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command on the test's database, with the test's clock."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    for module in ("audit", "reopen", "outbox"):
        monkeypatch.setattr(f"bot.commands.{module}.now", lambda: NOW)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments, prog_name="laocert")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
async def petitioned(country: Database) -> Database:
    """A certified organization that asks for a correction; no connection to the database is open."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, NOW)
        await petition(session, officer, "พนักงานจ้างนับซ้ำหนึ่งราย", NOW, None)
    await country.close()
    return country


@pytest.fixture
async def failed_check(country: Database) -> Database:
    """A province whose spot-check was handed in with one record not correct."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    async with country.write() as session:
        officer = await link(session, "province11", 601, NOW)
        check = (await draw(session, officer, FIRST, NOW, random.Random(1), size=1)).check
        await mark(session, officer, FIRST, check.id, 1, Mark.INCORRECT, "วันบรรจุไม่ตรง", NOW)
        await hand_in(session, officer, FIRST, check.id, NOW, None)
    await country.close()
    return country


async def tamper(database: Database) -> None:
    """Change a row directly, as somebody can who may drop triggers."""
    async with database.engine.begin() as connection:
        for statement in (
            "DROP TRIGGER audit_event_no_update"
            if database.is_sqlite
            else "DROP TRIGGER audit_event_insert_only ON audit_event",
            f"UPDATE audit_event SET details = '{{}}' WHERE chain = '{FIRST}' AND number = 1",
        ):
            await connection.execute(text(statement))
    await database.close()


BY = ("--by", "ผู้ดูแลระบบ", "--reason", "นับซ้ำจริง")


def test_reopen(petitioned: Database, laocert: Run) -> None:
    done = laocert("reopen", FIRST, *BY)
    assert done.stdout == f"{FIRST} is reopened; revision 1 has ended and stays in the history\n"
    assert "is not certified in round 2570" in laocert("reopen", FIRST, *BY, code=1).stderr
    assert "is not certified in round 2570" in laocert("reopen", SECOND, *BY, code=1).stderr
    assert "9999999" in laocert("reopen", "9999999", *BY, code=1).stderr
    laocert("reopen", FIRST, "--by", "x", code=2)


def test_reopen_wants_a_reason_in_words(petitioned: Database, laocert: Run) -> None:
    for reason in ("", "..", "x" * 1001):
        refused = laocert("reopen", FIRST, "--by", "x", "--reason", reason, code=1)
        assert "5 to 1,000 letters" in refused.stderr


@pytest.mark.parametrize("name", ["", "  ", "…", "x" * 201, "ผู้\x1bดูแล", "ผู้\u202eดูแล"])
def test_whoever_decides_gives_a_name_that_can_be_read(petitioned: Database, laocert: Run, name: str) -> None:
    reason = ("--by", name, "--reason", "นับซ้ำจริง")
    for command in (("reopen", FIRST), ("petition", "decide", "1", "--refuse"), ("round", "reopen")):
        refused = laocert(*command, *reason, code=1)
        assert refused.stderr == (
            "--by names the person or office that decides, in 1 to 200 letters, none of them invisible\n"
        )
    assert len(json.loads(laocert("petitions", "--json").stdout)) == 1


@pytest.mark.parametrize(
    ("decision", "outcome"),
    [("--grant", "granted; the organization is reopened"), ("--refuse", "refused; it stays locked")],
)
def test_petitions_are_listed_and_decided(petitioned: Database, laocert: Run, decision: str, outcome: str) -> None:
    assert "พนักงานจ้างนับซ้ำหนึ่งราย" in laocert("petitions").stdout
    (petition,) = json.loads(laocert("petitions", "--json").stdout)
    assert (petition["organization"], petition["fiscal_year"], petition["revision"]) == (FIRST, 2570, 1)
    assert petition["side"] == "lao"
    number = str(petition["id"])
    assert "there is no open petition 99" in laocert("petition", "decide", "99", decision, *BY, code=1).stderr
    laocert("petition", "decide", number, *BY, code=2)
    assert outcome in laocert("petition", "decide", number, decision, *BY).stdout
    assert f"no open petition {number}" in laocert("petition", "decide", number, decision, *BY, code=1).stderr
    assert laocert("petitions").stdout == "no petition waits\n"
    assert json.loads(laocert("petitions", "--json").stdout) == []


def test_a_provinces_petition_is_listed_and_decided(failed_check: Database, laocert: Run) -> None:
    assert "วันบรรจุไม่ตรง" in laocert("petitions").stdout
    (petition,) = json.loads(laocert("petitions", "--json").stdout)
    assert (petition["organization"], petition["side"], petition["author"]) == (
        FIRST,
        "province",
        "ทดสอบ ลงนาม ปลัด",
    )
    laocert("petition", "decide", str(petition["id"]), "--grant", *BY)
    assert laocert("petitions").stdout == "no petition waits\n"
    assert json.loads(laocert("audit", "verify", "--json").stdout)["ok"] is True


def test_the_record_is_verified_against_a_filed_head(petitioned: Database, laocert: Run) -> None:
    head = laocert("audit", "head").stdout.strip()
    assert re.fullmatch(r"\d+-[0-9a-f]{32}", head)
    assert "checked" in laocert("audit", "verify", "--head", head).stdout
    assert json.loads(laocert("audit", "verify", "--json").stdout)["ok"] is True
    refused = laocert("audit", "verify", "--head", f"{head[:-1]}x", code=1)
    assert "the record is broken in 1 places" in refused.stderr
    apart(tamper(petitioned))
    broken = laocert("audit", "verify", code=1)
    assert f"chain {FIRST}, event 1: was changed" in broken.stdout
    assert json.loads(laocert("audit", "verify", "--json", code=1).stdout)["ok"] is False
    assert "audit_event" in laocert("db", "check", code=1).stdout


async def meddle(database: Database) -> None:
    """Plain SQL that no trigger refuses: two links, and a round that nobody closed."""
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE officer SET user_id = user_id + 90000"))
        await connection.execute(text("UPDATE round SET closes_on = '2026-12-31'"))
    await database.close()


def test_the_first_break_says_what_it_means_and_the_others_are_counted(
    failed_check: Database, laocert: Run
) -> None:
    well = laocert("audit", "verify").stdout
    assert "not compared: 5 organizations, 2 provinces\n" in well
    assert json.loads(laocert("audit", "verify", "--json").stdout)["first"] is None
    apart(meddle(failed_check))
    refused = laocert("audit", "verify", code=1)
    first, means, do, more, *_ = refused.stdout.splitlines()
    assert first == "round 2570: was not opened so"
    assert means.startswith("  it means: a round was opened, closed, renumbered or deleted in the database")
    assert do.startswith("  what to do: stop the bot; keep this database as it is, restore a backup")
    # Each row is told twice: by its events, and by its seal.
    assert more == "and 5 more; --all lists them"
    assert "the record is broken in 6 places" in refused.stderr
    everything = laocert("audit", "verify", "--all", code=1).stdout.splitlines()
    assert everything[3:5] == [f"officer {number}: is not the chat that was linked" for number in (1, 2)]
    facts = json.loads(laocert("audit", "verify", "--json", code=1).stdout)
    assert len(facts["breaks"]) == 6
    assert facts["first"]["about"] == "round"
    assert facts["first"].keys() == {"what", "about", "means", "do"}


async def older_certificate(database: Database) -> None:
    """A database with certificates as before schema 0012; no connection to it is open."""
    with before_words():
        await certify_as(database, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await database.close()


def test_the_words_of_older_certificates_are_kept_once(country: Database, laocert: Run) -> None:
    apart(older_certificate(country))
    line = (
        "1 certificates from before schema 0012 do not contain their organizations' names;"
        " run: laocert audit keep-words\n"
    )
    assert laocert("db", "upgrade").stdout.endswith(line)
    assert line in laocert("audit", "verify").stdout
    assert json.loads(laocert("audit", "verify", "--json").stdout)["without_words"] == 1
    assert laocert("audit", "keep-words").stdout == "1 certificates have their words now, as of 02/11/2569 09:30\n"
    done = "every certificate has its words already; nothing was changed\n"
    assert laocert("audit", "keep-words").stdout == done
    assert json.loads(laocert("audit", "keep-words", "--json").stdout) == {"certificates": 0, "kept_at": None}
    assert "keep-words" not in laocert("db", "upgrade").stdout
    verified = json.loads(laocert("audit", "verify", "--json").stdout)
    assert (verified["ok"], verified["without_words"]) == (True, 0)
    assert laocert("db", "check").stdout == "the database is as it should be\n"


def test_kept_words_as_json(country: Database, laocert: Run) -> None:
    apart(older_certificate(country))
    facts = {"certificates": 1, "kept_at": NOW.isoformat()}
    assert json.loads(laocert("audit", "keep-words", "--json").stdout) == facts


def test_a_copy_keeps_the_words_of_older_certificates(country: Database, laocert: Run) -> None:
    apart(older_certificate(country))
    laocert("audit", "keep-words")
    laocert("db", "backup", "copy.backup")
    laocert("db", "restore", "copy.backup", "--force")
    verified = json.loads(laocert("audit", "verify", "--json").stdout)
    assert (verified["ok"], verified["certificates"], verified["without_words"]) == (True, 1, 0)
    assert laocert("db", "check").stdout == "the database is as it should be\n"


def test_backup_restore_and_held_messages(petitioned: Database, laocert: Run, tmp_path: Path) -> None:
    assert "bytes" in laocert("db", "backup", "copy.backup").stdout
    assert (tmp_path / "copy.backup").stat().st_mode & 0o077 == 0
    assert "exists; choose another name" in laocert("db", "backup", "copy.backup", code=1).stderr
    assert "add --force" in laocert("db", "restore", "copy.backup", code=1).stderr
    assert "there is no file" in laocert("db", "restore", "missing", "--force", code=1).stderr
    restored = laocert("db", "restore", "copy.backup", "--force").stdout
    assert "1 certificates, 1 locked rosters checked" in restored
    assert "1 unsent messages are held" in restored
    assert laocert("outbox", "release", "--drop").stdout == "1 messages will not be sent\n"
    assert laocert("outbox", "release").stdout == "0 messages will be sent\n"


def test_nothing_that_is_recorded_is_done_without_the_key(
    petitioned: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAOCERT_SECRET_KEY")
    for command in (("reopen", FIRST, *BY), ("audit", "head"), ("audit", "keep-words"), ("round", "close")):
        assert "LAOCERT_SECRET_KEY is not set" in laocert(*command, code=1).stderr
    assert "petition" not in laocert("petitions", "--json", code=0).stderr


def test_a_changed_key_still_verifies_with_the_old_one_named(
    petitioned: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = laocert("audit", "head").stdout.strip()
    monkeypatch.setenv("LAOCERT_SECRET_KEY", "another key for tests of more than 32 letters")
    assert "LAOCERT_OLD_SECRET_KEYS" in laocert("audit", "verify", code=1).stderr
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", f"unrelated, {SECRET_KEY}")
    laocert("reopen", FIRST, *BY)
    laocert("audit", "verify", "--head", head)
