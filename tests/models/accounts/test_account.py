"""Accounts and their officers: usernames, names, who is ready, idle or concerned, and what is recorded of them."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from models.accounts.account import (
    IDLE,
    MAX_NAME,
    PIN_CHOICE,
    SEEN_EVERY,
    Account,
    LoginCandidate,
    NameRefused,
    Officer,
    Role,
    UnknownAccount,
    UsernameRefused,
    active_officer,
    chats,
    find_account,
    is_somebodys,
    is_username,
    linked_officers,
    login_candidate,
    name_or_position,
    names_account,
    normalize_username,
    officers_concerned,
    record_failed_login,
    record_refusal,
    saw_officer,
    username_to_keep,
)
from models.audit.event_chain import SYSTEM, AuditEvent, Event
from models.base.clocks import LARGEST_OFFSET
from models.database.engine import Database
from models.links.link import disable_account, unlink_officer
from models.organizations.organization import Organization
from tests.support import ORGANIZATIONS, PASSWORD_HASH, link

FIRST, SECOND, *_, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
LAO = f"lao{FIRST}"
SECOND_LONG = timedelta(seconds=1)


# --- usernames ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        *("LAO1", " lao1 ", "lao1\n", "\u00a0Lao1\u3000", "\u200blao1\ufeff", "\u200e LAO1"),
        *("ＬＡＯ１", "lao๑", "la\u00ado1"),
    ],
)
def test_usernames_differ_neither_by_case_nor_by_what_stands_around_them(typed: str) -> None:
    assert normalize_username(typed) == "lao1"


@pytest.mark.parametrize(
    ("username", "is_one"),
    [
        ("lao", True),
        ("la", False),
        ("a" * 64, True),
        ("a" * 65, False),
        ("9.a_b-c@d", True),
        (".lao", False),
        ("@lao", False),
        ("la o", False),
        ("LAO", False),
        ("lao\n", False),
        ("อปท", False),
        ("", False),
    ],
)
def test_which_texts_are_usernames(username: str, is_one: bool) -> None:
    assert is_username(username) is is_one


async def test_an_account_is_found_by_what_is_typed(country: Database) -> None:
    async with country.read() as session:
        account = await find_account(session, f" {LAO.upper()} ")
        assert (account.username, account.unit) == (LAO, FIRST)
        assert (await find_account(session, "province11")).unit == "11"
        with pytest.raises(UnknownAccount, match=r"no account nobody; see: laocert account list"):
            await find_account(session, "nobody")


async def test_an_unknown_and_a_disabled_account_have_nothing_to_check_a_password_against(
    country: Database, now: datetime
) -> None:
    nothing = LoginCandidate(None, None)
    async with country.write() as session:
        known = await login_candidate(session, LAO.upper())
        assert known == LoginCandidate((await find_account(session, LAO)).id, PASSWORD_HASH, "5110201")
        assert await login_candidate(session, "nobody") == nothing
        await disable_account(session, await find_account(session, LAO), now)
        assert await login_candidate(session, LAO) == nothing


async def test_of_what_no_account_is_called_only_a_digest_is_kept(country: Database) -> None:
    """It may be a password, typed too early."""
    async with country.read() as session:
        assert await username_to_keep(session, f" {LAO.upper()} ") == LAO
        # Of two blanks at the end a phone makes a full stop and a blank.
        assert await username_to_keep(session, f"{LAO}. ") == LAO
        kept = await username_to_keep(session, "hunter2222")
        assert "hunter" not in kept
        assert kept.startswith("login:name:")
        assert kept == await username_to_keep(session, "HUNTER2222")
        for typed in ("", "my password", "ab", "รหัสผ่าน", "x" * 65):
            with pytest.raises(UsernameRefused):
                await username_to_keep(session, typed)


async def test_a_username_is_found_among_the_words_of_a_text(country: Database) -> None:
    async with country.read() as session:
        assert await names_account(session, f"ขอใช้ {LAO.upper()}\nครับ")
        assert not await names_account(session, "ขอใช้ lao ครับ")
        assert not await names_account(session, "")


@pytest.mark.parametrize(
    ("organization", "province"), [(None, None), (FIRST, "11"), (None, "11")], ids=["neither", "both", "the wrong"]
)
async def test_the_database_takes_no_account_that_belongs_to_none_or_two(
    country: Database, organization: str | None, province: str | None
) -> None:
    with pytest.raises(IntegrityError):
        async with country.write() as session:
            session.add(
                Account(
                    username="other",
                    role=Role.LAO,
                    organization_code=organization,
                    province_code=province,
                    display_name="x",
                )
            )


# --- names and positions ------------------------------------------------------------------------------------


def test_a_name_is_tidied() -> None:
    assert name_or_position("  นาย  สมชาย \u00a0 ใจดี ") == "นาย สมชาย ใจดี"
    assert name_or_position("ก" * MAX_NAME) == "ก" * MAX_NAME
    assert name_or_position("ครู") == "ครู"
    assert name_or_position("ผอ.สำนัก 2 (รก.)") == "ผอ.สำนัก 2 (รก.)"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "123",
        "...",
        "ก" * (MAX_NAME + 1),
        "ก",
        "ก.",
        "\u200b",
        "ก\u202eข",
        "\u3164",
        "สมชาย 😀",
        "@somchai",
        "go.th",
        "អ៊ុន",
        "王明",
    ],
)
def test_what_cannot_be_read_as_a_name_is_none(typed: str) -> None:
    with pytest.raises(NameRefused):
        name_or_position(typed)


# --- who is ready, and whose chat is idle -------------------------------------------------------------------


async def test_an_officer_is_ready_with_name_position_and_pin(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        reached = chats(Account.organization_code == FIRST)
        assert officer.is_ready
        assert list(await session.scalars(reached)) == [501]
        name, position, pin = officer.full_name, officer.position, officer.pin_hash
        for officer.full_name, officer.position, officer.pin_hash in (
            (None, position, pin),
            (name, None, pin),
            (name, position, None),
        ):
            await session.flush()
            assert not officer.is_ready
            assert list(await session.scalars(reached)) == []
        officer.pin_hash = pin
        await session.flush()
        assert list(await session.scalars(reached)) == [501]
        # Linked as it is, its account may not be used.
        await session.execute(update(Account).where(Account.username == LAO).values(disabled_at=now))
        assert list(await session.scalars(reached)) == []


def test_a_chat_is_idle_after_twelve_hours(now: datetime) -> None:
    officer = Officer(linked_at=now, last_seen_at=None)
    assert not officer.is_idle(now + IDLE)
    assert officer.is_idle(now + IDLE + SECOND_LONG)
    officer.last_seen_at = now + IDLE
    assert not officer.is_idle(now + IDLE + SECOND_LONG)
    # Seen by a clock that was ahead: how long ago is not known.
    officer.last_seen_at = now + IDLE + SECOND_LONG
    assert officer.is_idle(now)


def test_a_pin_may_be_chosen_for_a_while_only(now: datetime) -> None:
    officer = Officer(may_set_pin_until=now + PIN_CHOICE)
    assert officer.may_set_pin(now)
    assert officer.may_set_pin(now + PIN_CHOICE)
    assert not officer.may_set_pin(now + PIN_CHOICE + SECOND_LONG)
    # Machines may differ a little; what was put further ahead was put there by a wrong clock.
    assert officer.may_set_pin(now - LARGEST_OFFSET)
    assert not officer.may_set_pin(now - LARGEST_OFFSET - SECOND_LONG)
    assert not Officer(may_set_pin_until=None).may_set_pin(now)


async def test_that_a_chat_is_in_use_is_written_once_a_minute(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        await saw_officer(session, officer, now + SEEN_EVERY)
        assert officer.last_seen_at == now
        await saw_officer(session, officer, now + SEEN_EVERY + SECOND_LONG)
        assert officer.last_seen_at == now + SEEN_EVERY + SECOND_LONG


# --- who is linked ------------------------------------------------------------------------------------------


async def test_an_officer_is_active_while_its_link_and_its_account_are(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        assert await active_officer(session, 501) is officer
        account = await find_account(session, LAO)
        account.disabled_at = now
        await session.flush()
        assert await active_officer(session, 501) is None
        account.disabled_at = None
        await session.flush()
        assert await active_officer(session, 501) is officer
        await unlink_officer(session, officer, now)
        assert await active_officer(session, 501) is None
        # It was somebody's, and stays so in the history.
        assert await is_somebodys(session, 501)
        assert not await is_somebodys(session, 502)


async def test_the_linked_come_in_order_of_linking_ready_or_not(country: Database, now: datetime) -> None:
    async with country.write() as session:
        made = [await link(session, LAO, user, now) for user in (509, 501, 505)]
        made[1].position = None
        await unlink_officer(session, made[2], now)
        await link(session, f"lao{SECOND}", 502, now)
        account = made[0].account_id
        assert [one.user_id for one in await linked_officers(session, [account], hold=True)] == [509, 501]
        assert await linked_officers(session, []) == []


async def test_concerned_are_the_sides_that_are_asked_for(country: Database, now: datetime) -> None:
    async with country.write() as session:
        for username, user in ((LAO, 501), (LAO, 511), (f"lao{SECOND}", 502), (f"lao{ELSEWHERE}", 505)):
            await link(session, username, user, now)
        for username, user in (("province11", 601), ("province12", 602)):
            await link(session, username, user, now)
        nameless = await active_officer(session, 511)
        assert nameless is not None
        nameless.position = None
        await session.flush()
        organization = await session.get_one(Organization, FIRST)

        async def told(*roles: Role) -> list[int]:
            return [one.user_id for one in await officers_concerned(session, organization, *roles)]

        assert await told(Role.LAO) == [501]
        assert await told(Role.PROVINCE) == [601]
        assert await told(Role.LAO, Role.PROVINCE) == [501, 601]


# --- what is recorded ---------------------------------------------------------------------------------------


async def test_of_an_unknown_username_nothing_typed_is_recorded(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await record_failed_login(session, "a-typed-password", 501, now)
        await record_failed_login(session, LAO.upper(), 501, now)
        events = await session.execute(
            select(AuditEvent.chain, AuditEvent.details)
            .where(AuditEvent.kind == Event.LOGIN_FAILED)
            .order_by(AuditEvent.id)
        )
        assert [(chain, json.loads(details)) for chain, details in events] == [
            (SYSTEM, {"user": 501}),
            (FIRST, {"user": 501, "username": LAO}),
        ]


async def test_a_refusal_stands_in_the_chain_of_who_tried(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, LAO, 501, now)
        await record_refusal(session, officer, 501, "ProvinceReview", now)
        await record_refusal(session, None, 777, "ProvinceReview", now)
        events = await session.execute(
            select(AuditEvent.chain, AuditEvent.details)
            .where(AuditEvent.kind == Event.REFUSED)
            .order_by(AuditEvent.id)
        )
        assert [(chain, json.loads(details)) for chain, details in events] == [
            (FIRST, {"user": 501, "officer": officer.id, "what": "ProvinceReview"}),
            (SYSTEM, {"user": 777, "officer": None, "what": "ProvinceReview"}),
        ]
