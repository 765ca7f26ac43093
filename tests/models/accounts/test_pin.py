"""The PIN and its keypad as they lie in the database: keyed, sealed, bound to one person, and not for long."""

import base64
import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text, update

from models.accounts.account import Officer
from models.accounts.pin import (
    KEYPAD_LIFETIME,
    Keypad,
    KeypadExpired,
    Pad,
    Purpose,
    WeakPin,
    bar,
    close_keypad,
    forget_old_keypads,
    hash_pin,
    holds_number,
    is_bare_number,
    keep_keypad,
    load_keypad,
    open_keypad,
    pin_matches,
    require_strong,
    set_pin,
)
from models.accounts.throttle import TRIES, admit, blocked_until, pin_key
from models.database.engine import Database
from models.security.keys import Keyring
from models.security.sealing import Seal
from tests.support import KEYRING, PIN, SECRET_KEY, link

USER, COLLEAGUE = 501, 502
NEW_KEY = "a newer key for tests of more than 32 letters"


@pytest.fixture
def rng() -> random.Random:
    return random.Random(5)


async def opened(database: Database, now: datetime, rng: random.Random, purpose: Purpose = Purpose.CONFIRM) -> Pad:
    async with database.write() as session:
        officer = await link(session, "lao5110201", USER, now)
        return await open_keypad(session, officer, purpose, "subject", "<b>heading</b>", now, rng)


async def loaded(database: Database, nonce: str, now: datetime, user_id: int = USER) -> Pad:
    async with database.write() as session:
        return await load_keypad(session, await link(session, "lao5110201", user_id, now), nonce, now)


async def pressed(database: Database, pad: Pad, digits: str, now: datetime) -> Pad:
    """Press the digits and keep what was entered."""
    async with database.write() as session:
        officer = await link(session, "lao5110201", USER, now)
        for digit in digits:
            pad = pad.pressed(pad.layout.index(int(digit)))
        await keep_keypad(session, officer, pad)
    return pad


# --- the hash -----------------------------------------------------------------------------------------------


def test_a_pin_matches_its_own_hash_only() -> None:
    kept = hash_pin(KEYRING, USER, PIN)
    assert kept.startswith(f"{KEYRING.current_id}:$argon2id$v=19$m=19456,t=2,p=1$")
    assert pin_matches(KEYRING, USER, kept, PIN)
    for wrong in ("804916", "", PIN[:-1], PIN + "0", "519408"):
        assert not pin_matches(KEYRING, USER, kept, wrong)


def test_a_hash_is_one_persons_and_one_secret_keys() -> None:
    """Who has the database only, or moves a hash to another row, can try nothing."""
    kept = hash_pin(KEYRING, USER, PIN)
    assert not pin_matches(KEYRING, COLLEAGUE, kept, PIN)
    assert not pin_matches(Keyring(NEW_KEY), USER, kept, PIN)
    relabelled = f"{Keyring(NEW_KEY).current_id}:{kept.partition(':')[2]}"
    assert not pin_matches(Keyring(NEW_KEY, (SECRET_KEY,)), USER, relabelled, PIN)
    assert len({kept, hash_pin(KEYRING, USER, PIN)}) == 2, "each hash has its own salt"


def test_a_changed_secret_key_takes_the_pins_of_the_old_one() -> None:
    kept = hash_pin(KEYRING, USER, PIN)
    both = Keyring(NEW_KEY, (SECRET_KEY,))
    assert pin_matches(both, USER, kept, PIN)
    assert not pin_matches(both, USER, kept, "804916")
    assert hash_pin(both, USER, PIN).startswith(both.current_id)
    assert both.current_id != KEYRING.current_id


@pytest.mark.parametrize("kept", ["", ":", "00000000:", "no hash"])
def test_without_a_hash_no_pin_is_right(kept: str) -> None:
    assert not pin_matches(KEYRING, USER, kept, PIN)
    assert not pin_matches(KEYRING, USER, kept, "no officer has this PIN")


