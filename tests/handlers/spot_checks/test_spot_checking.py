"""สุ่มตรวจสอบ in the chat, record by record to the certificate or to a reopening (procedure, province step 5)."""

import re
from datetime import datetime

import pytest
from sqlalchemy import select, update

from handlers.chat.taps.accounts import Home
from handlers.chat.taps.certification import ProvinceCertify, ProvinceReview
from handlers.chat.taps.province import ProvinceMenu
from handlers.chat.taps.remarks import AskForReopening, SendReopening
from handlers.chat.taps.spot_checks import (
    DrawSpotCheck,
    HandIn,
    HandInIncorrect,
    MarkRecord,
    SpotRecord,
    SpotSummary,
)
from models.accounts.account import active_officer
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Certification, Level
from models.certification.certify import reopen
from models.certification.review import review
from models.certification.spot_check import Mark, SpotCheck, SpotCheckItem
from models.chats.conversation import Conversation
from models.database.engine import Database
from models.register.roster import Category, PersonnelRecord, Roster
from models.remarks.petition import decide, list_petitions
from tests.handlers.support import Hand, MakeHand
from tests.support import Clock, certify_as, put_roster, record

BANGPU, ELSEWHERE = "5110201", "6120401"
NOTE = "วันบรรจุไม่ตรงกับทะเบียนประวัติ"
ENDED = "การสุ่มตรวจสอบนี้ใช้ไม่ได้แล้ว"
# From the summary with anything not correct to its hand-in.
HAND_IN = ("ส่งผลสุ่มตรวจสอบ", "ส่งผลสุ่มตรวจสอบ", "PIN")
NO_RIGHT = "บัญชีของท่านไม่มีสิทธิ์ในรายการนี้"


@pytest.fixture
async def certifier(officer: MakeHand) -> Hand:
    """The officer who certifies for เทศบาลตำบลบางปู."""
    return await officer()


@pytest.fixture
async def reviewer(officer: MakeHand, certifier: Hand, country: Database, clock: Clock) -> Hand:
    """An officer of the province before an organization that waits."""
    await certify(certifier, country, clock)
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(จังหวัด)", "ค้นหา", "🔍 ทต.บางปู")
    return hand


async def certify(certifier: Hand, country: Database, clock: Clock) -> None:
    await certify_as(country, f"lao{BANGPU}", certifier.phone.id, BANGPU, Level.LAO, clock())


async def items(country: Database) -> list[SpotCheckItem]:
    async with country.read() as session:
        return list(await session.scalars(select(SpotCheckItem).order_by("spot_check_id", "place")))


async def made_by_province(country: Database) -> list[Certification]:
    async with country.read() as session:
        return list(await session.scalars(select(Certification).where(Certification.level == Level.PROVINCE)))


async def not_correct(hand: Hand, note: str = NOTE) -> str:
    await hand.press("ไม่ถูกต้อง")
    return await hand.say(note)


