"""Verifies the descriptions of organizations and provinces, ends of organizations, and successions."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import AuditEvent, Event
from models.organizations.organization import Organization, OrganizationEnd, Province, description
from models.verification.findings import Findings, Subject
from models.verification.record import Record
from models.verification.remarks import Rows, compare


async def check_descriptions(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each organization and province has the description in its last event, and none is missing."""
    recorded, undescribed = _descriptions(record), 0
    for table, key, what in (
        (Organization.core(), "dla_code", "organization"),
        (Province.core(), "code", "province"),
    ):
        for row in (await session.execute(select(table).order_by(table.c[key]))).mappings():
            expected = recorded.pop(row[key], {})
            current = description(dict(row))
            undescribed += not expected
            if expected.keys() < current.keys():
                findings.leave(f"{what}s")
            if any(current.get(name) != value for name, value in expected.items()):
                findings.add(
                    Subject.ORGANIZATION, f"{what} {row[key]}: is not described as its last event describes it"
                )
    findings.add(Subject.ORGANIZATION, *(f"{code}: was recorded and is gone" for code in sorted(recorded)))
    undescribed_counts = [event.details.get("undescribed") for event in record.of(Event.IMPORTED)]
    # Every later insert is recorded with its description, so the number cannot rightly grow.
    allowed = next((number for number in reversed(undescribed_counts) if isinstance(number, int)), undescribed)
    if undescribed > allowed:
        findings.add(
            Subject.ORGANIZATION,
            f"organizations and provinces: {undescribed} are described by no event; after the last import that"
            f" was {allowed}",
        )


def _descriptions(record: Record) -> dict[str, dict[str, Any]]:
    """Return the recorded description by code; for older rows only the fields that a renaming changed."""
    events = sorted(
        record.of(Event.DESCRIBED, Event.RENAMED, Event.SUCCEEDED), key=lambda event: (event.chain, event.number)
    )
    recorded: dict[str, dict[str, Any]] = {}
    for event in events:
        for name in ("after", "description"):
            if isinstance(words := event.details.get(name), dict):
                recorded.setdefault(event.unit, {}).update(words)
    return recorded


async def check_ends(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each end equals its event, and that the chain of an ended organization has no later event."""
    rows: Rows = {
        (Event.ENDED.value, str(end.id)): {
            "chain": end.organization_code,
            "at": end.ended_at,
            "how": end.kind,
            "successor": end.successor_code,
            "founds_successor": end.founds_successor,
            "effective_on": end.effective_on.isoformat(),
            "by": end.by_name,
            "reason": end.reason,
            "gazette": end.gazette,
        }
        for end in await session.scalars(select(OrganizationEnd))
    }
    events = record.by_number(Event.ENDED, "end")
    events_by_end: Rows = {
        (Event.ENDED.value, number): event.details | {"chain": event.chain, "at": event.at}
        for number, event in events.items()
    }
    compare(rows, events_by_end, Subject.ORGANIZATION, findings)
    last = (
        select(AuditEvent.chain, func.max(AuditEvent.number).label("number")).group_by(AuditEvent.chain).subquery()
    )
    kinds = await session.execute(
        select(AuditEvent.chain, AuditEvent.kind)
        .join(last, (last.c.chain == AuditEvent.chain) & (last.c.number == AuditEvent.number))
        .where(AuditEvent.chain.in_([event.chain for event in events.values()]))
    )
    continued_chains = [chain for chain, kind in kinds if kind != Event.ENDED]
    findings.add(
        Subject.ORGANIZATION,
        *(f"chain {chain}: goes on after the end of its organization" for chain in continued_chains),
    )


async def check_successions(_session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each successor's chain contains the hash of its predecessor's last event.

    For a founded successor, the event with that hash must be the first one of its chain.
    """
    heads: dict[tuple[str, str], str] = {}
    founded: set[str] = set()
    for event in record.of(Event.SUCCEEDED):
        predecessor_heads = event.details.get("heads")
        if isinstance(predecessor_heads, dict):
            heads |= {(event.chain, predecessor): head for predecessor, head in predecessor_heads.items()}
            founded |= {event.chain} if event.number == 1 else set()
    for end in record.of(Event.ENDED):
        successor = end.details.get("successor")
        if successor is None:
            continue
        if heads.get((str(successor), end.chain)) != end.mac:
            what = f"chain {successor}: does not go on from the end of chain {end.chain}"
            findings.add(Subject.ORGANIZATION, what)
        elif end.details.get("founds_successor") and successor not in founded:
            what = f"chain {successor}: does not begin with the end of chain {end.chain}"
            findings.add(Subject.ORGANIZATION, what)