# --- which PINs are refused ---------------------------------------------------------------------------------


def test_pins_that_are_guessed_first_are_refused() -> None:
    weak = [
        *(digit * 6 for digit in "0123456789"),
        *(
            "".join(str((start + step * place) % 10) for place in range(6))
            for start in range(10)
            for step in (1, 9)
        ),
        *("".join(pair) * 3 for pair in itertools.product("0123456789", repeat=2)),
        *("".join(three) * 2 for three in itertools.product("0123456789", repeat=3)),
    ]
    # Six the same are in each of the repeated ones.
    assert len(set(weak)) == 20 + 1000 + 100 - 10
    for pin in weak:
        with pytest.raises(WeakPin):
            require_strong(pin, "someone")


@pytest.mark.parametrize(
    ("pin", "username"), [("511020", "lao5110201"), ("110201", "lao5110201"), ("123987", "a123b987")]
)
def test_digits_of_the_username_are_no_pin(pin: str, username: str) -> None:
    with pytest.raises(WeakPin):
        require_strong(pin, username)
    require_strong(pin, "lao6120401")


@pytest.mark.parametrize("pin", [PIN, "112233", "123457", "100000", "135790"])
def test_other_pins_are_taken(pin: str) -> None:
    require_strong(pin, "lao5110201")


# --- the keypad ---------------------------------------------------------------------------------------------


async def test_what_was_entered_is_kept_for_the_next_tap(
    country: Database, now: datetime, rng: random.Random
) -> None:
    pad = await opened(country, now, rng)
    assert sorted(pad.layout) == list(range(10))
    assert await pressed(country, pad, "80", now) == await loaded(country, pad.nonce, now)
    full = await pressed(country, await loaded(country, pad.nonce, now), "4915", now)
    assert (full.entered, full.is_full, full.subject, full.heading) == (PIN, True, "subject", "<b>heading</b>")
    # A seventh starts anew.
    assert full.pressed(full.layout.index(7)).entered == "7"


async def test_a_place_that_no_key_has(country: Database, now: datetime, rng: random.Random) -> None:
    pad = await opened(country, now, rng)
    for place in (10, 999_999_999):
        with pytest.raises(KeypadExpired):
            pad.pressed(place)


async def test_each_keypad_has_its_own_order(country: Database, now: datetime, rng: random.Random) -> None:
    pads = [await opened(country, now, rng) for _ in range(20)]
    assert len({pad.layout for pad in pads}) == len({pad.nonce for pad in pads}) == 20
    # No digit has a place that it likes.
    assert all(len({pad.layout.index(digit) for pad in pads}) > 4 for digit in range(10))


async def test_no_digit_and_no_order_can_be_read_from_the_row(
    country: Database, now: datetime, rng: random.Random
) -> None:
    pad = await opened(country, now, rng, Purpose.SET)
    empty = await row(country)
    entered = await pressed(country, pad, PIN, now)
    order = "".join(map(str, pad.layout))
    kept = await row(country)
    secrets = (PIN, order, ",".join(map(str, pad.layout)), ", ".join(map(str, pad.layout)))
    for secret in secrets:
        for form in (secret.encode(), bytes(map(int, PIN)), base64.b64encode(secret.encode())):
            assert form not in kept
    # Also not by comparing: the same state is never sealed into the same bytes.
    assert await pressed(country, entered, "", now) == entered
    assert len({empty, kept, await row(country)}) == 3
    assert len(empty) < len(kept), "what was entered is in there"


async def test_digits_that_an_older_version_has_sealed_stay_barred(
    country: Database, now: datetime, rng: random.Random
) -> None:
    pad = await opened(country, now, rng, Purpose.SET)
    async with country.write() as session:
        officer = await link(session, "lao5110201", USER, now)
        await keep_keypad(session, officer, replace(pad, barred=["271828", "718281"]))  # type: ignore[arg-type]
    assert "271828" in (await loaded(country, pad.nonce, now)).barred