async def test_each_drawn_record_is_marked_and_then_the_province_certifies(
    reviewer: Hand, country: Database
) -> None:
    assert "สุ่มตรวจสอบ" in reviewer.labels
    assert "รับรองระดับจังหวัด" not in reviewer.labels
    text = await reviewer.press("สุ่มตรวจสอบ")
    first, *_ = await items(country)
    async with country.read() as session:
        person = await session.scalar(
            select(PersonnelRecord).where(
                PersonnelRecord.organization_code == BANGPU, PersonnelRecord.record_no == first.record_no
            )
        )
    assert person is not None
    empty = person.menus == "rn-"
    assert text == (
        "สุ่มตรวจสอบ 1/3\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        f"{person.full_name}\nเลขที่ทะเบียน {first.record_no}\nข้าราชการ\n{person.position} ปฏิบัติการ\n\n"
        + (
            "⚠️ ยังไม่บันทึก (1)\nเครื่องราชฯ\n☑️ บันทึกแล้ว (1)\nประวัติ\n➖ ไม่มี (1)\nการศึกษา"
            if empty
            else "☑️ บันทึกแล้ว (2)\nประวัติ · การศึกษา\n➖ ไม่มี (1)\nเครื่องราชฯ"
        )
        + "\n\nผล: ยังไม่ได้ตรวจ"
    )
    assert reviewer.labels == ["✅ ถูกต้อง", "❌ ไม่ถูกต้อง", "รายที่ 2/3 ▶", "ย้อนกลับ", "หน้าหลัก"]
    assert "สุ่มตรวจสอบ 2/3" in await reviewer.press("✅ ถูกต้อง")
    await reviewer.press("ย้อนกลับ")
    # Everything is in the database: it goes on where it was left.
    assert "สุ่มตรวจสอบ (1/3)" in reviewer.labels
    assert "สุ่มตรวจสอบ 2/3" in await reviewer.press("สุ่มตรวจสอบ (1/3)")
    assert "สุ่มตรวจสอบ 3/3" in await reviewer.press("✅ ถูกต้อง")
    text = await reviewer.press("✅ ถูกต้อง")
    assert text.startswith("สรุปผลสุ่มตรวจสอบ\n\n")
    assert text.count("✅ ถูกต้อง") == 3
    assert "ถูกต้องทั้งหมด ระบบจะส่งผลพร้อมการรับรอง" in text
    assert text.endswith("ข้าราชการ 12 คน\nลูกจ้างประจำ 3 คน\nพนักงานจ้าง 5 คน\nรวม 20 คน")
    # In a list names are masked.
    assert person.full_name not in text
    assert f"✅ ถูกต้อง · {first.record_no} บุคคล ท•••\n" in text
    # ยกเลิก hands nothing in.
    await reviewer.way("รับรองระดับจังหวัด", "ยกเลิก")
    assert await handed_in(country) is None
    assert "สุ่มตรวจสอบ: ✅ ถูกต้องทั้งหมด" in reviewer.text
    text = await reviewer.way("รับรองระดับจังหวัด", "ยืนยันการรับรอง", "PIN")
    assert text.startswith("✅ สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")
    (made,) = await made_by_province(country)
    assert made.spot_check is not None
    assert "บุคคล" not in made.spot_check
    assert await handed_in(country) == made.certified_at


async def test_a_record_with_an_empty_menu_is_correct_only_after_a_second_question(
    certifier: Hand, officer: MakeHand, country: Database, clock: Clock
) -> None:
    async with country.write() as session:
        await session.execute(update(PersonnelRecord).values(menus="-r-"))
    await certify(certifier, country, clock)
    reviewer = await officer("province11", "ทดสอบ สอง")
    await reviewer.forge(ProvinceReview(BANGPU))
    await reviewer.press("สุ่มตรวจสอบ")
    # Nothing is suggested by its colour.
    assert [button.style for button in reviewer.card.buttons[0]] == [None, None]
    correct = reviewer.phone.button("✅ ถูกต้อง", reviewer.card).data or ""
    text = await reviewer.forge(correct)
    assert text.startswith("สุ่มตรวจสอบ 1/3\n")
    assert text.endswith("⚠️ ยังไม่บันทึก (2)\nประวัติ\nเครื่องราชฯ\n\nเมนูข้างต้นยังไม่ได้บันทึก ท่านตรวจแล้วว่าระเบียนนี้ถูกต้องใช่หรือไม่")
    assert reviewer.labels == ["ถูกต้อง แม้ยังไม่บันทึกเมนู", "❌ ไม่ถูกต้อง", "ย้อนกลับ", "หน้าหลัก"]
    assert {one.mark for one in await items(country)} == {None}
    assert "ผล: ยังไม่ได้ตรวจ" in await reviewer.press("ย้อนกลับ")
    await reviewer.forge(correct)
    assert "สุ่มตรวจสอบ 2/3" in await reviewer.press("ถูกต้อง แม้ยังไม่บันทึกเมนู")
    # The other answer is typed as ever.
    first, *_ = await items(country)
    await reviewer.forge(MarkRecord(BANGPU, first.spot_check_id, 2, Mark.CORRECT))
    assert "พิมพ์สิ่งที่ไม่ถูกต้อง" in await reviewer.press("❌ ไม่ถูกต้อง")
    assert [one.mark for one in await items(country)] == [Mark.CORRECT, None, None]


