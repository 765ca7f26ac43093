"""Secrets in the wrong message: deleted at once, stored nowhere, and answered with what to do instead."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.service.backup import backup
from demo.botapi.state import Message
from handlers.chat.taps.certification import ProvinceReview
from models.accounts.account import Officer as Link
from models.accounts.account import find_account
from models.accounts.pin import Keypad
from models.accounts.throttle import Throttle
from models.certification.certificate import Level
from models.chats.conversation import Conversation
from models.database.engine import Database
from models.links.invitation import invite
from tests.handlers.accounts.test_entrance import (
    ASKS_NAME,
    ASKS_PASSWORD,
    ASKS_POSITION,
    ASKS_USERNAME,
    WRONG,
    type_login,
)
from tests.handlers.accounts.test_keypad import AGAIN, CHOOSE, ENTER, until_pin
from tests.handlers.support import Hand, MakeHand, facts, is_card
from tests.searching import alone, hidden, stored
from tests.support import PASSWORD, PIN, TO_PIN, Clock, certify_as

# A password that could also be a username, and one that could not.
USERNAME_LIKE, SECRET = "canary-zq78", "ผิดที่-canary-ZQ79"
TYPED_PIN = "271828"
USERNAME_ALONE = "โปรดส่งชื่อผู้ใช้เพียงอย่างเดียว"
WITH_THE_KEYS = "โปรดใส่ PIN ด้วยปุ่มตัวเลขเท่านั้น ห้ามพิมพ์เป็นข้อความ"
ANOTHER_NUMBER = "เลขที่ท่านพิมพ์มาใช้เป็น PIN ไม่ได้ โปรดตั้งเป็นเลขอื่น"
NOT_DELETED = "⚠️ ลบข้อความของท่านไม่สำเร็จ โปรดลบข้อความนั้นด้วยตนเองทันที"
CAME_BEFORE = "ข้อความของท่านส่งมาก่อนคำถามนี้ โปรดตอบคำถามนี้\nลบข้อความของท่านแล้ว"
DELETED = "ลบข้อความของท่านแล้ว"
NO_SLASH = "โดยไม่ต้องมีเครื่องหมายทับ (/) นำหน้า"
NEVER = "ห้ามพิมพ์ PIN เป็นข้อความ"
USE_BUTTONS = "โปรดเลือกจากปุ่มด้านล่าง"

# As people type six digits.
SPELLINGS = [
    "271828",
    "๒๗๑๘๒๘",
    "271 828",
    "2 7 1 8 2 8",
    "27-18-28",
    "2.7.1.8.2.8",
    "2\n7\n1\n8\n2\n8",
    "２７１８２８",
    "2\ufe0f\u20e37\ufe0f\u20e31\ufe0f\u20e38\ufe0f\u20e32\ufe0f\u20e38\ufe0f\u20e3",
    "271\u00a0828\u200b",
]

Search = Callable[..., Awaitable[None]]


@pytest.fixture
def lies_nowhere(country: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Search:
    """Looks for secrets in the database, its files, a backup and the log."""

    async def search(*secrets: str) -> None:
        copy = tmp_path / "searched.backup"
        copy.unlink(missing_ok=True)
        await backup(country, copy)
        content = await asyncio.to_thread(copy.read_bytes)
        if not country.is_sqlite:
            content = await _unpacked(copy)
        log = "\n".join(record.getMessage() for record in _records(caplog)).encode()
        everything = b"\n".join((await stored(country), content, log))
        # Check that the search itself finds what is there.
        assert "เทศบาลตำบลบางปู".encode() in content
        assert b"is running" in log
        for secret in secrets:
            if secret.isascii() and secret.isdecimal():
                assert not alone(secret).search(everything), secret
            else:
                assert not [form for form in hidden(secret) if form in everything], secret

    return search


def _records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return caplog.get_records("setup") + caplog.get_records("call")


async def _unpacked(copy: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        "pg_restore", "--file=-", str(copy), stdout=asyncio.subprocess.PIPE
    )
    content, _ = await process.communicate()
    assert process.returncode == 0
    return content


def stands(hand: Hand, text: str) -> list[Message]:
    """The officer's messages in the chat that contain a text."""
    return [message for message in hand.phone.messages if not message.outgoing and text in message.text]


