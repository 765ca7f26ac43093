"""After a reopening a drawn record says why it is drawn: what was not correct before, and what has changed."""

import pytest
from sqlalchemy import select

from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.spot_checks import SpotRecord, SpotSummaryPage
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.certification.spot_check import SpotCheckItem
from models.database.engine import Database
from tests.handlers.support import Hand, MakeHand
from tests.models.certification import reopened as register
from tests.support import Clock, certify_as

BANGPU = "5110201"
NOTE = "วันบรรจุไม่ตรงกับทะเบียนประวัติ"


@pytest.fixture
async def certifier(officer: MakeHand) -> Hand:
    return await officer()


@pytest.fixture
async def checker(officer: MakeHand, certifier: Hand, country: Database, clock: Clock) -> Hand:
    """An officer of the province who has found the first drawn record not correct; the register was reopened."""
    hand = await officer("province11", "ทดสอบ สอง")
    await certify(country, certifier, clock)
    await hand.forge(ProvinceReview(BANGPU))
    await hand.press("สุ่มตรวจสอบ")
    await hand.press("ไม่ถูกต้อง")
    await hand.say(NOTE)
    async with country.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "ให้แก้วันบรรจุ", clock())
    return hand


async def certify(country: Database, certifier: Hand, clock: Clock) -> None:
    await certify_as(country, f"lao{BANGPU}", certifier.phone.id, BANGPU, Level.LAO, clock())


async def first_drawn(country: Database) -> str:
    async with country.read() as session:
        found = await session.scalar(select(SpotCheckItem.record_no).order_by("spot_check_id", "place").limit(1))
    assert found is not None
    return found


async def pages(hand: Hand) -> dict[str, str]:
    """The screen of every drawn record, by its number."""
    shown: dict[str, str] = {}
    place = 1
    while True:
        text = await hand.forge(SpotRecord(BANGPU, 2, place))
        number = text.split("เลขที่ทะเบียน ")[1].split("\n")[0]
        shown[number] = text
        if not any(label.endswith("▶") for label in hand.labels):
            return shown
        place += 1


async def test_a_record_says_what_was_wrong_and_what_has_changed(
    checker: Hand, certifier: Hand, country: Database, clock: Clock
) -> None:
    wrong = await first_drawn(country)
    async with country.write() as session:
        await register.change(session, wrong, BANGPU, level="ชำนาญการ", full_name="บุคคล คนอื่น")
        await register.add(session, 21, BANGPU)
    await certify(country, certifier, clock)
    await checker.forge(ProvinceReview(BANGPU))
    await checker.press("สุ่มตรวจสอบ")
    shown = await pages(checker)
    name = f"ชื่อ-สกุล: บุคคล ทดสอบ{int(wrong)} → บุคคล คนอื่น"
    told = f"⚠️ ครั้งก่อนไม่ถูกต้อง\n{NOTE}\n\nเปลี่ยนจากที่รับรองไว้\n{name}\nระดับ: ปฏิบัติการ → ชำนาญการ\n\n"
    assert told in shown[wrong]
    assert "เปลี่ยนจากที่รับรองไว้\nเพิ่มใหม่ในทะเบียน\n\n" in shown["0021"]
    others = [text for number, text in shown.items() if number not in (wrong, "0021")]
    assert others
    assert not any("ครั้งก่อนไม่ถูกต้อง" in text or "เปลี่ยนจาก" in text for text in others)
    # All of them are marked, then it is certified.
    await checker.forge(SpotRecord(BANGPU, 2, 1))
    while "✅ ถูกต้อง" in checker.labels:
        await checker.press("✅ ถูกต้อง")
    text = await checker.way("รับรองระดับจังหวัด", "ยืนยันการรับรอง", "PIN")
    assert text.startswith("✅ สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")


async def test_a_record_that_is_gone_is_named(
    checker: Hand, certifier: Hand, country: Database, clock: Clock
) -> None:
    wrong = await first_drawn(country)
    async with country.write() as session:
        await register.remove(session, wrong, BANGPU)
    await certify(country, certifier, clock)
    gone = f"⚠️ ครั้งก่อนไม่ถูกต้อง และไม่มีในทะเบียนแล้ว: {wrong}"
    await checker.forge(ProvinceReview(BANGPU))
    await checker.press("สุ่มตรวจสอบ")
    assert gone in await checker.forge(ProvinceReview(BANGPU))
    await checker.press("สุ่มตรวจสอบ (0/3)")
    while "✅ ถูกต้อง" in checker.labels:
        await checker.press("✅ ถูกต้อง")
    assert gone in checker.text


async def test_a_draw_of_many_records_is_leafed_through(
    officer: MakeHand, certifier: Hand, country: Database, clock: Clock
) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    async with country.write() as session:
        for number in range(21, 61):
            await register.add(session, number, BANGPU)
    await certify(country, certifier, clock)
    async with country.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "นับผิดจริง", clock())
        for number in range(1, 61):
            await register.change(session, f"{number:04}", BANGPU, level=f"ระดับ {number}")
    await certify(country, certifier, clock)
    async with country.write() as session:
        await register.draw_many(session, hand.phone.id, BANGPU, clock(), size=20)
    text = await hand.forge(SpotSummaryPage(BANGPU, 1, 0))
    assert text.count("ยังไม่ได้ตรวจ") == 20
    text = await hand.press("หน้า 2/2 ▶")
    assert text.count("ยังไม่ได้ตรวจ") == 20
    assert "◀ หน้า 1/2" in hand.labels
    assert text == await hand.forge(SpotSummaryPage(BANGPU, 1, 9))
    # Two digits leave no room beside them.
    await hand.forge(ProvinceReview(BANGPU))
    assert "สุ่มตรวจสอบ (0/40)" in hand.labels
    assert ["สุ่มตรวจสอบ (0/40)"] in [[one.label for one in row] for row in hand.card.buttons]
    assert "สิ่งที่เปลี่ยน" in hand.labels
