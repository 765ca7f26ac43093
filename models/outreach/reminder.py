"""Reminders of a round's last day: when they are enqueued, for whom, and whether they are still true when sent.

Days and hours are Bangkok's. A reminder of a day on which no process ran is skipped. models/outreach/unreached.py
finds the organizations that the reminders did not reach.
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
from models.base.grants import Grants
from models.base.tables import Base, BigKey, conflict_insert
from models.certification.certificate import Certification, Level, Status, is_live
from models.certification.review import own_status
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.organizations.organization import Organization, has_ended
from models.province.progress import count_statuses
from models.rounds.round import Round, RoundState

# How many days before the last day officers are reminded, and from which time of day.
DAYS_BEFORE = (14, 7, 3, 1, 0)
FROM = time(9)
# The error of a reminder that was dropped because its day has not come yet.
TOO_EARLY = "it was queued by a clock that was ahead"
# The error of a reminder or escalation that was dropped because its round was closed.
ROUND_CLOSED = "the round was closed"


class NotTrue(DomainError):
    """A reminder no longer applies, or not to this officer. The message says why, and becomes the outbox error."""


class Reminder(Base):
    """One day's reminder of a round's last day. The process that inserts the unique row enqueues the messages."""

    COVERAGE: ClassVar[Coverage] = not_covered("who changes it has a reminder sent twice, or not")

    __tablename__ = "reminder"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT")
    __table_args__ = (UniqueConstraint("round_id", "days_before"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    days_before: Mapped[int]
    queued_at: Mapped[datetime]
    # When this reminder caused the escalation that tells the operator whom the round's reminders did not reach.
    escalated_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Due:
    """The content of a reminder: the officer's organization has not certified (`waiting` is 0), or `waiting`
    organizations wait for the officer's province.
    """

    round: Round
    days_left: int
    officer: Officer
    waiting: int


async def open_round_with_deadline(session: AsyncSession) -> Round | None:
    """Return the open round if it has a closing date; None otherwise."""
    return await session.scalar(select(Round).where(Round.state == RoundState.OPEN, Round.closes_on.is_not(None)))


async def queue_due(session: AsyncSession, now: datetime) -> int | None:
    """Enqueue today's reminder if it is due and no process has done so.

    Returns the number of chats, or None if there was nothing to do. The unique row of Reminder makes it happen
    once, even if several processes try at the same time.
    """
    round_ = await open_round_with_deadline(session)
    if round_ is None or now.astimezone(BANGKOK).time() < FROM:
        return None
    days = round_.days_left(now)
    if days not in DAYS_BEFORE or await _is_queued(session, round_.id, days):
        return None
    reminder_id = await session.scalar(
        conflict_insert(session, Reminder)
        .values(round_id=round_.id, days_before=days, queued_at=now)
        .on_conflict_do_nothing()
        .returning(Reminder.id)
    )
    if reminder_id is None:
        return None
    concerned = chats(or_(_has_not_certified(round_.id), _has_work_waiting(round_.id)))
    return await outbox.enqueue_all(session, NoticeKind.REMINDER, concerned, reminder_id, now)


async def forget_early(session: AsyncSession, now: datetime) -> int:
    """Delete the reminders of days that have not come yet, which a clock that was ahead has enqueued.

    Drops their unsent messages, so that the day itself gets its own reminder. Returns the number of reminders.
    Call this only with a clock that is known to be right: otherwise another process would enqueue them again.
    """
    round_ = await open_round_with_deadline(session)
    days_left = None if round_ is None else round_.days_left(now)
    if round_ is None or days_left is None:
        return 0
    early = await session.scalars(
        delete(Reminder)
        .where(Reminder.round_id == round_.id, Reminder.days_before < days_left, Reminder.queued_at > now)
        .returning(Reminder.id)
    )
    reminders = list(early)
    queued = update(OutboxMessage).where(
        OutboxMessage.kind.in_([NoticeKind.REMINDER, NoticeKind.ESCALATION]),
        OutboxMessage.subject_id.in_(reminders),
    )
    unsent = OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN, State.HELD])
    await session.execute(queued.where(unsent).values(state=State.DROPPED, error=TOO_EARLY))
    # SQLite reuses the deleted id for the next reminder, to the same chats: give the old messages other dedupe
    # keys.
    key = OutboxMessage.dedupe_key + literal(":") + cast(OutboxMessage.id, String)
    await session.execute(queued.values(dedupe_key=key, subject_id=0))
    return len(reminders)


async def queue_again(session: AsyncSession, round_: Round, now: datetime) -> int:
    """After a round was reopened, make pending what was dropped because it was closed: today's reminder, and the
    escalation to the operator. Returns the number of messages.

    The same rows become pending again, so that nobody is reminded twice of one day.
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
    """SQL condition: the organization with this code has certified its register in a round."""
    certification = aliased(Certification)
    return exists().where(
        certification.organization_code == organization_code,
        certification.round_id == round_id,
        certification.level == Level.LAO,
        is_live(certification),
    )


def _has_not_certified(round_id: int) -> ColumnElement[bool]:
    """SQL condition: the account is of an organization that has not certified."""
    return and_(Account.role == Role.LAO, ~has_certified(Account.organization_code, round_id))


def _has_work_waiting(round_id: int) -> ColumnElement[bool]:
    """SQL condition: the account is of a province for which an organization waits. One subquery for all
    provinces.
    """
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
    """Return what a reminder says to an officer (account loaded) as of now.

    Raises NotTrue if the reminder was deleted, the round was closed, its day is over, the organization has
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
        waiting = sum(counts.waiting for counts in await count_statuses(session, account.province_code))
        if not waiting:
            raise NotTrue("nothing waits for the province")
        return Due(round_, reminder.days_before, officer, waiting)
    assert account.organization_code is not None  # noqa: S101 - the table's check constraint
    _newest, status = await own_status(session, account.organization_code)
    if status is not Status.UNCERTIFIED:
        raise NotTrue("the organization has certified")
    return Due(round_, reminder.days_before, officer, 0)