async def edit(hand: Hand, message: Message, text: str) -> str:
    """Edit the officer's own message; the text of the card that answers."""
    last = hand.phone.last.id
    await hand.phone.edit_own(message, text)
    hand._card = await hand.phone.until(
        lambda phone: next((message for message in phone.messages if message.id > last and is_card(message)), None)
    )
    return hand.text


async def too_old(sending: Awaitable[Message]) -> Message:
    """A message that no bot can delete any more (Bot API, deleteMessage: within 48 hours)."""
    sent = await sending
    sent.date -= 3 * 86400
    return sent


async def tries(country: Database) -> list[str]:
    """The counted attempts of the throttle."""
    async with country.read() as session:
        return list(await session.scalars(select(Throttle.key).where(Throttle.failures > 0)))


# --- a username is asked for --------------------------------------------------------------------------------


async def test_a_password_beside_the_username(stranger: Hand, country: Database, lies_nowhere: Search) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    for between in ("\n", " ", "\t", "\u00a0", "\u200b", "\u3000", "\u2028", " / ", "\n\n", ":"):
        text = await stranger.say(f"lao5110201{between}{SECRET}")
        assert USERNAME_ALONE in text, repr(between)
        assert ASKS_USERNAME in text
        assert not stands(stranger, SECRET)
    # No password was tried, so none is counted.
    assert await tries(country) == []
    await lies_nowhere(SECRET)
    # It goes on from there.
    assert ASKS_PASSWORD in await stranger.say("lao5110201")
    assert ASKS_NAME in await stranger.say(PASSWORD)


async def test_a_username_has_at_most_64_letters(stranger: Hand, lies_nowhere: Search) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    secret = (USERNAME_LIKE * 6)[:65]
    assert USERNAME_ALONE in await stranger.say(secret)
    assert not stands(stranger, secret)
    await lies_nowhere(secret)
    assert ASKS_PASSWORD in await stranger.say(secret[:64])
    await lies_nowhere(secret[:64])


@pytest.mark.parametrize(
    "username", [" LAO5110201 ", "\u00a0lao5110201\u200b", "\ufefflao5110201\n", "\tLao5110201"]
)
async def test_blanks_around_a_username_do_no_harm(stranger: Hand, username: str) -> None:
    assert ASKS_NAME in await type_login(stranger, username)


@pytest.mark.parametrize("username", ["lao5110201", "nobody"])
async def test_a_password_in_place_of_the_username(
    stranger: Hand, country: Database, lies_nowhere: Search, username: str
) -> None:
    """A password looks like a username, so these messages are deleted, and only known usernames stored."""
    assert WRONG in await type_login(stranger, username, "wrong")
    # An officer who does not read the answer types the password again.
    assert ASKS_PASSWORD in await stranger.say(USERNAME_LIKE)
    assert not stands(stranger, USERNAME_LIKE)
    await lies_nowhere(USERNAME_LIKE)
    assert not stands(stranger, username)
    assert WRONG in await stranger.say(USERNAME_LIKE)
    await lies_nowhere(USERNAME_LIKE)


@pytest.mark.parametrize("before", [(), ("lao5110201",)], ids=["username", "password"])
async def test_a_caption_is_deleted_too(stranger: Hand, before: tuple[str, ...]) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    for text in before:
        await stranger.say(text)
    sent = await stranger.phone.send_photo(caption=f"lao5110201 {SECRET}")

    async def sending() -> Message:
        return sent

    assert "โปรดตอบเป็นข้อความตัวอักษร" in await stranger.reply_to(sending())
    assert sent.deleted


@pytest.mark.parametrize("typed", ["{}", "/login {}", "/start {}", "/START\n{}"])
async def test_a_login_before_it_is_asked_for(stranger: Hand, lies_nowhere: Search, typed: str) -> None:
    await stranger.say("/start")
    text = await stranger.say(typed.format(f"lao5110201 {SECRET}"))
    assert "เข้าสู่ระบบ" in stranger.labels, text
    assert not stands(stranger, SECRET)
    await lies_nowhere(SECRET)


async def test_an_officer_is_told_when_a_message_cannot_be_deleted(stranger: Hand, officer: MakeHand) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    text = await stranger.reply_to(too_old(stranger.phone.send(f"lao5110201 {SECRET}")))
    assert text.startswith(NOT_DELETED)
    assert USERNAME_ALONE in text
    hand = await officer()
    await hand.way(*TO_PIN)
    text = await hand.reply_to(too_old(hand.phone.send(TYPED_PIN)))
    assert text.startswith(NOT_DELETED)
    assert WITH_THE_KEYS in text


