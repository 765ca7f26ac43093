"""The PIN: chosen twice at the first login, asked before what cannot be undone, and slow to guess."""

import pytest
from sqlalchemy import select

from handlers.chat.taps.accounts import Key
from models.accounts.account import Officer as Link
from models.accounts.account import find_account
from models.accounts.pin import Keypad
from models.audit import event_chain
from models.audit.event_chain import AuditEvent
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from tests.handlers.support import Hand, MakeHand, facts
from tests.support import PASSWORD, PIN, TO_PIN, Clock, put_roster

TO_REVIEW = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
WRONG = "135790"
CHOOSE, AGAIN, ENTER = "โปรดตั้ง PIN 6 หลัก", "โปรดใส่ PIN ที่เพิ่งตั้งอีกครั้ง", "โปรดใส่ PIN ของท่าน"
BLOCKED = "ใส่ PIN ผิดหลายครั้งเกินไป"


async def until_pin(hand: Hand, username: str = "lao5110201") -> str:
    """The first login up to the keypad."""
    await hand.say("/start")
    await hand.press("เข้าสู่ระบบ")
    for text in (username, PASSWORD, "ทดสอบ หนึ่ง"):
        await hand.say(text)
    return await hand.say("ปลัดเทศบาล")


async def certificates(country: Database) -> int:
    return len((await facts(country))[0])


async def test_a_pin_is_chosen_twice(stranger: Hand, country: Database) -> None:
    assert await until_pin(stranger) == f"{CHOOSE} สำหรับใช้ยืนยันการรับรอง\n○○○○○○"
    assert stranger.labels == [*"1234567890", "⌫", "แก้ไขชื่อ", "ออกจากระบบ"]
    await stranger.way("1", "1", "⌫")
    assert stranger.text.endswith("●○○○○○")
    await stranger.press("⌫")
    assert await stranger.enter("804916") == f"{AGAIN}\n○○○○○○"
    text = await stranger.enter(PIN)
    assert text.startswith(CHOOSE)
    assert text.endswith("❌ PIN ทั้งสองครั้งไม่ตรงกัน โปรดตั้งใหม่\n○○○○○○")
    await stranger.enter(PIN)
    assert (await stranger.enter(PIN)).startswith("✅ ตั้ง PIN แล้ว\n\nเทศบาลตำบลบางปู")
    async with country.read() as session:
        kept = await session.scalar(select(Link))
        assert kept is not None
        assert "$argon2id$" in (kept.pin_hash or "")
        assert await session.scalar(select(Keypad)) is None


async def test_no_button_says_its_digit(stranger: Hand) -> None:
    await until_pin(stranger)
    first = {label: stranger.phone.button(label).data for label in "0123456789"}
    await stranger.say("/menu")
    second = {label: stranger.phone.button(label).data for label in "0123456789"}
    assert len({*first.values(), *second.values()}) == 20
    places = [[(data or "").rsplit(":", maxsplit=1)[1] for data in each.values()] for each in (first, second)]
    assert places[0] != places[1]
    assert all(sorted(each) == list("0123456789") for each in places)


@pytest.mark.parametrize(
    "weak", ["123456", "000000", "777777", "987654", "890123", "121212", "123123", "511020", "110201"]
)
async def test_a_pin_that_is_guessed_first_is_refused(stranger: Hand, country: Database, weak: str) -> None:
    await until_pin(stranger)
    text = await stranger.enter(weak)
    assert text.startswith(CHOOSE)
    assert text.endswith("❌ PIN นี้เดาง่าย คือเป็นเลขเรียง เลขซ้ำ หรือเลขในชื่อผู้ใช้ โปรดตั้งใหม่\n○○○○○○")
    assert await stranger.enter(PIN) == f"{AGAIN}\n○○○○○○"


async def test_the_same_digit_twice_counts_twice(officer: MakeHand, country: Database) -> None:
    """Two taps on one button are two updates; neither waits for the other's answer."""
    hand = await officer()
    await hand.way(*TO_PIN)
    button = hand.phone.button("8")
    for _ in range(2):
        await hand.phone.tap_data(hand.card, button.data or "")
    await hand.phone.until(lambda _: hand.text.endswith("●●○○○○"))


