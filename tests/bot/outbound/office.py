"""Helpers for the tests of the courier: a database with queued messages, couriers, and what has arrived."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from telegram import Bot

from bot.outbound.courier import Courier, CourierPace
from bot.service.tuning import Tuning
from bot.telegram.limiter import Limiter, Rates
from bot.telegram.transport import READ_TIMEOUT
from demo.botapi import PATIENCE, Emulator, Message, Phone
from handlers.chat.incoming import NotForUs, decode
from handlers.chat.turn import DEFAULTS
from handlers.dispatch import respond
from models.accounts.account import active_officer
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests import support
from tests.bot.running import certificate, opened_bot, outbox_rows, until
from tests.chat import TEST_TUNING
from tests.support import Clock

# Tuning of a courier with short pauses.
HASTY = replace(
    TEST_TUNING,
    lease=replace(TEST_TUNING.lease, every=0.02),
    rates=Rates(chat_interval=0.01, group_interval=0.01),
    courier=CourierPace(idle=0.02, offline_longest=0.01, note_pause=0.01),
)


@dataclass
class Office:
    """A database with an officer, for whose certificates messages are queued."""

    emulator: Emulator
    database: Database
    clock: Clock
    officer_id: int
    made: int = 0

    def phone(self, name: str) -> Phone:
        phone = self.emulator.phone(name)
        phone.chat.bot_status = "member"
        return phone

    async def linked(self, name: str, username: str = "province11") -> Phone:
        """A phone whose chat is linked and not idle."""
        phone = self.phone(name)
        async with self.database.write() as session:
            await support.link(session, username, phone.id, self.clock(), f"ทดสอบ {name}")
        return phone

    async def unlink(self, phone: Phone) -> None:
        async with self.database.write() as session:
            officer = await active_officer(session, phone.id)
            assert officer is not None
            await unlink_officer(session, officer, self.clock())

    async def enqueue(self, kind: NoticeKind, phone: Phone, subject_id: int) -> None:
        async with self.database.write() as session:
            outbox.enqueue(session, kind, phone.id, subject_id, self.clock())

    async def queue(self, phone: Phone, kind: NoticeKind = NoticeKind.RECEIPT) -> str:
        """Queue a message about a new certificate; the verification code in it."""
        self.made += 1
        async with self.database.write() as session:
            certification_id = await certificate(session, self.officer_id, self.clock(), self.made, phone.id)
            outbox.enqueue(session, kind, phone.id, certification_id, self.clock())
        return f"C{self.made:09}"

    async def state(self, row: int, *states: State) -> OutboxMessage:
        """Wait until the row, counted from 0, is in one of the states."""

        async def there() -> OutboxMessage | None:
            row_in_state = (await outbox_rows(self.database))[row]
            return row_in_state if row_in_state.state in states else None

        row_in_state = await until(there)
        assert row_in_state is not None
        return row_in_state


def make_courier(
    bot: Bot,
    database: Database,
    clock: Callable[[], datetime],
    tuning: Tuning = HASTY,
    operator_chat: int | None = None,
) -> Courier:
    """A courier that shares its limiter with nobody."""
    limiter = Limiter(rates=tuning.rates)
    return Courier(
        bot,
        database,
        clock,
        operator_chat,
        limiter=limiter,
        pace=tuning.courier,
        lease_times=tuning.lease,
    )


@asynccontextmanager
async def sending(
    emulator: Emulator,
    database: Database,
    clock: Callable[[], datetime],
    grace: float = PATIENCE,
    operator_chat: int | None = None,
    tuning: Tuning = HASTY,
    read_timeout: float = READ_TIMEOUT,
) -> AsyncIterator[Courier]:
    async with opened_bot(emulator, read_timeout) as (bot, _):
        courier = make_courier(bot, database, clock, tuning, operator_chat)
        task = asyncio.create_task(courier.run())
        try:
            yield courier
        finally:
            assert not task.done()
            task.cancel()
            await asyncio.wait({task})
            await courier.drain(grace)


async def hears_from(office: Office, update: dict[str, Any], operator_chat: int | None = None) -> None:
    """Process an update of a chat as the worker does."""
    async with office.database.write() as session:
        setup = replace(DEFAULTS, operator_chat=operator_chat)
        await respond(session, decode(update), None, office.clock(), random.Random(1), setup)


async def hears_all(office: Office, operator_chat: int | None = None) -> None:
    """Process all waiting updates as the worker does, without showing the answers."""
    waiting = list(office.emulator.updates.pending)
    office.emulator.updates.pending.clear()
    for update in waiting:
        with contextlib.suppress(NotForUs):
            await hears_from(office, orjson.loads(update.encoded()), operator_chat)


def shown(phone: Phone, code: str) -> list[Message]:
    """The messages with this verification code."""
    return [message for message in phone.messages if code in message.text.replace("-", "")]


async def count_of(check: Callable[[], int], least: int) -> bool:
    return check() >= least
