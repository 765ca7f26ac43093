"""The program under three roles of PostgreSQL: each part and each command does its work by its own URL alone."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from bot.cli import cli
from bot.commands.roles import NEEDS
from demo.botapi import Emulator
from models.base.grants import DatabaseRole, RoleNames
from models.certification.certificate import Level
from models.database.engine import Database
from models.schema import roles
from tests.bot.program import Program
from tests.bot.running import Run, laocert
from tests.bot.service.test_opening import LOOKING, WRITING, content, leaves
from tests.bot.service.test_run import go_both_ways
from tests.conftest import MARK, _admin, apart, postgres_url
from tests.roles import three_roles, url_of
from tests.support import ORGANIZATIONS, certify_as

__all__ = ["laocert"]

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ROOT = Path(__file__).parents[3]
FIRST = ORGANIZATIONS[0][0]
SETTING = {
    DatabaseRole.APPLICATION: "LAOCERT_DATABASE_URL",
    DatabaseRole.OPERATOR: "LAOCERT_DATABASE_OPERATOR_URL",
    DatabaseRole.OWNER: "LAOCERT_DATABASE_OWNER_URL",
}


@pytest.fixture
async def names(country: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RoleNames]:
    """The country's roles; all three URLs are set, and their rights given."""
    async with three_roles(country) as made:
        for role, setting in SETTING.items():
            monkeypatch.setenv(setting, url_of(country, getattr(made, role)))
        assert "already" in (await laocert("db", "upgrade")).stdout
        yield made


# --- which command needs which ------------------------------------------------------------------------------


def test_each_command_says_its_role_and_the_documents_say_the_same() -> None:
    assert set(NEEDS) == set(leaves(cli))
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    table = page.partition("| command | role |\n|---|---|\n")[2].partition("\n\n")[0]
    documented: dict[str, str] = {}
    for line in table.splitlines():
        typed, role = (cell.strip() for cell in line.strip("|").split("|"))
        documented |= dict.fromkeys(typed.strip("`").split("`, `"), role)
    assert documented == {command: role.value if role else "none" for command, role in NEEDS.items()}


# --- each part with its own URL alone -----------------------------------------------------------------------


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    """An emulator in real time, as the program is."""
    async with Emulator(clock=time.time) as running:
        yield running
        assert not running.violations


@ON_POSTGRESQL
async def test_the_chat_needs_the_applications_role_alone(
    names: RoleNames, telegram: Emulator, country: Database, tmp_path: Path
) -> None:
    program = Program(tmp_path, telegram, url_of(country, names.application))
    await go_both_ways(program, telegram, country)
    # Also what it does by itself: the day's head of the record, leases, reminders, what is forgotten.
    assert "head of the record: " in program.log
    assert "InsufficientPrivilege" not in program.log


