"""The PIN of an officer, and the keypad of buttons on which the officer enters it.

Telegram authenticates a user's account, not the person who holds the phone. The bot therefore asks for the PIN
before an irreversible press and after an idle time. Six digits can be guessed, so two mechanisms protect them: the
throttle (models/accounts/throttle.py) limits attempts, and a secret key in the hash makes a stolen database
useless without it (NIST SP 800-63B, 3.1.1.2, "pepper").

The table has one keypad per user. A button's callback data carries the keypad's nonce and a place, never a digit.
The layout of the digits and what was entered are encrypted. The user, the nonce, the purpose, the subject and the
opening time are associated data of the encryption: a row in which one of them was changed cannot be decrypted.
"""

import enum
import hashlib
import hmac
import itertools
import random
import unicodedata
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, ClassVar

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import BigInteger, Delete, LargeBinary, String, Update, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import throttle
from models.accounts.account import Officer
from models.audit import event_chain
from models.audit.digests import keyed_digest
from models.audit.row_seal import load_seal_state, require_newest
from models.audit.sealings import newest_sealing
from models.base.calendar import bangkok_day
from models.base.clocks import is_past
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.tables import Base, text_enum
from models.security.keys import Keyring
from models.security.sealing import Seal, Unreadable

LENGTH = 6
# An open keypad expires after this time.
KEYPAD_LIFETIME = timedelta(minutes=30)
# How many of an officer's typed digits are barred, the newest ones: the digits of ten messages of nothing but
# digits (Bot API, sendMessage: 4,096 characters each).
_MOST_BARRED = 40_960

# The OWASP password storage cheat sheet's minimum for Argon2id, as for passwords.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Purpose(enum.StrEnum):
    """The action for which a keypad asks for a PIN. SET chooses a new PIN; the others check the existing one."""

    SET = "set"
    CONFIRM = "confirm"
    UNLOCK = "unlock"
    HAND_OVER = "hand_over"
    HAND_IN = "hand_in"


class KeypadExpired(DomainError):
    """The keypad is unknown, belongs to another officer, was replaced by a newer one, or is too old."""


class WeakPin(DomainError):
    """The PIN is easy to guess: a repeated digit or short pattern, a run, or part of the username."""


class Keypad(Base):
    """The row of a user's open keypad; a newly opened keypad replaces it."""

    COVERAGE: ClassVar[Coverage] = covered(
        sealed="user_id nonce purpose subject sealed",
        uncovered={"opened_at": "a keypad that is open longer opens nothing without its PIN"},
    )

    __tablename__ = "keypad"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, UPDATE, DELETE")

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    nonce: Mapped[str] = mapped_column(String(24))
    purpose: Mapped[Purpose] = mapped_column(text_enum(Purpose, checked=False))
    subject: Mapped[str] = mapped_column(String(64))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    opened_at: Mapped[datetime]


@dataclass(frozen=True)
class Pad:
    """A keypad in memory, with its encrypted fields decrypted.

    `subject` identifies the action that the PIN releases: a confirmation's nonce, or the callback data to continue
    with. `layout[place]` is the digit of the button whose callback data has that place. `first` is the first entry
    of a new PIN, which is entered twice. `heading` is the text above the keys, as HTML. `barred` are the digits
    that the officer typed in messages while choosing a new PIN, concatenated: no six consecutive ones of them can
    be the PIN.
    """

    nonce: str
    purpose: Purpose
    subject: str
    opened_at: datetime
    layout: tuple[int, ...] = ()
    entered: str = ""
    first: str = ""
    heading: str = ""
    barred: str = ""

    def pressed(self, place: int) -> "Pad":
        """Return the keypad after one more digit; a full keypad starts with an empty entry.

        Raises KeypadExpired when the layout has no such place.
        """
        if place >= len(self.layout):
            raise KeypadExpired
        before = "" if self.is_full else self.entered
        return replace(self, entered=f"{before}{self.layout[place]}")

    def barring(self, typed: str) -> "Pad":
        """Return the keypad with the digits of a typed message barred.

        If the first entry of the new PIN is among the barred digits, both entries are cleared.
        """
        barred = _barring(self.barred, typed)
        if self.first and self.first in barred:
            return replace(self, barred=barred, first="", entered="")
        return replace(self, barred=barred)

    @property
    def is_full(self) -> bool:
        """Whether all six digits are entered."""
        return len(self.entered) >= LENGTH


# --- the keypad ---------------------------------------------------------------------------------------------


