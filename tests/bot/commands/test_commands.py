"""The command line: what it prints, its exit codes, and that it never shows a traceback."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from bot.cli import COMMANDS, cli
from bot.commands import common
from models.accounts.account import login_candidate
from models.certification.certificate import Level
from models.database.engine import Database
from models.register.roster import Roster
from models.security.passwords import password_matches
from tests.conftest import NOW, Files
from tests.support import KEYRING, ORGANIZATIONS, SECRET_KEY, certify_as

FIRST, *_ = (code for code, *_ in ORGANIZATIONS)
Run = Callable[..., Result]


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command on the test's database, at the test's time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    for module in ("round", "account", "imports", "export"):
        monkeypatch.setattr(f"bot.commands.{module}.now", lambda: NOW)

    def run(*arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(cli, arguments, input=stdin, prog_name="laocert")
        assert result.exit_code == code, result.output
        if code == 1:
            assert result.stderr.strip()
            assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
async def settled(country: Database) -> None:
    """The country of tests/support.py, with an organization certified on both levels and two chats linked."""
    async with country.write() as session:
        (await session.get_one(Roster, FIRST)).file_name = "=1+1.csv"
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await certify_as(country, "province11", 502, FIRST, Level.PROVINCE, NOW)


def facts(result: Result) -> Any:
    return json.loads(result.stdout)


def walk(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    found = [(path, command)]
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        found += walk(inner, (*path, name))
    return found


# --- the frame ----------------------------------------------------------------------------------------------


def test_every_command_has_help_with_an_example() -> None:
    commands = walk(cli, ())
    assert len(commands) > 20
    for path, command in commands:
        result = CliRunner().invoke(cli, [*path, "--help"], prog_name="laocert")
        assert result.exit_code == 0
        assert "Example: " in result.output, path
        assert command.help, path


def test_help_imports_nothing_that_is_slow() -> None:
    code = (
        "import sys; from bot.cli import cli\n"
        "cli.main(['--help'], prog_name='laocert', standalone_mode=False)\n"
        "slow = 'telegram', 'sqlalchemy', 'rich', 'openpyxl', 'alembic'\n"
        "print([name for name in slow if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in COMMANDS)


def run_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
    )


def test_exit_codes_of_the_process(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new.db"
    usage = run_process("round", "open", LAOCERT_DATABASE_URL=url)
    assert (usage.returncode, usage.stdout) == (2, "")
    assert "Usage: laocert round open" in usage.stderr
    refused = run_process("status", LAOCERT_DATABASE_URL=url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [refused.stderr.strip()]
    assert "run: laocert db upgrade" in refused.stderr
    done = run_process("db", "upgrade", LAOCERT_DATABASE_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("schema none → ")


def test_control_c_ends_with_130(tmp_path: Path) -> None:
    """Interrupted in the middle of a query: one line, no traceback."""
    url = f"sqlite+aiosqlite:///{tmp_path}/laocert.db"
    assert run_process("db", "upgrade", LAOCERT_DATABASE_URL=url).returncode == 0
    code = (
        "import asyncio, signal, sys\n"
        # A shell's background job is started with SIGINT ignored, and so is what it starts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import bot.commands.status as status\n"
        "from bot.__main__ import main\n"
        "async def wait(session):\n"
        "    print('waiting', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "sys.modules['bot.commands.status'].current_round = wait\n"
        "sys.argv = ['laocert', 'status']\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LAOCERT_DATABASE_URL": url},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == "interrupted; what was not finished was not written\n"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("postgresql+asyncpg://nobody@127.0.0.1:1/none", "the database cannot be used: "),
        ("sqlite+aiosqlite:////no/such/folder/laocert.db", "unable to open database file; check the directory"),
        ("sqlite:///laocert.db", "LAOCERT_DATABASE_URL is no URL of a database; write sqlite+aiosqlite"),
        ("postgresql://postgres@127.0.0.1/none", "LAOCERT_DATABASE_URL is no URL of a database"),
        ("nonsense", "LAOCERT_DATABASE_URL is no URL of a database"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch, url: str, what: str) -> None:
    monkeypatch.setenv("LAOCERT_DATABASE_URL", url)
    result = CliRunner().invoke(cli, ["status"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert what in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_unforeseen_error_is_one_line_and_a_traceback_on_request(
    laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.commands.status.current_round", lambda _session: 1 / 0)
    result = laocert("status", code=1)
    assert result.stderr.splitlines() == [
        "unexpected ZeroDivisionError: division by zero; please report it,"
        " with the traceback that LAOCERT_LOG_LEVEL=DEBUG shows"
    ]
    monkeypatch.setenv("LAOCERT_LOG_LEVEL", "DEBUG")
    assert "Traceback" in CliRunner().invoke(cli, ["status"]).stderr
    monkeypatch.setenv("LAOCERT_LOG_LEVEL", "LOUD")
    assert laocert("status", code=1).stderr.startswith("LAOCERT_LOG_LEVEL: ")


def test_thai_time() -> None:
    assert common.thai_time(NOW) == "02/11/2569 09:30"


# --- the commands -------------------------------------------------------------------------------------------


def test_db(laocert: Run, tmp_path: Path) -> None:
    assert "already" in laocert("db", "upgrade").stdout
    assert laocert("db", "check").stdout == "the database is as it should be\n"
    assert facts(laocert("db", "check", "--json")) == {"ok": True, "in_full": True, "differences": []}


def test_db_check_finds_a_trigger_that_is_gone(
    tmp_path: Path, files: Callable[[bool], Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "laocert.db"
    files(False).copy(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER certification_no_delete")
    connection.close()
    monkeypatch.setenv("LAOCERT_DATABASE_URL", f"sqlite+aiosqlite:///{path}")
    result = CliRunner().invoke(cli, ["db", "check"])
    assert result.exit_code == 1
    assert "trigger certification_no_delete is missing" in result.stdout
    assert len(result.stderr.splitlines()) == 1
    assert not facts(CliRunner().invoke(cli, ["db", "check", "--json"]))["ok"]


def test_rounds(laocert: Run) -> None:
    assert "no round yet" in laocert("round", "list").stdout
    assert "no round is open" in laocert("round", "close", code=1).stderr
    assert "2027 is not a Buddhist year" in laocert("round", "open", "--fiscal-year", "2027", code=1).stderr
    opened = laocert("round", "open", "--fiscal-year", "2570", "--closes", "2027-09-15")
    assert opened.stdout == "round 2570 is open, until 15/09/2570\n"
    assert "2570 is open; close it first" in laocert("round", "open", "--fiscal-year", "2571", code=1).stderr
    laocert("round", "close", "--yes")
    table = laocert("round", "list").stdout
    assert all(text in table for text in ("2570", "closed", "02/11/2569 09:30", "15/09/2570"))
    assert facts(laocert("round", "list", "--json")) == [
        {
            "fiscal_year": 2570,
            "state": "closed",
            "closes_on": "2027-09-15",
            "opened_at": "2026-11-02T02:30:00+00:00",
            "closed_at": "2026-11-02T02:30:00+00:00",
            "reopenings": [],
        }
    ]


def test_imports(laocert: Run, tmp_path: Path) -> None:
    organizations = tmp_path / "organizations.csv"
    organizations.write_text(
        "dla_code,type_th,type_code,name_th,province_code,province_th,province_en,district_th\n"
        "6110302,อบต.,tao,แพรกษา,11,สมุทรปราการ,Samut Prakan,เมือง\n"
    )
    personnel = tmp_path / "personnel.csv"
    personnel.write_text(
        "organization,record_no,full_name,category,position,level\n6110302,1,ก,boss,ข,\n9,2,=1,official,ข,\n"
    )
    accounts = tmp_path / "accounts.csv"
    accounts.write_text("username,password,role,organization,display_name\nsomeone,canary-1,lao,6110302,อบต.\n")
    tried = facts(laocert("import", "organizations", str(organizations), "--dry-run", "--json"))
    assert tried == {
        "file_name": "organizations.csv",
        "dry_run": True,
        "rows": 1,
        "added": 1,
        "updated": 0,
        "unchanged": 0,
        "notes": [],
    }
    plain = laocert("import", "organizations", str(organizations))
    assert plain.stdout.splitlines()[:2] == ["reading …", "writing …"]
    assert "1 rows of organizations.csv imported" in plain.stdout
    refused = laocert("import", "personnel", str(personnel), code=1)
    assert [line.split(";")[0] for line in refused.stderr.splitlines()] == [
        "line 2, category: boss is no category",
        "line 3, organization: no organization has the code 9",
        "line 3, full_name: starts with = like a formula",
        "3 problems",
    ]
    assert refused.stderr.splitlines()[-1] == "3 problems; nothing was imported"
    as_json = laocert("import", "personnel", str(personnel), "--json", code=1)
    assert json.loads(as_json.stdout)["problems"][0] == {
        "line": 2,
        "column": "category",
        "what": "boss is no category",
        "mend": refused.stderr.splitlines()[0].partition("; ")[2],
    }
    assert as_json.stderr == refused.stderr
    personnel.write_text(personnel.read_text().replace("boss", "official").replace("9,2,=1", "6110302,2,ค"))
    assert (
        "2 rows of personnel.csv imported; rosters: 1 new" in laocert("import", "personnel", str(personnel)).stdout
    )
    done = laocert("import", "accounts", str(accounts))
    assert "hashing …" in done.stdout
    assert "canary" not in done.output
    unopened = laocert("import", "accounts", "no.csv", code=1).stderr
    assert "cannot be opened" in unopened
    assert len(unopened.splitlines()) == 1
    accounts.write_text(accounts.read_text().splitlines()[0] + "\n,,,,\n" + "x,,,,\n" * 10_001)
    assert laocert("import", "accounts", str(accounts), code=1).stderr.endswith(
        "\nmore than 10,000 problems; nothing was imported\n"
    )
    laocert("import", "accounts", code=2)


PERSONNEL = "organization,record_no,full_name,category,position,level,ประวัติ,การศึกษา\n"


def personnel_rows(organization: str, numbers: range) -> str:
    """Officials of the country (tests/support.py), all their menus recorded; the country's have one more menu."""
    return "".join(f"{organization},{n:04},บุคคล ทดสอบ{n},official,ตำแหน่ง {n % 11},ปฏิบัติการ,มี,มี\n" for n in numbers)


