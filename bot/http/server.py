"""The listening socket, and uvicorn serving it in the program's own event loop."""

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

# Connections that may wait to be accepted. Telegram opens at most 100 (Bot API, setWebhook, max_connections).
BACKLOG = 256
# Seconds for which a stop waits for requests in progress.
GRACE = 1.0
DEFAULT_BOUNDS = Bounds()


def bind(settings: Settings) -> socket.socket:
    """Listen at the address of LAOCERT_LISTEN. Raises SettingsRefused when the system refuses it."""
    host, port = listen_address(settings)
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # An unknown host name has an error number below 0, which os.strerror does not know.
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SettingsRefused(
            f"LAOCERT_LISTEN: {settings.listen} cannot be listened at: {why}; stop what uses it, or choose another"
        ) from None


class _Uvicorn(uvicorn.Server):
    """uvicorn's server without signal handlers: the program handles signals, to stop its parts in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


class Server:
    """Serves an app on a listening socket until stopped; `bounds` limit its connections."""

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
        """Serve until `stop` is called."""
        host, port = self._listening.getsockname()[:2]
        log.info("listening at %s:%d", host, port)
        await self._uvicorn.serve(sockets=[self._listening])

    async def stop(self, serving: asyncio.Task[None]) -> None:
        """Take no more requests, wait up to 2 s for those in progress, and close. `serving` runs `run`."""
        self._uvicorn.should_exit = True
        await asyncio.wait({serving}, timeout=2 * GRACE)
        serving.cancel()
        self._listening.close()
