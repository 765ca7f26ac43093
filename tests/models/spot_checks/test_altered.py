"""A spot-check that somebody has written into the database: neither handing it in nor certifying rests on it."""

import json
import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from models.audit.event_chain import PURPOSE, AuditEvent, Event, event_mac, record
from models.audit.replay import RecordBroken
from models.certification.certificate import Certification, Level
from models.certification.certify import Demands, certify, prepare_confirmation
from models.certification.review import review
from models.certification.spot_check import Mark, SpotCheckAltered
from models.database.engine import Database
from models.security.keys import Keyring
from models.spot_checks.spot_checking import draw, hand_in
from tests.models.audit.record import checked, without_triggers
from tests.models.certification.spot_checks import OPEN, OPERATOR, SIZE, WAITING, failed, marked, press, province
from tests.support import KEYRING, certify_as

RIGHT = (Mark.CORRECT, Mark.CORRECT, Mark.CORRECT)
WRONG = (Mark.CORRECT, Mark.INCORRECT, Mark.CORRECT)


@pytest.fixture
async def waiting(country: Database, now: datetime) -> Database:
    """An organization that has certified and waits for its province."""
    await certify_as(country, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    return country


async def hash_again(database: Database) -> None:
    """Give the events of WAITING good hashes, as if they had been recorded so."""
    key, previous = KEYRING.key(PURPOSE, KEYRING.current_id), ""
    assert key is not None
    async with database.read() as session:
        rows = await session.execute(
            select(AuditEvent.core()).where(AuditEvent.chain == WAITING).order_by(AuditEvent.number)
        )
        events = [dict(row._mapping) for row in rows]
    for number, event in enumerate(events, 1):
        previous = event_mac(key, previous, event | {"number": number})
        await without_triggers(
            database, f"UPDATE audit_event SET number = {number}, mac = '{previous}' WHERE id = {event['id']}"
        )


ALTERED = {
    "a mark": "UPDATE spot_check_item SET mark = 'correct', note = NULL WHERE place = 2",
    "another's mark": "UPDATE spot_check_item SET officer_id = 1 WHERE place = 1",
    "the time of a mark": "UPDATE spot_check_item SET marked_at = '2026-11-01 00:00:00' WHERE place = 1",
    "a record": "UPDATE spot_check_item SET record_no = '9999' WHERE place = 1",
    "the seed": "UPDATE spot_check SET seed = 'x'",
    "who drew": "UPDATE spot_check SET officer_id = 1",
    "when it was drawn": "UPDATE spot_check SET drawn_at = '2026-11-01 00:00:00'",
    "the newest events": "DELETE FROM audit_event WHERE kind = 'marked'",
    "a record less": "DELETE FROM spot_check_item WHERE place = 3",
}


@pytest.mark.parametrize("statement", ALTERED.values(), ids=ALTERED.keys())
async def test_what_was_altered_is_not_handed_in(waiting: Database, now: datetime, statement: str) -> None:
    check = await marked(waiting, now, *WRONG)
    await without_triggers(waiting, statement)
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(SpotCheckAltered):
            await hand_in(session, officer, WAITING, check, now, OPERATOR)
    assert (await checked(waiting)).breaks


BROKEN = {
    "the event of the draw": "DELETE FROM audit_event WHERE kind = 'drawn'",
    "an event that was written without the key": "UPDATE audit_event SET details = replace(details, 'incorrect',"
    " 'correct') WHERE kind = 'marked'",
    "the kind of the event of a mark": "UPDATE audit_event SET kind = 'x' WHERE kind = 'marked'",
}


@pytest.mark.parametrize("statement", BROKEN.values(), ids=BROKEN.keys())
async def test_nothing_is_handed_in_on_a_record_that_was_altered(
    waiting: Database, now: datetime, statement: str
) -> None:
    check = await marked(waiting, now, *WRONG)
    await without_triggers(waiting, statement)
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(RecordBroken, match=WAITING):
            await hand_in(session, officer, WAITING, check, now, OPERATOR)
    assert (await checked(waiting)).breaks


async def test_a_spot_check_that_was_deleted_is_not_drawn_again(waiting: Database, now: datetime) -> None:
    await failed(waiting, now)
    await without_triggers(waiting, "DELETE FROM spot_check_item")
    await without_triggers(waiting, "DELETE FROM spot_check")
    with pytest.raises(SpotCheckAltered):
        await marked(waiting, now, *RIGHT)
    assert "spot-check 1: was recorded and is gone" in (await checked(waiting)).breaks


async def test_nothing_is_drawn_from_a_register_that_was_not_certified(waiting: Database, now: datetime) -> None:
    await without_triggers(
        waiting, f"UPDATE personnel_record SET level = 'อื่น' WHERE organization_code = '{WAITING}'"
    )
    with pytest.raises(SpotCheckAltered):
        await marked(waiting, now, *RIGHT)


async def test_what_was_handed_in_is_not_marked_again(waiting: Database, now: datetime) -> None:
    """Its failing is hidden while the officer marks, and is there again afterwards."""
    check = await failed(waiting, now)
    await without_triggers(waiting, "UPDATE audit_event SET kind = 'x' WHERE kind = 'handed_in'")
    await without_triggers(waiting, "UPDATE spot_check SET handed_in_at = NULL")
    with pytest.raises(RecordBroken, match=WAITING):
        await marked(waiting, now, *RIGHT)
    await without_triggers(waiting, "UPDATE audit_event SET kind = 'handed_in' WHERE kind = 'x'")
    await marked(waiting, now, *RIGHT)
    with pytest.raises(SpotCheckAltered):
        await press(waiting, now)
    breaks = (await checked(waiting)).breaks
    assert f"spot-check {check} of {WAITING}: was marked or handed in again after it was handed in" in breaks, (
        breaks
    )


async def test_two_draws_of_a_revision_are_a_break(waiting: Database, now: datetime) -> None:
    check = await marked(waiting, now, *RIGHT)
    async with waiting.write() as session:
        (draw_event,) = await session.scalars(select(AuditEvent).where(AuditEvent.kind == Event.DRAWN))
        await record(session, Event.DRAWN, WAITING, now, **json.loads(draw_event.details))
    with pytest.raises(SpotCheckAltered):
        await press(waiting, now)
    assert f"spot-check {check} of {WAITING}: its revision was drawn before" in (await checked(waiting)).breaks


async def test_a_failed_spot_check_does_not_become_a_passed_one(waiting: Database, now: datetime) -> None:
    await failed(waiting, now)
    await without_triggers(waiting, "UPDATE spot_check_item SET mark = 'correct', note = NULL")
    with pytest.raises(SpotCheckAltered):
        await press(waiting, now)
    breaks = (await checked(waiting)).breaks
    assert any("the mark at place 2 is another one" in line for line in breaks), breaks


async def test_marks_that_nobody_made_are_not_certified(waiting: Database, now: datetime) -> None:
    await marked(waiting, now, Mark.CORRECT)
    await without_triggers(
        waiting,
        "UPDATE spot_check_item SET mark = 'correct', officer_id = 2, marked_at = '2026-11-02 02:30:00'"
        " WHERE mark IS NULL",
    )
    with pytest.raises(SpotCheckAltered):
        await press(waiting, now)


async def test_a_draw_that_nobody_made_is_not_certified(waiting: Database, now: datetime) -> None:
    """By plain SQL, which no trigger refuses: the program inserts draws in the same role."""
    async with waiting.write() as session:
        officer = await province(session, now)
        await session.execute(
            text(
                "INSERT INTO spot_check (organization_code, round_id, revision, officer_id, seed, drawn_at, basis)"
                f" VALUES ('{WAITING}', 1, 1, {officer.id}, 'x', '2026-11-02 02:30:00', '{{}}')"
            )
        )
        number = await session.scalar(text("SELECT id FROM spot_check"))
        await session.execute(
            text(
                "INSERT INTO spot_check_item (spot_check_id, place, record_no, mark, marked_at, officer_id)"
                f" VALUES ({number}, 1, '0001', 'correct', '2026-11-02 02:30:00', {officer.id})"
            )
        )
    assert f"spot-check {number} of {WAITING}: no event records its draw" in (await checked(waiting)).breaks
    with pytest.raises(SpotCheckAltered):
        await press(waiting, now)


FORGED = (
    "INSERT INTO certification ({columns}) SELECT {values} FROM certification"
    f" WHERE organization_code = '{WAITING}' AND level = 'lao'"
)


async def forge(database: Database, **others: str) -> None:
    """Insert a copy of the LAO's certificate with other values, each in SQL."""
    columns = {column.key: column.key for column in Certification.__table__.columns if column.key != "id"}
    columns |= {"code": "'F0RGED0001'", "revision": "7"} | others
    statement = FORGED.format(columns=", ".join(columns), values=", ".join(columns.values()))
    await without_triggers(database, statement)


UNCERTIFIED = {
    "no event of the certificate": "DELETE FROM audit_event WHERE kind = 'certified'",
    "a mangled event of the certificate": "UPDATE audit_event SET kind = 'x' WHERE kind = 'certified'",
    "another person": "UPDATE certification SET user_id = 999",
    "another certificate": "UPDATE certification SET officer_name = 'คน อื่น'",
    "one said to be from before the record": "UPDATE certification SET audit_head = 'unrecorded'",
}


@pytest.mark.parametrize("statement", UNCERTIFIED.values(), ids=UNCERTIFIED.keys())
async def test_the_province_acts_on_no_certificate_but_that_of_its_event(
    waiting: Database, now: datetime, statement: str
) -> None:
    check = await marked(waiting, now, *RIGHT)
    await without_triggers(waiting, statement)
    with pytest.raises(RecordBroken, match=WAITING):
        await press(waiting, now)
    with pytest.raises(RecordBroken, match=WAITING):
        await marked(waiting, now, *WRONG)
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(RecordBroken, match=WAITING):
            await hand_in(session, officer, WAITING, check, now, OPERATOR)
    assert (await checked(waiting)).breaks


async def test_no_certificate_that_was_written_into_the_database_is_drawn_for(
    waiting: Database, now: datetime
) -> None:
    await forge(waiting, organization_code=f"'{OPEN}'", revision="1")
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(RecordBroken, match=OPEN):
            await draw(session, officer, OPEN, now, random.Random(1), size=SIZE)


async def test_the_press_looks_at_the_certificate_again(waiting: Database, now: datetime) -> None:
    await marked(waiting, now, *RIGHT)
    async with waiting.write() as session:
        officer = await province(session, now)
        seen = (await review(session, officer, WAITING)).fingerprint(Level.PROVINCE)
        rng, demands = random.Random(1), Demands(SIZE, 100)
        asked, _ = await prepare_confirmation(
            session, officer, Level.PROVINCE, WAITING, seen, now, rng, demands=demands
        )
    await without_triggers(waiting, "UPDATE certification SET user_id = 999")
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(RecordBroken, match=WAITING):
            await certify(session, officer, asked.nonce, now, rng, demands=demands)


async def test_a_certificate_from_before_the_record_is_certified_by_the_province(
    waiting: Database, now: datetime
) -> None:
    await without_triggers(waiting, f"DELETE FROM audit_event WHERE chain IN ('{WAITING}', 'system')")
    await without_triggers(waiting, "UPDATE certification SET audit_head = 'unrecorded'")
    await marked(waiting, now + timedelta(minutes=1), *RIGHT)
    assert await press(waiting, now + timedelta(minutes=1))


async def test_a_certificate_under_a_lost_key_is_certified_by_the_province(
    waiting: Database, database_url: str, now: datetime
) -> None:
    """Its event cannot be verified, and is older than every event of the chain that can."""
    unknown = f"UPDATE audit_event SET key_id = 'unknown0', mac = 'x' WHERE chain = '{WAITING}'"
    await without_triggers(waiting, unknown)
    with pytest.raises(RecordBroken, match=WAITING):
        await marked(waiting, now, *RIGHT)
    lost = Database(database_url, Keyring(KEYRING.current, lost=("unknown0",)))
    await marked(lost, now, *RIGHT)
    assert await press(lost, now)
    await lost.close()


async def test_no_event_under_a_lost_key_follows_one_that_can_be_verified(
    waiting: Database, database_url: str, now: datetime
) -> None:
    await without_triggers(waiting, "UPDATE audit_event SET key_id = 'unknown0' WHERE kind = 'certified'")
    lost = Database(database_url, Keyring(KEYRING.current, lost=("unknown0",)))
    with pytest.raises(RecordBroken, match=WAITING):
        await marked(lost, now, *RIGHT)
    await lost.close()


async def test_a_province_has_certified_what_its_organization_has(waiting: Database, now: datetime) -> None:
    await forge(waiting, level="'province'")
    assert any("has not certified what its province has" in line for line in (await checked(waiting)).breaks)


async def test_one_person_at_both_levels_is_a_break(waiting: Database, now: datetime) -> None:
    await forge(waiting, level="'province'", revision="1")
    assert any("the same person certified" in line for line in (await checked(waiting)).breaks)


async def test_a_draw_from_before_draws_were_recorded_is_handed_in(waiting: Database, now: datetime) -> None:
    """Its organization's certificate says by its event that nothing more was recorded then."""
    check = await marked(waiting, now, *RIGHT)
    assert (await checked(waiting)).uncompared == {"organizations": 5, "provinces": 2}
    await without_triggers(waiting, "DELETE FROM audit_event WHERE kind IN ('drawn', 'marked')")
    await without_triggers(
        waiting, "UPDATE audit_event SET details = replace(details, 'statement_sha256', 'older')"
    )
    await hash_again(waiting)
    async with waiting.write() as session:
        officer = await province(session, now)
        assert await hand_in(session, officer, WAITING, check, now, OPERATOR) is None
    assert (await checked(waiting)).uncompared["spot-checks"] == 1


async def test_what_is_as_it_was_recorded_is_certified(waiting: Database, now: datetime) -> None:
    check = await marked(waiting, now, *WRONG)
    # The later mark of a record counts.
    await marked(waiting, now, *RIGHT)
    made = await press(waiting, now)
    assert made.spot_check is not None
    found = await checked(waiting)
    assert found.breaks == []
    kinds = [Event.DRAWN, Event.MARKED, Event.HANDED_IN]
    async with waiting.read() as session:
        recorded = await session.scalars(
            select(AuditEvent.kind).where(AuditEvent.kind.in_(kinds)).order_by(AuditEvent.number)
        )
        assert [*recorded] == [Event.DRAWN, *[Event.MARKED] * 6, Event.HANDED_IN]
    assert check
