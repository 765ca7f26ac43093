"""PINs and passwords in the worker: counted before they are checked, and hashed in a thread."""

import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from bot.inbound import worker
from bot.runtime.threads import LAST
from demo.botapi import PATIENCE, Emulator
from demo.botapi.state import Button
from handlers.chat import proving
from models.accounts.pin import pin_matches
from models.accounts.throttle import Throttle
from models.certification.certificate import Certification
from models.chats import inbox
from models.chats.inbox import State
from models.database.engine import Database
from models.security import passwords
from tests.bot.running import (
    ASK_USERNAME,
    SEAL,
    all_but_one_digit,
    finished,
    inbox_rows,
    link,
    outbox_rows,
    until,
    working,
)
from tests.chat import Officer, running_bot
from tests.support import PASSWORD, PIN, Clock

WRONG = "135790"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator["Checks"]:
    """Checks of PINs that wait until the test lets them continue."""
    held = Checks()
    monkeypatch.setattr(proving, "checked_pin", held)
    yield held
    held.let.set()


class Checks:
    """Replaces `checked_pin`; counts the checks that reach the hash."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.begun = 0

    def __call__(self, *args: Any) -> bool:
        self.begun += 1
        self.let.wait(PATIENCE)
        return pin_matches(*args)

    async def are(self, count: int) -> bool:
        return self.begun >= count


async def test_a_try_is_counted_before_it_is_checked(
    emulator: Emulator, country: Database, clock: Clock, checks: Checks
) -> None:
    """An attempt counts even when the process dies while it hashes."""
    officer = Officer(emulator.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with working(emulator, country, clock):
        await officer.to_keypad()
        card = await all_but_one_digit(officer.phone, WRONG)
        await officer.phone.tap(WRONG[-1], card)
        await until(lambda: checks.are(1))
    assert (await inbox_rows(country))[-1].state is State.PENDING
    assert await failures(country) == 1
    checks.let.set()
    async with running_bot(emulator, country, clock):
        await officer.sees("PIN ไม่ถูกต้อง")
        # The same tap is checked again, without counting a second time.
        assert await failures(country) == 1
        await officer.enter(PIN, "ประวัติการรับรองข้อมูล")
    assert await failures(country) == 0


async def failures(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.sum(Throttle.failures))) or 0


async def test_of_eight_wrong_pins_at_once_five_get_as_far_as_the_hash(
    emulator: Emulator, country: Database, clock: Clock, checks: Checks
) -> None:
    officer = Officer(emulator.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with working(emulator, country, clock) as worker:
        await officer.to_keypad()
        card = await all_but_one_digit(officer.phone, WRONG)
        before = len(await inbox_rows(country))
        # The last digit eight times, each as from another sender, so that nothing orders them.
        tap = orjson.loads(callback(officer.phone.button(WRONG[-1], card)))
        received = [
            inbox.Received(
                number,
                number,
                SEAL.close(
                    orjson.dumps({"update_id": number, "callback_query": tap}), inbox.identity(1, number, number)
                ),
            )
            for number in range(1, 9)
        ]
        async with country.write() as session:
            rows = await inbox.store(session, 1, received, clock())
        worker.take(rows)
        # Three are refused; the other five are being hashed or wait for it.
        await until(lambda: _done(country, before + 3))
        checks.let.set()
        await until(lambda: finished(country))
    assert checks.begun == 5
    async with country.read() as session:
        assert list(await session.scalars(select(Certification))) == []
    # The block is shown on the keypad only; no notice is queued.
    assert await outbox_rows(country) == []


async def _done(database: Database, count: int) -> bool:
    return sum(row.state is State.DONE for row in await inbox_rows(database)) >= count


def callback(button: Button) -> bytes:
    """A tap as a raw callback query of the Bot API."""
    message = button.message
    return orjson.dumps(
        {
            "id": "1",
            "from": message.chat.user.json(),  # type: ignore[union-attr]
            "message": message.json(),
            "chat_instance": "1",
            "data": button.data,
        }
    )


async def test_a_typed_password_is_hashed_beside_the_loop_and_deleted(
    bot: Emulator, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    nices = []
    real = passwords.password_matches

    def watched(*args: Any) -> bool:
        threads.append(threading.current_thread().name)
        nices.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return real(*args)

    monkeypatch.setattr(passwords, "password_matches", watched)
    officer = Officer(bot.phone("ก"))
    await officer.says("/start", "เข้าสู่ระบบ")
    await officer.tap("เข้าสู่ระบบ", ASK_USERNAME)
    await officer.says("lao5110201", "รหัสผ่าน")
    await officer.says("ผิด", "ชื่อผู้ใช้")
    await officer.says("lao5110201", "รหัสผ่าน")
    await officer.says(PASSWORD, "ชื่อ-สกุล")
    assert len(threads) == 2
    assert all(name.startswith("argon2") for name in threads)
    if sys.platform == "linux":
        # The thread has lower priority than taps, but not the lowest.
        own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        assert nices == [min(LAST, own + worker.HASHERS_NICE)] * 2
    texts = {message.text for message in officer.phone.messages}
    assert not texts & {PASSWORD, "ผิด"}
