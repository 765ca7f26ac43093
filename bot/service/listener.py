"""The HTTP listener of `laocert run`: it serves from before the Bot API is reached until the program stops."""

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
    """The program's listening socket, and the webhook; `hook` is None with long polling."""

    listening: socket.socket
    hook: Hook | None = None


class Probes:
    """The checks behind /readyz and /healthz/work."""

    def __init__(self, bot: Bot, database: Database, clock: Clock, tuning: Tuning = PRODUCTION) -> None:
        self.stored = Cached(lambda: look(database), tuning.read_every)
        self.readiness = Readiness(database, clock, tuning.readiness)
        self.work = Work(bot, self.stored, clock, tuning.readiness)

    def waiting_for(self, reason: str) -> None:
        """Report that the Bot API has not been reached yet, and why."""
        self.work.waits_for = reason
        self.readiness.started = Part(False, f"waits for the Bot API: {reason}")

    def reached(self) -> None:
        """Report that the Bot API has answered."""
        self.work.waits_for = None

    def started(self) -> None:
        """Report that all parts of the program run."""
        self.reached()
        self.readiness.started = Part(True, "at work")


class Listener:
    """The running server of a front, with its probes and webhook."""

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
        """Store posts of the webhook from now on."""
        if self._webhook is not None:
            self._webhook.open(intake)

    async def stop(self) -> None:
        """Stop the server after the requests in progress. Idempotent."""
        if not self.serving.done():
            await self._server.stop(self.serving)


@asynccontextmanager
async def listening(
    front: Front, bot: Bot, database: Database, clock: Clock, tuning: Tuning = PRODUCTION
) -> AsyncIterator[Listener]:
    """Serve a front during the block. Until `open`, posts are answered 503, and Telegram repeats them."""
    from bot.http.app import make_app  # noqa: PLC0415 - imported only by a program that listens
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
