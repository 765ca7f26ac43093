"""One code links one chat, once: whatever is tried with it, and whoever else tries at the same moment."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import PIN_CHOICE, Officer, active_officer, find_account
from models.audit.event_chain import AuditEvent, Event, Walk, verify_chains
from models.database.engine import Database
from models.links.account_admin import disable as disable_by_operator
from models.links.account_admin import enable_account
from models.links.invitation import (
    AccountDisabled,
    Invitation,
    InvitationRefused,
    OwnHandover,
    accept,
    end_invitations,
    find_invitation,
    invite,
)
from models.links.link import AlreadyLinked, disable_account, unlink_officer
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from tests.support import ORGANIZATIONS, PATIENCE, link

LAO, OTHER = (f"lao{code}" for code, *_ in ORGANIZATIONS[:2])
TEN_MINUTES = timedelta(minutes=10)
Change = Callable[[AsyncSession], Awaitable[object]]


async def make(database: Database, now: datetime, username: str = LAO, by: int | None = None) -> str:
    """A code of ten minutes: the operator's, or that of a linked user who hands over."""
    async with database.write() as session:
        officer = await active_officer(session, by) if by else None
        return await invite(session, await find_account(session, username), TEN_MINUTES, now, by=officer)


async def use(database: Database, user_id: int, code: str, now: datetime) -> Officer:
    async with database.write() as session:
        return await accept(session, user_id, code, now)


async def linked(database: Database, user_id: int, now: datetime, username: str = LAO) -> Officer:
    async with database.write() as session:
        return await link(session, username, user_id, now)


async def active(database: Database) -> list[int]:
    """The users that are linked now."""
    async with database.read() as session:
        return list(
            await session.scalars(
                select(Officer.user_id).where(Officer.unlinked_at.is_(None)).order_by(Officer.user_id)
            )
        )


async def events(database: Database, *kinds: Event) -> list[AuditEvent]:
    async with database.read() as session:
        assert await verify_chains(session) == Walk()
        return list(
            await session.scalars(select(AuditEvent).where(AuditEvent.kind.in_(kinds)).order_by(AuditEvent.id))
        )


# --- the operator's invitation ------------------------------------------------------------------------------


async def test_a_code_links_a_chat_without_a_password(country: Database, now: datetime) -> None:
    code = await make(country, now)
    async with country.read() as session:
        found = await find_invitation(session, code, now)
        assert found.account.organization is not None
        assert found.account.organization.full_name == "เทศบาลตำบลบางปู"
        assert found.account.organization.province.name_th == "สมุทรปราการ"
        assert found.from_officer is None
    officer = await use(country, 501, code, now)
    assert (officer.user_id, officer.may_set_pin_until, officer.is_ready) == (501, now + PIN_CHOICE, False)
    assert officer.account.organization is not None
    assert officer.account.organization.province.code == "11"
    [invited, login] = await events(country, Event.INVITED, Event.LOGIN)
    assert invited.chain == login.chain == ORGANIZATIONS[0][0]
    assert '"by":"operator"' in invited.details
    assert '"by":"invitation"' in login.details
    async with country.read() as session:
        kept = (await session.scalars(select(Invitation))).one()
        assert (kept.used_at, kept.used_by_id) == (now, officer.id)


async def test_a_provinces_code(country: Database, now: datetime) -> None:
    officer = await use(country, 501, await make(country, now, "province12"), now)
    assert officer.account.province is not None
    assert officer.account.province.name_th == "นนทบุรี"


async def test_codes_are_random_and_only_their_hashes_are_kept(country: Database, now: datetime) -> None:
    codes = [await make(country, now) for _ in range(20)]
    assert len(set(codes)) == 20
    # 22 letters of base64 hold 128 bits.
    assert {len(code) for code in codes} == {22}
    async with country.read() as session:
        for table in ("invitation", "audit_event", "outbox"):
            rows = str((await session.execute(text(f"SELECT * FROM {table}"))).all())
            assert not any(code in rows for code in codes)


