"""What has changed since the revision that was certified: seen by both sides until the next round opens."""

import random
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DBAPIError

from models.accounts.access import NotYours
from models.audit import event_chain
from models.certification.changes import see_changes
from models.certification.review import review
from models.database.engine import Database
from models.register.certified import CertifiedRegister
from models.register.roster import Roster
from models.rounds.round import close_round, open_round
from models.security.keys import Keyring
from models.verification.verify import verify
from tests.models.audit.record import without_triggers
from tests.models.certification.reopened import (
    FIRST,
    add,
    certify_both,
    certify_lao,
    change,
    changes_of,
    corrected,
    counts,
    remove,
    reopened,
)
from tests.support import KEYRING, ORGANIZATIONS, link, put_roster

SECOND, ELSEWHERE = ORGANIZATIONS[1][0], ORGANIZATIONS[4][0]


async def kept(database: Database) -> list[CertifiedRegister]:
    async with database.read() as session:
        return list(await session.scalars(select(CertifiedRegister).order_by(CertifiedRegister.id)))


# --- what is shown ------------------------------------------------------------------------------------------


async def test_before_a_reopening_there_is_nothing_to_compare_with(country: Database, now: datetime) -> None:
    await certify_both(country, now)
    assert await changes_of(country) is None
    # Nothing is copied at the press.
    assert await kept(country) == []


@pytest.mark.parametrize("certify", [certify_lao, certify_both])
async def test_records_that_come_go_and_change_are_counted(
    country: Database, now: datetime, certify: Callable[[Database, datetime], Awaitable[None]]
) -> None:
    await certify(country, now)
    await reopened(country, now)
    assert counts(await changes_of(country)) == [(1, (0, 0, 0))]
    await corrected(country)
    found = await changes_of(country)
    assert counts(found) == [(1, (2, 1, 3))]
    assert found is not None
    assert found.changed_numbers == ("0001", "0002", "0003", "0021", "0022")
    assert not found.may_all_differ
    # And while it is certified anew.
    await certify_lao(country, now)
    assert counts(await changes_of(country)) == [(1, (2, 1, 3))]