async def test_what_only_the_operator_can_unblock_does_not_wait_for_the_province(
    reviewer: Hand, certifier: Hand, officer: MakeHand, country: Database, clock: Clock
) -> None:
    colleague = await officer("province11", "ทดสอบ สาม")
    neighbour = await officer("lao6110301", "ทดสอบ สี่")
    await certify_as(country, "lao6110301", neighbour.phone.id, "6110301", Level.LAO, clock())
    await reviewer.press("สุ่มตรวจสอบ")
    await not_correct(reviewer)
    await reviewer.way("✅ ถูกต้อง", "✅ ถูกต้อง", *HAND_IN)
    # ถัดไป is in reach, and leads to what the province can certify.
    assert "ถัดไป" in reviewer.labels
    assert "\nอบต.บางปู\n" in await reviewer.press("ถัดไป")
    assert "รอท่านรับรอง 1 แห่ง\n⛔ รอผู้ดูแลระบบเปิดให้แก้ไข 1 แห่ง\n" in await reviewer.press("หน้าหลัก")
    assert reviewer.labels[0] == "🔍 อบต.บางปู"
    await reviewer.press("🔍 อบต.บางปู")
    # The live card counts it no more.
    clock.move(seconds=5)
    await colleague.phone.until(
        lambda phone: any(one.text.startswith("🔔 รอท่าน 1 แห่ง\n") for one in phone.messages if one.outgoing)
    )
    # Statuses and the filter stay; every list marks it.
    await reviewer.forge(ProvinceMenu())
    assert "✓ รับรองระดับ อปท. (2)" in reviewer.labels
    text = await reviewer.press("ค้นหา")
    assert "⛔🔍 ทต.บางปู" in reviewer.labels
    assert "⛔ สุ่มตรวจสอบไม่ผ่าน รอผู้ดูแลระบบเปิดให้แก้ไข" in text
    await reviewer.say("บางปู")
    assert "◐⛔🔍 ทต.บางปู" in reviewer.labels
    assert reviewer.labels.count("◐🔍 อบต.บางปู") == 1
    await reviewer.press("⛔🔍 ทต.บางปู")
    assert reviewer.labels[:3] == ["ถัดไป", "สุ่มตรวจสอบ (3/3)", "ขอเปิดให้แก้ไข"]
    # As soon as it is opened and certified anew, it waits again.
    async with country.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "นับซ้ำหนึ่งราย", clock())
    await certify(certifier, country, clock)
    assert "รอท่านรับรอง 2 แห่ง\nรับรองระดับจังหวัดแล้ว" in await reviewer.forge(Home())


async def test_what_is_not_correct_is_typed(reviewer: Hand, country: Database) -> None:
    text = await reviewer.way("สุ่มตรวจสอบ", "ไม่ถูกต้อง")
    first, *_ = await items(country)
    assert f"เลขที่ทะเบียน {first.record_no}" in text
    assert "พิมพ์สิ่งที่ไม่ถูกต้อง" in text
    assert reviewer.labels == ["ยกเลิก"]
    assert "ข้อความไม่มีตัวอักษร" in await reviewer.say("....")
    assert "พิมพ์สิ่งที่ไม่ถูกต้อง" in reviewer.text
    assert "โปรดตอบเป็นข้อความ" in await reviewer.reply_to(reviewer.phone.send_photo())
    assert "พิมพ์สิ่งที่ไม่ถูกต้อง" in reviewer.text
    assert "สุ่มตรวจสอบ 2/3" in await reviewer.say(f"{NOTE} <b>1</b>")
    assert f"ผล: ❌ ไม่ถูกต้อง\n{NOTE} <b>1</b>" in await reviewer.press("◀ รายที่ 1/3")
    # A mark can be changed until the check is handed in.
    await reviewer.press("✅ ถูกต้อง")
    assert "ผล: ✅ ถูกต้อง" in await reviewer.press("◀ รายที่ 1/3")
    assert [(one.mark, one.note) for one in await items(country)] == [
        (Mark.CORRECT, None),
        (None, None),
        (None, None),
    ]


