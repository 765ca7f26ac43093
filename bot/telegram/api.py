"""The few calls that the bot makes, with what their refusals mean for it."""

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

# Calls under way at once, beside the long poll, which has a pool of its own.
CONNECTIONS = 64
# A chat action is shown for 5 s (Bot API, sendChatAction), so it is renewed before they are over.
ACTION_EVERY = 4.0

# What Telegram says of a message that is not there any more, or cannot be edited.
GONE = ("message to edit not found", "message can't be edited", "message to delete not found")

# A path on a machine, absolute on Unix or Windows, where one below the Bot API's root belongs (Bot API, File).
_OF_A_MACHINE = re.compile(r"[/\\]|[A-Za-z]:")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Retries:
    """How often one answer to a person is tried, with 0.5, 1, 2, 4 s between the tries."""

    tries: int = 5
    # Seconds after the first try, doubled after each.
    first_wait: float = 0.5
    # Seconds: an answer that Telegram wants to have later than this is not waited for, it would hold up others.
    longest_wait: float = 60.0


RETRIES = Retries()


class LocalPath(Exception):
    """A Bot API server of one's own does not serve files; the message says how to mend it."""


def retry_seconds(error: RetryAfter) -> float:
    """How long Telegram asks to wait (Bot API, ResponseParameters.retry_after)."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


async def _call(bot: Bot, method: str, **parameters: object) -> Any:
    """One call; its result as JSON. python-telegram-bot's own methods make objects of answers that nobody reads,
    which costs more than the call. Raises TelegramError as they do.
    """
    given = JsonParameters({name: value for name, value in parameters.items() if value is not None})
    return await bot.request.post(f"{bot.base_url}/{method}", given.as_data())


def keyboard(screen: Screen) -> dict[str, object] | None:
    """The screen's buttons as the Bot API wants them (Bot API, InlineKeyboardMarkup)."""
    if not screen.rows:
        return None
    return {"inline_keyboard": [[_button(button) for button in row] for row in screen.rows]}


def _button(button: Button | CopyButton) -> dict[str, object]:
    if isinstance(button, CopyButton):
        return {"text": button.label, "copy_text": {"text": button.copies}}
    shown: dict[str, object] = {"text": button.label, "callback_data": button.data}
    if button.style is not None:
        shown["style"] = button.style
    return shown


def _content(screen: Screen) -> dict[str, object]:
    return {
        "text": screen.text,
        "parse_mode": "HTML",
        "reply_markup": keyboard(screen),
        "link_preview_options": {"is_disabled": True},
    }


def make_bot(token: str, api_url: str, polls: AiohttpRequest, calls: AiohttpRequest | None = None) -> Bot:
    """The bot over our transport; open it with `async with`. `polls` is the pool of the long poll, `calls` that of
    all other calls: CONNECTIONS of them when none is given.
    """
    return Bot(
        token,
        base_url=f"{api_url.rstrip('/')}/bot",
        base_file_url=f"{api_url.rstrip('/')}/file/bot",
        request=calls or AiohttpRequest(CONNECTIONS),
        get_updates_request=polls,
    )


def tell_dates(bot: Bot, on_date: Callable[[str, float], None]) -> None:
    """Pass on the Date of every answer from now on, and the seconds that its call took; polls are left out."""
    if isinstance(bot.request, AiohttpRequest):
        bot.request.on_date = on_date


@asynccontextmanager
async def short_lived(token: str, api_url: str) -> AsyncIterator[Bot]:
    """The bot for a question or two. Raises InvalidToken, TelegramError."""
    bot = make_bot(token, api_url, AiohttpRequest(1))
    try:
        await bot.initialize()
        yield bot
    finally:
        await bot.shutdown()


async def username(token: str, api_url: str) -> str:
    """The bot's name at Telegram, for links to it. Raises InvalidToken, TelegramError."""
    async with short_lived(token, api_url) as bot:
        return bot.username


