"""Questions of a province about a category or a record of an organization, and the organization's answers.

A question unlocks nothing and prevents no certification. It belongs to the revision in which it was asked, and
closes with it. The source procedure has no questions: they are this project's addition.
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

# Open questions to one organization at the same time. A limit, so that nobody buries the questions that matter.
MAX_OPEN = 20


class Topic(enum.StrEnum):
    """What a question is about: one of the three categories, the whole register, or one record."""

    OFFICIAL = "official"
    PERMANENT_EMPLOYEE = "permanent_employee"
    CONTRACT_EMPLOYEE = "contract_employee"
    WHOLE = "whole"
    RECORD = "record"


class TooManyQuestions(DomainError):
    """The organization already has MAX_OPEN unanswered questions."""


class UnknownRecord(DomainError):
    """The organization's register has no record with this number."""


class QuestionClosed(DomainError):
    """The remark is not a question, is already answered, or its revision or round has ended."""


def about_record(record_no: str) -> str:
    """Return the value of Remark.about for a question about a record: its number, never a person's name."""
    return f"{Topic.RECORD}:{record_no}"


def topic_of(about: str) -> tuple[Topic, str]:
    """Parse Remark.about of a question into its topic and record number ("" unless the topic is RECORD)."""
    topic, _, record_no = about.partition(":")
    return Topic(topic), record_no


async def require_askable(session: AsyncSession, officer: Officer, dla_code: str) -> tuple[Organization, Round]:
    """Check that a province officer may ask the organization. Returns the organization and the open round.

    Called before the officer types. Raises NotYours, NoOpenRound, OrganizationEnded, TooManyQuestions.
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
    """Return a record's number as the register spells it, from a number typed in Thai or Arabic digits.

    Raises NotYours if the officer may not see the organization, UnknownRecord.
    """
    await find_organization(session, officer, dla_code)
    typed_number = arabic_digits(" ".join(spelled(typed).split()))
    numbers = await session.scalars(
        select(PersonnelRecord.record_no).where(PersonnelRecord.organization_code == dla_code)
    )
    # An older version stored numbers in other spellings, possibly two that look alike.
    alike = {number for number in numbers if spelled(number) == typed_number}
    if not alike:
        raise UnknownRecord
    return typed_number if typed_number in alike else min(alike)


async def ask(
    session: AsyncSession, officer: Officer, dla_code: str, about: str, typed: str, now: datetime
) -> Remark:
    """Store a question of a province officer and notify the organization's officers.

    `about` is the topic (see `topic_of`). Raises NotYours, NoOpenRound, OrganizationEnded, TooManyQuestions,
    UnknownRecord; RemarkRefused for the text.
    """
    body = remark_text(typed)
    await find_organization(session, officer, dla_code)
    organization = await lock_organization(session, dla_code)
    _, open_round = await require_askable(session, officer, dla_code)
    topic, record_no = topic_of(about)
    if topic is Topic.RECORD:
        await find_record(session, officer, dla_code, record_no)
    question = await add_remark(
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
        question=question.id,
        officer=officer.id,
        about=about,
        body=body,
        **recorded_of(session, question),
    )
    await outbox.enqueue_each(
        session,
        NoticeKind.QUESTIONED,
        [recipient.user_id for recipient in await officers_concerned(session, organization, Role.LAO)],
        question.id,
        now,
    )
    return question


async def answer(session: AsyncSession, officer: Officer, question_id: int, typed: str, now: datetime) -> Remark:
    """Store an organization's answer and notify the province's officers. A question has at most one answer.

    Raises NotYours, OrganizationEnded, QuestionClosed; RemarkRefused for the text.
    """
    body = remark_text(typed)
    question = await require_answerable(session, officer, question_id)
    organization = await lock_organization(session, question.organization_code)
    # A colleague may have answered, or the revision may have ended, while this transaction waited for the lock.
    await require_answerable(session, officer, question_id)
    answer_ = await add_remark(
        session,
        officer,
        now,
        organization_code=question.organization_code,
        round_id=question.round_id,
        revision=question.revision,
        kind=RemarkKind.ANSWER,
        body=body,
        about=question.about,
        answers_id=question.id,
    )
    await event_chain.record(
        session,
        event_chain.Event.ANSWERED,
        answer_.organization_code,
        now,
        answer=answer_.id,
        question=question.id,
        officer=officer.id,
        about=answer_.about,
        body=body,
        **recorded_of(session, answer_),
    )
    await outbox.enqueue_each(
        session,
        NoticeKind.ANSWERED,
        [recipient.user_id for recipient in await officers_concerned(session, organization, Role.PROVINCE)],
        answer_.id,
        now,
    )
    return answer_


async def require_answerable(session: AsyncSession, officer: Officer, question_id: int) -> Remark:
    """Return an open question to the officer's own organization.

    Raises NotYours if it is unknown or belongs to another organization, QuestionClosed.
    """
    question = await session.scalar(
        select(Remark)
        .where(Remark.id == question_id)
        .options(joinedload(Remark.organization).joinedload(Organization.province))
    )
    if question is None or officer.account.role is not Role.LAO:
        raise NotYours
    await require_sight(session, officer.account, question.organization)
    if not await is_waiting(session, question.id):
        raise QuestionClosed
    return question


async def is_waiting(session: AsyncSession, remark_id: int) -> bool:
    """Return whether a remark is a question of the newest round that can still be answered."""
    newest = select(func.max(Round.id)).scalar_subquery()
    open_question = select(Remark.id).where(Remark.id == remark_id, Remark.round_id == newest, is_open(Remark))
    return await session.scalar(open_question) is not None


async def open_questions(session: AsyncSession, dla_code: str) -> list[int]:
    """Return the ids of the questions that an organization has not answered yet, oldest first."""
    return list(await session.scalars(_open_questions(), {"code": dla_code}))


@cache
def _open_questions() -> Select[int]:
    newest = select(func.max(Round.id)).scalar_subquery()
    return (
        select(Remark.id)
        .where(Remark.organization_code == bindparam("code"), Remark.round_id == newest, is_open(Remark))
        .order_by(Remark.id)
    )
