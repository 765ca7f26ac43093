"""An organization that has ended, as the chats of its province and of its officers show it."""

from pathlib import Path

from handlers.chat.taps.certification import LaoHistory, ProvinceReview
from models.certification.certificate import Level
from models.database.engine import Database
from models.imports.successions import succeed_from_file
from models.succession.closing import close
from tests.handlers.support import MakeHand
from tests.models.imports.files import write
from tests.models.succession.decisions import BY, GAZETTE, decided
from tests.support import ORGANIZATIONS, Clock, certify_as, until

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])


async def test_its_province_finds_it_and_how_it_ended(officer: MakeHand, country: Database, clock: Clock) -> None:
    province = await officer("province11")
    async with country.write() as session:
        await close(session, FIRST, decided(clock.now), clock.now)
    result = await province.say("บางปู")
    assert "✕ เทศบาลตำบลบางปู ยุบเลิกแล้ว" in result
    screen = await province.press("✕🔍 ทต.บางปู")
    assert "อปท. แห่งนี้สิ้นสภาพแล้ว" in screen
    assert f"โดย {BY}" in screen
    assert f"ราชกิจจานุเบกษา: {GAZETTE}" in screen
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
        texts = [message.text for message in hand.phone.messages]
        return next((text for text in texts if text.startswith("✕ หน่วยงานของท่านสิ้นสภาพแล้ว")), "")

    assert "แชตนี้ไม่ได้เชื่อมต่อกับระบบแล้ว" in await until(told)


HEADER = ["from", "to", "kind", "name", "type", "district", "province"]
UPGRADE = [FIRST, "5110999", "upgrade", "บางปูใหม่", "เทศบาลเมือง", "เมืองสมุทรปราการ", "11"]


async def test_after_an_upgrade_its_officer_goes_on_and_sees_what_was_certified(
    officer: MakeHand, country: Database, clock: Clock, tmp_path: Path
) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ จังหวัด")
    certificate = await certify_as(country, f"lao{FIRST}", hand.phone.id, FIRST, Level.LAO, clock.now)
    path = write(tmp_path / "changes.csv", [HEADER, UPGRADE])
    await succeed_from_file(country, path, decided(clock.now), clock.now)

    def told() -> str:
        texts = [message.text for message in hand.phone.messages]
        return next((text for text in texts if text.startswith("✕ หน่วยงานของท่านสิ้นสภาพแล้ว")), "")

    assert "เปลี่ยนเป็น\nเทศบาลเมืองบางปูใหม่" in await until(told)
    assert "ใช้ชื่อ ตำแหน่ง และ PIN เดิม" in told()
    assert "เทศบาลเมืองบางปูใหม่" in await hand.say("/menu")
    history = await hand.forge(LaoHistory(0))
    assert "หน่วยงานเดิม: เทศบาลตำบลบางปู" in history
    assert certificate.officer_name in history
    # Its province finds both, and goes from the one to the other.
    result = await province.say("บางปู")
    assert "✕ เทศบาลตำบลบางปู เปลี่ยนเป็นเทศบาลเมืองบางปูใหม่" in result
    await province.press("✕🔍 ทต.บางปู")
    assert "เทศบาลเมืองบางปูใหม่" in await province.press("🔍 ทม.บางปูใหม่")
    assert province.text.startswith("ตรวจสอบข้อมูลระดับจังหวัด")
