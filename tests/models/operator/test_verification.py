"""What audit verify finds: rows that are not as they were recorded, whoever changed them."""

from datetime import datetime

import pytest
from sqlalchemy import text

from models.audit import event_chain
from models.certification.certificate import Certification, Level
from models.database.engine import Database
from models.operator.verification import KEYS_NAMED, Findings
from models.rounds.round import close_round, open_round
from tests.models.audit.record import FIRST, SECOND, checked, take_head, without_triggers
from tests.support import certify_as

TAMPERINGS: dict[str, str] = {
    "an event's words": f"UPDATE audit_event SET details = '{{}}' WHERE chain = '{FIRST}' AND number = 2",
    "an event's time": f"UPDATE audit_event SET at = '2026-01-01 00:00:00' WHERE chain = '{FIRST}' AND number = 3",
    "an event taken out": f"DELETE FROM audit_event WHERE chain = '{FIRST}' AND number = 4",
    "the last events cut off": f"DELETE FROM audit_event WHERE chain = '{FIRST}' AND number >= 5",
    "a whole chain": f"DELETE FROM audit_event WHERE chain = '{SECOND}'",
    "a certificate's number": "UPDATE certification SET officials = officials + 1 WHERE id = 1",
    "a certificate's signer": "UPDATE certification SET officer_name = 'คน อื่น' WHERE id = 2",
    "a record of a locked register": f"UPDATE personnel_record SET full_name = 'คน อื่น'"
    f" WHERE organization_code = '{SECOND}' AND record_no = '0002'",
    "a record out of a locked register": f"DELETE FROM personnel_record"
    f" WHERE organization_code = '{SECOND}' AND record_no = '0002'",
    "a reopening's reason": "UPDATE reopening SET reason = 'อื่น'",
    "an invented reopening": "INSERT INTO reopening (organization_code, round_id, revision, by_name, reason,"
    f" reopened_at) VALUES ('{SECOND}', 1, 1, 'x', 'x', '2026-11-02 00:00:00')",
    "a round that nobody opened": "INSERT INTO round (fiscal_year, state, opened_at)"
    " VALUES (2571, 'closed', '2026-11-02 00:00:00')",
    "a round that nobody closed": "UPDATE round SET state = 'closed', closed_at = '2026-11-02 00:00:00'",
    "a reopening of the round cut off": "DELETE FROM audit_event WHERE kind = 'round_reopened'",
    "another year for the round": "UPDATE round SET fiscal_year = 2569",
    "a petition's words": "UPDATE remark SET body = 'อื่น' WHERE kind = 'petition'",
    "a question's words": "UPDATE remark SET body = 'อื่น' WHERE kind = 'question'",
    "a question's subject": "UPDATE remark SET about = 'whole' WHERE kind = 'question'",
    "an answer's words": "UPDATE remark SET body = 'อื่น' WHERE kind = 'answer'",
    "an answer taken out": "DELETE FROM remark WHERE kind = 'answer'",
    "who reopened": "UPDATE reopening SET by_name = 'x'",
    "when it was reopened": "UPDATE reopening SET reopened_at = '2026-11-02 00:00:00'",
    "what revision was reopened": "UPDATE reopening SET revision = 99",
    "when a question was asked": "UPDATE remark SET made_at = '2026-11-02 00:00:00' WHERE kind = 'question'",
    "who asked a question": "UPDATE remark SET officer_id = NULL WHERE kind = 'question'",
    "who decided": "UPDATE remark SET author = 'x' WHERE kind = 'decision'",
    "a remark of no kind": "UPDATE remark SET kind = 'x' WHERE kind = 'question'",
    "the last day of a round": "UPDATE round SET closes_on = '2099-01-01'",
    "when a round was opened": "UPDATE round SET opened_at = '2020-01-01 00:00:00'",
}


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS.keys())
async def test_tampering_is_found(lived: Database, now: datetime, statement: str) -> None:
    head = await take_head(lived, now)
    await without_triggers(lived, statement)
    assert (await checked(lived, head)).breaks


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE round SET id = 99 WHERE fiscal_year = 2570", "round 2570: is numbered after round 2571"),
        ("DELETE FROM round WHERE fiscal_year = 2570", "round 2570: was recorded and is gone"),
        ("UPDATE round SET fiscal_year = 2580 WHERE fiscal_year = 2570", "round 2580: no event records"),
    ],
)
async def test_another_newest_round_is_found(
    country: Database, now: datetime, statement: str, finding: str
) -> None:
    """The registers of the round before are locked no more then, so that nothing else of them is looked at."""
    async with country.write() as session:
        await close_round(session, now)
    async with country.write() as session:
        await open_round(session, 2571, None, now)
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    assert (await checked(country)).breaks == []
    await without_triggers(country, statement)
    assert any(finding in line for line in (await checked(country)).breaks)


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        (
            "UPDATE round SET state = 'open', closed_at = NULL",
            "round 2570: is not closed as its last event left it",
        ),
        (
            "UPDATE round SET closed_at = '2026-11-02 00:00:00'",
            "round 2570: is not closed as its last event left it",
        ),
    ],
)
async def test_a_round_that_nobody_reopened_is_found(
    lived: Database, now: datetime, statement: str, line: str
) -> None:
    """By plain SQL, which the round's state is not kept from."""
    async with lived.write() as session:
        await close_round(session, now)
    assert (await checked(lived)).breaks == []
    async with lived.write() as session:
        await session.execute(text(statement))
    assert (await checked(lived)).breaks == [line]