@pytest.mark.usefixtures("country")
def test_an_import_of_personnel_says_what_it_changes_before_it_writes(laocert: Run, tmp_path: Path) -> None:
    path = tmp_path / "personnel.csv"
    path.write_text(PERSONNEL + personnel_rows(FIRST, range(1, 15)) + personnel_rows("6110303", range(1, 3)))
    lines = [
        "registers in the file: 2, of which 2 change",
        "  official: 12 → 16 records; 2 added, 0 removed, 2 changed",
        "  permanent_employee: 3 → 0 records; 0 added, 1 removed, 0 changed",
        "  contract_employee: 5 → 0 records; 0 added, 5 removed, 0 changed",
        "  total: 20 → 16 records; 2 added, 6 removed, 2 changed",
        f"  {FIRST} เทศบาลตำบลบางปู: 20 → 14 records; 0 added, 6 removed, 2 changed; menus that go: เครื่องราชฯ",
        "  6110303 อบต.เทพารักษ์ (first import): 0 → 2 records; 2 added, 0 removed, 0 changed",
    ]
    tried = laocert("import", "personnel", str(path), "--dry-run").stdout.splitlines()
    assert tried == [
        "reading …",
        "comparing …",
        *lines,
        "16 rows of personnel.csv would be imported; rosters: 1 new, 1 replaced or changed, 0 as before",
    ]
    everything = facts(laocert("import", "personnel", str(path), "--dry-run", "--json"))
    assert (everything["dry_run"], everything["rows"], everything["added"], everything["updated"]) == (
        True,
        16,
        1,
        1,
    )
    numbers = {"before": 5, "after": 0, "added": 0, "removed": 5, "changed": 0}
    assert everything["changes"]["total"]["categories"]["contract_employee"] == numbers
    register, _first = everything["changes"]["organizations"]
    assert register == {
        "organization": FIRST,
        "name": "เทศบาลตำบลบางปู",
        "first_import": False,
        "before": 20,
        "after": 14,
        "added": 0,
        "removed": 6,
        "changed": 2,
        "categories": register["categories"],
        "new_menus": [],
        "gone_menus": ["เครื่องราชฯ"],
    }
    done = laocert("import", "personnel", str(path)).stdout.splitlines()
    assert done[: len(lines) + 3] == ["reading …", "comparing …", *lines, "writing …"]
    assert facts(laocert("import", "personnel", str(path), "--json"))["changes"]["total"]["changed"] == 0
    again = laocert("import", "personnel", str(path)).stdout
    assert "registers in the file: 2, of which 0 change\n" in again
    assert FIRST not in again


