"""What the operator does with accounts: passwords, the list, and the links of chats."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import (
    LoginRefused,
    Role,
    UnknownAccount,
    active_officer,
    find_account,
    login_candidate,
)
from models.audit.event_chain import AuditEvent, Event
from models.chats.conversation import note_card
from models.database.engine import Database
from models.links import account_admin
from models.links.account_admin import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    PasswordRefused,
    UnknownLink,
    generate_password,
    require_good_password,
)
from models.links.link import AlreadyLinked, disable_account, link_officer, unlink_officer
from tests.models.links.chats import CHAT, COLLEAGUE, LAO, blanks, linked
from tests.support import PASSWORD_HASH, Clock, link


@pytest.mark.parametrize("way", ["unlink one", "unlink all", "disable"])
async def test_the_operator_ends_links_and_their_chats_are_blanked(
    country: Database, clock: Clock, way: str
) -> None:
    officer = await linked(country, clock())
    await linked(country, clock(), chat=COLLEAGUE)
    async with country.write() as session:
        for chat in (CHAT, COLLEAGUE):
            await note_card(session, chat, 10, clock())
    async with country.write() as session:
        if way == "disable":
            assert await disable_account(session, await find_account(session, LAO), clock()) == 2
        else:
            which = officer.id if way == "unlink one" else None
            ended = await account_admin.unlink(session, LAO, which, clock())
            assert officer.id in [one.id for one in ended]
    both = way != "unlink one"
    assert (await blanks(country), await blanks(country, COLLEAGUE)) == ([10], [10] if both else [])
    async with country.read() as session:
        assert len(await account_admin.account_links(session, LAO)) == (0 if both else 1)
        assert len(await account_admin.all_links(session, LAO)) == 2


# --- passwords ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password", ["x" * MIN_PASSWORD, "x" * MAX_PASSWORD, "ผ่านเข้า  ได้", "correct horse battery"]
)
def test_good_passwords(password: str) -> None:
    require_good_password(password)


@pytest.mark.parametrize(
    ("password", "what"),
    [
        ("seven77", "has 7 characters"),
        ("x" * (MAX_PASSWORD + 1), "has 129 characters"),
        (" leading-blank", "begins or ends with a blank"),
        ("trailing-blank ", "begins or ends with a blank"),
        ("in\u200bvisible", "holds an invisible sign"),
        ("a\ttab-within", "holds an invisible sign"),
        ("two\nlines-of-it", "holds an invisible sign"),
    ],
)
def test_a_password_that_a_chat_would_alter_is_refused_and_not_told(password: str, what: str) -> None:
    with pytest.raises(PasswordRefused, match=what) as refused:
        require_good_password(password)
    assert password not in str(refused.value)


def test_a_generated_password_can_be_read_out_and_is_never_the_same() -> None:
    made = [generate_password() for _ in range(50)]
    assert len(set(made)) == 50
    for password in made:
        require_good_password(password)
        assert [len(group) for group in password.split("-")] == [4] * 4
        assert not set("ilo01 ") & set(password)
        assert password == password.lower()


# --- the list -----------------------------------------------------------------------------------------------


async def test_accounts_are_listed_by_province_its_own_first_and_in_thai_order(
    country: Database, clock: Clock
) -> None:
    await linked(country, clock())
    await linked(country, clock(), chat=COLLEAGUE)
    async with country.write() as session:
        gone = await link(session, LAO, 503, clock())
        await unlink_officer(session, gone, clock())
        await account_admin.disable(session, "lao6110302", clock())
        (await find_account(session, "lao6110303")).password_hash = None
    async with country.read() as session:
        listed = await account_admin.list_accounts(session)
        own = await account_admin.list_accounts(session, "12")
    # เทพารักษ์ under ท comes before the two บางปู, แพรกษา under พ after them.
    assert [one.username for one in listed] == [
        "province11",
        "lao6110303",
        "lao6110301",
        LAO,
        "lao6110302",
        "province12",
        "lao6120401",
    ]
    assert own == listed[5:]
    by_name = {one.username: one for one in listed}
    lao = by_name[LAO]
    assert (lao.role, lao.unit, lao.unit_name, lao.province_code) == (Role.LAO, "5110201", "เทศบาลตำบลบางปู", "11")
    assert (by_name["province11"].unit, by_name["province11"].unit_name) == ("11", "สมุทรปราการ")
    assert {one.username: one.links for one in listed if one.links} == {LAO: 2}
    assert [one.username for one in listed if one.by_invitation_only] == ["lao6110303"]
    assert {one.username: one.disabled_at for one in listed if one.disabled_at} == {"lao6110302": clock()}


# --- what is changed ----------------------------------------------------------------------------------------


async def changes(country: Database) -> list[str]:
    async with country.read() as session:
        found = await session.scalars(
            select(AuditEvent.details).where(AuditEvent.kind == Event.ACCOUNT_CHANGED).order_by(AuditEvent.id)
        )
        return [json.loads(details)["change"] for details in found]


async def test_a_disabled_account_lets_nobody_in_until_it_is_enabled(country: Database, clock: Clock) -> None:
    await linked(country, clock())
    async with country.write() as session:
        candidate = await login_candidate(session, LAO)
        assert await account_admin.disable(session, LAO, clock()) == 1
        assert await account_admin.disable(session, LAO, clock()) == 0
        assert await active_officer(session, CHAT) is None
        # Who has given the right password meanwhile is refused all the same.
        with pytest.raises(LoginRefused):
            await link_officer(session, CHAT, candidate, clock())
        assert await account_admin.enable_account(session, LAO, clock())
        assert not await account_admin.enable_account(session, LAO, clock())
        # Its chats have to link anew.
        assert await active_officer(session, CHAT) is None
        await link_officer(session, CHAT, candidate, clock())
        with pytest.raises(AlreadyLinked):
            await link_officer(session, CHAT, await login_candidate(session, "lao6110301"), clock())
    assert await changes(country) == ["disabled", "disabled", "enabled", "enabled"]


async def test_a_new_password_leaves_the_chats_linked_and_opens_for_nobody_with_the_old_one(
    country: Database, clock: Clock
) -> None:
    await linked(country, clock())
    async with country.write() as session:
        old = await login_candidate(session, LAO)
        assert old.password_hash == PASSWORD_HASH
        await account_admin.set_password_hash(session, LAO.upper(), "another hash", clock())
        assert (await login_candidate(session, LAO)).password_hash == "another hash"
        assert await active_officer(session, CHAT) is not None
        with pytest.raises(LoginRefused):
            await link_officer(session, COLLEAGUE, old, clock())
    assert await changes(country) == ["password"]


async def test_only_a_link_of_the_account_itself_is_ended(country: Database, clock: Clock) -> None:
    own, other = await linked(country, clock()), await linked(country, clock(), "lao6110301", COLLEAGUE)
    async with country.write() as session:
        with pytest.raises(UnknownLink, match=f"{LAO} has no linked chat of officer {other.id}"):
            await account_admin.unlink(session, LAO, other.id, clock())
        assert [one.id for one in await account_admin.unlink(session, LAO, own.id, clock())] == [own.id]
        with pytest.raises(UnknownLink):
            await account_admin.unlink(session, LAO, own.id, clock())
        assert await account_admin.unlink(session, LAO, None, clock()) == []
        assert [one.id for one in await account_admin.account_links(session, "lao6110301")] == [other.id]


@pytest.mark.parametrize(
    "change",
    [
        lambda session, now: account_admin.disable(session, "nobody", now),
        lambda session, now: account_admin.enable_account(session, "nobody", now),
        lambda session, now: account_admin.set_password_hash(session, "nobody", "x", now),
        lambda session, now: account_admin.unlink(session, "nobody", None, now),
        lambda session, now: account_admin.account_links(session, "nobody"),
        lambda session, now: account_admin.all_links(session, "nobody"),
    ],
    ids=["disable", "enable", "password", "unlink", "links", "all links"],
)
async def test_an_account_that_is_not_there_is_named(
    country: Database, now: datetime, change: Callable[[AsyncSession, datetime], Awaitable[object]]
) -> None:
    async with country.write() as session:
        with pytest.raises(UnknownAccount, match="there is no account nobody"):
            await change(session, now)
    assert await changes(country) == []
