"""Processes updates from the inbox: one sender's in order, senders in parallel, each update in one transaction.

Several programs may share an inbox. Only the program with a sender's lock (models/database/sender_lock.py)
processes that sender's updates; the others leave them to their next scan.
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

from telegram import Bot

from bot.inbound.attachments import Attachments
from bot.inbound.floods import Floods
from bot.inbound.intake import open_body
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

# Threads that hash passwords and PINs. Argon2id takes a core for 50 ms, so one core is left to taps. Few threads
# also space the transactions of many simultaneous logins, which would otherwise all queue before the next tap.
HASHERS = max(1, (os.cpu_count() or 1) - 1)
# Niceness of those threads: below taps, but not the lowest, because officers wait for a PIN's hash as for a tap.
# At the lowest priority it took half a minute (docs/adr/0068).
HASHERS_NICE = 5
# Login and PIN attempts counted at once. One at a time gave four a second under full load, longer than officers
# wait; without a limit fifty logins would be fifty transactions before the next tap.
ADMISSIONS = 8


@dataclass(frozen=True)
class WorkerPace:
    """Concurrency and waiting times of the worker; times are in seconds.

    A *stranger* is a sender who is not linked and not logging in.
    """

    # Updates processed at once: as many as the connection pool serves.
    parallel: int = api.CONNECTIONS
    # Updates that one scan of the inbox takes up. With so many in memory no scan is needed.
    look_at_most: int = 2 * api.CONNECTIONS
    # Strangers' updates processed at once, and in memory; all other places are for officers.
    strangers: int = 8
    strangers_queued: int = 64
    # An update of a sender who is no officer waits up to `give_way` until no officer's update is being processed,
    # and starts at least `strangers_every` after the one before. So an officer's tap waits for one of them at
    # most.
    give_way: float = 0.05
    strangers_every: float = 0.05
    # Updates of one sender in memory.
    queued: int = 32
    # Between two scans for updates that no program processes, after a program died or a commit seemed to fail.
    look_every: float = 0.5
    # Until the next scan when another program had the sender's lock.
    look_soon: float = 0.1
    # Before a failed update is tried again.
    pause_after_failure: float = 1.0
    retries: api.Retries = api.RETRIES
    action_every: float = api.ACTION_EVERY
    sender_locks: SenderLockTimes = SENDER_LOCK_TIMES


WORKER_PACE = WorkerPace()


class NotNow(Exception):
    """The update is not to be processed now: it is done already, an earlier one of its sender is not, or another
    program has the sender's lock. A later scan takes it up if it is still open.
    """


class Worker:
    """Processes updates. `on_commit` is called after each transaction that queued notices in the outbox.

    `limiter` is shared with the courier. `send_receipt(chat id, certificate id)` sends a certificate's receipt at
    once.
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
        # Inbox ids of the updates that are queued or being processed.
        self._taken: set[int] = set()
        # Those of them whose sender is not known to be an officer.
        self._of_strangers: set[int] = set()
        self._floods = floods or Floods()
        self._stranger_turns = asyncio.Semaphore(pace.strangers)
        # Lets updates of senders who are no officers start one after the other, the next at this loop time.
        self._beginning = asyncio.Lock()
        self._next_stranger_at = 0.0
        # Officers' updates being processed: their number, and an event that is set while there are none.
        self._of_officers = 0
        self._no_officers = asyncio.Event()
        self._no_officers.set()
        # Inbox ids of the updates that have ended since the last scan began.
        self._ended: set[int] = set()
        # By inbox id of an update being processed: the loop's time of its start.
        self._since: dict[int, float] = {}
        self._wake = asyncio.Event()
        # Whether updates were left in the inbox for lack of room.
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
        """Scan the inbox again and again, until cancelled. Failures of the database are logged."""
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
        """Scan the inbox once: queue the oldest open updates that are not in memory, officers' first. Raises the
        database's errors.
        """
        self._ended.clear()
        most = self._pace.look_at_most
        if len(self._taken) - len(self._of_strangers) >= most:
            return
        room = self._pace.strangers_queued - len(self._of_strangers)
        async with self._database.read() as session:
            rows = await pending_in_turn(session, self._bot.id, self._taken, most, room)
        self._more = len(rows) == most
        # Updates that ended during the query must not be queued again: the sender would seem to have a later tap,
        # and its screen would not be drawn (`is_followed`).
        self.take([row for row in rows if row.id not in self._ended])

    def oldest(self) -> float:
        """Seconds for which the oldest of the updates being processed has been under way; 0 without any."""
        now = asyncio.get_running_loop().time()
        return max((now - since for since in self._since.values()), default=0.0)

    def take(self, rows: list[inbox.InboxUpdate]) -> None:
        """Queue committed updates behind those of the same sender. The next scan takes those without room."""
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
        """Whether an update of the sender is queued or processed, or an answer to it waits to be shown."""
        return sender in self._queues or self._showings.waits(sender)

    async def drain(self, seconds: float) -> None:
        """Wait so many seconds for updates, screens and files under way, then cancel the others and release all
        locks. Updates that are not done stay in the inbox.
        """
        end = asyncio.get_running_loop().time() + seconds
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        await self._showings.drain(max(0.0, end - asyncio.get_running_loop().time()))
        await self._attachments.drain(max(0.0, end - asyncio.get_running_loop().time()))
        pending = list(self._tasks)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await self._sender_locks.close()
        self._hashers.shutdown(wait=False, cancel_futures=True)

    async def _serve_sender(self, sender: int, queue: deque[inbox.InboxUpdate]) -> None:
        """Process one sender's queue in order, until it is empty or another program has the sender's lock."""
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
        """Process an officer's update at once. All others give way to officers; of these, strangers share a few
        slots, and a sender that floods the bot is delayed. Raises NotNow.
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
        """Wait until no officer's update is being processed, for `give_way` seconds at most."""
        async with self._beginning:
            now = asyncio.get_running_loop().time
            await asyncio.sleep(max(0.0, self._next_stranger_at - now()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.give_way):
                    await self._no_officers.wait()
            self._next_stranger_at = now() + self._pace.strangers_every

    async def _look_up(self, row: inbox.InboxUpdate) -> bool:
        """Query the sender; whether it is logging in. A linked sender is known to be an officer afterwards."""
        try:
            async with self._database.read() as session:
                senders = await self._floods.look_up(session, [row.sender])
        except Exception as error:
            log.error("the sender of an update could not be looked up: %s", name_of(error))
            return False
        if row.sender in senders.linked:
            self._of_strangers.discard(row.id)
        return row.sender in senders.logging_in

    async def _process_with_retries(self, row: inbox.InboxUpdate) -> None:
        """Process one update until it is done, or set aside after three failures. Failures of the database do not
        count. Raises NotNow.
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
                    if is_database_failure := trouble_of(error) is not None:
                        # Not the update's fault: it waits until the database works again.
                        log.error("the update waits for the database: %s", name_of(error))
                    else:
                        # Any other error: it must not block the sender's next updates for good.
                        _log_failure("failed", error)
                        TALLY.updates["unknown", "failed"] += 1
                if not is_database_failure and await self._give_up(row):
                    return
                await asyncio.sleep(self._pace.pause_after_failure)
        finally:
            del self._since[row.id]

    async def _process(self, row: inbox.InboxUpdate) -> None:
        """Lock the sender, decode and answer an update in one of three ways: a tap or text at once; a password or
        PIN after it was hashed, and a file after it was downloaded and checked, both outside the slot.

        The sender is locked only when a slot is free: until then another program may process the update. Raises
        NotNow.
        """
        proof = None
        async with self._slots:
            if not await self._sender_locks.take(row.sender):
                raise NotNow
            try:
                incoming = decode(open_body(self._seal, row))
            except NotForUs:
                await self._commit_and_show(row, None)
                return
            file = await self._find_upload(row, incoming)
            if file is None:
                proof = await self._answer_at_once(row, incoming)
                if proof is not None and proof.is_typed:
                    incoming = await self._delete(incoming)
        if file is not None:
            await self._answer_file(row, incoming, file)
        elif proof is not None:
            await self._answer_secret(row, incoming, proof)

    async def _answer_at_once(self, row: inbox.InboxUpdate, incoming: Incoming) -> Job | None:
        """Answer a tap or a text; the password or PIN check that must come first, or None. Raises NotNow."""
        try:
            await self._answer(row, incoming)
        except NeedsProof as needed:
            return needed.job
        return None

    async def _answer_secret(self, row: inbox.InboxUpdate, incoming: Incoming, proof: Job) -> None:
        """Count the attempt, check the password or PIN in a thread unless attempts are blocked, and answer. Raises
        NotNow.
        """
        async with self._admissions:
            blocked_until, spent = await self._admit(proof, row.id)
        if blocked_until is not None:
            attempt = Attempt(proof.rests_on, blocked_until=blocked_until)
        else:
            result = await asyncio.get_running_loop().run_in_executor(self._hashers, proof.check)
            attempt = proof.ended(result, spent)
        async with self._slots:
            await self._commit_and_show(row, incoming, attempt)

    async def _answer_file(self, row: inbox.InboxUpdate, incoming: Incoming, file: Wanted) -> None:
        """Download a file, check it in a process of its own, and answer. Raises NotNow."""
        upload = await self._uploads.take(incoming.chat_id, file)
        async with self._slots:
            await self._answer(row, incoming, upload)

    async def _answer(self, row: inbox.InboxUpdate, incoming: Incoming, upload: Upload | None = None) -> None:
        """Answer an update; when its message must be deleted first, delete it and answer again. Raises NotNow,
        NeedsProof.
        """
        try:
            await self._commit_and_show(row, incoming, upload=upload)
        except NeedsDeletion:
            await self._commit_and_show(row, await self._delete(incoming), upload=upload)

    async def _delete(self, incoming: Incoming) -> Incoming:
        """Delete a message that may hold a password or a PIN; the update with `is_deleted` set to the outcome."""
        assert incoming.message_id is not None  # noqa: S101 - only messages hold typed text
        is_deleted = await api.delete(self._bot, incoming.chat_id, incoming.message_id, self._pace.retries)
        return replace(incoming, is_deleted=is_deleted)

    async def _find_upload(self, row: inbox.InboxUpdate, incoming: Incoming) -> Wanted | None:
        """The file of the update, if its sender may send one now; else None. Raises NotNow."""
        if incoming.document is None:
            return None
        async with self._database.read() as session:
            await _require_turn(session, row)
            return await find_upload(session, incoming, self._clock())

    async def _admit(self, job: Job, update: int) -> tuple[datetime | None, dict[str, Tries]]:
        """Count an attempt before it is checked. Returns the end of the block when attempts are blocked, or None;
        and the failures so far of the keys that have witnesses.
        """
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
        """Run the update's transaction and show its answer after the commit. `incoming` is None for an update that
        is not for the bot.

        Raises NotNow; NeedsDeletion; NeedsProof when a password or PIN must be checked and `attempt` is None.
        """
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
            # The update is committed: neither try again, nor apologize that nothing was changed.
            _log_failure("was done, its answer not shown", error)
        TALLY.updates[incoming.kind, "done"] += 1
        if incoming.callback_id is not None:
            TALLY.time_tap((self._clock() - row.received_at).total_seconds())

    async def _show(self, row: inbox.InboxUpdate, incoming: Incoming, reply: Reply | None) -> None:
        """Show the screen, and start making the file that it promises."""
        if reply is None:
            return
        is_followed = bool(self._queues.get(incoming.user_id)) and incoming.callback_id is not None
        await self._showings.show(row.id, incoming, reply, is_followed=is_followed)
        if reply.screen.attachment is not None:
            self._attachments.take(incoming.chat_id, incoming.user_id, reply.screen.attachment)

    async def _give_up(self, row: inbox.InboxUpdate) -> bool:
        """Count a failure. After the last one set the update aside and apologize to its sender; whether that was
        done.
        """
        try:
            async with self._database.write() as session:
                if not await inbox.note_failure(session, row.id, "see the log", self._clock()):
                    return False
                language = await chat_language(session, row.sender)
        except Exception as error:
            # The update stays in the inbox and is tried again.
            log.error("the failure could not be counted: %s", name_of(error))
            return False
        log.error("the update is set aside")
        TALLY.updates["unknown", "set_aside"] += 1
        if row.sender > 0:
            self._showings.send_below(row.id, row.sender, row.sender, problems.apology(language))
        return True


async def _require_turn(session: Session, row: inbox.InboxUpdate) -> None:
    """Check the sender's order before work outside the update's transaction. Raises NotNow when the update is not
    its sender's next one.
    """
    if not await inbox.is_next(session, row):
        raise NotNow


def _log_failure(what: str, error: Exception) -> None:
    """Log the error's type and frames without its message, which may hold a password."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("the update %s: %s\n%s", what, type(error).__name__, frames)
