"""All rows sealed at once, under the key in use and under a new one; rows whose seal does not fit, and one that is
accepted.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from models.accounts.account import Account, Officer, Role
from models.accounts.throttle import Throttle, admit
from models.audit import event_chain
from models.audit.event_chain import AuditEvent, Event
from models.audit.row_seal import require_newest
from models.certification.certificate import Level
from models.certification.certify import Confirmation, prepare_confirmation
from models.certification.review import review
from models.database.engine import Database
from models.links.invitation import Invitation, invite
from models.operator import sealing
from models.operator.seal_check import BadRow, Fault, NothingToAccept, accept, check_seals
from models.operator.sealing import MODELS, SealingRefused, rotate, seal_all
from models.organizations.organization import Organization
from models.rounds.round import Round, close_round
from models.security.keys import Keyring
from models.security.row_seal import SealedRow
from models.succession.closing import close
from models.verification.verify import verify
from tests.models.succession.decisions import decided
from tests.support import DEMANDS, KEYRING, ORGANIZATIONS, SECRET_KEY, link, until

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
NEW_KEY = "a newer key for tests of more than 32 letters"
BOTH = Keyring(NEW_KEY, (SECRET_KEY,))


# The first of the tables that are locked while all rows are sealed.
LOCKED = (
    "SELECT true FROM pg_locks WHERE relation = 'organization'::regclass AND mode = 'ExclusiveLock' AND granted"
)


@pytest.fixture
async def office(country: Database, now: datetime) -> Database:
    """A country with a row in each sealed table."""
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        await invite(session, officer.account, timedelta(days=1), now)
        await admit(session, ["login:chat:501"], now, 1)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        seen = (await review(session, officer, FIRST)).fingerprint(Level.LAO)
        rng = random.Random(1)
        await prepare_confirmation(session, officer, Level.LAO, FIRST, seen, now, rng, demands=DEMANDS)
    return country


@pytest.fixture
async def older(office: Database) -> Database:
    """As the version before has left it: no row has a seal."""
    async with office.write() as session:
        for model in MODELS:
            values = {sealed.into: None for sealed in model.SEALS}
            await session.execute(update(model.core()).values(values))  # type: ignore[attr-defined]
    return office


@pytest.fixture
async def rekeyed(office: Database, database_url: str, now: datetime) -> AsyncIterator[Database]:
    """Sealed under the old key, and opened with a new one."""
    async with office.write() as session:
        await seal_all(session, now)
    await office.close()
    opened = Database(database_url, BOTH)
    yield opened
    await opened.close()


async def bad_rows(database: Database) -> list[tuple[str, str, Fault]]:
    async with database.read() as session:
        found = await check_seals(session)
    return [(row.table, row.id, row.fault) for row in found.bad]


async def changed(database: Database, model: Any, **values: object) -> None:
    """What somebody writes who has no key: all rows of a table."""
    async with database.write() as session:
        await session.execute(update(model.core()).values(values))


async def events(database: Database, kind: Event) -> dict[str, dict[str, Any]]:
    async with database.read() as session:
        rows = await session.scalars(select(AuditEvent).where(AuditEvent.kind == kind).order_by(AuditEvent.id))
        return {row.chain: json.loads(row.details) for row in rows}


# --- keys seal ----------------------------------------------------------------------------------------------


async def test_all_rows_are_sealed_once_and_recorded(older: Database, now: datetime) -> None:
    async with older.write() as session:
        sealed = await seal_all(session, now)
    assert sealed.rows == {
        "organization": 5, "account": 7, "officer": 1, "invitation": 1, "confirmation": 1, "round": 1,
        "throttle": 1,
    }  # fmt: skip
    assert await bad_rows(older) == []
    carried = await events(older, Event.SEALED)
    assert set(carried) == {code for code, *_ in ORGANIZATIONS} | {"11", "12", "system"}
    async with older.read() as session:
        officer = (await session.scalars(select(Officer))).one()
    assert carried[FIRST]["seals"][f"officer:{officer.id}"] == officer.seal
    tables = {name.partition(":")[0] for name in carried[FIRST]["seals"]}
    assert tables == {"organization", "account", "officer", "invitation", "confirmation"}
    assert list(carried["system"]["seals"]) == ["round:1"]
    assert (await events(older, Event.SEALED_ALL))["system"]["rows"] == sealed.rows
    async with older.write() as session:
        again = await seal_all(session, now + timedelta(days=1))
    assert (again.total, again.since) == (0, now)
    async with older.read() as session:
        assert (await verify(session)).breaks == []


async def test_what_was_sealed_cannot_lose_its_seal(older: Database, now: datetime) -> None:
    async with older.write() as session:
        await seal_all(session, now)
    await changed(older, Organization, seal=None, province_code="12")
    assert {fault for _, _, fault in await bad_rows(older)} == {Fault.MISSING}
    assert len(await bad_rows(older)) == 5


async def test_nothing_is_sealed_beside_a_row_that_was_changed(older: Database, now: datetime) -> None:
    """Who has sealed everything has vouched for everything."""
    await changed(older, Round, seal=f"{KEYRING.current_id}:{'0' * 64}")
    async with older.write() as session:
        with pytest.raises(SealingRefused, match=r"1 rows have a seal that does not fit.*laocert seal check"):
            await seal_all(session, now)
    assert await events(older, Event.SEALED_ALL) == {}


async def test_what_is_cut_short_has_sealed_nothing(older: Database, now: datetime) -> None:
    class Killed(Exception):
        pass

    def kill(step: str, _done: int, _total: int) -> None:
        if step == "sealing throttle":
            raise Killed

    async def cut_short() -> None:
        async with older.write() as session:
            await seal_all(session, now, kill)

    with pytest.raises(Killed):
        await cut_short()
    async with older.read() as session:
        assert sum((await sealing.count_unsealed(session)).values()) == 17
        assert await session.scalar(select(func.count()).where(AuditEvent.kind == Event.SEALED)) == 0


async def test_the_rows_of_an_organization_that_has_ended(office: Database, now: datetime) -> None:
    """Its chain takes no more: one event names its rows beside those that belong to none."""
    async with office.write() as session:
        await close(session, FIRST, decided(now), now)
    async with office.write() as session:
        await seal_all(session, now)
    carried = await events(office, Event.SEALED)
    assert FIRST not in carried
    assert {f"organization:{FIRST}", "round:1", "officer:1"} <= carried["system"]["seals"].keys()
    async with office.write() as session:
        await close_round(session, now)
    async with office.write() as session:
        account = (await session.scalars(select(Account).where(Account.organization_code == FIRST))).one()
        await require_newest(session, FIRST, [account])
    assert await bad_rows(office) == []


async def test_a_record_that_was_changed_is_no_reason_to_seal(older: Database, now: datetime) -> None:
    """Who deletes the event that all rows are sealed does not have its own rows sealed by the operator."""
    async with older.write() as session:
        await seal_all(session, now)
        await event_chain.take_head(session, now)
    trigger = "audit_event_no_delete" if older.is_sqlite else "audit_event_insert_only ON audit_event"
    async with older.write() as session:
        await session.execute(text(f"DROP TRIGGER {trigger}"))
        await session.execute(text("DELETE FROM audit_event WHERE kind = 'sealed_all'"))
    again = Database(older.url.render_as_string(hide_password=False), KEYRING)
    async with again.write() as session:
        with pytest.raises(SealingRefused, match="laocert audit verify"):
            await seal_all(session, now)
    await again.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_bot_may_write_meanwhile(older: Database, now: datetime) -> None:
    """A transaction that is under way holds an officer, and wants a chain, by tables that are locked by now: one
    of the two is refused whole.
    """
    holds = asyncio.Event()

    async def write_officers() -> None:
        async with older.write() as session:
            await session.execute(update(Officer.core()).values(position="ปลัด"))
            holds.set()
            await until(partial(session.scalar, text(LOCKED)))
            await event_chain.hold(session, ["11"])

    async def seal() -> None:
        await holds.wait()
        async with older.write() as session:
            await seal_all(session, now)

    ended = await asyncio.gather(write_officers(), seal(), return_exceptions=True)
    async with older.read() as session:
        is_sealed = await sealing.newest_sealing(session) is not None
    (refused,) = [error for error in ended if error is not None]
    assert isinstance(refused, DBAPIError if is_sealed else SealingRefused)


# --- keys rotate --------------------------------------------------------------------------------------------


async def test_a_new_key_ends_seals_under_the_old_one(rekeyed: Database, now: datetime) -> None:
    async with rekeyed.read() as session:
        rows = await session.execute(select(Organization.dla_code, Organization.seal))
        before = {code: seal for code, seal in rows}  # noqa: C416
    assert await bad_rows(rekeyed) == [], "until the rotation both are good"
    async with rekeyed.write() as session:
        rotated = await rotate(session, now, date(2027, 3, 31))
    assert rotated.rows["organization"] == 5
    assert await bad_rows(rekeyed) == []
    told = (await events(rekeyed, Event.SEALED_ALL))["system"]
    assert (told["instead_of"], told["pin_until"]) == (KEYRING.current_id, "2027-03-31")
    async with rekeyed.write() as session:
        again = await rotate(session, now + timedelta(days=1))
    assert (again.total, again.since, again.pin_until) == (0, now, date(2027, 3, 31))
    async with rekeyed.write() as session:
        await session.execute(
            update(Organization.core()).where(Organization.dla_code == FIRST).values(seal=before[FIRST])
        )
    (bad,) = await bad_rows(rekeyed)
    assert bad[:2] == ("organization", FIRST)
    assert bad[2] in (Fault.OLD_KEY, Fault.PUT_BACK)
    async with rekeyed.read() as session:
        (named,) = (await verify(session)).breaks
    assert named.startswith(f"organization {FIRST}: ")


async def test_a_day_for_pins_can_be_set_afterwards(rekeyed: Database, now: datetime) -> None:
    async with rekeyed.write() as session:
        await rotate(session, now)
    async with rekeyed.write() as session:
        later = await rotate(session, now + timedelta(days=1), date(2027, 3, 31))
    assert (later.total, later.pin_until) == (0, date(2027, 3, 31))
    async with rekeyed.read() as session:
        newest = await sealing.newest_sealing(session)
    assert newest is not None
    assert (newest.key_id, newest.pin_until) == (BOTH.current_id, date(2027, 3, 31))


async def test_a_row_that_was_changed_stops_the_rotation(rekeyed: Database, now: datetime) -> None:
    """The new key seals nothing that somebody else has written."""
    await changed(rekeyed, Round, closes_on=date(2030, 1, 1))
    async with rekeyed.write() as session:
        with pytest.raises(SealingRefused, match="laocert seal check"):
            await rotate(session, now)
    assert [bad[0] for bad in await bad_rows(rekeyed)] == ["round"]


async def test_without_the_old_key_nothing_is_rotated(rekeyed: Database, database_url: str, now: datetime) -> None:
    alone = Database(database_url, Keyring(NEW_KEY))
    async with alone.write() as session:
        with pytest.raises(SealingRefused, match=f"{KEYRING.current_id}.*LAOCERT_OLD_SECRET_KEYS"):
            await rotate(session, now)
    await alone.close()


async def test_under_a_lost_key_the_operator_vouches_for_the_rows(
    rekeyed: Database, database_url: str, now: datetime
) -> None:
    """What was sealed under it cannot be checked; what was sealed since is."""
    lost = Database(database_url, Keyring(NEW_KEY, lost=(KEYRING.current_id,)))
    async with lost.read() as session:
        found = await check_seals(session)
    assert (found.rows, found.unchecked, found.bad) == (17, 17, [])
    async with lost.write() as session:
        rotated = await rotate(session, now)
    assert (rotated.total, rotated.unchecked) == (17, 17)
    assert await bad_rows(lost) == []
    await lost.close()


async def test_a_key_that_was_replaced_does_not_come_back(
    rekeyed: Database, database_url: str, now: datetime
) -> None:
    async with rekeyed.write() as session:
        await rotate(session, now)
    back = Database(database_url, Keyring(SECRET_KEY, (NEW_KEY,)))
    async with back.write() as session:
        with pytest.raises(SealingRefused, match="set LAOCERT_SECRET_KEY to a new key"):
            await rotate(session, now)
    await back.close()


async def test_rows_are_sealed_before_they_are_rotated(office: Database, now: datetime) -> None:
    async with office.write() as session:
        with pytest.raises(SealingRefused, match="laocert keys seal"):
            await rotate(session, now)


# --- seal check and accept ----------------------------------------------------------------------------------

REPAIRS: list[tuple[Any, dict[str, object]]] = [
    (Organization, {"province_code": "12"}),
    (Account, {"password_hash": "mine"}),
    (Officer, {"pin_hash": None}),
    (Officer, {"last_seen_at": datetime.fromisoformat("2026-11-02T02:29:00+00:00")}),
    (Invitation, {"code_hash": "0" * 64}),
    (Confirmation, {"organization_code": SECOND}),
    (Round, {"closes_on": date(2030, 1, 1)}),
    (Throttle, {"failures": 0}),
]


@pytest.mark.parametrize(("model", "values"), REPAIRS, ids=lambda one: getattr(one, "__name__", None) or str(*one))
async def test_each_column_that_decides_is_looked_at(
    office: Database, now: datetime, model: Any, values: dict[str, object]
) -> None:
    await changed(office, model, **values)
    found = await bad_rows(office)
    assert {(table, fault) for table, _, fault in found} == {(model.__tablename__, Fault.WRONG)}
    async with office.write() as session:
        for table, row_id, _ in found:
            await accept(session, table, row_id, "ศูนย์ข้อมูล", "แก้ด้วยมือหลังตรวจแล้ว", now)
    assert await bad_rows(office) == []
    if model not in (Round, Invitation):
        # What a round or an invitation is stands in the record as well: there the repair is not taken.
        async with office.read() as session:
            assert (await verify(session)).breaks == []
    accepted = (await events(office, Event.SEAL_ACCEPTED)).values()
    assert {(told["table"], told["by"], told["fault"]) for told in accepted} == {
        (model.__tablename__, "ศูนย์ข้อมูล", "wrong")
    }


async def test_an_older_row_that_is_put_back_is_found(office: Database, now: datetime) -> None:
    table = Account.core()
    theirs = table.c.role == Role.LAO
    async with office.read() as session:
        before = (await session.execute(select(table).where(theirs).limit(1))).one()._mapping
    async with office.write() as session:
        account = await session.get_one(Account, before["id"])
        account.disabled_at = now
        await session.flush()
        await event_chain.record(session, Event.ACCOUNT_CHANGED, account.unit, now, change="disabled")
    async with office.write() as session:
        await session.execute(update(table).where(table.c.id == before["id"]).values(**before))
    assert await bad_rows(office) == [("account", str(before["id"]), Fault.PUT_BACK)]


@pytest.mark.parametrize(
    ("table", "row_id"),
    [("organization", FIRST), ("officer", "1")] + [("officer", unknown) for unknown in ("99", "", "๑", "1; DROP")],
)
async def test_good_and_unknown_rows_are_not_accepted(
    office: Database, now: datetime, table: str, row_id: str
) -> None:
    async with office.write() as session:
        with pytest.raises(NothingToAccept):
            await accept(session, table, row_id, "ศูนย์ข้อมูล", "แก้ด้วยมือหลังตรวจแล้ว", now)
    assert await events(office, Event.SEAL_ACCEPTED) == {}


async def test_rows_from_before_are_no_fault_until_all_are_sealed(older: Database) -> None:
    async with older.read() as session:
        found = await check_seals(session)
    assert found.since is None
    # What an event has carried a seal of had one.
    assert {row.fault for row in found.bad} <= {Fault.PUT_BACK}
    assert found.unsealed + len(found.bad) == found.rows == 17


def test_every_sealed_table_is_sealed_all_at_once() -> None:
    assert set(MODELS) == set(SealedRow.__subclasses__())


async def test_what_a_bad_row_means_is_said_of_every_table(office: Database) -> None:
    async with office.write() as session:
        for model in MODELS:
            await session.execute(text(f"UPDATE {model.__tablename__} SET seal = 'x'"))  # type: ignore[attr-defined]
    async with office.read() as session:
        bad: list[BadRow] = (await check_seals(session)).bad
    assert {row.table for row in bad} == {model.__tablename__ for model in MODELS}  # type: ignore[attr-defined]
    assert all(row.meaning and row.mend for row in bad)
