"""Certifying: exactly what the officer saw, once, and only by the officer of the confirmation."""

import pytest

from handlers.chat.taps.accounts import EditProfile, Home, LogOut
from handlers.chat.taps.certification import (
    Cancel,
    CertificationMenu,
    Confirm,
    LaoCertify,
    LaoHistory,
    LaoMenu,
    LaoPositions,
    LaoReview,
    ProvinceCertify,
    ProvinceHistory,
    ProvincePositions,
    ProvinceReview,
)
from handlers.chat.taps.province import ChooseStatus, ProvinceList, ProvinceMenu, ProvinceSearch
from handlers.chat.taps.remarks import AskForReopening
from handlers.chat.taps.spot_checks import (
    DrawSpotCheck,
    HandIn,
    HandInIncorrect,
    MarkRecord,
    SpotRecord,
    SpotSummary,
)
from handlers.chat.taps.tap import Tap
from models.certification.certificate import Level, Status
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.operator.closing import reopen_round
from models.register.roster import Category
from models.rounds.round import close_round, open_round
from tests.handlers.support import RECEIPT, SPOT_CHECK, Hand, MakeHand, facts
from tests.support import PIN, TO_PIN, Clock, certify_as, put_roster

BANGPU, PHRAEKSA, NO_ROSTER, ELSEWHERE = "5110201", "6110302", "6110303", "6120401"
TO_REVIEW = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
CHANGED = "ข้อมูลหรือรอบการรับรองเปลี่ยนไปจากที่ท่านเห็น จึงยังไม่ได้รับรอง"
EXPIRED = "การยืนยันนี้หมดอายุแล้ว จึงยังไม่ได้รับรอง"
ALREADY = "รายการนี้รับรองไปแล้ว ไม่มีการเปลี่ยนแปลงใดๆ"
OWN = "ท่านได้รับรองรายการนี้แล้วเมื่อ 2 พ.ย. 2569 09.30 น."
NO_ROUND = "ขณะนี้ไม่อยู่ในรอบการรับรอง จึงยังรับรองไม่ได้"
NO_RIGHT = "บัญชีของท่านไม่มีสิทธิ์ในรายการนี้"


async def change_roster(country: Database, clock: Clock, organization: str = BANGPU) -> None:
    async with country.write() as session:
        await put_roster(session, organization, (13, 3, 5), clock())


async def certificates(country: Database) -> int:
    return len((await facts(country))[0])


@pytest.mark.parametrize("before", ["the press", "the confirmation"])
async def test_a_register_that_changed_is_not_certified(
    officer: MakeHand, country: Database, clock: Clock, before: str
) -> None:
    hand = await officer()
    await hand.way(*TO_REVIEW)
    if before == "the confirmation":
        await hand.press("รับรองระดับ อปท.")
    await change_roster(country, clock)
    text = await hand.press("รับรองระดับ อปท." if before == "the press" else "ยืนยันการรับรอง")
    assert text.startswith(f"⚠️ {CHANGED}")
    assert "ข้าราชการ 13 คน" in text
    assert await certificates(country) == 0
    # From the new numbers it goes on.
    await hand.way("รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN")
    assert "รวม 21" in hand.text
    assert await certificates(country) == 1


async def test_the_warning_says_what_is_certified(officer: MakeHand) -> None:
    hand = await officer()
    text = await hand.way(*TO_REVIEW, "รับรองระดับ อปท.")
    for part in (
        "เทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ",
        "ปีงบประมาณ 2570",
        "ข้าราชการ 12 คน\nลูกจ้างประจำ 3 คน\nพนักงานจ้าง 5 คน\nรวม 20 คน",
        "อปท. จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก",
    ):
        assert part in text
    assert hand.labels == ["ยืนยันการรับรอง", "ยกเลิก"]


