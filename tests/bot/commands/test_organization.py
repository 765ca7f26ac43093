"""`laocert organization`: what it prints, what it refuses, and that a dry run writes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import cli
from models.audit.event_chain import newest_id
from models.certification.certificate import Level
from models.database.engine import Database
from tests.conftest import NOW, apart
from tests.support import ORGANIZATIONS, SECRET_KEY, certify_as

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
Run = Callable[..., Result]
DECIDED = ("--by", "สถ. กองกฎหมาย", "--reason", "ประกาศกระทรวงมหาดไทย")


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command on the test's database, at the test's time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    monkeypatch.setattr("bot.commands.organization.now", lambda: NOW)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, ["organization", *arguments], prog_name="laocert")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
async def settled(country: Database) -> Database:
    """An organization is certified, with a chat linked; nothing holds the database open."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await country.close()
    return country


def events(database: Database) -> int:
    """How far the record is."""
    found = []

    async def look() -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        async with own.read() as session:
            found.append(await newest_id(session))
        await own.close()

    apart(look())
    return found[0]


def test_close_says_what_it_ends_and_once_more_ends_nothing(settled: Database, laocert: Run) -> None:
    before = events(settled)
    trial = laocert("close", FIRST, *DECIDED, "--dry-run")
    assert trial.stdout.splitlines() == [
        f"{FIRST} เทศบาลตำบลบางปู would be closed; it was lao certified",
        "accounts disabled: 1; links of chats that would end: 1",
    ]
    assert events(settled) == before
    done = laocert("close", FIRST, *DECIDED, "--gazette", "เล่ม 143", "--effective", "2569-11-01", "--json")
    assert json.loads(done.stdout) == {
        "organization": FIRST,
        "name": "เทศบาลตำบลบางปู",
        "status": "lao_certified",
        "accounts": 1,
        "chats": 1,
        "effective_on": "2026-11-01",
        "dry_run": False,
    }
    after = events(settled)
    again = laocert("close", FIRST, *DECIDED, code=1)
    assert again.stderr == f"{FIRST} was closed on 2026-11-01 by สถ. กองกฎหมาย; nothing was done\n"
    assert events(settled) == after > before


def test_rename_says_both_names(settled: Database, laocert: Run) -> None:
    before = events(settled)
    trial = laocert("rename", FIRST, "บางใหม่", *DECIDED, "--dry-run")
    assert trial.stdout == f"{FIRST} เทศบาลตำบลบางปู would be called เทศบาลตำบลบางใหม่\n"
    assert events(settled) == before
    done = laocert("rename", FIRST, "บางใหม่", *DECIDED, "--json")
    assert json.loads(done.stdout) == {
        "organization": FIRST,
        "before": "เทศบาลตำบลบางปู",
        "after": "เทศบาลตำบลบางใหม่",
        "dry_run": False,
    }
    again = laocert("rename", FIRST, "บางใหม่", *DECIDED, code=1)
    assert again.stderr == f"{FIRST} is called เทศบาลตำบลบางใหม่ already; nothing was done\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("close", "999", *DECIDED), "there is no organization 999"),
        (("close", FIRST, *DECIDED, "--effective", "2026-11-03"), "2026-11-03 has not come yet"),
        (("close", FIRST, *DECIDED, "--effective", "yesterday"), "yesterday is not a day"),
        (("close", FIRST, "--by", "", "--reason", "เหตุผลที่ยาวพอ"), "--by names the person"),
        (("close", FIRST, "--by", "สถ.", "--reason", "x"), "a reason is written in words"),
        (("rename", FIRST, "  ", *DECIDED), "NAME is the organization's name"),
    ],
)
def test_a_refusal_is_one_line_and_changes_nothing(
    settled: Database, laocert: Run, arguments: tuple[str, ...], says: str
) -> None:
    before = events(settled)
    for more in ((), ("--dry-run",)):
        refused = laocert(*arguments, *more, code=1)
        assert says in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert events(settled) == before
