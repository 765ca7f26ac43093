"""Sends officers the files that screens promise: a separate process makes one after the other, and each is sent
as a message below its screen.

No update waits for a file. A file that was not sent before the bot stopped is lost; the officer asks for it again.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from datetime import datetime

from telegram import Bot
from telegram.constants import ChatAction

from bot.inbound.files import FileMaker
from bot.telegram import api
from bot.telegram.answers import Answers
from handlers import problems
from handlers.chat.screen import Attachment, AttachmentKind
from models.accounts.account import active_officer
from models.chats.conversation import chat_language
from models.database.engine import Database

log = logging.getLogger(__name__)

# Sent as photos, which the chat shows at once; all others as documents.
PHOTOS = {AttachmentKind.PROGRESS}


class Attachments:
    """Makes and sends files. While a chat's file is being made, a second request for the same file is ignored.

    `action_every`: seconds between two chat actions.
    """

    def __init__(
        self,
        bot: Bot,
        database: Database,
        answers: Answers,
        clock: Callable[[], datetime],
        action_every: float = api.ACTION_EVERY,
    ) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._answers = answers
        self._action_every = action_every
        self._tasks: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._maker = FileMaker()

    def take(self, chat_id: int, user_id: int, attachment: Attachment) -> None:
        """Start making and sending a file, and return at once. The chat gets an apology for a failure."""
        key = (chat_id, attachment.file_name)
        if key in self._tasks:
            return
        task = self._tasks[key] = asyncio.create_task(self._deliver(chat_id, user_id, attachment))
        task.add_done_callback(lambda _: self._tasks.pop(key))

    async def drain(self, seconds: float) -> None:
        """Wait so many seconds for the files under way, cancel those that are not sent by then, and close the
        process that makes them.
        """
        pending = list(self._tasks.values())
        if pending:
            await asyncio.wait(pending, timeout=seconds)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        self._maker.close()

    async def _deliver(self, chat_id: int, user_id: int, attachment: Attachment) -> None:
        is_photo = attachment.kind in PHOTOS
        action = ChatAction.UPLOAD_PHOTO if is_photo else ChatAction.UPLOAD_DOCUMENT
        send = api.send_photo if is_photo else api.send_document
        try:
            async with api.busy(self._bot, chat_id, action, self._action_every):
                async with self._database.read() as session:
                    facts, caption = await attachment.load(session, self._clock())
                content = await self._maker.make(attachment.kind, facts)
                if not await self._is_linked(user_id):
                    return
                name = attachment.file_name
                await self._answers.make(
                    f"send a {attachment.kind}", chat_id, lambda: send(self._bot, chat_id, content, name, caption)
                )
        except Exception as error:
            # The exception's message is not logged: it may hold a person's name.
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("a %s was not made: %s\n%s", attachment.kind, type(error).__name__, frames)
            await self._apologize(chat_id)

    async def _is_linked(self, user_id: int) -> bool:
        """Whether the user is still linked: the link may have ended while the file was made."""
        async with self._database.read() as session:
            return await active_officer(session, user_id) is not None

    async def _apologize(self, chat_id: int) -> None:
        async with self._database.read() as session:
            apology = problems.no_file(await chat_language(session, chat_id))
        await self._answers.send("apologize", chat_id, apology)
