"""What the emulated Telegram knows: people, chats, messages, files. Nothing here speaks HTTP."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from demo.botapi.formatting import Entity
from demo.botapi.keyboards import Markup

JsonDict = dict[str, Any]
Clock = Callable[[], float]


@dataclass(slots=True, eq=False)
class User:
    """A person or the bot."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = ""
    is_bot: bool = False
    deactivated: bool = False

    def json(self) -> JsonDict:
        """Give the User object."""
        value: JsonDict = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        for name in ("last_name", "username", "language_code"):
            if getattr(self, name):
                value[name] = getattr(self, name)
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Button:
    """An inline button as a person sees it. `copies` is what a copying one puts into the clipboard."""

    label: str
    data: str | None
    url: str | None
    style: str | None
    copies: str | None
    message: Message = field(repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a chat: sent, received, edited, deleted, answered, action or member."""

    time: float
    kind: str
    message: Message | None = None
    text: str = ""
    detail: JsonDict = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class File:
    """A stored file; `path` is given at the first getFile and holds for an hour."""

    id: str
    unique_id: str
    kind: str
    name: str
    mime: str
    content: bytes
    path: str = ""
    valid_until: float = 0.0

    def json(self) -> JsonDict:
        """Give the fields that Document, PhotoSize and File share."""
        return {"file_id": self.id, "file_unique_id": self.unique_id, "file_size": len(self.content)}


@dataclass(slots=True, eq=False)
class Message:
    """A message: what the Bot API says of it, and what the person's screen shows."""

    chat: Chat
    id: int
    sender: User
    date: int
    content: JsonDict
    markup: Markup | None = None
    options: JsonDict = field(default_factory=dict)
    reply_to: Message | None = None
    edit_date: int | None = None
    deleted: bool = False
    service: bool = False
    silent: bool = False
    edits: int = 0
    history: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text, or the caption."""
        text: str = self.content.get("text") or self.content.get("caption") or ""
        return text

    @property
    def entities(self) -> list[Entity]:
        """The entities of the text or caption."""
        entities: list[Entity] = self.content.get("entities") or self.content.get("caption_entities") or []
        return entities

    @property
    def outgoing(self) -> bool:
        """Whether the bot sent it."""
        return self.sender.is_bot

    @property
    def html(self) -> str:
        """The text with its entities as HTML, for reading in tests and on the phones page."""
        from demo.botapi.rendering import to_html  # noqa: PLC0415 - rendering reads messages

        return to_html(self.text, self.entities)

    @property
    def buttons(self) -> list[list[Button]]:
        """The inline keyboard, row by row."""
        if self.markup is None or not self.markup.inline:
            return []
        return [[self._button(button) for button in row] for row in self.markup.value["inline_keyboard"]]

    def _button(self, value: JsonDict) -> Button:
        copies = value["copy_text"]["text"] if "copy_text" in value else None
        data, url, style = (value.get(name) for name in ("callback_data", "url", "style"))
        return Button(value["text"], data, url, style, copies, self)

    @property
    def labels(self) -> list[str]:
        """The labels of all inline buttons, in reading order."""
        return [button.label for row in self.buttons for button in row]

    def json(self, *, with_reply: bool = True) -> JsonDict:
        """Give the Message object."""
        value: JsonDict = {
            "message_id": self.id,
            "from": self.sender.json(),
            "chat": self.chat.json(),
            "date": self.date,
            **self.content,
            **self.options,
        }
        if self.edit_date is not None:
            value["edit_date"] = self.edit_date
        if self.reply_to is not None and with_reply and not self.reply_to.deleted:
            value["reply_to_message"] = self.reply_to.json(with_reply=False)
        if self.markup is not None and self.markup.inline:
            value["reply_markup"] = self.markup.value
        return value


@dataclass(slots=True, eq=False)
class Chat:
    """A private chat with the bot (`user` set) or a group."""

    id: int
    type: str
    user: User | None = None
    title: str = ""
    members: list[User] = field(default_factory=list)
    # Private: none (never started), member, kicked (blocked). Group: none, member, administrator, left, kicked.
    bot_status: str = "none"
    migrated_to: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    reply_keyboard: JsonDict | None = None
    events: list[Event] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def json(self) -> JsonDict:
        """Give the Chat object."""
        if self.user is None:
            return {"id": self.id, "title": self.title, "type": self.type}
        value: JsonDict = {"id": self.id, "first_name": self.user.first_name, "type": "private"}
        for name in ("last_name", "username"):
            if getattr(self.user, name):
                value[name] = getattr(self.user, name)
        return value

    def shown(self) -> Iterator[Message]:
        """Go through what the screen shows, oldest first."""
        return (message for message in self.messages.values() if not message.deleted)


Observer = Callable[[Chat, Event], None]


class World:
    """All state behind one bot."""

    def __init__(self, bot: User, clock: Clock, rng: random.Random) -> None:
        self.bot = bot
        self.clock = clock
        self.rng = rng
        self.users: dict[int, User] = {bot.id: bot}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, File] = {}
        self.paths: dict[str, File] = {}
        self.observers: list[Observer] = []
        self._last_message_id = rng.randrange(10, 1000)
        self._last_user_id = 1_000_000_000 + rng.randrange(1000) * 1000

    def now(self) -> int:
        """Give the time as the Bot API does, in whole seconds."""
        return int(self.clock())

    def new_user_id(self) -> int:
        """Give an id that nobody has yet."""
        self._last_user_id += 1
        while self._last_user_id in self.users:
            self._last_user_id += 1
        return self._last_user_id

    def add_user(self, user: User) -> Chat:
        """Add a person and the private chat that they may open with the bot."""
        if user.id in self.users:
            raise ValueError(f"user {user.id} exists already")
        self.users[user.id] = user
        chat = self.chats[user.id] = Chat(user.id, "private", user=user)
        return chat

    def add_group(self, title: str, members: list[User], *, supergroup: bool = False) -> Chat:
        """Add a group without the bot."""
        number = self.rng.randrange(10**8, 10**9)
        chat_id = -(10**12 + number) if supergroup else -number
        chat = Chat(chat_id, "supergroup" if supergroup else "group", title=title, members=list(members))
        self.chats[chat_id] = chat
        return chat

    def post(self, chat: Chat, sender: User, content: JsonDict, **extra: Any) -> Message:
        """Put a new message into a chat. Ids rise over all private chats and groups of an account together."""
        self._last_message_id += 1
        message = Message(chat, self._last_message_id, sender, self.now(), content, **extra)
        message.history.append(message.text)
        chat.messages[message.id] = message
        self.happened(chat, "sent" if message.outgoing else "received", message, message.text)
        return message

    def delete(self, message: Message) -> None:
        """Take a message off every screen; it stays known, so that it can be told from one never sent."""
        message.deleted = True
        self.happened(message.chat, "deleted", message, message.text)

    def happened(
        self,
        chat: Chat,
        kind: str,
        message: Message | None = None,
        text: str = "",
        detail: JsonDict | None = None,
    ) -> None:
        """Record an event, wake whoever waits for a change of this chat, and tell the observers."""
        event = Event(self.clock(), kind, message, text, detail or {})
        chat.events.append(event)
        if chat.waiters:
            waiters, chat.waiters = chat.waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        for observer in self.observers:
            observer(chat, event)

    def store_file(self, kind: str, name: str, mime: str, content: bytes) -> File:
        """Keep a file under a new id, which only this bot can use, as in reality."""
        file_id = base64.urlsafe_b64encode(self.rng.randbytes(54)).decode()
        unique_id = base64.urlsafe_b64encode(self.rng.randbytes(12)).decode()
        file = self.files[file_id] = File(file_id, unique_id, kind, name, mime, content)
        return file
