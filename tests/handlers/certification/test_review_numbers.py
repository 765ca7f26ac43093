"""The review before certifying: last round's numbers, the required explanation, and empty menus."""

from datetime import datetime

import pytest
from sqlalchemy import select, update

from handlers.certification.review_numbers import signed
from handlers.chat.taps.certification import LaoCertify, ProvinceReview
from handlers.chat.taps.register import EmptyMenu, EmptyMenus
from handlers.chat.taps.remarks import ExplainDifference, Remarks, SendAnswer, SendExplanation, SendPetition
from handlers.chat.turn import Setup
from models.accounts.account import active_officer
from models.certification.certificate import Level
from models.certification.remark import Remark, RemarkKind
from models.certification.review import review
from models.database.engine import Database
from models.register.roster import PersonnelRecord, Roster
from models.rounds.round import close_round, open_round
from tests.handlers.support import Hand, MakeHand
from tests.support import Clock, certify_as, put_roster

BANGPU, NEIGHBOUR, ELSEWHERE = "5110201", "6110301", "6120401"
TO_REVIEW = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
WHY = "เกษียณ <b>สาม</b> ราย {x} &amp;"


async def next_round(
    officer: MakeHand, country: Database, now: datetime, counts: tuple[int, int, int] = (12, 3, 5)
) -> None:
    """Bangpu was certified with 12, 3 and 5; a year later it may have other numbers."""
    predecessor = await officer(name="ทดสอบ ศูนย์")
    await certify_as(country, f"lao{BANGPU}", predecessor.phone.id, BANGPU, Level.LAO, now)
    async with country.write() as session:
        await close_round(session, now)
        await open_round(session, 2571, None, now)
        await put_roster(session, BANGPU, counts, now)


def test_differences_have_the_minus_of_typography() -> None:
    assert [signed(difference) for difference in (3, 0, -3, -1200, 1200)] == ["+3", "0", "−3", "−1,200", "+1,200"]


async def test_the_numbers_stand_beside_last_years(officer: MakeHand, country: Database, clock: Clock) -> None:
    await next_round(officer, country, clock(), (9, 3, 6))
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    expected = (
        "ปีงบประมาณ 2570 → ปัจจุบัน\n"
        "ข้าราชการ 12 → 9 คน (−3) ⚠️\n"
        "ลูกจ้างประจำ 3 → 3 คน (0)\n"
        "พนักงานจ้าง 5 → 6 คน (+1) ⚠️\n"
        "รวม 20 → 18 คน (−2)"
    )
    marked = "⚠️ ต่างจากเดิมเกิน 10%: ข้าราชการ, พนักงานจ้าง\nอปท. ต้องชี้แจงส่วนต่างนี้ก่อนรับรอง"
    for text in (await hand.way(*TO_REVIEW), await province.forge(ProvinceReview(BANGPU))):
        # The organization and its numbers stand last, above the buttons.
        assert text.endswith(f"เทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n{expected}")
        assert marked in text


async def test_the_first_round_shows_the_numbers_alone(officer: MakeHand) -> None:
    hand = await officer()
    assert "ข้าราชการ 12 คน\nลูกจ้างประจำ 3 คน" in await hand.way(*TO_REVIEW)
    assert "→" not in hand.text


