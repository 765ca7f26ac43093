"""A spot-check that somebody has written into the database: neither handing it in nor certifying rests on it."""

from datetime import datetime

import pytest
from sqlalchemy import select, text

from models.audit.event_chain import PURPOSE, AuditEvent, Event, event_mac
from models.certification.certificate import Level
from models.certification.spot_check import Mark, SpotCheckAltered
from models.database.engine import Database
from models.spot_checks.spot_checking import hand_in
from tests.models.audit.record import checked, without_triggers
from tests.models.certification.spot_checks import OPERATOR, WAITING, failed, marked, press, province
from tests.support import KEYRING, certify_as

RIGHT = (Mark.CORRECT, Mark.CORRECT, Mark.CORRECT)
WRONG = (Mark.CORRECT, Mark.INCORRECT, Mark.CORRECT)


@pytest.fixture
async def waiting(country: Database, now: datetime) -> Database:
    """An organization that has certified and waits for its province."""
    await certify_as(country, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    return country


ALTERED = {
    "a mark": "UPDATE spot_check_item SET mark = 'correct', note = NULL WHERE place = 2",
    "another's mark": "UPDATE spot_check_item SET officer_id = 1 WHERE place = 1",
    "the time of a mark": "UPDATE spot_check_item SET marked_at = '2026-11-01 00:00:00' WHERE place = 1",
    "a record": "UPDATE spot_check_item SET record_no = '9999' WHERE place = 1",
    "the seed": "UPDATE spot_check SET seed = 'x'",
    "who drew": "UPDATE spot_check SET officer_id = 1",
    "when it was drawn": "UPDATE spot_check SET drawn_at = '2026-11-01 00:00:00'",
    "a record less": "DELETE FROM spot_check_item WHERE place = 3",
    "the event of the draw": "DELETE FROM audit_event WHERE kind = 'drawn'",
    "the event of a mark": "DELETE FROM audit_event WHERE kind = 'marked'",
    "an event that was written without the key": "UPDATE audit_event SET details = replace(details, 'incorrect',"
    " 'correct') WHERE kind = 'marked'",
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


async def test_a_draw_from_before_draws_were_recorded_is_handed_in(waiting: Database, now: datetime) -> None:
    """Its organization's certificate says by its event that nothing more was recorded then."""
    check = await marked(waiting, now, *RIGHT)
    assert (await checked(waiting)).uncompared == {"organizations": 5, "provinces": 2}
    await without_triggers(waiting, "DELETE FROM audit_event WHERE kind IN ('drawn', 'marked')")
    await without_triggers(
        waiting, "UPDATE audit_event SET details = replace(details, 'statement_sha256', 'older')"
    )
    await _recorded_anew(waiting)
    async with waiting.write() as session:
        officer = await province(session, now)
        assert await hand_in(session, officer, WAITING, check, now, OPERATOR) is None
    assert (await checked(waiting)).uncompared["spot-checks"] == 1


async def _recorded_anew(database: Database) -> None:
    """Give the events of the organization the hashes that an older version would have given them."""
    key, previous = KEYRING.key(PURPOSE, KEYRING.current_id), ""
    assert key is not None
    async with database.read() as session:
        of_chain = select(AuditEvent.core()).where(text("chain = :chain")).order_by(text("number"))
        events = (await session.execute(of_chain, {"chain": WAITING})).all()
    for event in events:
        previous = event_mac(key, previous, event._asdict())
        await without_triggers(database, f"UPDATE audit_event SET mac = '{previous}' WHERE id = {event.id}")


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
