"""`laocert outbox list` and `retry`: receivers, states and reasons, without names."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import cli
from models.database.engine import Database
from models.notices import outbox, reachability, sending
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests.conftest import NOW, apart
from tests.support import ORGANIZATIONS, SECRET_KEY, link

CODE = ORGANIZATIONS[0][0]
REASON = "Forbidden: bot was blocked by the user"
Run = Callable[..., Result]


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    monkeypatch.setattr("bot.commands.outbox.now", lambda: NOW + timedelta(hours=1))

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, ["outbox", *arguments], prog_name="laocert")
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
async def queued(country: Database) -> Database:
    """One sent and one dead to an organization's officer, one dead to a province's, one waiting for nobody."""
    async with country.write() as session:
        await link(session, f"lao{CODE}", 501, NOW)
        await link(session, "province11", 601, NOW)
        for kind, chat in (
            (NoticeKind.RECEIPT, 501),
            (NoticeKind.REOPENED, 501),
            (NoticeKind.REOPENED, 601),
            (NoticeKind.PETITIONED, -7),
        ):
            outbox.enqueue(session, kind, chat, 1, NOW)
        await session.flush()
        await sending.mark_sent(session, 1, 77, NOW)
        for number in (2, 3):
            row = await session.get_one(OutboxMessage, number)
            await sending.mark_ended(session, row, State.DEAD, REASON)
    await country.close()
    return country


def test_what_became_of_each_message(queued: Database, laocert: Run) -> None:
    output = laocert("list").output
    assert output.startswith("1 pending · 0 sending · 1 sent · 0 uncertain · 2 dead · 0 dropped · 0 held\n")
    rows = [line.split() for line in output.splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("4", "petitioned"),
        ("3", "reopened"),
        ("2", "reopened"),
        ("1", "receipt"),
    ]
    assert "a chat without an officer" in output
    assert "province11, officer 2" in output
    assert REASON in output
    assert "501" not in output.replace("5110201", "")
    assert "ทดสอบ" not in output


def test_narrowed_for_another_program(queued: Database, laocert: Run) -> None:
    def numbers(*arguments: str) -> list[int]:
        listing = json.loads(laocert("list", "--json", *arguments).output)
        return [message["number"] for message in listing["messages"]]

    assert numbers("--limit", "2") == [4, 3]
    assert numbers("--state", "dead") == [3, 2]
    assert numbers("--account", "province11") == [3]
    assert numbers("--organization", CODE) == [2, 1]
    assert numbers("--organization", CODE, "--state", "sent") == [1]
    listing = json.loads(laocert("list", "--json", "--account", f"lao{CODE}").output)
    assert (listing["counts"]["sent"], listing["counts"]["dead"]) == (1, 1)
    assert listing["messages"][0] == {
        "number": 2,
        "kind": "reopened",
        "account": f"lao{CODE}",
        "officer": 1,
        "created_at": NOW.isoformat(),
        "due_at": NOW.isoformat(),
        "sent_at": None,
        "tries": 1,
        "state": "dead",
        "reason": REASON,
    }
    assert "there is no account nobody" in laocert("list", "--account", "nobody", code=1).output
    assert "do not go together" in laocert("list", "--account", "a", "--organization", "b", code=2).output


def test_dead_ones_are_tried_once_more_all_or_none(queued: Database, laocert: Run) -> None:
    assert "message 1 is sent, not dead" in laocert("retry", "2", "1", code=1).output
    assert "there is no message 9" in laocert("retry", "2", "9", code=1).output
    apart(_lost(queued))
    refused = laocert("retry", "2", "3", code=1).output
    assert f"the chat of message 3 cannot be reached: {REASON}" in refused
    assert numbers_of(laocert, "dead") == [3, 2]
    assert laocert("retry", "2").output == "1 messages will be sent\n"
    assert numbers_of(laocert, "dead") == [3]
    (again,) = json.loads(laocert("list", "--json", "--account", f"lao{CODE}", "--state", "pending").output)[
        "messages"
    ]
    assert (again["number"], again["tries"], again["reason"]) == (2, 0, None)
    assert again["due_at"] == (NOW + timedelta(hours=1)).isoformat()


def numbers_of(laocert: Run, state: str) -> list[int]:
    return [
        message["number"] for message in json.loads(laocert("list", "--json", "--state", state).output)["messages"]
    ]


async def _lost(database: Database) -> None:
    async with database.write() as session:
        await reachability.lose(session, 601, REASON, NOW, None)
    await database.close()
