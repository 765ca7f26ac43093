"""A chat that was left alone shows nothing before the PIN, and a chat that is no longer linked nothing at all."""

import pytest

from handlers.chat.taps.accounts import ChooseLanguage, EditProfile, Home, Key, Officers, SetLanguage
from handlers.chat.taps.certification import Confirm, LaoHistory, LaoPositions, LaoReview
from models.accounts.account import active_officer
from models.certification.certificate import Level
from models.chats.conversation import Language
from models.database.engine import Database
from models.links.link import unlink_officer
from models.register.roster import Category
from tests.handlers.support import Hand, MakeHand
from tests.support import PASSWORD, PIN, Clock, certify_as

BANGPU = "5110201"
TO_REVIEW = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
LEFT_ALONE = "ไม่ได้ใช้งานเกิน 12 ชั่วโมง โปรดยืนยันว่าเป็นท่าน"
# Names and numbers of the country that no locked screen may show.
SECRETS = ("เทศบาลตำบลบางปู", "ทดสอบ หนึ่ง", "รวม 20 คน", "ข้าราชการ")


def shows_nothing(hand: Hand) -> bool:
    return LEFT_ALONE in hand.text and not any(secret in hand.text for secret in SECRETS)


async def test_after_twelve_hours_the_pin_comes_first(officer: MakeHand, clock: Clock) -> None:
    hand = await officer()
    await hand.way(*TO_REVIEW)
    clock.move(hours=12)
    # Still in use; from now on it counts anew.
    assert "ข้าราชการ" in await hand.press("ข้าราชการ")
    clock.move(hours=12, minutes=2)
    await hand.press("ย้อนกลับ")
    assert shows_nothing(hand)
    assert hand.labels == [*"1234567890", "⌫", "ออกจากระบบ", "ลืม PIN"]
    # The tap that was held up goes on.
    assert "รวม 20 คน" in await hand.enter()
    assert "อปท. รับรองจำนวน" in await hand.say("/menu") or "ยังไม่รับรอง" in hand.text


@pytest.mark.parametrize(
    "tried",
    [
        Home(),
        LaoReview(),
        LaoHistory(0),
        LaoPositions(Category.OFFICIAL, 0),
        SetLanguage(Language.ENGLISH),
        ChooseLanguage(),
        Officers(),
        "nonsense",
        Confirm("0"),
        Key("0", 0),
        EditProfile(),
    ],
)
async def test_no_tap_shows_anything_before_the_pin(officer: MakeHand, clock: Clock, tried: str) -> None:
    hand = await officer()
    clock.move(hours=13)
    await hand.forge(tried)
    assert shows_nothing(hand), hand.text


@pytest.mark.parametrize("typed", ["/start", "/menu", "/help", "/language", "/verify 0123456789", "สวัสดี"])
async def test_no_text_shows_anything_before_the_pin(officer: MakeHand, clock: Clock, typed: str) -> None:
    hand = await officer()
    clock.move(hours=13)
    await hand.say(typed)
    assert shows_nothing(hand), hand.text
    assert "เทศบาลตำบลบางปู" in await hand.enter()


async def test_a_wrong_pin_opens_nothing(officer: MakeHand, clock: Clock) -> None:
    hand = await officer()
    clock.move(hours=13)
    await hand.say("/menu")
    for _ in range(5):
        await hand.enter("135790")
        assert not any(secret in hand.text for secret in SECRETS)
    assert hand.labels == ["ลืม PIN", "ออกจากระบบ", "หน้าหลัก"]
    await hand.press("หน้าหลัก")
    assert "ใส่ PIN ผิดหลายครั้งเกินไป" in hand.text
    # The password opens it, with a new PIN.
    await hand.press("ลืม PIN")
    assert not any(secret in hand.text for secret in SECRETS)
    await hand.say(PASSWORD)
    await hand.enter(PIN + PIN, "✅ ตั้ง PIN แล้ว")


async def test_a_chat_that_was_left_alone_can_be_left_for_good(officer: MakeHand, clock: Clock) -> None:
    hand = await officer()
    clock.move(hours=13)
    await hand.say("/menu")
    assert "ออกจากระบบแล้ว" in await hand.press("ออกจากระบบ")
    other = await officer(name="ทดสอบ สอง")
    clock.move(hours=13)
    assert "ออกจากระบบแล้ว" in await other.say("/logout")


async def test_a_right_pin_stays_right_when_what_follows_is_refused(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    clock.move(hours=13)
    await hand.forge(Confirm("0"))
    assert "การยืนยันนี้หมดอายุแล้ว" in await hand.enter()
    assert "อปท. รับรองจำนวน" in await hand.press("ระบบรับรองข้อมูล")


async def test_cards_are_protected_from_the_first_send(stranger: Hand, bot: object, country: Database) -> None:
    await stranger.say("/start")
    assert bot.calls_of("sendMessage")  # type: ignore[attr-defined]
    for call in bot.calls_of("sendMessage"):  # type: ignore[attr-defined]
        assert call.params["protect_content"] == "true"


async def test_a_notice_to_a_chat_left_alone_holds_no_numbers(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    province = await officer("province11", "ทดสอบ สอง")
    lao = await officer()
    clock.move(hours=13)
    await certify_as(country, "lao5110201", lao.phone.id, BANGPU, Level.LAO, clock())
    notice = await province.sees("มี อปท. รอท่านรับรอง")
    assert notice.text == "🔔 มี อปท. รอท่านรับรอง\n\nโปรดเปิดด้วย PIN เพื่อดูรายละเอียด"
    assert notice.labels == ["ดู อปท. ที่รอ"]
    await province.open("ดู อปท. ที่รอ", notice)
    assert LEFT_ALONE in province.text
    await province.enter(expect="พบ 1 แห่ง")
    assert "🔍 ทต.บางปู" in province.labels
    # Its officer is back: the card may say all again.
    clock.move(seconds=3)
    await province.phone.until(lambda _: notice.text.startswith("🔔 รอท่าน 1 แห่ง"))


async def test_ending_a_link_holds_for_what_is_already_queued(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    await hand.way(*TO_REVIEW)
    button = hand.phone.button("ข้าราชการ")
    async with country.write() as session:
        linked = await active_officer(session, hand.phone.id)
        assert linked is not None
        # The tap is in the inbox while the link ends: the transaction that ends it holds the writer.
        tap = await hand.phone.press(button)
        await unlink_officer(session, linked, clock(), by="operator")
    await tap.answer()
    # On PostgreSQL the tap may have come first; then what it has shown is taken away.
    await hand.phone.until(lambda _: hand.text.startswith("แชตนี้"))
    if country.is_sqlite:
        assert "ตำแหน่ง 1" not in "".join(hand.card.history)
