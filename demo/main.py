"""`laocert demo`: the whole system with sample data, an emulated Telegram, and a page with phones."""

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from aiohttp import web

from demo.botapi import LOOSE, Emulator
from demo.clock import FILE, MovedClock
from demo.demonstration import Demonstration
from demo.session import DemoRefused, Session
from demo.web import Pages

HOST = "127.0.0.1"


def show(port: int, keep: Path | None, *, open_browser: bool) -> None:
    """Run the demonstration until SIGINT or SIGTERM. Raises DemoRefused.

    `keep`: the folder for its data; None for a temporary one.
    """
    with listening(port) as listener, data_folder(keep) as folder:
        asyncio.run(_serve(listener, folder, open_browser))


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Open the page's port. Raises DemoRefused if it is taken or cannot be used."""
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise DemoRefused(f"port {port} {why}; choose another: laocert demo --port {port % 65535 + 1}") from error
    with listener:
        yield listener


@contextlib.contextmanager
def data_folder(keep: Path | None) -> Iterator[Path]:
    """Yield the locked folder `keep`, or a temporary one. Raises DemoRefused if it cannot be written or is in
    use.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="laocert-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    folder = keep.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "demo.lock").open("w")
    except OSError as error:
        raise DemoRefused(f"{keep} cannot be written ({error.strerror}); choose another folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoRefused(f"{keep} is in use by another demonstration; end that one first") from error
        yield folder


async def _serve(listener: socket.socket, folder: Path, open_browser: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    async with running(folder, listener) as demonstration:
        print(f"{url}  (Ctrl+C ends it)", flush=True)
        if open_browser and _has_screen():
            await asyncio.to_thread(webbrowser.open, url)
        starting = asyncio.create_task(demonstration.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if starting.done():
                starting.result()
                await stopping
        finally:
            starting.cancel()
            stopping.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)


@contextlib.asynccontextmanager
async def running(folder: Path, listener: socket.socket) -> AsyncIterator[Demonstration]:
    """Run the emulated Telegram, the page's server and the bot on a folder for the block."""
    clock = MovedClock(folder / FILE)
    # Updates and taps at Telegram expire by the real clock, so that a jump discards none.
    async with Emulator(clock=clock.timestamp, patience=time.time, weather=LOOSE) as emulator:
        demonstration = Demonstration(Session(folder, emulator, clock))
        runner = web.AppRunner(Pages(demonstration).application(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield demonstration
        finally:
            await demonstration.close()
            await runner.cleanup()


def _has_screen() -> bool:
    """Return whether there is a graphical screen. Without one, a text browser would take over the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
