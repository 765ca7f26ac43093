"""python-telegram-bot's transport over aiohttp in place of its own over httpx, which scans its connection pool at
each request: with 256 calls at once that takes five times the processor time (docs/adr/0075).
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

# python-telegram-bot then returns time periods as timedelta; its other form is deprecated and warns.
os.environ.setdefault("PTB_TIMEDELTA", "true")

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0
# Seconds for both bodies of a call together, even when they arrive steadily: enough for 5 MB at 90 KB a second.
TRANSFER_TIMEOUT = 60.0
# Seconds that a call waits for a connection of the pool; less than READ_TIMEOUT and TRANSFER_TIMEOUT together.
POOL_TIMEOUT = 30.0


class NotSent(NetworkError):
    """No connection was made: the call had no effect, so repeating it is safe."""


@dataclass(frozen=True)
class JsonParameters:
    """JSON parameters of a call without files, in place of a RequestData, which makes an object of each."""

    parameters: dict[str, Any]
    contains_files = False

    def as_data(self) -> RequestData:
        """Itself, under the type that BaseRequest.post takes and passes to `do_request` unchanged."""
        return cast(RequestData, self)


class AiohttpRequest(BaseRequest):
    """One pool of connections to the Bot API.

    `connections`: calls in flight at most. `read_timeout`: seconds between two reads of an answer; a whole call
    takes at most `read_timeout + transfer_timeout`. `pool_timeout`: seconds to get a connection;
    `connect_timeout`: seconds to open a new one.
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
        # sock_read alone bounds neither a slow steady answer nor a request body that the server does not read.
        self._timeout = aiohttp.ClientTimeout(
            total=read_timeout + transfer_timeout,
            connect=pool_timeout,
            sock_connect=connect_timeout,
            sock_read=read_timeout,
        )
        self._client: aiohttp.ClientSession | None = None
        # Called with the Date header (RFC 9110) of each answer and the seconds that the call took, to compare
        # clocks.
        self.on_date: Callable[[str, float], None] | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds to wait for an answer; BaseRequest declares it."""
        return self._read_timeout

    async def initialize(self) -> None:
        """Open the pool."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60),
            # The Bot API sets no cookies, and looking for them costs time in each call.
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize=lambda value: orjson.dumps(value).decode(),
        )

    async def shutdown(self) -> None:
        """Close the pool."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def parse_json_payload(self, payload: bytes) -> Any:  # type: ignore[override]
        """The answer's JSON. Raises NetworkError when it is not the Bot API's: the call may have had effect."""
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
        """Make one call and return its HTTP status and body. `timeouts` are ignored: the pool's apply.

        Raises NotSent when no connection was made; TimedOut and NetworkError when the call may have had an effect.
        """
        if self._client is None:
            raise NetworkError("the transport is closed")
        body: dict[str, Any] = {}
        if request_data is not None and request_data.contains_files:
            form = aiohttp.FormData(request_data.json_parameters)
            for name, (file_name, content, mime) in request_data.multipart_data.items():
                # As a stream: aiohttp would write large bytes in one piece, and block the event loop.
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
            # Following it would turn a POST into a GET and send the token to wherever the redirect points.
            raise NetworkError(f"HTTP {status}, a redirect, which is not followed")
        if status >= 400:
            self._require_telegram(status, payload)
        return status, payload

    def _tell_date(self, response: aiohttp.ClientResponse, seconds: float) -> None:
        """Pass the Date of an answer to `on_date`, unless a proxy made the answer (no JSON) or a cache kept it (an
        Age header, RFC 9111).
        """
        date = response.headers.get("Date")
        if self.on_date is None or date is None or "Age" in response.headers:
            return
        if response.content_type == "application/json":
            self.on_date(date, seconds)

    async def fetch(self, url: str, limit: int) -> bytes:
        """Download at most `limit` + 1 bytes from a URL: the caller sees that a larger file is larger.

        Raises NotSent, TimedOut, NetworkError. No message of theirs holds the URL, which contains the token.
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
        """Raises NetworkError for an error page of a proxy, whose 404 would be taken for "no such token"."""
        try:
            self.parse_json_payload(payload)
        except NetworkError as error:
            raise NetworkError(f"HTTP {status} from something before the Bot API") from error
