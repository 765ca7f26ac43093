"""The procedure at both levels, from login to the certified status, and all screens beside it."""

import re

import pytest
from sqlalchemy import select

from handlers.chat.taps.accounts import ChooseLanguage, Home, SetLanguage
from handlers.chat.taps.certification import LaoPositions, ProvinceHistory
from handlers.chat.taps.province import ChooseDistrict, ChooseType
from handlers.chat.taps.tap import unpack
from models.base import thai
from models.certification.certificate import Certification, Level
from models.chats.conversation import Language
from models.database.engine import Database
from models.organizations.organization import Organization
from models.province.listing import ORGANIZATIONS_PER_PAGE
from models.register.roster import Category, PersonnelRecord
from tests.chat import Officer
from tests.handlers.support import SPOT_CHECK, Hand, MakeHand, is_card, walk
from tests.support import Clock, certify_as, put_roster, record

BANGPU = "5110201"


async def test_the_lao_certifies_and_then_its_province(lao: Officer, province: Officer, country: Database) -> None:
    await lao.tap("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน")
    await lao.tap("ดำเนินการ(อปท.)", "ยังไม่รับรอง")
    await lao.tap("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่ 1 พ.ย. 2569")
    assert "ข้าราชการ 12 คน\nลูกจ้างประจำ 3 คน\nพนักงานจ้าง 5 คน\nรวม 20 คน" in lao.text
    assert "ระเบียนที่ยังบันทึกเมนูไม่ครบ 1 ราย" in lao.text
    await lao.tap("รับรองระดับ อปท.", "อปท. จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก")
    await lao.tap("ยืนยันการรับรอง", "โปรดใส่ PIN ของท่าน")
    assert "รวม 20 คน" in lao.text
    await lao.tap("PIN", "ประวัติการรับรองข้อมูล")
    await lao.sees("หลักฐานการรับรองของท่าน")

    await province.sees("รอท่าน 1 แห่ง")
    await province.tap("🔍 ทต.บางปู", "ตรวจสอบข้อมูลระดับจังหวัด")
    await province.tap("สุ่มตรวจสอบ", "สุ่มตรวจสอบ 1/3")
    await province.tap("✅ ถูกต้อง", "สุ่มตรวจสอบ 2/3")
    await province.tap("✅ ถูกต้อง", "สุ่มตรวจสอบ 3/3")
    await province.tap("✅ ถูกต้อง", "สรุปผลสุ่มตรวจสอบ")
    assert "รวม 20 คน" in province.text
    await province.tap("รับรองระดับจังหวัด", "ยกเลิกไม่ได้")
    await province.tap("ยืนยันการรับรอง", "โปรดใส่ PIN ของท่าน")
    await province.tap("PIN", "สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")
    await lao.sees("จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว")

    async with country.read() as session:
        certificates = list(await session.scalars(select(Certification).order_by(Certification.id)))
    assert [certificate.level for certificate in certificates] == [Level.LAO, Level.PROVINCE]
    assert [certificate.headcount.total for certificate in certificates] == [20, 20]


