"""Seals on the rows that decide: what the program writes has one, and what anybody else writes does not fit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts import throttle
from models.accounts.account import SEEN, Account, LoginCandidate, Officer, active_officer, login_candidate
from models.accounts.throttle import Throttle
from models.audit import event_chain
from models.audit.event_chain import Event, KeyMissing
from models.audit.replay import RecordBroken
from models.audit.row_seal import (
    has_good_seal,
    insert_sealed,
    load_seal_state,
    require_good_seal,
    require_newest,
    seal_of,
    seal_rows,
    sealed_values,
    update_sealed,
)
from models.certification.certificate import Level
from models.certification.certify import Confirmation
from models.database.engine import Database
from models.links.invitation import Invitation, invite
from models.links.link import unlink_officer
from models.organizations.organization import Organization
from models.rounds.round import Round
from models.schema.sqlite_triggers import SQLITE
from models.security.keys import Keyring
from models.security.row_seal import BadSeal, SealedRow, name_of
from tests.support import KEYRING, ORGANIZATIONS, SECRET_KEY, certify_as, link

CODE = ORGANIZATIONS[0][0]
LAO = f"lao{CODE}"
MODELS: tuple[type[SealedRow], ...] = (Officer, Account, Invitation, Confirmation, Throttle, Organization, Round)

# Each by somebody who can write to the database, and has no key.
EDITS = {
    "an officer's chat": (Officer, "UPDATE officer SET user_id = 666"),
    "an officer's account": (Officer, "UPDATE officer SET account_id = account_id + 1"),
    "an officer's name": (Officer, "UPDATE officer SET full_name = 'อื่น อื่น'"),
    "an officer's position": (Officer, "UPDATE officer SET position = 'อื่น'"),
    "a PIN": (Officer, "UPDATE officer SET pin_hash = NULL"),
    "the choice of a PIN": (Officer, "UPDATE officer SET may_set_pin_until = '2026-11-02 02:40:00+00'"),
    "an ended link": (Officer, "UPDATE officer SET unlinked_at = '2026-11-02 02:40:00+00'"),
    "the beginning of a link": (Officer, "UPDATE officer SET linked_at = '2020-11-02 02:40:00+00'"),
    "an account's organization": (
        Account,
        "UPDATE account SET organization_code = '6110301' WHERE organization_code IS NOT NULL",
    ),
    "a password": (Account, "UPDATE account SET password_hash = 'x'"),
    "a username": (Account, "UPDATE account SET username = 'x' || username"),
    "a disabled account": (Account, "UPDATE account SET disabled_at = '2026-11-02 02:40:00+00'"),
    "an invitation's account": (Invitation, "UPDATE invitation SET account_id = account_id + 1"),
    "an invitation's end": (Invitation, "UPDATE invitation SET expires_at = '2030-01-01 00:00:00+00'"),
    "an invitation's code": (Invitation, "UPDATE invitation SET code_hash = 'x'"),
    "what a warning was about": (Confirmation, "UPDATE confirmation SET organization_code = '6110301'"),
    "whose warning it was": (Confirmation, "UPDATE confirmation SET used_at = NULL"),
    "the level of a warning": (Confirmation, "UPDATE confirmation SET level = 'province'"),
    "when a warning was shown": (Confirmation, "UPDATE confirmation SET shown_at = '2026-11-02 02:40:00+00'"),
    "a throttle": (Throttle, "UPDATE throttle SET failures = 0"),
    "an organization's province": (Organization, "UPDATE organization SET province_code = '12'"),
    "a round's last day": (Round, "UPDATE round SET closes_on = '2099-01-01'"),
    "a round's state": (Round, "UPDATE round SET state = 'closed'"),
}


@pytest.fixture
async def lived(country: Database, now: datetime) -> Database:
    """A row of each kind, after the ways in which the program makes them."""
    await certify_as(country, LAO, 501, CODE, Level.LAO, now)
    async with country.write() as session:
        account = await session.scalar(select(Account).where(Account.username == "lao6110302"))
        assert account is not None
        await invite(session, account, timedelta(days=1), now)
        await throttle.admit(session, [throttle.chat_key(1)], now)
    return country


async def rows(session: AsyncSession, model: type[SealedRow]) -> Sequence[SealedRow]:
    return (await session.scalars(select(model).execution_options(populate_existing=True))).all()


async def without_triggers(database: Database, statement: str) -> None:
    """Change the record, as somebody does who takes its triggers away."""
    async with database.write() as session:
        triggers = [f"DROP TRIGGER {name}" for name in SQLITE if name.startswith("audit_event")]
        for drop in triggers if database.is_sqlite else ["ALTER TABLE audit_event DISABLE TRIGGER USER"]:
            await session.execute(text(drop))
        await session.execute(text(statement))


async def rename(database: Database) -> None:
    """A change that the program makes in the one officer's row."""
    async with database.write() as session:
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        officer.position = "อื่น"


