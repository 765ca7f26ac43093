"""Step 1 of both levels: username, password, once name and position; and the way out."""

import asyncio

import pytest
from sqlalchemy import select

from demo.botapi.state import Message
from handlers.chat.taps.accounts import LogIn
from models.accounts.account import MAX_NAME, find_account
from models.accounts.account import Officer as Link
from models.chats.conversation import Conversation
from models.database.engine import Database
from models.links.link import disable_account
from models.security import passwords
from tests.handlers.support import Hand, MakeHand, facts
from tests.support import PASSWORD, PIN, Clock, link

WRONG = "ชื่อผู้ใช้หรือรหัสผ่านไม่ถูกต้อง"
ASKS_PIN = "โปรดตั้ง PIN 6 หลัก"
ASKS_USERNAME, ASKS_PASSWORD, ASKS_NAME, ASKS_POSITION = "พิมพ์ชื่อผู้ใช้", "พิมพ์รหัสผ่าน", "พิมพ์ชื่อ-สกุล", "พิมพ์ตำแหน่ง"


async def type_login(hand: Hand, username: str = "lao5110201", password: str = PASSWORD) -> str:
    """From the welcome to the answer to the password."""
    await hand.say("/start")
    await hand.press("เข้าสู่ระบบ")
    await hand.say(username)
    return await hand.say(password)


def typed(hand: Hand, text: str) -> Message:
    return next(event.message for event in hand.phone.events if event.message and event.message.text == text)


async def test_the_first_login(stranger: Hand, country: Database) -> None:
    assert "ระบบรับรองข้อมูลบุคลากรท้องถิ่น" in await stranger.say("/start")
    assert stranger.labels == ["เข้าสู่ระบบ", "ภาษา / Language"]
    assert ASKS_USERNAME in await stranger.press("เข้าสู่ระบบ")
    assert ASKS_PASSWORD in await stranger.say("  LAO5110201 ")
    text = await stranger.say(PASSWORD)
    assert "เข้าสู่ระบบแล้ว: เทศบาลตำบลบางปู" in text
    assert ASKS_NAME in text
    assert typed(stranger, PASSWORD).deleted
    text = await stranger.say("  ทดสอบ   หนึ่ง ")
    assert "ชื่อ-สกุล: ทดสอบ หนึ่ง" in text
    assert ASKS_POSITION in text
    assert ASKS_PIN in await stranger.say("ปลัดเทศบาล")
    await stranger.enter(PIN, "โปรดใส่ PIN ที่เพิ่งตั้งอีกครั้ง")
    text = await stranger.enter(PIN, "✅ ตั้ง PIN แล้ว")
    assert "เทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\nทดสอบ หนึ่ง · ปลัดเทศบาล" in text
    assert stranger.labels == [
        "รับรองข้อมูลระดับ อปท.",
        "ระบบรับรองข้อมูล",
        "เจ้าหน้าที่ที่เชื่อมต่อ",
        "แก้ไขชื่อและตำแหน่ง",
        "การแจ้งเตือน",
        "ภาษา / Language",
        "วิธีใช้งาน",
        "ออกจากระบบ",
    ]
    # One live card: each answer to a typed text takes the place of the one before.
    await stranger.say("/menu")
    await stranger.phone.until(lambda phone: sum(message.outgoing for message in phone.messages) == 1)
    async with country.read() as session:
        kept = await session.scalar(select(Conversation))
        assert kept is not None
        assert kept.username is None


