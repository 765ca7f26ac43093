"""The webhook: a posted update is answered 200 once it is committed to the inbox, and not before.

Telegram repeats what is answered otherwise (Bot API, setWebhook). So a post that can never be stored is answered
200 too: repeated again and again, it would hold up the sender's next updates.
"""

import asyncio
import hmac
import json
import logging
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bot.inbound.intake import Intake
from bot.runtime import logs
from bot.runtime.metrics import TALLY
from models.database.trouble import name_of

log = logging.getLogger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - its name
# Bytes of a body at most. A text has up to 4,096 letters (Bot API, Message.text), an update some kilobytes.
LONGEST_BODY = 1_000_000
# Seconds for the body to arrive, and for the commit; Telegram waits 60 for an answer.
READ_TIMEOUT = 10.0
COMMIT_TIMEOUT = 20.0
# Seconds after which Telegram may repeat an update that could not be stored.
RETRY_AFTER = "1"


class Webhook:
    """Stores the updates of posts that bear the secret; refuses all other posts before reading their bodies.

    A body must arrive within `patience` seconds.
    """

    def __init__(self, secret: str, intake: Intake | None = None, patience: float = READ_TIMEOUT) -> None:
        self._secret = secret.encode()
        self._intake = intake
        self._patience = patience

    def open(self, intake: Intake) -> None:
        """Store posts from now on. Before, they are answered 503, and Telegram repeats them."""
        self._intake = intake

    async def receive(self, request: Request) -> Response:
        """Answer one POST: 200 stored or not storable, 403 wrong secret, 408 slow body, 413 long body, 415 no
        JSON, 503 not stored, to be repeated.
        """
        status = await self._status(request)
        TALLY.posts[str(status)] += 1
        return Response(status_code=status, headers={"Retry-After": RETRY_AFTER} if status == 503 else None)

    async def _status(self, request: Request) -> int:
        secret = request.headers.get(SECRET_HEADER, "").encode("latin-1", "replace")
        if not hmac.compare_digest(secret, self._secret):
            return 403
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415
        try:
            async with asyncio.timeout(self._patience):
                body = await _read(request)
        except (TimeoutError, ClientDisconnect):
            return 408
        if body is None:
            log.error("a body of more than %d bytes was refused", LONGEST_BODY)
            return 413
        return await self._keep(body)

    async def _keep(self, body: bytes) -> int:
        if self._intake is None:
            return 503
        update, raw = _parse(body)
        received = self._intake.receive(update, raw)
        if received is None:
            return 200
        logs.UPDATE.set(received.update_id)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._intake.put(received)
        except Exception as error:
            # The commit may have taken effect all the same; the inbox then knows the repeated update.
            log.error("the update could not be stored: %s", name_of(error))
            return 503
        return 200


async def _read(request: Request) -> bytes | None:
    """The body; None when it is longer than LONGEST_BODY, by its header or by the bytes that arrive."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > LONGEST_BODY:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            return None
    return bytes(body)


def _parse(body: bytes) -> tuple[Any, bytes | None]:
    """The decoded update, and its JSON if orjson can decode that; (None, None) for invalid JSON."""
    try:
        return orjson.loads(body), body
    except orjson.JSONDecodeError:
        # An unpaired surrogate in a text, which json accepts.
        try:
            return json.loads(body.decode(errors="replace")), None
        except (ValueError, RecursionError):
            return None, None
