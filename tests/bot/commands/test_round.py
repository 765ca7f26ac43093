"""`laocert round`: the question before a round is closed or opened, and undoing a closing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.cli import cli
from bot.commands import round as command
from models.certification.certificate import Level
from models.database.engine import Database
from models.remarks.petition import petition
from models.rounds.round import open_round
from tests.conftest import NOW, apart
from tests.support import KEYRING, ORGANIZATIONS, SECRET_KEY, certify_as, link

FIRST, SECOND, THIRD, *_ = (code for code, *_ in ORGANIZATIONS)
ENDS = [
    "closing round 2570 ends certifying; its last day is 15/09/2570, 317 days from now",
    "not certified: 3 of 5 organizations",
    "waiting for their province: 1",
    "petitions that wait for a decision and cannot be granted then: 1",
]
BY = ("--by", "สถ. กองบุคลากร", "--reason", "ปิดก่อนกำหนดโดยผิดพลาด")
Run = Callable[..., Result]


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command on the test's database, with the test's clock."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    monkeypatch.setattr(command, "now", lambda: NOW)

    def run(*arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(cli, ("round", *arguments), input=stdin, prog_name="laocert")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
async def under_way(country: Database) -> Database:
    """One organization certified at both levels; one waits for its province, and petitions. Nothing holds the
    database open.
    """
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, NOW)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, NOW)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, NOW)
    async with country.write() as session:
        await petition(session, await link(session, f"lao{SECOND}", 502, NOW), "พนักงานจ้างนับซ้ำ", NOW, None)
    await country.close()
    return country


def rounds(laocert: Run) -> list[tuple[int, str]]:
    return [
        (listed_round["fiscal_year"], listed_round["state"])
        for listed_round in json.loads(laocert("list", "--json").stdout)
    ]


UNASKED_AS_JSON = (
    "there is no terminal to ask at, and {}; look at what the command shows without --json, then give --yes\n"
)


# --- closing ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("under_way")
@pytest.mark.parametrize("stdin", ["", "y\n", "yes\n" * 9])
def test_without_a_terminal_closing_wants_yes(laocert: Run, stdin: str) -> None:
    refused = laocert("close", code=1, stdin=stdin)
    assert refused.stdout.splitlines() == ENDS
    assert refused.stderr == (
        "there is no terminal to ask at, and round 2570 was not closed; look at what is shown, then give --yes\n"
    )
    assert rounds(laocert) == [(2570, "open")]
    assert laocert("close", "--yes", stdin=stdin).stdout.splitlines() == [*ENDS, "round 2570 is closed"]
    assert rounds(laocert) == [(2570, "closed")]
    assert laocert("close", "--yes", code=1).stderr.startswith("no round is open")


@pytest.mark.usefixtures("under_way")
@pytest.mark.parametrize("stdin", [None, subprocess.DEVNULL], ids=["closed", "/dev/null"])
def test_a_process_without_an_input_closes_nothing(laocert: Run, database_url: str, stdin: int | None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "round", "close"],
        stdin=stdin,
        # Stdin is closed, as some services start their programs.
        preexec_fn=None if stdin else lambda: os.close(0),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "give --yes" in done.stderr
    assert rounds(laocert) == [(2570, "open")]


@pytest.mark.usefixtures("under_way", "terminal")
@pytest.mark.parametrize("answer", ["n\n", "\n", "", "maybe\nn\n"])
def test_whoever_says_anything_but_yes_closes_nothing(laocert: Run, answer: str) -> None:
    refused = laocert("close", code=1, stdin=answer)
    assert refused.stdout.splitlines()[:4] == ENDS
    assert "Close round 2570 for the whole nation? [y/N]" in refused.stderr
    assert refused.stderr.splitlines()[-1] == "round 2570 was not closed"
    assert rounds(laocert) == [(2570, "open")]


@pytest.mark.usefixtures("under_way", "terminal")
def test_at_a_terminal_what_closing_ends_is_kept_out_of_the_json(laocert: Run) -> None:
    closed = laocert("close", "--json", stdin="y\n")
    assert closed.stderr.splitlines()[:4] == ENDS
    assert json.loads(closed.stdout)["state"] == "closed"


@pytest.mark.usefixtures("under_way", "terminal")
def test_whoever_says_yes_closes_it(laocert: Run) -> None:
    assert laocert("close", stdin="y\n").stdout.splitlines() == [*ENDS, "round 2570 is closed"]
    assert rounds(laocert) == [(2570, "closed")]


@pytest.mark.usefixtures("terminal")
def test_what_changes_during_the_question_is_asked_again(
    under_way: Database, database_url: str, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An organization certifies while the operator reads."""
    ask, questions = command.ask, []

    async def certify_meanwhile() -> None:
        database = Database(database_url, KEYRING)
        await certify_as(database, f"lao{THIRD}", 503, THIRD, Level.LAO, NOW)
        await database.close()

    def answer(question: str, what: list[str], **how: Any) -> None:
        ask(question, what, **how)
        questions.append(question)
        if len(questions) == 1:
            apart(certify_meanwhile())

    monkeypatch.setattr(command, "ask", answer)
    result = laocert("close", stdin="y\ny\n")
    assert len(questions) == 2
    assert "this has changed in the meantime; it now ends:" in result.stderr
    assert result.stdout.splitlines() == [
        *ENDS,
        ENDS[0],
        "not certified: 2 of 5 organizations",
        "waiting for their province: 2",
        ENDS[3],
        "round 2570 is closed",
    ]


