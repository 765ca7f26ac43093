"""The record: events bound to one another, heads, and what `audit verify` finds."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.audit import event_chain
from models.certification.certificate import Certification, Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.operator.closing import reopen_round
from models.operator.verification import Findings, verify
from models.remarks.petition import decide, petition
from models.remarks.question import answer, ask
from models.rounds.round import close_round, open_round
from models.schema import sqlite_triggers
from models.security.keys import Keyring
from tests.support import KEYRING, ORGANIZATIONS, certify_as, link

FIRST, SECOND, THIRD = (code for code, *_ in ORGANIZATIONS[:3])
REASON = "พบข้อมูลซ้ำหนึ่งรายการ"


async def checked(database: Database, head: str | None = None) -> Findings:
    async with database.read() as session:
        return await verify(session, head)


async def take_head(database: Database, now: datetime) -> str:
    async with database.write() as session:
        return await event_chain.take_head(session, now)


@pytest.fixture
async def lived(country: Database, now: datetime) -> Database:
    """Two organizations certified, one of them by its province too and reopened on its petition; a third asked.
    The round was closed and reopened.
    """
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        asked = await petition(session, officer, "ขอแก้ไขจำนวนพนักงานจ้าง", now, None)
        await decide(session, asked.id, granted=True, by="ผู้ดูแล", reason=REASON, now=now)
        province = await link(session, "province11", 601, now)
        question = await ask(session, province, THIRD, "official", "เหตุใดจำนวนจึงลดลง", now)
        await answer(session, await link(session, f"lao{THIRD}", 503, now), question.id, "เกษียณสองราย", now)
        await close_round(session, now)
        await reopen_round(session, "ผู้ดูแล", REASON, now)
    return country


async def test_what_happened_stands_in_the_chains(lived: Database) -> None:
    async with lived.read() as session:
        kinds = list(
            await session.scalars(
                text("SELECT kind FROM audit_event WHERE chain = :chain ORDER BY number").bindparams(chain=FIRST)
            )
        )
    assert kinds == ["login", "certified", "certified", "petitioned", "decided", "reopened"]


async def test_all_is_well_with_and_without_a_head(lived: Database, now: datetime) -> None:
    head = await take_head(lived, now)
    await certify_as(lived, f"lao{THIRD}", 503, THIRD, Level.LAO, now)
    later = await take_head(lived, now + timedelta(days=1))
    for filed in (None, head, later):
        found = await checked(lived, filed)
        assert found.breaks == []
    assert (found.certificates, found.rosters) == (4, 2)
    assert head != later


async def test_heads_are_taken_while_others_record(lived: Database, now: datetime) -> None:
    async def happen(number: int) -> None:
        async with lived.write() as session:
            chain = event_chain.SYSTEM if number % 2 else FIRST
            await event_chain.record(session, event_chain.Event.REFUSED, chain, now, number=number)

    heads = await asyncio.gather(
        *(take_head(lived, now) if number % 3 == 0 else happen(number) for number in range(30))
    )
    for head in heads:
        if head is not None:
            assert (await checked(lived, head)).breaks == []


async def test_a_wrong_head_does_not_fit(lived: Database, now: datetime) -> None:
    head = await take_head(lived, now)
    number, _, digest = head.partition("-")
    for other in (f"{int(number) - 1}-{digest}", f"{number}-{'0' * 32}", "nonsense"):
        assert len((await checked(lived, other)).breaks) == 1


async def test_a_changed_key_opens_what_the_old_one_made(lived: Database, now: datetime) -> None:
    head = await take_head(lived, now)
    rotated = Database(
        lived.url.render_as_string(hide_password=False), Keyring("another key " * 4, (KEYRING.current,))
    )
    await certify_as(rotated, f"lao{THIRD}", 503, THIRD, Level.LAO, now)
    assert (await checked(rotated, head)).is_well
    await rotated.close()
    lost = Database(lived.url.render_as_string(hide_password=False), Keyring("another key " * 4))
    findings = await checked(lost, head)
    assert (findings.breaks, findings.unknown_keys.keys()) == ([], {KEYRING.current_id})
    assert "LAOCERT_OLD_SECRET_KEYS" in findings.unchecked
    await lost.close()


@pytest.mark.parametrize("table", ["audit_event", "reopening", "remark"])
@pytest.mark.parametrize("change", ["UPDATE {table} SET id = id + 1000", "DELETE FROM {table}"])
async def test_the_record_is_append_only(lived: Database, table: str, change: str) -> None:
    with pytest.raises(DBAPIError, match="never changed"):
        async with lived.write() as session:
            await session.execute(text(change.format(table=table)))


async def without_triggers(database: Database, statement: str) -> None:
    """What somebody can do who may drop triggers; they are there again afterwards."""
    async with database.engine.begin() as connection:
        await _toggle(connection, database, "DISABLE")
        await connection.execute(text(statement))
        await _toggle(connection, database, "ENABLE")


async def _toggle(connection: AsyncConnection, database: Database, what: str) -> None:
    if not database.is_sqlite:
        for table in (
            "audit_event",
            "certification",
            "reopening",
            "remark",
            "personnel_record",
            "roster",
            "round",
        ):
            await connection.execute(text(f"ALTER TABLE {table} {what} TRIGGER USER"))
    elif what == "DISABLE":
        for name in sqlite_triggers.SQLITE:
            await connection.execute(text(f"DROP TRIGGER {name}"))
    else:
        for statement in sqlite_triggers.definitions().values():
            await connection.exec_driver_sql(statement)


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
        await session.execute(
            text(
                "INSERT INTO round (fiscal_year, state, opened_at) VALUES (2599, 'closed', '2026-11-02 00:00:00')"
            )
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


async def test_a_chain_made_anew_without_the_key_is_found(lived: Database, now: datetime) -> None:
    """Somebody removes an event and renumbers what follows: the hashes do not fit."""
    await without_triggers(lived, f"DELETE FROM audit_event WHERE chain = '{FIRST}' AND number = 2")
    await without_triggers(
        lived, f"UPDATE audit_event SET number = number - 1 WHERE chain = '{FIRST}' AND number = 3"
    )
    assert any("event 2: was changed" in line for line in (await checked(lived)).breaks)


async def test_nothing_recorded_without_the_key(lived: Database, now: datetime) -> None:
    keyless = Database(lived.url.render_as_string(hide_password=False))
    with pytest.raises(event_chain.KeyMissing, match="LAOCERT_SECRET_KEY"):
        async with keyless.write() as session:
            await reopen(session, SECOND, "x", REASON, now)
    await keyless.close()
