"""What the record says of failed tries: a throttle that was deleted, changed or put back gives no fresh ones.

Each failure of a PIN, and of a password of a known account, is an event with the state of its throttle. Where the
row is gone or older than the newest such event, the state in the event holds. Tries of unknown usernames and the
count of a chat have no event that is looked at: they protect nothing that one who holds the database could not try
out beside it (docs/security.md).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import AuditEvent, Event, newest_details


@dataclass(frozen=True)
class Witness:
    """Where the failures of one key are recorded: in this chain, in events of the kinds `failing` whose details
    have this value by this name, and the state. An event of the kind `forgiving` says that nothing is held against
    the key any more.
    """

    chain: str
    failing: tuple[Event, ...]
    forgiving: Event
    name: str
    value: str | int


@dataclass(frozen=True)
class Tries:
    """The state of a key after a try; `update` is the number in the inbox of the update that tried."""

    failures: int
    since: datetime
    blocks: int
    blocked_until: datetime | None
    update: int | None

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
    """Of the PINs of an officer whose account has this chain. A new PIN forgives them."""
    return Witness(chain, (Event.PIN_FAILED, Event.PIN_BLOCKED), Event.PIN_SET, "officer", officer_id)


def of_login(chain: str, username: str) -> Witness:
    """Of the passwords of an account. What the operator does with the account forgives them."""
    return Witness(chain, (Event.LOGIN_FAILED,), Event.ACCOUNT_CHANGED, "username", username)


async def newest_tries(session: AsyncSession, witness: Witness) -> Tries | None:
    """The state after the newest failure; None when the record holds nothing against the key. Raises
    EventBroken.
    """
    is_failure = and_(AuditEvent.kind.in_(witness.failing), AuditEvent.details.contains('"tries":{'))
    details = await newest_details(
        session,
        witness.chain,
        or_(is_failure, AuditEvent.kind == witness.forgiving),
        witness.name,
        witness.value,
    )
    if details is None or "tries" not in details:
        return None
    tries = details["tries"]
    until = tries["blocked_until"]
    return Tries(
        tries["failures"],
        datetime.fromisoformat(tries["since"]),
        tries["blocks"],
        until and datetime.fromisoformat(until),
        tries["update"],
    )
