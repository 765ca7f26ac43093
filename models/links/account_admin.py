"""The operator's commands for accounts: set passwords, list, disable, enable, and end links."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer, Role, find_account, linked_officers, record_change
from models.base.errors import DomainError
from models.links.invitation import end_invitations
from models.links.link import disable_account, unlink_officer
from models.organizations.organization import Organization, Province, full_name, require_going_on

# NIST SP 800-63B, 3.1.1.2: at least 8 characters. The upper bound limits the time of one hash.
MIN_PASSWORD = 8
MAX_PASSWORD = 128

# Without characters that are misheard over the telephone or look alike on a small screen.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 4, 4


class PasswordRefused(DomainError):
    """A password breaks a rule; `what` says which and `mend` how to fix it, without the password itself."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"the password {what}; {mend}")
        self.what = what
        self.mend = mend


class UnknownLink(DomainError):
    """The account has no active link with this number."""

    def __init__(self, username: str, officer_id: int) -> None:
        super().__init__(
            f"{username} has no linked chat of officer {officer_id}; see: laocert account links {username}"
        )


@dataclass(frozen=True)
class ListedAccount:
    """One line of the list of accounts. `links` is the number of chats currently linked."""

    username: str
    role: Role
    unit: str
    unit_name: str
    province_code: str
    display_name: str
    links: int
    by_invitation_only: bool
    disabled_at: datetime | None


def require_good_password(password: str) -> None:
    """Raise PasswordRefused for a password that is too short or too long, or that a chat would alter.

    Altered are passwords with a blank at either end or with unprintable characters.
    """
    if len(password) < MIN_PASSWORD:
        raise PasswordRefused(f"has {len(password)} characters", f"give at least {MIN_PASSWORD}")
    if len(password) > MAX_PASSWORD:
        raise PasswordRefused(f"has {len(password)} characters", f"give at most {MAX_PASSWORD}")
    if password != password.strip() or not password.isprintable():
        # Telegram strips blanks from both ends of a message.
        raise PasswordRefused("begins or ends with a blank or holds an invisible sign", "take it out")


def generate_password() -> str:
    """Return a random password that is easy to read aloud or type from paper: four groups of four, about 79
    bits.
    """
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))


async def list_accounts(session: AsyncSession, province_code: str | None = None) -> list[ListedAccount]:
    """Return the accounts of all provinces, or of the one with `province_code`.

    They are sorted by province: first the province's own accounts, then its organizations' in Thai dictionary
    order.
    """
    links = (
        select(Officer.account_id, func.count().label("links"))
        .where(Officer.unlinked_at.is_(None))
        .group_by(Officer.account_id)
        .subquery()
    )
    province_of = func.coalesce(Account.province_code, Organization.province_code)
    statement = (
        select(Account, Organization, Province, links.c.links)
        .outerjoin(Organization, Organization.dla_code == Account.organization_code)
        .join(Province, Province.code == province_of)
        .outerjoin(links, links.c.account_id == Account.id)
        .order_by(Province.code, Account.role.desc(), Organization.sort_key, Account.username)
    )
    if province_code is not None:
        statement = statement.where(
            or_(Account.province_code == province_code, Organization.province_code == province_code)
        )
    return [
        ListedAccount(
            username=account.username,
            role=account.role,
            unit=account.unit,
            unit_name=province.name_th
            if organization is None
            else full_name(organization.type_code, organization.type_th, organization.name_th),
            province_code=province.code,
            display_name=account.display_name,
            links=count or 0,
            by_invitation_only=account.password_hash is None,
            disabled_at=account.disabled_at,
        )
        for account, organization, province, count in await session.execute(statement)
    ]


async def disable(session: AsyncSession, username: str, now: datetime) -> int:
    """Disable an account, and end its links and its unused invitations. Returns the number of links ended.

    Raises UnknownAccount.
    """
    account = await find_account(session, username)
    ended = await disable_account(session, account, now)
    await end_invitations(session, account, now)
    return ended


async def enable_account(session: AsyncSession, username: str, now: datetime) -> bool:
    """Let a disabled account log in again; its chats must be linked again. Returns False when it was not disabled.

    Raises UnknownAccount, and OrganizationEnded when its organization has ended.
    """
    account = await find_account(session, username)
    if account.organization_code is not None:
        await require_going_on(session, account.organization_code)
    was_disabled = account.disabled_at is not None
    account.disabled_at = None
    await record_change(session, account, "enabled", now)
    return was_disabled


async def set_password_hash(session: AsyncSession, username: str, password_hash: str, now: datetime) -> None:
    """Replace an account's password hash and record it; linked chats stay linked. Raises UnknownAccount."""
    account = await find_account(session, username)
    account.password_hash = password_hash
    await record_change(session, account, "password", now)


async def account_links(session: AsyncSession, username: str, *, hold: bool = False) -> list[Officer]:
    """Return the officers currently linked to an account, in order of linking; `hold` locks their rows.

    Raises UnknownAccount.
    """
    account = await find_account(session, username)
    return await linked_officers(session, [account.id], hold=hold)


async def all_links(session: AsyncSession, username: str) -> list[Officer]:
    """Return all officers who are or were linked to an account, in order of linking. Raises UnknownAccount."""
    account = await find_account(session, username)
    return list(
        await session.scalars(select(Officer).where(Officer.account_id == account.id).order_by(Officer.id))
    )


async def unlink(session: AsyncSession, username: str, officer_id: int | None, now: datetime) -> list[Officer]:
    """End the link of one officer of an account, or all its links when `officer_id` is None.

    Returns the officers whose links were ended now. Raises UnknownAccount, and UnknownLink when the account has no
    active link of this officer.
    """
    officers = await account_links(session, username, hold=True)
    if officer_id is not None:
        officers = [officer for officer in officers if officer.id == officer_id]
        if not officers:
            raise UnknownLink(username, officer_id)
    return [officer for officer in officers if await unlink_officer(session, officer, now, by="operator")]