async def put_in_force(session: AsyncSession, now: datetime) -> None:
    """What `laocert keys seal` ends with."""
    await event_chain.record(session, Event.SEALED_ALL, event_chain.SYSTEM, now)


async def test_whatever_the_program_writes_is_sealed(lived: Database) -> None:
    async with lived.read() as session:
        for model in MODELS:
            written = await rows(session, model)
            assert written
            for row in written:
                for sealed in model.SEALS:
                    assert getattr(row, sealed.into) == seal_of(session, row, sealed)


@pytest.mark.parametrize("edit", EDITS)
async def test_a_row_that_somebody_else_has_changed_decides_nothing(lived: Database, edit: str) -> None:
    model, statement = EDITS[edit]
    async with lived.write() as session:
        await session.execute(text(statement))
    async with lived.read() as session:
        changed = [row for row in await rows(session, model) if not await has_good_seal(session, row)]
        assert changed
        with pytest.raises(BadSeal, match=name_of(changed[0])):
            await require_good_seal(session, changed[0])


@pytest.mark.parametrize("seal", ["''", "'x'", "'x:y'", f"'{KEYRING.current_id}:'", "x'00ff'"])
async def test_what_is_no_seal_fits_nothing(lived: Database, seal: str) -> None:
    if seal.startswith("x") and not lived.is_sqlite:
        # A column of text takes no bytes there.
        seal = "'ÿ'"
    async with lived.write() as session:
        await session.execute(text(f"UPDATE officer SET seal = {seal}"))
    async with lived.read() as session:
        (officer,) = await rows(session, Officer)
        assert not await has_good_seal(session, officer)


async def test_the_seal_of_another_row_does_not_fit(lived: Database, now: datetime) -> None:
    async with lived.write() as session:
        await link(session, LAO, 502, now)
        await session.execute(text("UPDATE officer SET seal = (SELECT max(seal) FROM officer)"))
    async with lived.read() as session:
        good = [await has_good_seal(session, row) for row in await rows(session, Officer)]
    assert sorted(good) == [False, True]


async def test_a_changed_row_is_not_sealed_anew_by_what_the_program_changes(
    lived: Database, now: datetime
) -> None:
    async with lived.write() as session:
        await session.execute(text("UPDATE officer SET pin_hash = 'x'"))
    with pytest.raises(BadSeal, match="officer:1"):
        await rename(lived)
    async with lived.read() as session:
        (officer,) = await session.scalars(select(Officer))
        assert officer.position == "ปลัด"
        assert not await has_good_seal(session, officer)


# SQLite has one writer.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_changes_at_the_same_moment_are_both_in_the_seal(lived: Database, now: datetime) -> None:
    async with lived.write() as first:
        (officer,) = await first.scalars(select(Officer).options(joinedload(Officer.account)))
        async with lived.write() as second:
            (same,) = await second.scalars(select(Officer).options(joinedload(Officer.account)))
            same.position = "ปลัดคนใหม่"
            await event_chain.record(second, Event.NAMED, same.account.unit, now, officer=same.id)
        officer.full_name = "ทดสอบ ใหม่"
        await event_chain.record(first, Event.NAMED, CODE, now, officer=officer.id)
    async with lived.read() as session:
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        assert (officer.full_name, officer.position) == ("ทดสอบ ใหม่", "ปลัดคนใหม่")
        await require_newest(session, CODE, [officer])


