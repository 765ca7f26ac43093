"""The methods of the Bot API that the program calls, and how it treats their errors."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from telegram import Bot, BotCommand
from telegram.constants import ChatAction
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from bot.telegram.transport import AiohttpRequest, JsonParameters
from handlers.chat.screen import Button, CopyButton, Screen

log = logging.getLogger(__name__)

# Calls in flight at once, without the long poll, which has a connection pool of its own.
CONNECTIONS = 64
# Seconds between two chat actions: Telegram shows each for 5 s (Bot API, sendChatAction).
ACTION_EVERY = 4.0

# Descriptions of a 400 for a message that does not exist any more or cannot be edited.
GONE = ("message to edit not found", "message can't be edited", "message to delete not found")

# An absolute path, on Unix or Windows. The Bot API's own paths are relative to its root (Bot API, File).
_ABSOLUTE_PATH = re.compile(r"[/\\]|[A-Za-z]:")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Retries:
    """Retries of an answer to a person: exponential back-off, by default with 0.5, 1, 2, 4 s between the tries."""

    tries: int = 5
    # Seconds after the first try; doubled after each.
    first_wait: float = 0.5
    # Seconds. Where Telegram asks for a longer wait, the answer is given up: it would hold up others.
    longest_wait: float = 60.0


RETRIES = Retries()


class LocalPath(Exception):
    """A self-hosted Bot API server gave a path of its own disk in place of a file; the message says how
    to fix it.
    """


def retry_seconds(error: RetryAfter) -> float:
    """Seconds that a 429 asks to wait (Bot API, ResponseParameters.retry_after)."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


async def _call(bot: Bot, method: str, **parameters: object) -> Any:
    """Make one call and return its result as decoded JSON; parameters that are None are left out.

    python-telegram-bot's own methods build objects from answers that nobody reads, which costs more than the call.
    Raises TelegramError as they do.
    """
    present = JsonParameters({name: value for name, value in parameters.items() if value is not None})
    return await bot.request.post(f"{bot.base_url}/{method}", present.as_data())


def keyboard(screen: Screen) -> dict[str, object] | None:
    """The screen's buttons as an InlineKeyboardMarkup of the Bot API; None for a screen without buttons."""
    if not screen.rows:
        return None
    return {"inline_keyboard": [[_button(button) for button in row] for row in screen.rows]}


def _button(button: Button | CopyButton) -> dict[str, object]:
    if isinstance(button, CopyButton):
        return {"text": button.label, "copy_text": {"text": button.copies}}
    inline_button: dict[str, object] = {"text": button.label, "callback_data": button.data}
    if button.style is not None:
        inline_button["style"] = button.style
    return inline_button


def _content(screen: Screen) -> dict[str, object]:
    return {
        "text": screen.text,
        "parse_mode": "HTML",
        "reply_markup": keyboard(screen),
        "link_preview_options": {"is_disabled": True},
    }


def make_bot(token: str, api_url: str, polls: AiohttpRequest, calls: AiohttpRequest | None = None) -> Bot:
    """The python-telegram-bot client over this program's transport, not opened yet: use it with `async with`.

    `polls` is the connection pool of the long poll, `calls` that of all other calls (default: CONNECTIONS).
    """
    return Bot(
        token,
        base_url=f"{api_url.rstrip('/')}/bot",
        base_file_url=f"{api_url.rstrip('/')}/file/bot",
        request=calls or AiohttpRequest(CONNECTIONS),
        get_updates_request=polls,
    )


def tell_dates(bot: Bot, on_date: Callable[[str, float], None]) -> None:
    """Call `on_date` with each answer's Date header and the seconds that its call took, except for polls."""
    if isinstance(bot.request, AiohttpRequest):
        bot.request.on_date = on_date


@asynccontextmanager
async def short_lived(token: str, api_url: str) -> AsyncIterator[Bot]:
    """A client for one or two calls, closed at the end of the block. Raises InvalidToken, TelegramError."""
    bot = make_bot(token, api_url, AiohttpRequest(1))
    try:
        await bot.initialize()
        yield bot
    finally:
        await bot.shutdown()


async def username(token: str, api_url: str) -> str:
    """The bot's username, for links (`https://t.me/<username>`). Raises InvalidToken, TelegramError."""
    async with short_lived(token, api_url) as bot:
        return bot.username


async def send(bot: Bot, chat_id: int, screen: Screen, *, silent: bool = False) -> int:
    """Send a screen as a new message and return the message's id. A `silent` one makes no sound.

    One try. Raises TelegramError; after a NetworkError the message may have arrived.
    """
    message = await _call(
        bot,
        "sendMessage",
        chat_id=chat_id,
        protect_content=screen.is_protected,
        disable_notification=silent or None,
        **_content(screen),
    )
    try:
        return int(message["message_id"])
    except (KeyError, TypeError) as error:
        # A NetworkError, because the message may have been sent.
        raise NetworkError("the answer is not the Bot API's") from error


