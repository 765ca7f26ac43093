"""The HTTP face: routing, tokens, faults, answers (HttpConnection.cpp, ClientManager.cpp, Query.cpp)."""

from __future__ import annotations

import re
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from demo.botapi import editing, files, profile, sending, webhook
from demo.botapi.api import METHODS, Api
from demo.botapi.errors import ApiError, EmulatorBug, too_many_requests
from demo.botapi.faults import SERVER_ERROR_PAGE, Fault, Faults
from demo.botapi.limits import EDITS, NEW_MESSAGES
from demo.botapi.params import Params, read_params
from demo.botapi.schema import Method, load

__all__ = ["Call", "Frontend", "editing", "profile", "sending", "webhook"]

_PATH = re.compile(r"/bot([^/]+)/(?:test/)?([^/]*)")
_FILE_PATH = re.compile(r"/file/bot([^/]+)/(.+)")
_TOKEN = re.compile(r"[1-9]\d*:[A-Za-z0-9_-]{30,}")
_REASONS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
# SO_LINGER with zero seconds makes close() send RST, as a dying peer does.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Call:
    """One call by the bot, for tests to look at; `params` is text, as it came."""

    time: float
    method: str
    params: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)

    def json(self, name: str) -> Any:
        """Decode a parameter that is JSON."""
        return orjson.loads(self.params[name])


class Frontend:
    """Answers HTTP requests from one Api."""

    def __init__(
        self, api: Api, token: str, faults: Faults, sleep: Callable[[float], Awaitable[object]], calls_kept: int
    ) -> None:
        self.api = api
        self.token = token
        self.faults = faults
        self.sleep = sleep
        self.calls: deque[Call] = deque(maxlen=calls_kept)
        self.call_count = 0
        self.errors: list[BaseException] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; its `Date` (RFC 9110, 6.6.1) is the emulator's."""
        response = await self._handle_safely(request)
        response.headers["Date"] = formatdate(self.api.world.clock(), usegmt=True)
        return response

    async def _handle_safely(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._handle(request)
        except ApiError as error:
            return _refusal(error)
        except (ConnectionError, aiohttp.ClientPayloadError, web.RequestPayloadError):
            return web.Response()  # the bot hung up while it was sending; nobody reads this
        except Exception as error:  # a bug of the emulator: kept, and raised when it closes
            self.errors.append(error)
            return _refusal(ApiError(500, f"Internal Server Error: emulator bug: {error!r}"))

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        match = _PATH.fullmatch(path)
        if match is None:
            return self._download(path)
        self._check_token(match.group(1))
        params = await read_params(request)
        name = (match.group(2) or params.text("method")).lower()
        if self.faults.latency:
            await self.sleep(self.faults.latency)
        fault = self.faults.strike(name, params) if self.faults.planned else None
        if fault is None:
            return await self._answer(name, params)
        return await self._faulty(request, fault, name, params)

    def _check_token(self, token: str) -> None:
        if token == self.token:
            return
        # The server itself says 401 to both; the proxy before the hosted one says 404 to what is no token.
        raise ApiError(401, "Unauthorized") if _TOKEN.fullmatch(token) else ApiError(404, "Not Found")

    def _download(self, path: str) -> web.Response:
        match = _FILE_PATH.fullmatch(path)
        if match is None:
            raise ApiError(404, "Not Found")
        self._check_token(match.group(1))
        return web.Response(body=files.download(self.api, match.group(2)), content_type="application/octet-stream")

    async def _answer(self, name: str, params: Params) -> web.Response:
        documented = self._record(name, params)
        if name == "getupdates":
            result = await self.api.updates.get(params)
        else:
            result = orjson.dumps(self.perform(name, params, documented))
        return web.Response(body=b'{"ok":true,"result":%s}' % result, content_type="application/json")

    def perform(self, name: str, params: Params, documented: Method | None = None) -> Any:
        """Do a method and check what it answers."""
        handler = METHODS.get(name)
        documented = documented or load().method(name)
        if handler is None or documented is None:
            if documented is not None:
                self.api.complain(f"{documented.name} is in the Bot API, but not in the emulator")
            raise ApiError(404, "Not Found: method not found")
        result = handler(self.api, params)
        error = documented.returns(result)
        if error is not None:
            raise EmulatorBug(f"answer to {documented.name}: {error}")
        return result

    def _record(self, name: str, params: Params) -> Method | None:
        documented = load().method(name)
        title = documented.name if documented is not None else name
        uploads = {key: upload.name for key, upload in params.files.items()}
        self.calls.append(Call(self.api.world.clock(), title, params.args, uploads))
        self.call_count += 1
        if documented is not None:
            self._check_params(documented, params)
        return documented

    def _check_params(self, documented: Method, params: Params) -> None:
        attached = "".join(params.args.values()) if params.files else ""
        for name, text in params.args.items():
            parameter = documented.parameters.get(name)
            if parameter is None:
                if name != "method":
                    self.api.complain(f"{documented.name} has no parameter {name!r}")
            elif text:
                error = parameter.check(text)
                if error is not None:
                    self.api.complain(f"{documented.name}, {name}: {error}")
        for name in params.files:
            parameter_of_file = documented.parameters.get(name)
            if (
                not (parameter_of_file is not None and "InputFile" in parameter_of_file.types)
                and f"attach://{name}" not in attached
            ):
                self.api.complain(f"{documented.name} has no file {name!r}")

    async def _faulty(
        self, request: web.BaseRequest, fault: Fault, name: str, params: Params
    ) -> web.StreamResponse:
        """Let a planned fault strike; with `after_effect` the call is done first, its answer lost or late."""
        if not fault.after_effect:
            self._record(name, params)
        response: web.Response | None = None
        if fault.after_effect:
            try:
                response = await self._answer(name, params)
            except ApiError as error:
                response = _refusal(error)
        if fault.kind == "flood":
            raise self._flooded(name, params, int(fault.value))
        if fault.kind == "delay" and response is not None:
            await self.sleep(fault.value)
            return response
        if fault.kind == "server_error":
            status = int(fault.value)
            page = SERVER_ERROR_PAGE.format(status=status, reason=_REASONS.get(status, "Error"))
            return web.Response(status=status, text=page, content_type="text/html")
        if fault.kind == "bytes":
            return web.Response(status=int(fault.value), body=fault.body, content_type=fault.content_type)
        if fault.kind == "truncated" and response is not None:
            return await _truncated(request, response)
        return _cut(request)

    def _flooded(self, name: str, params: Params, retry_after: int) -> ApiError:
        """Give a planned 429; of a counted call it is one of the chat's, as the weather's own are."""
        documented = load().method(name)
        chat_id = params.integer("chat_id")
        if (
            documented is None
            or documented.name not in NEW_MESSAGES | EDITS
            or chat_id not in self.api.world.chats
        ):
            return too_many_requests(retry_after)
        return self.api.limits.refuse(chat_id, documented.name, retry_after)


def _cut(request: web.BaseRequest) -> web.Response:
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()


async def _truncated(request: web.BaseRequest, response: web.Response) -> web.StreamResponse:
    """Announce the whole answer and send its first half."""
    body = response.body
    assert isinstance(body, bytes)  # noqa: S101 - answers are JSON
    half = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


def _refusal(error: ApiError) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    headers = {}
    if error.parameters:
        load().verify("ResponseParameters", error.parameters)
        body["parameters"] = error.parameters
    if "retry_after" in error.parameters:
        headers["Retry-After"] = str(error.parameters["retry_after"])
    return web.Response(
        status=error.code, body=orjson.dumps(body), content_type="application/json", headers=headers
    )
