"""What ends with an organization: everything that waits for it or its officers.

Its certificates, register, history and answered remarks stay as they are.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer, Role, linked_officers, officers_concerned
from models.accounts.pin import Keypad, Purpose, leave_keypad
from models.audit import event_chain
from models.certification.certificate import Certification, Reopening
from models.certification.certify import Confirmation
from models.certification.remark import Remark
from models.chats.conversation import Awaiting, Conversation
from models.links.invitation import end_invitations
from models.links.link import disable_account
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import EndKind, Organization, OrganizationEnd
from models.register.draft import RosterDraft
from models.register.roster import register_digest, register_origin
from models.rounds.round import current_round
from models.succession.decision import Decision

# The outbox error of notices that are dropped when an organization ends.
ENDED = "the organization has ended"
# The awaited texts by which an organization's officer speaks for it.
_OWN_WORDS = (Awaiting.PETITION, Awaiting.EXPLANATION, Awaiting.ANSWER)


@dataclass(frozen=True)
class People:
    """Accounts of organizations and the officers linked to them. Their rows are locked."""

    accounts: list[Account]
    officers: list[Officer]

    def of(self, dla_code: str) -> "People":
        """Return the accounts and officers of one organization."""
        accounts = [account for account in self.accounts if account.organization_code == dla_code]
        ids = {account.id for account in accounts}
        return People(accounts, [officer for officer in self.officers if officer.account_id in ids])


async def hold_people(session: AsyncSession, codes: Collection[str], usernames: Collection[str] = ()) -> People:
    """Lock and return the accounts of the organizations and those with these usernames, with their linked
    officers.

    Locks keypads first, then accounts and officers, as a certifying press does. The caller locks the organizations
    afterwards.
    """
    of_them = or_(Account.organization_code.in_(codes), Account.username.in_(usernames))
    users = select(Officer.user_id).join(Officer.account).where(of_them, Officer.unlinked_at.is_(None))
    keypads = or_(Keypad.user_id.in_(users), _confirms(codes))
    await session.execute(select(Keypad.user_id).where(keypads).order_by(Keypad.user_id).with_for_update())
    accounts = list(
        await session.scalars(
            select(Account)
            .where(of_them)
            .order_by(Account.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    officers = await linked_officers(session, [account.id for account in accounts], hold=True)
    return People(accounts, officers)


async def stop_waiting(session: AsyncSession, organization: Organization, people: People, now: datetime) -> None:
    """Delete an organization's open confirmations, keypads, awaited texts, drafts and invitations, and drop its
    unsent notices. Spot-checks, petitions and questions need no change: the row of the end closes them.

    The caller holds the locks on the organization's row and on `people`, its accounts and officers.
    """
    code = organization.dla_code
    await session.execute(delete(Keypad).where(_confirms([code])))
    await session.execute(
        delete(Confirmation).where(Confirmation.organization_code == code, Confirmation.used_at.is_(None))
    )
    for officer in people.officers:
        await leave_keypad(session, officer)
    await _stop_typing(session, organization, people)
    await session.execute(delete(RosterDraft).where(RosterDraft.organization_code == code))
    for account in people.accounts:
        await end_invitations(session, account, now)
    for rows, kinds in (
        (Certification, (NoticeKind.COLLEAGUE_CERTIFIED, NoticeKind.PROVINCE_CERTIFIED)),
        (Reopening, (NoticeKind.REOPENED,)),
        (
            Remark,
            (
                NoticeKind.PETITIONED,
                NoticeKind.PETITION_REFUSED,
                NoticeKind.QUESTIONED,
                NoticeKind.ANSWERED,
            ),
        ),
    ):
        subjects = select(rows.id).where(rows.organization_code == code)
        await outbox.drop_about(session, kinds, subjects, ENDED)


def _confirms(codes: Collection[str]) -> ColumnElement[bool]:
    """SQL condition on keypads: opened to certify one of the organizations."""
    nonces = select(Confirmation.nonce).where(
        Confirmation.organization_code.in_(codes), Confirmation.used_at.is_(None)
    )
    return and_(Keypad.purpose == Purpose.CONFIRM, Keypad.subject.in_(nonces))


async def _stop_typing(session: AsyncSession, organization: Organization, people: People) -> None:
    """Stop awaiting texts about the organization from its own officers, and from the province's officers whose
    conversation's subject names it.
    """
    province = await officers_concerned(session, organization, Role.PROVINCE)
    own = Conversation.chat_id.in_([officer.user_id for officer in people.officers])
    about_it = Conversation.chat_id.in_([officer.user_id for officer in province]) & Conversation.subject.contains(
        organization.dla_code, autoescape=True
    )
    await session.execute(
        update(Conversation)
        .where(or_(own & or_(Conversation.awaiting.in_(_OWN_WORDS), Conversation.draft.is_not(None)), about_it))
        .values(awaiting=Awaiting.NOTHING, subject=None, draft=None)
        .execution_options(synchronize_session=False)
    )


async def disable_accounts(session: AsyncSession, people: People, now: datetime) -> None:
    """Disable the accounts that are enabled, and end their links."""
    for account in people.accounts:
        if account.disabled_at is None:
            await disable_account(session, account, now)


async def end_organization(
    session: AsyncSession,
    organization: Organization,
    kind: EndKind,
    decision: Decision,
    now: datetime,
    *,
    successor: Organization | None = None,
    founds_successor: bool = False,
) -> OrganizationEnd:
    """Insert the row that ends an organization and permanently locks its register, and the last event of its audit
    chain. Returns the row.
    """
    code = organization.dla_code
    newest = await current_round(session)
    # Not before the newest round's closing, which a clock that was ahead may have stored: the organization belongs
    # to that round.
    moment = max(now, newest.closed_at or now) if newest else now
    end = OrganizationEnd(
        organization_code=code,
        successor_code=successor.dla_code if successor else None,
        founds_successor=founds_successor,
        kind=kind,
        effective_on=decision.effective_on,
        by_name=decision.by,
        reason=decision.reason,
        gazette=decision.gazette,
        ended_at=moment,
    )
    session.add(end)
    await session.flush()
    await event_chain.record(
        session,
        event_chain.Event.ENDED,
        code,
        moment,
        end=end.id,
        how=kind.value,
        successor=end.successor_code,
        founds_successor=founds_successor,
        roster_digest=await register_digest(session, code),
        roster_origin=await register_origin(session, code),
        by=decision.by,
        reason=decision.reason,
        gazette=decision.gazette,
        effective_on=decision.effective_on.isoformat(),
    )
    return end