async def test_a_note_that_is_not_typed_marks_nothing(reviewer: Hand, country: Database) -> None:
    await reviewer.way("สุ่มตรวจสอบ", "ไม่ถูกต้อง")
    assert "สุ่มตรวจสอบ 1/3" in await reviewer.press("ยกเลิก")
    assert "ไม่พบ อปท." in await reviewer.say(NOTE)
    assert {one.mark for one in await items(country)} == {None}


async def test_a_failed_check_blocks_and_asks_for_a_reopening(
    reviewer: Hand, certifier: Hand, officer: MakeHand, country: Database, clock: Clock
) -> None:
    colleague = await officer("province11", "ทดสอบ สาม")
    await reviewer.press("สุ่มตรวจสอบ")
    await not_correct(reviewer)
    text = await reviewer.way("✅ ถูกต้อง", "✅ ถูกต้อง")
    assert re.search(f"❌ ไม่ถูกต้อง · \\d+ บุคคล ท•••\n{NOTE}\n", text)
    assert "ไม่ถูกต้อง 1 ราย เมื่อส่งผลแล้วจะรับรองครั้งนี้ไม่ได้" in text
    assert "ยืนยันส่งผลสุ่มตรวจสอบหรือไม่" in await reviewer.press("ส่งผลสุ่มตรวจสอบ")
    assert "สรุปผลสุ่มตรวจสอบ" in await reviewer.press("ยกเลิก")
    async with country.read() as session:
        assert await list_petitions(session) == []
    text = await reviewer.way(*HAND_IN)
    first, *_ = await items(country)
    assert text.startswith("เทศบาลตำบลบางปู\n")
    assert "⛔ ส่งผลสุ่มตรวจสอบแล้ว ครั้งนี้รับรองไม่ได้" in text
    assert f"{first.record_no}: {NOTE}" in text
    for one in (certifier, colleague):
        await one.sees("จังหวัดขอเปิดให้แก้ไขข้อมูลที่รับรองแล้ว")
        await one.sees(f"เหตุผล: {first.record_no}: {NOTE}")
    text = await reviewer.forge(ProvinceReview(BANGPU))
    assert "สุ่มตรวจสอบ: ❌ ไม่ถูกต้อง จึงรับรองไม่ได้" in text
    assert "รับรองระดับจังหวัด" not in reviewer.labels
    assert "รับรองครั้งนี้ไม่ได้" in await reviewer.forge(ProvinceCertify(BANGPU, await fingerprint(reviewer, country)))
    await reviewer.forge(ProvinceReview(BANGPU))
    text = await reviewer.press("ขอเปิดให้แก้ไข")
    assert "อยู่ระหว่างพิจารณา" in text
    assert "ตรวจสอบข้อมูลระดับจังหวัด" in text, "the organization stays"
    async with country.write() as session:
        (asked,) = await list_petitions(session)
        await decide(session, asked.id, granted=False, by="ผู้ดูแล", reason="ยังไม่เห็นหลักฐาน", now=clock())
    await reviewer.sees("ไม่อนุญาตให้แก้ไขข้อมูล")
    # It asks again, in its own words.
    await reviewer.forge(ProvinceReview(BANGPU))
    assert "พิมพ์เหตุผลที่ต้องเปิดให้แก้ไข" in await reviewer.press("ขอเปิดให้แก้ไข")
    assert "ข้อความไม่มีตัวอักษร" in await reviewer.say("12345")
    assert "โปรดตอบเป็นข้อความ" in await reviewer.reply_to(reviewer.phone.send_photo())
    assert "ส่งสำเนาคำสั่งให้แล้ว" in await reviewer.say("ส่งสำเนาคำสั่งให้แล้ว")
    send = reviewer.phone.button("ส่งคำขอ").data or ""
    assert "ส่งคำขอแล้ว" in await reviewer.press("ส่งคำขอ")
    assert "ส่งคำขอแล้ว" not in await reviewer.forge(send)
    async with country.write() as session:
        (asked,) = await list_petitions(session)
        await decide(session, asked.id, granted=True, by="ผู้ดูแล", reason="เห็นหลักฐานแล้ว", now=clock())
    await reviewer.sees("เปิดให้แก้ไขข้อมูลแล้ว")
    # Only the next revision can be certified, after a draw of its own.
    await certify(certifier, country, clock)
    await reviewer.forge(ProvinceReview(BANGPU))
    await reviewer.press("สุ่มตรวจสอบ")
    while "✅ ถูกต้อง" in reviewer.labels:
        await reviewer.press("✅ ถูกต้อง")
    assert "รับรองระดับจังหวัด" in reviewer.labels
    # What was not correct is drawn again, beside the three of the whole register.
    again = [one.record_no for one in (await items(country))[3:]]
    assert first.record_no in again
    assert len(again) == 3 + (first.record_no not in again[:3])