async def open_keypad(
    session: AsyncSession,
    officer: Officer,
    purpose: Purpose,
    subject: str,
    heading: str,
    now: datetime,
    rng: random.Random,
) -> Pad:
    """Open a new keypad with a random nonce and layout, which replaces the officer's current one.

    Digits barred on the replaced keypad stay barred.
    """
    nonce, layout = f"{rng.getrandbits(64):016x}", tuple(rng.sample(range(10), 10))
    barred = await _barred(session, officer)
    pad = Pad(nonce, purpose, subject, now, layout, heading=heading, barred=barred)
    await close_keypad(session, officer)
    session.add(
        Keypad(
            user_id=officer.user_id,
            nonce=pad.nonce,
            purpose=purpose,
            subject=subject,
            sealed=_sealed(session, officer.user_id, pad),
            opened_at=now,
        )
    )
    await session.flush()
    return pad


async def load_keypad(session: AsyncSession, officer: Officer, nonce: str, now: datetime) -> Pad:
    """Return the officer's open keypad.

    Raises KeypadExpired when `nonce` is not its nonce, or it is too old or unreadable.
    """
    row = await session.get(Keypad, officer.user_id)
    if row is None or not nonce or row.nonce != nonce or is_past(row.opened_at, KEYPAD_LIFETIME, now):
        raise KeypadExpired
    try:
        return await _unsealed(session, row)
    except Unreadable:
        raise KeypadExpired from None


async def keep_keypad(session: AsyncSession, officer: Officer, pad: Pad) -> None:
    """Store the encrypted fields of an open keypad, such as the digits entered so far."""
    update_sealed, _ = _statements()
    await session.execute(
        update_sealed, {"user": officer.user_id, "now_sealed": _sealed(session, officer.user_id, pad)}
    )


async def close_keypad(session: AsyncSession, officer: Officer) -> None:
    """Delete the officer's keypad with its barred digits."""
    _, delete_keypad = _statements()
    await session.execute(delete_keypad, {"user": officer.user_id})


async def leave_keypad(session: AsyncSession, officer: Officer) -> None:
    """Close a keypad whose message is no longer shown, but keep its barred digits for the next keypad.

    A keypad without barred digits is deleted.
    """
    row = await _find_row(session, officer)
    pad = None if row is None else await _readable(session, row)
    if not pad or not pad.barred:
        await close_keypad(session, officer)
        return
    await _empty(session, officer, pad.barred, pad.opened_at)


async def bar(session: AsyncSession, officer: Officer, typed: str, now: datetime) -> None:
    """Bar the digits of a typed message, also before a keypad for choosing a PIN is open.

    They stay barred for KEYPAD_LIFETIME after the last such message. An open keypad stays open. Does nothing for a
    message without digits.
    """
    if not _digits(typed):
        return
    row = await _find_row(session, officer)
    if row is None:
        columns = _values(session, officer.user_id, _no_keys(_barring("", typed), now))
        await session.execute(insert(Keypad.core()).values(user_id=officer.user_id, **columns))
        return
    pad = await _readable(session, row)
    barred = _barring(pad.barred if pad else "", typed)
    if pad and pad.nonce and not is_past(pad.opened_at, KEYPAD_LIFETIME, now):
        await keep_keypad(session, officer, replace(pad, barred=barred))
        return
    await _empty(session, officer, barred, now)


async def _find_row(session: AsyncSession, officer: Officer) -> Any:
    """Return the officer's keypad row, open or not; None when there is none."""
    table = Keypad.core()
    return (await session.execute(select(table).where(table.c.user_id == officer.user_id))).first()


async def _empty(session: AsyncSession, officer: Officer, barred: str, opened_at: datetime) -> None:
    """Overwrite the officer's keypad with one that has no keys and only these barred digits."""
    table = Keypad.core()
    columns = _values(session, officer.user_id, _no_keys(barred, opened_at))
    await session.execute(update(table).where(table.c.user_id == officer.user_id).values(**columns))


def _no_keys(barred: str, opened_at: datetime) -> Pad:
    return Pad("", Purpose.SET, "", opened_at, barred=barred)


def _barring(barred: str, typed: str) -> str:
    return (barred + _digits(typed))[-_MOST_BARRED:]


async def _barred(session: AsyncSession, officer: Officer) -> str:
    row = await _find_row(session, officer)
    pad = None if row is None else await _readable(session, row)
    return pad.barred if pad else ""