async def test_cancelling_leads_back_to_the_numbers(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    review = await hand.way(*TO_REVIEW)
    await hand.press("รับรองระดับ อปท.")
    confirm_data = hand.phone.button("ยืนยันการรับรอง").data or ""
    assert await hand.press("ยกเลิก") == review
    assert await certificates(country) == 0
    # A warning that the officer has left can still be confirmed while the numbers are the same.
    await hand.forge(confirm_data)
    await hand.enter()
    assert await certificates(country) == 1


async def test_the_second_press_names_who_certified_and_when(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    first, second = await officer(name="ทดสอบ หนึ่ง"), await officer(name="ทดสอบ สอง")
    old_review = (await second.way(*TO_REVIEW), second.phone.button("รับรองระดับ อปท.").data or "")[1]
    for hand in (first, second):
        await hand.say("/menu")
        await hand.way(*TO_REVIEW, "รับรองระดับ อปท.")
    confirm = [hand.phone.button("ยืนยันการรับรอง") for hand in (first, second)]
    await first.press("ยืนยันการรับรอง")
    assert "ประวัติการรับรองข้อมูล" in await first.enter()
    certificates_and_links = await facts(country)
    clock.move(minutes=45)
    # The keypad is gone: the first presses on another card.
    await first.say("/menu")
    for hand, data in ((first, confirm[0].data), (second, confirm[1].data), (second, old_review)):
        text = await hand.forge(data or "", None if hand is first else confirm[1].message)
        assert text.startswith(OWN if hand is first else ALREADY)
        assert "เทศบาลตำบลบางปู" in text
        assert "ทดสอบ หนึ่ง · ปลัด\n2 พ.ย. 2569 09.30 น.\nรหัสตรวจสอบ" in text
    assert await facts(country) == certificates_and_links
    assert "สถานะการรับรองข้อมูล: รับรองระดับ อปท." in await second.press("ดูจำนวนบุคลากร", confirm[1].message)


@pytest.mark.parametrize(("minutes", "count"), [(30, 1), (31, 0)])
async def test_a_confirmation_lasts_half_an_hour(
    officer: MakeHand, country: Database, clock: Clock, minutes: int, count: int
) -> None:
    hand = await officer()
    await hand.way(*TO_REVIEW, "รับรองระดับ อปท.")
    clock.move(minutes=minutes)
    text = await hand.press("ยืนยันการรับรอง")
    assert (EXPIRED in text) is not count
    if count:
        await hand.enter()
    assert await certificates(country) == count


async def test_a_confirmation_is_its_officers_own(officer: MakeHand, country: Database) -> None:
    first, second = await officer(name="ทดสอบ หนึ่ง"), await officer(name="ทดสอบ สอง")
    await first.way(*TO_REVIEW, "รับรองระดับ อปท.")
    confirm, cancel = (first.phone.button(label).data or "" for label in ("ยืนยันการรับรอง", "ยกเลิก"))
    for data in (confirm, cancel, Confirm("0"), Cancel("0")):
        assert EXPIRED in await second.forge(data)
    # Not valid after logging out and in again either, because that is another link.
    await first.say("/logout")
    assert "โปรดเข้าสู่ระบบก่อน" in await first.forge(confirm)
    assert await certificates(country) == 0


@pytest.mark.parametrize("level", list(Level))
async def test_outside_a_round_nothing_is_certified(
    officer: MakeHand, country: Database, clock: Clock, level: Level
) -> None:
    if level is Level.PROVINCE:
        await certify_as(country, "lao5110201", (await officer()).phone.id, BANGPU, Level.LAO, clock())
        hand, label = await officer("province11"), "รับรองระดับจังหวัด"
        await hand.forge(ProvinceReview(BANGPU))
        await hand.way(*SPOT_CHECK, "ย้อนกลับ")
    else:
        hand, label = await officer(), "รับรองระดับ อปท."
        await hand.way(*TO_REVIEW)
    before = await facts(country)
    review = hand.phone.button("ข้าราชการ").message
    ask = hand.phone.button(label).data or ""
    await hand.press(label)
    confirm = hand.phone.button("ยืนยันการรับรอง").data or ""
    async with country.write() as session:
        await close_round(session, clock())
    for stale in (ask, confirm):
        assert NO_ROUND in await hand.forge(stale)
    await hand.forge(LaoReview() if level is Level.LAO else ProvinceReview(BANGPU), review)
    assert label not in hand.labels
    assert "ปิดรอบแล้ว" in hand.text
    # A confirmation of the last round is not valid in the next one.
    async with country.write() as session:
        await open_round(session, 2571, None, clock())
    for stale in (ask, confirm):
        assert "จึงยังไม่ได้รับรอง" in await hand.forge(stale) or "อปท. ยังไม่ได้รับรองข้อมูล" in hand.text
    assert await facts(country) == before


async def test_when_a_closing_is_undone_the_warning_on_the_screen_is_good_again(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    await hand.way(*TO_REVIEW, "รับรองระดับ อปท.")
    confirm = hand.phone.button("ยืนยันการรับรอง").data or ""
    async with country.write() as session:
        await close_round(session, clock())
    assert NO_ROUND in await hand.forge(confirm)
    async with country.write() as session:
        await reopen_round(session, "ผู้ดูแลระบบ", "ปิดก่อนกำหนดโดยผิดพลาด", clock())
    await hand.forge(confirm)
    await hand.way("PIN")
    assert await certificates(country) == 1
    assert "(หลังกำหนด)" not in hand.text


async def test_after_the_deadline_it_is_marked_late(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    clock.move(days=318)  # 16 September 2570, a day after the deadline
    await hand.say("/start")
    await hand.way("PIN", *TO_REVIEW, "รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN")
    assert "16 ก.ย. 2570 09.30 น. (หลังกำหนด)" in hand.text


async def test_on_the_last_day_it_is_not_late(officer: MakeHand, clock: Clock) -> None:
    hand = await officer()
    clock.move(days=317, hours=14)
    await hand.say("/start")
    await hand.way("PIN", *TO_REVIEW, "รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN")
    assert "15 ก.ย. 2570 23.30 น.\n" in hand.text


async def test_an_organization_without_a_register(officer: MakeHand, country: Database) -> None:
    hand = await officer(f"lao{NO_ROSTER}")
    sentence = "หน่วยงานนี้ยังไม่มีข้อมูลบุคลากรในระบบ"
    assert sentence in await hand.way(*TO_REVIEW)
    assert sentence in await hand.forge(LaoCertify("0123456789abcdef"))
    province = await officer("province11", "ทดสอบ สอง")
    assert sentence in await province.forge(ProvinceReview(NO_ROSTER))
    assert await certificates(country) == 0


async def test_the_province_waits_for_the_organization(officer: MakeHand, country: Database) -> None:
    hand = await officer("province11")
    await hand.forge(ProvinceReview(BANGPU))
    assert "รับรองระดับจังหวัด" not in hand.labels
    assert "อปท. ยังไม่ได้รับรองข้อมูล" in await hand.forge(ProvinceCertify(BANGPU, "0123456789abcdef"))
    assert await certificates(country) == 0


async def test_the_province_cannot_press_on_other_numbers(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    await certify_as(country, "lao5110201", (await officer()).phone.id, BANGPU, Level.LAO, clock())
    hand = await officer("province11", "ทดสอบ สอง")
    assert "ชื่อ หรือที่ตั้งของหน่วยงานเปลี่ยนไป" in await hand.forge(ProvinceCertify(BANGPU, "0123456789abcdef"))
    assert "ตรวจสอบข้อมูลระดับจังหวัด" in hand.text


OF_THE_LAO = [
    LaoMenu(),
    LaoReview(),
    LaoPositions(Category.OFFICIAL, 0),
    LaoCertify("0123456789abcdef"),
    LaoHistory(0),
]
OF_A_PROVINCE = [ProvinceMenu(), ChooseStatus(Status.LAO_CERTIFIED), ProvinceSearch(0), ProvinceList()]


def of_its_organization(code: str) -> list[Tap]:
    """The taps of a province's officer on an organization."""
    return [
        ProvinceReview(code),
        ProvincePositions(code, Category.OFFICIAL, 0),
        ProvinceCertify(code, "0123456789abcdef"),
        ProvinceHistory(code, 0),
        DrawSpotCheck(code),
        SpotRecord(code, 1, 1),
        MarkRecord(code, 1, 1, Mark.CORRECT),
        MarkRecord(code, 1, 1, Mark.INCORRECT),
        SpotSummary(code, 1),
        HandIn(code, 1),
        HandInIncorrect(code, 1, "0"),
        AskForReopening(code),
    ]


async def test_nobody_goes_beyond_the_own_level_and_province(officer: MakeHand, country: Database) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    before = await facts(country)
    for data in (*OF_A_PROVINCE, *of_its_organization(BANGPU)):
        assert (await lao.forge(data)).startswith(NO_RIGHT), data
    for data in OF_THE_LAO:
        assert (await province.forge(data)).startswith(NO_RIGHT), data
    for data in (*of_its_organization(ELSEWHERE), *of_its_organization("nowhere")):
        assert (await province.forge(data)).startswith(NO_RIGHT), data
    assert await facts(country) == before


async def test_a_chat_that_is_not_linked_is_asked_to_log_in(
    officer: MakeHand, stranger: Hand, country: Database
) -> None:
    before = await facts(country)
    await stranger.say("/start")
    for data in (
        *OF_THE_LAO,
        *OF_A_PROVINCE,
        *of_its_organization(BANGPU),
        CertificationMenu(),
        LogOut(),
        EditProfile(),
        Confirm("0"),
        Cancel("0"),
    ):
        assert (await stranger.forge(data)).startswith("แชตนี้ยังไม่ได้เข้าสู่ระบบ โปรดเข้าสู่ระบบก่อน"), data
        assert stranger.labels[0] == "เข้าสู่ระบบ"
    assert await facts(country) == before


async def test_a_keypad_too_old_to_be_deleted_loses_its_keys(officer: MakeHand, clock: Clock) -> None:
    """A bot can delete a message within 48 hours (Bot API, deleteMessage)."""
    hand = await officer()
    clock.move(hours=47)
    await hand.forge(Home())
    await hand.way("PIN")
    clock.move(hours=2)
    await hand.way(*TO_PIN)
    pad = hand.card
    for digit in PIN:
        await hand.phone.tap(digit, pad)
    await hand.sees(RECEIPT)
    await hand.phone.until(lambda _: pad.text == "👇 ดูผลการรับรองด้านล่าง")
    assert pad.labels == []
