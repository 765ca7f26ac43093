"""Taps on inline buttons, from the tap to the bot's answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.botapi.errors import query_expired
from demo.botapi.state import Chat, Message, User
from demo.botapi.updates import CALLBACK_LIFE


@dataclass(frozen=True, slots=True)
class Answer:
    """The bot's answer to a tap (answerCallbackQuery)."""

    text: str
    show_alert: bool
    url: str
    cache_time: int


@dataclass(slots=True, eq=False)
class CallbackQuery:
    """One tap on a button."""

    id: str
    user: User
    chat: Chat
    message: Message | None
    data: str
    created: float
    answered: Answer | None = None
    waiters: list[asyncio.Future[Answer]] = field(default_factory=list)


class Callbacks:
    """The taps that may still be answered."""

    def __init__(self, clock: Callable[[], float], rng: random.Random) -> None:
        self.clock = clock
        self.rng = rng
        self.open: dict[str, CallbackQuery] = {}

    def add(self, user: User, chat: Chat, message: Message | None, data: str) -> CallbackQuery:
        """Add a tap, and drop the expired ones, which are at the front, because taps are in order of time."""
        oldest = self.clock() - CALLBACK_LIFE
        while self.open:
            first = next(iter(self.open.values()))
            if first.created > oldest:
                break
            del self.open[first.id]
        query_id = str(self.rng.randrange(10**17, 10**18))
        query = self.open[query_id] = CallbackQuery(query_id, user, chat, message, data, self.clock())
        return query

    def answer(self, query_id: str, answer: Answer) -> CallbackQuery:
        """Answer a tap. Raises ApiError if it is unknown, was answered already, or is too old."""
        query = self.open.get(query_id)
        if query is None or query.created + CALLBACK_LIFE <= self.clock():
            raise query_expired()
        del self.open[query_id]
        query.answered = answer
        for waiter in query.waiters:
            if not waiter.done():
                waiter.set_result(answer)
        return query
