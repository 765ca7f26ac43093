"""Verifies links between chats and accounts, PINs, and invitations."""

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

# Stands for the digest of a PIN whose last event is from before digests were recorded.
_UNTOLD = "untold"


@dataclass
class _Expected:
    """The state of one officer's link according to the events."""

    login: Told
    usernames: set[str]
    unlinked_at: datetime | None = None
    is_forgotten: bool = False
    pin: str | None = _UNTOLD
    # The operator accepted the row after a manual repair, so it need not equal the events.
    is_repaired: bool = False


async def check_officers(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each link has the chat, account, beginning, end and PIN that its events say, and none is missing.

    Links from before the record have no event and are only counted.
    """
    expected = _expected(record)
    first = min(expected, default=None)
    officers = await session.scalars(
        select(Officer).options(joinedload(Officer.account)).execution_options(populate_existing=True)
    )
    for officer in officers.all():
        recorded_link = expected.pop(officer.id, None)
        if recorded_link is not None and recorded_link.is_repaired:
            findings.leave("links that were repaired")
        elif recorded_link is not None:
            _compare(session, officer, recorded_link, findings)
        elif first is None or officer.id < first:
            findings.leave("links")
        else:
            findings.add(Subject.OFFICER, f"officer {officer.id}: no event records the link")
    findings.add(Subject.OFFICER, *(f"officer {number}: was recorded and is gone" for number in sorted(expected)))


def _compare(session: AsyncSession, officer: Officer, expected: _Expected, findings: Findings) -> None:
    name = f"officer {officer.id}"
    user_id = nobody(officer) if expected.is_forgotten else expected.login.details.get("user")
    if officer.user_id != user_id:
        findings.add(Subject.OFFICER, f"{name}: is not the chat that was linked")
    if officer.account.username not in expected.usernames:
        findings.add(Subject.OFFICER, f"{name}: is linked to another account than was recorded")
    if (officer.linked_at, officer.unlinked_at) != (expected.login.at, expected.unlinked_at):
        findings.add(Subject.OFFICER, f"{name}: the link did not begin or end as was recorded")
    if expected.pin == _UNTOLD:
        findings.leave("PINs", officer.pin_hash is not None)
    elif expected.pin is None and officer.pin_hash is not None:
        findings.add(Subject.OFFICER, f"{name}: has a PIN that no event records")
    elif expected.pin is not None and is_digest_of(keyring(session), expected.pin, officer.pin_hash) is False:
        findings.add(Subject.OFFICER, f"{name}: has another PIN than was recorded")


def _expected(record: Record) -> dict[int, _Expected]:
    """Return the expected state of each link by the officer's id, from the events in order."""
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
    """Note that the operator accepted an officer's row after a manual repair; its seal protects it from then
    on.
    """
    number = str(event.details.get("id"))
    if event.details.get("table") == "officer" and number.isdecimal() and int(number) in expected:
        expected[int(number)].is_repaired = True


def _go_on(event: Told, expected: _Expected) -> None:
    if event.kind is Event.UNLINKED:
        expected.unlinked_at = event.at
    elif event.kind is Event.FORGOTTEN:
        expected.is_forgotten, expected.pin = True, None
    else:
        expected.pin = event.details.get("pin", _UNTOLD)


def _go_over(event: Told, expected: dict[int, _Expected]) -> None:
    """Note that officers were moved to a successor organization; they may be linked to any of its accounts."""
    for number in event.details.get("officers", []):
        if number in expected:
            expected[number].usernames = set(event.details.get("accounts", []))


async def check_invitations(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each invitation equals its event and none is missing.

    `expires_at` may be earlier than recorded, because no event says for each invitation that it was ended.
    """
    recorded = record.by_number(Event.INVITED, "invitation")
    first = min((int(number) for number in recorded if number.isdecimal()), default=None)
    invitations = await session.scalars(
        select(Invitation).options(joinedload(Invitation.account)).execution_options(populate_existing=True)
    )
    for invitation in invitations.all():
        event = recorded.pop(str(invitation.id), None)
        name = f"invitation {invitation.id}"
        if event is not None:
            if not _is_as_made(invitation, event, findings):
                findings.add(Subject.INVITATION, f"{name}: is not as it was made")
        elif first is None or invitation.id < first:
            findings.leave("invitations")
        else:
            findings.add(Subject.INVITATION, f"{name}: no event records it")
    findings.add(
        Subject.INVITATION, *(f"invitation {number}: was recorded and is gone" for number in sorted(recorded))
    )


def _is_as_made(invitation: Invitation, event: Told, findings: Findings) -> bool:
    details = event.details
    findings.leave("codes of invitations", "code" not in details)
    return (
        invitation.made_at == event.at
        and invitation.expires_at <= datetime.fromisoformat(str(details.get("expires_at")))
        and invitation.account.username == details.get("username")
        and invitation.from_officer_id == details.get("officer")
        and invitation.code_hash == details.get("code", invitation.code_hash)
    )
