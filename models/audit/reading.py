"""The record as it is read: by an operator, a page at a time, and by a rule that rests on what was recorded."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.audit.event_chain import SYSTEM, AuditEvent, Event, is_authentic, keyring
from models.base.calendar import BANGKOK
from models.base.errors import DomainError
from models.organizations.organization import Organization, Province, UnknownOrganization

# What is raised by the details of an event that somebody else than the program wrote.
UNREADABLE = (ValueError, RecursionError)


class UnknownEvent(DomainError):
    """There is no event with this number."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"there is no event {wanted}; see: laocert audit list")


class UnknownKind(DomainError):
    """No event is of this kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"there is no kind of event {ascii(kind)[1:-1]:.40}; there are: {', '.join(Event)}")


class NoPeriod(DomainError):
    """The first day that was asked for is after the last one."""

    def __init__(self, since: date, until: date) -> None:
        super().__init__(f"--since {since} is after --until {until}")


@dataclass(frozen=True)
class Wanted:
    """Which events are asked for: of one chain, one officer, one kind, and between two days of Bangkok, both
    included. `chain` is the code of an organization or a province.
    """

    chain: str | None = None
    officer_id: int | None = None
    kind: Event | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Entry:
    """One event as it is read. `details` are empty where nobody can read them; `unit` is the name of the
    organization or province whose chain it is in.
    """

    id: int
    chain: str
    number: int
    kind: str
    at: datetime
    details: dict[str, Any]
    key_id: str
    mac: str
    unit: str | None


def parse_kind(typed: str) -> Event:
    """A kind of event by its word. Raises UnknownKind."""
    try:
        return Event(typed.strip().lower())
    except ValueError:
        raise UnknownKind(typed) from None


async def read_events(session: AsyncSession, wanted: Wanted, limit: int) -> list[Entry]:
    """The newest events that are asked for, at most `limit`, the newest first. Raises NoPeriod."""
    if wanted.since and wanted.until and wanted.since > wanted.until:
        raise NoPeriod(wanted.since, wanted.until)
    statement = select(AuditEvent).where(*_conditions(wanted)).order_by(AuditEvent.id.desc())
    if wanted.officer_id is None:
        events = list(await session.scalars(statement.limit(limit)))
        return await _entries(session, events)
    # The condition finds too many: a number may stand in the details for something else.
    found: list[AuditEvent] = []
    rows = await session.stream_scalars(statement.execution_options(yield_per=500))
    async for event in rows:
        if _concerns(read_details(event.details), wanted.officer_id):
            found.append(event)
            if len(found) == limit:
                break
    await rows.close()
    return await _entries(session, found)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.chain is not None:
        # What concerns an organization after its end is in the chain that never ends.
        after_end = AuditEvent.details.contains(f'"organization":"{wanted.chain}"', autoescape=True)
        conditions.append(or_(AuditEvent.chain == wanted.chain, (AuditEvent.chain == SYSTEM) & after_end))
    if wanted.officer_id is not None:
        conditions.append(AuditEvent.details.contains(str(wanted.officer_id), autoescape=True))
    if wanted.kind is not None:
        conditions.append(AuditEvent.kind == wanted.kind)
    if wanted.since is not None:
        conditions.append(AuditEvent.at >= _midnight(wanted.since))
    if wanted.until is not None:
        conditions.append(AuditEvent.at < _midnight(wanted.until) + timedelta(days=1))
    return conditions


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), BANGKOK)


def _concerns(details: dict[str, Any], officer_id: int) -> bool:
    certificate = details.get("certificate")
    signer = certificate.get("officer_id") if isinstance(certificate, dict) else None
    officers = details.get("officers")
    return (
        officer_id in (details.get("officer"), details.get("successor"))
        or signer == str(officer_id)
        or (isinstance(officers, list) and officer_id in officers)
    )


async def find_event(session: AsyncSession, wanted: str) -> Entry:
    """One event by its id, or by chain and number: `1234`, `5110201/7`. Raises UnknownEvent."""
    chain, divided, number = wanted.rpartition("/")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise UnknownEvent(wanted)
    is_it = (
        (AuditEvent.chain == chain) & (AuditEvent.number == int(number))
        if divided
        else AuditEvent.id == int(number)
    )
    event = await session.scalar(select(AuditEvent).where(is_it))
    if event is None:
        raise UnknownEvent(wanted)
    (entry,) = await _entries(session, [event])
    return entry


async def described_chains(session: AsyncSession) -> set[str]:
    """The organizations and provinces of which an event says how they are described."""
    kinds = Event.DESCRIBED, Event.RENAMED, Event.SUCCEEDED
    return set(
        await session.scalars(
            select(AuditEvent.chain)
            .where(AuditEvent.kind.in_(kinds), AuditEvent.details.contains('"description":'))
            .distinct()
        )
    )


async def require_organization(session: AsyncSession, dla_code: str) -> str:
    """The code, if an organization has it. Raises UnknownOrganization."""
    if await session.get(Organization, dla_code) is None:
        raise UnknownOrganization(dla_code)
    return dla_code


async def _entries(session: AsyncSession, events: list[AuditEvent]) -> list[Entry]:
    chains = sorted({event.chain for event in events})
    names: dict[str, str] = {}
    for organization in await session.scalars(select(Organization).where(Organization.dla_code.in_(chains))):
        names[organization.dla_code] = organization.full_name
    for province in await session.scalars(select(Province).where(Province.code.in_(chains))):
        names[province.code] = f"จังหวัด{province.name_th}"
    return [
        Entry(
            event.id,
            event.chain,
            event.number,
            event.kind,
            event.at,
            read_details(event.details),
            event.key_id,
            event.mac,
            names.get(event.chain),
        )
        for event in events
    ]


def read_details(written: str) -> dict[str, Any]:
    """What an event says; empty where nobody can read it."""
    try:
        details = json.loads(written)
    except UNREADABLE:
        return {}
    return details if isinstance(details, dict) else {}


async def authentic_events(
    session: AsyncSession, chain: str, kinds: Collection[Event]
) -> list[tuple[str, dict[str, Any]]]:
    """Kind and details of the events of some kinds in a chain, in order, with their time under `at`.

    Only those that were made with the secret key and stand behind the event that they were made after: what
    somebody has written to the database without it is not among them.
    """
    before = aliased(AuditEvent)
    rows = await session.execute(
        select(AuditEvent, before.mac)
        .outerjoin(before, (before.chain == AuditEvent.chain) & (before.number == AuditEvent.number - 1))
        .where(AuditEvent.chain == chain, AuditEvent.kind.in_(kinds))
        .order_by(AuditEvent.number)
        .execution_options(populate_existing=True)
    )
    keys = keyring(session)
    return [
        (event.kind, read_details(event.details) | {"at": event.at})
        for event, previous in rows
        if is_authentic(event, previous or "", keys)
    ]
