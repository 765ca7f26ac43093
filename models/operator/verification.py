"""Does everything still stand as it was recorded? What `laocert audit verify` checks, and its first breaks."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import String, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.audit.event_chain import SYSTEM, UNRECORDED, AuditEvent, Event, verify_chains
from models.certification.certificate import Certification, Level, Reopening, is_live, snapshot
from models.certification.changes import load_changes
from models.certification.remark import Remark, RemarkKind
from models.certification.spot_check import Basis, SpotCheck, is_drawn_from
from models.certification.words import CertificateWords
from models.organizations.organization import OrganizationEnd
from models.register.certified import CertifiedRegister
from models.register.roster import Category, PersonnelRecord, register_digest
from models.rounds.round import Round, RoundState, current_round
from models.spot_checks.draw_basis import load_basis, load_incorrect
from models.succession.word_keeping import count_without_words, words_digests

# In one line.
KEYS_NAMED = 5
# What is raised by the details of an event that somebody else than the program wrote.
UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)


@dataclass
class Findings:
    """What was looked at, and every break that was found, a line each."""

    events: int = 0
    certificates: int = 0
    rosters: int = 0
    # Events that could not be checked, by the id of the key that is neither in use nor among the old ones.
    unknown_keys: dict[str, int] = field(default_factory=dict)
    # Certificates from before the chain: nothing can be said of them.
    unrecorded: list[str] = field(default_factory=list)
    # Certificates from before schema 0012 whose words were not kept yet.
    without_words: int = 0
    breaks: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether everything was checked and stands as it was recorded."""
        return not (self.breaks or self.unknown_keys)

    @property
    def unchecked(self) -> str:
        """One line about the events that could not be checked; empty when there are none."""
        if not self.unknown_keys:
            return ""
        most = sorted(self.unknown_keys.items(), key=lambda item: -item[1])
        # Whoever can write to the database can put any letters there.
        by_key = ", ".join(f"{count} with key {ascii(key_id)[1:-1]:.16}" for key_id, count in most[:KEYS_NAMED])
        by_key += f" and {len(most) - KEYS_NAMED} keys more" if len(most) > KEYS_NAMED else ""
        return (
            f"{sum(self.unknown_keys.values())} of {self.events} events cannot be checked: the key that made them"
            f" is not here ({by_key}); put it into LAOCERT_OLD_SECRET_KEYS and verify again. Of one that is lost"
            " they stay unchecked; if no such key was ever in use, the record was changed"
        )


async def verify(session: AsyncSession, head: str | None = None) -> Findings:
    """Check the chains (up to a filed `head` too), then certificates, words that were kept for them, reopenings,
    remarks, ends of organizations and rounds against their events, then each locked roster against its certificate
    or the end of its organization, and each spot-check against the roster that it was drawn from.
    """
    found = Findings()
    walk = await verify_chains(session, head)
    found.breaks, found.unknown_keys = walk.breaks, walk.unknown_keys
    recorded = await _recorded(session, found)
    await _check_certificates(session, recorded, found)
    await _check_words(session, found)
    await _check_rows(session, recorded, found)
    await _check_rounds(session, found)
    await _check_ended_chains(session, recorded, found)
    await _check_successions(session, found)
    await _check_rosters(session, found)
    await _check_ended_rosters(session, recorded, found)
    await _check_spot_checks(session, found)
    return found


async def _recorded(session: AsyncSession, found: Findings) -> dict[tuple[str, str], dict[str, object]]:
    """What the events say was inserted, by kind and id."""
    names: dict[str, Callable[[Any], str]] = {
        Event.CERTIFIED: lambda details: str(details["certificate"]["id"]),
        Event.REOPENED: lambda details: str(details["reopening"]),
        Event.PETITIONED: lambda details: str(details["petition"]),
        Event.DECIDED: lambda details: str(details["decision"]),
        Event.QUESTIONED: lambda details: str(details["question"]),
        Event.ANSWERED: lambda details: str(details["answer"]),
        Event.EXPLAINED: lambda details: str(details["explanation"]),
        Event.ENDED: lambda details: str(details["end"]),
    }
    recorded = {}
    rows = await session.execute(select(AuditEvent.kind, AuditEvent.chain, AuditEvent.at, AuditEvent.details))
    for kind, chain, at, details in rows:
        found.events += 1
        if kind not in names:
            continue
        try:
            told = json.loads(details)
            recorded[kind, names[kind](told)] = told | {"chain": chain, "at": at}
        except UNREADABLE:
            # The chain's own check has said so already.
            continue
    return recorded


