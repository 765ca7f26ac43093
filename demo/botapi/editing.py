"""Methods that change or remove messages (Client.cpp and td/telegram/MessagesManager.cpp)."""

from __future__ import annotations

from typing import Any

from demo.botapi.api import Access, Api, method
from demo.botapi.errors import bad_request, not_modified
from demo.botapi.files import document_content, input_file, photo_content
from demo.botapi.formatting import CAPTION_LIMIT, TEXT_LIMIT
from demo.botapi.keyboards import Markup, check_on_send, read_markup
from demo.botapi.params import MISSING, Params
from demo.botapi.sending import (
    caption_content,
    link_preview,
    read_caption,
    read_formatted,
    read_text,
    text_content,
)
from demo.botapi.state import Chat, Message

JsonDict = dict[str, Any]

_DELETE_LIFE = 2 * 86400
_IDS_LIMIT = 100


def _to_edit(api: Api, params: Params, markup: Markup | None) -> Message:
    message_id = params.integer("message_id")
    if not params.text("chat_id") and message_id <= 0:
        if not params.text("inline_message_id"):
            raise bad_request("Message identifier is not specified")
        raise bad_request("MESSAGE_ID_INVALID")  # the emulator has no inline messages
    chat = api.chat(params, Access.EDIT)
    message = chat.messages.get(message_id)
    if message is None or message.deleted:
        raise bad_request("message to edit not found")
    if not message.outgoing or message.service or (message.markup is not None and not message.markup.inline):
        raise bad_request("Message can't be edited")
    if markup is not None and not markup.inline:
        raise bad_request("Inline keyboard expected")
    return message


def _apply(
    api: Api,
    method_name: str,
    message: Message,
    content: JsonDict,
    markup: Markup | None,
    options: JsonDict | None = None,
) -> JsonDict:
    """Change the message, unless nothing would change; the old keyboard goes when no new one is given."""
    api.limits.spend(message.chat.id, method_name)
    api.check_blocked(message.chat)
    check_on_send(markup)
    new_options = dict(message.options)
    if options is not None:
        new_options.pop("link_preview_options", None)
        new_options.update(options)
    before = message.markup.value if message.markup is not None else None
    after = markup.value if markup is not None else None
    if (content, new_options, after) == (message.content, message.options, before):
        raise not_modified()
    text_before = message.text
    message.content, message.options, message.markup = content, new_options, markup
    message.edit_date = api.world.now()
    message.edits += 1
    if message.text != text_before:
        message.history.append(message.text)
    api.world.happened(message.chat, "edited", message, message.text)
    return message.json()


@method("editMessageText")
def edit_message_text(api: Api, params: Params) -> JsonDict:
    """Change a text and its keyboard."""
    markup = read_markup(params, api.complain)
    options = link_preview(params)
    content = text_content(read_text(api, params))
    message = _to_edit(api, params, markup)
    if "text" not in message.content:
        raise bad_request("There is no text in the message to edit")
    # Not checked on this side by tdlib: the bare error of Telegram's servers comes through.
    if len(content["text"]) > TEXT_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    return _apply(api, "editMessageText", message, content, markup, options)


@method("editMessageReplyMarkup")
def edit_message_reply_markup(api: Api, params: Params) -> JsonDict:
    """Change or remove a keyboard."""
    markup = read_markup(params, api.complain)
    message = _to_edit(api, params, markup)
    return _apply(api, "editMessageReplyMarkup", message, message.content, markup)


@method("editMessageCaption")
def edit_message_caption(api: Api, params: Params) -> JsonDict:
    """Change what stands below a picture or file, and the keyboard."""
    markup = read_markup(params, api.complain)
    caption = read_caption(api, params)
    message = _to_edit(api, params, markup)
    if not {"photo", "document"} & message.content.keys():
        raise bad_request("There is no caption in the message to edit")
    if len(caption.get("caption", "")) > CAPTION_LIMIT:
        raise bad_request("MEDIA_CAPTION_TOO_LONG")
    content = {name: value for name, value in message.content.items() if not name.startswith("caption")}
    return _apply(api, "editMessageCaption", message, {**content, **caption}, markup)