def unrecorded_certificate() -> str:
    """A copy of the first certificate, marked as migration 0002 marks those from before there was a record."""
    columns = {column.name: column.name for column in Certification.core().columns if column.name != "id"}
    values = columns | {"revision": "7", "code": "'F0RGED0001'", "audit_head": f"'{event_chain.UNRECORDED}'"}
    return (
        f"INSERT INTO certification ({', '.join(columns)})"
        f" SELECT {', '.join(values.values())} FROM certification WHERE id = 1"
    )


async def test_a_certificate_said_to_be_older_than_the_record_hides_nothing(lived: Database) -> None:
    """By plain SQL: its round was opened when there was a record, so nothing in it is older."""
    async with lived.write() as session:
        await session.execute(text(unrecorded_certificate()))
        await session.execute(text("UPDATE round SET state = 'closed'"))
        await session.execute(
            text("INSERT INTO round (fiscal_year, state, opened_at) VALUES (2599, 'open', '2026-11-02 00:00:00')")
        )
    breaks = (await checked(lived)).breaks
    assert "certificate F0RGED0001 of " in "\n".join(breaks)
    assert "round 2599: no event records that it was opened" in breaks


@pytest.mark.parametrize("details", ['{"certificate": {"id": "abc"}}', "[]", "1", "[" * 100_000, "no JSON"])
@pytest.mark.parametrize("kind", ["certified", "round_opened", "questioned"])
async def test_an_event_that_nobody_can_read_is_a_break(lived: Database, kind: str, details: str) -> None:
    async with lived.write() as session:
        await session.execute(
            text(
                "INSERT INTO audit_event (chain, number, kind, at, details, key_id, mac)"
                " VALUES (:chain, 99, :kind, '2026-11-02 00:00:00', :details, 'x', 'x')"
            ),
            {"chain": event_chain.SYSTEM, "kind": kind, "details": details},
        )
    assert (await checked(lived)).breaks


async def test_all_is_looked_at_and_well_where_nobody_changed_anything(lived: Database) -> None:
    found = await checked(lived)
    assert (found.certificates, found.rosters, found.breaks, found.unrecorded) == (3, 1, [], [])
    assert found.events > 10
    assert found.is_well
    assert found.unchecked == ""


async def test_what_was_changed_is_named(lived: Database) -> None:
    await without_triggers(lived, "UPDATE certification SET officials = officials + 1 WHERE id = 3")
    (line,) = (await checked(lived)).breaks
    assert line.startswith("certificate ")
    assert line.endswith(f" of {SECOND}: is not what was certified")
    await without_triggers(lived, "DELETE FROM certification WHERE id = 3")
    assert (await checked(lived)).breaks == ["certificate 3: was recorded and is gone"]


async def test_a_register_that_is_not_locked_may_be_changed(lived: Database) -> None:
    """That of the first was reopened, the second is certified."""
    name = "UPDATE personnel_record SET full_name = 'คน อื่น' WHERE organization_code = "
    await without_triggers(lived, f"{name}'{FIRST}'")
    assert (await checked(lived)).breaks == []
    await without_triggers(lived, f"{name}'{SECOND}'")
    (line,) = (await checked(lived)).breaks
    assert line.startswith(f"roster of {SECOND}: is not what certificate ")


def test_events_under_unknown_keys_are_told_in_one_line_and_are_not_well() -> None:
    assert Findings(events=9).is_well
    found = Findings(events=9, unknown_keys={f"key{number}": number for number in range(1, KEYS_NAMED + 3)})
    assert not found.is_well
    assert found.unchecked.startswith("28 of 9 events cannot be checked")
    # The most frequent are named, and how many more there are.
    assert "7 with key key7, 6 with key key6" in found.unchecked
    assert "key2" not in found.unchecked
    assert " and 2 keys more)" in found.unchecked


def test_what_somebody_wrote_for_a_key_is_cut_and_made_harmless() -> None:
    line = Findings(events=1, unknown_keys={"\x1b[31mรหัส" + "x" * 99: 1}).unchecked
    assert line.isascii()
    assert "\x1b" not in line
    assert "x" * 20 not in line