async def test_a_failed_check_is_handed_in_with_the_pin_only(reviewer: Hand, country: Database) -> None:
    await reviewer.press("สุ่มตรวจสอบ")
    await not_correct(reviewer)
    summary = await reviewer.way("✅ ถูกต้อง", "✅ ถูกต้อง")
    text = await reviewer.way(*HAND_IN[:-1])
    assert text == (
        "⚠️ ยืนยันส่งผลสุ่มตรวจสอบหรือไม่\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        "ไม่ถูกต้อง 1 จาก 3 ราย\n\nโปรดใส่ PIN ของท่าน\n○○○○○○"
    )
    assert reviewer.labels[-2:] == ["ยกเลิก", "ลืม PIN"]
    assert await reviewer.press("ยกเลิก") == summary
    assert await handed_in(country) is None
    await reviewer.way(*HAND_IN[:-1])
    assert "PIN ไม่ถูกต้อง ใส่ได้อีก 4 ครั้ง" in await reviewer.enter("135790")
    assert await handed_in(country) is None
    async with country.read() as session:
        assert await list_petitions(session) == []
    assert "⛔ ส่งผลสุ่มตรวจสอบแล้ว" in await reviewer.enter()
    assert await handed_in(country)
    async with country.read() as session:
        assert len(await list_petitions(session)) == 1


@pytest.mark.parametrize("before", ["the press", "the PIN"])
async def test_a_mark_that_changes_meanwhile_is_not_handed_in(
    reviewer: Hand, officer: MakeHand, country: Database, before: str
) -> None:
    colleague = await officer("province11", "ทดสอบ สาม")
    await reviewer.press("สุ่มตรวจสอบ")
    await not_correct(reviewer)
    await reviewer.way("✅ ถูกต้อง", "✅ ถูกต้อง", *HAND_IN[: 1 if before == "the press" else 2])
    await colleague.forge(ProvinceReview(BANGPU))
    await colleague.way("สุ่มตรวจสอบ (3/3)", "ดูทีละราย", "รายที่ 2/3 ▶")
    await not_correct(colleague)
    text = await reviewer.press("ส่งผลสุ่มตรวจสอบ" if before == "the press" else "PIN")
    assert text.startswith("⚠️ มีผู้แก้ไขผลตรวจระหว่างนี้ จึงยังไม่ได้ส่งผล")
    assert "ไม่ถูกต้อง 2 ราย เมื่อส่งผลแล้วจะรับรองครั้งนี้ไม่ได้" in text
    assert await handed_in(country) is None
    assert "⛔ ส่งผลสุ่มตรวจสอบแล้ว" in await reviewer.way(*HAND_IN)


async def handed_in(country: Database) -> datetime | None:
    """When the only spot-check was handed in."""
    async with country.read() as session:
        return await session.scalar(select(SpotCheck.handed_in_at))


