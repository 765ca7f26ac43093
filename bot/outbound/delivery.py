"""One call for one row of the outbox, and what its end means for the row."""

import logging
from dataclasses import dataclass, replace
from typing import assert_never

from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from bot.runtime.metrics import TALLY
from bot.telegram import api
from bot.telegram.transport import NotSent
from handlers.chat.screen import Screen
from models.notices import outbox
from models.notices.kind import RULES, Change
from models.notices.outbox import OutboxMessage, State

# Seconds before a message that may have arrived is sent once more: a short outage should be over by then.
UNCERTAIN_PAUSE = 30.0
# Older than 48 hours (Bot API, deleteMessage).
NOT_DELETED = "message can't be deleted"
# What it says, beside 403, of a chat that cannot be written to at all.
NO_CHAT = "chat not found"
# What a group refuses today and may take tomorrow: its topic is closed, or the bot's rights were taken away.
PASSING = (
    "topic_closed",
    "topic closed",
    "not enough rights",
    "have no rights to send",
    "chat_write_forbidden",
    "need administrator rights",
    "chat_restricted",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a try ended, and what is to be known of its chat.

    The message waits for `wait` seconds, its whole chat for `pause`. `counts`: whether it was one of the tries
    after which a message is given up. `is_offline`: there is no connection to the Bot API.
    """

    state: State
    error: str = ""
    message_id: int | None = None
    wait: float = 0.0
    pause: float = 0.0
    counts: bool = True
    is_offline: bool = False
    # Telegram does not know the token: nothing can be sent.
    is_refused: bool = False
    is_unreachable: bool = False
    moved_to: int | None = None
    # The message that was to be changed is not there any more.
    is_gone: bool = False


async def deliver(
    bot: Bot, row: OutboxMessage, to: int, screen: Screen, uncertain_pause: float = UNCERTAIN_PAUSE
) -> Outcome:
    """Make the row's call, a new message or a change of one, in the chat `to`: where the row's chat is now. What
    may have arrived waits for `uncertain_pause` seconds.
    """
    try:
        change = RULES[row.kind].change
        if change is None:
            return Outcome(State.SENT, message_id=await api.send(bot, to, screen))
        message_id = row.subject_id if screen.message_id is None else screen.message_id
        return Outcome(State.SENT, is_gone=not await _change(bot, change, to, message_id, screen))
    except RetryAfter as error:
        wait = api.retry_seconds(error)
        return Outcome(row.state, error.message, wait=wait, pause=wait, counts=False)
    except InvalidToken as error:
        return Outcome(row.state, error.message, counts=False, is_refused=True)
    except ChatMigrated as error:
        return replace(again(row, error.message), wait=0.0, moved_to=error.new_chat_id)
    except Exception as error:
        return _failed(row, error, uncertain_pause)


async def _change(bot: Bot, change: Change, chat_id: int, message_id: int, screen: Screen) -> bool:
    """Change a message that is in the chat; whether it is still there."""
    match change:
        case Change.EDIT:
            return await _edit(bot, chat_id, message_id, screen)
        case Change.REMOVE:
            return await _remove(bot, chat_id, message_id, screen)
        case _:
            assert_never(change)


async def _edit(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> bool:
    """Put the screen in place of a message; whether it is there. One that is gone is as good as changed."""
    try:
        await api.replace(bot, chat_id, message_id, screen)
    except BadRequest as error:
        return _is_there(error)
    return True


async def _remove(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> bool:
    """Delete a message, or put the screen in its place where it is too old for that; whether it is still there."""
    try:
        await bot.delete_message(chat_id, message_id)
    except BadRequest as error:
        if NOT_DELETED in error.message.lower():
            return await _edit(bot, chat_id, message_id, screen)
        return _is_there(error)
    return False


def _is_there(error: BadRequest) -> bool:
    """What a refusal says of the message; any other refusal is raised."""
    if api.is_shown(error):
        return True
    if api.is_gone(error):
        return False
    raise error


def _failed(row: OutboxMessage, error: Exception, uncertain_pause: float) -> Outcome:
    """What an error of the call means for the message."""
    if isinstance(error, BadRequest) and any(words in error.message.lower() for words in PASSING):
        return again(row, error.message)
    if isinstance(error, BadRequest) and NO_CHAT not in error.message.lower():
        log.error("Telegram refused a message: %s: %s", row.kind, error.message)
        TALLY.refusals[f"outbox {row.kind}"] += 1
    if isinstance(error, Forbidden | BadRequest):
        is_unreachable = isinstance(error, Forbidden) or NO_CHAT in error.message.lower()
        return Outcome(State.DEAD, error.message, is_unreachable=is_unreachable)
    if isinstance(error, NotSent):
        # Without effect, and no fault of the message's: as often as it takes.
        return Outcome(row.state, error.message, counts=False, is_offline=True)
    if isinstance(error, TelegramError) and not isinstance(error, NetworkError):
        return again(row, error.message)
    # The network, or an answer that python-telegram-bot cannot read.
    if RULES[row.kind].change is not None:
        # Edits are idempotent: as often as it takes, too.
        return Outcome(row.state, type(error).__name__, wait=_backoff(row))
    reason = error.message if isinstance(error, TelegramError) else type(error).__name__
    return _maybe_sent(row, reason, uncertain_pause)


def again(row: OutboxMessage, error: str) -> Outcome:
    """It was not sent; after the last attempt that is allowed it never will be."""
    if row.attempts + 1 >= outbox.MAX_ATTEMPTS:
        return Outcome(State.DEAD, error)
    return Outcome(row.state, error, wait=_backoff(row))


def _maybe_sent(row: OutboxMessage, error: str, uncertain_pause: float) -> Outcome:
    """It may have arrived. Once more, and no more: the code in it shows that it is the same."""
    if row.state is State.UNCERTAIN:
        return Outcome(State.DEAD, error)
    return Outcome(State.UNCERTAIN, error, wait=uncertain_pause)


def _backoff(row: OutboxMessage) -> float:
    """1, 2, 4 … 64 seconds."""
    return float(2 ** min(row.attempts, 6))
