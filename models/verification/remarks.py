"""What was decided, said and announced: reopenings, remarks and broadcasts. All of them are inserted only."""

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
# Under which name each event has the number of its remark.
_NUMBERS = {
    Event.PETITIONED: "petition",
    Event.DECIDED: "decision",
    Event.QUESTIONED: "question",
    Event.ANSWERED: "answer",
    Event.EXPLAINED: "explanation",
}
# What an event calls the remark that it answers.
_ANSWERED = {RemarkKind.DECISION.value: "petition", RemarkKind.ANSWER.value: "question"}

Rows = dict[tuple[str, str], dict[str, Any]]


async def check_reopenings(session: AsyncSession, record: Record, found: Findings) -> None:
    """None without its event, none gone, and nothing changed of what its event tells. In the newest round each has
    kept its register, if it could.
    """
    newest = await current_round(session)
    kept = set(await session.scalars(select(CertifiedRegister.reopening_id)))
    rows: Rows = {
        (Event.REOPENED.value, str(reopening.id)): {
            "chain": reopening.organization_code,
            "at": reopening.reopened_at,
            "round": fiscal_year,
            "revision": reopening.revision,
            "by": reopening.by_name,
            "reason": reopening.reason,
            **({"register_kept": reopening.id in kept} if newest and reopening.round_id == newest.id else {}),
        }
        for reopening, fiscal_year in await session.execute(select(Reopening, Round.fiscal_year).join(Round))
    }
    compare(rows, _events(record, {Event.REOPENED: "reopening"}), Subject.REOPENING, found)


async def check_remarks(session: AsyncSession, record: Record, found: Findings) -> None:
    """As reopenings. The author's name is in no event: a keyed digest of it is."""
    events = _events(record, _NUMBERS)
    # The kind as it stands in the row: whoever writes to the database can put any word there.
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
        told = events.get(key, {})
        if "round_id" in told:
            # What an event of this kind does not name is empty.
            told = events[key] = dict.fromkeys(("about", "granted", "officer", "answers")) | told
        found.leave("remarks", bool(told) and "round_id" not in told)
        if is_digest_of(keyring(session), told.get("author"), remark.author) is False:
            rows[key]["author"] = None
    compare(rows, events, Subject.REMARK, found)


async def check_broadcasts(session: AsyncSession, record: Record, found: Findings) -> None:
    """Each announcement is what was recorded, and none is gone."""
    rows: Rows = {
        (Event.BROADCAST.value, str(row.id)): {
            "at": row.made_at,
            "audience": row.audience,
            "digest": hashlib.sha256(row.body.encode()).hexdigest(),
        }
        for row in await session.scalars(select(Broadcast))
    }
    events = _events(record, {Event.BROADCAST: "broadcast"})
    first = min((int(number) for _, number in events), default=None)
    for key in list(rows):
        if first is None or int(key[1]) < first:
            # From before its event named it.
            found.leave("broadcasts")
            del rows[key]
    compare(rows, events, Subject.BROADCAST, found)


def _events(record: Record, numbers: dict[Event, str]) -> Rows:
    """What the events say of each row, by kind and the row's number."""
    return {
        (kind.value, number): _facts(event)
        for kind, name in numbers.items()
        for number, event in record.by_number(kind, name).items()
    }


def _facts(event: Told) -> dict[str, Any]:
    return event.details | {"chain": event.chain, "at": event.at}


def compare(rows: Rows, events: Rows, subject: Subject, found: Findings) -> None:
    """Every row has its event and every event its row, and they agree in whatever both of them tell."""
    for kind, number in sorted(rows.keys() | events.keys()):
        row, event = rows.get((kind, number)), events.get((kind, number))
        if row is None or event is None or any(row[name] != event[name] for name in row.keys() & event.keys()):
            found.add(subject, f"{kind} {number}: the row and its event do not agree")
