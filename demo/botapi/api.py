"""Shared by all methods: the state, the registry of methods, and the access to chats."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from demo.botapi.callbacks import Callbacks
from demo.botapi.errors import ApiError, bad_request, forbidden
from demo.botapi.limits import Limits
from demo.botapi.params import Params
from demo.botapi.state import Chat, Clock, User, World
from demo.botapi.updates import Updates

_LEADING_INTEGER = re.compile(r"-?\d+")


class Access(IntEnum):
    """The access that a method needs to a chat (Client.h, AccessRights)."""

    READ = 1
    EDIT = 2
    WRITE = 3


@dataclass(slots=True)
class Webhook:
    """The bot's webhook. An empty `url` means polling."""

    url: str = ""
    secret: str = ""
    max_connections: int = 40
    ip_address: str = ""
    last_error_date: int = 0
    last_error: str = ""


class Api:
    """The bot's side of the emulated Telegram."""

    def __init__(
        self,
        bot: User,
        clock: Clock,
        patience: Clock,
        sleep: Callable[[float], Awaitable[object]],
        rng: random.Random,
    ) -> None:
        self.world = World(bot, clock, rng)
        self.updates = Updates(patience, sleep, rng)
        self.callbacks = Callbacks(patience, rng)
        self.webhook = Webhook()
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.texts: dict[tuple[str, str], str] = {}  # name and descriptions, by language
        self.violations: list[str] = []
        self.limits = Limits(patience, self.complain)

    def complain(self, message: str) -> None:
        """Record what the real server tolerates but does not document, or a call into a chat that a 429 had
        closed.
        """
        self.violations.append(message)

    def knows(self, user: User) -> bool:
        """Tell whether the bot has met a person who never started it: in a group."""
        return any(
            user in chat.members and chat.bot_status in {"member", "administrator"}
            for chat in self.world.chats.values()
            if chat.user is None
        )

    def chat(self, params: Params, access: Access) -> Chat:
        """Find the chat of a call and check the bot's access (Client.cpp, check_chat, check_chat_access)."""
        text = params.text("chat_id")
        if not text:
            raise bad_request("chat_id is empty")
        found = _LEADING_INTEGER.match(text)
        chat = self.world.chats.get(int(found.group())) if found else None
        if chat is None:
            raise bad_request("chat not found")
        if chat.user is None:
            self._check_group(chat, access)
        else:
            self._check_private(chat, chat.user, access)
        return chat

    def _check_private(self, chat: Chat, user: User, access: Access) -> None:
        if chat.bot_status == "none":
            if not self.knows(user):
                raise bad_request("chat not found")
            if access is Access.WRITE:
                raise forbidden("bot can't initiate conversation with a user")
        if access >= Access.EDIT and user.deactivated:
            raise forbidden("user is deactivated")

    @staticmethod
    def _check_group(chat: Chat, access: Access) -> None:
        if chat.migrated_to and access is Access.WRITE:
            message = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, message, {"migrate_to_chat_id": chat.migrated_to})
        if chat.bot_status == "none":
            raise bad_request("chat not found")
        # A supergroup that threw the bot out is closed to it even for reading.
        if access >= Access.EDIT or chat.type == "supergroup":
            if chat.bot_status == "kicked":
                raise forbidden(f"bot was kicked from the {chat.type} chat")
            if chat.bot_status == "left":
                raise forbidden(f"bot is not a member of the {chat.type} chat")

    @staticmethod
    def check_blocked(chat: Chat) -> None:
        """Refuse what only Telegram's servers refuse, after the rest was found right."""
        if chat.user is not None and chat.bot_status == "kicked":
            raise forbidden("bot was blocked by the user")


Handler = Callable[[Api, Params], Any]
METHODS: dict[str, Handler] = {}


def method(name: str) -> Callable[[Handler], Handler]:
    """Enter a function as what a method does."""

    def enter(handler: Handler) -> Handler:
        METHODS[name.lower()] = handler
        return handler

    return enter
