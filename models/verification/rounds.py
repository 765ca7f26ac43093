"""Rounds: the newest one decides what is locked."""

from datetime import date, datetime
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import SYSTEM, Event
from models.rounds.round import Round, RoundState
from models.verification.findings import UNREADABLE, Findings, Subject
from models.verification.record import Record, Told

# What each event makes of its round.
_STATES = {
    Event.ROUND_OPENED: RoundState.OPEN,
    Event.ROUND_CLOSED: RoundState.CLOSED,
    Event.ROUND_REOPENED: RoundState.OPEN,
}


async def check_rounds(session: AsyncSession, record: Record, found: Findings) -> None:
    """A round that nobody opened, one that is gone, or an older one with a newer number would end locks. A round
    that nobody reopened would take certificates after its end.
    """
    histories = _histories(record)
    # A round from before the record, of which certificates may tell, is older than every round that is in it.
    first_recorded = min(histories, default=None)
    rounds = list(await session.scalars(select(Round).order_by(Round.id)))
    # A round is of a later year than the one before it (models/rounds/round.py).
    for earlier, later in pairwise(round_.fiscal_year for round_ in rounds):
        if earlier > later:
            found.add(Subject.ROUND, f"round {later}: is numbered after round {earlier}")
    for round_ in rounds:
        name, events = f"round {round_.fiscal_year}", histories.pop(round_.fiscal_year, [])
        is_before = bool(found.unrecorded) and (first_recorded is None or round_.fiscal_year <= first_recorded)
        if Event.ROUND_OPENED not in [event.kind for event in events] and not is_before:
            found.add(Subject.ROUND, f"{name}: no event records that it was opened")
        if events:
            _compare(round_, events, found)
    found.add(Subject.ROUND, *(f"round {year}: was recorded and is gone" for year in sorted(histories)))


def _compare(round_: Round, events: list[Told], found: Findings) -> None:
    name = f"round {round_.fiscal_year}"
    for event in events:
        if event.kind is not Event.ROUND_OPENED:
            continue
        if (round_.opened_at, round_.closes_on) != (event.at, _closes_on(event)):
            found.add(Subject.ROUND, f"{name}: was not opened so")
        number = event.details.get("round")
        if number is None:
            found.leave("numbers of rounds")
        elif number != round_.id:
            found.add(Subject.ROUND, f"{name}: has another number than when it was opened")
    state = _STATES[events[-1].kind]
    closed_at: datetime | None = events[-1].at if state is RoundState.CLOSED else None
    if (round_.state, round_.closed_at) != (state, closed_at):
        found.add(Subject.ROUND, f"{name}: is not {state} as its last event left it")


def _closes_on(event: Told) -> date | None:
    closes_on = event.details.get("closes_on")
    return date.fromisoformat(closes_on) if closes_on else None


def _histories(record: Record) -> dict[int, list[Told]]:
    """The events of each round by fiscal year, as they were recorded."""
    events = sorted(
        (event for event in record.of(*_STATES) if event.chain == SYSTEM), key=lambda event: event.number
    )
    histories: dict[int, list[Told]] = {}
    for event in events:
        try:
            _closes_on(event)
            histories.setdefault(int(event.details["fiscal_year"]), []).append(event)
        except UNREADABLE:
            # The chain's own check has said so already.
            continue
    return histories
