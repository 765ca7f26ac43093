"""Closing, opening and reopening rounds, with a preview of what ends thereby.

The operator confirms the preview. When the numbers have changed before the confirmation, nothing is done.
"""

import json
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit import event_chain
from models.base.errors import DomainError
from models.certification.certificate import Level, Status
from models.certification.remark import operator_name, remark_text
from models.notices import card_marks
from models.outreach.reminder import queue_again
from models.province.progress import count_certificates, count_statuses
from models.remarks.petition import count_petitions
from models.rounds.round import (
    Round,
    RoundRefused,
    RoundState,
    close_round,
    current_round,
    hold_newest_round,
    open_round,
    require_closable,
    require_openable,
)


class Changed(DomainError):
    """The preview that the operator confirmed no longer equals the current numbers; nothing was done."""

    def __init__(self) -> None:
        super().__init__("it has changed while you were asked; nothing was done: look again")


@dataclass(frozen=True)
class Closing:
    """The preview of closing the open round: the organizations by status, and undecided petitions.

    `petitions` is the number of petitions that can no longer be granted afterwards.
    """

    fiscal_year: int
    closes_on: date | None
    organizations: int
    uncertified: int
    waiting: int
    petitions: int
    round: Round = field(compare=False, repr=False)


@dataclass(frozen=True)
class Opening:
    """The preview of opening the next round: what it ends of the previous one.

    `fiscal_year` is that of the previous round, None when there is none; `locked` the number of registers that are
    unlocked; `petitions` the number of undecided petitions.
    """

    fiscal_year: int | None
    locked: int
    petitions: int


@dataclass(frozen=True)
class RoundReopening:
    """One reopening of a round: who undid its closing, when and why."""

    at: datetime
    by: str
    reason: str
    closed_at: datetime | None


async def look_at_closing(session: AsyncSession) -> Closing:
    """Return the preview of closing the round now. Raises RoundRefused when none is open."""
    return await _closing(session, require_closable(await current_round(session)))


async def _closing(session: AsyncSession, round_: Round) -> Closing:
    counts = await count_statuses(session)
    return Closing(
        fiscal_year=round_.fiscal_year,
        closes_on=round_.closes_on,
        organizations=sum(province.total for province in counts),
        uncertified=sum(province.of(Status.UNCERTIFIED) for province in counts),
        waiting=sum(province.of(Status.LAO_CERTIFIED) for province in counts),
        petitions=await count_petitions(session),
        round=round_,
    )


async def close_as_agreed(session: AsyncSession, agreed: Closing | None, now: datetime) -> Closing:
    """Close the open round, and return what that ended.

    `agreed` is the preview that the operator confirmed; None skips the comparison. Raises RoundRefused when no
    round is open, and Changed when the current preview differs from `agreed`.
    """
    # The lock keeps everybody from certifying between the count and the closing.
    closing = await _closing(session, require_closable(await hold_newest_round(session)))
    if agreed not in (None, closing):
        raise Changed
    await close_round(session, now)
    return closing


async def look_at_opening(
    session: AsyncSession, fiscal_year: int, closes_on: date | None, now: datetime
) -> Opening:
    """Return the preview of opening a round now. Raises RoundRefused when it cannot be opened."""
    newest = await current_round(session)
    require_openable(newest, fiscal_year, closes_on, now)
    return await _opening(session, newest)


async def _opening(session: AsyncSession, newest: Round | None) -> Opening:
    if newest is None:
        return Opening(None, 0, 0)
    certificates = await count_certificates(session)
    return Opening(newest.fiscal_year, certificates.get(Level.LAO, 0), await count_petitions(session))


async def open_as_agreed(
    session: AsyncSession, fiscal_year: int, closes_on: date | None, agreed: Opening | None, now: datetime
) -> tuple[Round, Opening]:
    """Open the round of a fiscal year; return the round and what that ended. `agreed` is as in close_as_agreed.

    Raises RoundRefused when the round cannot be opened, and Changed when the current preview differs from
    `agreed`.
    """
    opening = await _opening(session, await hold_newest_round(session))
    if agreed not in (None, opening):
        raise Changed
    return await open_round(session, fiscal_year, closes_on, now), opening


async def reopen_round(session: AsyncSession, by: str, reason: str, now: datetime) -> Round:
    """Reopen the newest round with the same deadline, record it, and return the round.

    Raises OperatorRefused for the name `by`, RemarkRefused for `reason`, and RoundRefused when the newest round is
    not closed.
    """
    by, reason = operator_name(by), remark_text(reason)
    newest = await hold_newest_round(session)
    if newest is None:
        raise RoundRefused("no round was opened yet; open one: laocert round open --fiscal-year 2570")
    if newest.state is RoundState.OPEN:
        raise RoundRefused(
            f"round {newest.fiscal_year} is open; only the newest round is reopened, when it is closed"
        )
    closed_at, newest.state, newest.closed_at = newest.closed_at, RoundState.OPEN, None
    await session.flush()
    await event_chain.record(
        session,
        event_chain.Event.ROUND_REOPENED,
        event_chain.SYSTEM,
        now,
        fiscal_year=newest.fiscal_year,
        closed_at=closed_at and closed_at.isoformat(),
        by=by,
        reason=reason,
    )
    await queue_again(session, newest, now)
    await card_marks.touch_all(session, now)
    return newest


async def list_reopenings(session: AsyncSession) -> dict[int, list[RoundReopening]]:
    """Return all reopenings of rounds by fiscal year, the oldest first, from the audit record."""
    events = await session.execute(
        select(event_chain.AuditEvent.at, event_chain.AuditEvent.details)
        .where(
            event_chain.AuditEvent.chain == event_chain.SYSTEM,
            event_chain.AuditEvent.kind == event_chain.Event.ROUND_REOPENED,
        )
        .order_by(event_chain.AuditEvent.number)
    )
    reopenings: dict[int, list[RoundReopening]] = {}
    for at, details in events:
        try:
            facts = json.loads(details)
            closed_at = facts["closed_at"] and datetime.fromisoformat(facts["closed_at"])
            reopening = RoundReopening(at, facts["by"], facts["reason"], closed_at)
            reopenings.setdefault(facts["fiscal_year"], []).append(reopening)
        except (ValueError, KeyError, TypeError):
            # The event was changed; `laocert audit verify` reports it.
            continue
    return reopenings
