"""Files that officers send: downloaded up to a size limit, and each checked in a process of its own.

The process keeps the check off the bot's global interpreter lock. A hostile file meets limits of memory and time,
in a process that has neither the secret key nor the token, and can open nothing that holds them
(bot/runtime/confinement.py).
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
# Seconds that a check may take: 2 s of processor time at low priority (bot/inbound/checking.py).
PATIENCE = 120.0
# Seconds after which the next check starts beside one that has not ended.
TURN = 4.0


class Uploads:
    """Downloads and checks files: one check at a time, so that the taps keep the other core, but no file waits
    more than `turn` seconds for the one before it. `action_every`: seconds between two chat actions.
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
        """Download and check a file, while the chat shows that the bot is busy. Problems of the file, or of its
        download or check, are in the result's `problems`.
        """
        async with self._fetched, api.busy(self._bot, chat_id, ChatAction.TYPING, self._action_every):
            try:
                packed = await self._check(wanted, await self._fetch(wanted))
                return Upload(wanted.organization, unpacked_check(packed))
            except ImportRefused as refusal:
                return Upload(wanted.organization, problems=tuple(refusal.problems))

    async def _check(self, wanted: Wanted, content: bytes) -> bytes:
        """Check a file when it has its turn. Raises ImportRefused as `check` does."""
        async with self._checks:
            checking = asyncio.create_task(check(wanted, content))
            try:
                await asyncio.wait({checking}, timeout=self._turn)
            except asyncio.CancelledError:
                checking.cancel()
                raise
        return await checking

    async def _fetch(self, wanted: Wanted) -> bytes:
        """The file's bytes. Raises ImportRefused when the download fails or the file is larger than MAX_BYTES."""
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
    """Run bot/inbound/checking.py on a file; its packed result. Raises ImportRefused when the process fails or
    takes more than `patience` seconds.
    """
    process = await start_reader("-m", "bot.inbound.checking")
    request = orjson.dumps({"name": wanted.name, "organization": wanted.organization})
    packed = b""
    try:
        async with asyncio.timeout(patience):
            packed, _ = await process.communicate(request + b"\n" + content)
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
    """Start Python on a program that reads what an officer has sent. It gets pipes for its input and output, an
    environment that holds nothing but where the code is, and a working directory without our files.
    """
    # "" in sys.path means the bot's working directory, which is not the reader's.
    path = os.pathsep.join(os.path.join(os.getcwd(), folder) for folder in sys.path)
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
