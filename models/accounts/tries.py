"""What the record says of failed tries: a throttle that was deleted, changed or put back gives no fresh ones.

Each failure of a PIN, and of a password of a known account, is an event with the state of its throttle. Where the
row is gone or older than the newest such event, the state in the event holds. Tries of unknown usernames and the
count of a chat have no event that is looked at: they protect nothing that one who holds the database could not try
out beside it (docs/security.md).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from models.audit import event_chain
from models.audit.event_chain import Event


@dataclass(frozen=True)
class Witness:
    """Where the failures of one key are recorded: in this chain, in events of these kinds whose details have this
    value by this name. An event without a state says that nothing is held against the key any more.
    """

    chain: str
    kinds: tuple[Event, ...]
    name: str
    value: str | int


@dataclass(frozen=True)
class Tries:
    """The state of a key after a failure; `update` is the number in the inbox of the update that failed."""

    failures: int
    since: datetime
    blocks: int
    blocked_until: datetime | None
    update: int

    def as_details(self) -> dict[str, Any]:
        """As it stands in an event."""
        return {
            "failures": self.failures,
            "since": self.since.isoformat(),
            "blocks": self.blocks,
            "blocked_until": self.blocked_until and self.blocked_until.isoformat(),
            "update": self.update,
        }


def of_pin(chain: str, officer_id: int) -> Witness:
    """Of the PINs of an officer whose account has this chain."""
    return Witness(chain, (Event.PIN_FAILED, Event.PIN_BLOCKED, Event.PIN_SET), "officer", officer_id)


def of_login(chain: str, username: str) -> Witness:
    """Of the passwords of an account. What the operator does with the account forgives them."""
    return Witness(chain, (Event.LOGIN_FAILED, Event.ACCOUNT_CHANGED), "username", username)


async def newest_tries(session: AsyncSession, witness: Witness) -> Tries | None:
    """The state after the newest failure; None when the record holds nothing against the key. Raises EventBroken."""
    details = await event_chain.newest_details(session, witness.chain, witness.kinds, witness.name, witness.value)
    return None if details is None else _read(details.get("tries"))


def _read(told: Any) -> Tries | None:
    if not isinstance(told, dict):
        return None
    until = told["blocked_until"]
    return Tries(
        told["failures"],
        datetime.fromisoformat(told["since"]),
        told["blocks"],
        until and datetime.fromisoformat(until),
        told["update"],
    )
