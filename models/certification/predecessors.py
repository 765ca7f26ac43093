"""An organization's predecessors, and the numbers of an earlier round with which its own are compared."""

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
    """The end of an organization, and its successor; `founds` if the successor was newly founded from it."""

    dla_code: str
    successor: str
    founds: bool
    ended_at: datetime


@dataclass(frozen=True)
class Previous:
    """The numbers of the newest earlier round, with which a register is compared, and its fiscal year."""

    headcount: Headcount
    fiscal_year: int


def previous_numbers(
    dla_code: str, descents: Sequence[Descent], certificates: Sequence[Certification], round_id: int
) -> Previous | None:
    """Return the certified numbers of the newest round before `round_id` in which the organization or a
    predecessor certified.

    The numbers of predecessors are added. Returns None when there is no such round, or one of them did not certify
    in it. `certificates` are the live ones of all of them, with their rounds loaded.
    """
    earlier = [certification for certification in certificates if certification.round_id < round_id]
    newest = max(earlier, key=lambda certification: certification.round_id, default=None)
    if newest is None:
        return None
    of_round = [certification for certification in earlier if certification.round_id == newest.round_id]
    headcount = _numbers(dla_code, descents, of_round)
    return None if headcount is None else Previous(headcount, newest.round.fiscal_year)


def _numbers(
    dla_code: str, descents: Sequence[Descent], certificates: Sequence[Certification]
) -> Headcount | None:
    """Return an organization's numbers plus those of predecessors that ended after it certified; None if one is
    missing.
    """
    own = max(
        (certification for certification in certificates if certification.organization_code == dla_code),
        key=lambda certification: (certification.revision, certification.level is Level.PROVINCE),
        default=None,
    )
    taken_in = [
        descent
        for descent in descents
        if descent.successor == dla_code and (own is None or descent.ended_at > own.certified_at)
    ]
    if own is None and not any(descent.founds for descent in taken_in):
        return None
    parts = [] if own is None else [own.headcount]
    for descent in taken_in:
        part = _numbers(descent.dla_code, descents, certificates)
        if part is None:
            return None
        parts.append(part)
    return Headcount(
        sum(part.officials for part in parts),
        sum(part.permanent_employees for part in parts),
        sum(part.contract_employees for part in parts),
    )


def _family() -> CTE:
    """A recursive query for the organization `:code` and its predecessors, each with successor and end.

    These columns are null for the organization itself.
    """
    end = OrganizationEnd
    # PostgreSQL requires the same column types in both parts of the union.
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
    """Select the organization `:code` and its predecessors with their live certificates of all rounds.

    Each row has code, successor, `founds_successor`, `ended_at`, a certificate, and the spot-check of its
    revision. An organization without a certificate has one row.
    """
    family = _family()
    code, successor, founds, ended_at = family.c
    is_of_member = (Certification.organization_code == code) & is_live(Certification)
    return (
        select(code, successor, founds, ended_at, Certification, SpotCheck)
        .select_from(family)
        .outerjoin(Certification, is_of_member)
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
    """Select the codes of the organization `:code` and all its predecessors."""
    return select(_family().c[0])


async def require_certificate_sight(session: AsyncSession, account: Account, certification: Certification) -> None:
    """Check that an account may see a certificate's organization, which must be loaded, or one of its successors.

    Raises NotYours.
    """
    organization: Organization | None = certification.organization
    while organization is not None:
        try:
            await require_sight(session, account, organization)
        except NotYours:
            end = await find_end(session, organization.dla_code)
            organization = end.successor if end else None
        else:
            return
    raise NotYours