@pytest.mark.parametrize("typed", [NOTE, "x"])
async def test_a_note_never_marks_a_record_correct(reviewer: Hand, country: Database, typed: str) -> None:
    """What the chat is asked for has no seal: whoever changes it in the database does not turn the mark around."""
    await reviewer.way("สุ่มตรวจสอบ", "ไม่ถูกต้อง")
    async with country.write() as session:
        forged = MarkRecord(BANGPU, 1, 1, Mark.CORRECT).pack()
        await session.execute(update(Conversation).where(Conversation.subject.is_not(None)).values(subject=forged))
    assert "ไม่พบข้อความที่จะส่ง" in await reviewer.say(typed)
    assert [one.mark for one in await items(country)] == [None, None, None]


async def fingerprint(reviewer: Hand, country: Database) -> str:
    """Of the figures that the officer sees."""
    async with country.read() as session:
        officer = await active_officer(session, reviewer.phone.id)
        assert officer is not None
        return (await review(session, officer, BANGPU)).fingerprint(Level.PROVINCE)


async def test_colleagues_share_one_draw(reviewer: Hand, officer: MakeHand, country: Database) -> None:
    colleague = await officer("province11", "ทดสอบ สาม")
    mine = await reviewer.press("สุ่มตรวจสอบ")
    await colleague.forge(ProvinceReview(BANGPU))
    assert await colleague.press("สุ่มตรวจสอบ (0/3)") == mine
    await colleague.press("✅ ถูกต้อง")
    # Both mark the first: the later mark counts, and nothing is lost.
    await not_correct(reviewer)
    assert "สุ่มตรวจสอบ 3/3" in await colleague.press("✅ ถูกต้อง")
    assert [one.mark for one in await items(country)] == [Mark.INCORRECT, Mark.CORRECT, None]
    old = reviewer.phone.button("✅ ถูกต้อง", reviewer.card).data or ""
    await colleague.press("✅ ถูกต้อง")
    await colleague.way(*HAND_IN)
    # After handing in nothing is marked any more.
    assert "ส่งผลสุ่มตรวจสอบไปแล้ว จึงแก้ไขไม่ได้" in await reviewer.forge(old)
    assert "ส่งผลแล้วเมื่อ 2 พ.ย. 2569 09.30 น." in await reviewer.forge(DrawSpotCheck(BANGPU))
    assert "ส่งผลสุ่มตรวจสอบ" not in reviewer.labels
    await reviewer.press("ดูทีละราย")
    assert "✅ ถูกต้อง" not in reviewer.labels
    assert [one.mark for one in await items(country)] == [Mark.INCORRECT, Mark.CORRECT, Mark.CORRECT]


async def test_a_colleague_who_finds_something_meanwhile_is_not_passed_over(
    reviewer: Hand, officer: MakeHand, country: Database
) -> None:
    colleague = await officer("province11", "ทดสอบ สาม")
    await reviewer.way("สุ่มตรวจสอบ", *["✅ ถูกต้อง"] * 3)
    assert "ถูกต้องทั้งหมด" in reviewer.text
    await colleague.forge(ProvinceReview(BANGPU))
    await colleague.way("สุ่มตรวจสอบ (3/3)", "ดูทีละราย")
    await not_correct(colleague)
    assert "ชื่อ หรือที่ตั้งของหน่วยงานเปลี่ยนไป" in await reviewer.press("รับรองระดับจังหวัด")
    assert "รับรองระดับจังหวัด" not in reviewer.labels
    assert await handed_in(country) is None


async def test_a_mark_that_changes_below_the_keypad_is_not_certified(
    reviewer: Hand, officer: MakeHand, country: Database
) -> None:
    colleague = await officer("province11", "ทดสอบ สาม")
    await reviewer.way("สุ่มตรวจสอบ", *["✅ ถูกต้อง"] * 3, "รับรองระดับจังหวัด", "ยืนยันการรับรอง")
    await colleague.forge(ProvinceReview(BANGPU))
    await colleague.way("สุ่มตรวจสอบ (3/3)", "ดูทีละราย")
    # ถูกต้อง again, and by somebody else: not what the reviewer was warned about.
    await colleague.press("✅ ถูกต้อง")
    assert "ชื่อ หรือที่ตั้งของหน่วยงานเปลี่ยนไป" in await reviewer.press("PIN")
    assert await made_by_province(country) == []
    assert await handed_in(country) is None


