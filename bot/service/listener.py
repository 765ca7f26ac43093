"""The listener of `laocert run`: it serves from before the Bot API was reached until no more updates come."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telegram import Bot

from bot.http.cached import Cached
from bot.http.readiness import Part, Readiness
from bot.http.stored import look
from bot.http.work import Work
from bot.inbound.intake import Intake
from bot.runtime.clock import Clock
from bot.runtime.settings import Hook
from bot.service.tuning import PRODUCTION, Tuning
from models.database.engine import Database

if TYPE_CHECKING:
    from bot.http.server import Server
    from bot.http.webhook import Webhook


@dataclass(frozen=True)
class Front:
    """What the program shows to the outside: its open port, and the webhook unless it polls."""

    listening: socket.socket
    hook: Hook | None = None


class Probes:
    """Whether this process is ready, and whether the work goes on."""

    def __init__(self, bot: Bot, database: Database, clock: Clock, tuning: Tuning = PRODUCTION) -> None:
        self.stored = Cached(lambda: look(database), tuning.read_every)
        self.readiness = Readiness(database, clock, tuning.readiness)
        self.work = Work(bot, self.stored, clock, tuning.readiness)

    def wait_for(self, reason: str) -> None:
        """The Bot API has not been reached yet."""
        self.work.waits_for = reason
        self.readiness.started = Part(False, f"waits for the Bot API: {reason}")

    def reached(self) -> None:
        """The Bot API answered."""
        self.work.waits_for = None

    def started(self) -> None:
        """All parts of the program are at work."""
        self.reached()
        self.readiness.started = Part(True, "at work")


class Listener:
    """The server of a front, with what it serves."""

    def __init__(
        self,
        front: Front,
        probes: Probes,
        server: "Server",
        webhook: "Webhook | None",
        serving: asyncio.Task[None],
    ) -> None:
        self.front = front
        self.probes = probes
        self.serving = serving
        self._server = server
        self._webhook = webhook

    def open(self, intake: Intake) -> None:
        """From now on posts are kept."""
        if self._webhook is not None:
            self._webhook.open(intake)

    async def stop(self) -> None:
        """Take no more requests, let those under way end."""
        if not self.serving.done():
            await self._server.stop(self.serving)


@asynccontextmanager
async def listening(
    front: Front, bot: Bot, database: Database, clock: Clock, tuning: Tuning = PRODUCTION
) -> AsyncIterator[Listener]:
    """Serve a front; posts are answered 503, after which Telegram repeats them, until `open` is called."""
    from bot.http.app import make_app  # noqa: PLC0415 - only a program that listens needs it
    from bot.http.server import Server  # noqa: PLC0415
    from bot.http.webhook import Webhook  # noqa: PLC0415

    probes = Probes(bot, database, clock, tuning)
    webhook = Webhook(front.hook.secret) if front.hook else None
    path = front.hook.path if front.hook else ""
    server = Server(front.listening, make_app(probes.readiness, probes.work, probes.stored, clock, webhook, path))
    serving = asyncio.create_task(server.run(), name="listener")
    listener = Listener(front, probes, server, webhook, serving)
    try:
        yield listener
    finally:
        await listener.stop()
