"""Runs the bot against the emulated Bot API, and drives an officer's phone that waits for its answers."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

from telegram import Bot

from bot.http.readiness import ReadinessTimes
from bot.inbound.floods import FloodRules
from bot.inbound.polling import PollPauses
from bot.inbound.worker import WorkerPace
from bot.service import wiring
from bot.service.listener import Front, listening
from bot.service.tuning import Tuning
from bot.telegram import api
from bot.telegram.limiter import RATES
from bot.telegram.transport import READ_TIMEOUT, AiohttpRequest
from demo.botapi import PATIENCE, Emulator, Message, Phone
from demo.botapi.emulator import reserve_port
from models.database.engine import Database
from models.database.sender_lock import SenderLockTimes
from models.security.sealing import Seal
from tests.support import KEYRING, PASSWORD, PATIENT_LEASE, PIN, Clock

# No flood limit for strangers, except in tests of that limit.
UNLIMITED = FloodRules(free=1_000_000, most=1_000_000, newcomers_burst=1e9, others_burst=1e9)

# Long timeouts, so that nothing counts as lost that is only slow on a busy machine, and short pauses after
# failures. Tests of a timeout set their own.
TEST_TUNING = Tuning(
    lease=PATIENT_LEASE,
    floods=UNLIMITED,
    # Tests tap faster than Telegram allows. Tests of the limits set their own.
    rates=replace(RATES, chat_calls=1_000_000, rate=1e6, burst=1e6),
    polls=PollPauses(after_failure=0.01, after_conflict=0.01, floor=0.01),
    worker=WorkerPace(
        pause_after_failure=0.01,
        retries=api.Retries(first_wait=0.01),
        sender_locks=SenderLockTimes(patience=PATIENCE, gone_after=int(PATIENCE)),
    ),
    readiness=ReadinessTimes(patience=PATIENCE),
    grace=PATIENCE,
)


def make_bot(emulator: Emulator, read_timeout: float = READ_TIMEOUT) -> tuple[Bot, AiohttpRequest]:
    """Return the bot, and the connection pool of its polls. `read_timeout`: seconds to wait for an answer to a
    call.
    """
    polls = AiohttpRequest(1, PATIENCE, pool_timeout=PATIENCE, connect_timeout=PATIENCE)
    calls = AiohttpRequest(api.CONNECTIONS, read_timeout, pool_timeout=PATIENCE, connect_timeout=PATIENCE)
    return api.make_bot(emulator.token, emulator.url, polls, calls), polls


@asynccontextmanager
async def running_bot(
    emulator: Emulator,
    database: Database,
    clock: Clock,
    seed: int = 1,
    front: Front | None = None,
    tuning: Tuning = TEST_TUNING,
    monotonic: Callable[[], float] = float,
) -> AsyncIterator[None]:
    """Run the bot in this process for the block, wired as by `laocert run`.

    `monotonic`: the clock between two comparisons of the bot's clock with Telegram's. By default it stands still,
    so that one deviating answer changes nothing.
    """
    bot, polls = make_bot(emulator)
    stop = asyncio.Event()
    await bot.initialize()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bot.shutdown)
        listener = None
        if front is not None:
            listener = await stack.enter_async_context(listening(front, bot, database, clock, tuning))
        task = asyncio.create_task(
            wiring.serve(
                bot,
                polls,
                database,
                Seal(KEYRING),
                stop,
                clock,
                random.Random(seed),
                listener=listener,
                tuning=tuning,
                monotonic=monotonic,
            )
        )
        try:
            yield
        finally:
            stop.set()
            await task


async def says(phone: Phone, words: str, after: int = 0) -> Message:
    """Wait for a message of the bot that contains `words` and has an id above `after`, and return the newest
    one.
    """

    def newest(at: Phone) -> Message | None:
        for message in reversed(at.messages):
            if message.outgoing and message.id > after and words in message.text:
                return message
        return None

    message = await phone.until(newest)
    assert message is not None
    return message


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield the number of a port on which nothing listens, and which the system assigns to no other program."""
    with reserve_port("127.0.0.1") as reserved:
        yield reserved.getsockname()[1]


# The button that marks a record as correct, and the second question if one of the record's menus is empty.
CORRECT, EMPTY, DESPITE_EMPTY = "✅ ถูกต้อง", "เมนูข้างต้นยังไม่ได้บันทึก", "ถูกต้อง แม้ยังไม่บันทึกเมนู"


class Officer:
    """Drives a phone as an officer who knows the procedure."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    @property
    def text(self) -> str:
        return self.phone.last.text

    async def tap(self, label: str, expect: str) -> None:
        """Tap a button, or the digits of the PIN for "PIN", and wait for a message that contains `expect`."""
        if label == "PIN":
            await self.enter(PIN, expect)
            return
        message = (await self.phone.tap(label)).query.message
        if label == CORRECT:
            await self.phone.until(lambda _: expect in message.text or EMPTY in message.text)
            if EMPTY in message.text:
                await self.phone.tap(DESPITE_EMPTY, message)
        await self.sees(expect)

    async def sees(self, expect: str) -> Message:
        """Wait for a message that contains `expect`, and return it."""
        return await says(self.phone, expect)

    async def says(self, text: str, expect: str) -> Message:
        """Send a text, wait for a new message that contains `expect`, and return it."""
        sent = await self.phone.send(text)
        return await says(self.phone, expect, after=sent.id)

    async def log_in(self, username: str, name: str, position: str) -> None:
        """Go through the whole first login."""
        await self.says("/start", "เข้าสู่ระบบ")
        await self.tap("เข้าสู่ระบบ", "พิมพ์ชื่อผู้ใช้")
        await self.says(username, "รหัสผ่าน")
        await self.says(PASSWORD, "ชื่อ-สกุล")
        await self.says(name, "ตำแหน่ง")
        await self.says(position, "ตั้ง PIN")
        await self.enter(PIN + PIN, "ปีงบประมาณ")

    async def to_keypad(self) -> None:
        """Go the organization's way up to the keypad before the irreversible press."""
        await self.says("/menu", "ปีงบประมาณ")
        await self.tap("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน")
        await self.tap("ดำเนินการ(อปท.)", "ยังไม่รับรอง")
        await self.tap("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
        await self.tap("รับรองระดับ อปท.", "จะไม่สามารถแก้ไข")
        await self.tap("ยืนยันการรับรอง", "โปรดใส่ PIN ของท่าน")

    async def enter(self, pin: str, expect: str) -> None:
        """Tap digits on the newest keypad, and wait for a message that contains `expect`."""
        keypad = await self.phone.until(
            lambda phone: next((message for message in reversed(phone.messages) if "⌫" in message.labels), None)
        )
        for digit in pin:
            await self.phone.tap(digit, keypad)
        await self.sees(expect)