@pytest.mark.usefixtures("country")
def test_a_part_of_a_register_is_refused_unless_it_is_said_to_shrink(laocert: Run, tmp_path: Path) -> None:
    path = tmp_path / "personnel.csv"
    path.write_text(PERSONNEL + personnel_rows(FIRST, range(1, 2)) + personnel_rows("6110301", range(1, 14)))
    for options in ([], ["--dry-run"], ["--dry-run", "--json"]):
        refused = laocert("import", "personnel", str(path), *options, code=1)
        assert refused.stderr.splitlines() == [
            f"line {line}, organization: the register of {name} would shrink from 20 records to {left},"
            " by more than 30 %; put all of its records into the file, or add --allow-shrink if it really shrinks"
            for line, name, left in ((2, f"{FIRST} เทศบาลตำบลบางปู", 1), (3, "6110301 อบต.บางปู", 13))
        ] + ["2 problems; nothing was imported"]
    tried = facts(laocert("import", "personnel", str(path), "--dry-run", "--json", "--allow-shrink"))
    assert [one["removed"] for one in tried["changes"]["organizations"]] == [19, 7]
    assert "20 → 1 records" in laocert("import", "personnel", str(path), "--allow-shrink").stdout


def test_the_registers_that_change_most_are_printed(laocert: Run, tmp_path: Path) -> None:
    header = "dla_code,type_th,type_code,name_th,province_code,province_th,province_en,district_th\n"
    codes = [f"61103{number:02}" for number in range(1, 13)]
    organizations, personnel = tmp_path / "organizations.csv", tmp_path / "personnel.csv"
    organizations.write_text(
        header + "".join(f"{code},อบต.,tao,ที่{code},11,สมุทรปราการ,Samut Prakan,เมือง\n" for code in codes)
    )
    laocert("import", "organizations", str(organizations))
    rows = [personnel_rows(code, range(1, size + 2)) for size, code in enumerate(codes)]
    personnel.write_text(PERSONNEL + "".join(rows))
    printed = laocert("import", "personnel", str(personnel), "--dry-run").stdout.splitlines()
    listed = printed[printed.index("the 10 that change most (all with --json):") + 1 : -1]
    assert [line.split()[0] for line in listed] == codes[:1:-1]
    everything = facts(laocert("import", "personnel", str(personnel), "--dry-run", "--json"))
    assert [one["organization"] for one in everything["changes"]["organizations"]] == codes


