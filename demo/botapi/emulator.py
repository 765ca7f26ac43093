"""The emulator as a whole: `async with Emulator() as emulator: bot(emulator.url, emulator.token)`."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from demo.botapi.api import Api
from demo.botapi.callbacks import CallbackQuery
from demo.botapi.faults import Faults
from demo.botapi.groups import Group
from demo.botapi.limits import CountedCall, Weather
from demo.botapi.params import UPLOAD_LIMIT, Params
from demo.botapi.phone import Phone
from demo.botapi.server import Call, Frontend
from demo.botapi.state import Chat, Clock, Observer, User, World
from demo.botapi.updates import Updates
from demo.botapi.webhook import Courier

DEFAULT_TOKEN = "123456789:emulated-token-that-opens-nothing-x"  # noqa: S105 - opens nothing anywhere


def reserve_port(host: str, port: int = 0) -> socket.socket:
    """Bind a port, by default any free one, without listening on it.

    Connections to it are refused, the system assigns it to no other program, and a process that knows its number
    can listen on it (socket(7), SO_REUSEADDR).
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((host, port))
    return reserved


class Emulator:
    """An emulated Bot API server for one bot, and the people who talk to it.

    `clock` dates messages and HTTP answers, and determines the age of messages. `patience` (by default the same
    clock) determines the age of pending updates and taps, and refills the limits. `sleep` implements latency,
    delays, the hold of repeated conflicts and the pauses of webhook retries. Polling itself waits in real time.
    """

    def __init__(
        self,
        token: str = DEFAULT_TOKEN,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        clock: Clock = time.time,
        patience: Clock | None = None,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        bot_name: str = "laocert",
        bot_username: str = "laocert_bot",
        weather: Weather | None = None,
        calls_kept: int = 10_000,
    ) -> None:
        self.token = token
        self.host = host
        self.port = port
        self.rng = rng or random.Random()  # noqa: S311 - nothing here is secret
        self.bot = User(int(token.partition(":")[0]), bot_name, username=bot_username, is_bot=True)
        self.api = Api(self.bot, clock, patience or clock, sleep, self.rng)
        self.faults = Faults()
        self.frontend = Frontend(self.api, token, self.faults, sleep, calls_kept)
        self.weather = weather
        self._sleep = sleep
        self._courier: Courier | None = None
        self._runner: web.ServerRunner | None = None
        self._reserved: socket.socket | None = None

    @property
    def url(self) -> str:
        """The root: methods are below /bot<token>/, files below /file/bot<token>/."""
        return f"http://{self.host}:{self.port}"

    @property
    def weather(self) -> Weather | None:
        """Which of Telegram's limits on sends and edits are enforced; None enforces none. With limits, polling in
        a hot loop is slowed down too.
        """
        return self.api.limits.weather

    @weather.setter
    def weather(self, weather: Weather | None) -> None:
        self.api.limits.weather = weather
        self.api.updates.throttle = weather is not None

    def spent(self, chat_id: int) -> list[CountedCall]:
        """Return the sends and edits into a chat that were not refused, oldest first, also without limits."""
        return list(self.api.limits.passed.get(chat_id, ()))

    @property
    def refusals(self) -> list[CountedCall]:
        """The sends and edits that were answered 429, by the weather or by a planned fault."""
        return self.api.limits.refusals

    @property
    def violations(self) -> list[str]:
        """Calls that the real server tolerates but that are undocumented, and calls into a chat that a 429 had
        closed.
        """
        return self.api.violations

    @property
    def calls(self) -> deque[Call]:
        """The bot's last calls."""
        return self.frontend.calls

    @property
    def call_count(self) -> int:
        """The number of all calls."""
        return self.frontend.call_count

    @property
    def updates(self) -> Updates:
        """The queue of updates: `pending`, `next_id`, `restart_ids()`."""
        return self.api.updates

    @property
    def world(self) -> World:
        """All users, chats, messages and files."""
        return self.api.world

    @property
    def taps(self) -> dict[str, CallbackQuery]:
        """The taps that the bot has not answered, by id."""
        return self.api.callbacks.open

    def calls_of(self, method: str) -> list[Call]:
        """Return the recorded calls of one method."""
        return [call for call in self.frontend.calls if call.method.lower() == method.lower()]

    def phone(
        self,
        name: str,
        *,
        user_id: int | None = None,
        language_code: str = "th",
        last_name: str = "",
        username: str = "",
    ) -> Phone:
        """Add a person who has not started the bot yet, and return the person's phone."""
        user = User(user_id or self.world.new_user_id(), name, last_name, username, language_code)
        return Phone(self.api, user, self.world.add_user(user))

    def group(self, title: str, members: Sequence[Phone], *, supergroup: bool = False) -> Group:
        """Add a group of people, without the bot."""
        chat = self.world.add_group(title, [member.user for member in members], supergroup=supergroup)
        return Group(self.api, chat)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer(chat, event)` on each change of a chat. Returns a function that ends the subscription."""
        self.world.observers.append(observer)
        return lambda: self.world.observers.remove(observer)

    def chat(self, chat_id: int) -> Chat:
        """Return a chat by its id. Raises KeyError."""
        return self.world.chats[chat_id]

    def call(self, method: str, **params: Any) -> Any:
        """Call a method as the bot, without HTTP. Values are converted to text, as HTTP would. Raises ApiError."""
        return self.frontend.perform(method.lower(), Params({key: str(value) for key, value in params.items()}))

    async def start(self) -> None:
        """Open the port."""
        loop = asyncio.get_running_loop()

        def make_request(
            message: RawRequestMessage,
            payload: StreamReader,
            protocol: RequestHandler,
            writer: Any,
            task: asyncio.Task[None],
        ) -> web.BaseRequest:
            limit = UPLOAD_LIMIT + 2**21
            return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limit)

        if self._reserved is None:
            self._reserved = reserve_port(self.host, self.port)
            self.port = self._reserved.getsockname()[1]
        listening = socket.create_server((self.host, self.port))
        server = web.Server(self.frontend.handle, request_factory=make_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()
        self._courier = Courier(self.api, self.frontend.perform, self._sleep)

    async def close(self) -> None:
        """Stop listening; the port stays reserved. Raises the first internal error that was answered with a
        500.
        """
        self.updates.wake()
        if self._courier is not None:
            await self._courier.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self.frontend.errors:
            raise self.frontend.errors[0]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        finally:
            if self._reserved is not None:
                self._reserved.close()
                self._reserved = None
