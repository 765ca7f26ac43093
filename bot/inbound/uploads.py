"""Files that officers send: fetched within a bound, and checked in a process of their own.

A file is read by a process that ends with it: its Python never runs under the lock that the taps of others run
under, and whatever is wrong with a file, the process has bounds of memory and time. It is given neither the secret
key nor the token, and can open nothing by which to get at them (bot/runtime/confinement.py).
"""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import Process

import orjson
from telegram import Bot
from telegram.constants import ChatAction

from bot.telegram import api
from bot.telegram.api import ACTION_EVERY, RETRIES, Retries
from handlers.chat.uploads import NOT_CHECKED, NOT_FETCHED, NOT_SERVED, Upload, Wanted
from models.imports.sent_file import MAX_BYTES, require_file, unpacked_check
from models.imports.tabular import ImportRefused

log = logging.getLogger(__name__)

# Files in memory at once, 5 MB each.
FETCHED_AT_ONCE = 8
# Seconds that a check may take: it has 2 s of work, and gives way to everybody else (bot/inbound/checking.py).
PATIENCE = 120.0
# Seconds after which the next file is begun beside one whose check has not ended: nobody waits longer for that.
TURN = 4.0


class Uploads:
    """Fetches and checks: one file at a time, so that one core is left to everybody's taps, but none waits more
    than `turn` seconds for the one before it. `action_every` are the seconds after which the chat action is
    renewed.
    """

    def __init__(
        self, bot: Bot, retries: Retries = RETRIES, action_every: float = ACTION_EVERY, turn: float = TURN
    ) -> None:
        self._bot = bot
        self._retries = retries
        self._action_every = action_every
        self._fetched = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._checks = asyncio.Semaphore(1)
        self._turn = turn

    async def take(self, chat_id: int, wanted: Wanted) -> Upload:
        """What came of a file; the chat shows meanwhile that the bot is busy."""
        async with self._fetched, api.busy(self._bot, chat_id, ChatAction.TYPING, self._action_every):
            try:
                packed = await self._check(wanted, await self._fetch(wanted))
                return Upload(wanted.organization, unpacked_check(packed))
            except ImportRefused as refused:
                return Upload(wanted.organization, problems=tuple(refused.problems))

    async def _check(self, wanted: Wanted, content: bytes) -> bytes:
        """Check a file in its turn. Raises ImportRefused as `check` does."""
        async with self._checks:
            checking = asyncio.create_task(check(wanted, content))
            try:
                await asyncio.wait({checking}, timeout=self._turn)
            except asyncio.CancelledError:
                checking.cancel()
                raise
        return await checking

    async def _fetch(self, wanted: Wanted) -> bytes:
        """The file's bytes. Raises ImportRefused when it is larger than Telegram has said, or does not come."""
        file_id = wanted.file_id
        try:
            content = await api.persist(
                "fetch a file", lambda: api.fetch(self._bot, file_id, MAX_BYTES), self._retries
            )
        except api.LocalPath as error:
            log.error("%s", error)
            raise ImportRefused([NOT_SERVED]) from error
        if content is None:
            raise ImportRefused([NOT_FETCHED])
        require_file(wanted.name, len(content))
        return content


async def check(wanted: Wanted, content: bytes, patience: float = PATIENCE) -> bytes:
    """What bot/inbound/checking.py says of a file. Raises ImportRefused when it came to no end in `patience`
    seconds.
    """
    process = await start_reader("-m", "bot.inbound.checking")
    told = orjson.dumps({"name": wanted.name, "organization": wanted.organization})
    packed = b""
    try:
        async with asyncio.timeout(patience):
            packed, _ = await process.communicate(told + b"\n" + content)
    except TimeoutError:
        log.warning("the check of a file took more than %.0f s", patience)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        log.warning("the check of a file ended with %d", process.returncode)
        raise ImportRefused([NOT_CHECKED])
    return packed


async def start_reader(*program: str) -> Process:
    """Start Python on a program that reads what an officer has sent. It gets pipes for its input and output, no
    environment but where its code is, and no directory with our files.
    """
    # "" is the directory that we are in, and the reader is not.
    path = os.pathsep.join(os.path.join(os.getcwd(), one) for one in sys.path)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # A traceback may hold names.
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": path},
        cwd="/",
    )
