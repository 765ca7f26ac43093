"""After a reopening both levels see what has changed since the certified revision."""

import pytest
from sqlalchemy import delete, update

from handlers.chat.taps.accounts import Home
from handlers.chat.taps.certification import LaoReview, ProvinceReview
from handlers.chat.taps.register import ChangedRecords, SeeChanges
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.register.certified import CertifiedRegister
from models.register.difference import ChangeKind
from models.register.roster import PersonnelRecord, Roster
from models.rounds.round import close_round, open_round
from tests.handlers.support import Hand, MakeHand
from tests.handlers.widths import HEIGHT, LINE, height
from tests.models.certification import reopened as register
from tests.support import Clock, certify_as, put_roster

BANGPU, NEIGHBOUR = "5110201", "6110301"
SEE = "สิ่งที่เปลี่ยน"


def fits(hand: Hand) -> bool:
    """Whether the whole card is on the screen."""
    return height(hand.card.text, len(hand.card.buttons)) <= HEIGHT


async def reopened(country: Database, clock: Clock, user: int) -> None:
    """Bangpu was certified by its officer and is reopened."""
    await certify_as(country, f"lao{BANGPU}", user, BANGPU, Level.LAO, clock())
    async with country.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "นับผิดจริง", clock())


@pytest.fixture
async def corrected(country: Database, clock: Clock, officer: MakeHand) -> Hand:
    """The officer of Bangpu, which was reopened and corrected."""
    hand = await officer()
    await reopened(country, clock, hand.phone.id)
    await register.corrected(country, BANGPU)
    return hand


# --- how much ------------------------------------------------------------------------------------------------


async def test_counts_stand_on_home_review_and_warning(corrected: Hand, officer: MakeHand) -> None:
    counts = "เปลี่ยนจากครั้งที่ 1: +2 −1 ~3"
    province = await officer("province11", "ทดสอบ สอง")
    assert counts in await corrected.forge(Home())
    assert counts in await province.forge(ProvinceReview(BANGPU))
    assert counts in await corrected.forge(LaoReview())
    assert SEE in corrected.labels
    assert counts in await corrected.press("รับรองระดับ อปท.")
    await corrected.way("ยืนยันการรับรอง", "PIN")
    assert counts in await province.forge(ProvinceReview(BANGPU))
    assert SEE in province.labels


async def test_nothing_of_it_stands_where_nothing_was_reopened(officer: MakeHand) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    for text in (
        await hand.forge(Home()),
        await hand.forge(LaoReview()),
        await province.forge(ProvinceReview(BANGPU)),
    ):
        assert "เปลี่ยนจากครั้งที่" not in text
    assert SEE not in hand.labels + province.labels
    assert "รอบนี้ยังไม่มีการเปิดแก้ไข" in await hand.forge(SeeChanges(BANGPU, 0))


