"""A province asks about one category or one record of an organization, which answers; nothing is unlocked by it.

A question belongs to the revision in which it was asked: when that has ended, unanswered, it is not open any more.
It keeps nobody from certifying. The source procedure names no questions: they are ours.
"""

import enum
from datetime import datetime
from functools import cache

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.access import NotYours, find_organization, require_sight
from models.accounts.account import Officer, Role, officers_concerned
from models.audit import event_chain
from models.base.errors import DomainError
from models.base.spelling import spelled
from models.base.thai import arabic_digits
from models.certification.certificate import is_open
from models.certification.remark import Remark, RemarkKind, add_remark, recorded_of, remark_text
from models.certification.review import current_revision
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import Organization, lock_organization, require_going_on
from models.register.roster import PersonnelRecord
from models.rounds.round import Round, require_open_round

# Of one organization at once: more would be a way to drown the others.
MAX_OPEN = 20


class Topic(enum.StrEnum):
    """What a question is about: one of the three categories, the whole register, or one record."""

    OFFICIAL = "official"
    PERMANENT_EMPLOYEE = "permanent_employee"
    CONTRACT_EMPLOYEE = "contract_employee"
    WHOLE = "whole"
    RECORD = "record"


class TooManyQuestions(DomainError):
    """So many questions of the organization wait for their answers that no more is taken."""


class UnknownRecord(DomainError):
    """The organization's register has no record with this number."""


class QuestionClosed(DomainError):
    """It is no question, has its answer, or belongs to a revision or round that has ended."""


def about_record(record_no: str) -> str:
    """How Remark.about names a record: by its number, never by a name."""
    return f"{Topic.RECORD}:{record_no}"


def topic_of(about: str) -> tuple[Topic, str]:
    """What Remark.about of a question says: the topic, and the number of the record or nothing."""
    topic, _, record_no = about.partition(":")
    return Topic(topic), record_no


async def require_askable(session: AsyncSession, officer: Officer, dla_code: str) -> tuple[Organization, Round]:
    """Refuse before anything is typed; whom is asked, and in which round.

    Raises NotYours, NoOpenRound, OrganizationEnded, TooManyQuestions.
    """
    organization = await find_organization(session, officer, dla_code)
    if officer.account.role is not Role.PROVINCE:
        raise NotYours
    await require_going_on(session, dla_code)
    open_round = await require_open_round(session)
    waiting = await session.scalar(
        select(func.count()).where(
            Remark.organization_code == dla_code, Remark.round_id == open_round.id, is_open(Remark)
        )
    )
    if (waiting or 0) >= MAX_OPEN:
        raise TooManyQuestions
    return organization, open_round


async def find_record(session: AsyncSession, officer: Officer, dla_code: str, typed: str) -> str:
    """The number of a record as the register has it, typed in Thai or Arabic digits and in any spelling.

    Raises NotYours, UnknownRecord.
    """
    await find_organization(session, officer, dla_code)
    wanted = arabic_digits(" ".join(spelled(typed).split()))
    numbers = await session.scalars(
        select(PersonnelRecord.record_no).where(PersonnelRecord.organization_code == dla_code)
    )
    # An older version has stored numbers in other spellings, and may have stored two that look alike.
    alike = {number for number in numbers if spelled(number) == wanted}
    if not alike:
        raise UnknownRecord
    return wanted if wanted in alike else min(alike)


async def ask(
    session: AsyncSession, officer: Officer, dla_code: str, about: str, typed: str, now: datetime
) -> Remark:
    """A question of the province, kept and sent to the organization's officers.

    Raises NotYours, NoOpenRound, TooManyQuestions, UnknownRecord, RemarkRefused.
    """
    body = remark_text(typed)
    await find_organization(session, officer, dla_code)
    organization = await lock_organization(session, dla_code)
    _, open_round = await require_askable(session, officer, dla_code)
    topic, record_no = topic_of(about)
    if topic is Topic.RECORD:
        await find_record(session, officer, dla_code, record_no)
    made = await add_remark(
        session,
        officer,
        now,
        organization_code=dla_code,
        round_id=open_round.id,
        revision=await current_revision(session, dla_code, open_round),
        kind=RemarkKind.QUESTION,
        body=body,
        about=about,
    )
    await event_chain.record(
        session,
        event_chain.Event.QUESTIONED,
        dla_code,
        now,
        question=made.id,
        officer=officer.id,
        about=about,
        body=body,
        **recorded_of(session, made),
    )
    await outbox.enqueue_each(
        session,
        NoticeKind.QUESTIONED,
        [one.user_id for one in await officers_concerned(session, organization, Role.LAO)],
        made.id,
        now,
    )
    return made


async def answer(session: AsyncSession, officer: Officer, question_id: int, typed: str, now: datetime) -> Remark:
    """The organization's answer, one to a question; the province's officers are told.

    Raises NotYours, QuestionClosed, RemarkRefused.
    """
    body = remark_text(typed)
    asked = await require_answerable(session, officer, question_id)
    organization = await lock_organization(session, asked.organization_code)
    # A colleague may have answered, or the revision may have ended, while this waited for the lock.
    await require_answerable(session, officer, question_id)
    made = await add_remark(
        session,
        officer,
        now,
        organization_code=asked.organization_code,
        round_id=asked.round_id,
        revision=asked.revision,
        kind=RemarkKind.ANSWER,
        body=body,
        about=asked.about,
        answers_id=asked.id,
    )
    await event_chain.record(
        session,
        event_chain.Event.ANSWERED,
        made.organization_code,
        now,
        answer=made.id,
        question=asked.id,
        officer=officer.id,
        about=made.about,
        body=body,
        **recorded_of(session, made),
    )
    await outbox.enqueue_each(
        session,
        NoticeKind.ANSWERED,
        [one.user_id for one in await officers_concerned(session, organization, Role.PROVINCE)],
        made.id,
        now,
    )
    return made


async def require_answerable(session: AsyncSession, officer: Officer, question_id: int) -> Remark:
    """An open question of the officer's own organization.

    Raises NotYours, also for an unknown one, and QuestionClosed.
    """
    asked = await session.scalar(
        select(Remark)
        .where(Remark.id == question_id)
        .options(joinedload(Remark.organization).joinedload(Organization.province))
    )
    if asked is None or officer.account.role is not Role.LAO:
        raise NotYours
    await require_sight(session, officer.account, asked.organization)
    if not await is_waiting(session, asked.id):
        raise QuestionClosed
    return asked


async def is_waiting(session: AsyncSession, remark_id: int) -> bool:
    """Whether a remark is a question of the newest round that can still be answered."""
    newest = select(func.max(Round.id)).scalar_subquery()
    found = select(Remark.id).where(Remark.id == remark_id, Remark.round_id == newest, is_open(Remark))
    return await session.scalar(found) is not None


async def open_questions(session: AsyncSession, dla_code: str) -> list[int]:
    """The questions that an organization has not answered yet, oldest first."""
    return list(await session.scalars(_open_questions(), {"code": dla_code}))


@cache
def _open_questions() -> Select[int]:
    newest = select(func.max(Round.id)).scalar_subquery()
    return (
        select(Remark.id)
        .where(Remark.organization_code == bindparam("code"), Remark.round_id == newest, is_open(Remark))
        .order_by(Remark.id)
    )