async def test_a_small_difference_is_shown_and_not_marked(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    await next_round(officer, country, clock(), (11, 3, 5))
    hand = await officer()
    assert "ข้าราชการ 12 → 11 คน (−1)\n" in await hand.way(*TO_REVIEW)
    assert "⚠️" not in hand.text
    assert "รับรองระดับ อปท." in hand.labels


async def test_the_lao_explains_and_certifies(officer: MakeHand, country: Database, clock: Clock) -> None:
    await next_round(officer, country, clock(), (9, 3, 5))
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await hand.way(*TO_REVIEW)
    assert "รับรองระดับ อปท." not in hand.labels
    text = await hand.press("ชี้แจงส่วนต่าง")
    assert "ข้าราชการ 12 → 9 คน (−3) ⚠️" in text
    assert "พิมพ์เหตุผลที่จำนวนต่างจากเดิม" in text
    assert "ข้อความไม่มีตัวอักษร" in await hand.say("12345")
    # A picture is no text; the question stands.
    assert "โปรดตอบเป็นข้อความตัวอักษร" in await hand.reply_to(hand.phone.send_photo())
    text = await hand.say(WHY)
    assert WHY in text
    assert "เรื่อง: 9/3/5" in text
    async with country.read() as session:
        assert list(await session.scalars(select(Remark))) == []
    send = hand.phone.button("ส่งคำชี้แจง", hand.card).data or ""
    text = await hand.press("ส่งคำชี้แจง")
    assert text.startswith("✅ ส่งคำชี้แจงแล้ว\n\nรับรองข้อมูลระดับ อปท.")
    assert f"คำชี้แจงส่วนต่าง\n{WHY}\nโดย ทดสอบ หนึ่ง ปลัด" in text
    assert "อปท. ต้องชี้แจง" not in text
    assert {"รับรองระดับ อปท.", "ข้อสังเกต (1)"} <= set(hand.labels)
    # Pressed twice, it is sent once.
    assert "ไม่พบข้อความที่จะส่ง" in await hand.forge(send)
    await hand.way(*TO_REVIEW, "รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN")
    assert "✅ รับรองแล้ว" in hand.text
    text = await province.forge(ProvinceReview(BANGPU))
    assert f"คำชี้แจงส่วนต่าง\n{WHY}" in text
    assert f"9/3/5\nโดย ทดสอบ หนึ่ง ปลัด · 2 พ.ย. 2569 09.30 น.\n{WHY}" in await province.press("ข้อสังเกต (1)")
    async with country.read() as session:
        assert [remark.kind for remark in await session.scalars(select(Remark))] == [RemarkKind.EXPLANATION]


async def test_no_button_gets_around_the_explanation(officer: MakeHand, country: Database, clock: Clock) -> None:
    await next_round(officer, country, clock())
    hand, other = await officer(), await officer(f"lao{NEIGHBOUR}", "ทดสอบ สอง")
    await hand.way(*TO_REVIEW)
    certify = hand.phone.button("รับรองระดับ อปท.", hand.card).data or ""
    async with country.write() as session:
        await put_roster(session, BANGPU, (9, 3, 5), clock())
    assert "เปลี่ยนไปจากที่ท่านเห็น" in await hand.forge(certify)
    # Even with the fingerprint of the new numbers.
    async with country.write() as session:
        own = await active_officer(session, hand.phone.id)
        assert own is not None
        fingerprint = (await review(session, own, BANGPU)).fingerprint(Level.LAO)
    text = await hand.forge(LaoCertify(fingerprint))
    assert text.startswith("⚠️ จำนวนต่างจากเดิมเกินกำหนด โปรดชี้แจงส่วนต่างก่อนรับรอง")
    assert "ชี้แจงส่วนต่าง" in hand.labels
    # Without a difference there is nothing to explain.
    assert "ไม่มีส่วนต่างที่ต้องชี้แจง" in await other.forge(ExplainDifference())
    assert "ไม่พบข้อความที่จะส่ง" in await other.forge(SendExplanation("x"))


async def test_a_changed_register_wants_its_own_explanation(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    await next_round(officer, country, clock(), (9, 3, 5))
    hand = await officer()
    await hand.way(*TO_REVIEW, "ชี้แจงส่วนต่าง")
    await hand.say(WHY)
    async with country.write() as session:
        await put_roster(session, BANGPU, (8, 3, 5), clock())
    assert "เปลี่ยนไปจากที่ท่านเห็น" in await hand.press("ส่งคำชี้แจง")
    assert "12 → 8 คน (−4)" in hand.text
    async with country.read() as session:
        assert list(await session.scalars(select(Remark))) == []


async def test_one_kind_of_draft_is_not_sent_as_another(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    await next_round(officer, country, clock(), (9, 3, 5))
    hand = await officer()
    await hand.way(*TO_REVIEW, "ชี้แจงส่วนต่าง")
    await hand.say(WHY)
    assert "ไม่พบข้อความที่จะส่ง" in await hand.forge(SendPetition("x"))
    assert "ไม่พบข้อความที่จะส่ง" in await hand.forge(SendAnswer(1, "x"))


def test_the_share_is_a_setting() -> None:
    assert Setup().demands.difference_percent == 10


# --- empty menus --------------------------------------------------------------------------------------------


@pytest.fixture
async def gaps(country: Database) -> Database:
    """In Bangpu's register education is empty in 12 records, decorations in one."""
    async with country.write() as session:
        (await session.get_one(Roster, BANGPU)).menu_names = ["ประวัติ", "การ<b>ศึกษา", "เครื่องราชฯ"]
        await session.execute(
            update(PersonnelRecord)
            .where(PersonnelRecord.organization_code == BANGPU, PersonnelRecord.record_no <= "0012")
            .values(menus="r-n", position="<i>งาน</i> {x}")
        )
    return country


async def see_gaps(hand: Hand) -> None:
    assert "เลือกเมนูเพื่อดูรายการระเบียน" in await hand.press("เมนูที่ยังไม่บันทึก")
    assert hand.labels == ["📂 การ<b>ศึกษา (12)", "📂 เครื่องราชฯ (1)", "ย้อนกลับ", "หน้าหลัก"]
    text = await hand.press("การ<b>ศึกษา")
    assert text.startswith("การ<b>ศึกษา\nเทศบาลตำบลบางปู")
    assert "ยังไม่บันทึก 12 ราย" in text
    assert "0001  บุคคล ท•••\n<i>งาน</i> {x}" in text
    assert "0011" not in text
    # Lists show no full names.
    assert "ทดสอบ1" not in text
    assert hand.labels == ["หน้า 2/2 ▶", "ย้อนกลับ", "หน้าหลัก"]
    text = await hand.press("หน้า 2/2 ▶")
    assert "0011" in text
    assert "0012" in text
    assert "0013" not in text
    await hand.way("ย้อนกลับ", "เครื่องราชฯ")
    assert "0020  บุคคล ท•••\nตำแหน่ง 9" in hand.text
    await hand.way("ย้อนกลับ", "ย้อนกลับ")
    assert "เมนูที่ยังไม่บันทึก" in hand.labels


async def test_empty_menus_are_seen_by_both_sides(officer: MakeHand, gaps: Database) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await hand.way(*TO_REVIEW)
    await see_gaps(hand)
    await province.forge(ProvinceReview(BANGPU))
    await see_gaps(province)


async def test_empty_menus_of_others_are_not_seen(officer: MakeHand, gaps: Database) -> None:
    strangers = (
        await officer(f"lao{NEIGHBOUR}", "ทดสอบ สอง"),
        await officer("province12", "ทดสอบ สาม"),
    )
    for hand in strangers:
        for data in (EmptyMenus(BANGPU, 0), EmptyMenu(BANGPU, 1, 0), Remarks(BANGPU, 0), EmptyMenus("9999999", 0)):
            text = await hand.forge(data)
            assert "ไม่มีสิทธิ์" in text, data
            assert "ศึกษา" not in text


async def test_pages_and_menus_that_are_not_there(officer: MakeHand, gaps: Database) -> None:
    hand = await officer()
    assert "เลือกเมนู" in await hand.forge(EmptyMenus(BANGPU, 99))
    assert "0012" in await hand.forge(EmptyMenu(BANGPU, 1, 999999999))
    for place in (0, 3, 999_999_999):
        assert "ไม่มีระเบียน" in await hand.forge(EmptyMenu(BANGPU, place, 0))
    nobody = await officer("lao6110303", "ทดสอบ สี่")
    assert "ยังไม่มีข้อมูลบุคลากร" in await nobody.forge(EmptyMenus("6110303", 0))


async def test_a_full_register_has_no_such_button(officer: MakeHand, country: Database) -> None:
    async with country.write() as session:
        await session.execute(
            update(PersonnelRecord).where(PersonnelRecord.organization_code == BANGPU).values(menus="rrr")
        )
    hand = await officer()
    await hand.way(*TO_REVIEW)
    assert "เมนูที่ยังไม่บันทึก" not in hand.labels
    assert "ทุกระเบียนบันทึกครบทุกเมนูแล้ว" in await hand.forge(EmptyMenus(BANGPU, 0))
