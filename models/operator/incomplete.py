"""Organizations that cannot certify yet because they lack a roster, an account or an officer."""

import enum
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.account import Account, organizations_with_officers
from models.organizations.organization import Organization, has_ended
from models.register.roster import Roster


class Lack(enum.StrEnum):
    """What an organization lacks."""

    # No register was ever imported.
    NO_ROSTER = "no_roster"
    NO_ACCOUNT = "no_account"
    # All its accounts are disabled.
    ACCOUNT_DISABLED = "account_disabled"
    # No linked officer has a name, a position and a PIN.
    NO_OFFICER = "no_officer"


@dataclass(frozen=True)
class Incomplete:
    """An organization, with its province loaded, and everything that it lacks."""

    organization: Organization
    lacks: tuple[Lack, ...]


async def list_incomplete(session: AsyncSession, province_code: str | None = None) -> list[Incomplete]:
    """Return the organizations, of all provinces or one, that have not ended and lack something.

    They are sorted by province and name.
    """
    accounts = select(Account.organization_code).where(Account.organization_code.is_not(None))
    facts = (
        _is_among(select(Roster.organization_code)),
        _is_among(accounts),
        _is_among(accounts.where(Account.disabled_at.is_(None))),
        _is_among(organizations_with_officers()),
    )
    statement = (
        select(Organization, *facts)
        .where(~has_ended(Organization.dla_code))
        .options(joinedload(Organization.province))
        .order_by(Organization.province_code, Organization.sort_key)
    )
    if province_code is not None:
        statement = statement.where(Organization.province_code == province_code)
    candidates = [
        Incomplete(organization, _lacks(*has)) for organization, *has in await session.execute(statement)
    ]
    return [candidate for candidate in candidates if candidate.lacks]


def _is_among(codes: Select[str] | Select[str | None]) -> ColumnElement[bool]:
    return Organization.dla_code.in_(codes)


def _lacks(roster: bool, account: bool, enabled_account: bool, officer: bool) -> tuple[Lack, ...]:
    has = {
        Lack.NO_ROSTER: roster,
        Lack.NO_ACCOUNT: account,
        Lack.ACCOUNT_DISABLED: enabled_account or not account,
        Lack.NO_OFFICER: officer,
    }
    return tuple(lack for lack, is_there in has.items() if not is_there)
