"""Carries python-telegram-bot's calls over aiohttp.

Its own httpx transport scans its pool at each request: at 256 calls at once it costs five times the CPU
(docs/architecture.md).
"""

import os
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import orjson
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.runtime.metrics import TALLY

# Asks python-telegram-bot for time periods as timedelta; the other form is deprecated and warns.
os.environ.setdefault("PTB_TIMEDELTA", "true")

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0


class NotSent(NetworkError):
    """No connection: the call certainly had no effect and can be repeated freely."""


@dataclass(frozen=True)
class JsonParameters:
    """Parameters of a call without files, as they are to stand in its JSON: what `AiohttpRequest` needs of a
    RequestData, which makes an object of each.
    """

    parameters: dict[str, Any]
    contains_files = False

    def as_data(self) -> RequestData:
        """For BaseRequest.post, which passes it on to `do_request`."""
        return cast(RequestData, self)


class AiohttpRequest(BaseRequest):
    """One pool of connections to the Bot API.

    `connections` bounds the calls under way; the timeouts are in seconds.
    """

    def __init__(
        self, connections: int, read_timeout: float = READ_TIMEOUT, connect_timeout: float = CONNECT_TIMEOUT
    ) -> None:
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._client: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds that an answer may take."""
        return self._read_timeout

    async def initialize(self) -> None:
        """Open the pool."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60),
            # The Bot API sets none, and looking for them costs each call.
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize=lambda value: orjson.dumps(value).decode(),
        )

    async def shutdown(self) -> None:
        """Close the pool."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def parse_json_payload(self, payload: bytes) -> Any:  # type: ignore[override]
        """The answer's JSON. Raises NetworkError for what is not the Bot API's: the call may have had effect."""
        try:
            answer = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise NetworkError("the answer is no JSON") from error
        if not isinstance(answer, dict) or not answer.keys() & {"result", "description"}:
            raise NetworkError("the answer is not the Bot API's")
        return answer

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *timeouts: Any, **_timeouts: Any
    ) -> tuple[int, bytes]:
        """Make one call; its HTTP status and body.

        Raises NotSent, TimedOut (it may have had an effect), NetworkError (likewise).
        """
        if self._client is None:
            raise NetworkError("the transport is closed")
        body: dict[str, Any] = {}
        if request_data is not None and request_data.contains_files:
            form = aiohttp.FormData(request_data.json_parameters)
            for name, (file_name, content, mime) in request_data.multipart_data.items():
                form.add_field(name, content, filename=file_name, content_type=mime)
            body["data"] = form
        elif request_data is not None:
            body["json"] = request_data.parameters
        timeout = aiohttp.ClientTimeout(sock_connect=self._connect_timeout, sock_read=self._read_timeout)
        try:
            async with self._client.request(method, url, timeout=timeout, **body) as response:
                status, payload = response.status, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(type(error).__name__) from error
        except TimeoutError as error:
            raise TimedOut from error
        except (aiohttp.ClientError, OSError) as error:
            # The text of an aiohttp error can hold the URL, and with it the token.
            raise NetworkError(type(error).__name__) from error
        if status == 429:
            TALLY.floods += 1
        if status >= 400:
            self._require_telegram(status, payload)
        return status, payload

    async def fetch(self, url: str, limit: int) -> bytes:
        """What is at a URL, up to one byte more than `limit`: so much is read and no more.

        Raises NotSent, TimedOut, NetworkError; none of them holds the URL, which holds the token.
        """
        if self._client is None:
            raise NetworkError("the transport is closed")
        timeout = aiohttp.ClientTimeout(sock_connect=self._connect_timeout, sock_read=self._read_timeout)
        content = bytearray()
        try:
            async with self._client.get(url, timeout=timeout) as response:
                if response.status != 200:
                    raise NetworkError(f"HTTP {response.status} in place of a file")
                async for chunk in response.content.iter_chunked(1 << 16):
                    content += chunk
                    if len(content) > limit:
                        break
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(type(error).__name__) from error
        except TimeoutError as error:
            raise TimedOut from error
        except (aiohttp.ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from error
        return bytes(content[: limit + 1])

    def _require_telegram(self, status: int, payload: bytes) -> None:
        """A proxy's page must not be taken for Telegram's word: its 404 would be "no such token"."""
        try:
            self.parse_json_payload(payload)
        except NetworkError as error:
            raise NetworkError(f"HTTP {status} from something before the Bot API") from error
