"""Makes the Bot API call of one row of the outbox, and maps its result or error to an `Outcome`."""

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

# Seconds before a message that may have arrived is sent once more; a short outage should be over by then.
UNCERTAIN_PAUSE = 30.0
# Description of the 400 for a message older than 48 hours (Bot API, deleteMessage).
NOT_DELETED = "message can't be deleted"
# Description of the 400 for a chat that cannot be written to; other such chats answer 403.
NO_CHAT = "chat not found"
# Descriptions of errors of a group that may pass: its topic is closed, or the bot lacks a right.
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
    """How an attempt ended: the row's next state, and what was learnt about its chat.

    `wait`: seconds before the message is tried again. `pause`: seconds that Telegram wants no call in the chat.
    `counts`: whether the attempt counts towards `outbox.MAX_ATTEMPTS`. `is_offline`: no connection to the Bot API.
    """

    state: State
    error: str = ""
    message_id: int | None = None
    wait: float = 0.0
    pause: float = 0.0
    counts: bool = True
    is_offline: bool = False
    # Telegram refused the bot's token, so that no message can be sent.
    is_refused: bool = False
    # The chat has blocked the bot or does not exist.
    is_unreachable: bool = False
    # The new id of a group that became a supergroup.
    moved_to: int | None = None
    # The message that was to be edited or deleted does not exist any more.
    is_gone: bool = False


async def deliver(
    bot: Bot, row: OutboxMessage, to: int, screen: Screen, uncertain_pause: float = UNCERTAIN_PAUSE
) -> Outcome:
    """Make the row's call in the chat `to`, the present id of the row's chat: send, edit or delete as the notice's
    kind says. Every error becomes an Outcome; none is raised.

    A message that may have arrived is tried once more after `uncertain_pause` seconds.
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
    """Edit or delete a message of the chat; whether the message still exists."""
    match change:
        case Change.EDIT:
            return await _edit(bot, chat_id, message_id, screen)
        case Change.REMOVE:
            return await _remove(bot, chat_id, message_id, screen)
        case _:
            assert_never(change)


async def _edit(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> bool:
    """Edit a message into the screen; False when the message does not exist any more."""
    try:
        await api.replace(bot, chat_id, message_id, screen)
    except BadRequest as error:
        return _is_there(error)
    return True


async def _remove(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> bool:
    """Delete a message, or edit it into the screen when it is too old to delete; whether it still exists."""
    try:
        await bot.delete_message(chat_id, message_id)
    except BadRequest as error:
        if NOT_DELETED in error.message.lower():
            return await _edit(bot, chat_id, message_id, screen)
        return _is_there(error)
    return False


def _is_there(error: BadRequest) -> bool:
    """Whether the message of a refused edit or deletion exists. Raises the refusal when that is unclear."""
    if api.is_shown(error):
        return True
    if api.is_gone(error):
        return False
    raise error


def _failed(row: OutboxMessage, error: Exception, uncertain_pause: float) -> Outcome:
    """The outcome that an error of the call means."""
    if isinstance(error, BadRequest) and any(words in error.message.lower() for words in PASSING):
        return again(row, error.message)
    if isinstance(error, BadRequest) and NO_CHAT not in error.message.lower():
        log.error("Telegram refused a message: %s: %s", row.kind, error.message)
        TALLY.refusals[f"outbox {row.kind}"] += 1
    if isinstance(error, Forbidden | BadRequest):
        is_unreachable = isinstance(error, Forbidden) or NO_CHAT in error.message.lower()
        return Outcome(State.DEAD, error.message, is_unreachable=is_unreachable)
    if isinstance(error, NotSent):
        # The call had no effect, and the message is not to blame: retried without limit.
        return Outcome(row.state, error.message, counts=False, is_offline=True)
    if isinstance(error, TelegramError) and not isinstance(error, NetworkError):
        return again(row, error.message)
    # A network error, or an answer that python-telegram-bot cannot read: the call may have had an effect.
    if RULES[row.kind].change is not None:
        # Edits and deletions are idempotent: retried without limit.
        return Outcome(row.state, type(error).__name__, wait=_backoff(row))
    reason = error.message if isinstance(error, TelegramError) else type(error).__name__
    return _maybe_sent(row, reason, uncertain_pause)


def again(row: OutboxMessage, error: str) -> Outcome:
    """The outcome of an attempt that certainly did not send: a later retry, or DEAD after the last attempt."""
    if row.attempts + 1 >= outbox.MAX_ATTEMPTS:
        return Outcome(State.DEAD, error)
    return Outcome(row.state, error, wait=_backoff(row))


def _maybe_sent(row: OutboxMessage, error: str, uncertain_pause: float) -> Outcome:
    """The outcome of an attempt that may have sent: one more attempt, then DEAD. The code in the message shows the
    reader that both are the same.
    """
    if row.state is State.UNCERTAIN:
        return Outcome(State.DEAD, error)
    return Outcome(State.UNCERTAIN, error, wait=uncertain_pause)


def _backoff(row: OutboxMessage) -> float:
    """Seconds before the next attempt: 1, 2, 4 … 64."""
    return float(2 ** min(row.attempts, 6))
