"""Organizations that the reminders of a round did not reach, and the escalation to the operator, once a round."""

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

from models.accounts.account import Officer, organizations_with_officers
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.organizations.organization import Organization
from models.outreach.reminder import (
    ROUND_CLOSED,
    TOO_EARLY,
    NotTrue,
    Reminder,
    has_certified,
    open_round_with_deadline,
)
from models.province.progress import is_counted
from models.rounds.round import Round, RoundState, current_round

# The operator is told as soon as all messages of the reminder this many days before the last day are settled, or
# of a later reminder if no process ran on that day.
ESCALATED_FROM = 3


class Why(enum.StrEnum):
    """Why an organization was not reached."""

    # No officer with a name, a position and a PIN is linked.
    NOBODY_LINKED = "nobody_linked"
    # Reminders were enqueued for its chats, and none arrived.
    NOT_DELIVERED = "not_delivered"


@dataclass(frozen=True)
class Unreached:
    """An organization (province loaded) that has not certified and was not reached."""

    organization: Organization
    why: Why


@dataclass(frozen=True)
class Escalation:
    """The content of the escalation to the operator."""

    round: Round
    days_left: int
    unreached: list[Unreached]


async def list_unreached(session: AsyncSession, province_code: str | None = None) -> list[Unreached]:
    """List the organizations that have not certified in the newest round and that no reminder reached, by province
    and name; with `province_code`, those of one province.

    A message that may still be sent counts as one that arrives.
    """
    newest = await current_round(session)
    if newest is None:
        return []
    linked = organizations_with_officers()
    tried = (
        linked.join(OutboxMessage, OutboxMessage.chat_id == Officer.user_id)
        .join(Reminder, Reminder.id == OutboxMessage.subject_id)
        .where(OutboxMessage.kind == NoticeKind.REMINDER, Reminder.round_id == newest.id)
    )
    is_undelivered = OutboxMessage.state.in_([State.DEAD, State.DROPPED, State.HELD])
    code = Organization.dla_code
    is_linked = code.in_(linked)
    failed = and_(code.in_(tried.where(is_undelivered)), code.not_in(tried.where(~is_undelivered)))
    why = case((is_linked, Why.NOT_DELIVERED.value), else_=Why.NOBODY_LINKED.value)
    statement = (
        select(Organization, why)
        .where(is_counted(newest.id), ~has_certified(code, newest.id), or_(~is_linked, failed))
        .options(joinedload(Organization.province))
        .order_by(Organization.province_code, Organization.sort_key)
    )
    if province_code is not None:
        statement = statement.where(Organization.province_code == province_code)
    return [Unreached(organization, Why(why)) for organization, why in await session.execute(statement)]


async def escalate_due(session: AsyncSession, operator_chat: int | None, now: datetime) -> int | None:
    """Enqueue the escalation to the operator's chat, if there is one: once a round, when the messages of the
    newest reminder from ESCALATED_FROM on are settled.

    Returns the number of unreached organizations, or None if there was nothing to do.
    """
    round_ = await open_round_with_deadline(session)
    if round_ is None:
        return None
    before = aliased(Reminder)
    is_first = ~exists().where(before.round_id == round_.id, before.escalated_at.is_not(None))
    reminder = await session.scalar(
        select(Reminder)
        .where(Reminder.round_id == round_.id, Reminder.days_before <= ESCALATED_FROM, is_first)
        .order_by(Reminder.id.desc())
        .limit(1)
    )
    if reminder is None or await outbox.count(
        session, NoticeKind.REMINDER, [reminder.id], OutboxMessage.state.in_(outbox.UNSETTLED)
    ):
        return None
    # Compare-and-set: of several processes one gets the row.
    claimed_id = await session.scalar(
        update(Reminder)
        .where(Reminder.id == reminder.id, Reminder.escalated_at.is_(None))
        .values(escalated_at=now)
        .returning(Reminder.id)
    )
    if claimed_id is None:
        return None
    unreached = await list_unreached(session)
    if unreached and operator_chat is not None:
        outbox.enqueue(session, NoticeKind.ESCALATION, operator_chat, reminder.id, now)
        await session.flush()
    return len(unreached)


async def load_escalation(session: AsyncSession, reminder_id: int, now: datetime) -> Escalation:
    """Return the content of an escalation as of now.

    Raises NotTrue if its reminder was deleted, its round was closed, or all organizations have been reached or
    have certified meanwhile.
    """
    reminder = await session.get(Reminder, reminder_id)
    if reminder is None:
        raise NotTrue(TOO_EARLY)
    round_ = await session.get_one(Round, reminder.round_id)
    days_left = round_.days_left(now)
    if round_.state is not RoundState.OPEN or days_left is None:
        raise NotTrue(ROUND_CLOSED)
    unreached = await list_unreached(session)
    if not unreached:
        raise NotTrue("nobody is left who was not reached")
    return Escalation(round_, days_left, unreached)