async def test_a_register_that_is_as_it_was_says_so(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    await reopened(country, clock, hand.phone.id)
    assert "เปลี่ยนจากครั้งที่ 1: ไม่มี" in await hand.forge(LaoReview())
    assert "✅ ไม่มีสิ่งที่เปลี่ยน ทะเบียนเหมือนที่รับรองไว้" in await hand.press(SEE)


async def test_menus_that_are_others_are_told(corrected: Hand, country: Database) -> None:
    async with country.write() as session:
        menus = ["ประวัติ", "การศึกษา", "วันลา"]
        await session.execute(update(Roster).where(Roster.organization_code == BANGPU).values(menu_names=menus))
    assert "เปลี่ยนจากครั้งที่ 1: +2 −1 ~2 · เมนู" in await corrected.forge(LaoReview())
    text = await corrected.press(SEE)
    assert "เมนูที่เพิ่ม: วันลา" in text
    assert "เครื่องราชฯ" in text


# --- record by record ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["lao5110201", "province11"])
async def test_both_sides_see_the_records(corrected: Hand, officer: MakeHand, side: str) -> None:
    hand = corrected if side.startswith("lao") else await officer(side, "ทดสอบ สอง")
    await hand.forge(LaoReview() if side.startswith("lao") else ProvinceReview(BANGPU))
    text = await hand.press(SEE)
    assert text == (
        "สิ่งที่เปลี่ยนหลังเปิดแก้ไข\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        "ที่รับรองครั้งที่ 1 → ปัจจุบัน\n\n"
        "ข้าราชการ 12 → 14 คน\n   เพิ่ม 2 · แก้ไข 3\nลูกจ้างประจำ 3 → 3 คน\nพนักงานจ้าง 5 → 4 คน\n   ลบ 1\nรวม 20 → 21 คน"
    )
    assert hand.labels == ["ดูรายที่เพิ่ม (2)", "ดูรายที่ถูกลบ (1)", "ดูรายที่แก้ไข (3)", "ย้อนกลับ", "หน้าหลัก"]
    text = await hand.press("ดูรายที่แก้ไข (3)")
    assert text == (
        "แก้ไข 3\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\nที่รับรองครั้งที่ 1 → ปัจจุบัน\n\n"
        "0001 คน ใ•••\nชื่อ-สกุล: เปลี่ยน\n\n"
        "0002 บุคคล ท•••\nระดับ: ปฏิบัติการ → ชำนาญการ\n\n"
        "0003 บุคคล ท•••\nเครื่องราชฯ: ไม่มี → ว่าง"
    )
    await hand.press("ย้อนกลับ")
    assert "0020 บุคคล ท•••\nพนักงานจ้าง" in await hand.press("ดูรายที่ถูกลบ (1)")
    # Back to the review of the officer's level.
    await hand.way("ย้อนกลับ", "ย้อนกลับ")
    assert "ข้อมูล ณ วันที่" in hand.text


async def test_many_records_are_leafed_through_and_fit(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    await reopened(country, clock, hand.phone.id)
    async with country.write() as session:
        of_bangpu = PersonnelRecord.organization_code == BANGPU
        position, menus = "นักวิชาการตรวจสอบภายในและการเงินการคลังท้องถิ่น", "---"
        values = {"position": position, "level": "ชำนาญการพิเศษ", "full_name": "บุคคล ใหม่", "menus": menus}
        await session.execute(update(PersonnelRecord).where(of_bangpu).values(**values))
        for number in range(21, 41):
            await register.add(session, number, BANGPU)
    await hand.forge(LaoReview())
    await hand.way(SEE, "ดูรายที่เพิ่ม (20)")
    pages = 1
    while any(label.endswith("▶") for label in hand.labels):
        assert fits(hand), hand.text
        await hand.press(next(label for label in hand.labels if label.endswith("▶")))
        pages += 1
    assert pages == 7
    assert "0040" in hand.text
    # Old buttons may lead beyond the last page.
    assert "0040" in await hand.forge(ChangedRecords(BANGPU, 0, ChangeKind.ADDED, 99))


async def test_a_reopened_register_fits_beside_last_years_numbers(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    async with country.write() as session:
        await put_roster(session, BANGPU, (14, 3, 4), clock())
    await certify_as(country, f"lao{BANGPU}", hand.phone.id, BANGPU, Level.LAO, clock())
    async with country.write() as session:
        await close_round(session, clock())
        await open_round(session, 2571, None, clock())
        await put_roster(session, BANGPU, (12, 3, 5), clock())
    await reopened(country, clock, hand.phone.id)
    await register.corrected(country, BANGPU)
    assert "เปลี่ยนจากครั้งที่ 1: +2 −1 ~3" in await hand.forge(LaoReview())
    assert "ปีงบประมาณ 2570 → ปัจจุบัน" in hand.text
    assert fits(hand), hand.text
    for label in (SEE, "ดูรายที่แก้ไข (3)"):
        await hand.press(label)
        assert fits(hand), hand.text
    await province.forge(ProvinceReview(BANGPU))
    assert fits(province), province.text
    await certify_as(country, f"lao{BANGPU}", hand.phone.id, BANGPU, Level.LAO, clock())
    text = await province.forge(ProvinceReview(BANGPU))
    # The chat stands at the end of a message: what may be out of sight is half of its title.
    assert height(text, len(province.card.buttons)) <= HEIGHT + LINE / 2, text


# --- several revisions, none, and others ------------------------------------------------------------------------


async def test_each_revision_that_counts_has_its_page(corrected: Hand, country: Database, clock: Clock) -> None:
    await reopened(country, clock, corrected.phone.id)
    async with country.write() as session:
        await register.remove(session, "0019", BANGPU)
    text = await corrected.forge(LaoReview())
    assert "เปลี่ยนจากครั้งที่ 2: +0 −1 ~0\nเปลี่ยนจากครั้งที่ 1: +2 −2 ~3" in text
    assert "ที่รับรองครั้งที่ 2 → ปัจจุบัน" in await corrected.press(SEE)
    assert "ที่รับรองครั้งที่ 1 → ปัจจุบัน" in await corrected.press("หน้า 2/2 ▶")
    await corrected.press("ดูรายที่ถูกลบ (2)")
    assert "0019" in corrected.text
    assert "0020" in corrected.text
    await corrected.press("ย้อนกลับ")
    assert "ที่รับรองครั้งที่ 1 → ปัจจุบัน" in corrected.text


async def test_more_revisions_than_a_review_has_room_for(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    for _ in range(5):
        await reopened(country, clock, hand.phone.id)
    text = await hand.forge(LaoReview())
    assert "เปลี่ยนจากครั้งที่ 3: ไม่มี\nและครั้งก่อนหน้านั้นอีก 2 ครั้ง" in text


async def test_a_register_that_is_not_known_any_more(corrected: Hand, country: Database) -> None:
    async with country.engine.begin() as connection:
        if country.is_sqlite:
            await connection.exec_driver_sql("DROP TRIGGER certified_register_delete")
        else:
            await connection.exec_driver_sql("ALTER TABLE certified_register DISABLE TRIGGER USER")
        await connection.execute(delete(CertifiedRegister))
    assert "⚠️ เปลี่ยนจากครั้งที่ 1: ไม่ทราบ" in await corrected.forge(LaoReview())
    assert "การสุ่มตรวจสอบจะสุ่มเพิ่มจากทั้งทะเบียน" in await corrected.press(SEE)
    assert corrected.labels == ["ย้อนกลับ", "หน้าหลัก"]
    # A button of an older card.
    assert "การสุ่มตรวจสอบจะสุ่มเพิ่มจากทั้งทะเบียน" in await corrected.forge(
        ChangedRecords(BANGPU, 0, ChangeKind.ADDED, 0)
    )


async def test_an_old_button_of_the_round_before(corrected: Hand, country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await close_round(session, clock())
        await open_round(session, 2571, None, clock())
    assert "รอบนี้ยังไม่มีการเปิดแก้ไข" in await corrected.forge(ChangedRecords(BANGPU, 0, ChangeKind.ADDED, 0))


async def test_a_neighbour_sees_nothing_of_it(corrected: Hand, officer: MakeHand) -> None:
    for username, name in ((f"lao{NEIGHBOUR}", "ทดสอบ สาม"), ("province12", "ทดสอบ สี่")):
        stranger = await officer(username, name)
        for tap in (SeeChanges(BANGPU, 0), ChangedRecords(BANGPU, 0, ChangeKind.CHANGED, 0)):
            text = await stranger.forge(tap)
            assert "บัญชีของท่านไม่มีสิทธิ์ในรายการนี้" in text
            assert "0001" not in text


async def test_in_english(corrected: Hand) -> None:
    await corrected.say("/language")
    await corrected.press("English")
    assert "Changed since revision 1: +2 −1 ~3" in await corrected.forge(LaoReview())
    assert "Revision 1, as it was certified → now" in await corrected.press("What changed")
