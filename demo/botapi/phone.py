"""A phone: a person's side of a chat, for tests and for the demonstration."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from demo.botapi.api import Api
from demo.botapi.callbacks import Answer, CallbackQuery
from demo.botapi.formatting import formatted_user_text
from demo.botapi.rendering import snapshot
from demo.botapi.sending import text_content
from demo.botapi.state import Button, Chat, Event, Message, User
from demo.botapi.updates import CALLBACK_LIFE

T = TypeVar("T")
JsonDict = dict[str, Any]

# Seconds after which what must come is taken for hung. The one limit of the tests, which wait for states: far more
# than the slowest machine needs for any of them.
PATIENCE = 300.0

# The smallest PNG header that has a size; what phones send here is not looked at.
_PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 640, 480) + b"\x08\x02\x00\x00\x00"


_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(slots=True, eq=False)
class Tap:
    """A tap on a button; the bot's answer may be waited for."""

    query: CallbackQuery

    @property
    def id(self) -> str:
        """The callback query's id."""
        return self.query.id

    @property
    def answered(self) -> Answer | None:
        """The answer, if there is one already."""
        return self.query.answered

    async def answer(self, timeout: float = PATIENCE) -> Answer:  # noqa: ASYNC109 - an assertion, not a cancellation
        """Wait for the bot's answer."""
        if self.query.answered is not None:
            return self.query.answered
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.query.waiters.append(waiter)
        try:
            return await asyncio.wait_for(waiter, timeout)
        except TimeoutError:
            raise AssertionError(f"the tap on {self.query.data!r} was not answered in {timeout} s") from None