async def test_the_pin_is_good_for_one_confirmation(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    assert hand.text.startswith("⚠️ รับรองระดับ อปท. ใช่หรือไม่\nเทศบาลตำบลบางปู")
    assert f"รวม 20 คน\n\n{ENTER}\n○○○○○○" in hand.text
    last = {label: hand.phone.button(label).data or "" for label in PIN}
    assert await certificates(country) == 0
    await hand.enter()
    assert hand.text.startswith("✅ รับรองแล้ว")
    assert await certificates(country) == 1
    # The keys are worn out.
    for digit in PIN:
        assert (await hand.forge(last[digit])).startswith("แป้นใส่ PIN นี้ใช้ไม่ได้แล้ว")
    assert await certificates(country) == 1


async def test_what_has_changed_is_not_certified_with_a_right_pin(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    async with country.write() as session:
        await put_roster(session, "5110201", (13, 3, 5), clock())
    assert "ข้าราชการ 13 คน" in await hand.enter()
    assert await certificates(country) == 0
    # The PIN was right all the same: no try is held against the officer.
    for _ in range(4):
        await hand.way("รับรองระดับ อปท.", "ยืนยันการรับรอง")
        await hand.enter(WRONG, "PIN ไม่ถูกต้อง")
        await hand.press("ยกเลิก")
    await hand.way("รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN")
    assert await certificates(country) == 1


async def test_cancelling_at_the_keypad_certifies_nothing(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await hand.way(*TO_PIN, "8", "0")
    assert "สถานะการรับรองข้อมูล: ยังไม่รับรอง" in await hand.press("ยกเลิก")
    assert await certificates(country) == 0


async def test_five_wrong_pins_close_the_keypad_for_a_while(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    old = {label: hand.phone.button(label).data or "" for label in PIN}
    lines_before = hand.text.count("\n")
    for left in range(4, 0, -1):
        # Beside the dots, where the officer looks; in the place of an empty line, so that the keys stay.
        assert (await hand.enter(WRONG)).endswith(f"❌ PIN ไม่ถูกต้อง ใส่ได้อีก {left} ครั้ง\n○○○○○○")
        assert hand.text.count("\n") == lines_before
    blocked = await hand.enter(WRONG)
    assert blocked == (
        "⚠️ ใส่ PIN ผิด 5 ครั้ง\nใช้ PIN ได้อีกหลัง 2 พ.ย. 2569 09.45 น.\n\nหากไม่ใช่ท่าน โปรดออกจากระบบในแชตนี้ แล้วแจ้งผู้ดูแลระบบ"
    )
    # It stays, for it may have been somebody else: what its buttons open comes below.
    told = hand.card
    assert "ปีงบประมาณ" in await hand.press("หน้าหลัก")
    # The right one does not help now, neither on the old keys nor on new ones.
    for digit in PIN:
        await hand.forge(old[digit])
    await hand.say("/menu")
    assert BLOCKED in await hand.way(*TO_PIN)
    assert await certificates(country) == 0
    assert told in hand.phone.messages
    assert told.text == blocked
    # Then it does; and the next block would be twice as long.
    clock.move(minutes=16)
    await hand.say("/menu")
    await hand.way(*TO_PIN)
    for _ in range(5):
        text = await hand.enter(WRONG)
    assert "10.16 น." in text
    clock.move(minutes=31)
    await hand.say("/menu")
    await hand.way(*TO_PIN, "PIN")
    assert await certificates(country) == 1
    async with country.read() as session:
        events = await session.scalars(
            select(AuditEvent.kind).where(AuditEvent.kind == event_chain.Event.PIN_BLOCKED)
        )
        assert len(list(events)) == 2
        # It is told once, on the screen.
        assert list(await session.scalars(select(OutboxMessage.kind))) == [NoticeKind.RECEIPT]


async def test_a_forgotten_pin_wants_the_password(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    assert "รหัสผ่านของหน่วยงาน" in await hand.press("ลืม PIN")
    assert (await hand.say("wrong")).startswith("รหัสผ่านไม่ถูกต้อง โปรดพิมพ์รหัสผ่านของหน่วยงาน ไม่ใช่ PIN")
    assert (await hand.say(PASSWORD)).startswith(CHOOSE)
    typed = [event.message for event in hand.phone.events if event.message and event.message.text == PASSWORD]
    assert {message.deleted for message in typed} == {True}
    await hand.enter("271828" * 2, "✅ ตั้ง PIN แล้ว")
    await hand.way(*TO_PIN)
    assert "❌ PIN ไม่ถูกต้อง ใส่ได้อีก 4 ครั้ง" in await hand.enter(PIN)
    await hand.enter("271828", "✅ รับรองแล้ว")


async def test_cancelling_a_new_pin_returns_to_the_confirmation(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    warning = await hand.way(*TO_PIN[:-1])
    await hand.way(TO_PIN[-1], "ลืม PIN")
    # A wrong password in between changes nothing of that.
    assert "รหัสผ่านไม่ถูกต้อง" in await hand.say("wrong")
    assert await hand.press("ยกเลิก") == warning
    # It can be confirmed as it stood.
    await hand.way("ยืนยันการรับรอง", "PIN")
    assert await certificates(country) == 1


async def test_an_account_by_invitation_wants_a_new_one(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    async with country.write() as session:
        (await find_account(session, "lao5110201")).password_hash = None
    await hand.way(*TO_PIN)
    assert "ต้องใช้คำเชิญใหม่" in await hand.press("ลืม PIN")
    assert hand.labels == ["ออกจากระบบ", "หน้าหลัก"]


async def test_a_pin_is_chosen_soon_after_the_password(stranger: Hand, country: Database, clock: Clock) -> None:
    """Who finds a phone between the password and the PIN does not get to choose it."""
    await until_pin(stranger)
    await stranger.enter(PIN)
    clock.move(minutes=16)
    assert "PIN นี้ใช้ไม่ได้แล้ว" in await stranger.enter(PIN)
    assert "รหัสผ่านของหน่วยงาน" in stranger.text
    assert (await stranger.say("/menu")).startswith("โปรดพิมพ์รหัสผ่าน")
    assert (await stranger.say(PASSWORD)).startswith(CHOOSE)
    await stranger.enter(PIN + PIN, "✅ ตั้ง PIN แล้ว")


async def test_a_keypad_is_its_officers_own_and_lasts_half_an_hour(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    first, second = await officer(name="ทดสอบ หนึ่ง"), await officer(name="ทดสอบ สอง")
    await first.way(*TO_PIN)
    keys = [first.phone.button(digit).data or "" for digit in PIN]
    for key in keys:
        assert (await second.forge(key)).startswith("แป้นใส่ PIN นี้ใช้ไม่ได้แล้ว")
    assert "ยังไม่รับรอง" in second.text
    clock.move(minutes=31)
    assert "การยืนยันนี้หมดเวลา 30 นาทีแล้ว" in await first.press("8")
    assert await certificates(country) == 0


async def test_a_digit_that_comes_after_a_command_counts_on_no_keypad(
    officer: MakeHand, country: Database
) -> None:
    """Who saw nothing happen, typed /menu and pressed again has not entered a wrong PIN."""
    hand = await officer()
    await hand.way(*TO_PIN, "8", "0")
    key = hand.phone.button("8").data or ""
    await hand.say("/menu")
    assert (await hand.forge(key)).startswith("แป้นใส่ PIN นี้ใช้ไม่ได้แล้ว")
    async with country.read() as session:
        assert list(await session.scalars(select(Keypad))) == []


@pytest.mark.parametrize("data", ["k:0:0", "k:0:10", "k:x:999999999", "ke:0", "k:0", "k:0:0:0"])
async def test_forged_keys(officer: MakeHand, stranger: Hand, country: Database, data: str) -> None:
    hand = await officer()
    before = await facts(country)
    await hand.forge(data)
    assert "ระบบรับรองข้อมูล" in hand.labels
    await stranger.say("/start")
    await stranger.forge(data)
    assert stranger.labels == ["เข้าสู่ระบบ", "ภาษา / Language"]
    await hand.way(*TO_PIN)
    nonce = (hand.phone.button("8").data or "").split(":")[1]
    await hand.forge(Key(nonce, 11))
    assert await facts(country) == before


async def test_who_certified_for_the_organization_does_not_for_its_province(
    officer: MakeHand, country: Database
) -> None:
    hand = await officer()
    await hand.way(*TO_PIN, "PIN")
    await hand.say("/logout")
    await hand.press("เข้าสู่ระบบ")
    for text in ("province11", PASSWORD, "ทดสอบ หนึ่ง", "ท้องถิ่นจังหวัด"):
        await hand.say(text)
    await hand.enter(PIN + PIN, "✅ ตั้ง PIN แล้ว")
    await hand.way("ระบบรับรองข้อมูล (1)", "ดำเนินการ(จังหวัด)", "ค้นหา", "🔍 ทต.บางปู")
    assert "ต้องให้เจ้าหน้าที่ท่านอื่นของจังหวัดเป็นผู้รับรอง" in await hand.press("สุ่มตรวจสอบ")
    assert await certificates(country) == 1
