"""`laocert broadcast`: the preview and its question, what is queued, and following the sending."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, update

from bot.cli import cli
from bot.commands import broadcast
from bot.commands.broadcast import FollowTimes
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests.conftest import NOW, apart
from tests.support import KEYRING, SECRET_KEY, link

WORDS = "ปิดระบบ <คืนนี้> 22.00 น."
Run = Callable[..., Result]


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command on the test's database, with the test's clock."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    monkeypatch.setattr(broadcast, "now", lambda: NOW)
    (tmp_path / "words.txt").write_text(WORDS, encoding="utf-8")

    def run(*arguments: str, code: int = 0, stdin: str | None = None, times: FollowTimes | None = None) -> Result:
        result = CliRunner().invoke(cli, ("broadcast", *arguments), input=stdin, prog_name="laocert", obj=times)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
async def linked(country: Database) -> None:
    """Three officers of organizations and one of a province; no connection to the database is open."""
    async with country.write() as session:
        for username, user in (("lao5110201", 501), ("lao5110201", 502), ("lao6110301", 503), ("province11", 601)):
            await link(session, username, user, NOW)
    await country.close()


@pytest.fixture
def ends(database_url: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[int, dict[str, object]]]:
    """Changes to the outbox, as {chat: {column: value}}: one is applied before each read of the command."""
    changes: list[dict[int, dict[str, object]]] = []

    async def change(values_by_chat: dict[int, dict[str, object]]) -> None:
        database = Database(database_url, KEYRING)
        async with database.write() as session:
            for chat, values in values_by_chat.items():
                await session.execute(update(OutboxMessage).where(OutboxMessage.chat_id == chat).values(**values))
        await database.close()

    async def sleep(_seconds: float) -> None:
        if not changes:
            raise KeyboardInterrupt
        apart(change(changes.pop(0)))

    monkeypatch.setattr(broadcast.asyncio, "sleep", sleep)
    return changes


def queued(database_url: str) -> int:
    async def look() -> int:
        database = Database(database_url)
        async with database.read() as session:
            count = await session.scalar(select(func.count()).where(OutboxMessage.kind == NoticeKind.BROADCAST))
        await database.close()
        return count or 0

    return asyncio.run(look())


SENT: dict[str, object] = {"state": State.SENT}
BLOCKED: dict[str, object] = {"state": State.DEAD, "error": "Forbidden: bot was blocked by the user"}
SEND = ("--to", "lao", "--text-file", "words.txt")


@pytest.mark.usefixtures("linked")
def test_it_is_shown_queued_and_followed_to_its_end(
    laocert: Run, ends: list[dict[int, dict[str, object]]]
) -> None:
    ends += [{501: SENT}, {502: BLOCKED, 503: SENT}]
    result = laocert(*SEND, "--yes")
    message = f"📢 ประกาศจากผู้ดูแลระบบ\n\n{WORDS}\n"
    assert message in result.stdout
    assert "to lao: 3 chats of role lao" in result.stdout
    assert result.stdout.endswith("delivered 2, unreachable 1, dead 0, waiting 0\n")
    assert not ends
    facts = {"chats": 3, "delivered": 2, "unreachable": 1, "dead": 0, "waiting": 0, "put_off": 0}
    reported = json.loads(laocert("--report", "--json").stdout)
    assert reported == {"id": 1, "audience": "lao", "made_at": NOW.isoformat(), **facts}
    assert "announcement 1 to lao" in laocert("--report", "1").stdout
    assert "there is no announcement 2" in laocert("--report", "2", code=1).stderr
    assert "--again" in laocert(*SEND, "--yes", code=1).stderr
    ends += [dict.fromkeys((501, 502, 503), SENT)]
    again = json.loads(laocert(*SEND, "--yes", "--again", "--json").stdout)
    assert (again["id"] > 1, again["delivered"]) == (True, 3)


@pytest.mark.usefixtures("linked")
def test_without_a_terminal_and_yes_nothing_is_queued(laocert: Run, database_url: str) -> None:
    result = laocert(*SEND, code=1, stdin="y\n")
    assert WORDS in result.stdout
    assert "--yes" in result.stderr
    as_json = laocert(*SEND, "--json", code=1, stdin="y\n")
    assert (as_json.stdout, len(as_json.stderr.splitlines())) == ("", 1)
    assert queued(database_url) == 0


@pytest.mark.usefixtures("linked", "terminal")
def test_on_a_terminal_it_asks(laocert: Run, database_url: str, ends: list[dict[int, dict[str, object]]]) -> None:
    for answer in ("n\n", "\n", ""):
        assert laocert(*SEND, code=1, stdin=answer).stderr.splitlines()[-1] == "nothing was queued"
        assert queued(database_url) == 0
    ends += [{601: SENT}]
    result = laocert("--to", "province:11", "--text-file", "words.txt", stdin="y\n")
    assert "Send it to 1 chats?" in result.stderr
    assert "delivered 1, unreachable 0, dead 0, waiting 0" in result.stdout


@pytest.mark.usefixtures("linked")
def test_an_interrupt_leaves_the_rest_to_the_bot(
    laocert: Run, database_url: str, ends: list[dict[int, dict[str, object]]]
) -> None:
    ends += [{501: SENT}]
    result = laocert(*SEND, "--yes")
    assert "laocert broadcast --report 1" in result.stderr
    assert "delivered 1, unreachable 0, dead 0, waiting 2" in result.stdout
    assert queued(database_url) == 3


@pytest.mark.usefixtures("linked")
def test_when_nothing_moves_it_asks_once_whether_the_bot_runs(
    laocert: Run, ends: list[dict[int, dict[str, object]]]
) -> None:
    ends += [{}, {}, {501: SENT, 502: SENT, 503: SENT}]
    result = laocert(*SEND, "--yes", times=FollowTimes(still=0.0))
    assert result.stderr.count("is laocert run running?") == 1
    assert "delivered 3" in result.stdout
    # Stderr is no terminal, and no program sends: the command must not wait for ever.
    times = FollowTimes(still=0.0, give_up=0.0)
    assert "waiting 3" in laocert(*SEND, "--yes", "--again", times=times).stdout


@pytest.mark.usefixtures("linked")
def test_what_waits_for_the_end_of_quiet_hours_is_not_waited_for(
    laocert: Run, ends: list[dict[int, dict[str, object]]]
) -> None:
    later: dict[str, object] = {"due_at": NOW.replace(hour=23)}
    ends += [{501: SENT, 502: later, 503: later}]
    result = laocert(*SEND, "--yes")
    assert "waiting 2 (2 of them for the end of quiet hours or a pause)" in result.stdout
    assert "see later: laocert broadcast --report 1" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "--to and --text-file, or --report"),
        (("--to", "lao"), 2, "--to and --text-file"),
        (("--to", "lao:11", "--text-file", "words.txt"), 2, "is no audience"),
        (("--report", "--to", "lao"), 2, "--report sends nothing"),
        (("--to", "lao", "--text-file", "none.txt", "--yes"), 1, "none.txt cannot be read"),
        (("--to", "lao", "--text-file", "empty.txt", "--yes"), 1, "the text is empty"),
        (("--to", "lao", "--text-file", "words.txt", "--yes"), 1, "nobody is linked to lao"),
        (("--to", "province:99", "--text-file", "words.txt", "--yes"), 1, "there is no province 99"),
        (("--report",), 1, "nothing was announced yet"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("country")
def test_what_is_refused(laocert: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    assert says in laocert(*arguments, code=code).stderr


@pytest.mark.usefixtures("linked")
def test_the_unreached_are_listed(laocert: Run) -> None:
    def status(*arguments: str) -> str:
        result = CliRunner().invoke(cli, ("status", "--unreached", *arguments), prog_name="laocert")
        assert result.exit_code == 0, result.output
        return result.stdout

    unreached = json.loads(status("--json"))
    assert [organization["organization"] for organization in unreached] == ["6110303", "6110302", "6120401"]
    assert unreached[0] == {
        "organization": "6110303",
        "name": "อบต.เทพารักษ์",
        "district": "บางพลี",
        "province": "11",
        "why": "nobody_linked",
    }
    assert [organization["organization"] for organization in json.loads(status("--province", "๑๒", "--json"))] == [
        "6120401"
    ]
    assert "อบต.ไทรม้า" in status()
    assert "nobody linked" in status()