@cache
def _statements() -> tuple[Update, Delete]:
    table = Keypad.core()
    is_of_user = table.c.user_id == bindparam("user")
    return update(table).where(is_of_user).values(sealed=bindparam("now_sealed")), delete(table).where(is_of_user)


# The fields of a keypad that are plain columns; the encryption authenticates them as associated data.
_OPEN = ("nonce", "purpose", "subject", "opened_at")


def _values(session: AsyncSession, user_id: int, pad: Pad) -> dict[str, Any]:
    """Return the columns of a keypad's row except `user_id`."""
    return {name: getattr(pad, name) for name in _OPEN} | {"sealed": _sealed(session, user_id, pad)}


def _about(user_id: int, keypad: Any) -> bytes:
    """Return the associated data of a keypad's encryption, from its Pad or its row."""
    opened_at = keypad.opened_at.astimezone(UTC).isoformat()
    return event_chain.canonical([user_id, keypad.nonce, keypad.purpose, keypad.subject, opened_at]).encode()


def _sealed(session: AsyncSession, user_id: int, pad: Pad) -> bytes:
    sealed_fields = {key: value for key, value in asdict(pad).items() if key not in _OPEN}
    return Seal(event_chain.keyring(session), "keypad").close(orjson.dumps(sealed_fields), _about(user_id, pad))


async def _unsealed(session: AsyncSession, row: Any) -> Pad:
    """Decrypt the keypad in a row. Raises Unreadable."""
    sealed_fields: dict[str, Any] = orjson.loads(await _opened(session, row))
    # Older versions stored no barred digits, or a list of them.
    sealed_fields |= {"layout": tuple(sealed_fields["layout"]), "barred": "".join(sealed_fields.get("barred", ()))}
    return Pad(row.nonce, row.purpose, row.subject, row.opened_at, **sealed_fields)


async def _opened(session: AsyncSession, row: Any) -> bytes:
    keys, about = event_chain.keyring(session), _about(row.user_id, row)
    try:
        return Seal(Keyring(keys.current), "keypad").open(row.sealed, about)
    except Unreadable:
        state = await load_seal_state(session)
        if keys.current_id in state.all_under:
            raise
    seal = Seal(keys, "keypad")
    try:
        return seal.open(row.sealed, about)
    except Unreadable:
        if state.all_under or state.distrusts:
            raise
    # The previous version encrypted keypads without associated data.
    return seal.open(row.sealed)


async def _readable(session: AsyncSession, row: Any) -> Pad | None:
    """Decrypt the keypad in a row; None when it cannot be decrypted."""
    try:
        return await _unsealed(session, row)
    except Unreadable:
        return None


# --- digits in typed messages ---------------------------------------------------------------------------------