@pytest.mark.usefixtures("settled")
def test_status(laocert: Run) -> None:
    table = laocert("status").stdout
    assert "round 2570, open" in table
    assert all(text in table for text in ("สมุทรปราการ", "นนทบุรี", "Total"))
    everything = facts(laocert("status", "--json"))
    assert everything["round"]["fiscal_year"] == 2570
    assert everything["total"] == {
        "uncertified": 4,
        "lao_certified": 0,
        "province_certified": 1,
        "organizations": 5,
    }
    one = facts(laocert("status", "--province", "๑๑", "--json"))
    assert one["provinces"] == [
        {
            "code": "11",
            "name_th": "สมุทรปราการ",
            "name_en": "Samut Prakan",
            "uncertified": 3,
            "lao_certified": 0,
            "province_certified": 1,
            "organizations": 4,
        }
    ]
    assert "there is no province 99" in laocert("status", "--province", "99", code=1).stderr


@pytest.mark.usefixtures("settled")
def test_locked_and_incomplete_organizations_are_listed(laocert: Run) -> None:
    [locked] = facts(laocert("status", "--locked", "--json"))
    assert locked == {
        "organization": FIRST,
        "name": "เทศบาลตำบลบางปู",
        "district": "เมืองสมุทรปราการ",
        "province": "11",
        "since": "2026-11-02T02:30:00+00:00",
        "status": "province_certified",
    }
    table = laocert("status", "--locked").stdout
    assert all(text in table for text in (FIRST, "เทศบาลตำบลบางปู", "02/11/2569 09:30", "province certified"))
    assert laocert("status", "--locked", "--province", "12").stdout == "no register is locked\n"
    found = facts(laocert("status", "--incomplete", "--json"))
    assert {one["organization"]: one["lacks"] for one in found} == {
        "6110301": ["no_officer"],
        "6110302": ["no_officer"],
        "6110303": ["no_roster", "no_officer"],
        "6120401": ["no_officer"],
    }
    table = laocert("status", "--incomplete", "--province", "๑๑").stdout
    assert "no roster, no officer" in table
    assert "อบต.ไทรม้า" not in table
    assert "give one of" in laocert("status", "--locked", "--incomplete", code=2).stderr


