"""Reminders of a round's last day: when they are queued, for whom, and whether they are still true when sent.

Days and hours are Bangkok's. A day that went by while nothing ran is not made up: the next one comes. Whom the
reminders of a round did not reach: models/outreach/unreached.py.
"""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    SQLColumnExpression,
    String,
    UniqueConstraint,
    and_,
    cast,
    delete,
    exists,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from models.accounts.account import Account, Officer, Role, chats
from models.base.calendar import BANGKOK
from models.base.coverage import Coverage, not_covered
from models.base.errors import DomainError
from models.base.tables import Base, BigKey, conflict_insert
from models.certification.certificate import Certification, Level, Status, is_live
from models.certification.review import own_status
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.organizations.organization import Organization, has_ended
from models.province.progress import count_statuses
from models.rounds.round import Round, RoundState

# Days before the last one on which people are reminded, and the hour from which.
DAYS_BEFORE = (14, 7, 3, 1, 0)
FROM = time(9)
# Why a reminder was dropped whose day has not come yet.
TOO_EARLY = "it was queued by a clock that was ahead"
# Why a reminder, or what the operator is told of the reminders, was dropped while its round was closed.
ROUND_CLOSED = "the round was closed"


class NotTrue(DomainError):
    """A reminder is no longer true, or not for this officer; the message says why, for the outbox."""


class Reminder(Base):
    """One day's reminder of a round's last day. The row decides who queues it, and it is queued once."""

    COVERAGE: ClassVar[Coverage] = not_covered("who changes it has a reminder sent twice, or not")

    __tablename__ = "reminder"
    __table_args__ = (UniqueConstraint("round_id", "days_before"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    days_before: Mapped[int]
    queued_at: Mapped[datetime]
    # When the operator was told whom the round's reminders had not reached, if it was by this one.
    escalated_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Due:
    """What an officer is reminded of: its organization is not certified, or `waiting` organizations wait for its
    province.
    """

    round: Round
    days_left: int
    officer: Officer
    waiting: int


async def open_round_with_deadline(session: AsyncSession) -> Round | None:
    """The open round, if it has a closing date."""
    return await session.scalar(select(Round).where(Round.state == RoundState.OPEN, Round.closes_on.is_not(None)))


async def queue_due(session: AsyncSession, now: datetime) -> int | None:
    """Queue today's reminder, if it is time and nobody has; how many chats it goes to. None: nothing was to do.

    Of several who try at once the unique row lets one through.
    """
    round_ = await open_round_with_deadline(session)
    if round_ is None or now.astimezone(BANGKOK).time() < FROM:
        return None
    days = round_.days_left(now)
    if days not in DAYS_BEFORE or await _is_queued(session, round_.id, days):
        return None
    made = await session.scalar(
        conflict_insert(session, Reminder)
        .values(round_id=round_.id, days_before=days, queued_at=now)
        .on_conflict_do_nothing()
        .returning(Reminder.id)
    )
    if made is None:
        return None
    concerned = chats(or_(_has_not_certified(round_.id), _has_work_waiting(round_.id)))
    return await outbox.enqueue_all(session, NoticeKind.REMINDER, concerned, made, now)


async def forget_early(session: AsyncSession, now: datetime) -> int:
    """Take back the reminders of days that have not come yet, with what was queued by them and not sent: a clock
    that was ahead has queued them, and their day shall have its own. How many reminders that were.

    For a program only that knows its clock to be right: of two that differ one would queue them again.
    """
    round_ = await open_round_with_deadline(session)
    left = None if round_ is None else round_.days_left(now)
    if round_ is None or left is None:
        return 0
    early = await session.scalars(
        delete(Reminder)
        .where(Reminder.round_id == round_.id, Reminder.days_before < left, Reminder.queued_at > now)
        .returning(Reminder.id)
    )
    reminders = list(early)
    queued = update(OutboxMessage).where(
        OutboxMessage.kind.in_([NoticeKind.REMINDER, NoticeKind.ESCALATION]),
        OutboxMessage.subject_id.in_(reminders),
    )
    unsent = OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN, State.HELD])
    await session.execute(queued.where(unsent).values(state=State.DROPPED, error=TOO_EARLY))
    # SQLite gives the reminder's number to the next one, which goes to the same chats: they are of none any more.
    key = OutboxMessage.dedupe_key + literal(":") + cast(OutboxMessage.id, String)
    await session.execute(queued.values(dedupe_key=key, subject_id=0))
    return len(reminders)


