"""What ends with an organization: all that waits for it or its officers. Its certificates, register, history and
answered remarks stay as they are.
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

# Why a notice about an organization's business is not sent any more.
ENDED = "the organization has ended"
# What an organization's officer types about its business.
_OWN_WORDS = (Awaiting.PETITION, Awaiting.EXPLANATION, Awaiting.ANSWER)


@dataclass(frozen=True)
class People:
    """The accounts of organizations and the officers who are linked to them, their rows held."""

    accounts: list[Account]
    officers: list[Officer]

    def of(self, dla_code: str) -> "People":
        """Those of one of the organizations."""
        accounts = [account for account in self.accounts if account.organization_code == dla_code]
        ids = {account.id for account in accounts}
        return People(accounts, [officer for officer in self.officers if officer.account_id in ids])


async def hold_people(session: AsyncSession, codes: Collection[str], usernames: Collection[str] = ()) -> People:
    """The accounts of the organizations, and those with these usernames. In the order of a press that certifies:
    keypads, officers, then the organizations, which the caller locks.
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
    """End confirmations, keypads, texts that are typed, files that wait, invitations, and notices that were not
    sent yet. Spot-checks, petitions and questions end with the organization's row: nobody goes on with them.

    Its row is held; so are `people`, its own.
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
    """A condition on keypads: opened to certify one of the organizations."""
    nonces = select(Confirmation.nonce).where(
        Confirmation.organization_code.in_(codes), Confirmation.used_at.is_(None)
    )
    return and_(Keypad.purpose == Purpose.CONFIRM, Keypad.subject.in_(nonces))


async def _stop_typing(session: AsyncSession, organization: Organization, people: People) -> None:
    """A text about the organization is awaited no more: of its own officers, and of its province's, whose subject
    names it.
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
    """Refuse the accounts from now on and end their links; those that are disabled already stay so."""
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
    """Insert the row that ends an organization, which locks its register for ever, and the last event of its
    chain.
    """
    code = organization.dla_code
    newest = await current_round(session)
    # Not before the end of a round that a clock which was ahead has closed: that round counts the organization.
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
