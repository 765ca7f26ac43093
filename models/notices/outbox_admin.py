"""The operator's view of the outbox: list messages, retry dead ones, release or drop those held by a restore."""

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
    """The account, organization or message does not exist."""


class NotRetried(DomainError):
    """A message cannot be retried: it is not dead, or its chat is unreachable. Nothing was changed."""


@dataclass(frozen=True)
class Message:
    """One message for the operator.

    `account` (a username) and `officer` (an id) are the current or last owner of its chat; None if there was none.
    """

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
    """The number of messages in each state, and the newest of the selected messages."""

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
    """List the newest `limit` messages in `state` (None: any), newest first.

    With `username` (an account) or `organization` (a dla_code), only messages to their chats. The counts cover
    these messages in all states. Raises NotFound if no such account exists.
    """
    conditions = await _chat_conditions(session, username, organization)
    counted = await session.execute(
        select(OutboxMessage.state, func.count()).where(*conditions).group_by(OutboxMessage.state)
    )
    counts = dict.fromkeys(State, 0)
    counts.update((counted_state, count) for counted_state, count in counted)
    if state is not None:
        conditions.append(OutboxMessage.state == state)
    rows = list(
        await session.scalars(
            select(OutboxMessage).where(*conditions).order_by(OutboxMessage.id.desc()).limit(limit)
        )
    )
    owners = await _owners(session, {row.chat_id for row in rows})
    return Listing(counts, [_message(row, *owners.get(row.chat_id, (None, None))) for row in rows])


async def retry(session: AsyncSession, numbers: Collection[int], now: datetime) -> int:
    """Make dead messages pending and due now, and return their number.

    All or none: raises NotFound for an unknown number; NotRetried for a message that is not dead or whose chat is
    unreachable.
    """
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


async def _chat_conditions(
    session: AsyncSession, username: str | None, organization: str | None
) -> list[ColumnElement[bool]]:
    """Return conditions for messages to the chats of an account, or of an organization's accounts; [] for all."""
    if username is None and organization is None:
        return []
    is_chosen = Account.organization_code == organization if username is None else Account.username == username
    accounts = list(await session.scalars(select(Account.id).where(is_chosen)))
    if not accounts:
        raise NotFound(f"there is no account {username}" if username else f"there is no account of {organization}")
    return [OutboxMessage.chat_id.in_(select(Officer.user_id).where(Officer.account_id.in_(accounts)))]


async def _owners(session: AsyncSession, chats: Collection[int]) -> dict[int, tuple[str, int]]:
    """Return the username and id of each chat's linked officer, or of the last one who was."""
    owners = await session.execute(
        select(Officer.user_id, Account.username, Officer.id)
        .join(Officer.account)
        .where(Officer.user_id.in_(chats))
        .order_by(Officer.unlinked_at.is_(None), Officer.id)
    )
    return {user_id: (username, officer_id) for user_id, username, officer_id in owners}


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
    """Return the UPDATE by which a restore holds the unsent messages of the restored copy.

    They may have been sent since the copy was taken, so the operator decides. Edits are not held: they are
    idempotent.
    """
    return (
        update(OutboxMessage)
        .where(OutboxMessage.state.in_(UNSETTLED), OutboxMessage.kind.not_in(CHANGES))
        .values(state=State.HELD, error="held by a restore")
    )


async def count_held(session: AsyncSession) -> int:
    """Count the messages that a restore has held."""
    counted = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.state == State.HELD)
    return await session.scalar(counted) or 0


async def release_held(session: AsyncSession, now: datetime) -> int:
    """Make the held messages pending and due now, and return their number."""
    released = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.HELD)
        .values(state=State.PENDING, due_at=now, error=None)
        .returning(OutboxMessage.id)
    )
    return len(released.all())


async def drop_held(session: AsyncSession) -> int:
    """Make the held messages dead, and return their number."""
    dropped = await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == State.HELD)
        .values(state=State.DEAD, error="dropped by the operator after a restore")
        .returning(OutboxMessage.id)
    )
    return len(dropped.all())
