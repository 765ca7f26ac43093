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
    """Run a command on the test's database, with the test's clock."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    for module in ("organization", "imports"):
        monkeypatch.setattr(f"bot.commands.{module}.now", lambda: NOW)

    def run(*arguments: str, code: int = 0, group: str = "organization") -> Result:
        result = CliRunner().invoke(cli, [group, *arguments], prog_name="laocert")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
async def settled(country: Database) -> Database:
    """A certified organization with a linked chat; no connection to the database is open."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await country.close()
    return country


def events(database: Database) -> int:
    """The id of the newest audit event."""
    ids = []

    async def look() -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        async with own.read() as session:
            ids.append(await newest_id(session))
        await own.close()

    apart(look())
    return ids[0]


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


HEADER = "from,to,kind,name,type,district,province"
MERGER = [
    f"{FIRST},{SECOND},merger,,,,",
    "6110302,5110999,upgrade,แพรกษาใหม่,เทศบาลตำบล,เมืองสมุทรปราการ,11",
]


def test_succeed_says_what_goes_over(settled: Database, laocert: Run, tmp_path: Path) -> None:
    (tmp_path / "changes.csv").write_text("\n".join([HEADER, *MERGER]), encoding="utf-8")
    before = events(settled)
    trial = laocert("succeed", "changes.csv", *DECIDED, "--dry-run")
    assert trial.stdout.splitlines() == [
        f"{FIRST} เทศบาลตำบลบางปู would go on as {SECOND} อบต.บางปู",
        "  no register copied; chats that go over: 0; links that end: 1",
        "6110302 อบต.แพรกษา would go on as 5110999 เทศบาลตำบลแพรกษาใหม่ (new)",
        "  records copied: 20; chats that go over: 0; links that end: 0",
    ]
    assert events(settled) == before
    done = json.loads(laocert("succeed", "changes.csv", *DECIDED, "--json").stdout)
    assert done["dry_run"] is False
    assert done["successions"][1] == {
        "successor": "5110999",
        "name": "เทศบาลตำบลแพรกษาใหม่",
        "kind": "upgrade",
        "is_new": True,
        "predecessors": [{"organization": "6110302", "name": "อบต.แพรกษา"}],
        "records_copied": 20,
        "chats_over": 0,
        "links_ended": 0,
        "reopened": False,
    }
    after = events(settled)
    again = laocert("succeed", "changes.csv", *DECIDED, code=1)
    when = "on 2026-11-02 by สถ. กองกฎหมาย already; leave the line out"
    assert again.stderr.splitlines() == [
        f"line 2, from: {FIRST} goes on as {SECOND}, merger, {when}",
        f"line 3, from: 6110302 goes on as 5110999, upgrade, {when}",
        "2 problems; nothing was done",
    ]
    assert events(settled) == after > before


def test_succeed_wants_a_reopening_where_the_successor_is_certified(
    settled: Database, laocert: Run, tmp_path: Path
) -> None:
    (tmp_path / "changes.csv").write_text(f"{HEADER}\n{SECOND},{FIRST},merger,,,,\n", encoding="utf-8")
    before = events(settled)
    refused = laocert("succeed", "changes.csv", *DECIDED, code=1)
    assert f"line 2, to: {FIRST} is certified in the open round 2570 and locked; add --reopen" in refused.stderr
    assert events(settled) == before
    done = laocert("succeed", "changes.csv", "--reopen", *DECIDED)
    assert f"  {FIRST} is reopened and must certify anew" in done.stdout.splitlines()


def test_a_complete_import_lists_what_the_file_lacks(settled: Database, laocert: Run, tmp_path: Path) -> None:
    names = ["dla_code", "type_th", "type_code", "name_th", "province_code", "province_th", "province_en"]
    rows = [",".join([*names, "district_th"])]
    rows += [
        f"{code},{kind},tao,{name},11,สมุทรปราการ,Samut Prakan,{district}"
        for code, kind, name, district, _ in ORGANIZATIONS[1:3]
    ]
    (tmp_path / "all.csv").write_text("\n".join(rows), encoding="utf-8")
    trial = laocert("organizations", "all.csv", "--complete", "--dry-run", group="import")
    close = "laocert organization close {} --by NAME --reason TEXT"
    assert trial.stdout.splitlines()[-3:] == [
        f"not in the file: {code} {kind}{name}; if it has ended: {close.format(code)}"
        for code, kind, name, *_ in (ORGANIZATIONS[number] for number in (0, 3, 4))
    ]
    laocert("close", FIRST, *DECIDED)
    result = json.loads(laocert("organizations", "all.csv", "--complete", "--json", group="import").stdout)
    assert result["missing"] == [
        {"organization": code, "name": kind + name, "command": close.format(code)}
        for code, kind, name, *_ in (ORGANIZATIONS[number] for number in (3, 4))
    ]