async def test_the_last_look_has_a_seal_of_its_own(lived: Database, now: datetime) -> None:
    async with lived.write() as session:
        before = await session.scalar(select(Officer.seal))
        (officer,) = await session.scalars(select(Officer))
        officer.last_seen_at = now + timedelta(minutes=2)
    async with lived.write() as session:
        (officer,) = await session.scalars(select(Officer))
        assert officer.seal == before
        assert await has_good_seal(session, officer, SEEN)
        await session.execute(text("UPDATE officer SET last_seen_at = '2026-12-02 02:40:00+00'"))
    async with lived.write() as session:
        (officer,) = await session.scalars(select(Officer))
        assert not await has_good_seal(session, officer, SEEN)
        assert await has_good_seal(session, officer)
        # After the PIN the program says anew when it was, and needs nothing of what stood there.
        officer.last_seen_at = now + timedelta(minutes=3)
    async with lived.read() as session:
        (officer,) = await session.scalars(select(Officer))
        assert await has_good_seal(session, officer, SEEN)


async def test_rows_from_before_are_accepted_until_all_are_sealed(lived: Database, now: datetime) -> None:
    async with lived.write() as session:
        await session.execute(text("UPDATE officer SET seal = NULL, seen_seal = NULL"))
    async with lived.write() as session:
        (officer,) = await rows(session, Officer)
        await require_good_seal(session, officer)
        await put_in_force(session, now)
    async with lived.read() as session:
        (officer,) = await rows(session, Officer)
        with pytest.raises(BadSeal):
            await require_good_seal(session, officer)
        assert await active_officer(session, 501) is None


async def test_who_deletes_the_event_has_no_row_without_a_seal_accepted_by_a_running_program(
    lived: Database, now: datetime
) -> None:
    async with lived.write() as session:
        await put_in_force(session, now)
    async with lived.read() as session:
        # As at the program's start.
        assert (await load_seal_state(session)).all_under == {KEYRING.current_id}
    await without_triggers(lived, "DELETE FROM audit_event WHERE kind = 'sealed_all'")
    async with lived.write() as session:
        await session.execute(text("UPDATE officer SET seal = NULL"))
    async with lived.read() as session:
        (officer,) = await rows(session, Officer)
        assert not await has_good_seal(session, officer)


async def test_who_deletes_the_event_before_a_start_has_no_row_without_a_seal_accepted_either(
    lived: Database, database_url: str, now: datetime
) -> None:
    async with lived.write() as session:
        await put_in_force(session, now)
        await event_chain.record(session, Event.EXPORTED, event_chain.SYSTEM, now, what="later")
    await without_triggers(lived, "DELETE FROM audit_event WHERE kind = 'sealed_all'")
    started = Database(database_url, KEYRING)
    async with started.write() as session:
        state = await load_seal_state(session)
        assert (state.all_under, state.distrusts) == (set(), True)
        await session.execute(text("UPDATE officer SET seal = NULL"))
    async with started.read() as session:
        (officer,) = await rows(session, Officer)
        assert not await has_good_seal(session, officer)
    await started.close()


async def test_where_all_rows_were_sealed_none_counts_that_no_event_names(lived: Database, now: datetime) -> None:
    async with lived.write() as session:
        await event_chain.record(session, Event.SEALED, CODE, now, seals={})
    async with lived.write() as session:
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        with pytest.raises(BadSeal, match="account:1"):
            await require_newest(session, CODE, [officer.account])


async def test_a_seal_under_an_older_key_is_good_until_all_are_sealed_under_the_new_one(
    lived: Database, database_url: str, now: datetime
) -> None:
    changed = Database(database_url, Keyring("another key for tests of more than 32 letters", (SECRET_KEY,)))
    async with changed.write() as session:
        (officer,) = await rows(session, Officer)
        await require_good_seal(session, officer)
        await put_in_force(session, now)
    async with changed.write() as session:
        (officer,) = await rows(session, Officer)
        assert not await has_good_seal(session, officer)
        seals = await seal_rows(session, Officer, [officer])
        assert seals == {"officer:1": officer.seal} == {"officer:1": seal_of(session, officer)}
    async with changed.write() as session:
        # What the record says under the key of then is compared under that key.
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        await require_newest(session, CODE, [officer])
    await changed.close()


