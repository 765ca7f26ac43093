"""Verifies reopenings, remarks and broadcasts, all of which are insert only."""

import hashlib
from typing import Any

from sqlalchemy import String, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.audit.digests import is_digest_of
from models.audit.event_chain import Event, keyring
from models.certification.certificate import Reopening
from models.certification.remark import Remark, RemarkKind
from models.outreach.broadcast import Broadcast
from models.register.certified import CertifiedRegister
from models.rounds.round import Round, current_round
from models.verification.findings import Findings, Subject
from models.verification.record import Record, Told

_REMARK_EVENTS = {
    RemarkKind.PETITION.value: Event.PETITIONED,
    RemarkKind.DECISION.value: Event.DECIDED,
    RemarkKind.QUESTION.value: Event.QUESTIONED,
    RemarkKind.ANSWER.value: Event.ANSWERED,
    RemarkKind.EXPLANATION.value: Event.EXPLAINED,
}
# The name under which each event's details have the remark's id.
_NUMBERS = {
    Event.PETITIONED: "petition",
    Event.DECIDED: "decision",
    Event.QUESTIONED: "question",
    Event.ANSWERED: "answer",
    Event.EXPLAINED: "explanation",
}
# The name under which an event's details have the id of the remark that it answers.
_ANSWERED = {RemarkKind.DECISION.value: "petition", RemarkKind.ANSWER.value: "question"}

Rows = dict[tuple[str, str], dict[str, Any]]


async def check_reopenings(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each reopening equals its event and none is missing.

    In the newest round each must have a stored register if its event says so.
    """
    newest = await current_round(session)
    with_register = set(await session.scalars(select(CertifiedRegister.reopening_id)))
    rows: Rows = {
        (Event.REOPENED.value, str(reopening.id)): {
            "chain": reopening.organization_code,
            "at": reopening.reopened_at,
            "round": fiscal_year,
            "revision": reopening.revision,
            "by": reopening.by_name,
            "reason": reopening.reason,
            **(
                {"register_kept": reopening.id in with_register}
                if newest and reopening.round_id == newest.id
                else {}
            ),
        }
        for reopening, fiscal_year in await session.execute(select(Reopening, Round.fiscal_year).join(Round))
    }
    compare(rows, _events(record, {Event.REOPENED: "reopening"}), Subject.REOPENING, findings)


async def check_remarks(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each remark equals its event and none is missing; the author is compared by the keyed digest."""
    events = _events(record, _NUMBERS)
    # The kind is read as plain text, because an attacker may have stored an unknown word.
    remarks = select(Remark, type_coerce(Remark.kind, String)).options(defer(Remark.kind))
    rows: Rows = {}
    for remark, kind in await session.execute(remarks):
        key = (str(_REMARK_EVENTS.get(kind, kind)), str(remark.id))
        rows[key] = {
            "chain": remark.organization_code,
            "at": remark.made_at,
            "round_id": remark.round_id,
            "revision": remark.revision,
            "body": remark.body,
            "reason": remark.body,
            "about": remark.about,
            "by": remark.author,
            "officer": remark.officer_id,
            "granted": remark.granted,
            _ANSWERED.get(kind, "answers"): remark.answers_id,
        }
        event = events.get(key, {})
        if "round_id" in event:
            # Columns that such an event does not name must be null.
            event = events[key] = dict.fromkeys(("about", "granted", "officer", "answers")) | event
        findings.leave("remarks", bool(event) and "round_id" not in event)
        if is_digest_of(keyring(session), event.get("author"), remark.author) is False:
            rows[key]["author"] = None
    compare(rows, events, Subject.REMARK, findings)


async def check_broadcasts(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each broadcast equals its event and none is missing. Broadcasts older than the first event with
    an id are counted as not compared.
    """
    rows: Rows = {
        (Event.BROADCAST.value, str(row.id)): {
            "at": row.made_at,
            "audience": row.audience,
            "digest": hashlib.sha256(row.body.encode()).hexdigest(),
        }
        for row in await session.scalars(select(Broadcast))
    }
    events = _events(record, {Event.BROADCAST: "broadcast"})
    first_recorded_id = min((int(number) for _, number in events), default=None)
    for key in list(rows):
        if first_recorded_id is None or int(key[1]) < first_recorded_id:
            # Its event is from before events had the broadcast's id.
            findings.leave("broadcasts")
            del rows[key]
    compare(rows, events, Subject.BROADCAST, findings)


def _events(record: Record, numbers: dict[Event, str]) -> Rows:
    """Return the recorded facts of each row, by kind of event and the row's id."""
    return {
        (kind.value, number): _facts(event)
        for kind, name in numbers.items()
        for number, event in record.by_number(kind, name).items()
    }


def _facts(event: Told) -> dict[str, Any]:
    return event.details | {"chain": event.chain, "at": event.at}


def compare(rows: Rows, events: Rows, subject: Subject, findings: Findings) -> None:
    """Check that rows and events correspond one to one and agree in every name that both have."""
    for kind, number in sorted(rows.keys() | events.keys()):
        row, event = rows.get((kind, number)), events.get((kind, number))
        if row is None or event is None or any(row[name] != event[name] for name in row.keys() & event.keys()):
            findings.add(subject, f"{kind} {number}: the row and its event do not agree")
