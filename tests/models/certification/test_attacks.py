"""Who can write to the database without the secret key certifies nothing, whatever is written."""

import hashlib
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer, active_officer, name_officer
from models.audit import event_chain
from models.audit.event_chain import AuditEvent, Event
from models.audit.replay import RecordBroken
from models.certification.certificate import Certification, Level
from models.certification.certify import Confirmation, certify, prepare_confirmation, reopen
from models.certification.review import review
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.links.invitation import Invitation, InvitationRefused, accept, find_invitation, invite
from models.organizations.organization import Organization
from models.rounds.round import Round, close_round
from models.schema import postgresql_triggers, sqlite_triggers
from models.security.row_seal import BadSeal, SealedRow
from models.spot_checks.spot_checking import draw, hand_in, mark
from tests.support import DEMANDS, ORGANIZATIONS, certify_as, link

FIRST, SECOND, *_ = (code for code, *_ in ORGANIZATIONS)
LAO, PROVINCE = f"lao{FIRST}", "province11"
RNG = random.Random(1)


async def warn(session: AsyncSession, username: str, user_id: int, code: str, level: Level, now: datetime) -> str:
    """An officer has seen the warning about an organization; its nonce."""
    officer = await active_officer(session, user_id) or await link(session, username, user_id, now)
    seen = await review(session, officer, code)
    asked, _ = await prepare_confirmation(
        session, officer, level, code, seen.fingerprint(level), now, RNG, demands=DEMANDS
    )
    return asked.nonce


async def press(database: Database, user_id: int, nonce: str, now: datetime) -> Certification:
    async with database.write() as session:
        officer = await active_officer(session, user_id)
        assert officer is not None
        return await certify(session, officer, nonce, now, RNG, demands=DEMANDS)


async def write(database: Database, statement: str, **values: Any) -> None:
    """One statement of somebody who can write to the database, with its triggers taken away."""
    async with database.write() as session:
        if database.is_sqlite:
            for name in sqlite_triggers.SQLITE:
                await session.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        else:
            for name, trigger in postgresql_triggers.POSTGRESQL.items():
                await session.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {trigger.table}"))
        await session.execute(text(statement), values)


async def copy(database: Database, model: type[SealedRow], **where: Any) -> Callable[[], Any]:
    """Remember a row, to put it back later with the seal that it has now."""
    table = model.core()  # type: ignore[attr-defined]
    chosen = [table.c[name] == value for name, value in where.items()]
    async with database.read() as session:
        before = dict((await session.execute(select(table).where(*chosen))).one()._mapping)

    async def put_back() -> None:
        async with database.write() as session:
            await session.execute(update(table).where(*chosen).values(before))

    return put_back


async def certificates(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(Certification)) or 0


async def test_a_warning_about_one_organization_certifies_no_other(country: Database, now: datetime) -> None:
    for code in (FIRST, SECOND):
        await certify_as(country, f"lao{code}", int(code), code, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, PROVINCE, 601, now)
        for code in (FIRST, SECOND):
            drawn = await draw(session, officer, code, now, RNG, size=DEMANDS.spot_check_size)
            for item in drawn.check.items:
                await mark(
                    session,
                    officer,
                    code,
                    drawn.check.id,
                    item.place,
                    Mark.CORRECT,
                    None,
                    now,
                    despite_empty_menus=True,
                )
        nonce = await warn(session, PROVINCE, 601, FIRST, Level.PROVINCE, now)
        other = (await review(session, officer, SECOND)).fingerprint(Level.PROVINCE)
    await write(
        country, "UPDATE confirmation SET organization_code = :code, fingerprint = :seen", code=SECOND, seen=other
    )
    with pytest.raises(BadSeal, match=f"confirmation:{nonce}"):
        await press(country, 601, nonce, now)
    assert await certificates(country) == 2