async def test_a_refused_login_does_not_tell_why(stranger: Hand, country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await disable_account(session, await find_account(session, "lao6110301"), clock())
        (await find_account(session, "lao6110302")).password_hash = None
    before = await facts(country)
    answers = []
    for username, password in [
        ("lao5110201", "wrong"),
        ("lao5110201", "/wrong"),
        ("lao5110201", PASSWORD * 20),
        ("lao5110201", "😀" * 2000),
        ("nobody", PASSWORD),
        ("lao6110301", PASSWORD),  # disabled
        ("lao6110302", PASSWORD),  # by invitation only
        ("lao6110302", "wrong"),
    ]:
        answers.append(await type_login(stranger, username, password))
        clock.move(minutes=16)  # so seldom that nothing is blocked
        assert typed(stranger, password).deleted
    assert set(answers) == {f"{WRONG} โปรดลองอีกครั้ง\n\nโปรด{ASKS_USERNAME}ของหน่วยงาน"}
    assert await facts(country) == before
    # The officer goes on from there.
    await stranger.say("lao5110201")
    assert ASKS_NAME in await stranger.say(PASSWORD)


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
async def test_an_officer_is_told_when_the_password_cannot_be_deleted(stranger: Hand, password: str) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    await stranger.say("lao5110201")

    async def sending() -> Message:
        sent = await stranger.phone.send(password)
        sent.date -= 3 * 86400  # Bot API, deleteMessage: within 48 hours
        return sent

    text = await stranger.reply_to(sending())
    assert text.startswith("⚠️ ลบข้อความรหัสผ่านไม่สำเร็จ โปรดลบข้อความนั้นด้วยตนเองทันที")
    assert (ASKS_NAME if password == PASSWORD else ASKS_USERNAME) in text
    assert not typed(stranger, password).deleted


async def test_an_account_changed_while_its_password_was_checked(
    stranger: Hand, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    await stranger.say("lao5110201")
    async with country.read() as session:
        account = await find_account(session, "lao5110201")
    check = passwords.password_matches

    def slowly(hashed: str, password: str) -> bool:
        # What the operator does on the command line, from the thread in which the password is being checked.
        operator.append(asyncio.run_coroutine_threadsafe(change(), loop).result(5))
        return check(hashed, password)

    async def change() -> None:
        async with country.write() as session:
            (await find_account(session, account.username)).password_hash = passwords.NO_PASSWORD

    operator: list[None] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(passwords, "password_matches", slowly)
    assert WRONG in await stranger.say(PASSWORD)
    assert operator
    assert (await facts(country))[1] == []


async def test_name_and_position_are_asked_once(stranger: Hand) -> None:
    await type_login(stranger)
    await stranger.say("ทดสอบ หนึ่ง")
    # Not ready yet: the question stays, whatever is asked for.
    assert ASKS_POSITION in await stranger.say("/menu")
    assert ASKS_POSITION in await stranger.reply_to(stranger.phone.send_photo())
    await stranger.say("ปลัดเทศบาล")
    await stranger.enter(PIN + PIN)
    assert "ออกจากระบบแล้ว" in await stranger.say("/logout")
    text = await type_login(stranger)
    assert "ทดสอบ หนึ่ง · ปลัดเทศบาล" in text
    assert "ระบบรับรองข้อมูล" in stranger.labels


async def test_name_and_position_can_be_edited(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    assert ASKS_NAME in await hand.press("แก้ไขชื่อและตำแหน่ง")
    assert "ทดสอบ หนึ่ง" in await hand.press("ยกเลิก")
    await hand.press("แก้ไขชื่อและตำแหน่ง")
    await hand.say("ทดสอบ ใหม่")
    assert ASKS_POSITION in await hand.reply_to(hand.phone.send_sticker())
    assert "ทดสอบ ใหม่ · นักทรัพยากรบุคคล" in await hand.say("นักทรัพยากรบุคคล")


@pytest.mark.parametrize("leave", ["tap", "command"])
async def test_a_question_that_was_left_takes_no_answer(officer: MakeHand, country: Database, leave: str) -> None:
    hand = await officer()
    before = await facts(country)
    home = hand.phone.button("ระบบรับรองข้อมูล")
    await hand.press("แก้ไขชื่อและตำแหน่ง")
    if leave == "tap":
        await hand.forge(home.data or "")
    else:
        await hand.say("/help")
    assert "โปรดเลือกจากปุ่มด้านล่าง" in await hand.say("ขอบคุณ")
    assert await facts(country) == before


REFUSED = {
    "😀" * 2000: "ข้อความมีรูปสัญลักษณ์หรืออักขระที่มองไม่เห็น",
    "สมชาย 😀": "ข้อความมีรูปสัญลักษณ์หรืออักขระที่มองไม่เห็น",
    "สมชาย\u2067ดีใจ": "ข้อความมีรูปสัญลักษณ์หรืออักขระที่มองไม่เห็น",
    "สมชาย អ៊ុន": "หลักฐานการรับรองแสดงอักษร “អ” ไม่ได้",
    "่สมชาย": "หลักฐานการรับรองแสดงอักษร “◌่” ไม่ได้",
    "王明": "หลักฐานการรับรองแสดงอักษร “王” ไม่ได้",
    "ก" * (MAX_NAME + 1): "ข้อความยาวเกินไป โปรดพิมพ์ไม่เกิน 120 ตัวอักษร",
    "12345 -": "ข้อความต้องมีตัวอักษรอย่างน้อย 2 ตัว",
    "ก": "ข้อความต้องมีตัวอักษรอย่างน้อย 2 ตัว",
    "ิ": "ข้อความต้องมีตัวอักษรอย่างน้อย 2 ตัว",
    "@somchai": "Telegram จะแสดงข้อความนี้เป็นลิงก์",
}


async def test_a_name_that_cannot_stand_on_a_certificate(stranger: Hand, country: Database) -> None:
    await type_login(stranger)
    for question, answer in ((ASKS_NAME, "ทดสอบ หนึ่ง"), (ASKS_POSITION, "ปลัดเทศบาล")):
        for name, rule in REFUSED.items():
            text = await stranger.say(name)
            assert text.startswith(rule)
            assert question in text
        await stranger.say(answer)
    assert "ทดสอบ หนึ่ง · ปลัดเทศบาล" in await stranger.enter(PIN + PIN)


async def test_from_the_position_back_to_the_name(stranger: Hand) -> None:
    await type_login(stranger)
    assert ASKS_POSITION in await stranger.say("ทดสอบ ผิด")
    assert stranger.labels == ["แก้ไขชื่อ", "ออกจากระบบ"]
    assert ASKS_NAME in await stranger.press("แก้ไขชื่อ")
    assert stranger.labels == ["ออกจากระบบ"]
    assert "ชื่อ-สกุล: ทดสอบ หนึ่ง" in await stranger.say("ทดสอบ หนึ่ง")
    await stranger.say("ปลัดเทศบาล")
    assert "ทดสอบ หนึ่ง · ปลัดเทศบาล" in await stranger.enter(PIN + PIN)


async def test_from_the_first_keypad_back_to_the_name(stranger: Hand) -> None:
    await type_login(stranger)
    await stranger.say("ทดสอบ ผิด")
    await stranger.say("ผิด")
    assert stranger.labels[-2:] == ["แก้ไขชื่อ", "ออกจากระบบ"]
    assert ASKS_NAME in await stranger.press("แก้ไขชื่อ")
    assert ASKS_POSITION in await stranger.say("ทดสอบ หนึ่ง")
    await stranger.say("ปลัดเทศบาล")
    assert "ทดสอบ หนึ่ง · ปลัดเทศบาล" in await stranger.enter(PIN + PIN)


async def test_one_account_may_have_several_officers(officer: MakeHand, country: Database) -> None:
    first, second = await officer(name="ทดสอบ หนึ่ง"), await officer(name="ทดสอบ สอง")
    assert "ทดสอบ หนึ่ง" in await first.say("/menu")
    assert "ทดสอบ สอง" in await second.say("/menu")
    await first.say("/logout")
    assert "ทดสอบ สอง" in await second.say("/menu")


async def test_a_user_has_one_link_at_a_time(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    before = await facts(country)
    # While linked, เข้าสู่ระบบ of an old card leads home, and what is typed is no login.
    assert "เทศบาลตำบลบางปู" in await hand.forge(LogIn())
    await hand.say("province11")
    assert "เทศบาลตำบลบางปู" in await hand.say(PASSWORD)
    assert await facts(country) == before
    await hand.say("/logout")
    assert ASKS_NAME in await type_login(hand, "province11")
    async with country.read() as session:
        links = list(await session.scalars(select(Link).where(Link.unlinked_at.is_(None))))
    assert len(links) == 1


async def test_logging_in_where_somebody_linked_the_user_meanwhile(
    stranger: Hand, country: Database, clock: Clock
) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    await stranger.say("province11")
    async with country.write() as session:
        await link(session, "lao5110201", stranger.phone.id, clock())
    assert "เทศบาลตำบลบางปู" in await stranger.say(PASSWORD)


async def test_a_disabled_account_ends_its_links(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    async with country.write() as session:
        await disable_account(session, await find_account(session, "lao5110201"), clock())
    text = await hand.press("ระบบรับรองข้อมูล")
    assert text.startswith("แชตนี้ยังไม่ได้เข้าสู่ระบบ โปรดเข้าสู่ระบบก่อน")
    assert "เข้าสู่ระบบ" in hand.labels


async def test_logging_out_by_button_is_asked_first(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    before = await facts(country)
    assert "ท่านต้องการออกจากระบบหรือไม่" in await hand.press("ออกจากระบบ")
    assert hand.labels == ["ออกจากระบบ", "ย้อนกลับ", "หน้าหลัก"]
    await hand.press("ย้อนกลับ")
    assert await facts(country) == before
    await hand.press("ออกจากระบบ")
    assert "ออกจากระบบแล้ว" in await hand.press("ออกจากระบบ")
    assert hand.labels == ["เข้าสู่ระบบ", "ภาษา / Language"]
    assert (await facts(country))[1][0][-1] is not None


async def test_logging_out_by_command(officer: MakeHand, stranger: Hand) -> None:
    hand = await officer()
    assert "ออกจากระบบแล้ว" in await hand.say("/logout")
    assert "โปรดเข้าสู่ระบบ" in await hand.say("/menu")
    assert "โปรดเข้าสู่ระบบ" in await stranger.say("/logout")
