"""Files for officers, made in a process of their own: a spreadsheet is Python's work from end to end, and with a
thread for it each step of a tap would wait for Python's lock (docs/performance.md, "Documents").
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

# What makes them, and the typesetter and spreadsheet writer that it needs: 10 MB that the bot has no use for.
MAKERS = "bot.papers.makers"


class FileMaker:
    """One process, started with the first file and kept; one file at a time, at the lowest priority."""

    def __init__(self) -> None:
        self._process: ProcessPoolExecutor | None = None

    async def make(self, kind: AttachmentKind, facts: object) -> bytes:
        """The file of a kind. Raises what its maker raises, and BrokenProcessPool when the process was killed; the
        next file gets another.
        """
        if self._process is None:
            self._process = _started()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._process, _make, kind, facts)
        except BrokenProcessPool:
            self._process = None
            raise

    def close(self) -> None:
        """Let go of the process; what it has in hand is left."""
        if self._process is not None:
            self._process.shutdown(wait=False, cancel_futures=True)


def _started() -> ProcessPoolExecutor:
    # Never a copy of the bot itself: its threads and connections would be in it.
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    context.set_forkserver_preload([MAKERS])
    return ProcessPoolExecutor(1, context, initializer=_begin)


def _begin() -> None:
    # Registers' names pass through it.
    hide()
    step_back()
    threading.Thread(target=_end_with_the_bot, daemon=True).start()


def _end_with_the_bot() -> None:
    """A bot that was killed closes nothing: without this its process would wait for work for ever."""
    bot = multiprocessing.parent_process()
    if bot is not None:
        bot.join()
        os._exit(0)


def _make(kind: AttachmentKind, facts: object) -> bytes:
    from bot.papers import makers  # noqa: PLC0415 - for this process only

    return makers.make(kind, facts)
