"""Which organizations an officer may see (procedure: an LAO its own, a province those of its province)."""

from functools import cache

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.account import Account, Officer, Role
from models.audit.row_seal import require_good_seal
from models.base.errors import DomainError
from models.organizations.organization import Organization


class NotYours(DomainError):
    """The officer's account has no right to this organization or act."""


async def require_sight(session: AsyncSession, account: Account, organization: Organization) -> None:
    """Check that an account may see an organization: an LAO its own, a province those in it.

    Raises NotYours, and BadSeal when the organization's row, which names its province, was changed without the
    secret key.
    """
    is_own = account.role is Role.LAO and account.organization_code == organization.dla_code
    is_of_province = account.role is Role.PROVINCE and account.province_code == organization.province_code
    if not (is_own or is_of_province):
        raise NotYours
    await require_good_seal(session, organization)


async def find_organization(session: AsyncSession, officer: Officer, dla_code: str) -> Organization:
    """Return the organization with this code, with its province loaded.

    Raises NotYours when the officer may not see it or the code is unknown, and BadSeal as require_sight does.
    """
    own = officer.account.organization
    if own is not None and own.dla_code == dla_code:
        organization: Organization | None = own
    else:
        organization = await session.scalar(_organization(), {"code": dla_code})
    if organization is None:
        raise NotYours
    await require_sight(session, officer.account, organization)
    return organization


@cache
def _organization() -> Select[Organization]:
    return (
        select(Organization)
        .where(Organization.dla_code == bindparam("code"))
        .options(joinedload(Organization.province))
    )
