"""Closing: an organization ends without a successor."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer
from models.certification.certificate import Status
from models.certification.review import own_status
from models.notices import card_marks, outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import (
    EndKind,
    Organization,
    UnknownOrganization,
    lock_organization,
    require_going_on,
)
from models.succession.decision import Decision
from models.succession.ending import disable_accounts, end_organization, hold_people, stop_waiting


@dataclass(frozen=True)
class Closing:
    """What closing an organization ends: its status in the newest round, the number of its enabled accounts, and
    the number of chats linked to them.
    """

    dla_code: str
    name: str
    status: Status
    accounts: int
    chats: int


async def look_at_closing(session: AsyncSession, dla_code: str) -> Closing:
    """Return what closing would end now. Raises UnknownOrganization, OrganizationEnded."""
    organization = await session.get(Organization, dla_code)
    if organization is None:
        raise UnknownOrganization(dla_code)
    await require_going_on(session, dla_code)
    of_it = Account.organization_code == dla_code
    accounts = select(func.count()).where(of_it, Account.disabled_at.is_(None))
    chats = select(func.count(Officer.id)).join(Officer.account).where(of_it, Officer.unlinked_at.is_(None))
    _, status = await own_status(session, dla_code)
    return Closing(
        dla_code,
        organization.full_name,
        status,
        await session.scalar(accounts) or 0,
        await session.scalar(chats) or 0,
    )


async def close(session: AsyncSession, dla_code: str, decision: Decision, now: datetime) -> Closing:
    """End an organization without a successor: disable its accounts, end its officers' links, and notify them.

    The organization disappears from lists, counts and reminders of the open round. Returns what was ended. Raises
    UnknownOrganization, OrganizationEnded.
    """
    people = await hold_people(session, [dla_code])
    organization = await lock_organization(session, dla_code)
    closing = await look_at_closing(session, dla_code)
    chats = sorted(officer.user_id for officer in people.officers)
    await stop_waiting(session, organization, people, now)
    await disable_accounts(session, people, now)
    end = await end_organization(session, organization, EndKind.CLOSED, decision, now)
    await outbox.enqueue_each(session, NoticeKind.ORGANIZATION_ENDED, chats, end.id, now)
    await card_marks.touch(session, organization.province_code, now)
    return closing
