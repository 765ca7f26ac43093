"""Disputed links: an officer ends a colleague's new link that none of the account's officers recognizes.

Anyone with an account's password can link a chat to it. The officers linked before are notified, and each of them
can end the new link. An officer cannot end an older link, so that a thief cannot unlink the rightful officers.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.access import NotYours
from models.accounts.account import Account, Officer
from models.audit import event_chain
from models.links.link import unlink_officer
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import Organization

# How long the list of an account's chats offers to end a new link. Later only the announcement offers it.
NEW = timedelta(days=7)
_BY_COLLEAGUE = "colleague "


@dataclass(frozen=True)
class Dispute:
    """A link that a colleague ended. `colleague` is None when no event names one."""

    officer: Officer
    colleague: Officer | None


async def load_officer(session: AsyncSession, officer_id: int) -> Officer | None:
    """Return an officer by id, linked or not, with account, organization and province, for a notice about the
    officer.

    Returns None for an unknown id.
    """
    return await session.scalar(
        select(Officer)
        .where(Officer.id == officer_id)
        .options(
            joinedload(Officer.account).joinedload(Account.organization).joinedload(Organization.province),
            joinedload(Officer.account).joinedload(Account.province),
        )
    )


async def new_links(session: AsyncSession, actor: Officer, officers: list[Officer], now: datetime) -> set[int]:
    """Return the ids of those of `officers` whose links are younger than NEW and which `actor` can end."""
    recent_ids = [officer.id for officer in officers if officer.id > actor.id and now - officer.linked_at < NEW]
    return await outbox.told(session, NoticeKind.LINKED, actor.user_id, recent_ids)


async def can_end(session: AsyncSession, actor: Officer, officer: Officer) -> bool:
    """Whether `actor` can end another officer's link: of the same account, newer, and announced to `actor`."""
    if officer.account_id != actor.account_id or officer.id <= actor.id:
        return False
    return bool(await outbox.told(session, NoticeKind.LINKED, actor.user_id, [officer.id]))


async def end_disputed_link(
    session: AsyncSession, actor: Officer, officer_id: int, now: datetime, operator_chat: int | None
) -> tuple[Officer, bool]:
    """End a colleague's link because `actor` does not recognize it, and notify the operator if `operator_chat` is
    set.

    Returns the officer of that link and whether this call ended it; False when it had already ended. Raises
    NotYours for a link of another account, an older link, and a link that was not announced to the actor.
    """
    officer = await load_officer(session, officer_id)
    if officer is None or not await can_end(session, actor, officer):
        raise NotYours
    ended = await unlink_officer(session, officer, now, by=f"{_BY_COLLEAGUE}{actor.id}")
    if ended and operator_chat is not None:
        outbox.enqueue(session, NoticeKind.LINK_DISPUTED, operator_chat, officer.id, now)
        await session.flush()
    return officer, ended


async def load_dispute(session: AsyncSession, officer_id: int) -> Dispute | None:
    """Return a disputed link with the colleague who ended it, from the audit events; None for an unknown
    officer.
    """
    officer = await load_officer(session, officer_id)
    if officer is None:
        return None
    ends = await session.scalars(
        select(event_chain.AuditEvent.details)
        .where(
            event_chain.AuditEvent.chain == officer.account.unit,
            event_chain.AuditEvent.kind == event_chain.Event.UNLINKED,
        )
        .order_by(event_chain.AuditEvent.number.desc())
    )
    for details in map(json.loads, ends):
        if details["officer"] == officer_id and details["by"].startswith(_BY_COLLEAGUE):
            return Dispute(officer, await load_officer(session, int(details["by"].removeprefix(_BY_COLLEAGUE))))
    return Dispute(officer, None)
