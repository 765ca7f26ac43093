"""Draws screens in the chats: at once, or later from the chat's queue when the rate limiter allows no call now.

A screen that waits holds no worker slot, no sender's lock and no transaction. The queues are in memory: when the
program ends, their screens are lost; the facts are in the database, and the officer's next tap shows them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from telegram import Bot
from telegram.error import BadRequest, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.runtime.metrics import TALLY
from bot.telegram import api
from bot.telegram.answers import Answers
from bot.telegram.bot_rate import Rank
from bot.telegram.limiter import Limiter, Weight
from handlers import problems
from handlers.chat.incoming import Incoming
from handlers.chat.screen import Evidenced, Screen
from handlers.dispatch import Reply
from models.chats import inbox
from models.chats.conversation import Language, forget_card, note_card
from models.database.engine import Database
from models.links.link import take_away_late

log = logging.getLogger(__name__)

# Screens in one chat's queue; beyond that the oldest is dropped. An officer has a few, a script any number.
MOST_WAITING = 32
# Queued screens drawn at once: when many pauses end together, connections are left for the taps of others.
WAITING_DRAWN_AT_ONCE = 16
# Seconds between tries while Telegram refuses the token.
TOKEN_PAUSE = 60.0


@dataclass(eq=False)
class Showing:
    """A screen to be drawn in a chat, in answer to the update with the inbox id `number`.

    `message_id`: the message to edit; None sends a new one. `old_card`: the card that is deleted after a new one
    was sent. `is_apart`: the message does not become the chat's card. `is_plain`: a keypad without its dots.
    """

    number: int
    sender: int
    chat_id: int
    screen: Screen
    message_id: int | None = None
    old_card: int | None = None
    is_apart: bool = False
    is_plain: bool = False
    is_of_officer: bool = False
    language: Language = Language.THAI
    tries: int = 0
    # Whether it has a turn under the bot's limit over all chats.
    has_turn: bool = False

    @property
    def weight(self) -> Weight:
        """Its weight for the rate limiter."""
        return Weight.WAY if self.screen.is_navigation else Weight.RESULT

    def covers(self, earlier: "Showing") -> bool:
        """Whether an earlier screen need not be drawn any more: it only navigates, on the message that this screen
        replaces, and brings no second message or file.
        """
        is_same_message = earlier.message_id is not None and earlier.message_id in (self.message_id, self.old_card)
        is_alone = earlier.screen.apart is None and earlier.screen.attachment is None
        return is_same_message and is_alone and earlier.screen.is_navigation


class Queue:
    """The waiting screens of one chat."""

    def __init__(self) -> None:
        self.showings: list[Showing] = []
        # Inbox ids of the updates that this program has answered since the queue began.
        self.numbers: set[int] = set()
        self.news = asyncio.Event()

    def put(self, showing: Showing) -> None:
        """Append the newest screen, and drop the earlier ones that it covers."""
        self.showings = [earlier for earlier in self.showings if not showing.covers(earlier)][1 - MOST_WAITING :]
        self.showings.append(showing)
        self.news.set()

    def first(self) -> Showing:
        """The screen to draw next: results, warnings and refusals before navigation, each in order of arrival."""
        return min(self.showings, key=lambda showing: showing.weight)


class Showings:
    """Shows the answers to updates. `send_receipt(chat id, certificate id)` sends a receipt at once."""

    def __init__(
        self,
        bot: Bot,
        database: Database,
        clock: Callable[[], datetime],
        limiter: Limiter,
        answers: Answers,
        send_receipt: Callable[[int, int], Awaitable[None]],
        retries: api.Retries = api.RETRIES,
    ) -> None:
        self._bot = bot
        self._database = database
        self._clock = clock
        self._limiter = limiter
        self._answers = answers
        self._send_receipt = send_receipt
        self._retries = retries
        self._queues: dict[int, Queue] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._drawing = asyncio.Semaphore(WAITING_DRAWN_AT_ONCE)
        # By chat id: the message whose keypad shows dots; 0 for a keypad without them.
        self._dotted: dict[int, int] = {}

    def waits(self, chat_id: int) -> bool:
        """Whether the chat has a queue of screens."""
        return chat_id in self._queues

    async def show(self, number: int, incoming: Incoming, reply: Reply, *, is_followed: bool) -> None:
        """Answer the callback query, if any, and draw the screen, or queue it until its chat may be called. Does
        not wait for the chat's limits.

        `number` is the update's inbox id. `is_followed`: a later tap of the same sender is queued, whose screen
        follows at once.
        """
        chat_id = incoming.chat_id
        self._answers.obey(chat_id, reply.paused_until)
        if chat_id in self._queues:
            self._queues[chat_id].numbers.add(number)
        if isinstance(reply.screen, Evidenced):
            await self._show_receipt(number, incoming, reply.screen, reply.language)
            return
        showing = self._fitting(_showing_of(number, incoming, reply), is_followed=is_followed)
        wait = self._limiter.wait(chat_id, showing.weight) if showing is not None else 0.0
        must_wait = showing is not None and (wait > 0 or self.waits(chat_id) or self._must_line_up(showing))
        wait_toast = problems.wait_toast(reply.language, wait) if must_wait else ""
        answering = self._answer(incoming, reply.screen.toast or wait_toast)
        if showing is None or must_wait:
            await answering
        else:
            await asyncio.gather(answering, self._draw_or_keep(showing))
        if showing is not None and must_wait:
            self._keep(showing)
        if reply.screen.apart is not None:
            self.send_below(number, incoming.user_id, chat_id, reply.screen.apart)

    def send_below(self, number: int, sender: int, chat_id: int, screen: Screen) -> None:
        """Queue a screen as a new message that does not become the chat's card."""
        self._keep(Showing(number, sender, chat_id, screen, is_apart=True))

    def _must_line_up(self, showing: Showing) -> bool:
        """Whether the showing is a new message and the bot's limit over all chats is used up."""
        return showing.message_id is None and not self._limiter.bot.is_free()

    async def drain(self, seconds: float) -> None:
        """Wait so many seconds for the queues whose chats may be called by then; all other screens are lost."""
        soon = [task for chat, task in self._tasks.items() if self._limiter.wait(chat) < seconds]
        if soon:
            await asyncio.wait(soon, timeout=seconds)
        pending = list(self._tasks.values())
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    # --- a PIN's dots ---------------------------------------------------------------------------------------

    def _fitting(self, showing: Showing, *, is_followed: bool) -> Showing | None:
        """The showing as it is to be drawn; None for nothing. A keypad's dots are drawn while the chat has calls
        to spare. After that one more edit removes the dots, because they would show too few digits.
        """
        screen, chat_id = showing.screen, showing.chat_id
        if screen.without_dots is None:
            return showing
        is_digit = screen.is_passing and showing.message_id is not None
        if not self.waits(chat_id) and self._limiter.wait(chat_id, Weight.PASSING) == 0:
            return None if is_digit and is_followed else showing
        # A keypad that another program drew counts as one with dots.
        if is_digit and self._dotted.get(chat_id, showing.message_id) != showing.message_id:
            return None
        return replace(showing, screen=screen.without_dots, is_plain=True)

    def _note_dots(self, showing: Showing, message_id: int) -> None:
        if showing.is_plain or showing.screen.without_dots is not None:
            self._dotted[showing.chat_id] = 0 if showing.is_plain else message_id
        else:
            self._dotted.pop(showing.chat_id, None)

    # --- a chat's queue -------------------------------------------------------------------------------------

    def _keep(self, showing: Showing) -> None:
        chat_id = showing.chat_id
        queue = self._queues.get(chat_id)
        if queue is None:
            queue = self._queues[chat_id] = Queue()
            self._tasks[chat_id] = asyncio.create_task(self._serve(chat_id, queue), name="waiting screens")
        queue.numbers.add(showing.number)
        queue.put(showing)

    async def _serve(self, chat_id: int, queue: Queue) -> None:
        """Draw a chat's queue, one screen after the other, each as soon as the rate limiter allows it."""
        try:
            while queue.showings:
                queue.news.clear()
                showing = queue.first()
                wait = self._limiter.wait(chat_id, showing.weight)
                if wait > 0:
                    await _rest(queue, wait)
                    continue
                if showing.message_id is None and not showing.has_turn:
                    await self._limiter.bot.turn(Rank.ANSWER)
                    showing.has_turn = True
                    # During the wait another screen may have come before this one, or have covered it.
                    continue
                queue.showings.remove(showing)
                async with self._drawing:
                    retry_after = await self._draw_late(showing, queue)
                if retry_after is not None:
                    queue.showings.insert(0, showing)
                    await asyncio.sleep(retry_after)
        finally:
            del self._queues[chat_id], self._tasks[chat_id]

    async def _draw_late(self, showing: Showing, queue: Queue) -> float | None:
        """Draw a screen that has waited, unless another program has shown a newer one. Returns the seconds before
        the next try; None when the screen is drawn or given up.
        """
        try:
            if showing.message_id is None or not await self._is_overtaken(showing, queue):
                await self._draw(showing)
        except RetryAfter as error:
            await self._answers.pause(showing.chat_id, api.retry_seconds(error))
            return 0.0
        except InvalidToken:
            # Does not count as a try: the operator must set the right token.
            log.error("Telegram refuses the token; the next try comes in %.0f s", TOKEN_PAUSE)
            return TOKEN_PAUSE
        except NetworkError as error:
            showing.tries += 1
            if showing.tries < self._retries.tries:
                log.warning("draw a screen: try %d of %d: %s", showing.tries, self._retries.tries, error.message)
                return float(self._retries.first_wait * 2**showing.tries)
            log.error("draw a screen: given up")
        except Exception as error:
            log.error("a screen was not drawn: %s", type(error).__name__)
        return None

    async def _is_overtaken(self, showing: Showing, queue: Queue) -> bool:
        """Whether another program has answered a later update of the sender. Never on SQLite, which one program
        uses.
        """
        if self._database.is_sqlite:
            return False
        async with self._database.read() as session:
            later = await inbox.done_after(session, showing.sender, showing.number)
        return bool(later - queue.numbers)

    async def _draw_or_keep(self, showing: Showing) -> None:
        """Draw a screen now; queue it when Telegram asks to wait or cannot be reached."""
        try:
            await self._draw(showing)
        except RetryAfter as error:
            await self._answers.pause(showing.chat_id, api.retry_seconds(error))
            self._keep(showing)
        except (NetworkError, InvalidToken) as error:
            log.warning("draw a screen: try 1 of %d: %s", self._retries.tries, error.message)
            showing.tries += not isinstance(error, InvalidToken)
            self._keep(showing)

    # --- calls ----------------------------------------------------------------------------------------------

    async def _answer(self, incoming: Incoming, toast: str) -> None:
        if incoming.callback_id is not None:
            await api.answer(self._bot, incoming.callback_id, toast, replace(self._retries, tries=2))

    async def _show_receipt(self, number: int, incoming: Incoming, screen: Evidenced, language: Language) -> None:
        """Send the receipt as a new message and delete the keypad. A keypad that cannot be deleted (Bot API,
        deleteMessage: 48 hours) is edited into a pointer to the result, without keys.
        """
        chat_id, keypad_id = incoming.chat_id, incoming.message_id
        if chat_id in self._queues:
            queue = self._queues[chat_id]
            queue.showings = [showing for showing in queue.showings if showing.message_id != keypad_id]
        await asyncio.gather(self._answer(incoming, screen.toast), self._send_receipt(chat_id, screen.certificate))
        if keypad_id is not None and not await self._remove(chat_id, keypad_id):
            pointer = problems.result_below(language)
            self._keep(Showing(number, incoming.user_id, chat_id, pointer, message_id=keypad_id))

    async def _draw(self, showing: Showing) -> None:
        """Draw a screen in one try: edit its message, or send a new one where that is deleted. What Telegram
        refuses for good is logged.

        Raises RetryAfter, InvalidToken and NetworkError, after which the caller may try again.
        """
        method = "sendMessage" if showing.message_id is None else "editMessageText"
        try:
            if showing.message_id is not None and await self._edit(showing, showing.message_id):
                return
            method = "sendMessage"
            await self._send(showing)
        except BadRequest as error:
            await self._fall_back(showing, method, error)
        except (RetryAfter, NetworkError, InvalidToken):
            raise
        except TelegramError as error:
            # Forbidden: the user has blocked the bot.
            log.info("%s: refused: %s", method, error.message)

    async def _edit(self, showing: Showing, message_id: int) -> bool:
        """Edit a message into the screen; False when it is deleted or cannot be edited any more."""
        self._limiter.spend(showing.chat_id)
        try:
            await api.replace(self._bot, showing.chat_id, message_id, showing.screen)
        except BadRequest as error:
            if api.is_gone(error):
                return False
            if not api.is_shown(error):
                raise
        self._note_dots(showing, message_id)
        return True

    async def _send(self, showing: Showing) -> None:
        """Send the screen as a new message, silently, because the officer looks at the chat; it becomes the chat's
        card unless it is apart.
        """
        chat_id = showing.chat_id
        if not showing.has_turn:
            self._limiter.bot.take()
        showing.has_turn = False
        self._limiter.spend(chat_id)
        card = await api.send(self._bot, chat_id, showing.screen, silent=True)
        if showing.is_apart:
            return
        self._note_dots(showing, card)
        async with self._database.write() as session:
            await note_card(session, chat_id, card, self._clock())
            if showing.is_of_officer:
                await take_away_late(session, chat_id, card, self._clock())
        if showing.old_card is not None:
            await self._remove(chat_id, showing.old_card)

    async def _fall_back(self, showing: Showing, method: str, refusal: BadRequest) -> None:
        """Send the text of a screen that Telegram refused as malformed without formatting; when that is refused
        too, that it could not be shown.
        """
        log.error("Telegram refused a screen: %s: %s", method, refusal.message)
        TALLY.refusals[method] += 1
        if "chat not found" in refusal.message.lower():
            return
        for screen in (problems.plain(showing.screen), problems.not_shown(showing.language)):
            try:
                await self._send(replace(showing, screen=screen))
            except BadRequest as error:
                log.error("Telegram refused the plain text of a screen: sendMessage: %s", error.message)
            else:
                return

    async def _remove(self, chat_id: int, message_id: int) -> bool:
        """Delete a message that another has replaced; whether it is deleted. One try: one that stays is blanked
        when the officer's link ends.
        """
        is_gone = await api.delete(self._bot, chat_id, message_id, replace(self._retries, tries=1))
        if is_gone:
            async with self._database.write() as session:
                await forget_card(session, chat_id, message_id)
        return is_gone


def _showing_of(number: int, incoming: Incoming, reply: Reply) -> Showing:
    """The answer to an update, placed on the tapped message or below as a new one."""
    is_in_place = incoming.callback_id is not None and not reply.is_below
    return Showing(
        number=number,
        sender=incoming.user_id,
        chat_id=incoming.chat_id,
        screen=reply.screen,
        message_id=incoming.message_id if is_in_place else None,
        old_card=reply.old_card,
        # Only private chats have a card.
        is_apart=not incoming.is_private,
        is_of_officer=reply.is_of_officer,
        language=reply.language,
    )


async def _rest(queue: Queue, seconds: float) -> None:
    """Wait so many seconds, or until another screen joins the queue."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.001)):
            await queue.news.wait()
