"""A new link that is nobody's of an account's own: a colleague who was told of it ends it at once.

Whoever has the password of an account can link a chat to it. The officers who were there before are told, and any
of them can end the new link; a newer link ends no older one, so that a thief does not put the rightful out.
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

# For so long the list of an account's chats offers to end a new link; after it, the announcement does.
NEW = timedelta(days=7)
_BY_COLLEAGUE = "colleague "


@dataclass(frozen=True)
class Dispute:
    """A link that a colleague has ended. `colleague` is None where the record does not name it."""

    officer: Officer
    colleague: Officer | None


async def load_officer(session: AsyncSession, officer_id: int) -> Officer | None:
    """Any officer, its link ended or not, with account, organization and province, for a notice about it."""
    return await session.scalar(
        select(Officer)
        .where(Officer.id == officer_id)
        .options(
            joinedload(Officer.account).joinedload(Account.organization).joinedload(Organization.province),
            joinedload(Officer.account).joinedload(Account.province),
        )
    )


async def new_links(session: AsyncSession, actor: Officer, officers: list[Officer], now: datetime) -> set[int]:
    """Those of its account's officers whose links began lately, and which `actor` can end."""
    lately = [one.id for one in officers if one.id > actor.id and now - one.linked_at < NEW]
    return await outbox.told(session, NoticeKind.LINKED, actor.user_id, lately)


async def can_end(session: AsyncSession, actor: Officer, officer: Officer) -> bool:
    """Whether `actor` can end the link of another officer of its account: a newer one, of which it was told."""
    if officer.account_id != actor.account_id or officer.id <= actor.id:
        return False
    return bool(await outbox.told(session, NoticeKind.LINKED, actor.user_id, [officer.id]))


async def end_disputed_link(
    session: AsyncSession, actor: Officer, officer_id: int, now: datetime, operator_chat: int | None
) -> tuple[Officer, bool]:
    """`actor` says that a link which it was told of is nobody's of theirs: it ends now, and the operator is told.

    The officer of that link, and whether it ended by this; False when it had ended already. Raises NotYours for a
    link of another account, an older one, and one that the actor was not told of.
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
    """Who ended which link, for the operator; the record knows who it was."""
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