async def test_rows_of_a_key_that_is_lost_are_accepted_until_all_are_sealed_anew(
    lived: Database, database_url: str, now: datetime
) -> None:
    new = "another key for tests of more than 32 letters"
    lost = Database(database_url, Keyring(new, (), (KEYRING.current_id,)))
    async with lost.write() as session:
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        await require_newest(session, CODE, [officer])
        await put_in_force(session, now)
    async with lost.read() as session:
        (officer,) = await rows(session, Officer)
        assert not await has_good_seal(session, officer)
    await lost.close()
    without = Database(database_url, Keyring(new))
    async with without.read() as session:
        (officer,) = await rows(session, Officer)
        assert not await has_good_seal(session, officer)
    await without.close()


@pytest.mark.parametrize("lost", [(), ("0badca5e",)])
async def test_a_row_that_was_put_back_is_not_hidden_behind_an_event_under_another_key(
    country: Database, database_url: str, now: datetime, lost: tuple[str, ...]
) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        before = dict((await session.execute(select(Officer.core()))).one()._mapping)
        officer.position = "ใหม่"
        await event_chain.record(session, Event.NAMED, CODE, now, officer=officer.id)
    async with country.write() as session:
        for what in ("hidden", "later"):
            await event_chain.record(session, Event.EXPORTED, CODE, now, what=what)
    await put_back(country, before)
    hidden = "key_id = '0badca5e' WHERE details LIKE '%hidden%'"
    await without_triggers(country, f"UPDATE audit_event SET {hidden}")
    keyed = Database(database_url, Keyring(SECRET_KEY, lost=lost))
    async with keyed.write() as session:
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        with pytest.raises(RecordBroken):
            await require_newest(session, CODE, [officer])
    await keyed.close()


@pytest.mark.parametrize("lost", [(), ("0badca5e",)])
async def test_who_renames_the_event_of_the_sealing_and_its_key_has_no_row_without_a_seal_accepted(
    lived: Database, database_url: str, now: datetime, lost: tuple[str, ...]
) -> None:
    async with lived.write() as session:
        await put_in_force(session, now)
        await event_chain.record(session, Event.EXPORTED, event_chain.SYSTEM, now, what="later")
    await without_triggers(
        lived, "UPDATE audit_event SET kind = 'x', key_id = '0badca5e' WHERE kind = 'sealed_all'"
    )
    started = Database(database_url, Keyring(SECRET_KEY, lost=lost))
    async with started.write() as session:
        state = await load_seal_state(session)
        assert (state.all_under, state.distrusts) == (set(), True)
    await started.close()


async def test_nothing_is_sealed_without_a_key(database_url: str, country: Database) -> None:
    without = Database(database_url)
    async with without.write() as session:
        (organization, *_) = await session.scalars(select(Organization))
        organization.province_code = "12"
        with pytest.raises(KeyMissing):
            await session.flush()
        await session.rollback()
    await without.close()


async def test_many_rows_are_sealed_at_once(country: Database) -> None:
    values = {"role": "lao", "organization_code": CODE, "display_name": "อื่น", "password_hash": None}
    async with country.write() as session:
        new = [values | {"username": f"extra{number}"} for number in range(3)]
        seals = await insert_sealed(session, Account, new)
        accounts = {int(name.removeprefix("account:")): seal for name, seal in seals.items()}
        assert len(accounts) == 3
        changed = await update_sealed(
            session, Account, [{"id": number, "display_name": "ใหม่"} for number in accounts]
        )
        assert changed.keys() == seals.keys()
    async with country.read() as session:
        for account in await session.scalars(select(Account).where(Account.id.in_(accounts))):
            assert (account.display_name, account.seal) == ("ใหม่", changed[name_of(account)])
            await require_good_seal(session, account)
        whole = sealed_values(session, Organization, {"dla_code": CODE, "province_code": "11"})
        assert whole["seal"] == await session.scalar(
            select(Organization.seal).where(Organization.dla_code == CODE)
        )


async def test_many_rows_are_not_changed_where_one_does_not_fit(country: Database) -> None:
    async with country.write() as session:
        await session.execute(text("UPDATE account SET password_hash = 'x' WHERE id = 2"))
    with pytest.raises(BadSeal, match="account:2"):
        async with country.write() as session:
            await update_sealed(session, Account, [{"id": 1, "display_name": "ใ"}, {"id": 2, "display_name": "ใ"}])
    async with country.read() as session:
        assert "ใ" not in (await session.scalars(select(Account.display_name))).all()


