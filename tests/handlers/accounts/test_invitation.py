"""Linking by an invitation instead of a password, and handing a link over to a successor."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from demo.botapi.state import Message
from handlers.chat.taps.accounts import AcceptInvitation
from models.accounts.account import Account, find_account
from models.accounts.account import Officer as Link
from models.database.engine import Database
from models.links.invitation import invite
from models.links.link import disable_account
from models.organizations.organization import Organization
from tests.chat import says
from tests.handlers.support import Hand, MakeHand, facts
from tests.support import PIN, Clock, alter

NOT_VALID = "คำเชิญนี้ใช้ไม่ได้ หรือใช้ไม่ได้แล้ว โปรดขอคำเชิญใหม่"
ASKS_NAME, ASKS_POSITION, ASKS_PIN = "พิมพ์ชื่อ-สกุล", "พิมพ์ตำแหน่ง", "โปรดตั้ง PIN 6 หลัก"
NEW_PIN = "260471"
HAND_OVER = ("เจ้าหน้าที่ที่เชื่อมต่อ", "ส่งมอบงาน", "ออกลิงก์ให้ผู้รับมอบงาน")


async def code_for(
    country: Database, clock: Clock, username: str = "lao5110201", lifetime: timedelta = timedelta(minutes=10)
) -> str:
    """An invitation by the operator."""
    async with country.write() as session:
        return await invite(session, await find_account(session, username), lifetime, clock())


async def opens(hand: Hand, code: str) -> str:
    """Follow a link; the text of the card that answers."""
    return await hand.reply_to(hand.phone.start(code))


async def finish(hand: Hand, name: str, position: str) -> str:
    """Name, position and PIN, as after the first login."""
    await hand.say(name)
    await hand.say(position)
    return await hand.enter(PIN + PIN)


async def issue(hand: Hand) -> Message:
    """The message with the link for the successor."""
    last = hand.phone.messages[-1].id
    await hand.way(*HAND_OVER, "PIN")
    return await says(hand.phone, "t.me/", after=last)


def code_in(message: Message) -> str:
    found = re.search(r"https://t\.me/laocert_bot\?start=([\w-]{22})\b", message.text)
    assert found is not None
    return found[1]


# --- an invitation ------------------------------------------------------------------------------------------


async def test_a_chat_is_linked_by_an_invitation(stranger: Hand, country: Database, clock: Clock) -> None:
    code = await code_for(country, clock)
    assert await opens(stranger, code) == (
        "คำเชิญเชื่อมต่อ\n"
        "เทศบาลตำบลบางปู\n"
        "อ.เมืองสมุทรปราการ จ.สมุทรปราการ\n"
        "หน้าที่: รับรองระดับ อปท.\n"
        "\n"
        "ท่านต้องการเชื่อมต่อแชตนี้หรือไม่ โปรดเชื่อมต่อเฉพาะเมื่อเป็นหน่วยงานของท่านเอง"
    )
    assert stranger.labels == ["เชื่อมต่อ", "ยกเลิก"]
    assert (await facts(country))[1] == []
    text = await stranger.press("เชื่อมต่อ")
    assert text.startswith("✅ เชื่อมต่อแล้ว: เทศบาลตำบลบางปู")
    assert ASKS_NAME in text
    assert "ทดสอบ หนึ่ง · ปลัดเทศบาล" in await finish(stranger, "ทดสอบ หนึ่ง", "ปลัดเทศบาล")
    assert "ระบบรับรองข้อมูล" in stranger.labels


async def test_a_pasted_link_is_taken_like_a_tap_on_it(stranger: Hand, country: Database, clock: Clock) -> None:
    code = await code_for(country, clock)
    await stranger.say("/start")
    for link in (f"https://t.me/laocert_bot?start={code}", f" t.me/Laocert_bot?start={code}\u200b"):
        assert (await stranger.say(link)).startswith("คำเชิญเชื่อมต่อ\n"), link
    for other in (f"https://t.me/other_bot?start={code}", f"https://t.me/laocert_bot?start={code} 271828"):
        assert "คำเชิญเชื่อมต่อ" not in await stranger.say(other), other


async def test_an_invitation_to_a_province(stranger: Hand, country: Database, clock: Clock) -> None:
    text = await opens(stranger, await code_for(country, clock, "province12"))
    assert "จังหวัดนนทบุรี\nหน้าที่: รับรองระดับจังหวัด" in text
    assert "✅ เชื่อมต่อแล้ว: จังหวัดนนทบุรี" in await stranger.press("เชื่อมต่อ")


async def test_an_invitation_that_is_not_taken_stays_good(stranger: Hand, country: Database, clock: Clock) -> None:
    code = await code_for(country, clock)
    await opens(stranger, code)
    assert "เข้าสู่ระบบ" in await stranger.press("ยกเลิก")
    assert (await facts(country))[1] == []
    await opens(stranger, code)
    assert ASKS_NAME in await stranger.press("เชื่อมต่อ")


async def test_an_invitation_in_the_middle_of_a_login(stranger: Hand, country: Database, clock: Clock) -> None:
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    await opens(stranger, await code_for(country, clock))
    assert "โปรดเลือกจากปุ่มด้านล่าง" in await stranger.say("lao5110201")


async def test_invalid_used_and_late_are_one_sentence(
    stranger: Hand, officer: MakeHand, country: Database, clock: Clock
) -> None:
    late, used = [await code_for(country, clock) for _ in range(2)]
    other = Hand(stranger.bot, stranger.bot.phone("ง"))
    await opens(other, used)
    await other.press("เชื่อมต่อ")
    clock.move(minutes=11)
    disabled = await code_for(country, clock, "lao6110301")
    async with country.write() as session:
        await disable_account(session, await find_account(session, "lao6110301"), clock())
    before = await facts(country)
    answers = set()
    for code in (late, used, disabled, "A" * 22):
        answers.add(await opens(stranger, code))
        assert stranger.labels == ["เข้าสู่ระบบ", "ภาษา / Language"]
    # What has not the shape of a code may be a secret. It is typed: no link carries the last four.
    for code in ("A" * 21, "x", "ก" * 22, "😀", "<b>&", "a b"):
        answer = await stranger.reply_to(stranger.phone.send(f"/start {code}"))
        assert answer.startswith(f"{NOT_VALID}\nลบข้อความของท่านแล้ว\n\n")
        assert stranger.labels == ["เข้าสู่ระบบ", "ภาษา / Language"]
    for code in (late, used, disabled, "A" * 22, "x"):
        answers.add(await stranger.forge(AcceptInvitation(code)))
    [answer] = answers
    assert answer.startswith(f"{NOT_VALID}\n\n")
    assert await facts(country) == before
    # A linked officer is told the same, above what it may see.
    hand = await officer()
    text = await opens(hand, late)
    assert text.startswith(f"{NOT_VALID}\n\nเทศบาลตำบลบางปู")


async def test_an_invitation_that_ends_between_the_question_and_the_answer(
    stranger: Hand, country: Database, clock: Clock
) -> None:
    code = await code_for(country, clock)
    await opens(stranger, code)
    clock.move(minutes=10)
    assert (await stranger.press("เชื่อมต่อ")).startswith(NOT_VALID)
    assert (await facts(country))[1] == []


async def test_two_taps_link_once(stranger: Hand, country: Database, clock: Clock) -> None:
    await opens(stranger, await code_for(country, clock))
    button = stranger.phone.button("เชื่อมต่อ", stranger.card)
    assert ASKS_NAME in await stranger.press("เชื่อมต่อ")
    # The second one leads where the first one has led.
    assert (await stranger.forge(button.data or "")).startswith(f"โปรด{ASKS_NAME}")
    assert len((await facts(country))[1]) == 1
    await finish(stranger, "ทดสอบ หนึ่ง", "ปลัดเทศบาล")
    assert (await stranger.forge(button.data or "")).startswith("เทศบาลตำบลบางปู")


async def test_an_invitation_passes_by_a_login_that_others_have_closed(
    stranger: Hand, country: Database, clock: Clock
) -> None:
    for _ in range(6):
        await stranger.say("/start")
        await stranger.press("เข้าสู่ระบบ")
        await stranger.say("lao5110201")
        await stranger.say("wrong")
    assert "ใส่ผิดหลายครั้งเกินไป" in stranger.text
    await opens(stranger, await code_for(country, clock))
    assert ASKS_NAME in await stranger.press("เชื่อมต่อ")


async def test_names_on_an_invitation_are_text(stranger: Hand, country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await session.execute(
            update(Organization)
            .where(Organization.dla_code == "6110301")
            .values(name_th="<b>ก</b> & <a href='x'>ข")
        )
        accounts = await session.scalars(select(Account).where(Account.username == "lao6110301"))
        await alter(session, accounts, clock(), display_name="<i>ค</i> {name}")
    text = await opens(stranger, await code_for(country, clock, "lao6110301"))
    assert "อบต.<b>ก</b> & <a href='x'>ข" in text
    assert "✅ เชื่อมต่อแล้ว: <i>ค</i> {name}" in await stranger.press("เชื่อมต่อ")


# --- one who is linked already ------------------------------------------------------------------------------


async def test_a_forgotten_pin_and_a_new_invitation(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    async with country.write() as session:
        await alter(session, await session.scalars(select(Account)), clock(), password_hash=None)
    clock.move(minutes=16)
    code = await code_for(country, clock)
    assert "แชตนี้เชื่อมต่ออยู่แล้ว ท่านตั้ง PIN ใหม่ได้" in await opens(hand, code)
    assert hand.labels == ["ตั้ง PIN ใหม่", "ยกเลิก"]
    assert ASKS_PIN in await hand.press("ตั้ง PIN ใหม่")
    assert "เทศบาลตำบลบางปู" in await hand.enter(NEW_PIN + NEW_PIN)
    # The old one is worth nothing any more, the code neither.
    clock.move(hours=13)
    assert "PIN ไม่ถูกต้อง" in await reenter(hand, PIN)
    assert "เทศบาลตำบลบางปู" in await hand.enter(NEW_PIN)
    assert (await opens(hand, code)).startswith(NOT_VALID)


async def reenter(hand: Hand, pin: str) -> str:
    """The PIN that a chat is asked for which was left alone."""
    await hand.say("/menu")
    return await hand.enter(pin)


async def test_an_invitation_is_the_way_back_into_a_chat_that_was_left_alone(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    clock.move(hours=13)
    code = await code_for(country, clock)
    await opens(hand, code)
    assert ASKS_PIN in await hand.press("ตั้ง PIN ใหม่")
    assert "ทดสอบ หนึ่ง" not in hand.text
    assert "ทดสอบ หนึ่ง" in await hand.enter(NEW_PIN + NEW_PIN)


async def test_two_taps_for_a_new_pin(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    clock.move(hours=13)
    await opens(hand, await code_for(country, clock))
    button = hand.phone.button("ตั้ง PIN ใหม่", hand.card)
    for _ in range(2):
        assert ASKS_PIN in await hand.forge(button.data or "")
    assert "ทดสอบ หนึ่ง" in await hand.enter(NEW_PIN + NEW_PIN)
    # It is good for one choice.
    clock.move(hours=13)
    assert "โปรดใส่ PIN ของท่าน" in await hand.forge(button.data or "")


async def test_an_invitation_does_not_unlock_by_itself(officer: MakeHand, country: Database, clock: Clock) -> None:
    """An idle chat with any code, good or bad, shows nothing before the PIN."""
    hand = await officer()
    clock.move(hours=13)
    for code in ("A" * 22, await code_for(country, clock, "lao6110301")):
        text = await opens(hand, code)
        assert "โปรดใส่ PIN ของท่าน" in text
        assert "ทดสอบ หนึ่ง" not in text


async def test_one_who_is_linked_to_another_account(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    code = await code_for(country, clock, "province11")
    before = await facts(country)
    for text in (await opens(hand, code), await hand.forge(AcceptInvitation(code))):
        assert text.startswith("แชตนี้เชื่อมต่อกับบัญชีอยู่แล้ว หากต้องการใช้คำเชิญ โปรดออกจากระบบก่อน\n\nเทศบาลตำบลบางปู")
    assert await facts(country) == before
    await hand.say("/logout")
    await opens(hand, code)
    assert "✅ เชื่อมต่อแล้ว: จังหวัดสมุทรปราการ" in await hand.press("เชื่อมต่อ")


# --- handing over -------------------------------------------------------------------------------------------


async def test_handing_over(officer: MakeHand, stranger: Hand, country: Database, clock: Clock) -> None:
    hand = await officer()
    await hand.press("เจ้าหน้าที่ที่เชื่อมต่อ")
    text = await hand.press("ส่งมอบงาน")
    assert "ใช้ได้ครั้งเดียวภายใน 60 นาที" in text
    assert "แชตนี้จะสิ้นสุดการเชื่อมต่อทันที" in text
    assert hand.labels == ["ออกลิงก์ให้ผู้รับมอบงาน", "ย้อนกลับ", "หน้าหลัก"]
    assert "โปรดใส่ PIN ของท่าน" in await hand.press("ออกลิงก์ให้ผู้รับมอบงาน")
    text = await hand.enter()
    assert "โปรดส่งต่อข้อความด้านล่างให้ผู้รับมอบงานเท่านั้น" in text
    message = await hand.sees("t.me/")
    code = code_in(message)
    assert message.text == (
        "🔑 การส่งมอบงาน\n"
        "เทศบาลตำบลบางปู\n"
        "อ.เมืองสมุทรปราการ จ.สมุทรปราการ\n"
        "ทดสอบ หนึ่ง · ปลัด\n"
        "\n"
        "ผู้รับมอบงาน: โปรดเปิดลิงก์นี้ด้วยโทรศัพท์ของท่านเอง แล้วกด “เริ่ม” (Start)\n"
        f"https://t.me/laocert_bot?start={code}\n"
        "ใช้ได้ครั้งเดียวภายใน 2 พ.ย. 2569 10.30 น."
    )
    # It can be forwarded; the card beside it cannot.
    assert "has_protected_content" not in message.options
    assert hand.card.options["has_protected_content"]
    assert message.labels == ["📋 คัดลอกลิงก์"]
    assert [button.copies for (button,) in message.buttons] == [f"https://t.me/laocert_bot?start={code}"]
    # Nothing has changed yet.
    assert "ทดสอบ หนึ่ง" in await hand.press("หน้าหลัก")

    clock.move(minutes=59)
    text = await opens(stranger, code)
    assert "เทศบาลตำบลบางปู" in text
    assert "ผู้ส่งมอบงาน: ทดสอบ หนึ่ง · ปลัด" in text
    assert "แชตของผู้ส่งมอบงานจะสิ้นสุดการเชื่อมต่อ" in text
    assert ASKS_NAME in await stranger.press("เชื่อมต่อ")
    await hand.sees("ส่งมอบงานของท่านแล้ว")
    assert "ทดสอบ สอง · รองปลัด รักษาราชการแทนปลัด" in await finish(stranger, "ทดสอบ สอง", "รองปลัด รักษาราชการแทนปลัด")
    text = await hand.say("/menu")
    assert "เทศบาลตำบลบางปู" not in text
    assert "เข้าสู่ระบบ" in hand.labels
    async with country.read() as session:
        links = [(one.full_name, one.unlinked_at) for one in await session.scalars(select(Link).order_by(Link.id))]
    assert links == [("ทดสอบ หนึ่ง", clock()), ("ทดสอบ สอง", None)]


async def test_nothing_is_issued_without_the_pin(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await hand.way(*HAND_OVER)
    assert "PIN ไม่ถูกต้อง" in await hand.enter("111222")
    assert "ทดสอบ หนึ่ง" in await hand.press("ยกเลิก")
    assert not any("t.me/" in message.text for message in hand.phone.messages)


async def test_ones_own_handover_is_for_another_phone(
    officer: MakeHand, stranger: Hand, country: Database
) -> None:
    hand = await officer()
    code = code_in(await issue(hand))
    before = await facts(country)
    for text in (await opens(hand, code), await hand.forge(AcceptInvitation(code))):
        assert text.startswith("ลิงก์นี้เป็นการส่งมอบงานของท่านเอง ผู้รับมอบงานต้องเปิดด้วยโทรศัพท์เครื่องอื่น\n\nเทศบาลตำบลบางปู")
    assert await facts(country) == before
    await opens(stranger, code)
    assert ASKS_NAME in await stranger.press("เชื่อมต่อ")


@pytest.mark.parametrize("end", ["a new handover", "logged out", "an hour later"])
async def test_a_handover_that_is_no_longer_good(
    officer: MakeHand, stranger: Hand, country: Database, clock: Clock, end: str
) -> None:
    hand = await officer()
    code = code_in(await issue(hand))
    if end == "a new handover":
        await hand.say("/menu")
        assert code_in(await issue(hand)) != code
    elif end == "logged out":
        await hand.say("/logout")
    else:
        clock.move(minutes=60)
    before = await facts(country)
    assert (await opens(stranger, code)).startswith(NOT_VALID)
    assert (await stranger.forge(AcceptInvitation(code))).startswith(NOT_VALID)
    assert await facts(country) == before


async def test_a_colleague_is_no_successor(officer: MakeHand, country: Database) -> None:
    """It is linked already; with a new PIN for it one officer could sign as the other."""
    hand, colleague = await officer(), await officer(name="ทดสอบ สอง")
    code = code_in(await issue(hand))
    before = await facts(country)
    for text in (await opens(colleague, code), await colleague.forge(AcceptInvitation(code))):
        assert "แชตนี้เชื่อมต่อกับบัญชีอยู่แล้ว" in text
    assert await facts(country) == before


async def test_the_colleagues_are_told_of_a_successor(
    officer: MakeHand, stranger: Hand, country: Database
) -> None:
    hand, colleague = await officer(), await officer(name="ทดสอบ สอง")
    await opens(stranger, code_in(await issue(hand)))
    await stranger.press("เชื่อมต่อ")
    await finish(stranger, "ทดสอบ สาม", "ปลัดเทศบาล")
    await colleague.sees("ทดสอบ สาม")
