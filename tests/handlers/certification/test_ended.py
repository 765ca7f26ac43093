"""An organization that has ended, as the chats of its province and of its officers show it."""

from handlers.chat.taps.certification import ProvinceReview
from models.database.engine import Database
from models.succession.closing import close
from tests.handlers.support import MakeHand
from tests.models.succession.decisions import BY, GAZETTE, decided
from tests.support import ORGANIZATIONS, Clock, until

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])


async def test_its_province_finds_it_and_how_it_ended(officer: MakeHand, country: Database, clock: Clock) -> None:
    province = await officer("province11")
    async with country.write() as session:
        await close(session, FIRST, decided(clock.now), clock.now)
    found = await province.say("บางปู")
    assert "✕ เทศบาลตำบลบางปู ยุบเลิกแล้ว" in found
    shown = await province.press("✕🔍 ทต.บางปู")
    assert "อปท. แห่งนี้สิ้นสภาพแล้ว" in shown
    assert f"โดย {BY}" in shown
    assert f"ราชกิจจานุเบกษา: {GAZETTE}" in shown
    assert province.labels == ["ประวัติการรับรองข้อมูล", "ย้อนกลับ", "หน้าหลัก"]
    assert "ยังไม่มีการรับรองข้อมูล" in await province.press("ประวัติการรับรองข้อมูล")
    # A button of a card that is older than the end.
    assert "อปท. แห่งนี้สิ้นสภาพแล้ว" in await province.forge(ProvinceReview(FIRST))


async def test_its_officers_are_told_and_their_chat_is_linked_no_more(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    async with country.write() as session:
        await close(session, FIRST, decided(clock.now), clock.now)

    def told() -> str:
        texts = [one.text for one in hand.phone.messages]
        return next((text for text in texts if text.startswith("✕ หน่วยงานของท่านสิ้นสภาพแล้ว")), "")

    assert "แชตนี้ไม่ได้เชื่อมต่อกับระบบแล้ว" in await until(told)
