"""An organization says why its numbers differ from the last round's, before it certifies them."""

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
    """The numbers are within the share, are explained, or are certified."""


async def require_explainable(session: AsyncSession, officer: Officer, *, difference_percent: int) -> Review:
    """Refuse before anything is typed; the numbers to be explained.

    Raises NotYours, NoOpenRound, NoRoster, NothingToExplain.
    """
    code = officer.account.organization_code
    if officer.account.role is not Role.LAO or code is None:
        raise NotYours
    await require_open_round(session)
    shown = await review(session, officer, code)
    if shown.status is not Status.UNCERTIFIED or not shown.lacks_explanation(difference_percent):
        raise NothingToExplain
    return shown


async def explain(
    session: AsyncSession, officer: Officer, about: str, typed: str, now: datetime, *, difference_percent: int
) -> Remark:
    """Keep an explanation of the numbers `about` (models/register/comparison.py, numbers), which the officer has
    seen.

    Raises NotYours, NoOpenRound, NoRoster, NothingToExplain, RemarkRefused; RosterChanged for other numbers.
    """
    body = remark_text(typed)
    if officer.account.organization_code is None:
        raise NotYours
    await lock_organization(session, officer.account.organization_code)
    shown = await require_explainable(session, officer, difference_percent=difference_percent)
    if numbers(shown.roster.headcount) != about:
        raise RosterChanged(shown)
    assert shown.round is not None  # noqa: S101 - one is open
    made = await add_remark(
        session,
        officer,
        now,
        organization_code=shown.organization.dla_code,
        round_id=shown.round.id,
        revision=shown.revision,
        kind=RemarkKind.EXPLANATION,
        body=body,
        about=about,
    )
    await event_chain.record(
        session,
        event_chain.Event.EXPLAINED,
        made.organization_code,
        now,
        explanation=made.id,
        officer=officer.id,
        about=about,
        body=body,
        **recorded_of(session, made),
    )
    return made
