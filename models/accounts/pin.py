"""The PIN of an officer, and the keypad of buttons on which it is given.

Telegram proves an account, not a person: the PIN is asked before an irreversible press, and when a chat has been
left alone. Six digits are few, so what makes them hold is the throttle (models/accounts/throttle.py) and the key
in the hash: a stolen database alone cannot be tried out (NIST SP 800-63B, 3.1.1.2, "pepper").

A keypad is one row a person. Buttons carry a keypad's number and a place on it, never a digit; which digit is
where, and what was entered, is sealed. Whose keypad it is, its number, what it is for and when it was opened are
associated data of the sealed part: a row in which one of them was changed opens for nobody.
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
# A keypad that was left open is not gone on with.
KEYPAD_LIFETIME = timedelta(minutes=30)
# So many of the digits that an officer has typed are barred, the newest: those of ten messages that hold nothing
# else (Bot API, sendMessage: 4,096 letters).
_MOST_BARRED = 40_960

# As for passwords: the OWASP password storage cheat sheet's minimum for Argon2id.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Purpose(enum.StrEnum):
    """What a keypad is for."""

    SET = "set"
    CONFIRM = "confirm"
    UNLOCK = "unlock"
    HAND_OVER = "hand_over"
    HAND_IN = "hand_in"


class KeypadExpired(DomainError):
    """The keypad is unknown, another officer's, replaced by a newer one, or too old."""


class WeakPin(DomainError):
    """A PIN that is guessed first: one digit or a short pattern over and over, a run, or part of the username."""


class Keypad(Base):
    """The keypad that a person has open; opening another one ends it."""

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
    """A keypad with what is sealed in it.

    `subject` is what the PIN is for: a confirmation's nonce, or the callback data to go on with.
    `layout[place]` is the digit of the button with that place in its callback data. `first` is a new PIN given for
    the first time. `heading` is what stands above the keys, as HTML. `barred` are the digits that were typed in
    messages while a new PIN was chosen, one message after the other: no six of them in a row can be chosen.
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
        """The keypad after a key; a full one starts anew."""
        if place >= len(self.layout):
            raise KeypadExpired
        before = "" if self.is_full else self.entered
        return replace(self, entered=f"{before}{self.layout[place]}")

    def barring(self, typed: str) -> "Pad":
        """The keypad after a message: no number that the messages hold can be chosen, nor was it a first entry."""
        barred = _barring(self.barred, typed)
        if self.first and self.first in barred:
            return replace(self, barred=barred, first="", entered="")
        return replace(self, barred=barred)

    @property
    def is_full(self) -> bool:
        """Whether six digits were entered."""
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
    """A new keypad, with its digits behind places that were drawn for it; the officer's old one ends. What was
    barred on it stays barred.
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
    """The officer's open keypad. Raises KeypadExpired."""
    row = await session.get(Keypad, officer.user_id)
    if row is None or not nonce or row.nonce != nonce or is_past(row.opened_at, KEYPAD_LIFETIME, now):
        raise KeypadExpired
    try:
        return await _unsealed(session, row)
    except Unreadable:
        raise KeypadExpired from None


async def keep_keypad(session: AsyncSession, officer: Officer, pad: Pad) -> None:
    """Write down what was entered so far."""
    keeping, _ = _statements()
    await session.execute(keeping, {"user": officer.user_id, "now_sealed": _sealed(session, officer.user_id, pad)})


async def close_keypad(session: AsyncSession, officer: Officer) -> None:
    """The keypad has done its work."""
    _, closing = _statements()
    await session.execute(closing, {"user": officer.user_id})


async def leave_keypad(session: AsyncSession, officer: Officer) -> None:
    """The keypad is on no screen any more, and no digit counts on it. Only what was barred while a new PIN was
    chosen is kept, for the next keypad.
    """
    row = await _find_row(session, officer)
    pad = None if row is None else await _readable(session, row)
    if not pad or not pad.barred:
        await close_keypad(session, officer)
        return
    await _empty(session, officer, pad.barred, pad.opened_at)


