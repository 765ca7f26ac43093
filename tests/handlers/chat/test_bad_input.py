"""Bad input: the answer says what to do, nothing is changed, and the log has no error."""

from collections.abc import Awaitable, Callable

import pytest

from demo.botapi import Emulator
from demo.botapi.phone import Phone
from demo.botapi.state import Message
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.register import EmptyMenus
from handlers.chat.taps.tap import unpack
from models.certification.certificate import Level
from models.database.engine import Database
from tests.chat import says
from tests.handlers.support import Hand, MakeHand, facts
from tests.support import Clock, certify_as

BANGPU = "5110201"
USE_BUTTONS = "โปรดเลือกจากปุ่มด้านล่าง"
UNUSED = "ปุ่มนี้ใช้ไม่ได้แล้ว โปรดเริ่มจากหน้าหลักนี้"
ANSWER_IN_LETTERS = "โปรดตอบเป็นข้อความตัวอักษร"

Sending = Callable[[Phone], Awaitable[Message]]

NO_TEXT: dict[str, Sending] = {
    "photo": lambda phone: phone.send_photo(caption="ชื่อ"),
    "sticker": lambda phone: phone.send_sticker(),
    "document": lambda phone: phone.send_document("ทะเบียน.xlsx", b"PK\x03\x04"),
    "contact": lambda phone: phone.send_contact(),
    "location": lambda phone: phone.send_location(),
}
TEXTS = {
    "text": "รับรอง",
    "4,000 emoji": "😀" * 4000,
    "unknown command": "/certify 5110201",
    "a slash": "/",
    "markup": "<b>x</b> {0} {x} %s &lt;",
    "combining marks": "ก" + "้" * 4000,
    "right to left": "\u2067abc",
}


async def test_a_message_where_a_button_is_expected(officer: MakeHand, stranger: Hand, country: Database) -> None:
    hand = await officer()
    await stranger.say("/start")
    before = await facts(country)
    for sender, first_button in ((hand, "รับรองข้อมูลระดับ อปท."), (stranger, "เข้าสู่ระบบ")):
        for what, text in TEXTS.items():
            assert (await sender.say(text)).startswith(USE_BUTTONS), what
            assert sender.labels[0] == first_button, what
        for what, sending in NO_TEXT.items():
            # Files are a matter of their own: tests/handlers/register/test_register_file.py.
            if what not in ("photo", "document"):
                assert (await sender.reply_to(sending(sender.phone))).startswith(USE_BUTTONS), what
    assert await facts(country) == before


async def test_something_else_where_a_text_is_expected(
    officer: MakeHand, stranger: Hand, country: Database
) -> None:
    """A username, a password, a name and a position: each question is asked again, and the way goes on."""
    hand = await officer()
    await hand.press("แก้ไขชื่อและตำแหน่ง")
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    before = await facts(country)
    for sender, question, answer in (
        (stranger, "พิมพ์ชื่อผู้ใช้", "lao5110201"),
        (stranger, "พิมพ์รหัสผ่าน", None),
        (hand, "พิมพ์ชื่อ-สกุล", "ทดสอบ หนึ่ง"),
        (hand, "พิมพ์ตำแหน่ง", "ปลัด"),
    ):
        for what, sending in NO_TEXT.items():
            text = await sender.reply_to(sending(sender.phone))
            assert text.startswith(ANSWER_IN_LETTERS), what
            assert question in text, what
        if answer is not None:
            await sender.say(answer)
    assert await facts(country) == before


FORGED = [
    "",
    "x",
    "home:1",
    "lp:o",
    "lp:o:-1",
    "lp:x:0",
    "lp:o:99999999999999999999",
    "lh:٣",
    "ps:0:0",
    "confirm:",
    "confirm:ก",
    "confirm:'; DROP TABLE certification; --",
    "\u0000",
    "😀" * 16,
    "x" * 64,
]