@ON_POSTGRESQL
async def test_the_operators_commands_need_its_role_alone(
    names: RoleNames, laocert: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Refused or done, but for no want of a right."""
    monkeypatch.delenv("LAOCERT_DATABASE_OWNER_URL")
    (tmp_path / "accounts.csv").write_text("username,password,role,organization,display_name\na,,lao,5110201,ก\n")
    for arguments in [*WRITING, *LOOKING, ("round", "close", "--yes")]:
        if NEEDS[command_of(arguments)] is not DatabaseRole.OPERATOR:
            continue
        result = await laocert(*arguments, code=None)
        assert "LAOCERT_DATABASE" not in result.output, arguments
        assert "permission denied" not in result.output, arguments
        assert result.exit_code in (0, 1)


def command_of(arguments: tuple[str, ...]) -> str:
    return max((one for one in NEEDS if " ".join(arguments).startswith(one)), key=len)


@ON_POSTGRESQL
async def test_an_import_and_a_copy_need_the_operators_role_alone(
    names: RoleNames, laocert: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LAOCERT_DATABASE_OWNER_URL")
    columns = "organization,record_no,full_name,category,position,level"
    (tmp_path / "personnel.csv").write_text(f"{columns}\n{FIRST},1,ก ข,official,ปลัด,ต้น\n", encoding="utf-8")
    await laocert("import", "personnel", "personnel.csv", "--allow-shrink")
    assert "checked: " in (await laocert("db", "backup", "copy.backup")).stdout


# --- too little right ---------------------------------------------------------------------------------------

BY = ("--by", "ก", "--reason", "นับซ้ำจริง")
# What each needs that the application has not.
BEYOND_THE_CHAT = [
    (("round", "close", "--yes"), DatabaseRole.OPERATOR),
    (("reopen", FIRST, *BY), DatabaseRole.OPERATOR),
    (("organization", "rename", FIRST, "ใหม่", *BY), DatabaseRole.OPERATOR),
    (("account", "disable", "lao5110201"), DatabaseRole.OPERATOR),
    (("import", "personnel", "personnel.csv", "--dry-run"), DatabaseRole.OPERATOR),
    (("db", "restore", "copy.backup", "--force"), DatabaseRole.OWNER),
]


@ON_POSTGRESQL
async def test_too_little_right_says_which_url_to_set_and_does_nothing(
    names: RoleNames,
    laocert: Run,
    country: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    now: datetime,
) -> None:
    await certify_as(country, "lao5110201", 501, FIRST, Level.LAO, now)
    await laocert("db", "backup", "copy.backup")
    columns = "organization,record_no,full_name,category,position,level"
    (tmp_path / "personnel.csv").write_text(f"{columns}\n{FIRST},1,ก ข,official,ปลัด,ต้น\n", encoding="utf-8")
    monkeypatch.delenv("LAOCERT_DATABASE_OPERATOR_URL")
    monkeypatch.delenv("LAOCERT_DATABASE_OWNER_URL")
    before = await content(country)
    # A restore refuses while anybody is there.
    await country.close()
    for arguments, role in BEYOND_THE_CHAT:
        [line] = (await laocert(*arguments, code=1)).stderr.splitlines()
        assert f"set {SETTING[role]} (docs/operations.md, Roles)" in line, arguments
    assert await content(country) == before
    assert await roles.check(country, names) == []


@ON_POSTGRESQL
async def test_a_role_without_its_rights_yet_says_who_gives_them(
    country: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with three_roles(country) as made:
        for role, setting in SETTING.items():
            monkeypatch.setenv(setting, url_of(country, getattr(made, role)))
        [line] = (await laocert("round", "list", code=1)).stderr.splitlines()
        assert line == (
            "the role of LAOCERT_DATABASE_OPERATOR_URL lacks rights of the operator;"
            " as owner run: laocert db upgrade (docs/operations.md, Roles)"
        )
        # As who does not own the tables.
        monkeypatch.setenv("LAOCERT_DATABASE_OWNER_URL", url_of(country, made.operator or ""))
        monkeypatch.delenv("LAOCERT_DATABASE_OPERATOR_URL")
        [line] = (await laocert("db", "upgrade", code=1)).stderr.splitlines()
        assert line == (
            "the role of LAOCERT_DATABASE_OWNER_URL does not own this database; hand it over"
            " (docs/operations.md, Roles)"
        )


@ON_POSTGRESQL
async def test_a_role_that_is_not_there_is_told(
    names: RoleNames, country: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_DATABASE_URL", url_of(country, "nobody_at_all"))
    [line] = (await laocert("db", "upgrade", code=1)).stderr.splitlines()
    assert line == ("there is no role nobody_at_all in this cluster; make it first (docs/operations.md, Roles)")


@ON_POSTGRESQL
async def test_what_the_owner_cannot_mend_is_told_by_the_upgrade_and_the_check(
    names: RoleNames, country: Database, laocert: Run
) -> None:
    async with country.engine.begin() as connection:
        await connection.exec_driver_sql(f"ALTER ROLE {names.application} SUPERUSER")
        await connection.exec_driver_sql(f"GRANT INSERT ON round TO {names.application}")
    checked = await laocert("db", "check", code=1)
    assert checked.stdout.splitlines() == [
        f"{names.application} is a superuser",
        f"{names.application} has INSERT on table public.round",
    ]
    [line] = (await laocert("db", "upgrade", code=1)).stderr.splitlines()
    assert f"({names.application} is a superuser)" in line
    assert (await laocert("db", "check", code=1)).stdout == f"{names.application} is a superuser\n"


# --- a copy and other roles ---------------------------------------------------------------------------------


@ON_POSTGRESQL
async def test_a_copy_knows_no_role_and_comes_back_under_others(
    names: RoleNames,
    country: Database,
    laocert: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    now: datetime,
) -> None:
    await certify_as(country, "lao5110201", 501, FIRST, Level.LAO, now)
    await laocert("db", "backup", "copy.backup")
    assert names.application.encode() not in (tmp_path / "copy.backup").read_bytes()
    name = f"{MARK}{country.url.database}_other"[:50]
    apart(_admin(f"CREATE DATABASE {name}"))
    other = Database(postgres_url(name))
    try:
        async with three_roles(other) as others:
            for role, setting in SETTING.items():
                monkeypatch.setenv(setting, url_of(other, getattr(others, role)))
            restored = await laocert("db", "restore", "copy.backup")
            assert "1 certificates" in restored.stdout
            assert (await laocert("db", "check")).stdout == "the database is as it should be\n"
            assert "5110201" in (await laocert("status", "--locked")).stdout
            await other.close()
    finally:
        apart(_admin(f"DROP DATABASE {name} WITH (FORCE)"))


# --- doctor -------------------------------------------------------------------------------------------------


@ON_POSTGRESQL
async def test_doctor_warns_of_a_role_that_can_do_more_than_the_chat(
    names: RoleNames, country: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said(role: str) -> str:
        monkeypatch.setenv("LAOCERT_DATABASE_URL", url_of(country, role))
        lines = (await laocert("doctor", code=None)).stdout.splitlines()
        return next(line for line in lines if line.startswith("database's role: "))

    assert await said(names.application) == f"database's role: ok, {names.application} can do what the chat does"
    async with country.engine.begin() as connection:
        await connection.exec_driver_sql(f"GRANT INSERT ON round TO {names.application}")
    assert await said(names.application) == (
        f"database's role: warning, the bot connects as {names.application}, who can open rounds as the operator"
        " does; give it a role of its own: docs/operations.md, Roles"
    )
    assert "who owns the tables and can take away what guards them" in await said(names.owner)
    assert "a superuser or the like" in await said("postgres")