async def test_marks_that_nobody_made_are_not_certified(reviewer: Hand, country: Database) -> None:
    """By plain SQL, before the check is handed in, which no trigger refuses."""
    await reviewer.way("สุ่มตรวจสอบ", *["✅ ถูกต้อง"] * 2)
    first, _, last = await items(country)
    written = {"mark": Mark.CORRECT, "marked_at": first.marked_at, "officer_id": first.officer_id}
    async with country.write() as session:
        await session.execute(update(SpotCheckItem).where(SpotCheckItem.place == last.place).values(written))
    await reviewer.forge(ProvinceReview(BANGPU))
    text = await reviewer.way("สุ่มตรวจสอบ (3/3)", "รับรองระดับจังหวัด")
    assert "⛔ ข้อมูลสุ่มตรวจสอบนี้ไม่ตรงกับที่สุ่มและบันทึกผลไว้" in text
    assert await made_by_province(country) == []
    assert await handed_in(country) is None
    async with country.read() as session:
        refused = await session.scalar(select(AuditEvent.details).where(AuditEvent.kind == Event.REFUSED))
        assert "spot-check altered" in (refused or "")


async def test_what_a_colleague_has_corrected_meanwhile_is_not_handed_in_as_failed(
    reviewer: Hand, officer: MakeHand, country: Database
) -> None:
    colleague = await officer("province11", "ทดสอบ สาม")
    await reviewer.press("สุ่มตรวจสอบ")
    await not_correct(reviewer)
    await reviewer.way("✅ ถูกต้อง", "✅ ถูกต้อง")
    await colleague.forge(ProvinceReview(BANGPU))
    await colleague.way("สุ่มตรวจสอบ (3/3)", "ดูทีละราย", "✅ ถูกต้อง")
    text = await reviewer.press("ส่งผลสุ่มตรวจสอบ")
    assert "ถูกต้องทั้งหมด ระบบจะส่งผลพร้อมการรับรอง" in text
    assert await handed_in(country) is None


async def test_an_old_card_of_an_ended_revision_marks_nothing(
    reviewer: Hand, certifier: Hand, country: Database, clock: Clock
) -> None:
    await reviewer.press("สุ่มตรวจสอบ")
    old = [
        reviewer.phone.button(label, reviewer.card).data or ""
        for label in ("✅ ถูกต้อง", "❌ ไม่ถูกต้อง", "รายที่ 2/3 ▶")
    ]
    async with country.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "นับซ้ำหนึ่งราย", clock())
    for data in old:
        assert "อปท. ยังไม่ได้รับรองข้อมูล" in await reviewer.forge(data)
    await certify(certifier, country, clock)
    await reviewer.forge(ProvinceReview(BANGPU))
    assert "สุ่มตรวจสอบ" in reviewer.labels
    await reviewer.press("สุ่มตรวจสอบ")
    for data in (
        *old,
        SpotSummary(BANGPU, 1),
        HandIn(BANGPU, 1),
        HandInIncorrect(BANGPU, 1, "0"),
        MarkRecord(BANGPU, 2, 9, Mark.CORRECT),
        AskForReopening(BANGPU),
    ):
        assert ENDED in await reviewer.forge(data), data
    assert {one.mark for one in await items(country)} == {None}


async def test_a_note_for_an_ended_revision_is_not_taken(
    reviewer: Hand, certifier: Hand, country: Database, clock: Clock
) -> None:
    await reviewer.way("สุ่มตรวจสอบ", "ไม่ถูกต้อง")
    async with country.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "นับซ้ำหนึ่งราย", clock())
    await certify(certifier, country, clock)
    assert ENDED in await reviewer.say(NOTE)
    assert {one.mark for one in await items(country)} == {None}