# --- the password was sent twice ----------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["new officer", "known officer", "known officer of a province"])
async def test_a_password_that_is_sent_twice(
    stranger: Hand, country: Database, clock: Clock, lies_nowhere: Search, again: str
) -> None:
    """The answer is slow, so the officer sends the message again before the next screen."""
    username = "province11" if "province" in again else "lao5110201"
    if "known" in again:
        await until_pin(stranger, username)
        await stranger.enter(PIN + PIN)
        await stranger.say("/logout")
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    await stranger.say(username)
    await stranger.phone.send(PASSWORD)

    await stranger.phone.send(PASSWORD)
    answer = {"new officer": CAME_BEFORE, "known officer": USE_BUTTONS}.get(again, "ไม่พบ อปท.")
    await stranger.sees(answer)
    assert not stands(stranger, PASSWORD)
    if again == "new officer":
        async with country.read() as session:
            assert list(await session.scalars(select(Link.full_name))) == [None]
        assert ASKS_POSITION in await stranger.say("ทดสอบ หนึ่ง")
    await lies_nowhere(PASSWORD)


# --- a PIN is chosen ----------------------------------------------------------------------------------------


async def test_a_pin_that_is_typed_while_it_is_chosen(
    stranger: Hand, country: Database, lies_nowhere: Search
) -> None:
    await until_pin(stranger)
    await stranger.way("1", "3")
    keys = stranger.phone.button("8").data
    for spelling in SPELLINGS:
        text = await stranger.say(spelling)
        refusal = f"{WITH_THE_KEYS}\n{ANOTHER_NUMBER}"
        assert text == f"{DELETED}\n\n{CHOOSE} สำหรับใช้ยืนยันการรับรอง\n{refusal}\n●●○○○○", spelling
        assert stranger.phone.button("8").data == keys
        assert not stands(stranger, spelling.strip())
    await lies_nowhere(TYPED_PIN, *SPELLINGS)
    # The number was visible, so it is refused as a PIN, on the next keypad too.
    await stranger.way("⌫", "⌫")
    assert (await stranger.enter(TYPED_PIN)).endswith(f"❌ {ANOTHER_NUMBER}\n○○○○○○")
    await stranger.say("/menu")
    assert (await stranger.enter(TYPED_PIN)).endswith(f"❌ {ANOTHER_NUMBER}\n○○○○○○")
    await stranger.enter(PIN)
    assert "✅ ตั้ง PIN แล้ว" in await stranger.enter(PIN)
    async with country.read() as session:
        assert list(await session.scalars(select(Keypad))) == []


async def test_a_first_entry_that_is_typed_for_the_second(stranger: Hand) -> None:
    await until_pin(stranger)
    assert AGAIN in await stranger.enter(TYPED_PIN)
    text = await stranger.say(TYPED_PIN)
    assert ANOTHER_NUMBER in text
    assert CHOOSE in text


@pytest.mark.parametrize("typed", ["PIN 271828 ค่ะ", "2718285", "รหัส: 27-1828 นะคะ"])
async def test_a_pin_among_other_words(stranger: Hand, lies_nowhere: Search, typed: str) -> None:
    await until_pin(stranger)
    assert ANOTHER_NUMBER in await stranger.say(typed)
    assert not stands(stranger, typed)
    await lies_nowhere(typed)
    assert ANOTHER_NUMBER in await stranger.enter(TYPED_PIN)


@pytest.mark.parametrize("typed", [SECRET, "27182", "ขอบคุณค่ะ", "/271828x"])
async def test_nothing_that_is_typed_beside_a_keypad_stays(
    stranger: Hand, lies_nowhere: Search, typed: str
) -> None:
    await until_pin(stranger)
    assert WITH_THE_KEYS in await stranger.say(typed)
    assert not stands(stranger, typed)
    await lies_nowhere(typed)
    await stranger.enter(PIN + PIN, "✅ ตั้ง PIN แล้ว")


