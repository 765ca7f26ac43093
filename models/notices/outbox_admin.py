"""The outbox for the operator: what became of each message, dead ones tried once more, and what a restore held."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Update, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer
from models.base.errors import DomainError
from models.chats.conversation import Conversation
from models.notices.kind import CHANGES
from models.notices.outbox import UNSETTLED, OutboxMessage, State


class NotFound(DomainError):
    """There is no such account, organization or message."""


class NotRetried(DomainError):
    """A message cannot be tried once more; nothing was changed."""


@dataclass(frozen=True)
class Message:
    """One row; `account` and `officer` are those to whom its chat belongs or belonged last, if anybody."""

    number: int
    kind: str
    account: str | None
    officer: int | None
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    tries: int
    state: State
    reason: str | None


@dataclass(frozen=True)
class Listing:
    """How many messages are in each state, and the newest of those that were asked for."""

    counts: dict[State, int]
    messages: list[Message]


async def list_messages(
    session: AsyncSession,
    *,
    state: State | None = None,
    username: str | None = None,
    organization: str | None = None,
    limit: int = 50,
) -> Listing:
    """Messages, all or those to the chats of an account or an organization. Raises NotFound.

    The counts are of these messages in all states.
    """
    theirs = await _theirs(session, username, organization)
    counted = await session.execute(
        select(OutboxMessage.state, func.count()).where(*theirs).group_by(OutboxMessage.state)
    )
    counts = dict.fromkeys(State, 0)
    counts.update((one, count) for one, count in counted)
    if state is not None:
        theirs.append(OutboxMessage.state == state)
    rows = list(
        await session.scalars(select(OutboxMessage).where(*theirs).order_by(OutboxMessage.id.desc()).limit(limit))
    )
    owners = await _owners(session, {row.chat_id for row in rows})
    return Listing(counts, [_message(row, *owners.get(row.chat_id, (None, None))) for row in rows])


async def retry(session: AsyncSession, numbers: Collection[int], now: datetime) -> int:
    """Try dead messages once more, from now on; how many. Raises NotFound, NotRetried: then none is."""
    rows = {
        row.id: row
        for row in await session.scalars(
            select(OutboxMessage).where(OutboxMessage.id.in_(numbers)).with_for_update()
        )
    }
    for number in sorted(set(numbers)):
        row = rows.get(number)
        if row is None:
            raise NotFound(f"there is no message {number}; see: laocert outbox list")
        if row.state is not State.DEAD:
            raise NotRetried(f"message {number} is {row.state}, not dead")
        chat = await session.get(Conversation, row.chat_id)
        if chat is not None and chat.unreachable_since is not None:
            raise NotRetried(
                f"the chat of message {number} cannot be reached: {chat.unreachable_reason};"
                " its officer must open the bot and press Start first"
            )
    for row in rows.values():
        row.state, row.attempts, row.due_at, row.error = State.PENDING, 0, now, None
    await session.flush()
    return len(rows)


async def _theirs(
    session: AsyncSession, username: str | None, organization: str | None
) -> list[ColumnElement[bool]]:
    """What narrows messages to the chats of an account or of an organization's accounts."""
    if username is None and organization is None:
        return []
    which = Account.organization_code == organization if username is None else Account.username == username
    accounts = list(await session.scalars(select(Account.id).where(which)))
    if not accounts:
        raise NotFound(f"there is no account {username}" if username else f"there is no account of {organization}")
    return [OutboxMessage.chat_id.in_(select(Officer.user_id).where(Officer.account_id.in_(accounts)))]


async def _owners(session: AsyncSession, chats: Collection[int]) -> dict[int, tuple[str, int]]:
    """The newest officer of each chat, with its account's username."""
    found = await session.execute(
        select(Officer.user_id, Account.username, Officer.id)
        .join(Officer.account)
        .where(Officer.user_id.in_(chats))
        .order_by(Officer.unlinked_at.is_(None), Officer.id)
    )
    return {user_id: (username, officer) for user_id, username, officer in found}


def _message(row: OutboxMessage, account: str | None, officer: int | None) -> Message:
    return Message(
        number=row.id,
        kind=row.kind,
        account=account,
        officer=officer,
        created_at=row.created_at,
        due_at=row.due_at,
        sent_at=row.sent_at,
        tries=row.attempts,
        state=row.state,
        reason=row.error,
    )


def holding_unsent() -> Update:
    """What a restore does to the copy's unsent messages: they may have been sent since, and wait for the operator.

    Changes go on: they are idempotent.
    """
    return (
        update(OutboxMessage)
        .where(OutboxMessage.state.in_(UNSETTLED), OutboxMessage.kind.not_in(CHANGES))
        .values(state=State.HELD, error="held by a restore")
    )


async def count_held(session: AsyncSession) -> int:
    """How many messages wait for the operator."""
    counted = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.state == State.HELD)
    return await session.scalar(counted) or 0


async def release_held(session: AsyncSession, now: datetime) -> int:
    """The operator lets go what a restore held; how many messages will be sent."""
    released = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.HELD)
        .values(state=State.PENDING, due_at=now, error=None)
        .returning(OutboxMessage.id)
    )
    return len(released.all())


async def drop_held(session: AsyncSession) -> int:
    """The operator lets what a restore held be dead; how many messages will not be sent."""
    dropped = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.HELD)
        .values(state=State.DEAD, error="dropped by the operator after a restore")
        .returning(OutboxMessage.id)
    )
    return len(dropped.all())
