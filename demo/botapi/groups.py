"""Groups of people, with or without the bot."""

from __future__ import annotations

from typing import Any

from demo.botapi.api import Api
from demo.botapi.phone import Phone, tell_member
from demo.botapi.rendering import snapshot
from demo.botapi.state import Chat, Message, User


class Group:
    """A group or supergroup as its members see it."""

    def __init__(self, api: Api, chat: Chat) -> None:
        self.api = api
        self.chat = chat

    @property
    def id(self) -> int:
        """The chat's id, which is negative."""
        return self.chat.id

    @property
    def messages(self) -> list[Message]:
        """The messages that the members' screens show now."""
        return list(self.chat.shown())

    def snapshot(self) -> dict[str, Any]:
        """Return the screen as JSON-able data."""
        return snapshot(self.chat)

    def phone(self, member: Phone) -> Phone:
        """Return a phone of a member with this group open."""
        assert member.user in self.chat.members, f"{member!r} is not in {self.chat.title}"  # noqa: S101
        return Phone(self.api, member.user, self.chat)

    def add_bot(self, by: Phone) -> None:
        """Let a member add the bot, which gets my_chat_member and then the service message."""
        self._change(by.user, "member")
        self.chat.members.append(self.api.world.bot)
        self._service(by.user, {"new_chat_members": [self.api.world.bot.json()]})

    def promote_bot(self, by: Phone) -> None:
        """Make the bot an administrator, so that it receives all messages."""
        self._change(by.user, "administrator")

    def kick_bot(self, by: Phone) -> None:
        """Remove the bot from the group."""
        self._change(by.user, "kicked")
        self.chat.members.remove(self.api.world.bot)
        if self.chat.type == "group":  # a supergroup's later messages do not reach it any more
            self._service(by.user, {"left_chat_member": self.api.world.bot.json()})

    def add_member(self, newcomer: Phone) -> None:
        """Let a person join."""
        self.chat.members.append(newcomer.user)
        self._service(newcomer.user, {"new_chat_members": [newcomer.user.json()]})

    def upgrade(self, by: Phone) -> Group:
        """Turn the group into a supergroup with a new id, and return it. Service messages in both name the
        other's id.
        """
        successor = self.api.world.add_group(self.chat.title, self.chat.members, supergroup=True)
        successor.bot_status = self.chat.bot_status
        self._service(by.user, {"migrate_to_chat_id": successor.id})
        self.chat.migrated_to = successor.id
        group = Group(self.api, successor)
        group._service(by.user, {"migrate_from_chat_id": self.chat.id})
        return group

    def _change(self, by: User, status: str) -> None:
        old, self.chat.bot_status = self.chat.bot_status, status
        self.api.world.happened(self.chat, "member", text=status)
        tell_member(self.api, self.chat, by, old, status)

    def _service(self, by: User, content: dict[str, Any]) -> None:
        message = self.api.world.post(self.chat, by, content, service=True)
        self.api.updates.add("message", message.json(), by.id)
