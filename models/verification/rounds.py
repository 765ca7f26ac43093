"""Verifies rounds; the newest one determines which registers are locked."""

from datetime import date, datetime
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import SYSTEM, Event
from models.rounds.round import Round, RoundState
from models.verification.findings import UNREADABLE, Findings, Subject
from models.verification.record import Record, Told

# The state of a round after each kind of event.
_STATES = {
    Event.ROUND_OPENED: RoundState.OPEN,
    Event.ROUND_CLOSED: RoundState.CLOSED,
    Event.ROUND_REOPENED: RoundState.OPEN,
}


async def check_rounds(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each round equals its events, none is missing, and their ids ascend with the years.

    A forged, missing or renumbered round would unlock registers. A forged reopening would allow certificates after
    the round's end.
    """
    histories = _histories(record)
    # A round from before the record, which only certificates may show, is older than every recorded round.
    first_recorded = min(histories, default=None)
    rounds = list(await session.scalars(select(Round).order_by(Round.id)))
    # Each round has a later year than the one before it (models/rounds/round.py).
    for earlier, later in pairwise(round_.fiscal_year for round_ in rounds):
        if earlier > later:
            findings.add(Subject.ROUND, f"round {later}: is numbered after round {earlier}")
    for round_ in rounds:
        name, events = f"round {round_.fiscal_year}", histories.pop(round_.fiscal_year, [])
        is_before = bool(findings.unrecorded) and (first_recorded is None or round_.fiscal_year <= first_recorded)
        if Event.ROUND_OPENED not in [event.kind for event in events] and not is_before:
            findings.add(Subject.ROUND, f"{name}: no event records that it was opened")
        if events:
            _compare(round_, events, findings)
    findings.add(Subject.ROUND, *(f"round {year}: was recorded and is gone" for year in sorted(histories)))


def _compare(round_: Round, events: list[Told], findings: Findings) -> None:
    name = f"round {round_.fiscal_year}"
    for event in events:
        if event.kind is not Event.ROUND_OPENED:
            continue
        if (round_.opened_at, round_.closes_on) != (event.at, _closes_on(event)):
            findings.add(Subject.ROUND, f"{name}: was not opened so")
        number = event.details.get("round")
        if number is None:
            findings.leave("numbers of rounds")
        elif number != round_.id:
            findings.add(Subject.ROUND, f"{name}: has another number than when it was opened")
    state = _STATES[events[-1].kind]
    closed_at: datetime | None = events[-1].at if state is RoundState.CLOSED else None
    if (round_.state, round_.closed_at) != (state, closed_at):
        findings.add(Subject.ROUND, f"{name}: is not {state} as its last event left it")


def _closes_on(event: Told) -> date | None:
    closes_on = event.details.get("closes_on")
    return date.fromisoformat(closes_on) if closes_on else None


def _histories(record: Record) -> dict[int, list[Told]]:
    """Return the events of each round by fiscal year, in the order in which they were recorded."""
    events = sorted(
        (event for event in record.of(*_STATES) if event.chain == SYSTEM), key=lambda event: event.number
    )
    histories: dict[int, list[Told]] = {}
    for event in events:
        try:
            _closes_on(event)
            histories.setdefault(int(event.details["fiscal_year"]), []).append(event)
        except UNREADABLE:
            # The verification of the chains reports a changed event.
            continue
    return histories
