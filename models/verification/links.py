"""Links between chats and accounts, PINs, and invitations."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.account import Officer
from models.audit.digests import is_digest_of
from models.audit.event_chain import Event, keyring
from models.links.invitation import Invitation
from models.operator.erasure import nobody
from models.verification.findings import Findings, Subject
from models.verification.record import Record, Told

# What a PIN's last event says nothing of: it is from before such digests were recorded.
_UNTOLD = "untold"


@dataclass
class _Expected:
    """What the events say of one officer's link."""

    login: Told
    usernames: set[str]
    unlinked_at: datetime | None = None
    is_forgotten: bool = False
    pin: str | None = _UNTOLD
    # Its seal was accepted by the operator, who answers for what stands there.
    is_repaired: bool = False


async def check_officers(session: AsyncSession, record: Record, found: Findings) -> None:
    """Each link is of the chat and the account that its event names, began and ended when the events say, and has
    the PIN that was recorded last. One from before the record has no event.
    """
    expected = _expected(record)
    first = min(expected, default=None)
    officers = await session.scalars(
        select(Officer).options(joinedload(Officer.account)).execution_options(populate_existing=True)
    )
    for officer in officers.all():
        told = expected.pop(officer.id, None)
        if told is not None and told.is_repaired:
            found.leave("links that were repaired")
        elif told is not None:
            _compare(session, officer, told, found)
        elif first is None or officer.id < first:
            found.leave("links")
        else:
            found.add(Subject.OFFICER, f"officer {officer.id}: no event records the link")
    found.add(Subject.OFFICER, *(f"officer {number}: was recorded and is gone" for number in sorted(expected)))


def _compare(session: AsyncSession, officer: Officer, told: _Expected, found: Findings) -> None:
    name = f"officer {officer.id}"
    user_id = nobody(officer) if told.is_forgotten else told.login.details.get("user")
    if officer.user_id != user_id:
        found.add(Subject.OFFICER, f"{name}: is not the chat that was linked")
    if officer.account.username not in told.usernames:
        found.add(Subject.OFFICER, f"{name}: is linked to another account than was recorded")
    if (officer.linked_at, officer.unlinked_at) != (told.login.at, told.unlinked_at):
        found.add(Subject.OFFICER, f"{name}: the link did not begin or end as was recorded")
    if told.pin == _UNTOLD:
        found.leave("PINs", officer.pin_hash is not None)
    elif told.pin is None and officer.pin_hash is not None:
        found.add(Subject.OFFICER, f"{name}: has a PIN that no event records")
    elif told.pin is not None and is_digest_of(keyring(session), told.pin, officer.pin_hash) is False:
        found.add(Subject.OFFICER, f"{name}: has another PIN than was recorded")


def _expected(record: Record) -> dict[int, _Expected]:
    """What the events say, by the officer's number."""
    kinds = Event.LOGIN, Event.UNLINKED, Event.PIN_SET, Event.PIN_MOVED, Event.FORGOTTEN, Event.SUCCEEDED
    expected: dict[int, _Expected] = {}
    for event in record.in_order(*kinds, Event.SEAL_ACCEPTED):
        details, number = event.details, event.details.get("officer")
        if event.kind is Event.SUCCEEDED:
            _go_over(event, expected)
        elif event.kind is Event.SEAL_ACCEPTED:
            _repair(event, expected)
        elif not isinstance(number, int):
            continue
        elif event.kind is Event.LOGIN:
            usernames = {str(details.get("username"))}
            expected[number] = _Expected(event, usernames, pin=details.get("pin", _UNTOLD))
        elif number in expected:
            _go_on(event, expected[number])
    return expected


def _repair(event: Told, expected: dict[int, _Expected]) -> None:
    """What the operator has accepted after a repair by hand is as it stands, under its seal."""
    number = str(event.details.get("id"))
    if event.details.get("table") == "officer" and number.isdecimal() and int(number) in expected:
        expected[int(number)].is_repaired = True


def _go_on(event: Told, told: _Expected) -> None:
    if event.kind is Event.UNLINKED:
        told.unlinked_at = event.at
    elif event.kind is Event.FORGOTTEN:
        told.is_forgotten, told.pin = True, None
    else:
        told.pin = event.details.get("pin", _UNTOLD)


def _go_over(event: Told, expected: dict[int, _Expected]) -> None:
    """Officers who went over to a successor are linked to one of the accounts that it goes on with."""
    for number in event.details.get("officers", []):
        if number in expected:
            expected[number].usernames = set(event.details.get("accounts", []))


async def check_invitations(session: AsyncSession, record: Record, found: Findings) -> None:
    """Each invitation is one that was made so. That it was ended early is in no event."""
    recorded = record.by_number(Event.INVITED, "invitation")
    first = min((int(number) for number in recorded if number.isdecimal()), default=None)
    invitations = await session.scalars(
        select(Invitation).options(joinedload(Invitation.account)).execution_options(populate_existing=True)
    )
    for invitation in invitations.all():
        event = recorded.pop(str(invitation.id), None)
        name = f"invitation {invitation.id}"
        if event is not None:
            if not _is_as_made(invitation, event, found):
                found.add(Subject.INVITATION, f"{name}: is not as it was made")
        elif first is None or invitation.id < first:
            found.leave("invitations")
        else:
            found.add(Subject.INVITATION, f"{name}: no event records it")
    found.add(
        Subject.INVITATION, *(f"invitation {number}: was recorded and is gone" for number in sorted(recorded))
    )


def _is_as_made(invitation: Invitation, event: Told, found: Findings) -> bool:
    details = event.details
    found.leave("codes of invitations", "code" not in details)
    return (
        invitation.made_at == event.at
        and invitation.expires_at <= datetime.fromisoformat(str(details.get("expires_at")))
        and invitation.account.username == details.get("username")
        and invitation.from_officer_id == details.get("officer")
        and invitation.code_hash == details.get("code", invitation.code_hash)
    )