async def send_photo(bot: Bot, chat_id: int, content: bytes, file_name: str, caption: str) -> int:
    """Send a picture that can be forwarded and saved; the message's id. `caption` is HTML. One try.

    Raises TelegramError.
    """
    message = await bot.send_photo(chat_id, content, caption=caption, parse_mode="HTML", filename=file_name)
    return message.message_id


async def send_document(bot: Bot, chat_id: int, content: bytes, file_name: str, caption: str) -> int:
    """Send a file that can be forwarded and saved; the message's id. `caption` is HTML. One try.

    Raises TelegramError.
    """
    message = await bot.send_document(chat_id, content, caption=caption, parse_mode="HTML", filename=file_name)
    return message.message_id


async def chat_action(bot: Bot, chat_id: int, action: ChatAction) -> None:
    """Show for 5 s that the bot is busy. One try, whose failure is only logged."""
    try:
        await bot.send_chat_action(chat_id, action)
    except TelegramError as error:
        log.info("show a chat action: %s", error.message)


@asynccontextmanager
async def busy(bot: Bot, chat_id: int, action: ChatAction, every: float = ACTION_EVERY) -> AsyncIterator[None]:
    """Show a chat action from before the block until its end, renewed every `every` seconds."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(every)
            await chat_action(bot, chat_id, action)

    await chat_action(bot, chat_id, action)
    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()


async def fetch(bot: Bot, file_id: str, limit: int) -> bytes:
    """Download a file that somebody sent: at most `limit` + 1 bytes, so that the caller can see that it is larger.

    One try. Raises TelegramError, LocalPath.
    """
    file, request = await _call(bot, "getFile", file_id=file_id), bot.request
    path = file.get("file_path") if isinstance(file, dict) else None
    if not path or not isinstance(path, str) or not isinstance(request, AiohttpRequest):
        raise NetworkError("a file without a path")
    if _ABSOLUTE_PATH.match(path):
        raise LocalPath(
            "the Bot API's server runs with --local and gives paths of its own machine in place of files;"
            " start it without --local (docs/operations.md, A Bot API server of one's own)"
        )
    return await request.fetch(f"{bot.base_file_url}/{quote(path)}", limit)


async def persist(what: str, call: Callable[[], Awaitable[Result]], retries: Retries = RETRIES) -> Result | None:
    """Make a call that answers a person, with retries. Returns its result, or None when it failed for good.

    Network errors and 429s are retried as `retries` says: an answer that arrives twice is better than none. Any
    other error of the Bot API is final. Raises no TelegramError. `what` names the call in the log.
    """
    for attempt in range(retries.tries):
        wait = retries.first_wait * 2**attempt
        try:
            return await call()
        except RetryAfter as error:
            log.warning("%s: try %d of %d: %s", what, attempt + 1, retries.tries, error.message)
            wait = retry_seconds(error)
        except BadRequest as error:
            log.info("%s: refused: %s", what, error.message)
            return None
        except NetworkError as error:
            log.warning("%s: try %d of %d: %s", what, attempt + 1, retries.tries, error.message)
        except TelegramError as error:
            log.info("%s: refused: %s", what, error.message)
            return None
        if wait > retries.longest_wait or attempt == retries.tries - 1:
            break
        await asyncio.sleep(wait)
    log.error("%s: given up", what)
    return None


async def answer(bot: Bot, callback_id: str, toast: str, retries: Retries = RETRIES) -> None:
    """Answer a callback query: the button's spinner stops, and the toast is shown unless it is empty.

    A refusal is only logged: a query expires after about 150 s, and the message is edited all the same.
    """
    await persist(
        "answer a tap",
        lambda: _call(bot, "answerCallbackQuery", callback_query_id=callback_id, text=toast or None),
        retries,
    )


async def replace(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> None:
    """Edit a message into a screen. One try. Raises TelegramError."""
    await _call(bot, "editMessageText", chat_id=chat_id, message_id=message_id, **_content(screen))


def is_shown(error: BadRequest) -> bool:
    """Whether an edit was refused because the message has this content already."""
    return "message is not modified" in error.message.lower()


def is_gone(error: BadRequest) -> bool:
    """Whether an edit or a deletion was refused because the message is deleted or cannot be edited any more."""
    return any(words in error.message.lower() for words in GONE)


async def delete(bot: Bot, chat_id: int, message_id: int, retries: Retries = RETRIES) -> bool:
    """Delete a message, with retries; whether it is deleted now (a message that was deleted before counts)."""

    async def call() -> bool:
        try:
            return bool(await _call(bot, "deleteMessage", chat_id=chat_id, message_id=message_id))
        except BadRequest as error:
            if is_gone(error):
                return True
            raise

    return bool(await persist("delete a message", call, retries))


async def introduce(bot: Bot, commands: dict[str, list[tuple[str, str]]]) -> None:
    """Set the bot's command menu: (command, description) pairs by language code, `""` for all other languages.

    Raises TelegramError.
    """
    for language, pairs in commands.items():
        menu = [BotCommand(name, description) for name, description in pairs]
        await bot.set_my_commands(menu, language_code=language or None)
