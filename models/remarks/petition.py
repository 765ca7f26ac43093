"""Petitions for a correction and the operator's decisions on them; and finding one remark of any kind.

The source procedure names no way back: petitions, decisions and reopenings are ours.
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
    """There is nothing to petition for: the register can be changed."""


class PetitionPending(DomainError):
    """The organization, or its province, has a petition that is not decided yet; one of each at a time."""


class UnknownPetition(DomainError):
    """There is no open petition with this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no open petition {number}; see: laocert petitions")


# All that is said of a remark besides itself.
_WITH_ALL = (
    joinedload(Remark.organization).joinedload(Organization.province),
    joinedload(Remark.round),
    joinedload(Remark.officer).joinedload(Officer.account),
)


async def require_petitionable(session: AsyncSession, officer: Officer) -> None:
    """Refuse before anything is typed. Raises NotYours, NotLocked, PetitionPending."""
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
    """A locked LAO asks for a correction, in its own words; nothing is unlocked by it.

    Its province's officers and the operator's chat are told. Raises NotYours, NotLocked, PetitionPending,
    RemarkRefused.
    """
    body = remark_text(typed)
    code = officer.account.organization_code
    if code is None:
        raise NotYours
    organization = await lock_organization(session, code)
    await require_petitionable(session, officer)
    certificate = next(iter((await live_certificates(session, code, await current_round(session))).values()))
    told = await officers_concerned(session, organization, Role.PROVINCE)
    return await _petition(session, officer, certificate, body, now, told, operator_chat)


async def petition_of_province(
    session: AsyncSession,
    officer: Officer,
    organization: Organization,
    certificate: Certification,
    body: str,
    now: datetime,
    operator_chat: int | None,
) -> Remark:
    """A province asks that an organization be opened for correction, after a spot-check
    (models/spot_checks/spot_checking.py, which looks at the rights and holds the organization's row).

    The organization's officers, the province's other officers and the operator's chat are told. Raises
    PetitionPending.
    """
    if await open_petition(session, organization.dla_code, Role.PROVINCE):
        raise PetitionPending
    concerned = await officers_concerned(session, organization, Role.LAO, Role.PROVINCE)
    told = [one for one in concerned if one.id != officer.id]
    return await _petition(session, officer, certificate, body, now, told, operator_chat)


async def _petition(
    session: AsyncSession,
    officer: Officer,
    certificate: Certification,
    body: str,
    now: datetime,
    told: list[Officer],
    operator_chat: int | None,
) -> Remark:
    made = await add_remark(
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
        made.organization_code,
        now,
        petition=made.id,
        officer=officer.id,
        body=body,
        **recorded_of(session, made),
    )
    chats = {one.user_id for one in told} | ({operator_chat} if operator_chat else set())
    await outbox.enqueue_each(session, NoticeKind.PETITIONED, sorted(chats), made.id, now)
    return made


def _open_petitions() -> Select[Remark]:
    """Those that nobody has decided; one whose revision, round or organization has ended has nothing left to ask
    for.
    """
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
    """The petition about an organization, by itself or by its province, that waits for a decision."""
    return await session.scalar(
        _open_petitions()
        .join(Officer, Officer.id == Remark.officer_id)
        .join(Account, Account.id == Officer.account_id)
        .where(Remark.organization_code == dla_code, Account.role == side)
    )


async def list_petitions(session: AsyncSession) -> list[Remark]:
    """All petitions that wait for a decision, oldest first, with organization, province and officer."""
    found = await session.scalars(_open_petitions().options(*_WITH_ALL).order_by(Remark.id))
    return list(found)


async def count_petitions(session: AsyncSession) -> int:
    """How many petitions wait for a decision."""
    return await session.scalar(select(func.count()).select_from(_open_petitions().subquery())) or 0


async def decide(
    session: AsyncSession, number: int, *, granted: bool, by: str, reason: str, now: datetime
) -> Remark:
    """The operator's word on a petition; granting it reopens the organization.

    The officers of both sides are told. Raises OperatorRefused, UnknownPetition, RemarkRefused, and what reopen
    raises.
    """
    by = operator_name(by)
    asked = await session.scalar(_open_petitions().where(Remark.id == number))
    if asked is None:
        raise UnknownPetition(number)
    organization = await lock_organization(session, asked.organization_code)
    # Decided, or its revision ended, while this waited.
    if await session.scalar(_open_petitions().where(Remark.id == number)) is None:
        raise UnknownPetition(number)
    made = Remark(
        organization_code=asked.organization_code,
        round_id=asked.round_id,
        revision=asked.revision,
        kind=RemarkKind.DECISION,
        body=operator_reason(reason),
        author=by,
        answers_id=asked.id,
        granted=granted,
        made_at=now,
    )
    session.add(made)
    await session.flush()
    await event_chain.record(
        session,
        event_chain.Event.DECIDED,
        asked.organization_code,
        now,
        decision=made.id,
        petition=asked.id,
        granted=granted,
        by=by,
        reason=made.body,
        **recorded_of(session, made),
    )
    if granted:
        await reopen(session, asked.organization_code, by, made.body, now)
    else:
        concerned = await officers_concerned(session, organization, Role.LAO, Role.PROVINCE)
        chats = [one.user_id for one in concerned]
        await outbox.enqueue_each(session, NoticeKind.PETITION_REFUSED, chats, made.id, now)
    return made


async def find_remark(session: AsyncSession, officer: Officer, remark_id: int) -> Remark:
    """A remark that the officer may see. Raises NotYours, also for an unknown one."""
    found = await session.scalar(_with_organization(remark_id))
    if found is None:
        raise NotYours
    await require_sight(session, officer.account, found.organization)
    return found


async def load_remark(session: AsyncSession, remark_id: int) -> Remark:
    """One remark with its organization, province, round and officer, for a notice about it."""
    return (await session.scalars(_with_organization(remark_id))).one()


def _with_organization(remark_id: int) -> Select[Remark]:
    return select(Remark).where(Remark.id == remark_id).options(*_WITH_ALL)
