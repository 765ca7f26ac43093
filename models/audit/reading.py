"""Reading the audit record: lists of events for the operator, and authenticated events for other rules."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.audit.event_chain import PURPOSE, SYSTEM, AuditEvent, Event, is_authentic, keyring
from models.audit.replay import RecordBroken
from models.base.calendar import BANGKOK
from models.base.errors import DomainError
from models.organizations.organization import Organization, Province, UnknownOrganization

# The exceptions that parsing the details of a tampered event can raise.
UNREADABLE = (ValueError, RecursionError)


class UnknownEvent(DomainError):
    """There is no event with this id, or with this chain and number."""

    def __init__(self, typed: str) -> None:
        super().__init__(f"there is no event {typed}; see: laocert audit list")


class UnknownKind(DomainError):
    """There is no such kind of event."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"there is no kind of event {ascii(kind)[1:-1]:.40}; there are: {', '.join(Event)}")


class NoPeriod(DomainError):
    """The first day of a period is after its last day."""

    def __init__(self, since: date, until: date) -> None:
        super().__init__(f"--since {since} is after --until {until}")


@dataclass(frozen=True)
class Wanted:
    """Filters for events; None means any.

    `chain` is the code of an organization or a province. `since` and `until` are days in Bangkok, both inclusive.
    """

    chain: str | None = None
    officer_id: int | None = None
    kind: Event | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Entry:
    """One event for display.

    `details` is empty when the stored text cannot be parsed. `unit` is the name of the chain's organization or
    province; None for the `system` chain.
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
    """Return the kind of event with a typed name. Raises UnknownKind."""
    try:
        return Event(typed.strip().lower())
    except ValueError:
        raise UnknownKind(typed) from None


async def read_events(session: AsyncSession, filters: Wanted, limit: int) -> list[Entry]:
    """Return at most `limit` of the newest events that pass the filters, the newest first. Raises NoPeriod."""
    if filters.since and filters.until and filters.since > filters.until:
        raise NoPeriod(filters.since, filters.until)
    statement = select(AuditEvent).where(*_conditions(filters)).order_by(AuditEvent.id.desc())
    if filters.officer_id is None:
        events = list(await session.scalars(statement.limit(limit)))
        return await _entries(session, events)
    # The SQL condition also matches other numbers in the details, so each event is checked.
    events_of_officer: list[AuditEvent] = []
    rows = await session.stream_scalars(statement.execution_options(yield_per=500))
    async for event in rows:
        if _concerns(read_details(event.details), filters.officer_id):
            events_of_officer.append(event)
            if len(events_of_officer) == limit:
                break
    await rows.close()
    return await _entries(session, events_of_officer)


def _conditions(filters: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.chain is not None:
        # Events about an ended organization are in the `system` chain.
        after_end = AuditEvent.details.contains(f'"organization":"{filters.chain}"', autoescape=True)
        conditions.append(or_(AuditEvent.chain == filters.chain, (AuditEvent.chain == SYSTEM) & after_end))
    if filters.officer_id is not None:
        conditions.append(AuditEvent.details.contains(str(filters.officer_id), autoescape=True))
    if filters.kind is not None:
        conditions.append(AuditEvent.kind == filters.kind)
    if filters.since is not None:
        conditions.append(AuditEvent.at >= _midnight(filters.since))
    if filters.until is not None:
        conditions.append(AuditEvent.at < _midnight(filters.until) + timedelta(days=1))
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


async def find_event(session: AsyncSession, typed: str) -> Entry:
    """Return an event by its id (`1234`) or by chain and number (`5110201/7`). Raises UnknownEvent."""
    chain, separator, number = typed.rpartition("/")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise UnknownEvent(typed)
    condition = (
        (AuditEvent.chain == chain) & (AuditEvent.number == int(number))
        if separator
        else AuditEvent.id == int(number)
    )
    event = await session.scalar(select(AuditEvent).where(condition))
    if event is None:
        raise UnknownEvent(typed)
    (entry,) = await _entries(session, [event])
    return entry


async def described_chains(session: AsyncSession) -> set[str]:
    """Return the codes of organizations and provinces whose description is recorded in an event."""
    kinds = Event.DESCRIBED, Event.RENAMED, Event.SUCCEEDED
    return set(
        await session.scalars(
            select(AuditEvent.chain)
            .where(AuditEvent.kind.in_(kinds), AuditEvent.details.contains('"description":'))
            .distinct()
        )
    )


async def require_organization(session: AsyncSession, dla_code: str) -> str:
    """Return the code if an organization has it, otherwise raise UnknownOrganization."""
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
    """Parse an event's details; empty when they are not a JSON object."""
    try:
        details = json.loads(written)
    except UNREADABLE:
        return {}
    return details if isinstance(details, dict) else {}


