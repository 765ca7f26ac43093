"""What must be checked slowly, a typed password or an entered PIN: found before the turn's transaction, checked
off the event loop, and looked at again inside the transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers.incoming import Incoming
from handlers.taps import InvalidTap, Key, unpack
from models import audit, passwords, throttle
from models.account import LoginCandidate, Officer, active_officer, login_candidate, normalize_username
from models.conversation import Awaiting, load_conversation
from models.database import Session
from models.pin import KeypadExpired, Pad, Purpose, hash_pin, load_keypad, pin_matches

# The bound of the import of accounts; a longer one cannot be right.
MAX_PASSWORD = 128


@dataclass(frozen=True)
class Attempt:
    """A checked password or PIN. `rests_on` is what it was checked against, which must still stand.

    `new_hash` is that of a new PIN. `blocked_until`: too many were wrong, and this one was not looked at.
    """

    rests_on: LoginCandidate | Pad
    right: bool = False
    new_hash: str = ""
    blocked_until: datetime | None = None
    message_deleted: bool = True


@dataclass(frozen=True)
class Job:
    """A check that is to be run: `check` takes about 50 ms and gives whether it is right, or a new PIN's hash.

    `keys` are what wrong tries count against. `is_typed`: the message holds a password and must be deleted.
    """

    rests_on: LoginCandidate | Pad
    keys: tuple[str, ...]
    check: Callable[[], bool | str]
    is_typed: bool

    def ended(self, result: bool | str, *, deleted: bool) -> Attempt:
        """The attempt that came of it."""
        if isinstance(result, str):
            return Attempt(self.rests_on, new_hash=result, message_deleted=deleted)
        return Attempt(self.rests_on, right=result, message_deleted=deleted)


def may_need_proof(incoming: Incoming, commands: set[str]) -> bool:
    """Whether it is worth a look at the database: a key of a keypad, or a text that is no command."""
    if not incoming.is_private:
        return False
    if incoming.callback_id is not None:
        return incoming.data.startswith(f"{Key.code}:")
    return incoming.text is not None and incoming.command not in commands


async def find_job(session: Session, incoming: Incoming, now: datetime) -> Job | None:
    """What this update wants to have checked, if anything."""
    if incoming.callback_id is not None:
        return await _entered_pin(session, incoming, now)
    return await _typed_password(session, incoming)


async def _typed_password(session: Session, incoming: Incoming) -> Job | None:
    conversation = await load_conversation(session, incoming.chat_id)
    if incoming.text is None or incoming.message_id is None:
        return None
    if conversation.awaiting is Awaiting.PASSWORD:
        username = normalize_username(conversation.username or "")
    elif conversation.awaiting is Awaiting.PASSWORD_FOR_PIN:
        officer = await active_officer(session, incoming.user_id)
        if officer is None:
            return None
        username = officer.account.username
    else:
        return None
    candidate = await login_candidate(session, username)
    typed = incoming.text

    def check() -> bool:
        if len(typed) > MAX_PASSWORD:
            return False
        matches = passwords.password_matches(candidate.password_hash or passwords.NO_PASSWORD, typed)
        return matches and candidate.password_hash is not None

    return Job(candidate, login_keys(session, incoming.user_id, username), check, is_typed=True)


def login_keys(session: Session, user_id: int, username: str) -> tuple[str, str]:
    """What wrong passwords count against: the account, known or not, and the chat."""
    return throttle.name_key(session, username), throttle.chat_key(user_id)


async def _entered_pin(session: Session, incoming: Incoming, now: datetime) -> Job | None:
    """Only the sixth digit makes a PIN; a new one is hashed when it was given the same twice."""
    officer = await active_officer(session, incoming.user_id)
    pad = await _pad_after(session, officer, incoming.data, now) if officer else None
    if officer is None or pad is None or not pad.is_full:
        return None
    keys, user_id, pin_hash = audit.keyring(session), officer.user_id, officer.pin_hash or ""
    if pad.purpose is Purpose.SET:
        if pad.first != pad.entered:
            return None
        return Job(pad, (), lambda: hash_pin(keys, user_id, pad.entered), is_typed=False)
    tried = (throttle.pin_key(user_id),)
    return Job(pad, tried, lambda: pin_matches(keys, user_id, pin_hash, pad.entered), is_typed=False)


async def _pad_after(session: Session, officer: Officer, data: str, now: datetime) -> Pad | None:
    """The officer's keypad as it will be after this key; None when it will be refused."""
    try:
        tap = unpack(data)
        if not isinstance(tap, Key):
            return None
        return (await load_keypad(session, officer, tap.keypad, now)).pressed(tap.place)
    except (InvalidTap, KeypadExpired):
        return None
