"""Explanations: before it certifies, an organization explains why its headcount differs from the last round's."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import NotYours
from models.accounts.account import Officer, Role
from models.audit import event_chain
from models.base.errors import DomainError
from models.certification.certificate import Status
from models.certification.remark import Remark, RemarkKind, add_remark, recorded_of, remark_text
from models.certification.review import Review, RosterChanged, review
from models.organizations.organization import lock_organization
from models.register.comparison import numbers
from models.rounds.round import require_open_round


class NothingToExplain(DomainError):
    """No explanation is needed: the differences are below the threshold, are explained, or are certified."""


async def require_explainable(session: AsyncSession, officer: Officer, *, difference_percent: int) -> Review:
    """Check that the officer's organization has differences to explain, and return its review.

    Called before the officer types. Raises NotYours if the officer is not of an organization, NoOpenRound,
    NoRoster, NothingToExplain.
    """
    code = officer.account.organization_code
    if officer.account.role is not Role.LAO or code is None:
        raise NotYours
    await require_open_round(session)
    current_review = await review(session, officer, code)
    if current_review.status is not Status.UNCERTIFIED or not current_review.lacks_explanation(difference_percent):
        raise NothingToExplain
    return current_review


async def explain(
    session: AsyncSession, officer: Officer, about: str, typed: str, now: datetime, *, difference_percent: int
) -> Remark:
    """Store an explanation of the headcount that the officer has seen.

    `about` is that headcount as `numbers` in models/register/comparison.py formats it. Raises RosterChanged if the
    register has other numbers now, RemarkRefused for the text, NotYours, NoOpenRound, NoRoster, NothingToExplain.
    """
    body = remark_text(typed)
    if officer.account.organization_code is None:
        raise NotYours
    await lock_organization(session, officer.account.organization_code)
    current_review = await require_explainable(session, officer, difference_percent=difference_percent)
    if numbers(current_review.roster.headcount) != about:
        raise RosterChanged(current_review)
    assert current_review.round is not None  # noqa: S101 - one is open
    explanation = await add_remark(
        session,
        officer,
        now,
        organization_code=current_review.organization.dla_code,
        round_id=current_review.round.id,
        revision=current_review.revision,
        kind=RemarkKind.EXPLANATION,
        body=body,
        about=about,
    )
    await event_chain.record(
        session,
        event_chain.Event.EXPLAINED,
        explanation.organization_code,
        now,
        explanation=explanation.id,
        officer=officer.id,
        about=about,
        body=body,
        **recorded_of(session, explanation),
    )
    return explanation