class Phone:
    """One person in one chat: the private one with the bot, or a group."""

    def __init__(self, api: Api, user: User, chat: Chat) -> None:
        self.api = api
        self.user = user
        self.chat = chat
        # What a button has put there last.
        self.clipboard = ""

    def __repr__(self) -> str:
        return f"<Phone {self.user.first_name} ({self.user.id}) in {self.chat.id}>"

    @property
    def id(self) -> int:
        """The person's id, which is also that of the private chat."""
        return self.user.id

    @property
    def messages(self) -> list[Message]:
        """What the screen shows now, oldest first."""
        return list(self.chat.shown())

    @property
    def last(self) -> Message:
        """The newest message of the bot."""
        for message in reversed(self.messages):
            if message.outgoing and not message.service:
                return message
        raise AssertionError(f"no message of the bot at {self!r}")

    @property
    def events(self) -> list[Event]:
        """All that ever happened in this chat."""
        return self.chat.events

    def snapshot(self) -> JsonDict:
        """Give the screen as JSON-able data."""
        return snapshot(self.chat)

    def screen(self) -> str:
        """Give the screen as text, for the message of a failed test."""
        lines = [f"--- {self!r} {self.chat.bot_status} ---"]
        for message in self.messages:
            lines.append(f"[{message.id}] {message.sender.first_name}: {message.text}")
            lines += ["    " + " | ".join(button.label for button in row) for row in message.buttons]
        return "\n".join(lines)

    async def until(self, predicate: Callable[[Phone], T], timeout: float = PATIENCE) -> T:  # noqa: ASYNC109
        """Wait for changes of the chat until the predicate is true, and give what it gave.

        A predicate that fails an assertion (`phone.last` on an empty screen) is not true yet.
        """
        failure: AssertionError | None = None
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        result = predicate(self)
                        failure = None
                    except AssertionError as error:
                        failure, result = error, None
                    if result:
                        return result
                    await self._next_change()
        except TimeoutError:
            raise AssertionError(f"not so in {timeout} s:\n{self.screen()}") from failure

    def _next_change(self) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.chat.waiters.append(waiter)
        return waiter

    # --- sending

    async def start(self, payload: str = "") -> Message:
        """Press START, or follow a link with a payload.

        Telegram's apps open no link with another payload than 1 to 64 of A-Z, a-z, 0-9, _ and - (Bot features,
        "Deep linking"). What a person types is bound by nothing: `send("/start …")`.
        """
        assert not payload or _PAYLOAD.fullmatch(payload), f"no link has the payload {payload!r}"  # noqa: S101
        return await self.send(f"/start {payload}".rstrip())

    async def send(self, text: str, *, reply_to: Message | None = None) -> Message:
        """Send a text."""
        formatted = formatted_user_text(text)
        assert formatted.text, "a phone does not send an empty text"  # noqa: S101 - this is for tests
        assert len(formatted.text) <= 4096, "a phone splits texts over 4096 characters"  # noqa: S101
        return self._post(text_content(formatted), reply_to)

    async def send_photo(self, content: bytes = _PICTURE, caption: str = "") -> Message:
        """Send a picture."""
        file = self.api.world.store_file("photo", "photo.jpg", "image/jpeg", content)
        value: JsonDict = {"photo": [{**file.json(), "width": 640, "height": 480}]}
        return self._post({**value, **({"caption": caption} if caption else {})})

    async def send_document(
        self, name: str, content: bytes, mime: str = "application/octet-stream", caption: str = ""
    ) -> Message:
        """Send a file."""
        file = self.api.world.store_file("document", name, mime, content)
        value: JsonDict = {"document": {"file_name": name, "mime_type": mime, **file.json()}}
        return self._post({**value, **({"caption": caption} if caption else {})})

    async def send_sticker(self, emoji: str = "👍") -> Message:
        """Send a sticker."""
        file = self.api.world.store_file("sticker", "sticker.webp", "image/webp", b"RIFF0000WEBP")
        sticker = {
            **file.json(),
            "type": "regular",
            "width": 512,
            "height": 512,
            "is_animated": False,
            "is_video": False,
            "emoji": emoji,
        }
        return self._post({"sticker": sticker})

    async def send_contact(self, phone_number: str = "+66810000000") -> Message:
        """Share the own contact."""
        contact = {"phone_number": phone_number, "first_name": self.user.first_name, "user_id": self.user.id}
        return self._post({"contact": contact})

    async def send_location(self, latitude: float = 13.7563, longitude: float = 100.5018) -> Message:
        """Share a place."""
        return self._post({"location": {"latitude": latitude, "longitude": longitude}})

    async def edit_own(self, message: Message, text: str) -> None:
        """Change the text of an own message, or its caption; the bot gets edited_message."""
        assert message.sender is self.user, "only own messages can be edited"  # noqa: S101
        if "text" in message.content:
            message.content = text_content(formatted_user_text(text))
        else:
            message.content = {**message.content, "caption": text}
        message.edit_date = self.api.world.now()
        message.edits += 1
        message.history.append(message.text)
        self.api.world.happened(self.chat, "edited", message, message.text)
        self._tell("edited_message", message)

    def delete_own(self, message: Message) -> None:
        """Delete a message on this phone for everybody; bots are not told."""
        self.api.world.delete(message)

    def _post(self, content: JsonDict, reply_to: Message | None = None) -> Message:
        assert not self.user.deactivated, f"{self!r} is deactivated"  # noqa: S101
        if self.chat.user is not None:
            assert self.chat.bot_status != "kicked", f"{self!r} has blocked the bot"  # noqa: S101
            self.chat.bot_status = "member"
        message = self.api.world.post(self.chat, self.user, content, reply_to=reply_to)
        self._tell("message", message)
        return message

    def _tell(self, kind: str, message: Message) -> None:
        if self.chat.user is not None or self._visible(message):
            self.api.updates.add(kind, message.json(), self.user.id)

    def _visible(self, message: Message) -> bool:
        """Whether the bot sees it in a group: privacy mode is on, as it is for a new bot."""
        if self.chat.bot_status not in {"member", "administrator"}:
            return False
        if self.chat.bot_status == "administrator":
            return True
        if message.reply_to is not None and message.reply_to.sender is self.api.world.bot:
            return True
        if not message.text.startswith("/"):
            return False
        _, _, addressee = message.text.split(maxsplit=1)[0].partition("@")
        return addressee.lower() in {"", self.api.world.bot.username.lower()}

    # --- tapping

    def button(self, label: str, message: Message | None = None) -> Button:
        """Find a button in the newest message that has one with this label, or with it as a part, once."""
        candidates = [message] if message is not None else list(reversed(self.messages))
        for candidate in candidates:
            buttons = [button for row in candidate.buttons for button in row]
            exact = [button for button in buttons if button.label == label]
            matching = exact or [button for button in buttons if label in button.label]
            if len(matching) == 1:
                return matching[0]
            if matching:
                raise AssertionError(f"{label!r} is on several buttons: {candidate.labels}\n{self.screen()}")
        all_labels = [other for candidate in candidates for other in candidate.labels]
        raise AssertionError(f"no button {label!r} among {all_labels}\n{self.screen()}")

    async def tap(self, label: str, message: Message | None = None) -> Tap:
        """Tap a button by its label or an unmistakable part of it."""
        return await self.press(self.button(label, message))

    async def press(self, button: Button, wait: bool = False) -> Tap:
        """Tap a button that was looked up before; with `wait`, until the bot answers."""
        if button.data is None:
            instead = button.url or f"it copies {button.copies!r}, see Phone.copy"
            raise AssertionError(f"the button {button.label!r} sends nothing to the bot: {instead}")
        tap = await self.tap_data(button.message, button.data)
        if wait:
            await tap.answer()
        return tap

    def copy(self, label: str, message: Message | None = None) -> str:
        """Tap a button that copies; give what is in the clipboard then. The bot hears nothing of it."""
        button = self.button(label, message)
        if button.copies is None:
            raise AssertionError(f"the button {button.label!r} copies nothing")
        self.clipboard = button.copies
        return button.copies

    async def tap_data(self, message: Message, data: str) -> Tap:
        """Send any callback data for any message: forged, deleted, or of another chat."""
        chat = message.chat
        if message.deleted:
            message_json: JsonDict = {"message_id": message.id, "chat": chat.json(), "date": 0}
        else:
            message_json = message.json()
        query = self.api.callbacks.add(self.user, chat, message, data)
        self.api.updates.add(
            "callback_query",
            {
                "id": query.id,
                "from": self.user.json(),
                "message": message_json,
                "chat_instance": str(4_611_686_018_427_387_904 + chat.id),
                "data": data,
            },
            self.user.id,
            CALLBACK_LIFE,
        )
        return Tap(query)

    # --- the relation to the bot

    def block(self) -> None:
        """Stop the bot: it gets my_chat_member, and 403 from then on."""
        self._change_status("member", "kicked")

    def unblock(self) -> None:
        """Restart the bot; START is sent separately."""
        self._change_status("kicked", "member")

    def deactivate(self) -> None:
        """Delete the person's account; the bot is not told."""
        self.user.deactivated = True

    def _change_status(self, old: str, new: str) -> None:
        assert self.chat.user is not None, "a group has no block"  # noqa: S101
        assert self.chat.bot_status == old, f"{self!r} is {self.chat.bot_status}"  # noqa: S101
        self.chat.bot_status = new
        self.api.world.happened(self.chat, "member", text=new)
        tell_member(self.api, self.chat, self.user, old, new)


def tell_member(api: Api, chat: Chat, by: User, old: str, new: str) -> None:
    """Send my_chat_member: the bot's own standing in a chat has changed."""
    api.updates.add(
        "my_chat_member",
        {
            "chat": chat.json(),
            "from": by.json(),
            "date": api.world.now(),
            "old_chat_member": _member(api.world.bot, old),
            "new_chat_member": _member(api.world.bot, new),
        },
        by.id,
    )


_RIGHTS = (
    "can_be_edited",
    "is_anonymous",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
)
_GRANTED = frozenset({"can_manage_chat", "can_delete_messages", "can_invite_users"})


def _member(bot: User, status: str) -> JsonDict:
    value: JsonDict = {"status": "left" if status == "none" else status, "user": bot.json()}
    if status == "kicked":
        value["until_date"] = 0
    if status == "administrator":
        value.update({right: right in _GRANTED for right in _RIGHTS})
    return value
