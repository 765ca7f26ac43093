"""Methods about the bot itself, its taps and its chats."""

from __future__ import annotations

import re
from typing import Any

from demo.botapi.api import Access, Api, method
from demo.botapi.callbacks import Answer
from demo.botapi.errors import ApiError, bad_request
from demo.botapi.params import MISSING, Params

JsonDict = dict[str, Any]

_ANSWER_LIMIT = 200
_MONTH = 30 * 86400
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SCOPES = ("default", "all_private_chats", "all_group_chats", "all_chat_administrators")
_CHAT_SCOPES = ("chat", "chat_administrators", "chat_member")
_COMMANDS_LIMIT = 100


@method("getMe")
def get_me(api: Api, params: Params) -> JsonDict:
    """Return the bot's own User object."""
    return {
        **api.world.bot.json(),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "supports_guest_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


@method("answerCallbackQuery")
def answer_callback_query(api: Api, params: Params) -> bool:
    """Answer a tap. The person's app stops waiting, and shows the text if there is one."""
    text = params.text("text")
    if len(text) > _ANSWER_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    url = params.text("url")
    if url and not re.match(rf"(?:https?://)?t\.me/{api.world.bot.username}\?start", url, re.IGNORECASE):
        raise bad_request("URL_INVALID")
    answer = Answer(text, params.flag("show_alert"), url, params.integer("cache_time", 0, 0, _MONTH))
    query = api.callbacks.answer(params.text("callback_query_id"), answer)
    detail = {"query_id": query.id, "show_alert": answer.show_alert, "url": answer.url, "user_id": query.user.id}
    api.world.happened(query.chat, "answered", query.message, text, detail)
    return True


def _scope(api: Api, params: Params) -> str:
    """Parse the parameter scope into a key."""
    try:
        value = params.json("scope")
    except ValueError:
        raise bad_request("Can't parse BotCommandScope JSON object") from None
    if value is MISSING:
        return "default"
    if not isinstance(value, dict):
        raise bad_request("Can't parse BotCommandScope: BotCommandScope must be an Object")
    kind = value.get("type")
    if kind in _SCOPES:
        return str(kind)
    if kind not in _CHAT_SCOPES:
        raise bad_request("Can't parse BotCommandScope: Unsupported type specified")
    chat_id = str(value.get("chat_id", ""))
    if not chat_id:
        raise bad_request("Can't parse BotCommandScope: Empty chat_id specified")
    chat = api.chat(Params({"chat_id": chat_id}), Access.READ)
    return f"{kind}:{chat.id}:{value.get('user_id', '')}"


def _language(params: Params) -> str:
    code = params.text("language_code")
    if code and not re.fullmatch(r"[a-z]{2}", code):
        raise bad_request("Invalid language code specified")
    return code


@method("setMyCommands")
def set_my_commands(api: Api, params: Params) -> bool:
    """Set the list of commands for a scope and language."""
    try:
        values = params.json("commands")
    except ValueError:
        raise bad_request("Can't parse commands JSON object") from None
    values = [] if values is MISSING else values
    if not isinstance(values, list):
        raise bad_request("Expected an Array of BotCommand")
    commands = [_command(value) for value in values]
    key = (_scope(api, params), _language(params))
    if len(commands) > _COMMANDS_LIMIT:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    api.commands[key] = commands
    return True


def _command(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise bad_request("Can't parse BotCommand: expected an Object")
    for name in ("command", "description"):
        if name not in value:
            raise bad_request(f"Can't parse BotCommand: Can't find field \"{name}\"")
    command = str(value["command"]).strip().removeprefix("/")
    description = str(value["description"]).strip()
    if not command:
        raise bad_request("Command must be non-empty")
    if len(command) > 32:
        raise bad_request("Command length must not exceed 32")
    if not description:
        raise bad_request("Command description must be non-empty")
    if len(description) > 256:
        raise bad_request("Command description length must not exceed 256")
    if not _COMMAND.fullmatch(command):
        raise bad_request("BOT_COMMAND_INVALID")
    return {"command": command, "description": description}


@method("getMyCommands")
def get_my_commands(api: Api, params: Params) -> list[dict[str, str]]:
    """Return the commands of exactly this scope and language."""
    return api.commands.get((_scope(api, params), _language(params)), [])


@method("deleteMyCommands")
def delete_my_commands(api: Api, params: Params) -> bool:
    """Delete the commands of a scope and language."""
    api.commands.pop((_scope(api, params), _language(params)), None)
    return True


def _profile_text(title: str, field: str, limit: int) -> None:
    """Register the setter and getter of one of the bot's texts."""

    @method(f"setMy{title}")
    def set_text(api: Api, params: Params) -> bool:
        value = params.text(field)
        if len(value) > limit:
            raise bad_request(f"{field.upper()}_TOO_LONG")
        api.texts[field, _language(params)] = value
        return True

    @method(f"getMy{title}")
    def get_text(api: Api, params: Params) -> JsonDict:
        default = api.world.bot.first_name if field == "name" else ""
        general = api.texts.get((field, ""), default)
        return {field: api.texts.get((field, _language(params)), "") or general}


_profile_text("Name", "name", 64)
_profile_text("Description", "description", 512)
_profile_text("ShortDescription", "short_description", 120)


@method("setChatMenuButton")
def set_chat_menu_button(api: Api, params: Params) -> bool:
    """Set the menu button next to the text field."""
    try:
        value = params.json("menu_button")
    except ValueError:
        raise bad_request("Can't parse menu button JSON object") from None
    if value is not MISSING and not isinstance(value, dict):
        raise bad_request("Can't parse menu button: MenuButton must be an Object")
    if isinstance(value, dict) and value.get("type") not in {"default", "commands", "web_app"}:
        raise bad_request("Can't parse menu button: MenuButton has unsupported type")
    if params.text("chat_id"):
        api.chat(params, Access.READ)
    return True


@method("getChat")
def get_chat(api: Api, params: Params) -> JsonDict:
    """Return a chat's full info, with the values of an ordinary chat."""
    chat = api.chat(params, Access.READ)
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), True
    )
    value: JsonDict = {
        **chat.json(),
        "accent_color_id": chat.id % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": gifts,
    }
    if chat.user is None:
        value["permissions"] = {"can_send_messages": True}
    return value


@method("leaveChat")
def leave_chat(api: Api, params: Params) -> bool:
    """Leave a group."""
    chat = api.chat(params, Access.READ)
    if chat.user is not None:
        raise ApiError(400, "Bad Request: chat member status can't be changed in private chats")
    if api.world.bot in chat.members:
        chat.members.remove(api.world.bot)
    chat.bot_status = "left"
    api.world.happened(chat, "member", text="left")
    return True
