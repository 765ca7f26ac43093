"""Helpers that run single parts of the bot against the emulated Bot API, and wait for results."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from telegram import Bot

from bot.cli import cli
from bot.http.server import bind
from bot.inbound.floods import Floods
from bot.inbound.intake import Intake
from bot.inbound.polling import Poller
from bot.inbound.worker import Worker, WorkerPace
from bot.runtime.settings import Hook, Settings
from bot.service.listener import Front
from bot.telegram.limiter import Limiter
from bot.telegram.transport import READ_TIMEOUT, AiohttpRequest
from demo.botapi import Emulator, Message, Phone
from demo.botapi.updates import DAY, Update
from handlers.chat.turn import Setup
from models.accounts.account import Account, Officer
from models.certification.certificate import Certification, Level
from models.chats.inbox import InboxUpdate, State
from models.database.engine import Database
from models.notices.outbox import OutboxMessage
from models.security.sealing import Seal
from tests.chat import TEST_TUNING, UNLIMITED, make_bot
from tests.support import (
    KEYRING,
    PIN,
    SECRET_KEY,
    pin_hash,
    until,  # noqa: F401 - the tests of the bot take it from here
)

SEAL = Seal(KEYRING)
ASK_USERNAME = "พิมพ์ชื่อผู้ใช้ของหน่วยงาน"
SECRET = "s3cret_of-the_webhook"


@asynccontextmanager
async def opened_bot(
    emulator: Emulator, read_timeout: float = READ_TIMEOUT
) -> AsyncIterator[tuple[Bot, AiohttpRequest]]:
    """An open client of the emulated Bot API, and its pool for polls."""
    bot, polls = make_bot(emulator, read_timeout)
    async with bot:
        yield bot, polls


@asynccontextmanager
async def server(handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server in place of the Bot API; its root URL."""
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def polled(
    bot: Bot,
    polls: AiohttpRequest,
    database: Database,
    clock: Callable[[], datetime],
    take: Callable[[list[InboxUpdate]], None],
) -> AsyncIterator[None]:
    """Polling and intake during the block; committed rows are passed to `take`."""
    intake = Intake(bot.id, database, SEAL, clock, take, Floods(UNLIMITED))
    polling = asyncio.create_task(Poller(bot, polls, intake, TEST_TUNING.polls).run())
    try:
        yield
    finally:
        polling.cancel()
        await asyncio.wait({polling})


def make_worker(
    bot: Bot,
    database: Database,
    clock: Callable[[], datetime],
    on_commit: Callable[[], None] = lambda: None,
    pace: WorkerPace = TEST_TUNING.worker,
) -> Worker:
    """A worker with a limiter of its own and without a courier: receipts stay in the outbox."""

    async def leave(_chat_id: int, _certificate: int) -> None:
        pass

    limiter = Limiter(rates=TEST_TUNING.rates)
    return Worker(
        bot, database, SEAL, clock, random.Random(1), on_commit, Setup(), limiter, leave, pace, Floods(UNLIMITED)
    )


@asynccontextmanager
async def working(emulator: Emulator, database: Database, clock: Callable[[], datetime]) -> AsyncIterator[Worker]:
    """Intake and worker without a courier; at the end of the block they are cancelled, not drained."""
    async with opened_bot(emulator) as (bot, polls):
        worker = make_worker(bot, database, clock)
        await worker.look()
        try:
            async with polled(bot, polls, database, clock, worker.take):
                yield worker
        finally:
            await worker.drain(0)


@pytest.fixture
def front() -> Iterator[Front]:
    """A listening socket on a free port, and a webhook at it."""
    listening = bind(Settings(listen="127.0.0.1:0", _env_file=None))  # type: ignore[call-arg]
    port = listening.getsockname()[1]
    yield Front(listening, Hook(f"http://127.0.0.1:{port}/hook", SECRET))
    listening.close()


def served_at(front: Front, path: str) -> str:
    host, port = front.listening.getsockname()[:2]
    return f"http://{host}:{port}{path}"


Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def laocert(
    country: Database, database_url: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run a command on the country's database and the emulated Bot API."""
    settings = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": SECRET_KEY,
        "BOT_TOKEN": emulator.token,
        "API_URL": emulator.url,
        "LISTEN": "127.0.0.1:0",
    }
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(f"LAOCERT_{name}", value)

    async def run(*arguments: str, code: int | None = 0) -> Result:
        # In a thread, because the emulator runs in this one.
        result = await asyncio.to_thread(CliRunner().invoke, cli, arguments, prog_name="laocert")
        assert code is None or result.exit_code == code, result.output
        if code == 1:
            [line] = result.stderr.splitlines()
            assert line.strip()
            assert "Traceback" not in result.output
        return result

    return run


