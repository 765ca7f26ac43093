"""What audit verify finds: rows that are not as they were recorded, whoever changed them."""

from datetime import datetime

import pytest
from sqlalchemy import text

from models.audit import event_chain
from models.certification.certificate import Certification, Level
from models.database.engine import Database
from models.rounds.round import close_round, open_round
from models.succession.word_keeping import keep_words
from models.verification.findings import KEYS_NAMED, Findings
from tests.models.audit.record import FIRST, SECOND, THIRD, checked, take_head, without_triggers
from tests.support import before_words, certify_as

TAMPERINGS: dict[str, str] = {
    "an event's words": f"UPDATE audit_event SET details = '{{}}' WHERE chain = '{FIRST}' AND number = 2",
    "an event's time": f"UPDATE audit_event SET at = '2026-01-01 00:00:00' WHERE chain = '{FIRST}' AND number = 3",
    "an event taken out": f"DELETE FROM audit_event WHERE chain = '{FIRST}' AND number = 4",
    "the last events cut off": f"DELETE FROM audit_event WHERE chain = '{FIRST}' AND number >= 5",
    "a whole chain": f"DELETE FROM audit_event WHERE chain = '{SECOND}'",
    "a certificate's number": "UPDATE certification SET officials = officials + 1 WHERE id = 1",
    "a certificate's signer": "UPDATE certification SET officer_name = 'คน อื่น' WHERE id = 2",
    "a certificate's name of its organization": "UPDATE certification SET organization_name = 'อื่น' WHERE id = 1",
    "a certificate's type": "UPDATE certification SET organization_type = 'อื่น' WHERE id = 1",
    "a certificate's district": "UPDATE certification SET district_th = 'อื่น' WHERE id = 1",
    "where a certificate was made": "UPDATE certification SET province_code = '12' WHERE id = 1",
    "a certificate's province": "UPDATE certification SET province_th = 'อื่น' WHERE id = 1",
    "a certificate's province in English": "UPDATE certification SET province_en = 'x' WHERE id = 1",
    "a certificate without its name": "UPDATE certification SET organization_name = NULL WHERE id = 1",
    "other words beside a certificate's own": "INSERT INTO certificate_words (certification_id, organization_name,"
    " organization_type, district_th, province_code, province_th, province_en, kept_at)"
    " VALUES (1, 'x', 'x', 'x', '11', 'x', 'x', '2026-11-02 00:00:00')",
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


# What was kept for certificates of before schema 0012, of which the first bears no words itself.
KEPT = "words of certificates, kept at 2026-11-02T02:30:00+00:00: the rows and their event do not agree"
KEPT_TAMPERINGS = {
    "UPDATE certificate_words SET organization_name = 'x' WHERE certification_id = 1": KEPT,
    "UPDATE certificate_words SET organization_type = 'x' WHERE certification_id = 1": KEPT,
    "UPDATE certificate_words SET district_th = 'x' WHERE certification_id = 1": KEPT,
    "UPDATE certificate_words SET province_code = '12' WHERE certification_id = 1": KEPT,
    "UPDATE certificate_words SET province_th = 'x' WHERE certification_id = 1": KEPT,
    "UPDATE certificate_words SET province_en = 'x' WHERE certification_id = 1": KEPT,
    "UPDATE certificate_words SET certification_id = 3 WHERE certification_id = 1": KEPT,
    "DELETE FROM certificate_words": KEPT,
    "UPDATE certificate_words SET kept_at = '2026-11-01 00:00:00'": KEPT,
    "DELETE FROM audit_event WHERE kind = 'words_kept'": KEPT,
    "UPDATE certification SET organization_name = 'x' WHERE id = 1": f"of {FIRST}: is not what was certified",
}


@pytest.mark.parametrize("statement", KEPT_TAMPERINGS)
async def test_tampering_with_the_words_of_older_certificates_is_found(
    country: Database, now: datetime, statement: str
) -> None:
    with before_words():
        for code, user in ((FIRST, 501), (SECOND, 502)):
            await certify_as(country, f"lao{code}", user, code, Level.LAO, now)
    async with country.write() as session:
        await keep_words(session, now)
    await certify_as(country, f"lao{THIRD}", 503, THIRD, Level.LAO, now)
    assert (await checked(country)).breaks == []
    await without_triggers(country, statement)
    breaks = (await checked(country)).breaks
    assert any(KEPT_TAMPERINGS[statement] in line for line in breaks), breaks


async def test_an_unrecorded_certificate_bears_no_words(country: Database, now: datetime) -> None:
    """It is from before the record, and so from before the words; no event would show that they were put there."""
    with before_words():
        await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await without_triggers(country, f"UPDATE certification SET audit_head = '{event_chain.UNRECORDED}'")
    await without_triggers(country, "DELETE FROM audit_event")
    found = await checked(country)
    assert (len(found.unrecorded), found.breaks) == (1, [])
    await without_triggers(country, "UPDATE certification SET organization_name = 'x'")
    (line,) = (await checked(country)).breaks
    assert line.endswith(f" of {FIRST}: is older than the words that it bears")


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
    assert line in (await checked(lived)).breaks


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
@pytest.mark.parametrize("kind", ["certified", "round_opened", "questioned", "words_kept"])
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
