"""The listener: an open port, and uvicorn serving it in the program's own event loop."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from bot.http.door import Bounds, door
from bot.runtime.settings import Settings, SettingsRefused, listen_address

log = logging.getLogger(__name__)

# Connections that wait to be accepted, and that are accepted at once; Telegram opens at most 100 (Bot API,
# setWebhook, max_connections).
BACKLOG = 256
# Seconds that requests under way are given at the end.
GRACE = 1.0
DEFAULT_BOUNDS = Bounds()


def bind(settings: Settings) -> socket.socket:
    """Open the port of LAOCERT_LISTEN. Raises SettingsRefused when that cannot be."""
    host, port = listen_address(settings)
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # A name that is not known has a number of its own, below 0.
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SettingsRefused(
            f"LAOCERT_LISTEN: {settings.listen} cannot be listened at: {why}; stop what uses it, or choose another"
        ) from None


class _Uvicorn(uvicorn.Server):
    """Signals are the program's business: it stops its parts in their order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class Server:
    """Serves an app on an open socket until stopped; `bounds` are those of each connection."""

    def __init__(self, listening: socket.socket, app: ASGIApp, bounds: Bounds = DEFAULT_BOUNDS) -> None:
        self._listening = listening
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                http=door(bounds),
                backlog=BACKLOG,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=max(1, int(GRACE)),
            )
        )

    async def run(self) -> None:
        """Serve until stopped."""
        host, port = self._listening.getsockname()[:2]
        log.info("listening at %s:%d", host, port)
        await self._uvicorn.serve(sockets=[self._listening])

    async def stop(self, serving: asyncio.Task[None]) -> None:
        """Take no more requests, let those under way end."""
        self._uvicorn.should_exit = True
        await asyncio.wait({serving}, timeout=2 * GRACE)
        serving.cancel()
        self._listening.close()