async def test_what_is_typed_before_the_keypad_is_barred_for_half_an_hour(
    country: Database, now: datetime, rng: random.Random
) -> None:
    async with country.write() as session:
        officer = await link(session, "lao5110201", USER, now)
        await bar(session, officer, "ปลัด", now)
        await bar(session, officer, "27 1", now)
        await bar(session, officer, "๘๒๘", now + timedelta(minutes=20))
        await forget_old_keypads(session, now + timedelta(minutes=75))
    later = now + timedelta(minutes=75)
    pad = await opened(country, later, rng, Purpose.SET)
    assert (await loaded(country, pad.nonce, later)).barred == "271828"
    async with country.write() as session:
        officer = await link(session, "lao5110201", USER, now)
        await bar(session, officer, "5", later)
    assert await loaded(country, pad.nonce, later) == replace(pad, barred="2718285")
    async with country.write() as session:
        officer = await link(session, "lao5110201", USER, now)
        await bar(session, officer, "6", later + KEYPAD_LIFETIME + timedelta(seconds=1))
    with pytest.raises(KeypadExpired):
        await loaded(country, pad.nonce, later)


def test_the_newest_digits_are_barred_however_many(now: datetime) -> None:
    pad = Pad("nonce", Purpose.SET, "", now)
    for _ in range(9):
        pad = pad.barring("271828" + "0" * 4090)
    assert "271828" in pad.barring("0" * 4096).barred
    for _ in range(10):
        pad = pad.barring("0" * 4096)
    assert "271828" not in pad.barred
    assert len(pad.barred) == 40_960


@pytest.mark.parametrize("typed", ["271828", "271828 271828", "รหัส๒๗๑๘๒๘", "2\ufe0f\u20e371828", "PIN: 27-18-28"])
def test_a_bare_number(typed: str) -> None:
    assert is_bare_number(typed)
    assert holds_number(typed)


@pytest.mark.parametrize("typed", ["บันทึกซ้ำ 123456 ราย", "แก้ 12345", "12345", "ปลัด", "", "แก้วันที่ 27/1/2570"])
def test_no_bare_number(typed: str) -> None:
    assert not is_bare_number(typed)


@pytest.mark.parametrize("typed", ["หัวหน้าฝ่าย 2 กลุ่ม 3 งาน 4567", "ปลัด 12345", "", "27182ก8"])
def test_no_six_digits_in_a_row(typed: str) -> None:
    assert not holds_number(typed)


async def row(database: Database) -> bytes:
    """All columns of the only keypad."""
    async with database.read() as session:
        (found,) = (await session.execute(text("SELECT * FROM keypad"))).all()
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in found)


async def test_a_keypad_is_one_persons(country: Database, now: datetime, rng: random.Random) -> None:
    pad = await opened(country, now, rng)
    with pytest.raises(KeypadExpired):
        await loaded(country, pad.nonce, now, COLLEAGUE)
    with pytest.raises(KeypadExpired):
        await loaded(country, "0" * 16, now)


async def test_a_new_keypad_ends_the_old_one(country: Database, now: datetime, rng: random.Random) -> None:
    first, second = await opened(country, now, rng), await opened(country, now, rng)
    with pytest.raises(KeypadExpired):
        await loaded(country, first.nonce, now)
    assert await loaded(country, second.nonce, now) == second
    async with country.write() as session:
        await close_keypad(session, await link(session, "lao5110201", USER, now))
    with pytest.raises(KeypadExpired):
        await loaded(country, second.nonce, now)


async def test_a_keypad_lasts_half_an_hour(country: Database, now: datetime, rng: random.Random) -> None:
    pad = await opened(country, now, rng)
    assert timedelta(minutes=30) == KEYPAD_LIFETIME
    assert await loaded(country, pad.nonce, now + KEYPAD_LIFETIME) == pad
    late = now + KEYPAD_LIFETIME + timedelta(seconds=1)
    with pytest.raises(KeypadExpired):
        await loaded(country, pad.nonce, late)
    async with country.write() as session:
        await forget_old_keypads(session, now + 2 * KEYPAD_LIFETIME)
        assert await session.scalar(select(Keypad)) is not None
        await forget_old_keypads(session, late + KEYPAD_LIFETIME)
        assert await session.scalar(select(Keypad)) is None