async def _check_certificates(
    session: AsyncSession, recorded: dict[tuple[str, str], dict[str, object]], found: Findings
) -> None:
    seen = set()
    histories = await _round_events(session)
    opened_years = {
        year for year, events in histories.items() if Event.ROUND_OPENED in [kind for kind, _, _ in events]
    }
    rows = await session.execute(select(Certification, Round.fiscal_year).join(Round).order_by(Certification.id))
    for certificate, fiscal_year in rows:
        found.certificates += 1
        seen.add(str(certificate.id))
        event = recorded.get((Event.CERTIFIED, str(certificate.id)))
        name = f"certificate {certificate.code} of {certificate.organization_code}"
        if event is None and certificate.audit_head == UNRECORDED and fiscal_year not in opened_years:
            found.unrecorded.append(certificate.code)
            if certificate.organization_name is not None:
                found.breaks.append(f"{name}: is older than the words that it bears")
        elif event is None:
            found.breaks.append(f"{name}: no event records it")
        elif event["certificate"] != snapshot(certificate):
            found.breaks.append(f"{name}: is not what was certified")
    gone = {key for kind, key in recorded if kind == Event.CERTIFIED} - seen
    found.breaks += [f"certificate {key}: was recorded and is gone" for key in sorted(gone)]


async def _check_words(session: AsyncSession, found: Findings) -> None:
    """What was kept for older certificates: all that the events tell of, nothing else, and for none that bears
    words itself.
    """
    found.without_words = await count_without_words(session)
    kept: dict[str, dict[str, Any]] = {}
    for digest in await words_digests(session):
        moment = digest.moment
        kept[moment] = {"kept_at": moment, "certificates": digest.certificates, "digest": digest.hexadecimal}
    told = await _kept_words(session)
    for moment in sorted(kept.keys() | told.keys()):
        if kept.get(moment) != told.get(moment):
            found.breaks.append(f"words of certificates, kept at {moment}: the rows and their event do not agree")
    beside = await session.scalars(
        select(Certification.code)
        .join(CertificateWords, CertificateWords.certification_id == Certification.id)
        .where(Certification.organization_name.is_not(None))
        .order_by(Certification.id)
    )
    found.breaks += [f"certificate {code}: others stand beside the words that it bears" for code in beside]


async def _kept_words(session: AsyncSession) -> dict[str, dict[str, Any]]:
    """What the events tell of words that were kept, by their moment; the later of two at one moment tells all."""
    rows = await session.scalars(
        select(AuditEvent.details)
        .where(AuditEvent.chain == SYSTEM, AuditEvent.kind == Event.WORDS_KEPT)
        .order_by(AuditEvent.number)
    )
    told = {}
    for details in rows:
        try:
            event = json.loads(details)
            told[str(event["kept_at"])] = event
        except UNREADABLE:
            # The chain's own check has said so already.
            continue
    return told