async def send(bot: Bot, chat_id: int, screen: Screen, *, silent: bool = False) -> int:
    """Send a screen as a new message, which rings unless it is `silent`; its id. One try: the errors are the
    caller's.
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
        # It may have had an effect.
        raise NetworkError("the answer is not the Bot API's") from error


async def send_photo(bot: Bot, chat_id: int, content: bytes, file_name: str, caption: str) -> int:
    """Send a picture that can be passed on; the message's id. One try: the errors are the caller's."""
    message = await bot.send_photo(chat_id, content, caption=caption, parse_mode="HTML", filename=file_name)
    return message.message_id


async def send_document(bot: Bot, chat_id: int, content: bytes, file_name: str, caption: str) -> int:
    """Send a file that can be passed on; the message's id. One try: the errors are the caller's."""
    message = await bot.send_document(chat_id, content, caption=caption, parse_mode="HTML", filename=file_name)
    return message.message_id


async def chat_action(bot: Bot, chat_id: int, action: ChatAction) -> None:
    """Show for 5 s that the bot is busy. One try: what it announces comes with or without it."""
    try:
        await bot.send_chat_action(chat_id, action)
    except TelegramError as error:
        log.info("show a chat action: %s", error.message)


@asynccontextmanager
async def busy(bot: Bot, chat_id: int, action: ChatAction, every: float = ACTION_EVERY) -> AsyncIterator[None]:
    """Show a chat action until the end of the block; it is there before the block begins, and renewed
    after each `every` seconds.
    """

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
    """A file that somebody sent, up to one byte more than `limit`. One try: the errors are the caller's.

    Raises TelegramError, LocalPath.
    """
    file, request = await _call(bot, "getFile", file_id=file_id), bot.request
    path = file.get("file_path") if isinstance(file, dict) else None
    if not path or not isinstance(path, str) or not isinstance(request, AiohttpRequest):
        raise NetworkError("a file without a path")
    if _OF_A_MACHINE.match(path):
        raise LocalPath(
            "the Bot API's server runs with --local and gives paths of its own machine in place of files;"
            " start it without --local (docs/operations.md, A Bot API server of one's own)"
        )
    return await request.fetch(f"{bot.base_file_url}/{quote(path)}", limit)


async def persist(what: str, call: Callable[[], Awaitable[Result]], retries: Retries = RETRIES) -> Result | None:
    """Make a call that answers a person until it gets through; None when it will not.

    A refusal is final. A network error and a 429 are tried again for some seconds: an answer that arrives twice
    is better than none.
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
    """Stop the button's spinner. Too late (150 s) is harmless: the message is edited all the same."""
    await persist(
        "answer a tap",
        lambda: _call(bot, "answerCallbackQuery", callback_query_id=callback_id, text=toast or None),
        retries,
    )


async def replace(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> None:
    """Put the screen in place of a message. One try: the errors are the caller's."""
    await _call(bot, "editMessageText", chat_id=chat_id, message_id=message_id, **_content(screen))


def is_shown(error: BadRequest) -> bool:
    """Whether an edit was refused because the message shows this already."""
    return "message is not modified" in error.message.lower()


def is_gone(error: BadRequest) -> bool:
    """Whether a message that was to be edited or deleted is not there, or cannot be edited any more."""
    return any(words in error.message.lower() for words in GONE)


async def delete(bot: Bot, chat_id: int, message_id: int, retries: Retries = RETRIES) -> bool:
    """Delete a message; whether it is gone now."""

    async def call() -> bool:
        try:
            return bool(await _call(bot, "deleteMessage", chat_id=chat_id, message_id=message_id))
        except BadRequest as error:
            if is_gone(error):
                return True
            raise

    return bool(await persist("delete a message", call, retries))


async def introduce(bot: Bot, commands: dict[str, list[tuple[str, str]]]) -> None:
    """Set the commands menu: by language code, `""` for all others, (command, description) pairs."""
    for language, pairs in commands.items():
        listed = [BotCommand(name, description) for name, description in pairs]
        await bot.set_my_commands(listed, language_code=language or None)