async def test_the_history_says_who_certified_what_and_when(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    empty = await lao.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "ประวัติการรับรองข้อมูล")
    assert empty.endswith("ยังไม่มีการรับรองข้อมูล")
    certificate = await certify_as(country, "lao5110201", lao.phone.id, BANGPU, Level.LAO, clock())
    clock.move(days=60, hours=1)
    final = await certify_as(country, "province11", province.phone.id, BANGPU, Level.PROVINCE, clock())
    numbers = "รวม 20 คน · ข้าราชการ 12 คน\nลูกจ้างประจำ 3 คน · พนักงานจ้าง 5 คน"
    expected = (
        "ประวัติการรับรองข้อมูล\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        f"ปีงบประมาณ 2570 · รับรองระดับจังหวัด\n{numbers}\n"
        f"ทดสอบ ลงนาม · ปลัด\n1 ม.ค. 2570 10.30 น.\nรหัสตรวจสอบ {final.code[:5]}-{final.code[5:]}\n\n"
        f"ปีงบประมาณ 2570 · รับรองระดับ อปท.\n{numbers}\n"
        f"ทดสอบ ลงนาม · ปลัด\n2 พ.ย. 2569 09.30 น.\nรหัสตรวจสอบ {certificate.code[:5]}-{certificate.code[5:]}"
    )
    await lao.say("/start")
    assert await lao.way("PIN", "ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "ประวัติการรับรองข้อมูล") == expected
    assert await province.forge(ProvinceHistory(BANGPU, 0)) == expected


async def test_a_category_opens_into_pages_of_its_positions(officer: MakeHand) -> None:
    hand = await officer()
    await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
    assert hand.labels[:4] == ["รับรองระดับ อปท.", "ข้าราชการ", "ลูกจ้างประจำ", "พนักงานจ้าง"]
    first = await hand.press("ข้าราชการ")
    assert hand.labels == ["หน้า 2/2 ▶", "ย้อนกลับ", "หน้าหลัก"]
    second = await hand.press("▶")
    assert hand.labels == ["◀ หน้า 1/2", "ย้อนกลับ", "หน้าหลัก"]
    rows = [line for page in (first, second) for line in page.splitlines() if "ปฏิบัติการ" in line]
    assert rows == [f"ตำแหน่ง {n} ปฏิบัติการ – {2 if n == 1 else 1} คน" for n in (0, 1, 10, *range(2, 10))]
    assert "รับรองข้อมูลระดับ อปท." in await hand.press("ย้อนกลับ")


async def test_a_category_without_people_has_no_button(officer: MakeHand) -> None:
    hand = await officer("lao6120401")
    text = await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
    assert "ข้าราชการ 7 คน\nลูกจ้างประจำ 0 คน\nพนักงานจ้าง 2 คน\nรวม 9 คน" in text
    assert hand.labels == [
        "รับรองระดับ อปท.",
        "ข้าราชการ",
        "พนักงานจ้าง",
        "เมนูที่ยังไม่บันทึก",
        "ส่งทะเบียนเป็นไฟล์",
        "ย้อนกลับ",
        "หน้าหลัก",
    ]
    assert "ไม่มีระเบียน" in await hand.forge(LaoPositions(Category.PERMANENT_EMPLOYEE, 0))


# In the order of the Royal Institute's dictionary.
IN_ORDER = ["กระทุ่ม", "เกาะ", "ขาม", "โขลน", "คลอง", "งิ้ว", "แจ้", "ชัย", "ไชยา", "ดอน", "เตย", "ทุ่ง"]


async def more_organizations(country: Database, clock: Clock) -> list[str]:
    """Twelve more organizations in Samut Prakan; the labels of all its buttons in the list's order."""
    async with country.write() as session:
        for number, name in enumerate(IN_ORDER):
            session.add(
                Organization(
                    dla_code=f"61199{number:02}",
                    type_th="อบต.",
                    type_code="tao",
                    name_th=name,
                    district_th="บางบ่อ",
                    province_code="11",
                    sort_key=thai.sort_key(name) + "อบต.บางบ่อ",
                )
            )
        await put_roster(session, "6119900", (1, 0, 0), clock())
    return [
        *(f"🔍 อบต.{name}" for name in IN_ORDER),
        "🔍 อบต.เทพารักษ์",
        "🔍 ทต.บางปู",
        "🔍 อบต.บางปู",
        "🔍 อบต.แพรกษา",
    ]


async def test_the_province_finds_its_organizations(officer: MakeHand, country: Database, clock: Clock) -> None:
    in_order = await more_organizations(country, clock)
    lao, hand = await officer(), await officer("province11", "ทดสอบ สอง")
    await certify_as(country, "lao5110201", lao.phone.id, BANGPU, Level.LAO, clock())
    await hand.say("/menu")
    assert "รอท่านรับรอง 1 แห่ง\nรับรองระดับจังหวัดแล้ว 0 จาก 16 แห่ง" in hand.text
    text = await hand.way("ระบบรับรองข้อมูล (1)", "ดำเนินการ(จังหวัด)")
    assert "สถานภาพรับรองข้อมูล: รับรองระดับ อปท." in text
    assert hand.labels == [
        "ยังไม่รับรอง (15)",
        "✓ รับรองระดับ อปท. (1)",
        "รับรองระดับจังหวัด (0)",
        "ประเภท",
        "อำเภอ",
        "มีข้อสังเกต",
        "↕ ตามประเภทและชื่อ",
        "ค้นหา",
        "ภาพความคืบหน้า",
        "ส่งออก",
        "ย้อนกลับ",
        "หน้าหลัก",
    ]
    assert "พบ 1 แห่ง" in await hand.press("ค้นหา")
    assert hand.labels == ["🔍 ทต.บางปู", "ย้อนกลับ", "หน้าหลัก"]
    await hand.way("ย้อนกลับ", "รับรองระดับจังหวัด", "ค้นหา")
    assert "ไม่มี อปท. ในสถานะนี้" in hand.text
    await hand.way("ย้อนกลับ", "ยังไม่รับรอง", "ค้นหา")
    assert "พบ 15 แห่ง" in hand.text
    first = hand.labels
    await hand.press("หน้า 2/2 ▶")
    second = hand.labels
    assert first[ORGANIZATIONS_PER_PAGE:] == ["หน้า 2/2 ▶", "ย้อนกลับ", "หน้าหลัก"]
    assert second[-3:] == ["◀ หน้า 1/2", "ย้อนกลับ", "หน้าหลัก"]
    listed = [label for label in first + second if label.startswith("🔍")]
    assert listed == [label for label in in_order if label != "🔍 ทต.บางปู"]

    # From the second page into an organization's numbers and back, the place in the list is kept.
    await hand.press("🔍 อบต.แพรกษา")
    await hand.way("ข้าราชการ", "▶", "ย้อนกลับ", "ประวัติการรับรองข้อมูล", "ย้อนกลับ", "ย้อนกลับ")
    assert hand.labels == second
    await hand.press("◀ หน้า 1/2")
    assert hand.labels == first


@pytest.mark.parametrize(("username", "screens"), [("lao5110201", 16), ("lao6110303", 8), ("province11", 60)])
async def test_every_screen_answers_and_has_a_way_on(
    officer: MakeHand, country: Database, clock: Clock, username: str, screens: int
) -> None:
    await more_organizations(country, clock)
    certifier = await officer("lao6110301", "ทดสอบ ศูนย์")
    await certify_as(country, "lao6110301", certifier.phone.id, "6110301", Level.LAO, clock())
    hand = await officer(username)
    for language, ways_out in ((Language.THAI, {"หน้าหลัก", "ยกเลิก"}), (Language.ENGLISH, {"Home", "Cancel"})):
        await hand.forge(SetLanguage(language))
        seen = [screen async for screen in walk(hand)]
        assert len(seen) >= screens
        for screen in seen:
            assert screen.text.strip()
            if not isinstance(unpack(screen.data), Home | ChooseLanguage):
                assert ways_out & set(screen.labels), screen
            if language is Language.ENGLISH:
                # Organizations, types, districts and menus are in Thai in both languages.
                translated_labels = [
                    label
                    for label, data in screen.buttons
                    if not label.startswith(("🔍", "📂", "ภาษา", "ไทย"))
                    and not isinstance(unpack(data), ChooseType | ChooseDistrict)
                ]
                assert not re.search("[ก-๙]", " ".join(translated_labels)), screen


async def test_back_leads_one_step_back(officer: MakeHand) -> None:
    hand = await officer()
    down = ["ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.", "ข้าราชการ"]
    texts = [hand.text]
    for label in down:
        texts.append(await hand.press(label))
    for text in reversed(texts[1:-1]):
        assert await hand.press("ย้อนกลับ") == text
    assert await hand.press("หน้าหลัก") == texts[0]


RECEIPT, PROVINCE_RECEIPT = "✅ รับรองแล้ว ทะเบียนถูกล็อก แก้ไขไม่ได้อีก", "✅ สถานะการรับรองข้อมูล: รับรองระดับจังหวัด"
WAITING = "🔔 รอท่าน 1 แห่ง"
COLLEAGUE = "🔔 หน่วยงานของท่านได้รับรองข้อมูลแล้ว"
PROVINCE_DID = "✅ จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว"


def told(hand: Hand) -> list[str]:
    """All notices that a chat has received."""
    got = [message for message in hand.phone.messages if message.outgoing and not is_card(message)]
    return [message.history[0].splitlines()[0] for message in got]


async def hears(hand: Hand, *titles: str) -> None:
    await hand.phone.until(lambda _: sorted(told(hand)) == sorted(titles))


async def test_whom_a_certificate_concerns_is_told(officer: MakeHand, country: Database) -> None:
    lao, colleague = await officer(), await officer(name="ทดสอบ สอง")
    namesake, elsewhere = await officer("lao6110301", "ทดสอบ สาม"), await officer("province12", "ทดสอบ สี่")
    first, second = await officer("province11", "ทดสอบ ห้า"), await officer("province11", "ทดสอบ หก")

    await lao.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.", "รับรองระดับ อปท.")
    await lao.way("ยืนยันการรับรอง", "PIN")
    await hears(lao, RECEIPT)
    await hears(colleague, COLLEAGUE)
    await hears(first, WAITING)
    await hears(second, WAITING)
    assert lao.text.startswith("✅ รับรองแล้ว")

    notice = await first.sees(WAITING)
    assert notice.labels == ["🔍 ทต.บางปู", "ดู อปท. ที่รอ (1)"]
    text = await first.open("🔍 ทต.บางปู", notice)
    assert text.startswith("ตรวจสอบข้อมูลระดับจังหวัด\n")
    assert "\nเทศบาลตำบลบางปู\n" in text
    assert notice.text.startswith(WAITING)
    await first.way(*SPOT_CHECK, "รับรองระดับจังหวัด")
    text = await first.way("ยืนยันการรับรอง", "PIN")
    assert text.startswith("✅ สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")
    await hears(lao, RECEIPT, PROVINCE_DID)
    await hears(colleague, COLLEAGUE, PROVINCE_DID)
    await hears(first, WAITING, PROVINCE_RECEIPT)
    assert told(second) == [WAITING]
    assert told(namesake) == told(elsewhere) == []
    assert "ประวัติการรับรองข้อมูล" in await colleague.press("ประวัติการรับรองข้อมูล", await colleague.sees(PROVINCE_DID))


async def test_a_tap_edits_its_own_message(officer: MakeHand) -> None:
    hand = await officer()
    card = hand.card
    await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.", "รับรองระดับ อปท.", "ยกเลิก", "หน้าหลัก")
    assert [message for message in hand.phone.messages if message.outgoing] == [card]


async def test_a_long_register_stays_within_a_message(officer: MakeHand, country: Database) -> None:
    """Positions are columns of 200 letters, levels of 100: a page of them must fit (4,096 characters)."""
    async with country.write() as session:
        for number in range(100, 120):
            values = record(BANGPU, number, Category.OFFICIAL)
            values |= {"position": f"{'<ตำแหน่ง>' * 19}{number}", "level": "&" * 100}
            session.add(PersonnelRecord(**values))
    hand = await officer()
    await hand.forge(LaoPositions(Category.OFFICIAL, 0))
    assert "<ตำแหน่ง>" in hand.text
