"""Whether a chat is reachable: its pauses (429), refusals by Telegram, and moves to a supergroup."""

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

# Telegram asks for no longer wait. A pause that ends later was stored by a clock that was ahead, and is ignored.
LONGEST_PAUSE = timedelta(days=1)


@dataclass(frozen=True)
class Way:
    """How to reach a chat: its current id at Telegram, until when it is paused, and why Telegram refuses
    messages.
    """

    to: int
    paused_until: datetime | None = None
    unreachable: str | None = None


def way_to(chat_id: int, conversation: Conversation | None, now: datetime) -> Way:
    """Return how to reach a chat now, from its stored state (None for a chat without one)."""
    if conversation is None:
        return Way(chat_id)
    until = conversation.paused_until
    is_paused = until is not None and until > now and not is_ahead(until, LONGEST_PAUSE, now)
    is_refused = conversation.unreachable_since is not None
    return Way(
        to=conversation.moved_to or chat_id,
        paused_until=until if is_paused else None,
        unreachable=(conversation.unreachable_reason or "unreachable") if is_refused else None,
    )


async def pause(session: AsyncSession, chat_id: int, until: datetime, now: datetime) -> None:
    """Send nothing to a chat before `until`, also after a restart. A later end of a valid pause is kept."""
    conversation = await _known_conversation(session, chat_id)
    if conversation is None:
        return
    before = conversation.paused_until
    if before is None or before < until or is_ahead(before, LONGEST_PAUSE, now):
        conversation.paused_until = until


async def paused(session: AsyncSession, now: datetime) -> dict[int, datetime]:
    """Return the end of the pause of each chat that is paused, by chat id."""
    pauses = await session.execute(
        select(Conversation.chat_id, Conversation.paused_until).where(Conversation.paused_until > now)
    )
    return {
        chat_id: until
        for chat_id, until in pauses
        if until is not None and not is_ahead(until, LONGEST_PAUSE, now)
    }


async def move(session: AsyncSession, chat_id: int, to: int) -> None:
    """Record that a group has become the supergroup `to`, which receives its messages from now on."""
    group = await load_conversation(session, chat_id)
    group.moved_to = to
    if group.told_private_only:
        (await load_conversation(session, to)).told_private_only = True


async def lose(session: AsyncSession, chat_id: int, reason: str, now: datetime, operator_chat: int | None) -> None:
    """Record that Telegram refuses messages to a chat: its unsent messages become dead, with `reason` as the
    error.

    Notifies the account's other officers, or the operator if none of them is reachable. Further calls before the
    chat is reachable again notify nobody.
    """
    await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.chat_id == chat_id,
            OutboxMessage.state.in_([State.PENDING, State.UNCERTAIN, State.HELD]),
        )
        .values(state=State.DEAD, error=reason[:300])
    )
    conversation = await _known_conversation(session, chat_id)
    if conversation is None:
        # The user was erased: delete the rows, because they contain the user's id.
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
        colleague.user_id
        for colleague in await linked_officers(session, [officer.account_id])
        if colleague.id != officer.id
    ]
    unreachable = await session.scalars(
        select(Conversation.chat_id).where(
            Conversation.chat_id.in_(colleagues), Conversation.unreachable_since.is_not(None)
        )
    )
    chats = set(colleagues) - set(unreachable)
    if not chats and operator_chat is not None:
        chats = {operator_chat}
    for chat in sorted(chats):
        outbox.enqueue(session, NoticeKind.UNREACHABLE, chat, officer.id, now, occasion=now.isoformat())


async def lost_since(session: AsyncSession, chat_id: int) -> datetime | None:
    """Return since when Telegram has refused messages to a chat; None if it does not."""
    conversation = await session.get(Conversation, chat_id)
    return None if conversation is None else conversation.unreachable_since


async def find_again(
    session: AsyncSession,
    conversation: Conversation,
    officer: Officer | None,
    now: datetime,
    operator_chat: int | None = None,
    *,
    lets_in: bool = False,
) -> bool:
    """Mark a chat as reachable, because an update came from it. Returns whether it had been unreachable.

    Edits that failed meanwhile are retried, so that nothing stays in the chat that was to be blanked. `officer`,
    the one linked to the chat, or the operator is told how many notices did not arrive.

    A supergroup is also looked up under the ids of the groups it came from. With `lets_in` (the bot was made a
    member of a group) the operator's group is marked too: it may be this one under a new id, and the next message
    to it will tell.
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


async def _known_conversation(session: AsyncSession, chat_id: int) -> Conversation | None:
    """Return the state of a chat, created for a group or an officer's chat.

    None for other users: nothing is stored about users who were erased or never linked.
    """
    conversation = await session.get(Conversation, chat_id)
    if conversation is None and (chat_id < 0 or await is_somebodys(session, chat_id)):
        return await load_conversation(session, chat_id)
    return conversation
