"""The live card and การแจ้งเตือน, through the emulated Bot API."""

from datetime import datetime

import pytest

from demo.botapi import Emulator, Message
from handlers.chat.taps.accounts import SetLanguage
from handlers.chat.taps.notices import ChooseRhythm, NoticeTimes
from handlers.chat.taps.province import ChooseStatus, ChooseType
from models.base.calendar import BANGKOK
from models.certification.certificate import Level, Status
from models.chats.conversation import Language, load_conversation
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.notices.tables import Rhythm
from tests.bot.running import outbox_rows, until
from tests.chat import Officer
from tests.handlers.conftest import MakeHand
from tests.handlers.support import Hand, is_live_card
from tests.support import ORGANIZATIONS, Clock, certify_as

BANGPU, NAMESAKE, PHRAEKSA = (code for code, *_ in ORGANIZATIONS[:3])


async def arrives(bot: Emulator, country: Database, code: str, clock: Clock) -> None:
    """An organization certifies."""
    bot.phone(code, user_id=int(code)).chat.bot_status = "member"
    await certify_as(country, f"lao{code}", int(code), code, Level.LAO, clock())


async def shows(hand: Hand, start: str) -> Message:
    """Wait until a live card says something; that card."""
    return await hand.phone.until(
        lambda phone: next(
            (message for message in phone.messages if is_live_card(message) and message.text.startswith(start)),
            None,
        )
    )


async def sent(country: Database, kind: NoticeKind, count: int) -> list[OutboxMessage]:
    async def there() -> list[OutboxMessage]:
        sent_rows = [row for row in await outbox_rows(country) if row.kind is kind and row.state is State.SENT]
        return sent_rows if len(sent_rows) >= count else []

    return await until(there)


@pytest.fixture
async def province(officer: MakeHand) -> Hand:
    return await officer("province11", "ทดสอบ สอง")


async def test_one_message_rings_and_then_it_is_edited(
    bot: Emulator, province: Hand, country: Database, clock: Clock
) -> None:
    await arrives(bot, country, BANGPU, clock)
    await shows(province, "🔔 รอท่าน 1 แห่ง\nปีงบประมาณ 2570 · ภายใน 15 ก.ย. 2570")
    await sent(country, NoticeKind.WAITING, 1)
    clock.move(minutes=10)
    for code in (NAMESAKE, PHRAEKSA):
        await arrives(bot, country, code, clock)
    # The first of the two may have been an edit of its own.
    clock.move(seconds=3)
    await shows(province, "🔔 รอท่าน 3 แห่ง")
    (card,) = [message for message in province.phone.messages if is_live_card(message)]
    assert card.labels == [
        "🔍 อบต.แพรกษา",
        "🔍 อบต.บางปู",
        "🔍 ทต.บางปู",
        "ดู อปท. ที่รอ (3)",
    ]


async def test_a_screen_opens_below_the_card_and_the_card_goes_on(
    bot: Emulator, province: Hand, country: Database, clock: Clock
) -> None:
    home = province.card
    await arrives(bot, country, BANGPU, clock)
    card = await shows(province, "🔔 รอท่าน 1")
    await sent(country, NoticeKind.WAITING, 1)
    clock.move(seconds=10)
    assert (await province.open("🔍 ทต.บางปู", card)).startswith("ตรวจสอบข้อมูลระดับจังหวัด")
    review = province.card
    await province.phone.until(lambda _: home.deleted)
    await province.press("หน้าหลัก")
    assert province.card is review
    async with country.read() as session:
        assert (await load_conversation(session, province.phone.id)).card_message_id == review.id
    # Now and at each change.
    await certify_as(country, "province11", province.phone.id, BANGPU, Level.PROVINCE, clock())
    await shows(province, "✅ ไม่มี อปท. รอท่าน")
    assert not card.labels
    assert review.text.startswith("จังหวัดสมุทรปราการ")


async def test_who_has_looked_is_rung_once_more_and_the_old_card_goes(
    bot: Emulator, province: Hand, country: Database, clock: Clock
) -> None:
    await arrives(bot, country, BANGPU, clock)
    old = await shows(province, "🔔 รอท่าน 1")
    await sent(country, NoticeKind.WAITING, 1)
    clock.move(seconds=61)
    await province.say("/menu")
    await arrives(bot, country, NAMESAKE, clock)
    await province.phone.until(lambda _: old.deleted)
    cards = [message for message in province.phone.messages if is_live_card(message) and not message.deleted]
    assert [card.text.splitlines()[0] for card in cards] == ["🔔 รอท่าน 2 แห่ง"]


async def test_a_card_too_old_to_be_deleted_says_so(
    bot: Emulator, province: Hand, country: Database, clock: Clock
) -> None:
    await arrives(bot, country, BANGPU, clock)
    old = await shows(province, "🔔 รอท่าน 1")
    await sent(country, NoticeKind.WAITING, 1)
    clock.move(hours=49)
    await arrives(bot, country, NAMESAKE, clock)
    await province.phone.until(lambda _: old.text == "มีการ์ดใหม่กว่าอยู่ด้านล่าง")
    assert not old.labels


