"""`laocert keys` and `laocert seal`: what an operator types and reads, and what other commands say of seals."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text, update

from bot.cli import cli
from models.database.engine import Database
from models.operator.sealing import MODELS
from tests.conftest import NOW, apart
from tests.support import ORGANIZATIONS, SECRET_KEY, link

FIRST = ORGANIZATIONS[0][0]
NEW_KEY = "a newer key for tests of more than 32 letters"
BY = ("--by", "ศูนย์ข้อมูล", "--reason", "แก้ด้วยมือหลังตรวจแล้ว")
# Five organizations, seven accounts, one officer, one round.
COUNTED = "14 rows (5 organization, 7 account, 1 officer, 1 round)"
Run = Callable[..., Result]


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command on the test's database, at the test's time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    for module in ("keys", "seal", "audit"):
        monkeypatch.setattr(f"bot.commands.{module}.now", lambda: NOW)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments, prog_name="laocert")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


async def _as_before(database: Database) -> None:
    """An officer, and no row with a seal; nothing holds the database open."""
    async with database.write() as session:
        await link(session, f"lao{FIRST}", 501, NOW)
    async with database.write() as session:
        for model in MODELS:
            values = {sealed.into: None for sealed in model.SEALS}
            await session.execute(update(model.core()).values(values))  # type: ignore[attr-defined]
    await database.close()


@pytest.fixture
def older(country: Database) -> Database:
    apart(_as_before(country))
    return country


def write(database: Database, *statements: str) -> None:
    """What somebody does who has the database and no key."""

    async def executed() -> None:
        async with database.engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await database.close()

    apart(executed())


def test_sealing_and_sealing_again(older: Database, laocert: Run) -> None:
    assert laocert("keys", "seal", "--dry-run").stdout == f"{COUNTED} would be sealed\n"
    assert laocert("keys", "seal", "--dry-run").stdout == f"{COUNTED} would be sealed\n"
    sealed = laocert("keys", "seal")
    assert "sealing account …" in sealed.stdout
    assert sealed.stdout.endswith(f"{COUNTED} were sealed; from now on a row without a seal gives no right\n")
    again = "every row has a seal since 02/11/2569 09:30; nothing was to be done\n"
    assert laocert("keys", "seal").stdout == again
    assert laocert("keys", "seal", "--dry-run").stdout == again
    assert "14 rows were looked at, all sealed since 02/11/2569 09:30" in laocert("seal", "check").stdout
    assert json.loads(laocert("audit", "verify", "--json").stdout)["ok"] is True


def test_sealing_as_json(older: Database, laocert: Run) -> None:
    would = json.loads(laocert("keys", "seal", "--dry-run", "--json").stdout)
    assert (would["total"], would["rows"]["account"], would["dry_run"]) == (14, 7, True)
    sealed = json.loads(laocert("keys", "seal", "--json").stdout)
    assert (sealed["total"], sealed["since"], sealed["dry_run"]) == (14, None, False)
    again = json.loads(laocert("keys", "seal", "--json").stdout)
    assert (again["total"], again["since"]) == (0, NOW.isoformat())


def test_nothing_is_sealed_under_a_wrong_key(
    older: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW_KEY)
    for command in (("keys", "seal"), ("keys", "seal", "--dry-run"), ("keys", "rotate"), ("seal", "check")):
        assert "LAOCERT_SECRET_KEY is another one" in laocert(*command, code=1).stderr
    monkeypatch.delenv("LAOCERT_SECRET_KEY")
    assert "LAOCERT_SECRET_KEY is not set" in laocert("keys", "seal", code=1).stderr


def test_rotating_to_a_new_key(older: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "run: laocert keys seal" in laocert("keys", "rotate", code=1).stderr
    laocert("keys", "seal")
    assert "sealed under this key since" in laocert("keys", "rotate").stdout
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW_KEY)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", SECRET_KEY)
    assert laocert("keys", "rotate", "--dry-run").stdout == f"{COUNTED} would be sealed anew\n"
    rotated = laocert("keys", "rotate", "--pin-until", "2570-03-31").stdout
    assert rotated.endswith(
        f"{COUNTED} were sealed anew; seals under older keys are refused from now on\n"
        "PINs under older keys are taken until 2027-03-31\n"
    )
    assert "no row was to be sealed anew" in laocert("keys", "rotate").stdout
    assert "14 rows were looked at" in laocert("seal", "check").stdout
    assert json.loads(laocert("audit", "verify", "--json").stdout)["ok"] is True


@pytest.mark.parametrize(("day", "why"), [("2569-11-01", "has passed"), ("soon", "is not a day")])
def test_a_day_for_pins_is_one_to_come(older: Database, laocert: Run, day: str, why: str) -> None:
    laocert("keys", "seal")
    assert why in laocert("keys", "rotate", "--pin-until", day, code=1).stderr


def test_a_row_that_was_changed_is_named_and_accepted(older: Database, laocert: Run) -> None:
    laocert("keys", "seal")
    write(older, f"UPDATE organization SET province_code = '12' WHERE dla_code = '{FIRST}'")
    found = laocert("seal", "check", code=1)
    assert f"organization {FIRST}: was changed without the secret key" in found.stdout
    assert f"laocert seal accept organization {FIRST}" in found.stdout
    assert "the seals of 1 rows do not fit" in found.stderr
    facts = json.loads(laocert("seal", "check", "--json", code=1).stdout)
    assert (facts["ok"], facts["rows"], facts["since"]) == (False, 14, NOW.isoformat())
    (bad,) = facts["bad"]
    assert (bad["table"], bad["id"], bad["fault"]) == ("organization", FIRST, "wrong")
    accepted = laocert("seal", "accept", "organization", FIRST, *BY).stdout
    assert accepted.startswith(f"organization {FIRST} is sealed as it stands")
    assert "is good; nothing was done" in laocert("seal", "accept", "organization", FIRST, *BY, code=1).stderr
    assert json.loads(laocert("seal", "check", "--json").stdout)["ok"] is True


def test_what_cannot_be_accepted(older: Database, laocert: Run) -> None:
    laocert("keys", "seal")
    assert "there is no officer 99" in laocert("seal", "accept", "officer", "99", *BY, code=1).stderr
    laocert("seal", "accept", "audit_event", "1", *BY, code=2)
    laocert("seal", "accept", "officer", "1", "--by", "x", code=2)
    refused = laocert("seal", "accept", "officer", "1", "--by", "x", "--reason", "..", code=1)
    assert "5 to 1,000 letters" in refused.stderr


def test_a_copy_from_before_is_restored_and_sealed(older: Database, laocert: Run) -> None:
    line = (
        "14 rows that decide have no seal yet, so that whoever can write to the database can change them;"
        " run: laocert keys seal\n"
    )
    assert line in laocert("db", "upgrade").stdout
    laocert("db", "backup", "before.backup")
    laocert("keys", "seal")
    assert line not in laocert("db", "upgrade").stdout
    laocert("db", "backup", "sealed.backup")
    assert line in laocert("db", "restore", "before.backup", "--force").stdout
    assert "14 rows (" in laocert("keys", "seal").stdout
    assert json.loads(laocert("seal", "check", "--json").stdout)["ok"] is True
    assert line not in laocert("db", "restore", "sealed.backup", "--force").stdout
    assert json.loads(laocert("seal", "check", "--json").stdout)["ok"] is True


def seals_of_doctor(laocert: Run) -> str:
    """The line of `doctor` about seals; other things are to be mended in a test."""
    lines = laocert("doctor", code=1).stdout.splitlines()
    return next(line for line in lines if line.startswith("seals: "))


def test_doctor_says_how_the_seals_stand(older: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seals_of_doctor(laocert) == (
        "seals: warning, the rows that decide are not sealed yet; run: laocert keys seal"
    )
    laocert("keys", "seal")
    whole = "seals: ok, 14 rows, all sealed since 2026-11-02 under the key in use"
    assert seals_of_doctor(laocert) == whole
    monkeypatch.setenv("LAOCERT_SECRET_KEY", NEW_KEY)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", SECRET_KEY)
    assert seals_of_doctor(laocert).endswith("run: laocert keys rotate")
    laocert("keys", "rotate", "--pin-until", "2570-03-31")
    assert seals_of_doctor(laocert) == f"{whole}, PINs under older keys until 2027-03-31"
    write(older, "UPDATE officer SET pin_hash = NULL")
    assert seals_of_doctor(laocert) == "seals: 1 rows have a seal that does not fit; run: laocert seal check"
