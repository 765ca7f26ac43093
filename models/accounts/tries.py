"""The state of throttles in the audit chain: deleting, changing or rolling back a throttle grants no extra
attempts.

Each failed PIN, and each failed password of a known account, is an event with the state of its throttle. When the
throttle's row is missing or older than the newest such event, the event's state is in force. The throttles of
unknown usernames and of chats are not checked against events: an attacker with the database can attempt those
passwords offline anyway (docs/security.md, docs/adr/0087).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import AuditEvent, Event, canonical
from models.audit.replay import newest_details


@dataclass(frozen=True)
class Witness:
    """Where the failures of one throttle key are recorded.

    They are the events in `chain` of the kinds `failing` whose details have `value` under `name`; these events
    also hold the throttle's state. An event of the kind `forgiving` resets the key.
    """

    chain: str
    failing: tuple[Event, ...]
    forgiving: Event
    name: str
    value: str | int


@dataclass(frozen=True)
class Tries:
    """The state of a throttle after an attempt; `update` is the inbox number of the update that made it."""

    failures: int
    since: datetime
    blocks: int
    blocked_until: datetime | None
    update: int | None

    def as_details(self) -> dict[str, Any]:
        """Return the state as JSON values for an event's details."""
        return {
            "failures": self.failures,
            "since": self.since.isoformat(),
            "blocks": self.blocks,
            "blocked_until": self.blocked_until and self.blocked_until.isoformat(),
            "update": self.update,
        }


def of_pin(chain: str, officer_id: int) -> Witness:
    """Return the witness of an officer's PIN failures; `chain` is that of the officer's account.

    A new PIN resets them.
    """
    return Witness(chain, (Event.PIN_FAILED, Event.PIN_BLOCKED), Event.PIN_SET, "officer", officer_id)


def of_login(chain: str, username: str) -> Witness:
    """Return the witness of an account's password failures.

    A change of the account by the operator resets them.
    """
    return Witness(chain, (Event.LOGIN_FAILED,), Event.ACCOUNT_CHANGED, "username", username)


async def newest_tries(session: AsyncSession, witness: Witness) -> Tries | None:
    """Return the state after the newest failure; None when there is none, or the key was reset after it.

    Raises EventBroken when that event, or a newer one of its chain, cannot be authenticated.
    """
    name_and_value = canonical({witness.name: witness.value})[1:-1]
    is_failure = and_(AuditEvent.kind.in_(witness.failing), AuditEvent.details.contains('"tries":{'))
    # In canonical JSON a value is followed by a comma or a closing brace.
    is_of_key = or_(*(AuditEvent.details.contains(name_and_value + end, autoescape=True) for end in ",}"))

    def is_sought(kind: str, details: dict[str, Any]) -> bool:
        is_kind = (kind in witness.failing and "tries" in details) or kind == witness.forgiving
        return is_kind and details.get(witness.name) == witness.value

    condition = and_(or_(is_failure, AuditEvent.kind == witness.forgiving), is_of_key)
    details = await newest_details(session, witness.chain, is_sought, condition)
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
