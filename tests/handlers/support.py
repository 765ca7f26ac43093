"""An officer's hand that waits for the bot, a walk over all screens, and what must not change behind them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import select

from demo.botapi import PATIENCE, Emulator
from demo.botapi.phone import Phone
from demo.botapi.state import Message
from handlers.chat.screen import BELOW
from handlers.chat.taps.tap import Tap
from models.accounts.account import Officer as Link
from models.certification.certificate import Certification
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from tests.chat import CORRECT, DESPITE_EMPTY, EMPTY, Officer
from tests.support import PIN, SPOT_CHECK_SIZE

# In every receipt, in Thai and in English.
RECEIPT, RECEIPT_IN_ENGLISH = "🧾 หลักฐานการรับรองของท่าน", "🧾 Receipt of your certification"

NEVER_IN_A_WALK = (
    *("logout!", "confirm:", "language:", "hand!", "k:", "ke:", "forgot", "accept:", "notours:"),
    # Files are messages of their own (tests/handlers/province/test_export.py).
    *("export", "picture", "pdf:", "template"),
)


class Hand(Officer):
    """An officer who looks at the screen after each tap, and at nothing before it is there."""

    def __init__(self, bot: Emulator, phone: Phone) -> None:
        super().__init__(phone)
        self.bot = bot
        self._card: Message | None = None

    @property
    def card(self) -> Message:
        """The message that the officer uses, whatever the bot has sent on its own meanwhile."""
        return self._card or newest_card(self.phone)

    @property
    def text(self) -> str:
        return self.card.text

    @property
    def labels(self) -> list[str]:
        return self.card.labels

    async def press(self, label: str, message: Message | None = None) -> str:
        """Tap a button, or for "PIN" its digits; the text that the message then shows."""
        if label == "PIN":
            return await self.enter()
        button = self.phone.button(label, message or self.card)
        if (button.data or "").startswith(BELOW):
            return await self.open(label, button.message)
        text = await self.forge(button.data or "", button.message)
        # Whether one of the drawn records has an empty menu is left to chance.
        return await self.press(DESPITE_EMPTY) if label == CORRECT and EMPTY in text else text

    async def way(self, *labels: str) -> str:
        """Tap one button after another; the last text."""
        for label in labels:
            await self.press(label)
        return self.text

    async def enter(self, pin: str = PIN, expect: str = "") -> str:
        """Tap the digits on the keypad, looking after each; the text that the last one brings."""
        for digit in pin:
            await self.press(digit)
        assert expect in self.text
        return self.text

    async def forge(self, tap: Tap | str, message: Message | None = None) -> str:
        """Tap with any callback data, also such as no button bears; the text that is then shown."""
        card = self._card = message or self.card
        calls = self.bot.call_count
        data = tap.pack() if isinstance(tap, Tap) else tap
        await (await self.phone.tap_data(card, data)).answer()
        # An edit that changes nothing is no event on the phone, so the call itself is waited for.
        async with asyncio.timeout(PATIENCE):
            while not self._shown(calls, card):  # noqa: ASYNC110 - the emulator sets no event for it
                await asyncio.sleep(0.001)
        if card not in self.phone.messages:
            # The irreversible press: the receipt has come in place of the keypad.
            self._card = next(
                one for one in reversed(self.phone.messages) if one.text.endswith((RECEIPT, RECEIPT_IN_ENGLISH))
            )
        return self.text

    def _shown(self, calls: int, card: Message) -> bool:
        new = list(self.bot.calls)[calls - self.bot.call_count :] if self.bot.call_count > calls else []
        return any(
            call.method in ("editMessageText", "deleteMessage")
            and (call.params["chat_id"], call.params["message_id"]) == (str(self.phone.id), str(card.id))
            for call in new
        )

    async def open(self, label: str, live_card: Message) -> str:
        """Tap a button of the live card or of a receipt; the text of the new card that comes below it."""
        last = self.phone.messages[-1].id
        tap = await self.phone.tap_data(live_card, self.phone.button(label, live_card).data or "")
        await tap.answer()
        self._card = await self.phone.until(
            lambda phone: next((one for one in phone.messages if one.id > last and is_card(one)), None)
        )
        return self.text

    async def say(self, text: str) -> str:
        """Type something; the text of the card that answers."""
        return await self.reply_to(self.phone.send(text))

    async def reply_to(self, sending: Awaitable[Message]) -> str:
        """Send anything; the text of the card that answers."""
        sent = await sending
        self._card = await self.phone.until(
            lambda phone: next((one for one in phone.messages if one.id > sent.id and is_card(one)), None)
        )
        return self.text


# From the review to the button that certifies: everything drawn is ถูกต้อง.
SPOT_CHECK = ("สุ่มตรวจสอบ", *[CORRECT] * SPOT_CHECK_SIZE)

# What a notice of each kind begins with (handlers/notices/rendering.py), in Thai. The live card has titles of its
# own.
NOTICES: dict[NoticeKind, tuple[str, ...]] = {
    NoticeKind.RECEIPT: (
        "✅ รับรองแล้ว ทะเบียนถูกล็อก",
        "✅ Certified. The register is locked.",
        "✅ สถานะการรับรองข้อมูล: ",
        "✅ Certification status: ",
    ),
    NoticeKind.COLLEAGUE_CERTIFIED: ("🔔 หน่วยงานของท่านได้รับรองข้อมูลแล้ว", "🔔 Your organization has been certified"),
    NoticeKind.PROVINCE_CERTIFIED: (
        "✅ จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว",
        "✅ The province has certified your organization",
    ),
    NoticeKind.REOPENED: ("🔓 เปิดให้แก้ไขข้อมูลแล้ว",),
    NoticeKind.PETITIONED: ("✉️ จังหวัดขอเปิดให้แก้ไขข้อมูลที่รับรองแล้ว", "✉️ อปท. ขอแก้ไขข้อมูลที่รับรองแล้ว"),
    NoticeKind.PETITION_REFUSED: ("✉️ ไม่อนุญาตให้แก้ไขข้อมูล",),
    NoticeKind.QUESTIONED: ("❓ คำถามจากจังหวัด",),
    NoticeKind.ANSWERED: ("💬 อปท. ตอบคำถามแล้ว",),
    NoticeKind.LINKED: ("🔔 มีแชตใหม่เชื่อมต่อกับบัญชีของท่าน",),
    NoticeKind.LINK_DISPUTED: ("⚠️ มีการยุติการเชื่อมต่อที่ไม่ใช่คนของหน่วยงาน",),
    NoticeKind.BAD_SEAL: ("🚨 ฐานข้อมูลถูกแก้ไขจากนอกระบบ",),
    NoticeKind.HANDED_OVER: ("🤝 ส่งมอบงานของท่านแล้ว",),
    NoticeKind.UNREACHABLE: ("⚠️ ส่งข้อความถึงเจ้าหน้าที่ไม่ได้",),
    NoticeKind.MISSED: ("🔕 ระบบส่งข้อความ",),
    NoticeKind.PIN_BLOCKED: ("⚠️ ใส่ PIN ผิด 5 ครั้ง",),
    NoticeKind.REMINDER: ("⏰ ใกล้ครบกำหนดรับรองข้อมูล", "⏰ วันนี้เป็นวันสุดท้ายของการรับรองข้อมูล"),
    NoticeKind.ESCALATION: ("⚠️ การแจ้งเตือนไปไม่ถึงบางหน่วยงาน",),
    NoticeKind.ORGANIZATION_ENDED: ("✕ หน่วยงานของท่านสิ้นสภาพแล้ว",),
    NoticeKind.BROADCAST: ("📢 ประกาศจากผู้ดูแลระบบ",),
    NoticeKind.WAITING: ("🔔 รอท่าน ", "🔔 มี อปท. รอท่านรับรอง", "🔔 Waiting for you "),
}
TITLES = tuple(title for titles in NOTICES.values() for title in titles)


def is_card(message: Message) -> bool:
    """A message that answers, not one that the bot sends on its own."""
    text = message.history[0] if message.history else ""
    return message.outgoing and bool(text) and not text.startswith(TITLES)


def newest_card(phone: Phone) -> Message:
    """The newest answer, whatever notices stand below it."""
    return next(one for one in reversed(phone.messages) if is_card(one))


def is_live_card(message: Message) -> bool:
    """The one card of a province's officer that is kept up to date."""
    return message.history[0].startswith(NOTICES[NoticeKind.WAITING])