@method("editMessageMedia")
def edit_message_media(api: Api, params: Params) -> JsonDict:
    """Replace a message's content by a picture or a file."""
    markup = read_markup(params, api.complain)
    try:
        media = params.json("media")
    except ValueError:
        raise bad_request("Can't parse input media JSON object") from None
    content = _media_content(api, params, media)
    message = _to_edit(api, params, markup)
    if len(content.get("caption", "")) > CAPTION_LIMIT:
        raise bad_request("Message caption is too long")
    return _apply(api, "editMessageMedia", message, content, markup)


def _media_content(api: Api, params: Params, media: Any) -> JsonDict:
    if not isinstance(media, dict):
        raise bad_request("Can't parse InputMedia: expected an Object")
    kind = media.get("type")
    if kind not in {"photo", "document"}:
        raise bad_request(f'Can\'t parse InputMedia: type "{kind}" is unsupported')
    file = input_file(api, params, "media", kind, str(media.get("media", "")))
    if file is None:
        raise bad_request("Can't parse InputMedia: media not found")
    entities = media.get("caption_entities", MISSING)
    caption = read_formatted(api, str(media.get("caption", "")), str(media.get("parse_mode", "")), entities)
    content = photo_content(file) if kind == "photo" else document_content(file)
    return {**content, **caption_content(caption)}


@method("deleteMessage")
def delete_message(api: Api, params: Params) -> bool:
    """Take one message away."""
    message_id = params.integer("message_id")
    if not params.text("chat_id"):
        raise bad_request("Chat identifier is not specified")
    if message_id <= 0:
        raise bad_request("Message identifier is not specified")
    chat = api.chat(params, Access.WRITE)
    message = chat.messages.get(message_id)
    if message is None or message.deleted:
        raise bad_request("message to delete not found")
    _check_delete(api, chat, message)
    api.world.delete(message)
    return True


@method("deleteMessages")
def delete_messages(api: Api, params: Params) -> bool:
    """Take up to a hundred messages away; unknown ones are passed over."""
    message_ids = _message_ids(params)
    if not message_ids:
        raise bad_request("Message identifiers are not specified")
    chat = api.chat(params, Access.WRITE)
    messages = [chat.messages[message_id] for message_id in message_ids if message_id in chat.messages]
    messages = [message for message in messages if not message.deleted]
    for message in messages:
        _check_delete(api, chat, message)
    for message in messages:
        api.world.delete(message)
    return True


def _message_ids(params: Params) -> list[int]:
    try:
        values = params.json("message_ids")
    except ValueError:
        raise bad_request("Can't parse message_ids JSON object") from None
    if values is MISSING:
        return []
    if not isinstance(values, list):
        raise bad_request("Expected an Array of message identifiers")
    if len(values) > _IDS_LIMIT:
        raise bad_request("Too many message identifiers specified")
    message_ids = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise bad_request("Message identifier must be a Number")
        if isinstance(value, str) and not value.lstrip("-").isdigit():
            raise bad_request("Can't parse message identifier as a Number")
        if int(value) <= 0:
            raise bad_request("Invalid message identifier specified")
        message_ids.append(int(value))
    return list(dict.fromkeys(message_ids))


def _check_delete(api: Api, chat: Chat, message: Message) -> None:
    """Own messages, and a person's in a private chat, for 48 hours; in groups others' only as administrator."""
    admin = chat.bot_status == "administrator"
    if chat.type == "supergroup":
        if not message.outgoing and not admin:
            raise bad_request("Message can't be deleted")
        return
    if chat.type == "group" and not message.outgoing and not admin:
        raise bad_request("Message can't be deleted for everyone")
    if api.world.now() - message.date > _DELETE_LIFE:
        raise bad_request("Message can't be deleted for everyone")
