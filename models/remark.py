"""The thread of remarks of an organization in a round: what was asked, explained, petitioned and decided.

Kept with the certificates; insert only. The source procedure names no way back: petitions, decisions and
reopenings are ours.
"""

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Select, String, Text, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, joinedload, mapped_column, relationship

from models import audit, outbox
from models.account import Account, Officer, Role, officers_concerned
from models.base import Base, BigKey, DomainError, text_enum
from models.certification import (
    Certification,
    NotYours,
    Reopening,
    live_certificates,
    reopen,
    require_sight,
)
from models.organization import Organization, lock_organization
from models.round import Round, current_round

MAX_REMARK = 1000
MIN_REMARK = 5


class Kind(enum.StrEnum):
    """What a remark is."""

    QUESTION = "question"
    ANSWER = "answer"
    EXPLANATION = "explanation"
    PETITION = "petition"
    DECISION = "decision"


class RemarkRefused(DomainError):
    """The text is too short or too long, or not in letters."""

    def __init__(self) -> None:
        super().__init__(f"a reason is written in words, {MIN_REMARK} to {MAX_REMARK:,} letters")


class NotLocked(DomainError):
    """There is nothing to petition for: the register can be changed."""


class PetitionPending(DomainError):
    """The organization, or its province, has a petition that is not decided yet; one of each at a time."""


class UnknownPetition(DomainError):
    """There is no open petition with this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no open petition {number}; see: laocert petitions")


class Remark(Base):
    """One remark. `answers_id` is what it answers or decides; `granted` belongs to decisions."""

    __tablename__ = "remark"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"), index=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    revision: Mapped[int]
    kind: Mapped[Kind] = mapped_column(text_enum(Kind, checked=False))
    body: Mapped[str] = mapped_column(Text)
    # What a question is about (a category, or a record's number), or the headcounts that are explained.
    about: Mapped[str | None] = mapped_column(String(80))
    author: Mapped[str] = mapped_column(String(400))
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))
    answers_id: Mapped[int | None] = mapped_column(ForeignKey("remark.id"), unique=True)
    granted: Mapped[bool | None]
    made_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship(lazy="raise")
    round: Mapped[Round] = relationship(lazy="raise")
    officer: Mapped[Officer | None] = relationship(lazy="raise")

    @property
    def side(self) -> Role | None:
        """Whose officer wrote it; None of the operator's. Its officer must be loaded."""
        return self.officer.account.role if self.officer else None


# All that is said of a remark besides itself.
_WITH_ALL = (
    joinedload(Remark.organization).joinedload(Organization.province),
    joinedload(Remark.round),
    joinedload(Remark.officer).joinedload(Officer.account),
)


def remark_text(typed: str) -> str:
    """What somebody typed as a remark, blanks tidied, lines kept. Raises RemarkRefused."""
    lines = [" ".join(line.split()) for line in typed.splitlines()]
    tidy = "\n".join(line for line in lines if line)
    if not MIN_REMARK <= len(tidy) <= MAX_REMARK or not any(letter.isalpha() for letter in tidy):
        raise RemarkRefused
    return tidy


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
    """A province asks that an organization be opened for correction, after a spot-check (models/spot_checking.py,
    which looks at the rights and holds the organization's row).

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
    made = Remark(
        organization_code=certificate.organization_code,
        round_id=certificate.round_id,
        revision=certificate.revision,
        kind=Kind.PETITION,
        body=body,
        author=f"{officer.full_name} {officer.position}",
        officer_id=officer.id,
        made_at=now,
    )
    session.add(made)
    await session.flush()
    await audit.record(
        session,
        audit.Event.PETITIONED,
        made.organization_code,
        now,
        petition=made.id,
        officer=officer.id,
        body=body,
    )
    chats = {one.user_id for one in told} | ({operator_chat} if operator_chat else set())
    for chat in sorted(chats):
        outbox.enqueue(session, outbox.Kind.PETITIONED, chat, made.id, now)
    await session.flush()
    return made


def _open_petitions() -> Select[Remark]:
    """Those that nobody has decided; one whose revision or round has ended has nothing left to ask for."""
    decision = aliased(Remark)
    ended = exists().where(
        Reopening.organization_code == Remark.organization_code,
        Reopening.round_id == Remark.round_id,
        Reopening.revision == Remark.revision,
    )
    return (
        select(Remark)
        .outerjoin(decision, decision.answers_id == Remark.id)
        .where(
            Remark.kind == Kind.PETITION,
            Remark.round_id == select(func.max(Round.id)).scalar_subquery(),
            decision.id.is_(None),
            ~ended,
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


async def decide(
    session: AsyncSession, number: int, *, granted: bool, by: str, reason: str, now: datetime
) -> Remark:
    """The operator's word on a petition; granting it reopens the organization.

    The officers of both sides are told. Raises UnknownPetition, RemarkRefused, and what reopen raises.
    """
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
        kind=Kind.DECISION,
        body=remark_text(reason),
        author=by,
        answers_id=asked.id,
        granted=granted,
        made_at=now,
    )
    session.add(made)
    await session.flush()
    await audit.record(
        session,
        audit.Event.DECIDED,
        asked.organization_code,
        now,
        decision=made.id,
        petition=asked.id,
        granted=granted,
        by=by,
        reason=made.body,
    )
    if granted:
        await reopen(session, asked.organization_code, by, made.body, now)
    else:
        for one in await officers_concerned(session, organization, Role.LAO, Role.PROVINCE):
            outbox.enqueue(session, outbox.Kind.PETITION_REFUSED, one.user_id, made.id, now)
        await session.flush()
    return made


async def find_remark(session: AsyncSession, officer: Officer, remark_id: int) -> Remark:
    """A remark that the officer may see. Raises NotYours, also for an unknown one."""
    found = await session.scalar(_with_organization(remark_id))
    if found is None:
        raise NotYours
    require_sight(officer.account, found.organization)
    return found


async def load_remark(session: AsyncSession, remark_id: int) -> Remark:
    """One remark with its organization, province, round and officer, for a notice about it."""
    return (await session.scalars(_with_organization(remark_id))).one()


def _with_organization(remark_id: int) -> Select[Remark]:
    return select(Remark).where(Remark.id == remark_id).options(*_WITH_ALL)