def is_bare_number(typed: str) -> bool:
    """Whether a message is only a six-digit number in any script, possibly repeated, with at most one word."""
    digits = _digits(typed)
    is_six = bool(digits) and digits == digits[:LENGTH] * (len(digits) // LENGTH)
    spelled = (letter if letter.isalpha() or unicodedata.category(letter)[0] == "M" else " " for letter in typed)
    words = [word for word in "".join(spelled).split() if any(letter.isalpha() for letter in word)]
    return is_six and len(words) <= 1


def holds_number(typed: str) -> bool:
    """Whether a text has six digits of any script with no letter between them."""
    row = 0
    for letter in typed:
        if letter.isalpha():
            row = 0
        elif unicodedata.digit(letter, None) is not None:
            row += 1
            if row == LENGTH:
                return True
    return False


def _digits(typed: str) -> str:
    """Return the digits of a message as 0-9, including Thai, full-width, superscript and circled digits."""
    values = (unicodedata.digit(letter, None) for letter in typed)
    return "".join(str(value) for value in values if value is not None)


# --- the PIN ------------------------------------------------------------------------------------------------


def require_strong(pin: str, username: str) -> None:
    """Raise WeakPin for a run, a repeated pattern of 1 to 3 digits, or a PIN that is part of the username."""
    steps = {(int(after) - int(before)) % 10 for before, after in itertools.pairwise(pin)}
    is_run = steps in ({1}, {9})
    is_pattern = any(pin == pin[:length] * (LENGTH // length) for length in (1, 2, 3))
    digits = "".join(letter for letter in username if letter.isdecimal())
    if is_run or is_pattern or pin in digits:
        raise WeakPin


def hash_pin(keys: Keyring, user_id: int, pin: str) -> str:
    """Return the hash to store: `<key id>:<Argon2id of the HMAC of user id and PIN>`.

    Takes about 50 ms: call it off the event loop.
    """
    return f"{keys.current_id}:{_HASHER.hash(_keyed(keys, keys.current_id, user_id, pin))}"


def pin_matches(keys: Keyring, user_id: int, pin_hash: str, pin: str) -> bool:
    """Whether `pin` matches `pin_hash`.

    False also when the secret key of the hash is missing. Takes about 50 ms.
    """
    key_id, _, hashed = pin_hash.partition(":")
    keyed = _keyed(keys, key_id, user_id, pin)
    try:
        return _HASHER.verify(hashed or _NO_PIN, keyed)
    except VerificationError:
        return False


def checked_pin(keys: Keyring, user_id: int, pin_hash: str, pin: str) -> bool | str:
    """Check a PIN as pin_matches does; for a right PIN hashed under an older key, return its hash under the
    current key.

    Takes about 50 ms, or 100 ms when it hashes again.
    """
    if not pin_matches(keys, user_id, pin_hash, pin):
        return False
    return True if _key_of(pin_hash) == keys.current_id else hash_pin(keys, user_id, pin)


def _key_of(pin_hash: str) -> str:
    return pin_hash.partition(":")[0]


async def has_ended(session: AsyncSession, officer: Officer, now: datetime) -> bool:
    """Whether the officer's PIN has expired after a rotation of the secret key.

    It has expired when its hash is under a replaced key and the last day for such PINs has passed
    (`laocert keys rotate --pin-until`).
    """
    key_id = _key_of(officer.pin_hash or "")
    if officer.pin_hash is None or key_id == event_chain.keyring(session).current_id:
        return False
    newest = await newest_sealing(session)
    if newest is None or newest.pin_until is None or key_id == newest.key_id:
        return False
    return bangkok_day(now) > newest.pin_until


def _keyed(keys: Keyring, key_id: str, user_id: int, pin: str) -> bytes:
    # A missing key gives a wrong digest in the same time, so that timing reveals nothing.
    key = keys.key("pin", key_id) or b""
    return hmac.new(key, f"{user_id}:{pin}".encode(), hashlib.sha256).digest()


# The Argon2id hash of discarded random letters, which no PIN matches. It is a constant because computing it at
# import would slow every command by one hash.
_NO_PIN = "$argon2id$v=19$m=19456,t=2,p=1$7iArSkkN2N6eVo//DtorAg$DdmpbP3UUMkpWRiPsTDzarYDLwVnlBnt3I7wwC5GL2I"


async def set_pin(session: AsyncSession, officer: Officer, pin_hash: str, now: datetime) -> bool:
    """Set the officer's PIN, clear the failures of the old one, and record it. Returns whether there was an old
    PIN.

    Raises KeypadExpired when the officer may not choose a PIN now and must first give the password or an
    invitation. Raises BadSeal or RecordBroken when the officer's row was changed without the secret key.
    """
    if not officer.may_set_pin(now):
        raise KeypadExpired
    await require_newest(session, officer.account.unit, [officer])
    had_pin = officer.pin_hash is not None
    officer.pin_hash = pin_hash
    officer.may_set_pin_until = None
    officer.last_seen_at = now
    await throttle.clear(session, [throttle.pin_key(officer.user_id)], now)
    await event_chain.record(
        session,
        event_chain.Event.PIN_SET,
        officer.account.unit,
        now,
        officer=officer.id,
        pin=keyed_digest(event_chain.keyring(session), pin_hash),
    )
    return had_pin


async def move_pin(session: AsyncSession, officer: Officer, pin_hash: str, now: datetime) -> None:
    """Store the hash under the current secret key for a right PIN that was hashed under an older key, and record
    it.
    """
    officer.pin_hash = pin_hash
    await event_chain.record(
        session,
        event_chain.Event.PIN_MOVED,
        officer.account.unit,
        now,
        officer=officer.id,
        pin=keyed_digest(event_chain.keyring(session), pin_hash),
    )


async def forget_old_keypads(session: AsyncSession, now: datetime) -> None:
    """Delete keypads opened more than twice KEYPAD_LIFETIME ago.

    They outlive their expiry because their digits stay barred for a while and their officer is informed that the
    keypad has expired. Also deletes rows dated that far in the future by a wrong clock.
    """
    retention = 2 * KEYPAD_LIFETIME
    await session.execute(delete(Keypad).where(~Keypad.opened_at.between(now - retention, now + retention)))
