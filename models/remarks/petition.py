"""Petitions for a correction, the operator's decisions on them, and the lookup of one remark of any kind.

The source procedure has no way back after a certification: petitions, decisions and reopenings are this project's
addition.
"""

from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

from models.accounts.access import NotYours, require_sight
from models.accounts.account import Account, Officer, Role, officers_concerned
from models.audit import event_chain
from models.base.errors import DomainError
from models.certification.certificate import Certification, is_live
from models.certification.certify import reopen
from models.certification.remark import (
    Remark,
    RemarkKind,
    add_remark,
    operator_name,
    operator_reason,
    recorded_of,
    remark_text,
)
from models.certification.review import live_certificates
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import Organization, has_ended, lock_organization
from models.rounds.round import Round, current_round


class NotLocked(DomainError):
    """The register is not locked, so there is nothing to petition for."""


class PetitionPending(DomainError):
    """The side (the organization or its province) already has an undecided petition; each may have one."""


class UnknownPetition(DomainError):
    """No undecided petition has this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no open petition {number}; see: laocert petitions")


# Loads everything that a notice about a remark mentions.
_WITH_RELATIONS = (
    joinedload(Remark.organization).joinedload(Organization.province),
    joinedload(Remark.round),
    joinedload(Remark.officer).joinedload(Officer.account),
)


async def require_petitionable(session: AsyncSession, officer: Officer) -> None:
    """Check that the officer's organization may petition. Called before the officer types.

    Raises NotYours if the officer is not of an organization, NotLocked, PetitionPending.
    """
    code = officer.account.organization_code
    if officer.account.role is not Role.LAO or code is None:
        raise NotYours
    if not await live_certificates(session, code, await current_round(session)):
        raise NotLocked
    if await open_petition(session, code, Role.LAO):
        raise PetitionPending


async def petition(
    session: AsyncSession, officer: Officer, typed: str, now: datetime, operator_chat: int | None
) -> Remark:
    """Store the petition of an organization whose register is locked. The petition itself unlocks nothing.

    Notifies the province's officers and the operator's chat. Raises NotYours, NotLocked, PetitionPending;
    RemarkRefused for the text.
    """
    body = remark_text(typed)
    code = officer.account.organization_code
    if code is None:
        raise NotYours
    organization = await lock_organization(session, code)
    await require_petitionable(session, officer)
    certificate = next(iter((await live_certificates(session, code, await current_round(session))).values()))
    recipients = await officers_concerned(session, organization, Role.PROVINCE)
    return await _petition(session, officer, certificate, body, now, recipients, operator_chat)


async def petition_of_province(
    session: AsyncSession,
    officer: Officer,
    organization: Organization,
    certificate: Certification,
    body: str,
    now: datetime,
    operator_chat: int | None,
) -> Remark:
    """Store a province's petition to reopen an organization after a spot-check.

    The caller (models/spot_checks/spot_checking.py) has checked the officer's rights and locked the organization's
    row. Notifies the organization's officers, the province's other officers and the operator's chat. Raises
    PetitionPending.
    """
    if await open_petition(session, organization.dla_code, Role.PROVINCE):
        raise PetitionPending
    concerned = await officers_concerned(session, organization, Role.LAO, Role.PROVINCE)
    recipients = [colleague for colleague in concerned if colleague.id != officer.id]
    return await _petition(session, officer, certificate, body, now, recipients, operator_chat)


async def _petition(
    session: AsyncSession,
    officer: Officer,
    certificate: Certification,
    body: str,
    now: datetime,
    recipients: list[Officer],
    operator_chat: int | None,
) -> Remark:
    petition_ = await add_remark(
        session,
        officer,
        now,
        organization_code=certificate.organization_code,
        round_id=certificate.round_id,
        revision=certificate.revision,
        kind=RemarkKind.PETITION,
        body=body,
    )
    await event_chain.record(
        session,
        event_chain.Event.PETITIONED,
        petition_.organization_code,
        now,
        petition=petition_.id,
        officer=officer.id,
        body=body,
        **recorded_of(session, petition_),
    )
    chats = {recipient.user_id for recipient in recipients} | ({operator_chat} if operator_chat else set())
    await outbox.enqueue_each(session, NoticeKind.PETITIONED, sorted(chats), petition_.id, now)
    return petition_


def _open_petitions() -> Select[Remark]:
    """Select the undecided petitions, except those whose revision, round or organization has ended."""
    decision = aliased(Remark)
    return (
        select(Remark)
        .outerjoin(decision, decision.answers_id == Remark.id)
        .where(
            Remark.kind == RemarkKind.PETITION,
            Remark.round_id == select(func.max(Round.id)).scalar_subquery(),
            decision.id.is_(None),
            is_live(Remark),
            ~has_ended(Remark.organization_code),
        )
    )


async def open_petition(session: AsyncSession, dla_code: str, side: Role) -> Remark | None:
    """Return the undecided petition about an organization by one side (itself or its province); None if none."""
    return await session.scalar(
        _open_petitions()
        .join(Officer, Officer.id == Remark.officer_id)
        .join(Account, Account.id == Officer.account_id)
        .where(Remark.organization_code == dla_code, Account.role == side)
    )


async def list_petitions(session: AsyncSession) -> list[Remark]:
    """Return all undecided petitions, oldest first, with organization, province, round and officer loaded."""
    petitions = await session.scalars(_open_petitions().options(*_WITH_RELATIONS).order_by(Remark.id))
    return list(petitions)


async def count_petitions(session: AsyncSession) -> int:
    """Count the undecided petitions."""
    return await session.scalar(select(func.count()).select_from(_open_petitions().subquery())) or 0


async def decide(
    session: AsyncSession, number: int, *, granted: bool, by: str, reason: str, now: datetime
) -> Remark:
    """Store the operator's decision on petition `number`. Granting it reopens the organization.

    `by` is the operator's name. Notifies the officers of both sides. Raises UnknownPetition, OperatorRefused for
    the name, RemarkRefused for the reason, and whatever `reopen` raises.
    """
    by = operator_name(by)
    petition_ = await session.scalar(_open_petitions().where(Remark.id == number))
    if petition_ is None:
        raise UnknownPetition(number)
    organization = await lock_organization(session, petition_.organization_code)
    # It may have been decided, or its revision may have ended, while this transaction waited for the lock.
    if await session.scalar(_open_petitions().where(Remark.id == number)) is None:
        raise UnknownPetition(number)
    decision = Remark(
        organization_code=petition_.organization_code,
        round_id=petition_.round_id,
        revision=petition_.revision,
        kind=RemarkKind.DECISION,
        body=operator_reason(reason),
        author=by,
        answers_id=petition_.id,
        granted=granted,
        made_at=now,
    )
    session.add(decision)
    await session.flush()
    await event_chain.record(
        session,
        event_chain.Event.DECIDED,
        petition_.organization_code,
        now,
        decision=decision.id,
        petition=petition_.id,
        granted=granted,
        by=by,
        reason=decision.body,
        **recorded_of(session, decision),
    )
    if granted:
        await reopen(session, petition_.organization_code, by, decision.body, now)
    else:
        concerned = await officers_concerned(session, organization, Role.LAO, Role.PROVINCE)
        chats = [recipient.user_id for recipient in concerned]
        await outbox.enqueue_each(session, NoticeKind.PETITION_REFUSED, chats, decision.id, now)
    return decision


async def find_remark(session: AsyncSession, officer: Officer, remark_id: int) -> Remark:
    """Return a remark by its id. Raises NotYours if it is unknown or the officer may not see its organization."""
    remark = await session.scalar(_with_organization(remark_id))
    if remark is None:
        raise NotYours
    await require_sight(session, officer.account, remark.organization)
    return remark


async def load_remark(session: AsyncSession, remark_id: int) -> Remark:
    """Return a remark by its id, with its organization, province, round and officer loaded.

    Raises NoResultFound if it is unknown.
    """
    return (await session.scalars(_with_organization(remark_id))).one()


def _with_organization(remark_id: int) -> Select[Remark]:
    return select(Remark).where(Remark.id == remark_id).options(*_WITH_RELATIONS)