async def bar(session: AsyncSession, officer: Officer, typed: str, now: datetime) -> None:
    """Bar what was typed before the keypad is there on which a PIN will be chosen: for as long as a keypad lives,
    from the last of it on. A keypad that is open stays.
    """
    if not _digits(typed):
        return
    row = await _find_row(session, officer)
    if row is None:
        inside = _values(session, officer.user_id, _no_keys(_barring("", typed), now))
        await session.execute(insert(Keypad.core()).values(user_id=officer.user_id, **inside))
        return
    pad = await _readable(session, row)
    barred = _barring(pad.barred if pad else "", typed)
    if pad and pad.nonce and not is_past(pad.opened_at, KEYPAD_LIFETIME, now):
        await keep_keypad(session, officer, replace(pad, barred=barred))
        return
    await _empty(session, officer, barred, now)


async def _find_row(session: AsyncSession, officer: Officer) -> Any:
    """The officer's row, whatever is in it; None when there is none."""
    table = Keypad.core()
    return (await session.execute(select(table).where(table.c.user_id == officer.user_id))).first()


async def _empty(session: AsyncSession, officer: Officer, barred: str, opened_at: datetime) -> None:
    """Leave nothing of the officer's keypad but what is barred."""
    table = Keypad.core()
    inside = _values(session, officer.user_id, _no_keys(barred, opened_at))
    await session.execute(update(table).where(table.c.user_id == officer.user_id).values(**inside))


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
    is_theirs = table.c.user_id == bindparam("user")
    return update(table).where(is_theirs).values(sealed=bindparam("now_sealed")), delete(table).where(is_theirs)


# What of a keypad stands in columns of its own, readable and sealed as associated data.
_OPEN = ("nonce", "purpose", "subject", "opened_at")


def _values(session: AsyncSession, user_id: int, pad: Pad) -> dict[str, Any]:
    """The columns of a keypad's row, except for its owner."""
    return {name: getattr(pad, name) for name in _OPEN} | {"sealed": _sealed(session, user_id, pad)}


def _about(user_id: int, keypad: Any) -> bytes:
    """The associated data of a keypad, from its Pad or its row."""
    moment = keypad.opened_at.astimezone(UTC).isoformat()
    return event_chain.canonical([user_id, keypad.nonce, keypad.purpose, keypad.subject, moment]).encode()


def _sealed(session: AsyncSession, user_id: int, pad: Pad) -> bytes:
    inside = {key: value for key, value in asdict(pad).items() if key not in _OPEN}
    return Seal(event_chain.keyring(session), "keypad").close(orjson.dumps(inside), _about(user_id, pad))


async def _unsealed(session: AsyncSession, row: Any) -> Pad:
    """The keypad in a row. Raises Unreadable."""
    inside: dict[str, Any] = orjson.loads(await _opened(session, row))
    # An older version has sealed no digits, or a list of numbers.
    inside |= {"layout": tuple(inside["layout"]), "barred": "".join(inside.get("barred", ()))}
    return Pad(row.nonce, row.purpose, row.subject, row.opened_at, **inside)


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
    # The version before has opened it, without associated data.
    return seal.open(row.sealed)


async def _readable(session: AsyncSession, row: Any) -> Pad | None:
    """The keypad in a row; None for one that does not open."""
    try:
        return await _unsealed(session, row)
    except Unreadable:
        return None


# --- what is typed beside it ---------------------------------------------------------------------------------