@pytest.mark.usefixtures("settled")
def test_an_import_lists_the_locked_that_it_leaves_out(laocert: Run, tmp_path: Path) -> None:
    path = tmp_path / "personnel.csv"
    path.write_text(PERSONNEL + personnel_rows(FIRST, range(1, 4)) + personnel_rows("6110303", range(1, 3)))
    refused = laocert("import", "personnel", str(path), code=1).stderr
    assert f"the roster of {FIRST} เทศบาลตำบลบางปู is certified and locked; leave its rows out, or add" in refused
    arguments = "import", "personnel", str(path), "--skip-locked"
    locked = [{"organization": FIRST, "name": "เทศบาลตำบลบางปู", "rows": 3}]
    tried = facts(laocert(*arguments, "--dry-run", "--json"))
    assert (tried["rows"], tried["locked"]) == (2, locked)
    assert [one["organization"] for one in tried["changes"]["organizations"]] == ["6110303"]
    assert laocert(*arguments).stdout.splitlines()[-3:] == [
        "certified and locked, left out: 1 organizations, 3 rows",
        f"  {FIRST} เทศบาลตำบลบางปู: 3 rows",
        "2 rows of personnel.csv imported; rosters: 1 new, 0 replaced or changed, 0 as before",
    ]
    assert facts(laocert("import", "personnel", str(path), "--skip-locked", "--json"))["locked"] == locked


def test_status_of_an_empty_database(laocert: Run) -> None:
    assert "no round yet" in laocert("status").stdout
    assert facts(laocert("status", "--json"))["round"] is None


@pytest.mark.usefixtures("settled")
def test_accounts_and_their_links(laocert: Run) -> None:
    listed = facts(laocert("account", "list", "--json"))
    assert len(listed) == 7
    assert listed[0] == {
        "username": "province11",
        "role": "province",
        "unit": "11",
        "unit_name": "สมุทรปราการ",
        "province_code": "11",
        "display_name": "จังหวัดสมุทรปราการ",
        "links": 1,
        "by_invitation_only": False,
        "disabled_at": None,
    }
    assert len(facts(laocert("account", "list", "--province", "12", "--json"))) == 2
    assert "7 accounts" in laocert("account", "list").stdout
    [officer] = facts(laocert("account", "links", f"LAO{FIRST}", "--json"))
    assert (officer["user_id"], officer["full_name"], officer["position"]) == (501, "ทดสอบ ลงนาม", "ปลัด")
    assert "ทดสอบ ลงนาม" in laocert("account", "links", f"lao{FIRST}").stdout
    laocert("account", "unlink", f"lao{FIRST}", code=2)
    laocert("account", "unlink", f"lao{FIRST}", "--all", "--officer", "1", code=2)
    assert (
        "no linked chat of officer 99"
        in laocert("account", "unlink", "province11", "--officer", "99", code=1).stderr
    )
    assert (
        "1 linked chats"
        in laocert("account", "unlink", f"lao{FIRST}", "--officer", str(officer["officer"])).stdout
    )
    assert laocert("account", "links", f"lao{FIRST}").stdout == f"no chat is linked to lao{FIRST}\n"
    assert "0 linked chats" in laocert("account", "unlink", f"lao{FIRST}", "--all").stdout
    assert "1 linked chats ended" in laocert("account", "disable", "province11").stdout
    assert facts(laocert("account", "list", "--json"))[0]["disabled_at"] == "2026-11-02T02:30:00+00:00"
    assert laocert("account", "enable", "province11").stdout == "province11 is enabled\n"
    assert laocert("account", "enable", "province11").stdout == "province11 was not disabled\n"
    for command in ("disable", "enable", "links", "reset-password"):
        assert (
            "there is no account nobody; see: laocert account list"
            in laocert("account", command, "nobody", code=1).stderr
        )


