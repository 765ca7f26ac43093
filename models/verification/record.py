"""The events that rows are compared with, read once."""

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

# What no row is compared with, and most of a record that has grown.
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
    """One event: what it says, and where and when it was recorded."""

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
        """Whom it concerns: what is recorded of an organization after its end stands in another chain."""
        return str(self.details.get("organization", self.chain)) if self.chain == SYSTEM else self.chain


class Record:
    """All events that rows are compared with, by kind, in the order in which they were recorded.

    An event that nobody can read is left out: the chain's own check has named it.
    """

    def __init__(self, events: Iterable[Told]) -> None:
        self._by_kind: dict[Event, list[Told]] = defaultdict(list)
        for event in events:
            self._by_kind[event.kind].append(event)

    def of(self, *kinds: Event) -> Iterator[Told]:
        """The events of some kinds, one kind after the other."""
        for kind in kinds:
            yield from self._by_kind[kind]

    def in_order(self, *kinds: Event) -> list[Told]:
        """The events of some kinds, in the order in which they were recorded."""
        return sorted(self.of(*kinds), key=lambda event: event.id)

    def by_number(self, kind: Event, name: str) -> dict[str, Told]:
        """The last event of a kind for each row, by the row's number, which the details have under `name`."""
        return {str(event.details[name]): event for event in self.of(kind) if name in event.details}


async def load_record(session: AsyncSession) -> tuple[Record, int]:
    """The events to compare with, and how many events there are in all."""
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
            # Of imports only those of organizations say something that is compared.
            continue
        try:
            details = json.loads(written)
        except UNREADABLE:
            continue
        if isinstance(details, dict):
            events.append(Told(event_id, Event(kind), chain, number, at, mac, key_id, details))
    return Record(events), count
