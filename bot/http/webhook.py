"""The webhook: an update that Telegram posts is answered 200 when it is in the inbox, and not before.

What is answered otherwise is repeated by Telegram (Bot API, setWebhook), so what could never be kept is answered
200 as well: it would come again and again and hold up what its sender does next.
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
# The longest text has 4,096 letters (Bot API, Message.text); an update is some kilobytes at most.
LONGEST_BODY = 1_000_000
# Seconds that a body may take to come, and those that the database is waited for; Telegram waits for 60.
READ_TIMEOUT = 10.0
COMMIT_TIMEOUT = 20.0
# Seconds after which Telegram may repeat what could not be kept.
RETRY_AFTER = "1"


class Webhook:
    """Receives what comes with the secret; refuses the rest before reading it. A body has `patience` seconds."""

    def __init__(self, secret: str, intake: Intake | None = None, patience: float = READ_TIMEOUT) -> None:
        self._secret = secret.encode()
        self._intake = intake
        self._patience = patience

    def open(self, intake: Intake) -> None:
        """The program has started: from now on posts are kept. Before that Telegram is told to repeat them."""
        self._intake = intake

    async def receive(self, request: Request) -> Response:
        """Answer one POST."""
        status = await self._status(request)
        TALLY.posts[str(status)] += 1
        return Response(status_code=status, headers={"Retry-After": RETRY_AFTER} if status == 503 else None)

    async def _status(self, request: Request) -> int:
        given = request.headers.get(SECRET_HEADER, "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, self._secret):
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
            # The database is away. The commit may have been made all the same: the repetition is then known.
            log.error("the update could not be kept: %s", name_of(error))
            return 503
        return 200


async def _read(request: Request) -> bytes | None:
    """The body; None as soon as it is too long, whatever length was announced."""
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
    """The update, and its JSON where orjson can read that later; None for what is no JSON."""
    try:
        return orjson.loads(body), body
    except orjson.JSONDecodeError:
        # Half a surrogate pair in a text is no reason to lose its sender's turn.
        try:
            return json.loads(body.decode(errors="replace")), None
        except (ValueError, RecursionError):
            return None, None
