"""Reply markups: what the server refuses, drops and keeps.

Rules and wordings: Client.cpp (get_reply_markup, get_inline_keyboard_button_type) and td/telegram/ReplyMarkup.cpp.
From Telegram's own servers behind them: BUTTON_DATA_INVALID, BUTTON_COPY_TEXT_INVALID, and REPLY_MARKUP_TOO_LONG,
which Client.cpp puts into words (fail_query_with_error).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from demo.botapi.errors import ApiError, bad_request
from demo.botapi.formatting import utf16
from demo.botapi.links import checked_url, user_link
from demo.botapi.params import MISSING, Params

JsonDict = dict[str, Any]

_STYLES = {"primary", "danger", "success"}
_BUTTONS_IN_ROW = 12  # further ones are dropped silently, here as there
_BUTTONS_IN_ALL = 300
_DATA_LIMIT = 64
_COPY_LIMIT = 256  # Bot API, CopyTextButton
# Bytes of its JSON in UTF-8 without blanks. Telegram documents no limit. It is about 10 kB (tginfo/Telegram-Limits
# #187); the smallest keyboard that is known to have been refused has 9,641 (python-telegram-bot #5104).
MARKUP_LIMIT = 9_500
_OBJECT_ACTIONS = {"callback_game", "switch_inline_query_chosen_chat", "login_url", "web_app", "copy_text"}
_ACTIONS = (
    "url",
    "callback_data",
    "callback_game",
    "pay",
    "switch_inline_query",
    "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat",
    "login_url",
    "web_app",
    "copy_text",
)


class _MalformedError(Exception):
    """A button that cannot be read; the caller says where it stood."""


@dataclass(frozen=True, slots=True)
class Markup:
    """A reply markup; only an inline one is part of the message, the others change the chat's keyboard."""

    inline: bool
    value: JsonDict


def read_markup(params: Params, complain: Callable[[str], None]) -> Markup | None:
    """Read the parameter reply_markup; `complain` gets what the real server takes but the docs forbid."""
    try:
        value = params.json("reply_markup")
    except ValueError:
        raise bad_request("Can't parse reply keyboard markup JSON object") from None
    if value is MISSING:
        return None
    if not isinstance(value, dict):
        raise bad_request("Object expected as reply markup")
    if _rows(value, "keyboard", 'Field "keyboard" must be an Array of Arrays'):
        keyboard = _collect(value["keyboard"], _keyboard_button, "keyboard button")
        return Markup(False, {**value, "keyboard": keyboard}) if keyboard else None
    message = 'Field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'
    if _rows(value, "inline_keyboard", message):
        rows = _collect(value["inline_keyboard"], lambda b: _inline_button(b, complain), "inline keyboard button")
        return Markup(True, {"inline_keyboard": rows}) if rows else None
    if value.get("remove_keyboard") is True or value.get("force_reply") is True:
        return Markup(False, value)
    return None


def check_on_send(markup: Markup | None) -> None:
    """Refuse what only Telegram's servers refuse, after all the rest was found right."""
    if markup is None:
        return
    if len(orjson.dumps(markup.value)) > MARKUP_LIMIT:
        raise bad_request("reply markup is too long")
    if not markup.inline:
        return
    for row in markup.value["inline_keyboard"]:
        for button in row:
            if len(button.get("callback_data", "").encode()) > _DATA_LIMIT:
                raise bad_request("BUTTON_DATA_INVALID")
            if "copy_text" in button and not 0 < utf16(button["copy_text"]["text"]) <= _COPY_LIMIT:
                raise bad_request("BUTTON_COPY_TEXT_INVALID")


def _rows(value: JsonDict, name: str, message: str) -> bool:
    rows = value.get(name)
    if rows is None:
        return False
    if not isinstance(rows, list):
        raise bad_request(f'Field "{name}" must be of type Array')
    if any(not isinstance(row, list) for row in rows):
        raise bad_request(message)
    return bool(rows)


def _collect(rows: list[list[Any]], read: Callable[[Any], JsonDict], what: str) -> list[list[JsonDict]]:
    try:
        buttons = [[read(button) for button in row] for row in rows]
    except _MalformedError as error:
        raise bad_request(f"Can't parse {what}: {error}") from None
    result = []
    remaining = _BUTTONS_IN_ALL
    for row in buttons:
        kept_buttons = [_checked(button) for button in row if button["text"]][: min(_BUTTONS_IN_ROW, remaining)]
        remaining -= len(kept_buttons)
        if kept_buttons:
            result.append(kept_buttons)
    return result


def _checked(button: JsonDict) -> JsonDict:
    url = button.get("url")
    if url is None:
        return button
    if user_link(url) is not None:
        return button
    checked, reason = checked_url(url)
    if checked is None:
        raise ApiError(400, f"Bad Request: inline keyboard button URL '{url}' is invalid: {reason}")
    return {**button, "url": checked}


def _string(button: JsonDict, name: str) -> str:
    value = button.get(name, "")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _MalformedError(f'Field "{name}" must be of type String')
    return str(value)


def _common(button: JsonDict) -> JsonDict:
    if "text" not in button:
        raise _MalformedError('Can\'t find field "text"')
    style = _string(button, "style").lower()
    if style and style != "default" and style not in _STYLES:
        raise _MalformedError("invalid button style specified")
    fields: JsonDict = {"text": _string(button, "text")}
    if style in _STYLES:
        fields["style"] = style
    if button.get("icon_custom_emoji_id"):
        fields["icon_custom_emoji_id"] = _string(button, "icon_custom_emoji_id")
    return fields


def _keyboard_button(button: Any) -> JsonDict:
    if isinstance(button, str):
        return {"text": button}
    if not isinstance(button, dict):
        raise _MalformedError("KeyboardButton must be a String or an Object")
    return {**button, **_common(button)}


def _inline_button(button: Any, complain: Callable[[str], None]) -> JsonDict:
    if not isinstance(button, dict):
        raise _MalformedError("InlineKeyboardButton must be an Object")
    fields = _common(button)
    if not fields["text"]:
        complain("an inline button without text is dropped silently by the server")
    if sum(name in button for name in _ACTIONS) > 1:
        complain(f"inline button {fields['text']!r} has several actions, the server keeps one silently")
    for name in ("url", "callback_data"):
        if _string(button, name):
            fields[name] = _string(button, name)
            return fields
    for name in _ACTIONS[2:]:
        if name in button:
            if name in _OBJECT_ACTIONS and not isinstance(button[name], dict):
                raise _MalformedError(f'Field "{name}" must be of type Object')
            fields[name] = _copy_text(button[name]) if name == "copy_text" else button[name]
            return fields
    raise _MalformedError("Text buttons are unallowed in the inline keyboard")


def _copy_text(value: JsonDict) -> JsonDict:
    """A CopyTextButton: its one field, as text."""
    if "text" not in value:
        raise _MalformedError('Can\'t find field "text"')
    return {"text": _string(value, "text")}