async def test_a_new_pin_stays_barred_when_the_keypad_was_left(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await hand.way(*TO_PIN, "ลืม PIN")
    assert CHOOSE in await hand.say(PASSWORD)
    await hand.say(TYPED_PIN)
    await hand.press("ยกเลิก")
    # Without a keypad a typed number is no PIN, and no key counts.
    assert USE_BUTTONS in await hand.say("ขอบคุณ")
    assert "ปุ่มนี้ใช้ไม่ได้แล้ว" in await hand.forge("k::3")
    await hand.way(*TO_PIN, "ลืม PIN")
    assert ANOTHER_NUMBER in await hand.enter(TYPED_PIN)


# --- a PIN is asked for -------------------------------------------------------------------------------------


async def test_a_pin_that_is_typed_where_it_is_asked_for(
    officer: MakeHand, country: Database, lies_nowhere: Search
) -> None:
    hand = await officer()
    await hand.way(*TO_PIN, "8", "0")
    keys = hand.phone.button("8").data
    before = await facts(country)
    # More often than wrong PINs are allowed.
    for spelling in (PIN, *SPELLINGS):
        text = await hand.say(spelling)
        assert text.startswith(f"{DELETED}\n\n⚠️ รับรองระดับ อปท. ใช่หรือไม่")
        assert text.endswith(f"{ENTER}\n{WITH_THE_KEYS}\n●●○○○○")
        assert hand.phone.button("8").data == keys
        assert not stands(hand, spelling.strip())
    assert await tries(country) == []
    assert await facts(country) == before
    await lies_nowhere(PIN, *SPELLINGS)
    # The confirmation waits for the rest of the PIN.
    await hand.enter(PIN[2:], "✅ รับรองแล้ว")


async def test_a_province_does_not_search_for_its_pin(
    officer: MakeHand, country: Database, clock: Clock, lies_nowhere: Search
) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way("เจ้าหน้าที่ที่เชื่อมต่อ", "ส่งมอบงาน", "ออกลิงก์ให้ผู้รับมอบงาน")
    for typed in (PIN, "511020", SECRET):
        assert WITH_THE_KEYS in await hand.say(typed)
        assert not stands(hand, typed)
    await lies_nowhere(PIN, "511020", SECRET)
    # Once the keypad has been left, a part of a code is looked for again.
    await hand.press("ยกเลิก")
    assert "ทต.บางปู" in " ".join((await hand.say("511020"), *hand.labels))


async def test_a_keypad_that_takes_no_digits_any_more(officer: MakeHand, clock: Clock) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way("เจ้าหน้าที่ที่เชื่อมต่อ", "ส่งมอบงาน", "ออกลิงก์ให้ผู้รับมอบงาน")
    clock.move(minutes=31)
    await hand.say(PIN)
    assert not stands(hand, PIN)
    assert "🔍 ทต.บางปู" in " ".join((await hand.say("511020"), *hand.labels))


async def test_a_pin_that_is_typed_into_an_idle_chat(
    officer: MakeHand, clock: Clock, country: Database, lies_nowhere: Search
) -> None:
    hand = await officer()
    clock.move(hours=13)
    for _ in range(2):
        text = await hand.say(PIN)
        assert WITH_THE_KEYS in text
        assert not stands(hand, PIN)
    assert await tries(country) == []
    await lies_nowhere(PIN)
    assert "เทศบาลตำบลบางปู" in await hand.enter()


async def test_the_password_for_a_new_pin_is_no_text_beside_a_keypad(officer: MakeHand) -> None:
    """The keypad is on another message than the one that was tapped last."""
    hand = await officer()
    await hand.way(*TO_PIN)
    assert "รหัสผ่านของหน่วยงาน" in await hand.press("ลืม PIN")
    assert "รหัสผ่านไม่ถูกต้อง" in await hand.say(PIN)
    assert not stands(hand, PIN)
    assert CHOOSE in await hand.say(PASSWORD)


# --- something else is asked for, or nothing ----------------------------------------------------------------


async def test_six_digits_are_no_name_and_no_remark(
    officer: MakeHand, country: Database, clock: Clock, lies_nowhere: Search
) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await hand.press("แก้ไขชื่อและตำแหน่ง")
    assert ASKS_NAME in await hand.say(PIN)
    await hand.say("ทดสอบ หนึ่ง")
    assert ASKS_POSITION in await hand.say(PIN)
    await province.forge(ProvinceReview("5110201"))
    await province.way("ถาม อปท.", "ทั้งทะเบียน")
    assert "ไม่รับตัวเลขเพียงอย่างเดียว" in await province.say(PIN)
    await province.way("ย้อนกลับ", "ระเบียนรายคนตามเลขที่")
    assert "ไม่มีระเบียนเลขที่นี้" in await province.say(PIN)
    assert not stands(hand, PIN)
    assert not stands(province, PIN)
    await lies_nowhere(PIN)


async def test_what_is_of_no_use_is_deleted(officer: MakeHand, lies_nowhere: Search) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    for typed in (PIN, SECRET):
        assert USE_BUTTONS in await hand.say(typed)
        await province.say(typed)
        assert "สถานภาพรับรองข้อมูล" in province.labels
        assert not stands(hand, typed)
        assert not stands(province, typed)
    await lies_nowhere(PIN, SECRET)
    # A search with a result is not deleted.
    await province.say("บางปู")
    assert stands(province, "บางปู")


# --- an edited message --------------------------------------------------------------------------------------


async def test_a_password_that_takes_the_place_of_an_older_message(stranger: Hand, lies_nowhere: Search) -> None:
    sent = await stranger.phone.send("/start")
    await stranger.phone.until(lambda phone: phone.last.id > sent.id)
    await stranger.press("เข้าสู่ระบบ")
    await stranger.say("lao5110201")
    assert WRONG in await edit(stranger, sent, SECRET)
    assert sent.deleted
    await lies_nowhere(SECRET)


async def test_a_username_that_takes_the_place_of_an_older_message(
    stranger: Hand, country: Database, lies_nowhere: Search
) -> None:
    sent = await stranger.phone.send("/start")
    await stranger.phone.until(lambda phone: phone.last.id > sent.id)
    await stranger.press("เข้าสู่ระบบ")
    assert USERNAME_ALONE in await edit(stranger, sent, f"lao5110201 {SECRET}")
    assert sent.deleted
    assert await tries(country) == []
    await lies_nowhere(SECRET)


async def test_a_pin_that_takes_the_place_of_an_older_message(
    officer: MakeHand, country: Database, lies_nowhere: Search
) -> None:
    hand = await officer()
    sent = await hand.phone.send("/menu")
    await hand.phone.until(lambda phone: phone.last.id > sent.id)
    hand._card = hand.phone.last
    await hand.way(*TO_PIN)
    assert WITH_THE_KEYS in await edit(hand, sent, PIN)
    assert sent.deleted
    assert await tries(country) == []
    await lies_nowhere(PIN)
    await hand.enter(PIN, "✅ รับรองแล้ว")


async def test_an_edited_name_is_corrected(officer: MakeHand) -> None:
    hand = await officer()
    await hand.press("แก้ไขชื่อและตำแหน่ง")
    sent = await hand.phone.send("ทดสอบ ก")
    await hand.phone.until(lambda phone: phone.last.id > sent.id)
    text = await edit(hand, sent, "ทดสอบ ข")
    assert "ชื่อ-สกุล: ทดสอบ ข" in text
    assert ASKS_POSITION in text
    assert "ทดสอบ ข · ปลัด" in await hand.say("ปลัด")


async def test_words_are_edited_until_they_are_sent(officer: MakeHand, country: Database) -> None:
    province = await officer("province11", "ทดสอบ สอง")
    await province.forge(ProvinceReview("5110201"))
    await province.way("ถาม อปท.", "ทั้งทะเบียน")
    sent = await province.phone.send("จำนวนถูกต้องหรือไม่")
    await province.phone.until(lambda phone: "จำนวนถูกต้องหรือไม่" in phone.last.text and phone.last.outgoing)
    assert "จำนวนครบถ้วนหรือไม่" in await edit(province, sent, "จำนวนครบถ้วนหรือไม่")
    await province.press("ส่งคำถาม")
    # Sending is final: later edits have no effect.
    await province.phone.edit_own(sent, "จำนวนผิด ขอให้แก้ไข")
    text = await province.say("/menu")
    assert "สมุทรปราการ" in text
    async with country.read() as session:
        conversation = await session.get_one(Conversation, province.phone.id)
        assert conversation.draft is None


@pytest.mark.parametrize("text", ["ขอบคุณ", "/logout", "/start lao5110201", "271828"])
async def test_an_edit_that_answers_nothing_does_nothing(officer: MakeHand, stranger: Hand, text: str) -> None:
    hand = await officer()
    await stranger.say("/start")
    for sender in (hand, stranger):
        sent = await sender.phone.send("/help")
        await sender.phone.until(lambda phone, sent=sent: phone.last.id > sent.id)
        messages = len(sender.phone.messages)
        await sender.phone.edit_own(sent, text)
        # One sender's updates are done in order: when this is answered, the edit is done.
        await sender.say("/menu")
        assert len(sender.phone.messages) == messages + 1
        assert not sent.deleted
    assert "เทศบาลตำบลบางปู" in hand.text
    assert "เข้าสู่ระบบ" in stranger.labels


# --- commands -----------------------------------------------------------------------------------------------


async def test_any_white_space_stands_before_an_argument(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    certificate = await certify_as(country, "lao5110201", hand.phone.id, "5110201", Level.LAO, clock())
    code = f"{certificate.code[:5]}-{certificate.code[5:]}"
    for between in (" ", "  ", "\n", "\t", "\u00a0", " \n ", "\u3000"):
        for command, argument in (
            ("/verify", code),
            ("/VERIFY@laocert_bot", f"{certificate.code[:5]}{between}{certificate.code[5:]}"),
            ("/start", f"v{certificate.code}"),
            ("/start@laocert_bot", f"v{certificate.code}"),
        ):
            text = await hand.say(f"{command}{between}{argument}")
            assert f"การรับรอง {code}" in text, (command, between)


# What an officer may type before a number or a password.
COMMANDS = ["/start", "/verify", "/menu", "/help", "/logout@laocert_bot", "/menu@271828", "/START\n", "/login"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_with_a_pin_is_typed_like_any_text(
    officer: MakeHand, clock: Clock, lies_nowhere: Search, command: str
) -> None:
    hand = await officer()
    typed = f"{command} {TYPED_PIN}"
    assert DELETED in await hand.say(f"{command} {SECRET}")
    assert "เทศบาลตำบลบางปู" in hand.text
    await hand.way(*TO_PIN, "8", "0")
    keys = hand.phone.button("8").data
    assert WITH_THE_KEYS in await hand.say(typed)
    assert hand.phone.button("8").data == keys
    await hand.enter(PIN[2:], "✅ รับรองแล้ว")
    clock.move(hours=13)
    assert WITH_THE_KEYS in await hand.say(typed)
    assert not stands(hand, TYPED_PIN)
    assert not stands(hand, SECRET)
    await lies_nowhere(TYPED_PIN, SECRET)
    assert "เทศบาลตำบลบางปู" in await hand.enter()


@pytest.mark.parametrize("command", ["/start", "/verify", "/menu"])
async def test_a_command_with_words_at_the_login(
    stranger: Hand, country: Database, lies_nowhere: Search, command: str
) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    for answer, question in (("lao5110201", ASKS_USERNAME), (PASSWORD, ASKS_PASSWORD), ("ทดสอบ หนึ่ง", ASKS_NAME)):
        text = await stranger.say(f"{command} {SECRET}")
        assert NO_SLASH in text
        assert DELETED in text
        assert question in text
        await stranger.say(answer)
    await stranger.say("ปลัดเทศบาล")
    assert ANOTHER_NUMBER in await stranger.say(f"{command} {TYPED_PIN}")
    assert not stands(stranger, SECRET)
    assert await tries(country) == []
    await lies_nowhere(SECRET, TYPED_PIN)
    assert ANOTHER_NUMBER in await stranger.enter(TYPED_PIN)


@pytest.mark.parametrize("after", ["/menu 271828", "/start 271828"])
async def test_a_command_that_is_edited_into_a_pin(officer: MakeHand, after: str) -> None:
    hand = await officer()
    sent = await hand.phone.send("/menu")
    await hand.phone.until(lambda phone: phone.last.id > sent.id)
    hand._card = hand.phone.last
    await hand.way(*TO_PIN)
    assert WITH_THE_KEYS in await edit(hand, sent, after)
    assert sent.deleted
    await hand.enter(PIN, "✅ รับรองแล้ว")


# --- captions -----------------------------------------------------------------------------------------------


async def captioned(hand: Hand, caption: str) -> tuple[Message, str]:
    """Send a picture with a caption; the text of the card that answers."""
    sent = await hand.phone.send_photo(caption=caption)

    async def sending() -> Message:
        return sent

    return sent, await hand.reply_to(sending())


async def test_a_caption_beside_a_keypad(stranger: Hand, lies_nowhere: Search) -> None:
    await until_pin(stranger)
    keys = stranger.phone.button("8").data
    sent, text = await captioned(stranger, f"PIN {TYPED_PIN}")
    assert ANOTHER_NUMBER in text
    assert sent.deleted
    assert stranger.phone.button("8").data == keys
    assert ANOTHER_NUMBER in await stranger.enter(TYPED_PIN)
    await lies_nowhere(TYPED_PIN)


async def test_a_caption_that_may_be_a_secret(officer: MakeHand, clock: Clock, lies_nowhere: Search) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    for caption in (TYPED_PIN, f"lao5110201 {SECRET}"):
        sent, text = await captioned(hand, caption)
        assert DELETED in text
        assert sent.deleted
    sent, _text = await captioned(hand, "ทะเบียนปี 2570")
    assert not sent.deleted
    sent, _text = await captioned(province, "สวัสดี")
    assert sent.deleted
    await hand.say("/menu")
    await hand.way(*TO_PIN, "8", "0")
    edited, _text = await captioned(hand, "ขอบคุณ")
    assert edited.deleted
    await hand.enter(PIN[2:], "✅ รับรองแล้ว")
    sent, _text = await captioned(hand, "ทะเบียน")
    clock.move(hours=13)
    assert WITH_THE_KEYS in await edit(hand, sent, PIN)
    assert sent.deleted
    sent, text = await captioned(hand, SECRET)
    assert WITH_THE_KEYS in text
    assert sent.deleted
    await lies_nowhere(TYPED_PIN, PIN, SECRET)


# --- what is typed before a PIN is chosen --------------------------------------------------------------------


async def test_a_pin_in_two_messages(stranger: Hand) -> None:
    await until_pin(stranger)
    await stranger.say(TYPED_PIN[:3])
    assert ANOTHER_NUMBER in await stranger.say(TYPED_PIN[3:])
    assert ANOTHER_NUMBER in await stranger.enter(TYPED_PIN)


async def test_a_pin_far_behind_in_a_message(stranger: Hand, lies_nowhere: Search) -> None:
    await until_pin(stranger)
    assert ANOTHER_NUMBER in await stranger.say("5" * 4090 + TYPED_PIN)
    assert ANOTHER_NUMBER in await stranger.say("1" * 4096)
    assert ANOTHER_NUMBER in await stranger.enter(TYPED_PIN)
    await lies_nowhere(TYPED_PIN)


@pytest.mark.parametrize("place", ["name", "position", "password", "expired keypad"])
async def test_a_pin_that_is_typed_before_it_is_chosen(
    stranger: Hand, officer: MakeHand, clock: Clock, lies_nowhere: Search, place: str
) -> None:
    if place == "password":
        hand = await officer()
        await hand.way(*TO_PIN, "ลืม PIN")
        text = await hand.say(TYPED_PIN)
        assert text.startswith("รหัสผ่านไม่ถูกต้อง โปรดพิมพ์รหัสผ่านของหน่วยงาน ไม่ใช่ PIN")
        assert CHOOSE in await hand.say(PASSWORD)
    else:
        hand = stranger
        await hand.say("/start")
        await hand.press("เข้าสู่ระบบ")
        for step, answer in (
            ("username", "lao5110201"),
            ("password", PASSWORD),
            ("name", "ก ข"),
            ("position", "ปลัด"),
        ):
            if step == place:
                assert "ไม่มีตัวเลขเรียงกัน" in (text := await hand.say(f"ปลัด {TYPED_PIN}"))
                assert DELETED in text
            await hand.say(answer)
    if place == "expired keypad":
        clock.move(minutes=31)
        text = await hand.say(TYPED_PIN)
        assert text.startswith(f"{NEVER}\n{DELETED}\n\n")
        assert "รหัสผ่านของหน่วยงาน" in text
        assert CHOOSE in await hand.say(PASSWORD)
    assert not stands(hand, TYPED_PIN)
    await lies_nowhere(TYPED_PIN)
    assert ANOTHER_NUMBER in await hand.enter(TYPED_PIN)
    await hand.enter(PIN + PIN, "✅ ตั้ง PIN แล้ว" if place != "password" else "")


async def test_a_confirmation_that_has_lapsed(officer: MakeHand, clock: Clock) -> None:
    hand = await officer()
    for last in ("type", "tap"):
        await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.", "รับรองระดับ อปท.")
        await hand.press("ยืนยันการรับรอง")
        clock.move(minutes=31)
        text = await (hand.say(PIN) if last == "type" else hand.press("8"))
        assert text.startswith("การยืนยันนี้หมดเวลา 30 นาทีแล้ว")


# --- names and remarks --------------------------------------------------------------------------------------


async def test_a_name_holds_no_six_digits(officer: MakeHand, lies_nowhere: Search) -> None:
    hand = await officer()
    await hand.press("แก้ไขชื่อและตำแหน่ง")
    for spelling in SPELLINGS:
        text = await hand.say(f"สมชาย {spelling} ใจดี")
        assert DELETED in text
        assert ASKS_NAME in text
    assert not stands(hand, "สมชาย")
    assert "ทดสอบ 12345" in await hand.say("ทดสอบ 12345")
    assert ASKS_POSITION in await hand.say("ปลัด ๒๗๑-๘๒๘")
    await lies_nowhere(TYPED_PIN, *SPELLINGS)
    assert "หัวหน้าฝ่าย 2 กลุ่ม 3 งาน 4567" in await hand.say("หัวหน้าฝ่าย 2 กลุ่ม 3 งาน 4567")


async def test_a_pin_while_a_draft_is_shown(officer: MakeHand, lies_nowhere: Search) -> None:
    province = await officer("province11", "ทดสอบ สอง")
    await province.forge(ProvinceReview("5110201"))
    await province.way("ถาม อปท.", "ทั้งทะเบียน")
    words = "บันทึกซ้ำ 123456 ราย"
    assert words in await province.say(words)
    for typed in (*SPELLINGS, "PIN 271828", "รหัส: 27-1828", "/start 271828", "zzzz"):
        text = await province.say(typed)
        assert DELETED in text, typed
        assert words in text, typed
        assert "ส่งคำถาม" in province.labels
        assert not stands(province, typed.strip())
    assert "ข้อความยาวเกินไป โปรดพิมพ์ 5 ถึง 1,000 ตัวอักษร" in await province.say("ก" * 1001)
    assert stands(province, "ก" * 1001)
    await lies_nowhere(TYPED_PIN, *SPELLINGS)
    assert words in await province.press("ส่งคำถาม")


async def test_an_edited_position_is_corrected_beside_the_first_keypad(stranger: Hand, country: Database) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    for text in ("lao5110201", PASSWORD):
        await stranger.say(text)
    name = await stranger.phone.send("ทดสอบ หนึ่ง")
    await stranger.phone.until(lambda phone: phone.last.id > name.id)
    sent = await stranger.phone.send("ปลัดเทศบล")
    await stranger.phone.until(lambda phone: phone.last.id > sent.id)
    text = await edit(stranger, sent, "ปลัดเทศบาล")
    assert text.startswith("ตำแหน่ง: ปลัดเทศบาล\n\n")
    assert CHOOSE in text
    assert not sent.deleted
    assert WITH_THE_KEYS in await edit(stranger, name, "ทดสอบ สอง")
    assert ANOTHER_NUMBER in await edit(stranger, sent, f"ปลัด {TYPED_PIN}")
    assert sent.deleted
    async with country.read() as session:
        assert list(await session.scalars(select(Link.position))) == ["ปลัดเทศบาล"]
    await stranger.enter(PIN + PIN, "✅ ตั้ง PIN แล้ว")


# --- an invitation that is pasted ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "around",
    ["/start {}", "/start \u200b{}\u200b", "/start\u200b {}\ufeff", "/start {}\nค่ะ", "/start\u00a0{} ครับ"],
)
async def test_what_stands_around_an_invitation(
    stranger: Hand, country: Database, clock: Clock, around: str
) -> None:
    async with country.write() as session:
        code = await invite(session, await find_account(session, "lao5110201"), timedelta(minutes=10), clock())
    await stranger.say(around.format(code))
    assert "เชื่อมต่อ" in stranger.labels
    inside = f"{code[:9]}\u200b{code[9:]}"
    await stranger.say(f"/start {inside}")
    assert "เชื่อมต่อ" in stranger.labels


async def test_a_full_stop_behind_the_username(stranger: Hand) -> None:
    """Phones type a full stop for two blanks."""
    assert ASKS_NAME in await type_login(stranger, "lao5110201. ")
