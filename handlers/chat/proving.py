"""Slow checks of typed passwords and entered PINs.

A handler that needs a slow hash raises `NeedsProof`. The transaction rolls back, the hash runs in a thread, and
the handler runs again with the result. It then compares what the result rests on with the present state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models.accounts import throttle, tries
from models.accounts.account import LoginCandidate, Officer, login_candidate, normalize_username
from models.accounts.pin import Pad, checked_pin, hash_pin
from models.accounts.tries import Tries, Witness
from models.audit import event_chain
from models.database.engine import Session
from models.security import passwords

# The longest password that the import of accounts accepts; a longer text cannot be right and is not hashed.
MAX_PASSWORD = 128


@dataclass(frozen=True)
class Attempt:
    """The result of checking a password or PIN.

    `rests_on`: what it was checked against, which must be unchanged when the result is used. `right`: it matches.
    `new_hash`: the hash of a new PIN, or of a right one whose secret key was replaced. `blocked_until`: it was not
    checked, because too many attempts were wrong.
    """

    rests_on: LoginCandidate | Pad
    right: bool = False
    new_hash: str = ""
    blocked_until: datetime | None = None
    # What has been spent by it, of the keys whose failures are recorded.
    tries: Mapping[str, Tries] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A check to be run off the event loop: `check()` takes about 50 ms of processor time, and returns whether the
    password or PIN is right, or the hash of a PIN that is to be stored.

    `keys`: the throttle's keys against which wrong attempts count. `witnesses`: where the failures of some of them
    are recorded. `is_typed`: the turn's message contains the password and must be deleted.
    """

    rests_on: LoginCandidate | Pad
    keys: tuple[str, ...]
    check: Callable[[], bool | str]
    is_typed: bool
    witnesses: Mapping[str, Witness] = field(default_factory=dict)

    def ended(self, result: bool | str, spent: Mapping[str, Tries]) -> Attempt:
        """The attempt with the result of `check`, and the failures so far."""
        if isinstance(result, str):
            return Attempt(self.rests_on, right=True, new_hash=result, tries=spent)
        return Attempt(self.rests_on, right=result, tries=spent)


class NeedsProof(Exception):
    """Raised by a handler that needs the result of `job`. The transaction rolls back, the job runs, and the
    handler runs again with the result in `Turn.attempt`.
    """

    def __init__(self, job: Job) -> None:
        super().__init__("something must be checked first")
        self.job = job


async def typed_password(session: Session, username: str, typed: str, keys: tuple[str, ...]) -> Job:
    """The check of a typed password. It takes as long for an unknown username as for a known one. A wrong password
    counts against the throttle `keys`.
    """
    username = normalize_username(username)
    candidate = await login_candidate(session, username)

    def check() -> bool:
        if len(typed) > MAX_PASSWORD:
            return False
        matches = passwords.password_matches(candidate.password_hash or passwords.NO_PASSWORD, typed)
        return matches and candidate.password_hash is not None

    # Only the account's own count has a witness: a chat has no account before it is linked.
    name = throttle.name_key(session, username)
    witnesses = _witnesses(name, candidate, username) if name in keys else {}
    return Job(candidate, keys, check, is_typed=True, witnesses=witnesses)


def _witnesses(key: str, candidate: LoginCandidate, username: str) -> dict[str, Witness]:
    return {} if candidate.chain is None else {key: tries.of_login(candidate.chain, username)}


def login_keys(session: Session, user_id: int, username: str) -> tuple[str, str]:
    """The throttle's keys for a login: the username, whether it exists or not, and the chat."""
    return throttle.name_key(session, username), throttle.chat_key(user_id)


def forgotten_pin_keys(user_id: int) -> tuple[str, ...]:
    """What wrong passwords of a linked officer count against when it has forgotten its PIN: the chat, by the same
    count as its logins. Not the account: strangers can fill its count from anywhere, and would keep the officer
    from a new PIN (docs/adr/0089).
    """
    return (throttle.chat_key(user_id),)


def entered_pin(session: Session, officer: Officer, pad: Pad) -> Job:
    """The check of the officer's PIN, with all digits entered on `pad`."""
    keys, user_id, pin_hash = event_chain.keyring(session), officer.user_id, officer.pin_hash or ""
    throttle_key = throttle.pin_key(user_id)
    return Job(
        pad,
        (throttle_key,),
        lambda: checked_pin(keys, user_id, pin_hash, pad.entered),
        is_typed=False,
        witnesses={throttle_key: tries.of_pin(officer.account.unit, officer.id)},
    )


def chosen_pin(session: Session, officer: Officer, pad: Pad) -> Job:
    """The job that hashes the officer's new PIN, after it was entered twice alike."""
    keys, user_id = event_chain.keyring(session), officer.user_id
    return Job(pad, (), lambda: hash_pin(keys, user_id, pad.entered), is_typed=False)
