"""Updates done: taken from the inbox, one sender's in order, senders in parallel, each in one transaction.

Several programs may work on one inbox: a sender is served by one of them at a time
(models/database/sender_lock.py), and an update whose turn it is not is left to the next look.
"""

import asyncio
import contextlib
import logging
import os
import random
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from telegram import Bot

from bot.inbound.attachments import Attachments
from bot.inbound.floods import Floods
from bot.inbound.showing import Showings
from bot.inbound.uploads import Uploads
from bot.runtime import logs
from bot.runtime.metrics import TALLY
from bot.runtime.threads import step_back
from bot.telegram import api
from bot.telegram.answers import Answers
from bot.telegram.limiter import Limiter
from handlers import problems
from handlers.chat.deleting import NeedsDeletion
from handlers.chat.incoming import Incoming, NotForUs, decode
from handlers.chat.proving import Attempt, Job, NeedsProof
from handlers.chat.turn import Setup
from handlers.chat.uploads import Upload, Wanted, find_upload
from handlers.dispatch import Reply, respond
from models.accounts import throttle
from models.accounts.tries import Tries
from models.chats import inbox
from models.chats.conversation import chat_language
from models.database.engine import Database, Session
from models.database.sender_lock import SENDER_LOCK_TIMES, SenderLocks, SenderLockTimes
from models.database.trouble import name_of, trouble_of
from models.links.senders import pending_in_turn
from models.notices import outbox
from models.notices.bad_seals import report_bad_seal
from models.security.sealing import Seal

log = logging.getLogger(__name__)

# Argon2id takes a core for 50 ms: one core is left to everybody's taps. So fifty logins at the same moment come to
# their transactions one after the other, and do not queue them all before the next tap.
HASHERS = max(1, (os.cpu_count() or 1) - 1)
# They step back for taps, but not to the last place: a PIN is a tap too, and one whose hash got what all others
# left over waited for half a minute (docs/performance.md, "A deadline day").
HASHERS_NICE = 5
# Tries counted at the same moment. One after the other they came to four a second under a full load, and PINs
# waited longer than officers do; fifty together would be fifty transactions before the next tap.
ADMISSIONS = 8


@dataclass(frozen=True)
class WorkerPace:
    """How much the worker does at once, and how long it waits."""

    # Updates in hand at once: as many as the pool of calls serves.
    parallel: int = api.CONNECTIONS
    # As many updates a look takes up; with more in hand none is needed.
    look_at_most: int = 2 * api.CONNECTIONS
    # Of senders who are not linked and not logging in: as many are served at once, and as many of their updates
    # are in memory. The rest of both is the officers', each in turn.
    strangers: int = 8
    strangers_queued: int = 64
    # An update of somebody who is no officer waits until none of an officer is in hand, for so many seconds at
    # most, and begins no sooner than so many after the one before: an officer's tap waits for one of them at most.
    give_way: float = 0.05
    strangers_every: float = 0.05
    # Updates of one sender in memory.
    queued: int = 32
    # Seconds between looks for what nobody has in hand: another program may have died, or a commit gone astray.
    look_every: float = 0.5
    # Sooner when another program served the same sender just now.
    look_soon: float = 0.1
    # Seconds before an update that failed is tried again.
    pause_after_failure: float = 1.0
    retries: api.Retries = api.RETRIES
    action_every: float = api.ACTION_EVERY
    sender_locks: SenderLockTimes = SENDER_LOCK_TIMES


WORKER_PACE = WorkerPace()


class NotNow(Exception):
    """It is not this update's turn, or not this program's: it is done already, or will be found again."""