async def notices_taken_for_answers(emulator: Emulator, database: Database) -> list[str]:
    """Notices that `is_card` takes for answers: what a notice of their kind begins with is missing above."""
    async with database.read() as session:
        sent = await session.scalars(select(OutboxMessage).where(OutboxMessage.message_id.is_not(None)))
    chats = emulator.world.chats
    messages = [chats[row.chat_id].messages.get(row.message_id or 0) for row in sent if row.chat_id in chats]
    return [one.history[0] for one in messages if one is not None and is_card(one)]


@dataclass(frozen=True)
class Visited:
    """One screen of a walk: the tap that led to it, and what it shows."""

    data: str
    text: str
    html: str
    buttons: list[tuple[str, str]]

    @property
    def labels(self) -> list[str]:
        return [label for label, _ in self.buttons]


# What the bot keeps of the list's filter: what is tapped after it shows something else.
KEPT = ("pf",)
SHOWS_KEPT = ("ps:", "pl", "next")
# Lifts what was kept before.
UNKEPT = "pfx:a"


async def walk(hand: Hand) -> AsyncIterator[Visited]:
    """Tap every button of every screen that can be reached from the newest card, breadth first."""
    card = hand.card
    # A tap on the list goes with the filter that was chosen before it.
    waiting, known = [("", "home")], {("", "home")}
    while waiting:
        before, data = waiting.pop(0)
        if before:
            await hand.forge(UNKEPT, card)
            await hand.forge(before, card)
        await hand.forge(data, card)
        newer = [message for message in hand.phone.messages if is_card(message) and message.id > card.id]
        assert not newer, f"{data} made a new message"
        buttons = [(button.label, button.data or "") for row in card.buttons for button in row]
        kept = data if data.startswith(KEPT) else before
        for _, following in buttons:
            step = (kept if following.startswith(SHOWS_KEPT) else "", following)
            if step not in known and not following.startswith(NEVER_IN_A_WALK):
                known.add(step)
                waiting.append(step)
        yield Visited(data, card.text, card.html, buttons)


Fact = tuple[object, ...]


async def facts(database: Database) -> tuple[list[Fact], list[Fact]]:
    """All certificates and links: what bad input must not change."""
    async with database.read() as session:
        made = await session.scalars(select(Certification).order_by(Certification.id))
        links = await session.scalars(select(Link).order_by(Link.id))
        return (
            [(one.organization_code, one.level, one.code, one.officer_name, one.certified_at) for one in made],
            [(one.id, one.user_id, one.account_id, one.full_name, one.position, one.unlinked_at) for one in links],
        )


def errors(records: list[logging.LogRecord]) -> list[str]:
    """What a log must not hold after ordinary use: errors and tracebacks."""
    return [record.getMessage() for record in records if record.levelno >= logging.ERROR or record.exc_info]


MakeHand = Callable[..., Awaitable[Hand]]