async def test_a_keypad_that_was_tampered_with_is_none(
    country: Database, now: datetime, rng: random.Random, database_url: str
) -> None:
    """Neither changed bytes nor those of another secret key are gone on with."""
    pad = await opened(country, now, rng)
    elsewhere = Database(database_url, Keyring(NEW_KEY))
    async with elsewhere.read() as session:
        kept = await session.get_one(Keypad, USER)
        officer = (await session.scalars(select(Officer).where(Officer.user_id == USER))).one()
        with pytest.raises(KeypadExpired):
            await load_keypad(session, officer, pad.nonce, now)
    await elsewhere.close()
    async with country.write() as session:
        (await session.get_one(Keypad, USER)).sealed = kept.sealed[:-1] + bytes([kept.sealed[-1] ^ 1])
    with pytest.raises(KeypadExpired):
        await loaded(country, pad.nonce, now)


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "another confirmation"},
        {"purpose": Purpose.SET},
        {"nonce": "0123456789abcdef"},
        {"opened_at": datetime(2026, 11, 2, 2, 31, tzinfo=UTC)},
        {"user_id": COLLEAGUE},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_what_a_keypad_is_for_cannot_be_changed_in_its_row(
    country: Database, now: datetime, rng: random.Random, changed: dict[str, Any]
) -> None:
    """The PIN that was asked for one thing is not good for another."""
    pad = await opened(country, now, rng)
    async with country.write() as session:
        await session.execute(update(Keypad).values(**changed))
    nonce, user_id = changed.get("nonce", pad.nonce), changed.get("user_id", USER)
    with pytest.raises(KeypadExpired):
        await loaded(country, nonce, now, user_id)


async def test_what_is_typed_beside_a_changed_keypad_ends_it(
    country: Database, now: datetime, rng: random.Random
) -> None:
    """Nothing seals anew what somebody else has written into the row."""
    pad = await opened(country, now, rng)
    async with country.write() as session:
        await session.execute(update(Keypad).values(subject="another confirmation"))
        await bar(session, await link(session, "lao5110201", USER, now), "271828", now)
    with pytest.raises(KeypadExpired):
        await loaded(country, pad.nonce, now)
    later = await opened(country, now, rng, Purpose.SET)
    assert later.barred == "271828"


async def test_a_keypad_of_the_version_before_opens(country: Database, now: datetime, rng: random.Random) -> None:
    pad = await opened(country, now, rng)
    inside = {"layout": pad.layout, "entered": "80", "first": "", "heading": pad.heading, "barred": ""}
    async with country.write() as session:
        await session.execute(update(Keypad).values(sealed=Seal(KEYRING, "keypad").close(orjson.dumps(inside))))
    assert await loaded(country, pad.nonce, now) == replace(pad, entered="80")


# --- choosing one -------------------------------------------------------------------------------------------


async def test_a_pin_is_set_soon_after_the_password_and_opens_what_was_closed(
    country: Database, now: datetime
) -> None:
    kept = hash_pin(KEYRING, USER, PIN)
    async with country.write() as session:
        officer = await link(session, "lao5110201", USER, now)
        for _ in range(TRIES):
            await admit(session, [pin_key(USER)], now)
        assert await blocked_until(session, [pin_key(USER)], now)
        officer.may_set_pin_until = now
        with pytest.raises(KeypadExpired):
            await set_pin(session, officer, kept, now + timedelta(seconds=1))
        await set_pin(session, officer, kept, now)
        assert officer.pin_hash == kept
        assert await blocked_until(session, [pin_key(USER)], now) is None
        # The right to choose is good once.
        with pytest.raises(KeypadExpired):
            await set_pin(session, officer, kept, now)
