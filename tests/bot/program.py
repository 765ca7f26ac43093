"""The program in a process of its own: `laocert run` with the tuning of tests/bot/unlimited.py."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from demo.botapi import PATIENCE, Emulator
from tests import canary
from tests.bot.running import until
from tests.support import SECRET_KEY

ROOT = Path(__file__).parents[2]


class Program:
    """Starts and ends the program; one log collects the lines of all starts."""

    def __init__(self, directory: Path, emulator: Emulator, database_url: str, **settings: str) -> None:
        self.directory = directory
        self.settings = {
            "LAOCERT_BOT_TOKEN": emulator.token,
            "LAOCERT_API_URL": emulator.url,
            "LAOCERT_DATABASE_URL": database_url,
            "LAOCERT_SECRET_KEY": SECRET_KEY,
            "LAOCERT_LOG_LEVEL": "DEBUG",
            "LAOCERT_LISTEN": "127.0.0.1:0",
            **settings,
        }
        self._log = directory / "log"
        self._log.touch()
        self._process: asyncio.subprocess.Process | None = None
        self._began_at = time.monotonic()
        self._start_took = 0.0
        # Where in the log the newest start begins.
        self._began = 0

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def start(self) -> None:
        self._began, self._began_at = len(self.log), time.monotonic()
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.bot.unlimited",
                "run",
                cwd=self.directory,
                env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **self.settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Wait until the newest start has logged that it is running."""

        async def there() -> bool:
            return " is running; " in self.log[self._began :]

        await until(there)
        self._start_took = time.monotonic() - self._began_at

    def seconds(self, idle: float) -> float:
        """A timeout for something that takes `idle` seconds on an idle machine: on a busy one it may take as long
        as the program's start.
        """
        return max(idle, self._start_took)

    async def wait(self) -> int:
        """Wait until the program has ended; its exit code."""
        assert self._process is not None
        code = await asyncio.wait_for(self._process.wait(), PATIENCE)
        self._process = None
        return code

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return await self.wait()

    async def kill(self) -> None:
        """Kill the program."""
        assert await self.stop(signal.SIGKILL) == -signal.SIGKILL

    async def logged(self, words: str) -> None:
        """Wait until the log contains the words."""

        async def there() -> bool:
            return words in self.log

        await until(there)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Program"]:
        """Run the program during the block; its log must contain no secret."""
        await self.start()
        try:
            yield self
        finally:
            if self._process is not None and self._process.returncode is None:
                await self.kill()
        assert canary.secrets_in(self.log) == set()