async def test_the_whole_list_whatever_it_was_narrowed_to(
    bot: Emulator, province: Hand, country: Database, clock: Clock
) -> None:
    await arrives(bot, country, BANGPU, clock)
    await arrives(bot, country, NAMESAKE, clock)
    card = await shows(province, "🔔 รอท่าน")
    await province.say("/menu")
    await province.forge(ChooseStatus(Status.UNCERTIFIED))
    await province.forge(ChooseType("6110301"))
    await province.open("ดู อปท. ที่รอ", card)
    assert province.text.startswith("สถานภาพรับรองข้อมูล: รับรองระดับ อปท.\nพบ 2 แห่ง")


async def test_the_card_goes_when_the_link_ends(
    bot: Emulator, province: Hand, country: Database, clock: Clock
) -> None:
    await arrives(bot, country, BANGPU, clock)
    card = await shows(province, "🔔 รอท่าน 1")
    await sent(country, NoticeKind.WAITING, 1)
    await province.say("/logout")
    await province.phone.until(lambda _: card.text.startswith("แชตนี้ไม่ได้เชื่อมต่อแล้ว"))
    assert not card.labels


async def test_a_new_link_gets_its_card_at_once(bot: Emulator, country: Database, clock: Clock) -> None:
    await arrives(bot, country, BANGPU, clock)
    late = Officer(bot.phone("ข"))
    await late.log_in("province11", "ทดสอบ สอง", "ท้องถิ่นจังหวัด")
    await late.sees("🔔 รอท่าน 1")


async def test_the_card_speaks_the_language_of_the_chat(
    bot: Emulator, province: Hand, country: Database, clock: Clock
) -> None:
    await arrives(bot, country, BANGPU, clock)
    card = await shows(province, "🔔 รอท่าน 1")
    await sent(country, NoticeKind.WAITING, 1)
    clock.move(seconds=3)
    await province.forge(SetLanguage(Language.ENGLISH))
    await province.phone.until(lambda _: card.text.startswith("🔔 Waiting for you 1\n"))


async def test_the_times_are_chosen_with_one_tap_each(province: Hand, clock: Clock) -> None:
    assert "ขณะนี้การ์ดส่งเสียงเตือนได้ทันที" in await province.press("การแจ้งเตือน")
    assert [label for label in province.labels if "✓" in label] == ["✓ ทันที", "✓ ไม่มีช่วงงดเตือน"]
    # 09:30 on Monday 2 November 2569 in Bangkok.
    assert "ครั้งถัดไป 2 พ.ย. 2569 10.00" in await province.press("ทุกชั่วโมง")
    assert "ครั้งถัดไป 2 พ.ย. 2569 13.30" in await province.press("08.30, 13.30")
    # Not idle yet: half a day later at most.
    clock.now = datetime(2026, 11, 2, 17, 0, tzinfo=BANGKOK)
    assert "ครั้งถัดไป 3 พ.ย. 2569 08.30" in await province.press("งดเตือนนอกเวลา")
    await province.press("ไม่เตือนวันหยุดราชการ")
    assert [label for label in province.labels if "✓" in label] == [
        "✓ 08.30, 13.30 น.",
        "✓ งดเตือนนอกเวลา (16.30–08.30 น.)",
        "✓ ไม่เตือนวันหยุดราชการ เสาร์ อาทิตย์",
    ]
    assert "การ์ดไม่ส่งเสียงเตือน แต่ยังปรับให้เป็นปัจจุบันเสมอ" in await province.press("ปิดเสียง")
    assert "ไม่มีช่วงงดเตือน" in "".join(province.labels)
    await province.press("ไม่เตือนวันหยุดราชการ")
    assert "ขณะนี้การ์ดส่งเสียงเตือนได้ทันที" not in await province.press("ทันที")
    assert "ขณะนี้การ์ดส่งเสียงเตือนได้ทันที" in await province.press("ไม่มีช่วงงดเตือน")


async def test_an_organization_chooses_its_quiet_hours(officer: MakeHand, clock: Clock) -> None:
    hand = await officer()
    clock.now = datetime(2026, 11, 2, 20, 30, tzinfo=BANGKOK)
    text = await hand.press("การแจ้งเตือน")
    assert "ขณะนี้แจ้งเตือนได้ทันที" in text
    assert not any("ทุกชั่วโมง" in label for label in hand.labels)
    assert "แจ้งเตือนได้อีกครั้งตั้งแต่ 3 พ.ย. 2569 07.00" in await hand.press("งดเตือน 20.00")
    # Only a province's officer has a rhythm.
    assert "ทุกชั่วโมง" not in await hand.forge(ChooseRhythm(Rhythm.HOURLY))
    await hand.forge(NoticeTimes())
    assert "แจ้งเตือนได้อีกครั้งตั้งแต่ 3 พ.ย. 2569 07.00" in hand.text