async def test_forged_callback_data(officer: MakeHand, stranger: Hand, country: Database) -> None:
    hand = await officer()
    await stranger.say("/start")
    before = await facts(country)
    for data in FORGED:
        for sender, first_button in ((hand, "รับรองข้อมูลระดับ อปท."), (stranger, "เข้าสู่ระบบ")):
            assert (await sender.forge(data)).startswith(UNUSED), data
            assert sender.labels[0] == first_button, data
    assert await facts(country) == before


async def test_pages_that_are_not_there(officer: MakeHand) -> None:
    """Well-formed but beyond the end: the last page."""
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    for hand, datas in (
        (lao, ["lp:o:999999999", "lh:999999999"]),
        (
            province,
            ["pf:u", "ps:999999999", f"pp:{BANGPU}:o:999999999", f"ph:{BANGPU}:999999999"],
        ),
    ):
        for data in datas:
            await hand.forge(data)
            assert "▶" not in "".join(hand.labels), data
            assert "หน้าหลัก" in hand.labels
            await hand.press("ย้อนกลับ")


async def test_old_cards(officer: MakeHand, country: Database, clock: Clock, bot: Emulator) -> None:
    """Old buttons, of an ended link, another officer, last week, or a deleted message: answered without effect."""
    first, second = await officer(name="ทดสอบ หนึ่ง"), await officer(name="ทดสอบ สอง")
    review = await first.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
    card, certify = first.card, first.phone.button("รับรองระดับ อปท.").data or ""
    await first.press("รับรองระดับ อปท.")
    confirm = first.phone.button("ยืนยันการรับรอง").data or ""
    before = await facts(country)

    assert "การยืนยันนี้หมดอายุแล้ว" in await second.forge(confirm)
    clock.move(days=7)
    # An idle chat asks for the PIN first, and continues with the tap.
    assert "PIN" in await first.forge(confirm, card)
    assert "การยืนยันนี้หมดอายุแล้ว" in await first.enter()
    assert "ยืนยันการรับรอง" in (await first.forge(certify, card), first.labels)[1]
    assert await first.press("ยกเลิก") == review.replace("เหลือ 317 วัน", "เหลือ 310 วัน")
    assert await facts(country) == before

    await first.say("/logout")
    logged_out = await facts(country)
    first.phone.delete_own(card)
    # The card is deleted for the bot too: the answer is a new one.
    tap = await first.phone.tap_data(card, certify)
    await tap.answer()
    await first.sees("แชตนี้ยังไม่ได้เข้าสู่ระบบ")
    assert await facts(country) == logged_out


async def test_a_button_of_another_chats_card(officer: MakeHand, country: Database, clock: Clock) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await certify_as(country, "lao5110201", lao.phone.id, BANGPU, Level.LAO, clock())
    await province.forge(ProvinceReview(BANGPU))
    before = await facts(country)
    for _, button in [(row, button) for row in province.card.buttons for button in row][:-1]:
        # Empty menus of its own register are shown to the organization as well.
        assert button.data is not None
        if isinstance(unpack(button.data), EmptyMenus):
            continue
        text = await lao.forge(button.data)
        assert text.startswith("บัญชีของท่านไม่มีสิทธิ์ในรายการนี้"), button
    assert await facts(country) == before


@pytest.mark.parametrize("supergroup", [False, True])
async def test_a_group_is_told_once(
    officer: MakeHand, bot: Emulator, country: Database, *, supergroup: bool
) -> None:
    hand = await officer()
    before = await facts(country)
    group = bot.group("สำนักปลัด", [hand.phone], supergroup=supergroup)
    there = group.phone(hand.phone)
    group.add_bot(hand.phone)
    answer = await says(there, "")
    assert answer.text.startswith("ระบบนี้ใช้ได้เฉพาะแชตส่วนตัว")
    assert "I work in private chats only." in answer.text
    assert answer.labels == []
    for text in ("/start", "/menu@laocert_bot", "/logout", "/language"):
        await there.send(text)
    group.promote_bot(hand.phone)
    await there.send("lao5110201")
    await there.send_photo()
    # One sender's updates are done in order: when the private chat answers, the group's are done.
    assert "เทศบาลตำบลบางปู" in await hand.say("/menu")
    assert [message for message in there.messages if message.outgoing] == [answer]
    assert await facts(country) == before