async def test_an_account_that_was_put_back_is_not_made_the_newest_by_an_import(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        account = (await session.scalars(select(Account).where(Account.username == LAO))).one()
        before = {"disabled_at": account.disabled_at, "seal": account.seal}
        account.disabled_at = now
        await event_chain.record(session, Event.ACCOUNT_CHANGED, account.unit, now, change="disabled")
        number = account.id
    async with country.write() as session:
        await session.execute(update(Account.core()).where(Account.core().c.id == number).values(before))
    async with country.write() as session:
        with pytest.raises(BadSeal, match=f"account:{number}"):
            await update_sealed(session, Account, [{"id": number, "display_name": "ใหม่"}])


async def test_what_was_taken_back_is_told_by_no_event(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        sealed_before = officer.seal
        account = officer.account
        inner = await session.begin_nested()
        officer.position = "อื่น"
        await session.flush()
        await inner.rollback()
        await session.refresh(officer, ["seal"])
        assert officer.seal == sealed_before
        await event_chain.record(session, Event.EXPORTED, account.unit, now, what="nothing")
    async with country.read() as session:
        newest = select(event_chain.AuditEvent.details).order_by(event_chain.AuditEvent.id.desc()).limit(1)
        assert await session.scalar(newest) == '{"what":"nothing"}'


# --- replay -------------------------------------------------------------------------------------------------


async def put_back(database: Database, before: dict[str, object]) -> None:
    """Write a row as it once was, with the seal that it had."""
    async with database.write() as session:
        await session.execute(update(Officer.core()).where(Officer.core().c.id == before["id"]).values(before))


async def test_a_row_that_was_put_back_is_no_newest(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        before = dict((await session.execute(select(Officer.core()))).one()._mapping)
        officer.position = "ใหม่"
        await event_chain.record(session, Event.NAMED, CODE, now, officer=officer.id)
    await put_back(country, before)
    async with country.write() as session:
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        await require_good_seal(session, officer)
        with pytest.raises(BadSeal, match="officer:1"):
            await require_newest(session, CODE, [officer])


async def test_a_row_that_was_put_back_is_not_made_the_newest_by_a_change(
    country: Database, now: datetime
) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        before = dict((await session.execute(select(Officer.core()))).one()._mapping)
        officer.position = "ใหม่"
        await event_chain.record(session, Event.NAMED, CODE, now, officer=officer.id)
    await put_back(country, before)
    with pytest.raises(BadSeal, match="officer:1"):
        await rename(country)


async def test_a_link_that_was_put_back_can_be_ended_and_stays_bad(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        before = dict((await session.execute(select(Officer.core()))).one()._mapping)
        officer.position = "ใหม่"
        await event_chain.record(session, Event.NAMED, CODE, now, officer=officer.id)
    await put_back(country, before)
    async with country.write() as session:
        (officer,) = await session.scalars(select(Officer).options(joinedload(Officer.account)))
        assert await unlink_officer(session, officer, now)
    async with country.write() as session:
        (officer,) = await session.scalars(select(Officer))
        assert officer.unlinked_at == now
        assert not await has_good_seal(session, officer)
        # Nobody who is linked anew has its PIN.
        again = await link(session, LAO, 501, now)
        assert again.id != officer.id


async def test_a_password_that_was_put_back_lets_nobody_in(country: Database, now: datetime) -> None:
    async with country.write() as session:
        account = await session.scalar(select(Account).where(Account.username == LAO))
        assert account is not None
        old_hash, old_seal = account.password_hash, account.seal
        account.password_hash = "a new one"
        await event_chain.record(session, Event.ACCOUNT_CHANGED, account.unit, now, change="password")
    async with country.write() as session:
        table = Account.core()
        await session.execute(
            update(table).where(table.c.username == LAO).values(password_hash=old_hash, seal=old_seal)
        )
    with pytest.raises(BadSeal, match="account:1"):
        async with country.write() as session:
            await link(session, LAO, 501, now)


async def test_a_changed_password_is_no_candidate(country: Database) -> None:
    async with country.write() as session:
        await session.execute(text("UPDATE account SET password_hash = 'x'"))
    async with country.read() as session:
        with pytest.raises(BadSeal):
            await login_candidate(session, LAO)
        assert await login_candidate(session, "nobody") == LoginCandidate(None, None)
