"""Which organizations an officer may see (procedure: an LAO its own, a province those of its province)."""

from functools import cache

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.account import Account, Officer, Role
from models.base.errors import DomainError
from models.organizations.organization import Organization


class NotYours(DomainError):
    """The officer's account has no right to this organization or act."""


def require_sight(account: Account, organization: Organization) -> None:
    """An organization is seen by its own officers and its province's. Raises NotYours."""
    if account.role is Role.LAO and account.organization_code == organization.dla_code:
        return
    if account.role is Role.PROVINCE and account.province_code == organization.province_code:
        return
    raise NotYours


async def find_organization(session: AsyncSession, officer: Officer, dla_code: str) -> Organization:
    """An organization that the officer may see. Raises NotYours, also for an unknown code."""
    own = officer.account.organization
    if own is not None and own.dla_code == dla_code:
        return own
    found = await session.scalar(_organization(), {"code": dla_code})
    if found is None:
        raise NotYours
    require_sight(officer.account, found)
    return found


@cache
def _organization() -> Select[Organization]:
    return (
        select(Organization)
        .where(Organization.dla_code == bindparam("code"))
        .options(joinedload(Organization.province))
    )
