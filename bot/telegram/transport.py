"""Carries python-telegram-bot's calls over aiohttp.

Its own httpx transport scans its pool at each request: at 256 calls at once it costs five times the CPU
(docs/architecture.md).
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
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
# Seconds for the bodies of a call, both ways, however steadily they drip: a file of 5 MB comes at 90 KB a second.
TRANSFER_TIMEOUT = 60.0
# Seconds that a call waits for a connection of the pool, less than the two above together.
POOL_TIMEOUT = 30.0


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

    `connections` bounds the calls under way. An answer may let itself be waited for `read_timeout` seconds, and a
    whole call takes at most `transfer_timeout` seconds more. It has a connection within `pool_timeout` seconds, a
    new one within `connect_timeout`.
    """

    def __init__(
        self,
        connections: int,
        read_timeout: float = READ_TIMEOUT,
        transfer_timeout: float = TRANSFER_TIMEOUT,
        pool_timeout: float = POOL_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._connections = connections
        self._read_timeout = read_timeout
        # sock_read alone bounds neither a body that drips nor one that the other side does not take.
        self._timeout = aiohttp.ClientTimeout(
            total=read_timeout + transfer_timeout,
            connect=pool_timeout,
            sock_connect=connect_timeout,
            sock_read=read_timeout,
        )
        self._client: aiohttp.ClientSession | None = None
        # Is told the Date (RFC 9110) of each answer, as it came, and the seconds that the call took: for whoever
        # compares clocks.
        self.on_date: Callable[[str, float], None] | None = None

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
                # In pieces: large bytes as a whole would hold up the event loop.
                pieces = BytesIO(content) if isinstance(content, bytes) else content
                form.add_field(name, pieces, filename=file_name, content_type=mime)
            body["data"] = form
        elif request_data is not None:
            body["json"] = request_data.parameters
        began = time.monotonic()
        try:
            async with self._client.request(
                method, url, timeout=self._timeout, allow_redirects=False, **body
            ) as response:
                self._tell_date(response, time.monotonic() - began)
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
        if 300 <= status < 400:
            # Followed, a POST would become a GET, and the token would go wherever the redirect says.
            raise NetworkError(f"HTTP {status}, a redirect, which is not followed")
        if status >= 400:
            self._require_telegram(status, payload)
        return status, payload

    def _tell_date(self, response: aiohttp.ClientResponse, seconds: float) -> None:
        """Pass the Date on. Pages of a proxy are no JSON, and what a cache has kept bears an Age (RFC 9111)."""
        date = response.headers.get("Date")
        if self.on_date is None or date is None or "Age" in response.headers:
            return
        if response.content_type == "application/json":
            self.on_date(date, seconds)

    async def fetch(self, url: str, limit: int) -> bytes:
        """What is at a URL, up to one byte more than `limit`: so much is read and no more.

        Raises NotSent, TimedOut, NetworkError; none of them holds the URL, which holds the token.
        """
        if self._client is None:
            raise NetworkError("the transport is closed")
        content = bytearray()
        try:
            async with self._client.get(url, timeout=self._timeout, allow_redirects=False) as response:
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
