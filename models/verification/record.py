"""Loads once all events with which rows are compared."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import SYSTEM, AuditEvent, Event
from models.verification.findings import UNREADABLE

# Kinds of events with which no row is compared; they are most of a large record.
_UNCOMPARED = frozenset(
    {
        Event.REFUSED,
        Event.LOGIN_FAILED,
        Event.EXPORTED,
        Event.PIN_BLOCKED,
        Event.PIN_FAILED,
        Event.WARNED,
        Event.HEAD,
    }
)
_KINDS = frozenset(Event) - _UNCOMPARED


@dataclass(frozen=True)
class Told:
    """One event with its parsed details."""

    id: int
    kind: Event
    chain: str
    number: int
    at: datetime
    mac: str
    key_id: str
    details: dict[str, Any]

    @property
    def unit(self) -> str:
        """The code of the organization or province concerned, also for events after an organization's end."""
        return str(self.details.get("organization", self.chain)) if self.chain == SYSTEM else self.chain


class Record:
    """All events with which rows are compared, by kind, in the order in which they were recorded.

    Events with unreadable details are omitted, because the verification of the chains reports them.
    """

    def __init__(self, events: Iterable[Told]) -> None:
        self._by_kind: dict[Event, list[Told]] = defaultdict(list)
        for event in events:
            self._by_kind[event.kind].append(event)

    def of(self, *kinds: Event) -> Iterator[Told]:
        """Yield the events of the given kinds, one kind after the other."""
        for kind in kinds:
            yield from self._by_kind[kind]

    def in_order(self, *kinds: Event) -> list[Told]:
        """Return the events of the given kinds in the order in which they were recorded."""
        return sorted(self.of(*kinds), key=lambda event: event.id)

    def by_number(self, kind: Event, name: str) -> dict[str, Told]:
        """Return the last event of a kind for each row, by the row's id, which the details have under `name`."""
        return {str(event.details[name]): event for event in self.of(kind) if name in event.details}


async def load_record(session: AsyncSession) -> tuple[Record, int]:
    """Return the events with which rows are compared, and the number of all events."""
    count = 0
    events: list[Told] = []
    rows = await session.stream(
        select(
            AuditEvent.id,
            AuditEvent.kind,
            AuditEvent.chain,
            AuditEvent.number,
            AuditEvent.at,
            AuditEvent.mac,
            AuditEvent.key_id,
            AuditEvent.details,
        )
        .order_by(AuditEvent.id)
        .execution_options(yield_per=1000)
    )
    async for event_id, kind, chain, number, at, mac, key_id, written in rows:
        count += 1
        if kind not in _KINDS or (kind == Event.IMPORTED and chain != SYSTEM):
            # Only the imports of organizations, in `system`, are compared.
            continue
        try:
            details = json.loads(written)
        except UNREADABLE:
            continue
        if isinstance(details, dict):
            events.append(Told(event_id, Event(kind), chain, number, at, mac, key_id, details))
    return Record(events), count
