"""Organizations and provinces: how they are described, how they ended, and who goes on from whom."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import AuditEvent, Event
from models.organizations.organization import Organization, OrganizationEnd, Province, description
from models.verification.findings import Findings, Subject
from models.verification.record import Record
from models.verification.remarks import Rows, compare


async def check_descriptions(session: AsyncSession, record: Record, found: Findings) -> None:
    """Each is described as its last event says, and none that was recorded is gone."""
    recorded, undescribed = _descriptions(record), 0
    for table, key, what in (
        (Organization.core(), "dla_code", "organization"),
        (Province.core(), "code", "province"),
    ):
        for row in (await session.execute(select(table).order_by(table.c[key]))).mappings():
            known = recorded.pop(row[key], {})
            stands = description(dict(row))
            undescribed += not known
            if known.keys() < stands.keys():
                found.leave(f"{what}s")
            if any(stands.get(name) != value for name, value in known.items()):
                found.add(
                    Subject.ORGANIZATION, f"{what} {row[key]}: is not described as its last event describes it"
                )
    found.add(Subject.ORGANIZATION, *(f"{code}: was recorded and is gone" for code in sorted(recorded)))
    left = [event.details.get("undescribed") for event in record.of(Event.IMPORTED)]
    # Whatever comes later is described when it comes.
    most = next((number for number in reversed(left) if isinstance(number, int)), undescribed)
    if undescribed > most:
        found.add(
            Subject.ORGANIZATION,
            f"organizations and provinces: {undescribed} are described by no event; after the last import that"
            f" was {most}",
        )


def _descriptions(record: Record) -> dict[str, dict[str, Any]]:
    """What is known of each by its code; of an older one only what a renaming has changed."""
    events = sorted(
        record.of(Event.DESCRIBED, Event.RENAMED, Event.SUCCEEDED), key=lambda event: (event.chain, event.number)
    )
    recorded: dict[str, dict[str, Any]] = {}
    for event in events:
        for name in ("after", "description"):
            if isinstance(told := event.details.get(name), dict):
                recorded.setdefault(event.unit, {}).update(told)
    return recorded


async def check_ends(session: AsyncSession, record: Record, found: Findings) -> None:
    """Every end has its event, and nothing is recorded in the chain of an organization after it."""
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
    told: Rows = {
        (Event.ENDED.value, number): event.details | {"chain": event.chain, "at": event.at}
        for number, event in events.items()
    }
    compare(rows, told, Subject.ORGANIZATION, found)
    last = (
        select(AuditEvent.chain, func.max(AuditEvent.number).label("number")).group_by(AuditEvent.chain).subquery()
    )
    kinds = await session.execute(
        select(AuditEvent.chain, AuditEvent.kind)
        .join(last, (last.c.chain == AuditEvent.chain) & (last.c.number == AuditEvent.number))
        .where(AuditEvent.chain.in_([event.chain for event in events.values()]))
    )
    goes_on = [chain for chain, kind in kinds if kind != Event.ENDED]
    found.add(
        Subject.ORGANIZATION, *(f"chain {chain}: goes on after the end of its organization" for chain in goes_on)
    )


async def check_successions(_session: AsyncSession, record: Record, found: Findings) -> None:
    """The chain of each successor goes on from the end of its predecessor's; one that was founded begins with
    it.
    """
    heads: dict[tuple[str, str], str] = {}
    begun: set[str] = set()
    for event in record.of(Event.SUCCEEDED):
        told = event.details.get("heads")
        if isinstance(told, dict):
            heads |= {(event.chain, predecessor): head for predecessor, head in told.items()}
            begun |= {event.chain} if event.number == 1 else set()
    for end in record.of(Event.ENDED):
        successor = end.details.get("successor")
        if successor is None:
            continue
        if heads.get((str(successor), end.chain)) != end.mac:
            what = f"chain {successor}: does not go on from the end of chain {end.chain}"
            found.add(Subject.ORGANIZATION, what)
        elif end.details.get("founds_successor") and successor not in begun:
            what = f"chain {successor}: does not begin with the end of chain {end.chain}"
            found.add(Subject.ORGANIZATION, what)