@pytest.mark.usefixtures("terminal")
def test_who_says_no_the_second_time_closes_nothing(
    under_way: Database, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([{"waiting": 9}])

    async def look(session: Any) -> Any:
        return replace(await command_look(session), **next(looks, {}))

    command_look = command.look_at_closing
    monkeypatch.setattr(command, "look_at_closing", look)
    assert "was not closed" in laocert("close", code=1, stdin="y\nn\n").stderr
    assert rounds(laocert) == [(2570, "open")]


@pytest.mark.usefixtures("under_way")
def test_closing_as_json(laocert: Run) -> None:
    refused = laocert("close", "--json", code=1)
    assert (refused.stdout, refused.stderr) == ("", UNASKED_AS_JSON.format("round 2570 was not closed"))
    assert json.loads(laocert("close", "--json", "--yes").stdout) == {
        "fiscal_year": 2570,
        "state": "closed",
        "closes_on": "2027-09-15",
        "opened_at": NOW.isoformat(),
        "closed_at": NOW.isoformat(),
        "ended": {"organizations": 5, "uncertified": 3, "waiting": 1, "petitions": 1},
    }


# --- opening the next ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("under_way")
def test_opening_wants_yes_where_it_ends_locks(laocert: Run) -> None:
    laocert("close", "--yes")
    refused = laocert("open", "--fiscal-year", "2571", code=1, stdin="y\n")
    assert refused.stdout.splitlines() == [
        "opening the next round ends what is left of round 2570, which cannot be reopened then",
        "registers whose lock ends: 2",
        "petitions that end without a decision: 1",
    ]
    assert refused.stderr == (
        "there is no terminal to ask at, and round 2571 was not opened; look at what is shown, then give --yes\n"
    )
    refused = laocert("open", "--fiscal-year", "2571", "--json", code=1)
    assert (refused.stdout, refused.stderr) == ("", UNASKED_AS_JSON.format("round 2571 was not opened"))
    # A round that cannot be opened is refused before the question.
    assert "was already held" in laocert("open", "--fiscal-year", "2570", code=1).stderr
    assert rounds(laocert) == [(2570, "closed")]
    opened = json.loads(laocert("open", "--fiscal-year", "2571", "--yes", "--json").stdout)
    assert (opened["fiscal_year"], opened["state"]) == (2571, "open")
    assert opened["ended"] == {"fiscal_year": 2570, "locked": 2, "petitions": 1}
    # Nothing was certified in this one.
    laocert("close", "--yes")
    assert laocert("open", "--fiscal-year", "2572").stdout == "round 2572 is open\n"


@pytest.mark.usefixtures("under_way", "terminal")
def test_opening_asks_where_it_ends_locks(laocert: Run) -> None:
    laocert("close", "--yes")
    refused = laocert("open", "--fiscal-year", "2571", code=1, stdin="n\n")
    assert "Open round 2571? [y/N]" in refused.stderr
    assert refused.stderr.splitlines()[-1] == "round 2571 was not opened"
    assert rounds(laocert) == [(2570, "closed")]
    laocert("open", "--fiscal-year", "2571", stdin="y\n")
    assert rounds(laocert) == [(2571, "open"), (2570, "closed")]


@pytest.mark.usefixtures("country")
def test_whoever_comes_second_reads_one_line(
    database_url: str, laocert: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another operator opens the round between the question and the answer."""
    laocert("close", "--yes")

    async def open_meanwhile() -> None:
        database = Database(database_url, KEYRING)
        async with database.write() as session:
            await open_round(session, 2572, None, NOW)
        await database.close()

    writing = command.writing

    def wait_and_write(operation: Any) -> Any:
        monkeypatch.setattr(command, "writing", writing)
        apart(open_meanwhile())
        return writing(operation)

    monkeypatch.setattr(command, "writing", wait_and_write)
    refused = laocert("open", "--fiscal-year", "2571", code=1)
    assert refused.stderr == "round 2572 is open; close it first: laocert round close\n"
    assert rounds(laocert) == [(2572, "open"), (2570, "closed")]


# --- undoing it ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("country")
def test_a_closing_is_undone_until_the_next_round_opens(laocert: Run) -> None:
    assert "round 2570 is open; only" in laocert("reopen", *BY, code=1).stderr
    laocert("close", "--yes")
    laocert("reopen", "--by", "สถ.", code=2)
    for by, reason in (("", BY[3]), (BY[1], "…"), (BY[1], "ก" * 1001)):
        refused = laocert("reopen", "--by", by, "--reason", reason, code=1)
        assert len(refused.stderr.splitlines()) == 1
    assert laocert("reopen", *BY).stdout == "round 2570 is open again, until 15/09/2570\n"
    listed = laocert("list").stdout
    assert "02/11/2569 09:30, สถ. กองบุคลากร: ปิดก่อนกำหนดโดยผิดพลาด" in listed
    (listed_round,) = json.loads(laocert("list", "--json").stdout)
    assert (listed_round["state"], listed_round["closed_at"]) == ("open", None)
    at = NOW.isoformat()
    assert listed_round["reopenings"] == [{"at": at, "by": BY[1], "reason": BY[3], "closed_at": at}]
    assert "is open; only" in laocert("reopen", *BY, code=1).stderr
    laocert("close", "--yes")
    laocert("open", "--fiscal-year", "2571")
    assert "round 2571 is open; only" in laocert("reopen", *BY, code=1).stderr
    assert rounds(laocert) == [(2571, "open"), (2570, "closed")]


@pytest.mark.usefixtures("country")
def test_reopening_as_json(laocert: Run) -> None:
    laocert("close", "--yes")
    reopened = json.loads(laocert("reopen", *BY, "--json").stdout)
    assert (reopened["state"], reopened["closes_on"], reopened["closed_at"]) == ("open", "2027-09-15", None)


@pytest.mark.usefixtures("country", "terminal")
def test_nothing_is_asked_that_cannot_be_recorded(laocert: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAOCERT_SECRET_KEY")
    for arguments in (("close",), ("open", "--fiscal-year", "2571"), ("reopen", *BY)):
        assert laocert(*arguments, code=1, stdin="y\n").stderr.startswith("LAOCERT_SECRET_KEY is not set")