async def authentic_events(
    session: AsyncSession, chain: str, kinds: Collection[Event]
) -> list[tuple[str, dict[str, Any]]]:
    """Return kind and details of a chain's events of some kinds, in order, with their time under `at`.

    Events without a valid hash are omitted: whoever inserted or changed them did not have the secret key.
    """
    previous_event = aliased(AuditEvent)
    rows = await session.execute(
        select(AuditEvent, previous_event.mac)
        .outerjoin(
            previous_event,
            (previous_event.chain == AuditEvent.chain) & (previous_event.number == AuditEvent.number - 1),
        )
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


async def events_since(
    session: AsyncSession, chain: str, first: Event, is_first: Callable[[dict[str, Any]], bool]
) -> list[tuple[str, dict[str, Any]]] | None:
    """Return a chain's verified events from the newest of kind `first` on whose details `is_first` accepts.

    Returns None when there is no such event; otherwise see `verified_events`. Raises RecordBroken.
    """
    starts = await session.execute(
        select(AuditEvent.number, AuditEvent.details)
        .where(AuditEvent.chain == chain, AuditEvent.kind == first)
        .order_by(AuditEvent.number.desc())
    )
    start = next((number for number, details in starts if is_first(read_details(details))), None)
    return None if start is None else await verified_events(session, chain, start)


async def verified_events(session: AsyncSession, chain: str, start: int = 1) -> list[tuple[str, dict[str, Any]]]:
    """Return kind and details of all events of a chain from the number `start` on, in order, with their time under
    `at`.

    Each is verified. Events under a lost key, which nobody can verify, are omitted; they must be older than every
    event of the chain under a key that is here. Raises RecordBroken for another event that cannot be verified, and
    for a missing one.
    """
    rows = await session.scalars(
        select(AuditEvent)
        .where(AuditEvent.chain == chain, AuditEvent.number >= start - 1)
        .order_by(AuditEvent.number)
        .execution_options(populate_existing=True)
    )
    keys = keyring(session)
    number, mac = start - 1, ""
    events: list[tuple[str, dict[str, Any]]] = []
    for event in rows.all():
        if event.number == start - 1:
            mac = event.mac
            continue
        if event.number != number + 1:
            raise RecordBroken(chain)
        if keys.key(PURPOSE, event.key_id) is not None:
            if not is_authentic(event, mac, keys):
                raise RecordBroken(chain)
            events.append((event.kind, read_details(event.details) | {"at": event.at}))
        elif event.key_id not in keys.lost or events or await _has_known(session, chain, event.number):
            raise RecordBroken(chain)
        number, mac = event.number, event.mac
    return events


async def _has_known(session: AsyncSession, chain: str, number: int) -> bool:
    """Whether a chain has an event under a key that is here before the one with this number."""
    keys = keyring(session)
    is_known = AuditEvent.key_id.in_(keys.admitted.difference(keys.lost))
    older = select(AuditEvent.id).where(AuditEvent.chain == chain, AuditEvent.number < number, is_known)
    return await session.scalar(older.limit(1)) is not None


async def is_older_than_record(session: AsyncSession, chain: str, moment: datetime) -> bool:
    """Whether a moment is before the first events of a chain and of `system`, as far as there are any.

    Raises RecordBroken for a first event that is not valid.
    """
    keys = keyring(session)
    firsts = await session.scalars(
        select(AuditEvent)
        .where(AuditEvent.chain.in_([chain, SYSTEM]), AuditEvent.number == 1)
        .execution_options(populate_existing=True)
    )
    for event in firsts.all():
        if not is_authentic(event, "", keys) and event.key_id not in keys.lost:
            raise RecordBroken(event.chain)
        if event.at <= moment:
            return False
    return True
