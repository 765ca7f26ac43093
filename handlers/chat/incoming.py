"""An update as the conversation sees it: who, where, and what was typed or tapped."""

import re
from dataclasses import dataclass, replace
from typing import Any

from handlers.chat.screen import BELOW

# What a command begins with, and the name of the bot that it is for (Bot API, "Commands").
_COMMAND = re.compile(r"/(\w*)(?:@(\w*))?")


@dataclass(frozen=True)
class Document:
    """A file of a message; `size` is in bytes, as Telegram says. A picture has no name."""

    file_id: str
    name: str
    size: int


@dataclass(frozen=True)
class Incoming:
    """One update of a chat. A tap has `callback_id`, a message has not.

    `text` is None for what is not text (a photo, a sticker, a file, a service message).
    """

    user_id: int
    chat_id: int
    is_private: bool
    message_id: int | None = None
    text: str | None = None
    # What stands below a picture or a file.
    caption: str = ""
    callback_id: str | None = None
    data: str = ""
    # The button's answer comes below its message.
    opens_below: bool = False
    document: Document | None = None
    # A message that was sent before and is now changed.
    is_edit: bool = False
    # Whether the message has been deleted; None while nobody has tried.
    is_deleted: bool | None = None
    # The chat has unblocked the bot, or made it a member, and says nothing by it.
    lets_in: bool = False
    # A group has become a supergroup: its id before and after.
    move: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """What it is, for counting."""
        if self.callback_id is not None:
            return "tap"
        if self.document is not None:
            return "file"
        return "message" if self.message_id is not None else "other"

    @property
    def typed(self) -> str:
        """What its sender has typed: the text, or the caption of a picture or a file."""
        return self.text or self.caption

    @property
    def slashed(self) -> tuple[str, str, str] | None:
        """A text that begins with a slash: the word behind it in lower case, the bot's name and what follows."""
        begun = _COMMAND.match(self.text or "")
        if begun is None:
            return None
        return begun[1].lower(), (begun[2] or "").lower(), (self.text or "")[begun.end() :]


class NotForUs(Exception):
    """An update that needs no answer: a kind that the bot does not ask for, or one without a sender."""


def decode(update: dict[str, Any]) -> Incoming:
    """Read a raw Update (Bot API) as far as the conversation needs it.

    Raises NotForUs; KeyError or TypeError for what is not as the Bot API documents it.
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
        # Nobody says it: an anonymous administrator may have done it.
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
    """A message with new words. Others also change by themselves, as a live location does: they say nothing."""
    if "text" not in message and "caption" not in message:
        raise NotForUs
    return replace(_message(message), is_edit=True, document=None)


def _document(message: dict[str, Any]) -> Document | None:
    """The file of a message, or the largest size of a picture (Bot API, Message.document and Message.photo)."""
    if "document" in message:
        found = message["document"]
        return Document(found["file_id"], str(found.get("file_name", "")), int(found.get("file_size", 0)))
    if message.get("photo"):
        found = message["photo"][-1]
        return Document(found["file_id"], "", int(found.get("file_size", 0)))
    return None


def sender(update: dict[str, Any]) -> int:
    """Whose turn an update is: those of one sender are done in order. 0 when it names none."""
    for kind in ("message", "edited_message", "callback_query", "my_chat_member"):
        user = update.get(kind, {}).get("from", {}).get("id")
        if isinstance(user, int):
            return user
    return 0