async def no_change(_session: AsyncSession) -> None:
    """What is wrong with the code is its letters or its age."""


async def disable(session: AsyncSession) -> None:
    account = await find_account(session, LAO)
    account.disabled_at = datetime.fromisoformat("2026-11-02T02:31:00+00:00")


async def end_link(session: AsyncSession) -> None:
    officer = await active_officer(session, 500)
    assert officer is not None
    await unlink_officer(session, officer, officer.linked_at)


async def end_codes(session: AsyncSession) -> None:
    now = datetime.fromisoformat("2026-11-02T02:30:00+00:00")
    assert await end_invitations(session, await find_account(session, LAO), now) == 1


async def use_it(session: AsyncSession) -> None:
    (await session.scalars(select(Invitation))).one().used_at = datetime.fromisoformat("2026-11-02T02:31:00+00:00")


@pytest.mark.parametrize(
    ("by", "change", "wait", "spoil"),
    [
        (None, no_change, timedelta(), lambda code: code[:-1] + ("A" if code[-1] != "A" else "Q")),
        (None, no_change, timedelta(), lambda code: code + "A"),
        (None, no_change, timedelta(), lambda code: f" {code}"),
        (None, no_change, timedelta(), lambda _code: ""),
        (None, no_change, timedelta(), lambda _code: "ก" * 22),
        (None, no_change, timedelta(), lambda _code: "😀\x00%_' OR 1=1 --"),
        (None, no_change, TEN_MINUTES, str),
        (None, no_change, timedelta(days=400), str),
        (None, use_it, timedelta(), str),
        (None, disable, timedelta(), str),
        (None, end_codes, timedelta(), str),
        (500, end_link, timedelta(), str),
    ],
    ids=["another", "longer", "a blank", "empty", "Thai", "bad signs", "late", "very late", "used", "disabled",
         "ended", "its maker's link has ended"],
)  # fmt: skip
async def test_what_opens_nothing_is_one_refusal(
    country: Database, now: datetime, by: int | None, change: Change, wait: timedelta, spoil: Callable[[str], str]
) -> None:
    if by is not None:
        await linked(country, by, now)
    code = await make(country, now, by=by)
    async with country.write() as session:
        await change(session)
    before = await active(country)
    for look in (find_invitation, lambda session, code, now: accept(session, 501, code, now)):
        with pytest.raises(InvitationRefused) as refused:
            async with country.write() as session:
                await look(session, spoil(code), now + wait)
        assert str(refused.value) == ""
    assert await active(country) == before


async def test_a_code_is_good_until_the_last_second(country: Database, now: datetime) -> None:
    code = await make(country, now)
    assert (await use(country, 501, code, now + TEN_MINUTES - timedelta(seconds=1))).user_id == 501


async def test_a_code_from_before_an_account_was_disabled_stays_dead(country: Database, now: datetime) -> None:
    code = await make(country, now)
    async with country.write() as session:
        await disable_by_operator(session, LAO, now)
        await enable_account(session, LAO, now)
    with pytest.raises(InvitationRefused):
        await use(country, 501, code, now)