async def test_foreign_spot_checks_are_nobodys_business(
    reviewer: Hand, certifier: Hand, officer: MakeHand, country: Database, clock: Clock
) -> None:
    await reviewer.press("สุ่มตรวจสอบ")
    outsider, neighbour = await officer("province12", "ทดสอบ สี่"), await officer("lao6120401", "ทดสอบ ห้า")
    taps = [
        DrawSpotCheck(BANGPU),
        SpotRecord(BANGPU, 1, 1),
        MarkRecord(BANGPU, 1, 1, Mark.CORRECT),
        MarkRecord(BANGPU, 1, 1, Mark.INCORRECT),
        SpotSummary(BANGPU, 1),
        HandIn(BANGPU, 1),
        HandInIncorrect(BANGPU, 1, "0"),
        AskForReopening(BANGPU),
        SendReopening(BANGPU, "x"),
    ]
    for data in taps:
        for hand in (certifier, outsider):
            text = await hand.forge(data)
            assert "เลขที่ทะเบียน" not in text
            if data != SendReopening(BANGPU, "x") or hand is certifier:
                assert text.startswith(NO_RIGHT), data
    # Nor by naming one's own organization with another's draw.
    await certify_as(country, f"lao{ELSEWHERE}", neighbour.phone.id, ELSEWHERE, Level.LAO, clock())
    await outsider.forge(DrawSpotCheck(ELSEWHERE))
    assert ENDED in await outsider.forge(MarkRecord(ELSEWHERE, 1, 1, Mark.CORRECT))
    assert {one.mark for one in await items(country)} == {None}


async def test_the_press_without_a_spot_check_is_refused(reviewer: Hand, country: Database) -> None:
    refused = "สุ่มตรวจสอบให้ครบก่อน"
    assert refused in await reviewer.forge(ProvinceCertify(BANGPU, await fingerprint(reviewer, country)))
    await reviewer.forge(ProvinceReview(BANGPU))
    await reviewer.press("สุ่มตรวจสอบ")
    assert "ยังตรวจไม่ครบทุกราย" in await reviewer.forge(HandIn(BANGPU, 1))
    assert await made_by_province(country) == []


async def test_a_long_record_stays_within_a_message(
    officer: MakeHand, certifier: Hand, country: Database, clock: Clock
) -> None:
    """200 menus, names of 200 letters and notes of 1,000 (Bot API, sendMessage: 4,096)."""
    async with country.write() as session:
        await put_roster(session, BANGPU, (0, 0, 0), clock())
        roster = await session.get_one(Roster, BANGPU)
        roster.menu_names = [f"เมนูที่ {number} {'&' * 190}" for number in range(200)]
        for number in range(20):
            values = record(BANGPU, number, Category.OFFICIAL, "rn-r" * 50)
            values |= {"full_name": "<" * 200, "position": "ต" * 200, "level": "&" * 100}
            session.add(PersonnelRecord(**values))
    await certify(certifier, country, clock)
    hand = await officer("province11")
    assert "⚠️ ยังไม่บันทึก (50)" in await hand.forge(DrawSpotCheck(BANGPU))
    for _ in range(3):
        assert "❌" not in await not_correct(hand, "ผิด " * 250) or "สรุปผล" in hand.text
    assert "…" in await hand.way("ดูทีละราย")


async def test_the_screens_are_protected(reviewer: Hand) -> None:
    await reviewer.press("สุ่มตรวจสอบ")
    assert reviewer.card.options["has_protected_content"]
    assert re.search("บุคคล ทดสอบ\\d+\n", reviewer.text)


async def test_an_idle_chat_wants_the_pin_before_names(reviewer: Hand, clock: Clock) -> None:
    await reviewer.press("สุ่มตรวจสอบ")
    data = reviewer.phone.button("รายที่ 2/3 ▶", reviewer.card).data or ""
    clock.move(hours=13)
    assert "โปรดใส่ PIN ของท่าน" in await reviewer.forge(data)
    assert "เลขที่ทะเบียน" not in reviewer.text
    assert "สุ่มตรวจสอบ 2/3" in await reviewer.enter()
