"""The running bot is killed at random moments of certification traffic: nothing is lost, doubled or half done."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, or_, select, text
from sqlalchemy.exc import DBAPIError

import demo.botapi
from demo.botapi import Emulator, Message, Phone
from models.accounts.account import Officer
from models.accounts.throttle import Throttle
from models.base.errors import DomainError
from models.certification.certificate import Certification
from models.certification.certify import reopen
from models.chats import inbox
from models.chats.inbox import InboxUpdate
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.notices.tables import ProvinceCard
from models.province.progress import count_statuses, locked_organizations
from models.verification.verify import verify
from tests.bot.program import Program
from tests.bot.running import until
from tests.conftest import NOW
from tests.support import ORGANIZATIONS, PIN, link

LAOS = [ORGANIZATIONS[index][0] for index in (0, 1, 2)]
# The buttons that an officer prefers, the most preferred first.
LAO_WAY = ("ยืนยันการรับรอง", "รับรองระดับ อปท.", "รับรองข้อมูลระดับ อปท.", "ดำเนินการ(อปท.)", "ระบบรับรองข้อมูล", "หน้าหลัก")
PROVINCE_WAY = (
    "ยืนยันการรับรอง",
    "รับรองระดับจังหวัด",
    "ถูกต้อง แม้ยังไม่บันทึกเมนู",
    "✅ ถูกต้อง",
    "สุ่มตรวจสอบ",
    "🔍",
    "ค้นหา",
    "ดำเนินการ(จังหวัด)",
    "ระบบรับรองข้อมูล",
    "หน้าหลัก",
)
# Seconds after which an impatient officer taps again.
PATIENCE = 1.5
# Seconds after which an officer stops waiting for a digit to appear. Another tap might count twice, so the officer
# begins again with a new keypad.
PATIENCE_FOR_A_DIGIT = 5.0
# Seconds in which officers who begin again after each kill finish, and all queued messages are sent, about one a
# second to each chat.
LONGEST = 10 * demo.botapi.PATIENCE
# Seconds between reopenings, so that on average no chat gets more than one message a second.
OPERATOR_EVERY = 4.0


class Traffic:
    """Officers who tap continuously, and an operator who reopens organizations."""

    def __init__(self, emulator: Emulator, database: Database, rng: random.Random) -> None:
        self.emulator = emulator
        self.database = database
        self.rng = rng
        self.phones: list[tuple[Phone, tuple[str, ...]]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for number, code in enumerate(LAOS):
            for colleague in range(2):
                await self._officer(f"lao{code}", 1000 + 10 * number + colleague, LAO_WAY)
        for number in range(2):
            await self._officer("province11", 2000 + number, PROVINCE_WAY)
        self.tasks = [asyncio.create_task(self._tap_on(phone, way)) for phone, way in self.phones]
        self.tasks.append(asyncio.create_task(self._operate()))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        ended = await asyncio.gather(*self.tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in ended), ended

    async def _officer(self, username: str, user_id: int, way: tuple[str, ...]) -> None:
        phone = self.emulator.phone(username, user_id=user_id)
        phone.chat.bot_status = "member"
        async with self.database.write() as session:
            await link(session, username, user_id, datetime.now(UTC))
        self.phones.append((phone, way))

    async def _tap_on(self, phone: Phone, way: tuple[str, ...]) -> None:
        await phone.send("/menu")
        while True:
            keypad = next((message for message in reversed(phone.messages[-3:]) if "⌫" in message.labels), None)
            if keypad is not None and self.rng.random() >= 0.02:
                await self._tap_digit(phone, keypad)
                continue
            before = len(phone.events)
            buttons = [button for message in phone.messages[-3:] for row in message.buttons for button in row]
            preferred = next((b for label in way for b in reversed(buttons) if label in b.label), None)
            if preferred is None or self.rng.random() < 0.02:
                await phone.send("/menu")
            else:
                for _ in range(2 if self.rng.random() < 0.1 else 1):
                    await phone.press(preferred)
            with contextlib.suppress(AssertionError):
                await phone.until(
                    lambda screen, before=before: any(  # type: ignore[misc]
                        event.kind in ("sent", "edited") for event in screen.events[before:]
                    ),
                    PATIENCE,
                )
            await asyncio.sleep(self.rng.random() * 0.3)

    async def _tap_digit(self, phone: Phone, keypad: Message) -> None:
        """Tap the digit that is next according to the dots on the keypad."""
        text_before = keypad.text
        await phone.tap(PIN[text_before.count("●")], keypad)
        try:
            await phone.until(lambda _: keypad.deleted or keypad.text != text_before, PATIENCE_FOR_A_DIGIT)
        except AssertionError:
            await phone.send("/menu")
            with contextlib.suppress(AssertionError):
                await phone.until(lambda _: keypad.deleted, PATIENCE_FOR_A_DIGIT)

    async def _operate(self) -> None:
        while True:
            await asyncio.sleep(OPERATOR_EVERY)
            with contextlib.suppress(DomainError, DBAPIError):
                async with self.database.write() as session:
                    await reopen(session, self.rng.choice(LAOS), "ผู้ดูแล", "ทดสอบ", NOW)


@pytest.fixture
async def telegram() -> Emulator:  # type: ignore[misc]
    async with Emulator(clock=time.time) as running:
        yield running
        assert not running.violations


async def settled(database: Database, emulator: Emulator) -> bool:
    """Return whether all updates are fetched and done, and all messages are sent, except rings that are due
    later.
    """
    async with database.read() as session:
        waiting = await session.scalar(
            select(func.count()).select_from(InboxUpdate).where(InboxUpdate.state == inbox.State.PENDING)
        )
        unsent = await session.scalar(
            select(func.count())
            .select_from(OutboxMessage)
            .where(
                OutboxMessage.state.not_in([outbox.State.SENT, outbox.State.DEAD, outbox.State.DROPPED]),
                or_(OutboxMessage.kind != NoticeKind.WAITING, OutboxMessage.due_at <= datetime.now(UTC)),
            )
        )
    return not emulator.updates.pending and not waiting and not unsent


async def certified(database: Database) -> bool:
    """Return whether there is a certificate."""
    async with database.read() as session:
        return bool(await session.scalar(select(func.count()).select_from(Certification)))


async def test_random_kills_during_certification_traffic(
    country: Database, telegram: Emulator, database_url: str, tmp_path: Path, times: Callable[[int], int]
) -> None:
    rng = random.Random(12)
    # Each kill takes seconds, so the ordinary suite has fewer than a fortieth.
    kills = times(300) if times(40) == 40 else 5
    first_update = telegram.updates.next_id
    traffic = Traffic(telegram, country, rng)
    program = Program(tmp_path, telegram, database_url)
    async with program.running():
        await traffic.start()
        for _ in range(kills):
            calls = telegram.call_count
            await until(lambda calls=calls: _called(telegram, calls))  # type: ignore[misc]
            await asyncio.sleep(rng.random() * 1.5)
            await program.kill()
            await program.start()
        # After only a few kills, nobody may have certified yet.
        await until(lambda: certified(country), LONGEST)
        await traffic.stop()
        await until(lambda: settled(country, telegram), LONGEST)
        assert await program.stop() == 0
    assert "Traceback" not in program.log
    await check(country, telegram, first_update, kills)


async def _called(emulator: Emulator, before: int) -> bool:
    return emulator.call_count > before


async def check(database: Database, emulator: Emulator, first_update: int, kills: int) -> None:
    async with database.read() as session:
        assert (await verify(session)).breaks == []
        updates = (await session.execute(select(InboxUpdate.update_id, InboxUpdate.state))).all()
        certificates = list(await session.scalars(select(Certification)))
        rows = list(await session.scalars(select(OutboxMessage)))
        locked = await locked_organizations(session, set(LAOS))
        tries = list(await session.scalars(select(Throttle.key).where(Throttle.failures > 0)))
    assert sorted(number for number, _ in updates) == list(range(first_update, emulator.updates.next_id))
    assert {state for _, state in updates} == {inbox.State.DONE}
    keys = Counter(
        (certificate.organization_code, certificate.round_id, certificate.revision, certificate.level)
        for certificate in certificates
    )
    assert set(keys.values()) <= {1}
    for code in LAOS:
        assert await is_refused(database, code) is (code in locked)
    await check_cards(database, emulator)
    rows = [row for row in rows if row.kind is not NoticeKind.WAITING]
    assert {row.state for row in rows} == {outbox.State.SENT}
    assert certificates
    assert not tries, "every PIN was right: no try is held against anybody"
    copies = [_copies(emulator, row, certificates) for row in rows]
    assert min(copies) >= 1
    # At most one for each attempt, and a further attempt follows only a crash that may have interrupted one.
    assert all(copy <= row.attempts for copy, row in zip(copies, rows, strict=True))
    receipts = sum(row.kind is NoticeKind.RECEIPT for row in rows)
    assert receipts == len(certificates)
    print(
        f"{kills} kills: {len(updates)} updates, 0 lost; {len(certificates)} certificates, 0 lost or doubled;"
        f" 0 half-locked organizations; {receipts} receipts arrived;"
        f" {len(rows)} messages, extra copies: {sum(copies) - len(copies)} (at most {max(copies) - 1} of one)"
    )


async def check_cards(database: Database, emulator: Emulator) -> None:
    """Check that each officer's live card shows the current counts, whatever a kill interrupted."""
    async with database.read() as session:
        cards = list(await session.scalars(select(ProvinceCard).where(ProvinceCard.message_id.is_not(None))))
        (counts,) = await count_statuses(session, "11")
        chats = {card.officer_id: (await session.get_one(Officer, card.officer_id)).user_id for card in cards}
    assert cards, "something waited for the province at some time"
    for card in cards:
        card_text = emulator.chat(chats[card.officer_id]).messages[card.message_id or 0].text
        waits = f"🔔 รอท่าน {counts.waiting} แห่ง" if counts.waiting else "✅ ไม่มี อปท. รอท่าน"
        assert card_text.startswith(f"{waits}\n")
        assert f"\nรับรองระดับจังหวัดแล้ว {counts.province_certified}/{counts.total}" in card_text


async def is_refused(database: Database, code: str) -> bool:
    try:
        async with database.write() as session:
            await session.execute(
                text("UPDATE personnel_record SET level = level WHERE organization_code = :code"), {"code": code}
            )
            return False
    except DBAPIError:
        return True


TITLES = {
    NoticeKind.RECEIPT: "หลักฐานการรับรองของท่าน",
    NoticeKind.COLLEAGUE_CERTIFIED: "หน่วยงานของท่าน",
    NoticeKind.PROVINCE_CERTIFIED: "จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว",
    NoticeKind.REOPENED: "เปิดให้แก้ไขข้อมูลแล้ว",
}


def _copies(emulator: Emulator, row: OutboxMessage, certificates: list[Certification]) -> int:
    """Count the copies of a message in its chat; for a reopening, which has no code, return 1 or 0."""
    first = [message.history[0] for message in emulator.chat(row.chat_id).messages.values() if message.history]
    if row.kind is NoticeKind.REOPENED:
        return 1 if any(TITLES[row.kind] in words for words in first) else 0
    code = next(certificate.code for certificate in certificates if certificate.id == row.subject_id)
    return sum(f"{code[:5]}-{code[5:]}" in words and TITLES[row.kind] in words for words in first)