async def test_nobody_is_invited_to_a_disabled_account(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await disable_account(session, await find_account(session, LAO), now)
    with pytest.raises(AccountDisabled, match=f"{LAO} is disabled; run: laocert account enable {LAO}"):
        await make(country, now)
    async with country.write() as session:
        await enable_account(session, LAO, now)
    await make(country, now)


async def test_a_linked_officer_may_choose_a_new_pin_with_a_code(country: Database, now: datetime) -> None:
    before = await linked(country, 501, now - timedelta(days=2))
    code = await make(country, now)
    officer = await use(country, 501, code, now)
    assert (officer.id, officer.may_set_pin_until, officer.pin_hash) == (
        before.id,
        now + PIN_CHOICE,
        before.pin_hash,
    )
    assert len(await events(country, Event.LOGIN)) == 1
    with pytest.raises(InvitationRefused):
        await use(country, 502, code, now)


async def test_one_who_is_linked_elsewhere_uses_up_no_code(country: Database, now: datetime) -> None:
    await linked(country, 501, now, OTHER)
    code = await make(country, now)
    with pytest.raises(AlreadyLinked):
        await use(country, 501, code, now)
    async with country.read() as session:
        officer = await active_officer(session, 501)
        assert officer is not None
        assert officer.account.username == OTHER
    assert (await use(country, 502, code, now)).user_id == 502


async def test_an_officer_who_comes_back_keeps_its_name(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await unlink_officer(session, await link(session, LAO, 501, now, "ทดสอบ เดิม"), now)
    officer = await use(country, 501, await make(country, now), now)
    assert (officer.full_name, officer.is_ready) == ("ทดสอบ เดิม", True)


# --- handing over -------------------------------------------------------------------------------------------


async def test_a_handover_ends_the_old_link_with_the_new_one(country: Database, now: datetime) -> None:
    leaver = await linked(country, 501, now)
    code = await make(country, now, by=501)
    async with country.read() as session:
        found = await find_invitation(session, code, now)
        assert found.from_officer is not None
        assert (found.from_officer.full_name, found.from_officer.position) == ("ทดสอบ ลงนาม", "ปลัด")
    successor = await use(country, 502, code, now + timedelta(minutes=1))
    assert await active(country) == [502]
    [invited] = await events(country, Event.INVITED)
    assert '"by":"officer"' in invited.details
    assert f'"expires_at":"2026-11-02T02:40:00+00:00","invitation":1,"officer":{leaver.id}' in invited.details
    [unlinked, handed_over] = await events(country, Event.UNLINKED, Event.HANDED_OVER)
    assert '"by":"handover"' in unlinked.details
    assert f'"officer":{leaver.id},"successor":{successor.id}' in handed_over.details
    async with country.read() as session:
        told = (
            await session.scalars(select(OutboxMessage).where(OutboxMessage.kind == NoticeKind.HANDED_OVER))
        ).one()
        assert (told.chat_id, told.subject_id) == (501, successor.id)
        # History keeps both names: the old link stays as a row.
        old = await session.get_one(Officer, leaver.id)
        assert (old.full_name, old.unlinked_at) == ("ทดสอบ ลงนาม", now + timedelta(minutes=1))


async def test_nobody_hands_over_to_itself(country: Database, now: datetime) -> None:
    await linked(country, 501, now)
    code = await make(country, now, by=501)
    with pytest.raises(OwnHandover):
        await use(country, 501, code, now)
    assert (await use(country, 502, code, now)).user_id == 502


async def test_a_handover_gives_no_colleague_a_new_pin(country: Database, now: datetime) -> None:
    await linked(country, 501, now)
    colleague = await linked(country, 502, now)
    code = await make(country, now, by=501)
    async with country.write() as session:
        (await session.get_one(Officer, colleague.id)).may_set_pin_until = None
    with pytest.raises(AlreadyLinked):
        await use(country, 502, code, now)
    async with country.read() as session:
        assert (await session.get_one(Officer, colleague.id)).may_set_pin_until is None
    assert await active(country) == [501, 502]


async def test_a_new_handover_ends_the_one_before(country: Database, now: datetime) -> None:
    await linked(country, 501, now)
    await linked(country, 502, now)
    operators = await make(country, now)
    first, colleagues, second = [await make(country, now, by=by) for by in (501, 502, 501)]
    with pytest.raises(InvitationRefused):
        await use(country, 503, first, now)
    for user, code in ((503, second), (504, colleagues), (505, operators)):
        assert (await use(country, user, code, now)).user_id == user
    assert await active(country) == [503, 504, 505]


async def test_handing_over_again_and_again(country: Database, now: datetime) -> None:
    """Also back to somebody who was there before: each time the old chat is told."""
    await linked(country, 501, now)
    for by, to in ((501, 502), (502, 501), (501, 502)):
        await use(country, to, await make(country, now, by=by), now)
    assert await active(country) == [502]
    async with country.read() as session:
        told = await session.scalars(
            select(OutboxMessage.chat_id)
            .where(OutboxMessage.kind == NoticeKind.HANDED_OVER)
            .order_by(OutboxMessage.id)
        )
        assert list(told) == [501, 502, 501]


# --- at the same moment -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [None, 500], ids=["operator", "handover"])
async def test_phones_that_use_one_code_at_once(
    country: Database, now: datetime, times: Callable[[int], int], by: int | None
) -> None:
    for number in range(times(100)):
        maker = by and by + number * 10
        if maker:
            await linked(country, maker, now)
        code = await make(country, now, by=maker)
        users = range(number * 10 + 501, number * 10 + 507)
        ended = await asyncio.gather(*(use(country, user, code, now) for user in users), return_exceptions=True)
        assert Counter(type(one) for one in ended) == {Officer: 1, InvitationRefused: 5}
        [winner] = [one for one in ended if isinstance(one, Officer)]
        assert await active(country) == [winner.user_id]
        async with country.write() as session:
            officer = await active_officer(session, winner.user_id)
            assert officer is not None
            await unlink_officer(session, officer, now)


async def while_another_holds(
    database: Database, first: Change, second: Callable[[], Awaitable[object]]
) -> object:
    """What comes of `second`, which began and had to wait while `first` was done and not committed."""
    async with database.write() as session:
        await first(session)
        await session.flush()
        task = asyncio.ensure_future(second())
        async with asyncio.timeout(PATIENCE):
            while not await waits(database):
                assert not task.done()
    return (await asyncio.gather(task, return_exceptions=True))[0]


async def waits(database: Database) -> bool:
    """Whether a transaction waits for another one's rows; on SQLite all writers wait for one another anyway."""
    if database.is_sqlite:
        await asyncio.sleep(0)
        return True
    locks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with database.read() as session:
        return bool(await session.scalar(text(locks)))


async def test_a_phone_waits_for_the_one_before_it(country: Database, now: datetime) -> None:
    code = await make(country, now)
    came_second = await while_another_holds(
        country, lambda session: accept(session, 501, code, now), lambda: use(country, 502, code, now)
    )
    assert isinstance(came_second, InvitationRefused)
    assert await active(country) == [501]


async def test_an_account_that_is_disabled_meanwhile(country: Database, now: datetime) -> None:
    code = await make(country, now)

    async def change(session: AsyncSession) -> None:
        await disable_account(session, await find_account(session, LAO), now)

    assert isinstance(
        await while_another_holds(country, change, lambda: use(country, 501, code, now)), InvitationRefused
    )
    assert await active(country) == []


async def test_a_maker_who_logs_out_meanwhile(country: Database, now: datetime) -> None:
    await linked(country, 500, now)
    code = await make(country, now, by=500)
    assert isinstance(
        await while_another_holds(country, end_link, lambda: use(country, 501, code, now)), InvitationRefused
    )
    assert await active(country) == []


async def test_a_new_handover_while_the_one_before_is_used(country: Database, now: datetime) -> None:
    """The successor came first: there is nobody left to hand over, and no deadlock."""
    await linked(country, 500, now)
    code = await make(country, now, by=500)

    async def again() -> str:
        async with country.write() as session:
            officer = await session.scalar(select(Officer).where(Officer.user_id == 500).with_for_update())
            return await invite(session, await find_account(session, LAO), TEN_MINUTES, now, by=officer)

    second = await while_another_holds(country, lambda session: accept(session, 501, code, now), again)
    assert isinstance(second, str)
    with pytest.raises(InvitationRefused):
        await use(country, 502, second, now)
    assert await active(country) == [501]
