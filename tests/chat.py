"""The bot beside the emulated Bot API, and an officer's phone that waits for it."""

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
from models.base.grants import DatabaseRole
from models.database.engine import Database
from models.database.sender_lock import SenderLockTimes
from models.security.sealing import Seal
from tests.roles import acting_as
from tests.support import KEYRING, PASSWORD, PATIENT_LEASE, PIN, Clock

# What strangers of tests may send.
UNLIMITED = FloodRules(free=1_000_000, most=1_000_000, newcomers_burst=1e9, others_burst=1e9)

# The parts of the program take nothing for lost that is only slow, and end what they have in hand; what has failed
# is tried again at once. What they do when their patience ends is tried by tests that set a limit of their own.
TEST_TUNING = Tuning(
    lease=PATIENT_LEASE,
    floods=UNLIMITED,
    # Thumbs of tests are faster than Telegram allows; tests of the limits have limits.
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
    """The bot, and the pool of its polls. A connection may take as long as a slow machine needs; an answer to a
    call may take `read_timeout` seconds.
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
    """The bot as `laocert run` wires it, in this process. Between two comparisons of its clock no time goes by,
    unless `monotonic` says so: then one answer counts and nothing is believed.
    """
    bot, polls = make_bot(emulator)
    stop = asyncio.Event()
    await bot.initialize()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bot.shutdown)
        listener = None
        if front is not None:
            with acting_as(DatabaseRole.APPLICATION):
                listener = await stack.enter_async_context(listening(front, bot, database, clock, tuning))
        serving = wiring.serve(
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
        with acting_as(DatabaseRole.APPLICATION):
            task = asyncio.create_task(serving)
        try:
            yield
        finally:
            stop.set()
            await task


async def says(phone: Phone, words: str, after: int = 0) -> Message:
    """Wait for a message of the bot that says something, whatever stands below it: the newest such, of those that
    came after the message with the id `after`.
    """

    def newest(at: Phone) -> Message | None:
        return next(
            (one for one in reversed(at.messages) if one.outgoing and one.id > after and words in one.text), None
        )

    found = await phone.until(newest)
    assert found is not None
    return found


@contextmanager
def reserved_port() -> Iterator[int]:
    """The number of a port at which nobody listens, and which the system gives to nobody who asks for any port."""
    with reserve_port("127.0.0.1") as reserved:
        yield reserved.getsockname()[1]


# A record is marked as correct; where a menu of it is empty, a second question comes.
CORRECT, EMPTY, DESPITE_EMPTY = "✅ ถูกต้อง", "เมนูข้างต้นยังไม่ได้บันทึก", "ถูกต้อง แม้ยังไม่บันทึกเมนู"


class Officer:
    """A phone with the thumb of an officer who knows the way."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    @property
    def text(self) -> str:
        return self.phone.last.text

    async def tap(self, label: str, expect: str) -> None:
        """Tap a button, or for "PIN" its digits, and wait until the screen says something."""
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
        """Wait until the screen says something; the message that does."""
        return await says(self.phone, expect)

    async def says(self, text: str, expect: str) -> Message:
        """Type something and wait for a new card that says something."""
        sent = await self.phone.send(text)
        return await says(self.phone, expect, after=sent.id)

    async def log_in(self, username: str, name: str, position: str) -> None:
        """The whole first login."""
        await self.says("/start", "เข้าสู่ระบบ")
        await self.tap("เข้าสู่ระบบ", "พิมพ์ชื่อผู้ใช้")
        await self.says(username, "รหัสผ่าน")
        await self.says(PASSWORD, "ชื่อ-สกุล")
        await self.says(name, "ตำแหน่ง")
        await self.says(position, "ตั้ง PIN")
        await self.enter(PIN + PIN, "ปีงบประมาณ")

    async def to_keypad(self) -> None:
        """An organization's way, as far as the PIN before the irreversible press."""
        await self.says("/menu", "ปีงบประมาณ")
        await self.tap("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน")
        await self.tap("ดำเนินการ(อปท.)", "ยังไม่รับรอง")
        await self.tap("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
        await self.tap("รับรองระดับ อปท.", "จะไม่สามารถแก้ไข")
        await self.tap("ยืนยันการรับรอง", "โปรดใส่ PIN ของท่าน")

    async def enter(self, pin: str, expect: str) -> None:
        """Tap the digits on the keypad, one after the other, and wait until the screen says something."""
        message = await self.phone.until(
            lambda phone: next((one for one in reversed(phone.messages) if "⌫" in one.labels), None)
        )
        for digit in pin:
            await self.phone.tap(digit, message)
        await self.sees(expect)
