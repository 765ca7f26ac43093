"""Makes officers' files in a separate process. In a thread, a spreadsheet, which is pure Python, would hold the
global interpreter lock against every tap (docs/performance.md, "Documents").
"""

import asyncio
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from bot.runtime.confinement import hide
from bot.runtime.threads import step_back
from handlers.chat.screen import AttachmentKind

# Imported in that process only: with the typesetter and the spreadsheet writer it takes 10 MB.
MAKERS = "bot.papers.makers"


class FileMaker:
    """One worker process at the lowest priority, started with the first file; it makes one file at a time."""

    def __init__(self) -> None:
        self._process: ProcessPoolExecutor | None = None

    async def make(self, kind: AttachmentKind, facts: object) -> bytes:
        """The content of a file of this kind, from the facts that its maker in bot/papers takes.

        Raises the maker's errors, and BrokenProcessPool when the process was killed; the next call starts another.
        """
        if self._process is None:
            self._process = _started()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._process, _make, kind, facts)
        except BrokenProcessPool:
            self._process = None
            raise

    def close(self) -> None:
        """End the process without waiting for the file that it is making."""
        if self._process is not None:
            self._process.shutdown(wait=False, cancel_futures=True)


def _started() -> ProcessPoolExecutor:
    # Never `fork`: the child would hold copies of the bot's threads and connections.
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    context.set_forkserver_preload([MAKERS])
    return ProcessPoolExecutor(1, context, initializer=_begin)


def _begin() -> None:
    # Registers' names pass through it.
    hide()
    step_back()
    threading.Thread(target=_end_with_the_bot, daemon=True).start()


def _end_with_the_bot() -> None:
    """End this process when the bot's ends: a killed bot does not close the pool, which would wait for ever."""
    bot = multiprocessing.parent_process()
    if bot is not None:
        bot.join()
        os._exit(0)


def _make(kind: AttachmentKind, facts: object) -> bytes:
    from bot.papers import makers  # noqa: PLC0415 - imported in this process only

    return makers.make(kind, facts)