@pytest.mark.usefixtures("settled")
def test_reset_password(laocert: Run, database_url: str) -> None:
    username = f"lao{FIRST}"
    password = laocert("account", "reset-password", username).stdout.strip()
    assert len(password) == 19
    assert password_matches(password_hash(database_url, username), password)
    typed = laocert("account", "reset-password", username, "--password-stdin", stdin="chosen-password\n")
    assert "chosen" not in typed.output
    assert password_matches(password_hash(database_url, username), "chosen-password")
    short = laocert("account", "reset-password", username, "--password-stdin", stdin="canary\n", code=1)
    assert short.stderr == "the password has 6 characters; give at least 8\n"


def password_hash(url: str, username: str) -> str:
    """What the database holds, read without the program's own sessions."""

    async def read() -> str:
        database = Database(url, KEYRING)
        async with database.read() as session:
            found = (await login_candidate(session, username)).password_hash
        await database.close()
        assert found is not None
        return found

    return asyncio.run(read())


@pytest.mark.usefixtures("settled")
def test_export(laocert: Run, tmp_path: Path) -> None:
    path = tmp_path / "certifications.xlsx"
    assert (
        laocert("export", "certifications", str(path)).stdout == "2 certificates written to certifications.xlsx\n"
    )
    sheet: Any = load_workbook(path).active
    header, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    first, second = (dict(zip(header, row, strict=True)) for row in rows)
    assert first["ปีงบประมาณ"] == 2570
    assert (first["รหัสจังหวัด"], first["รหัส อปท."], first["ชื่อ อปท."]) == ("11", FIRST, "เทศบาลตำบลบางปู")
    assert (first["ระดับการรับรอง"], second["ระดับการรับรอง"]) == ("รับรองระดับ อปท.", "รับรองระดับจังหวัด")
    assert first["วันเวลาที่รับรอง (พ.ศ.)"] == "2 พ.ย. 2569 09.30 น."
    assert [first[name] for name in ("ข้าราชการ", "ลูกจ้างประจำ", "พนักงานจ้าง", "รวม")] == [12, 3, 5, 20]
    assert first["หลังกำหนด"] is None
    assert (second["ผู้รับรอง"], second["ตำแหน่ง"], second["ไฟล์ข้อมูล"]) == ("ทดสอบ ลงนาม", "ปลัด", "=1+1.csv")
    assert sheet.freeze_panes == "A2"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} == {"n", "s"}
    assert (sheet.auto_filter.ref, sheet["H3"].number_format) == ("A1:T3", "@")
    assert [row["ที่มาของชื่อ"] for row in (first, second)] == ["หลักฐาน", "หลักฐาน"]
    assert sheet.cell(2, header.index("รหัส อปท.") + 1).value == FIRST
    assert "exists; give another name" in laocert("export", "certifications", str(path), code=1).stderr
    other = str(tmp_path / "other.xlsx")
    assert "0 certificates" in laocert("export", "certifications", other, "--province", "12").stdout
    assert "does not end with .xlsx" in laocert("export", "certifications", "a.csv", code=1).stderr
    nowhere = laocert("export", "certifications", str(tmp_path / "no" / "a.xlsx"), code=1)
    assert "cannot be written: No such file or directory" in nowhere.stderr
    assert sorted(found.name for found in tmp_path.glob("*.xlsx")) == ["certifications.xlsx", "other.xlsx"]
    assert not list(tmp_path.glob(".*"))
