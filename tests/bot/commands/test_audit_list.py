"""The record is read in plain words: `laocert audit list` and `laocert audit show`."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cli import cli
from bot.commands.event_words import SENTENCES, sentence
from models.accounts.account import record_refusal
from models.audit.event_chain import Event
from models.audit.reading import Entry, Wanted, read_events
from models.database.engine import Database
from tests.conftest import NOW
from tests.models.audit.record import FIRST, SECOND, live
from tests.support import SECRET_KEY, link

Run = Callable[..., Result]
LATER = NOW + timedelta(days=3)


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command on the test's database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, ("audit", *arguments), prog_name="laocert")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
async def recorded(country: Database) -> Database:
    """A country in which much has happened, and a stranger's refusal three days later."""
    await live(country, NOW)
    async with country.write() as session:
        await record_refusal(session, None, 777, "verify", LATER)
    await country.close()
    return country


def listed(laocert: Run, *arguments: str) -> list[dict[str, object]]:
    facts: dict[str, list[dict[str, object]]] = json.loads(laocert("list", "--json", *arguments).stdout)
    return facts["events"]


def test_what_happened_is_told_in_sentences_the_newest_first(recorded: Database, laocert: Run) -> None:
    lines = laocert("list").stdout.splitlines()
    assert lines[0].endswith(
        "05/11/2569 09:30  system: chat 777, which is not linked, tried what it has no right to: verify"
    )
    (made,) = [line for line in lines if f"{SECOND} อบต.บางปู: ทดสอบ ลงนาม" in line]
    assert "(ปลัด, officer 3) certified for the organization: 12 officials, 3 permanent and 5 contract" in made
    assert any("11 จังหวัดสมุทรปราการ: officer 2 has chosen a PIN" in line for line in lines)


def test_it_is_narrowed_to_whom_it_concerns_what_it_is_and_when(recorded: Database, laocert: Run) -> None:
    assert {event["chain"] for event in listed(laocert, "--organization", FIRST)} == {FIRST}
    assert {event["kind"] for event in listed(laocert, "--province", "11")} >= {"login", "pin_set"}
    assert {event["kind"] for event in listed(laocert, "--event", "Certified")} == {"certified"}
    of_officer = listed(laocert, "--officer", "3")
    assert (of_officer[0]["kind"], of_officer[-1]["kind"]) == ("certified", "login")
    assert {event["chain"] for event in of_officer} == {SECOND}
    for since in ("2026-11-05", "2569-11-05", "๒๕๖๙-๑๑-๐๕"):
        assert [event["kind"] for event in listed(laocert, "--since", since)] == ["refused"]
    assert "refused" not in {event["kind"] for event in listed(laocert, "--until", "2026-11-04")}
    assert laocert("list", "--event", "broadcast").stdout == "no such event was recorded\n"


def test_only_the_newest_are_listed(recorded: Database, laocert: Run) -> None:
    shown = laocert("list", "--limit", "2")
    assert len(shown.stdout.splitlines()) == 2
    assert "there are older ones; --limit shows up to 10,000" in shown.stderr
    assert json.loads(laocert("list", "--limit", "2", "--json").stdout)["has_more"] is True
    laocert("list", "--limit", "0", code=2)
    laocert("list", "--limit", "10001", code=2)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--organization", "9999999"), "there is no organization 9999999"),
        (("--province", "99"), "99"),
        (("--officer", "99"), "there is no officer 99; see: laocert account links USERNAME --all"),
        (("--event", "certifed"), "there is no kind of event certifed; there are: login, login_failed, "),
        (("--since", "yesterday"), "yesterday is not a day; write YYYY-MM-DD"),
        (("--until", "2026-02-30"), "2026-02-30 is not a day"),
        (("--since", "2026-11-05", "--until", "2569-11-04"), "--since 2026-11-05 is after --until 2026-11-04"),
    ],
)
def test_what_cannot_be_asked_for_is_said(
    recorded: Database, laocert: Run, arguments: tuple[str, ...], line: str
) -> None:
    assert line in laocert("list", *arguments, code=1).stderr


def test_one_chain_at_a_time(recorded: Database, laocert: Run) -> None:
    assert "not both" in laocert("list", "--organization", FIRST, "--province", "11", code=2).stderr


def test_one_event_is_shown_whole(recorded: Database, laocert: Run) -> None:
    (newest,) = listed(laocert, "--limit", "1")
    whole = laocert("show", str(newest["id"])).stdout
    assert whole == laocert("show", f"system/{newest['number']}").stdout
    assert whole.startswith(f"event {newest['id']}, of 05/11/2569 09:30: chat 777, which is not linked")
    assert "  what: verify\n" in whole
    assert "  hash: " in whole
    assert json.loads(laocert("show", str(newest["id"]), "--json").stdout)["details"]["user"] == 777
    for unknown in ("99999", f"{FIRST}/99", "x", "1/", "-1", "9" * 30):
        assert "there is no event" in laocert("show", "--", unknown, code=1).stderr


async def test_an_officer_of_another_number_is_not_meant(country: Database) -> None:
    """Officer 1 is not in what tells of officer 11."""
    async with country.write() as session:
        for number in range(11):
            await link(session, f"lao{FIRST}", 500 + number, NOW)
        entries = await read_events(session, Wanted(officer_id=1), 50)
    assert [entry.details["officer"] for entry in entries] == [1, 1]


# --- the sentences ------------------------------------------------------------------------------------------


def entry(kind: str, details: dict[str, object]) -> Entry:
    return Entry(1, "system", 1, kind, NOW, details, "x", "x", None)


def test_every_kind_has_a_sentence() -> None:
    assert set(Event) <= SENTENCES.keys()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda within: st.lists(within, max_size=3) | st.dictionaries(st.text(max_size=5), within, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["by", "certificate", "description", "heads", "officers", "records", "mark", "expires_at"])


@pytest.mark.parametrize("kind", [*Event, "of a newer release"])
@settings(max_examples=25)
@given(details=st.dictionaries(names | st.text(max_size=10), values, max_size=6))
def test_whatever_somebody_wrote_there_is_one_line(kind: str, details: dict[str, object]) -> None:
    told = sentence(entry(kind, details))
    assert told
    assert told.isprintable()
