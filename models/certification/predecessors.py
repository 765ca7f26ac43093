"""From which organizations one has come, and which numbers of theirs it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import CTE, Select, bindparam, cast, null, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.access import NotYours, require_sight
from models.accounts.account import Account
from models.certification.certificate import Certification, Level, is_live
from models.certification.spot_check import SpotCheck
from models.organizations.organization import Organization, OrganizationEnd, find_end
from models.register.roster import Headcount


@dataclass(frozen=True)
class Descent:
    """That an organization ended at a moment and went on as a successor, which it may have founded."""

    dla_code: str
    successor: str
    founds: bool
    ended_at: datetime


@dataclass(frozen=True)
class Previous:
    """What is compared with: the numbers of the newest earlier round, and its fiscal year."""

    headcount: Headcount
    fiscal_year: int


def previous_numbers(
    dla_code: str, descents: Sequence[Descent], certificates: Sequence[Certification], round_id: int
) -> Previous | None:
    """What was certified in the newest round before `round_id` in which the organization or any that it has come
    from certified. Their numbers are added up; None where one of them did not certify in that round.

    `certificates` are the live ones of all of them, with their rounds.
    """
    earlier = [made for made in certificates if made.round_id < round_id]
    newest = max(earlier, key=lambda made: made.round_id, default=None)
    if newest is None:
        return None
    of_round = [made for made in earlier if made.round_id == newest.round_id]
    headcount = _numbers(dla_code, descents, of_round)
    return None if headcount is None else Previous(headcount, newest.round.fiscal_year)


def _numbers(
    dla_code: str, descents: Sequence[Descent], certificates: Sequence[Certification]
) -> Headcount | None:
    """The numbers of an organization as it goes on: its own, and those of others that it has taken in since."""
    own = max(
        (made for made in certificates if made.organization_code == dla_code),
        key=lambda made: (made.revision, made.level is Level.PROVINCE),
        default=None,
    )
    came = [
        one for one in descents if one.successor == dla_code and (own is None or one.ended_at > own.certified_at)
    ]
    if own is None and not any(one.founds for one in came):
        return None
    parts = [] if own is None else [own.headcount]
    for one in came:
        part = _numbers(one.dla_code, descents, certificates)
        if part is None:
            return None
        parts.append(part)
    return Headcount(
        sum(part.officials for part in parts),
        sum(part.permanent_employees for part in parts),
        sum(part.contract_employees for part in parts),
    )


def _family() -> CTE:
    """The organization `code`, and all from which it has come, each with how it went on; of itself there is
    nothing of that.
    """
    end = OrganizationEnd
    # PostgreSQL wants the types of both parts alike.
    columns = (end.successor_code, end.founds_successor, end.ended_at)
    nothing = (cast(null(), column.type).label(column.key) for column in columns)
    family = select(Organization.dla_code.label("code"), *nothing).where(
        Organization.dla_code == bindparam("code")
    )
    table = family.cte("family", recursive=True)
    predecessors = select(end.organization_code, end.successor_code, end.founds_successor, end.ended_at).join(
        table, end.successor_code == table.c.code
    )
    return table.union_all(predecessors)


@cache
def with_checks_of_family() -> Select[*tuple[Any, ...]]:
    """For each of the family of the organization `code`: how it went on, and its live certificates of all rounds,
    each with the spot-check of its revision. A row for one without a certificate, too.
    """
    family = _family()
    code, successor, founds, ended_at = family.c
    made = (Certification.organization_code == code) & is_live(Certification)
    return (
        select(code, successor, founds, ended_at, Certification, SpotCheck)
        .select_from(family)
        .outerjoin(Certification, made)
        .outerjoin(
            SpotCheck,
            (SpotCheck.organization_code == Certification.organization_code)
            & (SpotCheck.round_id == Certification.round_id)
            & (SpotCheck.revision == Certification.revision),
        )
        .options(joinedload(SpotCheck.items), joinedload(Certification.round))
        .execution_options(populate_existing=True)
    )


def family_codes() -> Select[str]:
    """The codes of the organization `code` and of all from which it has come."""
    return select(_family().c[0])


async def require_certificate_sight(session: AsyncSession, account: Account, made: Certification) -> None:
    """A certificate is seen by those who see its organization, or one that goes on from it. Its organization must
    be loaded. Raises NotYours.
    """
    organization: Organization | None = made.organization
    while organization is not None:
        try:
            await require_sight(session, account, organization)
        except NotYours:
            end = await find_end(session, organization.dla_code)
            organization = end.successor if end else None
        else:
            return
    raise NotYours