async def inbox_rows(database: Database) -> list[InboxUpdate]:
    async with database.read() as session:
        return list(await session.scalars(select(InboxUpdate).order_by(InboxUpdate.id)))


async def received(database: Database, count: int) -> bool:
    return len(await inbox_rows(database)) == count


async def finished(database: Database) -> bool:
    return all(row.state is not State.PENDING for row in await inbox_rows(database))


async def outbox_rows(database: Database) -> list[OutboxMessage]:
    async with database.read() as session:
        return list(await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


def push(emulator: Emulator, kind: str, body: bytes) -> int:
    """Queue a raw update of any shape for the bot, without the emulator's checks; its id."""
    updates = emulator.updates
    update = Update(updates.next_id, kind, body, updates.clock() + DAY, 0)
    updates.pending.append(update)
    updates._tail += 1
    updates.wake()
    return update.id


def again(emulator: Emulator, update: Update) -> None:
    """Deliver an update again, as a server does that has lost its confirmation."""
    emulator.updates.pending.append(replace(update, expires_at=emulator.updates.clock() + DAY))
    emulator.updates.wake()


async def link(database: Database, username: str, phone: Phone, now: datetime) -> int:
    """Link a phone directly in the database, with the PIN of the tests; the officer's id."""
    phone.chat.bot_status = "member"
    async with database.write() as session:
        account = (await session.scalars(select(Account).where(Account.username == username))).one()
        officer = Officer(
            account_id=account.id,
            user_id=phone.id,
            full_name="ทดสอบ ลงชื่อ",
            position="ปลัด",
            linked_at=now,
            pin_hash=pin_hash(phone.id),
            last_seen_at=now,
        )
        session.add(officer)
        await session.flush()
        return officer.id


async def keypad(phone: Phone) -> Message:
    """Wait for the message with the keypad."""
    return await phone.until(
        lambda at: next((message for message in reversed(at.messages) if "⌫" in message.labels), None)
    )


async def all_but_one_digit(phone: Phone, pin: str = PIN, message: Message | None = None) -> Message:
    """Enter all digits of a PIN but the last; the keypad's message.

    `message`: the keypad; needed after a kill, when an older keypad may be above it.
    """
    if message is None:
        message = await keypad(phone)
    await phone.until(lambda _: "○○○○○○" in message.text)
    for digit in pin[:-1]:
        await phone.tap(digit, message)
    await phone.until(lambda _: "●●●●●○" in message.text)
    return message


async def certificate(
    session: AsyncSession, officer_id: int, now: datetime, revision: int = 1, user_id: int = 1
) -> int:
    """Store a certificate as the subject of notices; its id. The code contains the revision."""
    certification = Certification(
        organization_code="5110201",
        round_id=1,
        revision=revision,
        level=Level.LAO,
        officials=12,
        permanent_employees=3,
        contract_employees=5,
        with_empty_menus=1,
        roster_digest="0" * 64,
        roster_file="ทะเบียน.csv",
        roster_imported_at=now,
        officer_id=officer_id,
        officer_name="ทดสอบ ลงชื่อ",
        officer_position="ปลัด",
        user_id=user_id,
        account_username="lao5110201",
        statement="lao/1/th",
        audit_head="",
        code=f"C{revision:09}",
        is_late=False,
        certified_at=now,
        organization_name="เทศบาลตำบลบางปู",
        organization_type="เทศบาลตำบล",
        district_th="เมืองสมุทรปราการ",
        province_code="11",
        province_th="สมุทรปราการ",
        province_en="Samut Prakan",
    )
    session.add(certification)
    await session.flush()
    return certification.id


def sent_texts(emulator: Emulator, chat_id: int) -> list[str]:
    calls = emulator.calls_of("sendMessage")
    return [call.params["text"] for call in calls if call.params["chat_id"] == str(chat_id)]


class Trouble:
    """Makes the next `times` write transactions of a database fail, before or after their commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
        self.times = 0
        self.after_commit = False
        self.reads = 0
        self.struck = 0
        real_write, real_read = database.write, database.read

        @asynccontextmanager
        async def write() -> AsyncIterator[AsyncSession]:
            async with real_write() as session:
                yield session
                if self.times and not self.after_commit:
                    self._strike()
            if self.times and self.after_commit:
                self._strike()

        @asynccontextmanager
        async def read() -> AsyncIterator[AsyncSession]:
            if self.reads:
                self.reads -= 1
                self.struck += 1
                raise ConnectionRefusedError
            async with real_read() as session:
                yield session

        monkeypatch.setattr(database, "write", write)
        monkeypatch.setattr(database, "read", read)

    def _strike(self) -> None:
        self.times -= 1
        self.struck += 1
        # What asyncpg raises when the server is gone: not one of SQLAlchemy's errors.
        raise ConnectionRefusedError