class Worker:
    """Does updates. `on_commit` is called after each transaction that has queued messages.

    `limiter` is shared with whoever else sends messages; `send_receipt` sends the receipt of a certificate to a
    chat at once.
    """

    def __init__(
        self,
        bot: Bot,
        database: Database,
        seal: Seal,
        clock: Callable[[], datetime],
        rng: random.Random,
        on_commit: Callable[[], None],
        setup: Setup,
        limiter: Limiter,
        send_receipt: Callable[[int, int], Awaitable[None]],
        pace: WorkerPace = WORKER_PACE,
        floods: Floods | None = None,
    ) -> None:
        self._bot = bot
        self._database = database
        self._seal = seal
        self._clock = clock
        self._rng = rng
        self._on_commit = on_commit
        self._setup = setup
        self._pace = pace
        self._queues: dict[int, deque[inbox.InboxUpdate]] = {}
        # Ids of the rows in the queues and in hand.
        self._taken: set[int] = set()
        # Those among them of strangers.
        self._of_strangers: set[int] = set()
        self._floods = floods or Floods()
        self._stranger_turns = asyncio.Semaphore(pace.strangers)
        # Whose turn it is to begin one of theirs, and when the next may begin, by the loop's time.
        self._beginning = asyncio.Lock()
        self._next_stranger_at = 0.0
        # How many updates of officers are in hand, and whether none is.
        self._of_officers = 0
        self._no_officers = asyncio.Event()
        self._no_officers.set()
        # Ids of those that have ended since the last look began.
        self._ended: set[int] = set()
        # Those in hand, by the loop's time since when.
        self._since: dict[int, float] = {}
        self._wake = asyncio.Event()
        # The last look left some.
        self._more = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sender_locks = SenderLocks(database, pace.sender_locks)
        self._slots = asyncio.Semaphore(pace.parallel)
        self._admissions = asyncio.Semaphore(ADMISSIONS)
        self._hashers = ThreadPoolExecutor(
            HASHERS, thread_name_prefix="argon2", initializer=step_back, initargs=(HASHERS_NICE,)
        )
        answers = Answers(bot, database, clock, limiter, pace.retries)
        self._showings = Showings(bot, database, clock, limiter, answers, send_receipt, pace.retries)
        self._attachments = Attachments(bot, database, answers, clock, pace.action_every)
        self._uploads = Uploads(bot, pace.retries, pace.action_every)

    async def run(self) -> None:
        """Take up what nobody has in hand, again and again until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.look()
            except Exception as error:
                # The database is away.
                log.error("the inbox could not be read: %s", name_of(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look_every):
                    await self._wake.wait()

    async def look(self) -> None:
        """Queue the oldest updates that are not done and not in a queue, those of officers first."""
        self._ended.clear()
        most = self._pace.look_at_most
        if len(self._taken) - len(self._of_strangers) >= most:
            return
        room = self._pace.strangers_queued - len(self._of_strangers)
        async with self._database.read() as session:
            rows = await pending_in_turn(session, self._bot.id, self._taken, most, room)
        self._more = len(rows) == most
        # What was done while the answer came must not stand in a queue again: the officer's next screen would be
        # taken for one that has been tapped away already.
        self.take([row for row in rows if row.id not in self._ended])

    def oldest(self) -> float:
        """How many seconds the update that was begun first has been in hand."""
        now = asyncio.get_running_loop().time()
        return max((now - since for since in self._since.values()), default=0.0)

    def take(self, rows: list[inbox.InboxUpdate]) -> None:
        """Queue committed updates behind those of the same sender. What finds no room is left to the next look."""
        for row in rows:
            queue = self._queues.get(row.sender)
            is_officer = self._floods.is_officer(row.sender)
            has_room = is_officer or len(self._of_strangers) < self._pace.strangers_queued
            if row.id in self._taken:
                continue
            if not has_room or (queue and len(queue) >= self._pace.queued):
                self._more = True
                continue
            self._taken.add(row.id)
            if not is_officer:
                self._of_strangers.add(row.id)
            if queue is None:
                queue = self._queues[row.sender] = deque()
                task = asyncio.create_task(self._serve_sender(row.sender, queue))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            queue.append(row)

    def serves(self, sender: int) -> bool:
        """Whether something of this sender is in hand, or its answer waits to be shown."""
        return sender in self._queues or self._showings.waits(sender)

    async def drain(self, seconds: float) -> None:
        """Let what is in hand end; what does not in time stays in the inbox."""
        end = asyncio.get_running_loop().time() + seconds
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        await self._showings.drain(max(0.0, end - asyncio.get_running_loop().time()))
        await self._attachments.drain(max(0.0, end - asyncio.get_running_loop().time()))
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._sender_locks.close()
        self._hashers.shutdown(wait=False, cancel_futures=True)

    async def _serve_sender(self, sender: int, queue: deque[inbox.InboxUpdate]) -> None:
        """Process one sender's updates in their order, until the queue is empty or it is another program's
        turn.
        """
        try:
            while queue:
                row = queue.popleft()
                try:
                    await self._process_in_turn(row)
                finally:
                    self._taken.discard(row.id)
                    self._of_strangers.discard(row.id)
                    self._ended.add(row.id)
                if self._more and len(self._taken) < self._pace.parallel:
                    self._wake.set()
        except NotNow:
            asyncio.get_running_loop().call_later(self._pace.look_soon, self._wake.set)
        finally:
            self._taken.difference_update(row.id for row in queue)
            self._of_strangers.difference_update(row.id for row in queue)
            del self._queues[sender]
            self._sender_locks.give_back(sender)

    async def _process_in_turn(self, row: inbox.InboxUpdate) -> None:
        """Process an officer's update at once. All others give way; of these, strangers share a few turns, and who
        floods the bot waits for each. Raises NotNow.
        """
        is_logging_in = not self._floods.is_officer(row.sender) and await self._look_up(row)
        if self._floods.is_officer(row.sender):
            await self._process_of_officer(row)
        elif is_logging_in:
            await self._give_way()
            await self._process_with_retries(row)
        else:
            await asyncio.sleep(self._floods.delay(row.sender))
            async with self._stranger_turns:
                await self._give_way()
                await self._process_with_retries(row)

    async def _process_of_officer(self, row: inbox.InboxUpdate) -> None:
        self._of_officers += 1
        self._no_officers.clear()
        try:
            await self._process_with_retries(row)
        finally:
            self._of_officers -= 1
            if not self._of_officers:
                self._no_officers.set()

    async def _give_way(self) -> None:
        """Wait until no officer's update is in hand, for a moment at most."""
        async with self._beginning:
            now = asyncio.get_running_loop().time
            await asyncio.sleep(max(0.0, self._next_stranger_at - now()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.give_way):
                    await self._no_officers.wait()
            self._next_stranger_at = now() + self._pace.strangers_every

    async def _look_up(self, row: inbox.InboxUpdate) -> bool:
        """Whether a sender is logging in; one who turns out to be an officer is known for one afterwards."""
        try:
            async with self._database.read() as session:
                senders = await self._floods.look_up(session, [row.sender])
        except Exception as error:
            log.error("it is not known who sent an update: %s", name_of(error))
            return False
        if row.sender in senders.linked:
            self._of_strangers.discard(row.id)
        return row.sender in senders.logging_in

    async def _process_with_retries(self, row: inbox.InboxUpdate) -> None:
        """Process one update until it is done, or set aside after three failures that are not the database's.
        Raises NotNow.
        """
        logs.UPDATE.set(row.update_id)
        self._since[row.id] = asyncio.get_running_loop().time()
        try:
            while True:
                try:
                    await self._process(row)
                    return
                except NotNow:
                    raise
                except Exception as error:
                    if is_of_the_database := trouble_of(error) is not None:
                        # It says nothing of the update, which waits until it is over.
                        log.error("the update waits for the database: %s", name_of(error))
                    else:
                        # Whatever it is, it must not block the officer.
                        _log_failure("failed", error)
                        TALLY.updates["unknown", "failed"] += 1
                if not is_of_the_database and await self._give_up(row):
                    return
                await asyncio.sleep(self._pace.pause_after_failure)
        finally:
            del self._since[row.id]

    async def _process(self, row: inbox.InboxUpdate) -> None:
        """From decoding to the answer. Here the three ways part: a tap or text is answered at once; a password or
        PIN must be hashed first, and a file fetched and checked, both without a slot.

        A sender is locked when there is a slot: what waits for one here may be done by another program.
        """
        proof = None
        async with self._slots:
            if not await self._sender_locks.take(row.sender):
                raise NotNow
            try:
                incoming = decode(orjson.loads(self._seal.open(row.body or b"")))
            except NotForUs:
                await self._commit_and_show(row, None)
                return
            wanted = await self._find_upload(row, incoming)
            if wanted is None:
                proof = await self._answer_at_once(row, incoming)
                if proof is not None and proof.is_typed:
                    incoming = await self._delete(incoming)
        if wanted is not None:
            await self._answer_file(row, incoming, wanted)
        elif proof is not None:
            await self._answer_secret(row, incoming, proof)

    async def _answer_at_once(self, row: inbox.InboxUpdate, incoming: Incoming) -> Job | None:
        """Answer a tap or a text; or say which password or PIN must be checked before. Raises NotNow."""
        try:
            await self._answer(row, incoming)
        except NeedsProof as needed:
            return needed.job
        return None

    async def _answer_secret(self, row: inbox.InboxUpdate, incoming: Incoming, proof: Job) -> None:
        """Count the try, check the password or PIN in a thread, and answer. Raises NotNow."""
        async with self._admissions:
            blocked_until, spent = await self._admit(proof, row.id)
        if blocked_until is not None:
            attempt = Attempt(proof.rests_on, blocked_until=blocked_until)
        else:
            result = await asyncio.get_running_loop().run_in_executor(self._hashers, proof.check)
            attempt = proof.ended(result, spent)
        async with self._slots:
            await self._commit_and_show(row, incoming, attempt)

    async def _answer_file(self, row: inbox.InboxUpdate, incoming: Incoming, wanted: Wanted) -> None:
        """Fetch a file, check it in a process of its own, and answer. Raises NotNow."""
        upload = await self._uploads.take(incoming.chat_id, wanted)
        async with self._slots:
            await self._answer(row, incoming, upload)

    async def _answer(self, row: inbox.InboxUpdate, incoming: Incoming, upload: Upload | None = None) -> None:
        """Answer an update, once more when its message had to be deleted first. Raises NotNow and NeedsProof."""
        try:
            await self._commit_and_show(row, incoming, upload=upload)
        except NeedsDeletion:
            await self._commit_and_show(row, await self._delete(incoming), upload=upload)

    async def _delete(self, incoming: Incoming) -> Incoming:
        """Delete a message that may hold a password or a PIN; the update, and whether its message is gone."""
        assert incoming.message_id is not None  # noqa: S101 - only messages hold what was typed
        gone = await api.delete(self._bot, incoming.chat_id, incoming.message_id, self._pace.retries)
        return replace(incoming, is_deleted=gone)

    async def _find_upload(self, row: inbox.InboxUpdate, incoming: Incoming) -> Wanted | None:
        """A file that is to be fetched and checked. Raises NotNow."""
        if incoming.document is None:
            return None
        async with self._database.read() as session:
            await _require_turn(session, row)
            return await find_upload(session, incoming, self._clock())

    async def _admit(self, job: Job, update: int) -> tuple[datetime | None, dict[str, Tries]]:
        """Count the try before it is checked; the end of a block when it is one too many, and what was spent."""
        if not job.keys:
            return None, {}
        now, chat = self._clock(), self._setup.operator_chat
        async with self._database.write() as session:

            async def report(row: str) -> None:
                await report_bad_seal(session, row, now, chat)

            until = await throttle.admit(session, job.keys, now, update, job.witnesses, report)
            return until, await throttle.tries_of(session, job.witnesses)

    async def _commit_and_show(
        self,
        row: inbox.InboxUpdate,
        incoming: Incoming | None,
        attempt: Attempt | None = None,
        upload: Upload | None = None,
    ) -> None:
        """The update's transaction, and then its answer. Raises NotNow; NeedsProof, with no attempt yet."""
        async with self._database.write() as session:
            if not await inbox.finish(session, row, self._clock()):
                raise NotNow
            if incoming is None:
                TALLY.updates["other", "done"] += 1
                return
            reply = await respond(session, incoming, attempt, self._clock(), self._rng, self._setup, upload)
        if outbox.has_queued(session):
            self._on_commit()
        try:
            await self._show(row, incoming, reply)
        except Exception as error:
            # It is done: no second try, and no apology that nothing was changed.
            _log_failure("was done, its answer not shown", error)
        TALLY.updates[incoming.kind, "done"] += 1
        if incoming.callback_id is not None:
            TALLY.time_tap((self._clock() - row.received_at).total_seconds())

    async def _show(self, row: inbox.InboxUpdate, incoming: Incoming, reply: Reply | None) -> None:
        """Put the screen where the officer looks; a file that it promises is made after that."""
        if reply is None:
            return
        is_followed = bool(self._queues.get(incoming.user_id)) and incoming.callback_id is not None
        await self._showings.show(row.id, incoming, reply, is_followed=is_followed)
        if reply.screen.attachment is not None:
            self._attachments.take(incoming.chat_id, incoming.user_id, reply.screen.attachment)

    async def _give_up(self, row: inbox.InboxUpdate) -> bool:
        """Count the failure; after the last one set the update aside, with an apology to its sender."""
        try:
            async with self._database.write() as session:
                if not await inbox.note_failure(session, row.id, "see the log", self._clock()):
                    return False
                language = await chat_language(session, row.sender)
        except Exception as error:
            # The database is away: the update stays in the inbox and is tried again.
            log.error("the failure could not be noted: %s", name_of(error))
            return False
        log.error("the update is set aside")
        TALLY.updates["unknown", "set_aside"] += 1
        if row.sender > 0:
            self._showings.send_below(row.id, row.sender, row.sender, problems.apology(language))
        return True


async def _require_turn(session: Session, row: inbox.InboxUpdate) -> None:
    """Before what is done outside of the update's transaction. Raises NotNow."""
    if not await inbox.is_next(session, row):
        raise NotNow


def _log_failure(what: str, error: Exception) -> None:
    """Where it went wrong. What the error says is left out: it may hold a password."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("the update %s: %s\n%s", what, type(error).__name__, frames)
