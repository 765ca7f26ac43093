"""Whether a chat can be written to: not in a pause, not while Telegram refuses it; and where it has moved to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Officer, active_officer, is_somebodys, linked_officers
from models.base.clocks import is_ahead
from models.chats.conversation import Conversation, load_conversation
from models.notices import outbox
from models.notices.kind import CHANGES, NoticeKind
from models.notices.missed import tell_missed
from models.notices.outbox import OutboxMessage, State

# No wait that Telegram asks for is longer. A pause that ends later was noted by a clock that was ahead: it counts
# no more.
LONGEST_PAUSE = timedelta(days=1)


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
    until = found.paused_until
    is_paused = until is not None and until > now and not is_ahead(until, LONGEST_PAUSE, now)
    return Way(
        to=found.moved_to or chat_id,
        paused_until=until if is_paused else None,
        unreachable=(found.unreachable_reason or "unreachable") if found.unreachable_since else None,
    )


async def pause(session: AsyncSession, chat_id: int, until: datetime, now: datetime) -> None:
    """Nothing is to be sent there before: in force after a restart too. A later end that counts stays."""
    conversation = await _kept(session, chat_id)
    if conversation is None:
        return
    before = conversation.paused_until
    if before is None or before < until or is_ahead(before, LONGEST_PAUSE, now):
        conversation.paused_until = until


async def paused(session: AsyncSession, now: datetime) -> dict[int, datetime]:
    """The chats that are paused, with until when."""
    found = await session.execute(
        select(Conversation.chat_id, Conversation.paused_until).where(Conversation.paused_until > now)
    )
    return {
        chat_id: until for chat_id, until in found if until is not None and not is_ahead(until, LONGEST_PAUSE, now)
    }


async def move(session: AsyncSession, chat_id: int, to: int) -> None:
    """The group has become a supergroup, whose id is `to`. What is addressed to it goes there."""
    group = await load_conversation(session, chat_id)
    group.moved_to = to
    if group.told_private_only:
        (await load_conversation(session, to)).told_private_only = True


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


async def find_again(
    session: AsyncSession,
    conversation: Conversation,
    officer: Officer | None,
    now: datetime,
    operator_chat: int | None = None,
    *,
    lets_in: bool = False,
) -> bool:
    """Something came from the chat; whether it had been unreachable. What was to be changed there is changed now:
    what stands in it must not stay because the bot was blocked for an hour. `officer`, who is linked there, and
    the operator are told how much they have missed.

    A group that has become a supergroup is remembered under its old id too. `lets_in`: the bot was made a member.
    The operator's group may be the one, under an id that nobody knows yet: then the next message to it is tried.
    """
    chats = [conversation]
    if conversation.chat_id < 0:
        chats += await session.scalars(select(Conversation).where(Conversation.moved_to == conversation.chat_id))
        if lets_in and operator_chat is not None and operator_chat < 0:
            chats += filter(None, [await session.get(Conversation, operator_chat)])
    lost = [chat for chat in dict.fromkeys(chats) if chat.unreachable_since is not None]
    for chat in lost:
        await _change_after_all(session, chat, now)
        chat.unreachable_since = chat.unreachable_reason = None
        if officer is not None or chat.chat_id == operator_chat:
            await tell_missed(session, chat.chat_id, None if officer is None else officer.linked_at, now)
    return bool(lost)


async def _change_after_all(session: AsyncSession, chat: Conversation, now: datetime) -> None:
    await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.chat_id == chat.chat_id,
            OutboxMessage.kind.in_(sorted(CHANGES)),
            OutboxMessage.state == State.DEAD,
            OutboxMessage.error == chat.unreachable_reason,
        )
        .values(state=State.PENDING, due_at=now, attempts=0, error=None)
    )


async def _kept(session: AsyncSession, chat_id: int) -> Conversation | None:
    """What is remembered of a chat. Of somebody who was forgotten, and of nobody, nothing is begun to be."""
    found = await session.get(Conversation, chat_id)
    if found is None and (chat_id < 0 or await is_somebodys(session, chat_id)):
        return await load_conversation(session, chat_id)
    return found