async def test_an_officer_as_it_was_before_certifies_nothing(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
    put_back = await copy(country, Officer, user_id=501)
    async with country.write() as session:
        officer = await active_officer(session, 501)
        assert officer is not None
        await name_officer(session, officer, now, full_name="คน ใหม่")
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    await put_back()
    with pytest.raises(BadSeal, match="officer:1"):
        await press(country, 501, nonce, now)
    with pytest.raises(BadSeal, match="officer:1"):
        async with country.write() as session:
            # Nor is it named by a newer event.
            await warn(session, LAO, 501, FIRST, Level.LAO, now)
    assert await certificates(country) == 0


async def test_an_account_as_it_was_before_certifies_nothing(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    put_back = await copy(country, Account, username=LAO)
    async with country.write() as session:
        account = await session.scalar(select(Account).where(Account.username == LAO))
        assert account is not None
        account.display_name = "อื่น"
        await event_chain.record(session, Event.ACCOUNT_CHANGED, account.unit, now, change="name")
    await put_back()
    with pytest.raises(BadSeal, match="account:1"):
        await press(country, 501, nonce, now)


async def test_a_confirmation_that_was_used_is_used_once(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    put_back = await copy(country, Confirmation, nonce=nonce)
    await press(country, 501, nonce, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ทดสอบ", "ทดสอบ", now)
    await put_back()
    with pytest.raises(BadSeal, match=f"confirmation:{nonce}"):
        await press(country, 501, nonce, now)


async def test_a_change_that_was_put_back_leaves_everything_as_it_was(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    put_back = await copy(country, Officer, user_id=501)
    await write(country, "UPDATE officer SET full_name = 'อื่น อื่น'")
    async with country.read() as session:
        assert await active_officer(session, 501) is None
    await put_back()
    assert (await press(country, 501, nonce, now)).officer_name == "ทดสอบ ลงนาม"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET details = '{}' WHERE chain = :chain AND kind = 'warned'",
        "UPDATE audit_event SET number = number + 7 WHERE chain = :chain AND kind = 'warned'",
        "UPDATE audit_event SET mac = 'x' WHERE chain = :chain AND kind = 'warned'",
        "UPDATE audit_event SET key_id = 'unknown0' WHERE chain = :chain AND kind = 'warned'",
        "INSERT INTO audit_event (chain, number, kind, at, details, key_id, mac) SELECT chain, number + 1,"
        " 'exported', at, '{}', 'unknown0', 'x' FROM audit_event WHERE chain = :chain AND kind = 'warned'",
    ],
)
async def test_nothing_rests_on_a_broken_record(country: Database, now: datetime, statement: str) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    await write(country, statement, chain=FIRST)
    with pytest.raises(RecordBroken, match=FIRST):
        await press(country, 501, nonce, now)
    assert await certificates(country) == 0


async def test_only_what_is_walked_is_verified(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
        for _ in range(30):
            await event_chain.record(session, Event.EXPORTED, FIRST, now, what="x")
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    # Older than the warning: `audit verify` tells of it.
    await write(country, "UPDATE audit_event SET details = '{}' WHERE chain = :chain AND number = 5", chain=FIRST)
    await press(country, 501, nonce, now)


async def test_a_long_chain_is_walked_to_the_event_that_names_the_row(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
    put_back = await copy(country, Officer, user_id=501)
    async with country.write() as session:
        officer = await active_officer(session, 501)
        assert officer is not None
        await name_officer(session, officer, now, full_name="คน ใหม่")
        for _ in range(300):
            await event_chain.record(session, Event.EXPORTED, FIRST, now, what="x")
    await put_back()
    with pytest.raises(BadSeal, match="officer:1"):
        async with country.write() as session:
            await warn(session, LAO, 501, FIRST, Level.LAO, now)


async def test_a_spot_check_is_not_handed_in_by_an_officer_of_before(country: Database, now: datetime) -> None:
    await certify_as(country, LAO, 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, PROVINCE, 601, now)
        drawn = await draw(session, officer, FIRST, now, RNG, size=DEMANDS.spot_check_size)
        for item in drawn.check.items:
            await mark(session, officer, FIRST, drawn.check.id, item.place, Mark.INCORRECT, "ไม่ถูกต้อง", now)
    put_back = await copy(country, Officer, user_id=601)
    async with country.write() as session:
        officer_now = await active_officer(session, 601)
        assert officer_now is not None
        await name_officer(session, officer_now, now, full_name="คน ใหม่")
    await put_back()
    async with country.write() as session:
        before = await active_officer(session, 601)
        assert before is not None
        with pytest.raises(BadSeal, match="officer:2"):
            await hand_in(session, before, FIRST, drawn.check.id, now, None)


async def test_an_invitation_of_nobodys_making_opens_nothing(country: Database, now: datetime) -> None:
    code = "a" * 22
    await write(
        country,
        "INSERT INTO invitation (account_id, code_hash, made_at, expires_at)"
        " VALUES (1, :hash, '2026-11-02 02:00:00+00', '2026-11-03 02:00:00+00')",
        hash=hashlib.sha256(code.encode()).hexdigest(),
    )
    async with country.write() as session:
        await event_chain.record(session, Event.SEALED_ALL, event_chain.SYSTEM, now)
    async with country.read() as session:
        with pytest.raises(BadSeal, match="invitation:1"):
            await find_invitation(session, code, now)


async def test_an_invitation_that_was_used_is_not_used_again(country: Database, now: datetime) -> None:
    async with country.write() as session:
        account = await session.scalar(select(Account).where(Account.username == LAO))
        assert account is not None
        code = await invite(session, account, timedelta(hours=1), now)
    put_back = await copy(country, Invitation, id=1)
    async with country.write() as session:
        await accept(session, 501, code, now)
    with pytest.raises(InvitationRefused):
        async with country.write() as session:
            await accept(session, 502, code, now)
    await put_back()
    with pytest.raises(BadSeal, match="invitation:1"):
        async with country.write() as session:
            await accept(session, 502, code, now)


async def test_every_row_has_the_seal_that_its_newest_event_carries(country: Database, now: datetime) -> None:
    await certify_as(country, LAO, 501, FIRST, Level.LAO, now)
    async with country.read() as session:
        confirmation = (await session.scalars(select(Confirmation))).one()
        newest = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1))).one()
    assert newest.kind == Event.CERTIFIED
    assert f'"confirmation:{confirmation.nonce}":"{confirmation.seal}"' in newest.details
    assert "ทดสอบ ลงนาม" not in newest.details.split('"seals"')[1]


async def test_a_round_that_was_closed_and_put_back_certifies_nothing(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, LAO, 501, now)
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    put_back = await copy(country, Round, id=1)
    async with country.write() as session:
        await close_round(session, now)
        await event_chain.record(session, Event.EXPORTED, event_chain.SYSTEM, now, what="later")
    await put_back()
    with pytest.raises(BadSeal, match="round:1"):
        await press(country, 501, nonce, now)
    async with country.write() as session:
        with pytest.raises(BadSeal, match="round:1"):
            await warn(session, LAO, 501, FIRST, Level.LAO, now)
    # Nor where its closing is hidden under another kind.
    await write(country, "UPDATE audit_event SET kind = 'x', details = '{}' WHERE kind = 'round_closed'")
    with pytest.raises(RecordBroken):
        await press(country, 501, nonce, now)
    assert await certificates(country) == 0


async def test_in_a_round_that_was_closed_and_put_back_no_spot_check_is_handed_in(
    country: Database, now: datetime
) -> None:
    await certify_as(country, LAO, 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, PROVINCE, 601, now)
        drawn = await draw(session, officer, FIRST, now, RNG, size=1)
        check = drawn.check
        place = check.items[0].place
        await mark(session, officer, FIRST, check.id, place, Mark.CORRECT, None, now, despite_empty_menus=True)
    put_back = await copy(country, Round, id=1)
    async with country.write() as session:
        await close_round(session, now)
    await put_back()
    async with country.write() as session:
        officer = await link(session, PROVINCE, 601, now)
        with pytest.raises(BadSeal, match="round:1"):
            await hand_in(session, officer, FIRST, check.id, now, None)


async def test_an_organization_that_was_moved_and_put_back_is_certified_by_nobody(
    country: Database, now: datetime
) -> None:
    """Its former province would certify it; its own warning and the handing in are refused too."""
    await certify_as(country, LAO, 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, PROVINCE, 601, now)
        drawn = await draw(session, officer, FIRST, now, RNG, size=1)
        check, place = drawn.check, drawn.check.items[0].place
        await mark(session, officer, FIRST, check.id, place, Mark.CORRECT, None, now, despite_empty_menus=True)
        await link(session, f"lao{SECOND}", 502, now)
        nonce = await warn(session, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    for code in (FIRST, SECOND):
        put_back = await copy(country, Organization, dla_code=code)
        async with country.write() as session:
            organization = await session.get_one(Organization, code)
            organization.province_code = "12"
            await event_chain.record(session, Event.DESCRIBED, code, now, description={})
        await put_back()
    async with country.write() as session:
        officer = await link(session, PROVINCE, 601, now)
        with pytest.raises(BadSeal, match=f"organization:{FIRST}"):
            await hand_in(session, officer, FIRST, check.id, now, None)
    async with country.write() as session:
        with pytest.raises(BadSeal, match=f"organization:{SECOND}"):
            await warn(session, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    with pytest.raises(BadSeal, match=f"organization:{SECOND}"):
        await press(country, 502, nonce, now)


async def test_on_a_reopening_that_nobody_recorded_nothing_is_certified(country: Database, now: datetime) -> None:
    await certify_as(country, LAO, 501, FIRST, Level.LAO, now)
    await write(
        country,
        "INSERT INTO reopening (organization_code, round_id, revision, by_name, reason, reopened_at)"
        " VALUES (:code, 1, 1, 'x', 'y', '2026-11-02 02:30:00+00')",
        code=FIRST,
    )
    with pytest.raises(RecordBroken, match=FIRST):
        async with country.write() as session:
            await warn(session, LAO, 501, FIRST, Level.LAO, now)


async def test_the_press_looks_at_the_reopening_again(country: Database, now: datetime) -> None:
    await certify_as(country, LAO, 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ทดสอบ", "ทดสอบ", now)
        nonce = await warn(session, LAO, 501, FIRST, Level.LAO, now)
    await write(country, "UPDATE audit_event SET details = '{}' WHERE kind = 'reopened'")
    with pytest.raises(RecordBroken, match=FIRST):
        await press(country, 501, nonce, now)
    assert await certificates(country) == 1