def is_bare_number(typed: str) -> bool:
    """Whether a message is nothing but six digits of any script, once or over and over, with at most one word."""
    digits = _digits(typed)
    is_six = bool(digits) and digits == digits[:LENGTH] * (len(digits) // LENGTH)
    spelled = (letter if letter.isalpha() or unicodedata.category(letter)[0] == "M" else " " for letter in typed)
    words = [word for word in "".join(spelled).split() if any(letter.isalpha() for letter in word)]
    return is_six and len(words) <= 1


def holds_number(typed: str) -> bool:
    """Whether a text holds six digits of any script in a row, with whatever is no letter between them."""
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
    """The digits of a message as 0-9: Thai, full-width, raised and circled ones too."""
    values = (unicodedata.digit(letter, None) for letter in typed)
    return "".join(str(value) for value in values if value is not None)


# --- the PIN ------------------------------------------------------------------------------------------------


def require_strong(pin: str, username: str) -> None:
    """Raises WeakPin."""
    steps = {(int(after) - int(before)) % 10 for before, after in itertools.pairwise(pin)}
    is_run = steps in ({1}, {9})
    is_pattern = any(pin == pin[:length] * (LENGTH // length) for length in (1, 2, 3))
    digits = "".join(letter for letter in username if letter.isdecimal())
    if is_run or is_pattern or pin in digits:
        raise WeakPin


def hash_pin(keys: Keyring, user_id: int, pin: str) -> str:
    """The hash to store: which secret key, and Argon2id over the keyed PIN of this person. About 50 ms: call it
    off the event loop.
    """
    return f"{keys.current_id}:{_HASHER.hash(_keyed(keys, keys.current_id, user_id, pin))}"


def pin_matches(keys: Keyring, user_id: int, pin_hash: str, pin: str) -> bool:
    """Whether `pin` is the one behind `pin_hash`; False too when its secret key is gone. About 50 ms."""
    key_id, _, hashed = pin_hash.partition(":")
    keyed = _keyed(keys, key_id, user_id, pin)
    try:
        return _HASHER.verify(hashed or _NO_PIN, keyed)
    except VerificationError:
        return False


def checked_pin(keys: Keyring, user_id: int, pin_hash: str, pin: str) -> bool | str:
    """As pin_matches; for a right PIN whose hash is under an older key, its hash under the key in use. About 50
    ms, or twice that.
    """
    if not pin_matches(keys, user_id, pin_hash, pin):
        return False
    return True if _key_of(pin_hash) == keys.current_id else hash_pin(keys, user_id, pin)


def _key_of(pin_hash: str) -> str:
    return pin_hash.partition(":")[0]


async def has_ended(session: AsyncSession, officer: Officer, now: datetime) -> bool:
    """Whether the officer's PIN is one of those that are taken no more: under a key that was replaced, and the day
    that was set for them has passed (`laocert keys rotate --pin-until`).
    """
    key_id = _key_of(officer.pin_hash or "")
    if officer.pin_hash is None or key_id == event_chain.keyring(session).current_id:
        return False
    newest = await newest_sealing(session)
    if newest is None or newest.pin_until is None or key_id == newest.key_id:
        return False
    return bangkok_day(now) > newest.pin_until


def _keyed(keys: Keyring, key_id: str, user_id: int, pin: str) -> bytes:
    # Without its key the answer is no, but takes as long.
    key = keys.key("pin", key_id) or b""
    return hmac.new(key, f"{user_id}:{pin}".encode(), hashlib.sha256).digest()


# The hash of random letters that nobody knows. Made here it would cost every command a hash at its start.
_NO_PIN = "$argon2id$v=19$m=19456,t=2,p=1$7iArSkkN2N6eVo//DtorAg$DdmpbP3UUMkpWRiPsTDzarYDLwVnlBnt3I7wwC5GL2I"


async def set_pin(session: AsyncSession, officer: Officer, pin_hash: str, now: datetime) -> bool:
    """Give the officer its PIN; failures with the old one are forgotten. Whether it replaces another one.

    Raises KeypadExpired when it may not choose one now: the password or an invitation is wanted first. Raises
    BadSeal, RecordBroken.
    """
    if not officer.may_set_pin(now):
        raise KeypadExpired
    await require_newest(session, officer.account.unit, [officer])
    replaces = officer.pin_hash is not None
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
    return replaces


async def move_pin(session: AsyncSession, officer: Officer, pin_hash: str, now: datetime) -> None:
    """Keep the hash under the secret key in use of a PIN that was right under an older one."""
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
    """Drop keypads that were left open: as long after their end as they lived, because what was typed beside them
    stays barred for a while, and because their officer is told what has lapsed. So are those that a clock
    which was ahead has left.
    """
    forgotten = 2 * KEYPAD_LIFETIME
    await session.execute(delete(Keypad).where(~Keypad.opened_at.between(now - forgotten, now + forgotten)))