async def test_a_whole_register_in_place_of_another_is_compared_record_by_record(
    country: Database, now: datetime
) -> None:
    """An import deletes and inserts every row: what they say counts, not the rows."""
    await certify_lao(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await put_roster(session, FIRST, (12, 3, 5), now)
    assert counts(await changes_of(country)) == [(1, (0, 0, 0))]


@pytest.mark.parametrize("username", [f"lao{FIRST}", "province11"])
async def test_both_sides_see_it(country: Database, now: datetime, username: str) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    await corrected(country)
    async with country.write() as session:
        officer = await link(session, username, 701, now)
        assert counts((await see_changes(session, officer, FIRST)).changes) == [(1, (2, 1, 3))]
        assert counts((await review(session, officer, FIRST)).changes) == [(1, (2, 1, 3))]


@pytest.mark.parametrize("username", [f"lao{SECOND}", f"lao{ELSEWHERE}", "province12"])
async def test_nobody_else_sees_it(country: Database, now: datetime, username: str) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    async with country.write() as session:
        officer = await link(session, username, 701, now)
        for code in (FIRST, "9999999"):
            with pytest.raises(NotYours):
                await see_changes(session, officer, code)


async def test_another_organizations_reopening_is_no_matter(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    assert await changes_of(country, SECOND) is None


async def test_other_menus_change_every_record(country: Database, now: datetime) -> None:
    """A menu under another name with other states would else be in no record's difference."""
    await certify_lao(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await session.execute(
            update(Roster).where(Roster.organization_code == FIRST).values(menu_names=["ประวัติ", "การศึกษา", "อื่น"])
        )
    found = await changes_of(country)
    assert found is not None
    assert found.is_known
    assert (found.changed_numbers, found.may_all_differ) == ((), True)
    difference = found.since[0].difference
    assert difference is not None
    assert (difference.new_menus, difference.gone_menus) == (("อื่น",), ("เครื่องราชฯ",))


# --- after several reopenings -------------------------------------------------------------------------------


async def test_it_is_compared_back_to_the_revision_that_the_province_certified(
    country: Database, now: datetime
) -> None:
    """What changed in a revision that the province never certified stays to be seen after the next reopening."""
    await certify_both(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await change(session, "0005", level="อื่น")
    await certify_lao(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await add(session, 21)
    assert counts(await changes_of(country)) == [(2, (1, 0, 0)), (1, (1, 0, 1))]
    found = await changes_of(country)
    assert found is not None
    assert found.changed_numbers == ("0005", "0021")
    await certify_both(country, now)
    await reopened(country, now)
    # The province has certified all of that: it counts no more.
    assert counts(await changes_of(country)) == [(3, (0, 0, 0))]


async def test_what_was_changed_and_changed_back_has_changed(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await change(session, "0005", level="อื่น")
    await certify_lao(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await change(session, "0005", level="ปฏิบัติการ")
    found = await changes_of(country)
    assert counts(found) == [(2, (0, 0, 1)), (1, (0, 0, 0))]
    assert found is not None
    assert found.changed_numbers == ("0005",)
    shown = found.of_record("0005")
    assert shown is not None
    assert shown.before is not None
    assert shown.before.level == "อื่น"


# --- what is kept -------------------------------------------------------------------------------------------


async def test_what_is_kept_is_sealed(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    (row,) = await kept(country)
    assert "บุคคล".encode() not in row.sealed
    assert len(row.sealed) < 1000


async def test_it_goes_when_the_next_round_opens(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    async with country.write() as session:
        await close_round(session, now)
    assert len(await kept(country)) == 1
    async with country.write() as session:
        await open_round(session, 2571, None, now)
    assert await kept(country) == []
    assert await changes_of(country) is None
    # And the next one can be kept.
    await certify_lao(country, now)
    await reopened(country, now)
    assert counts(await changes_of(country)) == [(1, (0, 0, 0))]


async def test_a_changed_key_opens_what_was_kept_under_the_one_before(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    await corrected(country)
    url = country.url.render_as_string(hide_password=False)
    new = Database(url, Keyring("another key of more than 32 letters", (KEYRING.current,)))
    assert counts(await changes_of(new)) == [(1, (2, 1, 3))]
    await new.close()
    lost = Database(url, Keyring("another key of more than 32 letters", (), (KEYRING.current_id,)))
    found = await changes_of(lost)
    # Nobody can compare any more, so every record counts as changed.
    assert counts(found) == [(1, None)]
    assert found is not None
    assert found.may_all_differ
    await lost.close()


PLAIN_SQL = {
    "taken away": "DELETE FROM certified_register",
    "changed": "UPDATE certified_register SET sealed = 'x'",
    "of another reopening": "UPDATE certified_register SET reopening_id = reopening_id + 1",
    "once more": "INSERT INTO certified_register (reopening_id, by_province, sealed)"
    " SELECT reopening_id, by_province, sealed FROM certified_register",
    "of a reopening to come": "INSERT INTO certified_register (reopening_id, by_province, sealed)"
    " SELECT reopening_id + 1, by_province, sealed FROM certified_register",
}


@pytest.mark.parametrize("statement", PLAIN_SQL.values(), ids=PLAIN_SQL.keys())
async def test_it_is_kept_against_plain_sql(country: Database, now: datetime, statement: str) -> None:
    await certify_lao(country, now)
    await reopened(country, now)
    with pytest.raises(DBAPIError, match=r"never changed|unique|duplicate|foreign key"):
        async with country.write() as session:
            await session.execute(text(statement))
    assert counts(await changes_of(country)) == [(1, (0, 0, 0))]


FORGED = {
    "taken away": "DELETE FROM certified_register WHERE reopening_id = 2",
    # The register as it was after the change, in place of the one before it.
    "another's": "UPDATE certified_register SET sealed ="
    " (SELECT sealed FROM certified_register WHERE reopening_id = 1) WHERE reopening_id = 2",
    "letters": "UPDATE certified_register SET sealed = substr(sealed, 2) WHERE reopening_id = 2",
    "whose province it was": "UPDATE certified_register SET by_province = NOT by_province WHERE reopening_id = 2",
}


@pytest.mark.parametrize("statement", FORGED.values(), ids=FORGED.keys())
async def test_who_takes_the_triggers_away_hides_no_change(
    country: Database, now: datetime, statement: str
) -> None:
    for _ in range(2):
        await certify_lao(country, now)
        await reopened(country, now)
    await without_triggers(country, statement)
    found = await changes_of(country)
    assert found is not None
    assert counts(found)[0] == (2, None)
    assert found.may_all_differ


async def test_audit_verify_misses_a_register_that_is_gone(country: Database, now: datetime) -> None:
    await certify_lao(country, now)
    reopening = await reopened(country, now)
    async with country.read() as session:
        assert (await verify(session)).breaks == []
    await without_triggers(country, "DELETE FROM certified_register")
    async with country.read() as session:
        assert (await verify(session)).breaks == [f"reopened {reopening}: the row and its event do not agree"]


async def test_a_register_that_is_not_what_was_certified_is_not_kept_as_such(
    country: Database, now: datetime
) -> None:
    """Somebody has changed it without the triggers, and then has it reopened."""
    await certify_lao(country, now)
    await without_triggers(
        country,
        f"UPDATE personnel_record SET level = 'x' WHERE organization_code = '{FIRST}' AND record_no = '0007'",
    )
    await reopened(country, now)
    assert await kept(country) == []
    assert counts(await changes_of(country)) == [(1, None)]
    async with country.read() as session:
        event_ = await session.scalar(
            select(event_chain.AuditEvent.details).where(event_chain.AuditEvent.kind == event_chain.Event.REOPENED)
        )
        assert '"register_kept":false' in (event_ or "")
        assert (await verify(session)).breaks == []


# --- what it costs ------------------------------------------------------------------------------------------


async def test_a_review_after_reopenings_is_three_queries(country: Database, now: datetime) -> None:
    for _ in range(3):
        await certify_lao(country, now)
        await reopened(country, now)
        async with country.write() as session:
            await add(session, random.Random(_).randint(100, 9000))
            await remove(session, f"{_ + 1:04}")
    made: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        made.append(statement)

    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        event.listen(country.engine.sync_engine, "before_cursor_execute", note)
        shown = await review(session, officer, FIRST)
        event.remove(country.engine.sync_engine, "before_cursor_execute", note)
    assert (shown.revision, len(shown.changes.since if shown.changes else ())) == (4, 3)
    assert len([one for one in made if one.startswith("SELECT")]) == 3, made
