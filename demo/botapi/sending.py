"""Methods that put new messages into chats (Client.cpp, do_send_message)."""

from __future__ import annotations

from typing import Any

from demo.botapi.api import Access, Api, method
from demo.botapi.errors import bad_request
from demo.botapi.files import document_content, input_file, photo_content
from demo.botapi.formatting import CAPTION_LIMIT, TEXT_LIMIT, Formatted, format_text
from demo.botapi.keyboards import Markup, check_on_send, read_markup
from demo.botapi.params import MISSING, Params
from demo.botapi.state import Chat, Message

JsonDict = dict[str, Any]

_ACTIONS = frozenset({
    "cancel", "typing", "record_video", "upload_video", "record_audio", "record_voice", "upload_audio",
    "upload_voice", "upload_photo", "upload_document", "choose_sticker", "pick_up_location", "find_location",
    "record_video_note", "upload_video_note",
})  # fmt: skip


def entities_of(params: Params, name: str) -> Any:
    """Decode entities given as a parameter; what is no JSON counts as none (Client.cpp, get_input_entities)."""
    try:
        return params.json(name)
    except ValueError:
        return MISSING


def read_formatted(api: Api, text: str, parse_mode: str, entities: Any, *, allow_empty: bool = True) -> Formatted:
    """Format a text; a mention of somebody whom nobody knows is dropped and its text stays."""
    formatted = format_text(text, parse_mode, entities, allow_empty=allow_empty)
    for entity in list(formatted.entities):
        if entity["type"] == "text_mention":
            user = api.world.users.get(entity.get("user", {}).get("id"))
            if user is None:
                formatted.entities.remove(entity)
            else:
                entity["user"] = user.json()
    return formatted


def read_text(api: Api, params: Params) -> Formatted:
    """Read text, parse_mode and entities."""
    text = params.text("text")
    if not text:
        raise bad_request("Message text is empty")
    entities = entities_of(params, "entities")
    return read_formatted(api, text, params.text("parse_mode"), entities, allow_empty=False)


def read_caption(api: Api, params: Params) -> JsonDict:
    """Read caption, parse_mode and caption_entities into a message's fields."""
    entities = entities_of(params, "caption_entities")
    return caption_content(read_formatted(api, params.text("caption"), params.text("parse_mode"), entities))


def caption_content(caption: Formatted) -> JsonDict:
    """Give a caption as a message's fields."""
    content: JsonDict = {"caption": caption.text} if caption.text else {}
    if caption.entities:
        content["caption_entities"] = caption.entities
    return content


def text_content(text: Formatted) -> JsonDict:
    """Give a text as a message's fields."""
    return {"text": text.text, "entities": text.entities} if text.entities else {"text": text.text}


def link_preview(params: Params) -> JsonDict:
    """Read link_preview_options, or the older flag (Client.cpp, get_link_preview_options)."""
    try:
        value = params.json("link_preview_options")
    except ValueError:
        raise bad_request("Can't parse link preview options JSON object") from None
    if value is MISSING:
        value = {"is_disabled": True} if params.flag("disable_web_page_preview") else {}
    if not isinstance(value, dict):
        raise bad_request("Object expected as link preview options")
    settings = {name: setting for name, setting in value.items() if setting}
    return {"link_preview_options": settings} if settings else {}


def _reply_to(params: Params, chat: Chat) -> Message | None:
    try:
        value = params.json("reply_parameters")
    except ValueError:
        raise bad_request("Can't parse reply parameters JSON object") from None
    if value is MISSING:
        message_id = params.integer("reply_to_message_id")
        lenient = params.flag("allow_sending_without_reply")
    elif not isinstance(value, dict):
        raise bad_request("Object expected as reply parameters")
    elif not value:
        return None
    elif "message_id" not in value:
        raise bad_request('Can\'t find field "message_id"')
    elif not str(value["message_id"]).lstrip("-").isdigit():
        raise bad_request('Field "message_id" must be a valid Number')
    else:
        message_id, lenient = int(value["message_id"]), value.get("allow_sending_without_reply") is True
    if message_id <= 0:
        return None
    message = chat.messages.get(message_id)
    if message is not None and not message.deleted:
        return message
    if lenient:
        return None
    raise bad_request("message to be replied not found")


def _send(
    api: Api, method_name: str, params: Params, content: JsonDict, options: JsonDict | None = None
) -> JsonDict:
    markup = read_markup(params, api.complain)
    chat = api.chat(params, Access.WRITE)
    if chat.user is not None and params.integer("message_thread_id") > 0:
        raise bad_request("message thread not found")  # the emulator has no topics
    reply_to = _reply_to(params, chat)
    if len(content.get("text", "")) > TEXT_LIMIT:
        raise bad_request("Message is too long")
    if len(content.get("caption", "")) > CAPTION_LIMIT:
        raise bad_request("Message caption is too long")
    api.limits.spend(chat.id, method_name)
    api.check_blocked(chat)
    check_on_send(markup)
    _change_keyboard(chat, markup)
    extra = dict(options or {})
    if params.flag("protect_content"):
        extra["has_protected_content"] = True
    if params.text("message_effect_id"):
        extra["effect_id"] = params.text("message_effect_id")
    message = api.world.post(
        chat,
        api.world.bot,
        content,
        markup=markup,
        options=extra,
        reply_to=reply_to,
        silent=params.flag("disable_notification"),
    )
    return message.json()


def _change_keyboard(chat: Chat, markup: Markup | None) -> None:
    if markup is not None and not markup.inline:
        chat.reply_keyboard = markup.value if "keyboard" in markup.value else None


@method("sendMessage")
def send_message(api: Api, params: Params) -> JsonDict:
    """Send a text."""
    options = link_preview(params)
    return _send(api, "sendMessage", params, text_content(read_text(api, params)), options)


@method("sendDocument")
def send_document(api: Api, params: Params) -> JsonDict:
    """Send a file."""
    file = input_file(api, params, "document", "document")
    if file is None:
        raise bad_request("There is no document in the request")
    return _send(api, "sendDocument", params, {**document_content(file), **read_caption(api, params)})


@method("sendPhoto")
def send_photo(api: Api, params: Params) -> JsonDict:
    """Send a picture."""
    file = input_file(api, params, "photo", "photo")
    if file is None:
        raise bad_request("There is no photo in the request")
    content = {**photo_content(file), **read_caption(api, params)}
    for name, flag in (
        ("show_caption_above_media", "show_caption_above_media"),
        ("has_media_spoiler", "has_spoiler"),
    ):
        if params.flag(flag):
            content[name] = True
    return _send(api, "sendPhoto", params, content)


@method("sendChatAction")
def send_chat_action(api: Api, params: Params) -> bool:
    """Show that the bot is busy."""
    action = params.text("action").lower()
    if action not in _ACTIONS:
        raise bad_request("Wrong parameter action in request")
    chat = api.chat(params, Access.WRITE)
    api.check_blocked(chat)
    api.world.happened(chat, "action", text=action)
    return True