async def queue_again(session: AsyncSession, round_: Round, now: datetime) -> int:
    """Queue once more what was dropped because the round, which is open again, was closed: today's reminder, and
    what the operator is told once a round. How many messages that is.

    The rows themselves are queued again, so that nobody is reminded twice of one day.
    """
    todays = select(Reminder.id).where(
        Reminder.round_id == round_.id, Reminder.days_before == round_.days_left(now)
    )
    of_round = select(Reminder.id).where(Reminder.round_id == round_.id)
    subject = OutboxMessage.subject_id
    revived = await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.state == State.DROPPED,
            OutboxMessage.error == ROUND_CLOSED,
            or_(
                and_(OutboxMessage.kind == NoticeKind.REMINDER, subject.in_(todays)),
                and_(OutboxMessage.kind == NoticeKind.ESCALATION, subject.in_(of_round)),
            ),
        )
        .values(state=State.PENDING, due_at=now, error=None)
        .returning(OutboxMessage.id)
    )
    return len(revived.all())


async def _is_queued(session: AsyncSession, round_id: int, days: int) -> bool:
    return bool(
        await session.scalar(select(exists().where(Reminder.round_id == round_id, Reminder.days_before == days)))
    )


def has_certified(organization_code: SQLColumnExpression[Any], round_id: int) -> ColumnElement[bool]:
    """A condition on an organization's code: it has certified its register in a round."""
    made = aliased(Certification)
    return exists().where(
        made.organization_code == organization_code,
        made.round_id == round_id,
        made.level == Level.LAO,
        is_live(made),
    )


def _has_not_certified(round_id: int) -> ColumnElement[bool]:
    """A condition on accounts: an organization's that has not certified."""
    return and_(Account.role == Role.LAO, ~has_certified(Account.organization_code, round_id))


def _has_work_waiting(round_id: int) -> ColumnElement[bool]:
    """A condition on accounts: a province's for which an organization waits. Asked once for all provinces."""
    waits, own = aliased(Certification), aliased(Certification)
    by_province = exists().where(
        own.organization_code == waits.organization_code,
        own.round_id == waits.round_id,
        own.revision == waits.revision,
        own.level == Level.PROVINCE,
    )
    provinces = (
        select(Organization.province_code)
        .join(waits, waits.organization_code == Organization.dla_code)
        .where(
            waits.round_id == round_id,
            waits.level == Level.LAO,
            is_live(waits),
            ~by_province,
            ~has_ended(Organization.dla_code),
        )
    )
    return Account.province_code.in_(provinces)


async def look_at(session: AsyncSession, reminder_id: int, officer: Officer, now: datetime) -> Due:
    """What a reminder says to an officer, with account and organization, as things are now.

    Raises NotTrue when it was taken back, the round was closed, another day has come, the organization has
    certified, or nothing waits for the province.
    """
    reminder = await session.get(Reminder, reminder_id)
    if reminder is None:
        raise NotTrue(TOO_EARLY)
    round_ = await session.get_one(Round, reminder.round_id)
    if round_.state is not RoundState.OPEN:
        raise NotTrue(ROUND_CLOSED)
    if round_.days_left(now) != reminder.days_before:
        raise NotTrue("its day is over")
    account = officer.account
    if account.role is Role.PROVINCE:
        waiting = sum(one.waiting for one in await count_statuses(session, account.province_code))
        if not waiting:
            raise NotTrue("nothing waits for the province")
        return Due(round_, reminder.days_before, officer, waiting)
    assert account.organization_code is not None  # noqa: S101 - the table's check constraint
    _newest, status = await own_status(session, account.organization_code)
    if status is not Status.UNCERTIFIED:
        raise NotTrue("the organization has certified")
    return Due(round_, reminder.days_before, officer, 0)
