"""What must be checked slowly, a typed password or an entered PIN: the turn that finds it is undone, it is checked
off the event loop, and the turn that is begun anew looks whether it still stands.
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

# The bound of the import of accounts; a longer one cannot be right.
MAX_PASSWORD = 128


@dataclass(frozen=True)
class Attempt:
    """A checked password or PIN. `rests_on` is what it was checked against, which must still stand.

    `new_hash` is that of a new PIN, or of a right one whose secret key was replaced. `blocked_until`: too
    many were wrong, and this one was not looked at.
    """

    rests_on: LoginCandidate | Pad
    right: bool = False
    new_hash: str = ""
    blocked_until: datetime | None = None
    # What has been spent by it, of the keys whose failures are recorded.
    tries: Mapping[str, Tries] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A check that is to be run: `check` takes about 50 ms and says whether it is right, or gives the hash
    of a PIN that is to be kept.

    `keys` are what wrong tries count against, `witnesses` where the failures of some of them are recorded.
    `is_typed`: the message holds a password and must be deleted.
    """

    rests_on: LoginCandidate | Pad
    keys: tuple[str, ...]
    check: Callable[[], bool | str]
    is_typed: bool
    witnesses: Mapping[str, Witness] = field(default_factory=dict)

    def ended(self, result: bool | str, spent: Mapping[str, Tries]) -> Attempt:
        """The attempt that came of it; there is a hash of what was right only."""
        if isinstance(result, str):
            return Attempt(self.rests_on, right=True, new_hash=result, tries=spent)
        return Attempt(self.rests_on, right=result, tries=spent)


class NeedsProof(Exception):
    """Raised inside a turn: it cannot go on before `job` has ended. Nothing of it is kept; it is begun anew with
    the attempt that comes of the job.
    """

    def __init__(self, job: Job) -> None:
        super().__init__("something must be checked first")
        self.job = job


async def typed_password(session: Session, user_id: int, username: str, typed: str) -> Job:
    """The check of a typed password, as long for an unknown username as for a known one."""
    username = normalize_username(username)
    candidate = await login_candidate(session, username)

    def check() -> bool:
        if len(typed) > MAX_PASSWORD:
            return False
        matches = passwords.password_matches(candidate.password_hash or passwords.NO_PASSWORD, typed)
        return matches and candidate.password_hash is not None

    keys = login_keys(session, user_id, username)
    name, _chat = keys
    return Job(candidate, keys, check, is_typed=True, witnesses=_witnesses(name, candidate, username))


def _witnesses(key: str, candidate: LoginCandidate, username: str) -> dict[str, Witness]:
    return {} if candidate.chain is None else {key: tries.of_login(candidate.chain, username)}


def login_keys(session: Session, user_id: int, username: str) -> tuple[str, str]:
    """What wrong passwords count against: the account, known or not, and the chat."""
    return throttle.name_key(session, username), throttle.chat_key(user_id)


def entered_pin(session: Session, officer: Officer, pad: Pad) -> Job:
    """The check of the officer's PIN, on a keypad that is full."""
    keys, user_id, pin_hash = event_chain.keyring(session), officer.user_id, officer.pin_hash or ""
    tried = throttle.pin_key(user_id)
    return Job(
        pad,
        (tried,),
        lambda: checked_pin(keys, user_id, pin_hash, pad.entered),
        is_typed=False,
        witnesses={tried: tries.of_pin(officer.account.unit, officer.id)},
    )


def chosen_pin(session: Session, officer: Officer, pad: Pad) -> Job:
    """The hash of a new PIN, which was given the same twice."""
    keys, user_id = event_chain.keyring(session), officer.user_id
    return Job(pad, (), lambda: hash_pin(keys, user_id, pad.entered), is_typed=False)