async def _check_rows(
    session: AsyncSession, recorded: dict[tuple[str, str], dict[str, object]], found: Findings
) -> None:
    """Reopenings, remarks and ends: none without its event, none gone, and nothing changed of what its event
    tells. Of a reopening in the newest round the register that it kept, too.
    """
    newest = await current_round(session)
    kept = set(await session.scalars(select(CertifiedRegister.reopening_id)))
    stored = {
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
    # The kind as it stands in the row: whoever writes to the database can put any word there.
    remarks = select(Remark, type_coerce(Remark.kind, String)).options(defer(Remark.kind))
    for remark, kind in await session.execute(remarks):
        stored[_REMARK_EVENTS.get(kind, kind), str(remark.id)] = {
            "chain": remark.organization_code,
            "at": remark.made_at,
            "body": remark.body,
            "reason": remark.body,
            "about": remark.about,
            "by": remark.author,
            "officer": remark.officer_id,
            "granted": remark.granted,
            _ANSWERED.get(kind, "answers"): remark.answers_id,
        }
    for end in await session.scalars(select(OrganizationEnd)):
        stored[Event.ENDED.value, str(end.id)] = {
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
    told = {key: event for key, event in recorded.items() if key[0] != Event.CERTIFIED}
    for kind, key in sorted(stored.keys() | told.keys()):
        row, event = stored.get((kind, key)), told.get((kind, key))
        if row is None or event is None or any(row[name] != event[name] for name in row.keys() & event.keys()):
            found.breaks.append(f"{kind} {key}: the row and its event do not agree")


_REMARK_EVENTS = {
    RemarkKind.PETITION.value: Event.PETITIONED.value,
    RemarkKind.DECISION.value: Event.DECIDED.value,
    RemarkKind.QUESTION.value: Event.QUESTIONED.value,
    RemarkKind.ANSWER.value: Event.ANSWERED.value,
    RemarkKind.EXPLANATION.value: Event.EXPLAINED.value,
}
# What an event calls the remark that it answers.
_ANSWERED = {RemarkKind.DECISION.value: "petition", RemarkKind.ANSWER.value: "question"}


# What each event makes of its round.
_ROUND_STATES = {
    Event.ROUND_OPENED: RoundState.OPEN,
    Event.ROUND_CLOSED: RoundState.CLOSED,
    Event.ROUND_REOPENED: RoundState.OPEN,
}


async def _check_rounds(session: AsyncSession, found: Findings) -> None:
    """The newest round decides what is locked: one that nobody opened, one that is gone, or an older one with a
    newer number would end locks. A round that nobody reopened would take certificates after its end.
    """
    histories = await _round_events(session)
    # A round from before the record, of which certificates may tell, is older than every round that is in it.
    first_recorded = min(histories, default=None)
    rounds = list(await session.scalars(select(Round).order_by(Round.id)))
    # A round is of a later year than the one before it (models/rounds/round.py).
    for earlier, later in pairwise(round_.fiscal_year for round_ in rounds):
        if earlier > later:
            found.breaks.append(f"round {later}: is numbered after round {earlier}")
    for round_ in rounds:
        name, events = f"round {round_.fiscal_year}", histories.pop(round_.fiscal_year, [])
        is_before = bool(found.unrecorded) and (first_recorded is None or round_.fiscal_year <= first_recorded)
        if Event.ROUND_OPENED not in [kind for kind, _, _ in events] and not is_before:
            found.breaks.append(f"{name}: no event records that it was opened")
        if not events:
            continue
        found.breaks += [
            f"{name}: was not opened so"
            for kind, at, closes_on in events
            if kind is Event.ROUND_OPENED and (round_.opened_at, round_.closes_on) != (at, closes_on)
        ]
        kind, at, _ = events[-1]
        state = _ROUND_STATES[kind]
        closed_at = at if state is RoundState.CLOSED else None
        if (round_.state, round_.closed_at) != (state, closed_at):
            found.breaks.append(f"{name}: is not {state} as its last event left it")
    found.breaks += [f"round {year}: was recorded and is gone" for year in sorted(histories)]


async def _round_events(session: AsyncSession) -> dict[int, list[tuple[Event, datetime, date | None]]]:
    """The events of each round by fiscal year, as they were recorded: kind, time, and the last day as opened."""
    rows = await session.execute(
        select(AuditEvent.kind, AuditEvent.at, AuditEvent.details)
        .where(AuditEvent.chain == SYSTEM, AuditEvent.kind.in_(_ROUND_STATES))
        .order_by(AuditEvent.number)
    )
    histories: dict[int, list[tuple[Event, datetime, date | None]]] = {}
    for kind, at, details in rows:
        try:
            told = json.loads(details)
            closes_on = date.fromisoformat(told["closes_on"]) if told.get("closes_on") else None
            histories.setdefault(int(told["fiscal_year"]), []).append((Event(kind), at, closes_on))
        except (*UNREADABLE, AttributeError):
            # The chain's own check has said so already.
            continue
    return histories


async def _check_rosters(session: AsyncSession, found: Findings) -> None:
    """Every register that is locked must still have the digest of its certificate."""
    newest = await current_round(session)
    if newest is None:
        return
    locked = await session.execute(
        select(Certification.organization_code, Certification.roster_digest, Certification.code).where(
            Certification.round_id == newest.id, Certification.level == Level.LAO, is_live(Certification)
        )
    )
    for organization, digest, code in locked.all():
        found.rosters += 1
        if await register_digest(session, organization) != digest:
            found.breaks.append(f"roster of {organization}: is not what certificate {code} certified")


async def _check_ended_chains(
    session: AsyncSession, recorded: dict[tuple[str, str], dict[str, object]], found: Findings
) -> None:
    """Nothing is recorded in the chain of an organization after its end."""
    ended = [str(event["chain"]) for (kind, _), event in recorded.items() if kind == Event.ENDED]
    last = (
        select(AuditEvent.chain, func.max(AuditEvent.number).label("number")).group_by(AuditEvent.chain).subquery()
    )
    kinds = await session.execute(
        select(AuditEvent.chain, AuditEvent.kind)
        .join(last, (last.c.chain == AuditEvent.chain) & (last.c.number == AuditEvent.number))
        .where(AuditEvent.chain.in_(ended))
    )
    found.breaks += [
        f"chain {chain}: goes on after the end of its organization" for chain, kind in kinds if kind != Event.ENDED
    ]


async def _check_successions(session: AsyncSession, found: Findings) -> None:
    """The chain of each successor goes on from the end of its predecessor's; one that was founded begins with
    it.
    """
    rows = await session.execute(
        select(AuditEvent.chain, AuditEvent.number, AuditEvent.kind, AuditEvent.mac, AuditEvent.details).where(
            AuditEvent.kind.in_([Event.ENDED, Event.SUCCEEDED])
        )
    )
    ends: list[tuple[str, str, str, bool]] = []
    heads: dict[tuple[str, str], str] = {}
    begun: set[str] = set()
    for chain, number, kind, mac, details in rows:
        try:
            told = json.loads(details)
            if kind == Event.SUCCEEDED:
                heads |= {(chain, predecessor): head for predecessor, head in told["heads"].items()}
                begun |= {chain} if number == 1 else set()
            elif told["successor"] is not None:
                ends.append((chain, mac, told["successor"], told["founds_successor"]))
        except (*UNREADABLE, AttributeError):
            # The chain's own check has said so already.
            continue
    for chain, mac, successor, founds in ends:
        if heads.get((successor, chain)) != mac:
            found.breaks.append(f"chain {successor}: does not go on from the end of chain {chain}")
        elif founds and successor not in begun:
            found.breaks.append(f"chain {successor}: does not begin with the end of chain {chain}")


async def _check_ended_rosters(
    session: AsyncSession, recorded: dict[tuple[str, str], dict[str, object]], found: Findings
) -> None:
    """The register of every organization that has ended must be what it was then."""
    for (kind, _), event in sorted(recorded.items()):
        if kind != Event.ENDED:
            continue
        found.rosters += 1
        if await register_digest(session, str(event["chain"])) != event.get("roster_digest"):
            found.breaks.append(f"roster of {event['chain']}: is not what it was when the organization ended")


async def _check_spot_checks(session: AsyncSession, found: Findings) -> None:
    """The sample of every province's certificate that locks now is drawn again from its seed, and what it rests on
    is compared with what stands in the database.
    """
    newest = await current_round(session)
    if newest is None:
        return
    made = await session.execute(
        select(Certification, SpotCheck.basis)
        .outerjoin(
            SpotCheck,
            (SpotCheck.organization_code == Certification.organization_code)
            & (SpotCheck.round_id == Certification.round_id)
            & (SpotCheck.revision == Certification.revision),
        )
        .where(
            Certification.round_id == newest.id,
            Certification.level == Level.PROVINCE,
            Certification.spot_check.is_not(None),
            is_live(Certification),
        )
    )
    for certificate, basis in made.all():
        rows = await session.execute(
            select(PersonnelRecord.record_no, PersonnelRecord.category).where(
                PersonnelRecord.organization_code == certificate.organization_code
            )
        )
        register = [(record_no, category) for record_no, category in rows]
        name, drawn = f"spot-check of certificate {certificate.code}", certificate.spot_check or ""
        if not is_drawn_from(drawn, register):
            found.breaks.append(f"{name}: its seed does not draw its sample")
        elif not await _rests_on_facts(session, certificate, json.loads(drawn), basis, register):
            found.breaks.append(f"{name}: is not drawn from what was found before and what has changed")


async def _rests_on_facts(
    session: AsyncSession,
    certificate: Certification,
    drawn: dict[str, Any],
    basis: str | None,
    register: list[tuple[str, Category]],
) -> bool:
    """Whether what a certificate says that its draw rests on is so; `basis` stands with the draw itself.

    Where a register to compare with cannot be read now, or could not when it was drawn, the certificate's own list
    of changed records stands.
    """
    if drawn.get("rule", 1) == 1:
        return basis is None
    code, round_id = certificate.organization_code, certificate.round_id
    told, numbers = Basis.read(drawn), {number for number, _ in register}
    facts = await load_basis(session, code, round_id, certificate.revision, told.size, numbers)
    if told == facts:
        return True
    if (told.since, told.gone) != (facts.since, facts.gone):
        return False
    changes = await load_changes(session, code, round_id)
    if told.may_all_differ == facts.may_all_differ and (changes is None or changes.is_known):
        return False
    # Whoever drew, or whoever verifies now, has not the key of a register.
    incorrect = await load_incorrect(session, code, round_id, facts.since)
    return incorrect & numbers <= set(told.incorrect)
