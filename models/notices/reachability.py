"""Whether a chat can be written to: not in a pause, not while Telegram refuses it; and where it has moved to."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import active_officer, is_somebodys, linked_officers
from models.chats.conversation import Conversation, load_conversation
from models.notices import outbox
from models.notices.kind import CHANGES, NoticeKind
from models.notices.outbox import OutboxMessage, State


@dataclass(frozen=True)
class Way:
    """The way to a chat: its id at Telegram, until when it is paused, and why nothing reaches it."""

    to: int
    paused_until: datetime | None = None
    unreachable: str | None = None


def way_to(chat_id: int, found: Conversation | None, now: datetime) -> Way:
    """The way to a chat now, from what is remembered of it."""
    if found is None:
        return Way(chat_id)
    is_paused = found.paused_until is not None and found.paused_until > now
    return Way(
        to=found.moved_to or chat_id,
        paused_until=found.paused_until if is_paused else None,
        unreachable=(found.unreachable_reason or "unreachable") if found.unreachable_since else None,
    )


async def pause(session: AsyncSession, chat_id: int, until: datetime) -> None:
    """Nothing is to be sent there before: in force after a restart too."""
    conversation = await _kept(session, chat_id)
    if conversation is not None and (conversation.paused_until is None or conversation.paused_until < until):
        conversation.paused_until = until


async def paused(session: AsyncSession, now: datetime) -> dict[int, datetime]:
    """The chats that are paused, with until when."""
    found = await session.execute(
        select(Conversation.chat_id, Conversation.paused_until).where(Conversation.paused_until > now)
    )
    return {chat_id: until for chat_id, until in found if until is not None}


async def move(session: AsyncSession, chat_id: int, to: int) -> None:
    """The group has become a supergroup, whose id is `to`. What is addressed to it goes there."""
    (await load_conversation(session, chat_id)).moved_to = to


async def lose(session: AsyncSession, chat_id: int, reason: str, now: datetime, operator_chat: int | None) -> None:
    """Telegram refuses messages to a chat: what waits for it is dead. The account's other officers are told, or
    the operator when none of them can be reached; once for each time that it happens.
    """
    await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.chat_id == chat_id,
            OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN, State.HELD]),
        )
        .values(state=State.DEAD, error=reason[:300])
    )
    conversation = await _kept(session, chat_id)
    if conversation is None:
        # Somebody who was forgotten: the number is not kept for the sake of the reason.
        await session.execute(
            delete(OutboxMessage).where(
                OutboxMessage.chat_id == chat_id,
                OutboxMessage.kind.in_(sorted(CHANGES)),
                OutboxMessage.state == State.DEAD,
            )
        )
        return
    if conversation.unreachable_since is not None:
        return
    conversation.unreachable_since, conversation.unreachable_reason = now, reason[:300]
    await session.flush()
    officer = await active_officer(session, chat_id)
    if officer is None:
        return
    colleagues = [
        one.user_id for one in await linked_officers(session, [officer.account_id]) if one.id != officer.id
    ]
    unreachable = await session.scalars(
        select(Conversation.chat_id).where(
            Conversation.chat_id.in_(colleagues), Conversation.unreachable_since.is_not(None)
        )
    )
    told = set(colleagues) - set(unreachable)
    if not told and operator_chat is not None:
        told = {operator_chat}
    for chat in sorted(told):
        outbox.enqueue(session, NoticeKind.UNREACHABLE, chat, officer.id, now, occasion=now.isoformat())


async def lost_since(session: AsyncSession, chat_id: int) -> datetime | None:
    """Since when Telegram has refused messages to a chat; None when it does not."""
    found = await session.get(Conversation, chat_id)
    return None if found is None else found.unreachable_since


async def find_again(session: AsyncSession, conversation: Conversation, now: datetime) -> None:
    """Something came from the chat. Messages that were to be changed there are changed now: what stands in them
    must not stay because the bot was blocked for an hour.
    """
    if conversation.unreachable_since is None:
        return
    await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.chat_id == conversation.chat_id,
            OutboxMessage.kind.in_(sorted(CHANGES)),
            OutboxMessage.state == State.DEAD,
            OutboxMessage.error == conversation.unreachable_reason,
        )
        .values(state=State.PENDING, due_at=now, attempts=0, error=None)
    )
    conversation.unreachable_since = conversation.unreachable_reason = None


async def _kept(session: AsyncSession, chat_id: int) -> Conversation | None:
    """What is remembered of a chat. Of somebody who was forgotten, and of nobody, nothing is begun to be."""
    found = await session.get(Conversation, chat_id)
    if found is None and (chat_id < 0 or await is_somebodys(session, chat_id)):
        return await load_conversation(session, chat_id)
    return found
