"""Decodes an update into what the conversation needs: sender, chat, and the text, file or tap."""

import re
from dataclasses import dataclass, replace
from typing import Any

from handlers.chat.screen import BELOW

# A command's name, and the username of the bot that it is for (Bot API, "Commands").
_COMMAND = re.compile(r"/(\w*)(?:@(\w*))?")


@dataclass(frozen=True)
class Document:
    """A file of a message. `size`: bytes, as reported by Telegram. `name` is empty for a picture."""

    file_id: str
    name: str
    size: int


@dataclass(frozen=True)
class Incoming:
    """One decoded update. A tap has a `callback_id`, a message has none.

    `text` is None for a message without text: a photo, a sticker, a file, a service message.
    """

    user_id: int
    chat_id: int
    is_private: bool
    message_id: int | None = None
    text: str | None = None
    # The text below a picture or a file.
    caption: str = ""
    callback_id: str | None = None
    # The button's callback data, without the BELOW prefix.
    data: str = ""
    # The tap is answered by a new message below; the button's message stays.
    opens_below: bool = False
    document: Document | None = None
    # The update is an edit of an earlier message.
    is_edit: bool = False
    # Whether the worker has deleted the message; None before it has tried.
    is_deleted: bool | None = None
    # The user has unblocked the bot, or a group has added it.
    lets_in: bool = False
    # A group has become a supergroup: its ids before and after.
    move: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """`tap`, `file`, `message` or `other`, for the metrics."""
        if self.callback_id is not None:
            return "tap"
        if self.document is not None:
            return "file"
        return "message" if self.message_id is not None else "other"

    @property
    def typed(self) -> str:
        """The text, or the caption of a picture or a file; empty without either."""
        return self.text or self.caption

    @property
    def slashed(self) -> tuple[str, str, str] | None:
        """For a text that begins with a slash: the command's name (may be empty) and the bot's username (`""`
        without one), both in lower case, and the rest as typed, with its leading blank; None for any other. A
        caption does not count.
        """
        command = _COMMAND.match(self.text or "")
        if command is None:
            return None
        return command[1].lower(), (command[2] or "").lower(), (self.text or "")[command.end() :]


class NotForUs(Exception):
    """The update needs no answer: it is of a kind that the bot does not handle, or has no sender."""


def decode(update: dict[str, Any]) -> Incoming:
    """Decode a raw Update (Bot API).

    Raises NotForUs; KeyError or TypeError when the update is not as the Bot API documents it.
    """
    if "callback_query" in update:
        query = update["callback_query"]
        message = query.get("message")
        if message is None:
            raise NotForUs
        data = query.get("data", "")
        return Incoming(
            user_id=query["from"]["id"],
            chat_id=message["chat"]["id"],
            is_private=message["chat"]["type"] == "private",
            message_id=message["message_id"],
            callback_id=query["id"],
            data=data.removeprefix(BELOW),
            opens_below=data.startswith(BELOW),
        )
    if "message" in update:
        return _message(update["message"])
    if "edited_message" in update:
        return _edited(update["edited_message"])
    if "my_chat_member" in update:
        change = update["my_chat_member"]
        chat = change["chat"]
        if change["new_chat_member"]["status"] not in ("member", "administrator"):
            raise NotForUs
        is_private = chat["type"] == "private"
        return Incoming(change["from"]["id"], chat["id"], is_private=is_private, lets_in=True)
    raise NotForUs


def _message(message: dict[str, Any]) -> Incoming:
    chat_id = message["chat"]["id"]
    before, after = message.get("migrate_from_chat_id", chat_id), message.get("migrate_to_chat_id", chat_id)
    if before != after:
        # Sender 0, because the message names none: an anonymous administrator may have done it.
        return Incoming(0, chat_id, is_private=False, move=(before, after))
    if "from" not in message:
        raise NotForUs
    return Incoming(
        user_id=message["from"]["id"],
        chat_id=message["chat"]["id"],
        is_private=message["chat"]["type"] == "private",
        message_id=message["message_id"],
        text=message.get("text"),
        caption=message.get("caption", ""),
        document=_document(message),
    )


def _edited(message: dict[str, Any]) -> Incoming:
    """An edited text or caption. Raises NotForUs for other edits, such as those of a live location."""
    if "text" not in message and "caption" not in message:
        raise NotForUs
    return replace(_message(message), is_edit=True, document=None)


def _document(message: dict[str, Any]) -> Document | None:
    """The file of a message, or the largest size of a picture (Bot API, Message.document and Message.photo)."""
    if "document" in message:
        file = message["document"]
        return Document(file["file_id"], str(file.get("file_name", "")), int(file.get("file_size", 0)))
    if message.get("photo"):
        photo = message["photo"][-1]
        return Document(photo["file_id"], "", int(photo.get("file_size", 0)))
    return None


def sender(update: dict[str, Any]) -> int:
    """The id of the user who sent a raw update, whose updates are processed in order; 0 when it names none.

    Raises AttributeError or TypeError for an update of another shape.
    """
    for kind in ("message", "edited_message", "callback_query", "my_chat_member"):
        user = update.get(kind, {}).get("from", {}).get("id")
        if isinstance(user, int):
            return user
    return 0
