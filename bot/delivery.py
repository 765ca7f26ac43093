"""One call for one row of the outbox, and what its end means for the row."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from bot import api
from bot.transport import NotSent
from handlers.screen import Screen
from models import outbox
from models.outbox import Kind, OutboxMessage, State

# Seconds before a message that may have arrived is sent once more: a short outage should be over by then.
UNCERTAIN_PAUSE = 30.0
# What Telegram says of a message that cannot show anything any more, or shows this already.
CHANGED_ALREADY = ("message to edit not found", "message can't be edited", "message is not modified")
# What it says, beside 403, of a chat that cannot be written to at all.
NO_CHAT = "chat not found"


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
    is_unreachable: bool = False
    moved_to: int | None = None


async def deliver(bot: Bot, row: OutboxMessage, to: int, screen: Screen) -> Outcome:
    """Make the row's call, a new message or a change of one, in the chat `to`: where the row's chat is now."""
    try:
        if row.kind in outbox.CHANGES:
            await _CHANGE[row.kind](bot, to, row.subject_id, screen)
            return Outcome(State.SENT)
        return Outcome(State.SENT, message_id=await api.send(bot, to, screen))
    except RetryAfter as error:
        wait = api.retry_seconds(error)
        return Outcome(row.state, error.message, wait=wait, pause=wait, counts=False)
    except ChatMigrated as error:
        return replace(again(row, error.message), wait=0.0, moved_to=error.new_chat_id)
    except Exception as error:
        return _failed(row, error)


async def _edit(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> None:
    """Put the screen in place of a message. One that is gone, or says so already, is as good as changed."""
    try:
        await bot.edit_message_text(
            screen.text, chat_id, message_id, parse_mode="HTML", reply_markup=api.markup(screen)
        )
    except BadRequest as error:
        if not any(words in error.message.lower() for words in CHANGED_ALREADY):
            raise


# How each of outbox.CHANGES is done to the message whose id is the row's subject.
_CHANGE: dict[Kind, Callable[[Bot, int, int, Screen], Awaitable[None]]] = {Kind.BLANK: _edit}


def _failed(row: OutboxMessage, error: Exception) -> Outcome:
    """What an error of the call means for the message."""
    if isinstance(error, Forbidden | BadRequest):
        is_unreachable = isinstance(error, Forbidden) or NO_CHAT in error.message.lower()
        return Outcome(State.DEAD, error.message, is_unreachable=is_unreachable)
    if isinstance(error, NotSent):
        # Without effect, and no fault of the message's: as often as it takes.
        return Outcome(row.state, error.message, counts=False, is_offline=True)
    if isinstance(error, TelegramError) and not isinstance(error, NetworkError):
        return again(row, error.message)
    # The network, or an answer that python-telegram-bot cannot read.
    if row.kind in outbox.CHANGES:
        # Done twice it is done once: as often as it takes, too.
        return Outcome(row.state, type(error).__name__, wait=_backoff(row))
    return _maybe_sent(row, error.message if isinstance(error, TelegramError) else type(error).__name__)


def again(row: OutboxMessage, error: str) -> Outcome:
    """It was not sent; after the last attempt that is allowed it never will be."""
    if row.attempts + 1 >= outbox.MAX_ATTEMPTS:
        return Outcome(State.DEAD, error)
    return Outcome(row.state, error, wait=_backoff(row))


def _maybe_sent(row: OutboxMessage, error: str) -> Outcome:
    """It may have arrived. Once more, and no more: the code in it shows that it is the same."""
    if row.state is State.UNCERTAIN:
        return Outcome(State.DEAD, error)
    return Outcome(State.UNCERTAIN, error, wait=UNCERTAIN_PAUSE)


def _backoff(row: OutboxMessage) -> float:
    """1, 2, 4 … 64 seconds."""
    return float(2 ** min(row.attempts, 6))
