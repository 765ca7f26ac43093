"""A province's list: filter, search, the next organization, and colleagues at the same one."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event, select

from handlers.chat.screen import Screen
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.province import (
    ChooseDistrict,
    ChooseType,
    NextWaiting,
    ProvinceDistricts,
    ProvinceMenu,
    ProvinceSearch,
    ProvinceTypes,
    SkipWaiting,
)
from handlers.chat.turn import Turn
from handlers.province import listing
from models.certification.certificate import Level
from models.certification.remark import Remark, RemarkKind
from models.chats.conversation import load_conversation
from models.database.engine import Database, Session
from models.organizations.organization import Organization
from models.province.listing import Listing
from models.province.visit import Visit
from tests.handlers.support import SPOT_CHECK, Hand, MakeHand
from tests.support import ORGANIZATIONS, Clock, certify_as, link

BANGPU, BANGPU_TAO, PHRAEKSA, THEPHARAK, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
TO_FILTER = ("ระบบรับรองข้อมูล", "ดำเนินการ(จังหวัด)")
REVIEW = "ตรวจสอบข้อมูลระดับจังหวัด\n"
CERTIFY = (*SPOT_CHECK, "รับรองระดับจังหวัด", "ยืนยันการรับรอง", "PIN")


@pytest.fixture
async def waiting(officer: MakeHand, country: Database, clock: Clock) -> list[str]:
    """Three that wait, in the list's order, with a moment between their certificates."""
    codes = [BANGPU_TAO, BANGPU, PHRAEKSA]
    for code in reversed(codes):
        certifier = await officer(f"lao{code}", f"ทดสอบ {code}")
        await certify_as(country, f"lao{code}", certifier.phone.id, code, Level.LAO, clock())
        clock.move(minutes=1)
    return codes


async def ask(country: Database, clock: Clock, code: str) -> None:
    async with country.write() as session:
        session.add(
            Remark(
                organization_code=code,
                round_id=1,
                revision=1,
                kind=RemarkKind.QUESTION,
                body="จำนวนไม่ตรง",
                author="ผู้ทดสอบ",
                made_at=clock(),
            )
        )


def is_review(text: str, organization: str, heading: str = "") -> bool:
    """Whether a screen is the review of an organization: its name and its numbers stand last."""
    return text.startswith(heading + REVIEW) and f"\n\n{organization}\nอ." in text


def listed(hand: Hand) -> list[str]:
    return [label for label in hand.labels if "🔍" in label]


async def kept(country: Database) -> Listing:
    async with country.read() as session:
        return (await session.scalars(select(Listing))).one()


# --- the filter -----------------------------------------------------------------------------------------------


async def test_type_and_district_are_chosen_from_what_there_is(officer: MakeHand, waiting: list[str]) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way("ระบบรับรองข้อมูล (3)", "ดำเนินการ(จังหวัด)")
    assert "ประเภท\nสถานภาพรับรองข้อมูล: รับรองระดับ อปท." in await hand.press("ประเภท")
    assert hand.labels == ["✓ ทั้งหมด (3)", "เทศบาลตำบล (1)", "อบต. (2)", "ย้อนกลับ", "หน้าหลัก"]
    text = await hand.press("อบต. (2)")
    assert "สถานภาพรับรองข้อมูล: รับรองระดับ อปท.\nอบต.\n" in text
    # The counts of the statuses are of what is left.
    assert hand.labels[:4] == [
        "ยังไม่รับรอง (1)",
        "✓ รับรองระดับ อปท. (2)",
        "รับรองระดับจังหวัด (0)",
        "✓ ประเภท",
    ]
    await hand.way("ยังไม่รับรอง", "อำเภอ")
    assert hand.labels == ["✓ ทั้งหมด (1)", "บางพลี (1)", "ย้อนกลับ", "หน้าหลัก"]
    assert "อบต. · อ.บางพลี" in await hand.press("บางพลี")
    assert "สถานภาพรับรองข้อมูล: ยังไม่รับรอง\nอบต. · อ.บางพลี\nพบ 1 แห่ง" in await hand.press("ค้นหา")
    assert listed(hand) == ["🔍 อบต.เทพารักษ์"]
    # The filter is kept between visits.
    await hand.say("/menu")
    assert "อบต. · อ.บางพลี" in await hand.way(*TO_FILTER)
    await hand.way("อำเภอ", "ทั้งหมด")
    assert "อบต.\n" in hand.text
    assert "บางพลี" not in hand.text
    assert "อบต." not in await hand.press("ล้างตัวกรอง")
    assert "ล้างตัวกรอง" not in hand.labels


async def test_districts_come_a_page_at_a_time(officer: MakeHand, country: Database) -> None:
    async with country.write() as session:
        sample = await session.get_one(Organization, THEPHARAK)
        values = {column.key: getattr(sample, column.key) for column in sample.__table__.columns}
        names = ["กก", "เกาะ", "ขาม", "โขลน", "คลอง", "งิ้ว", "แจ้", "ชัย", "ไชยา"]
        for number, name in enumerate(names):
            session.add(Organization(**values | {"dla_code": f"61199{number:02}", "district_th": name}))
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way(*TO_FILTER, "ยังไม่รับรอง", "อำเภอ")
    assert hand.labels[1:] == [f"{name} (1)" for name in names[:8]] + ["หน้า 2/2 ▶", "ย้อนกลับ", "หน้าหลัก"]
    await hand.press("หน้า 2/2 ▶")
    assert hand.labels[1:4] == ["ไชยา (1)", "บางพลี (1)", "เมืองสมุทรปราการ (3)"]
    assert "อ.ไชยา" in await hand.press("ไชยา")
    await hand.forge(ProvinceDistricts(999999999))
    assert "◀ หน้า 1/2" in hand.labels


async def test_remarks_and_order(officer: MakeHand, country: Database, clock: Clock, waiting: list[str]) -> None:
    await ask(country, clock, BANGPU)
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way(*TO_FILTER, "↕ ตามประเภทและชื่อ")
    text = await hand.press("ค้นหา")
    assert "พบ 3 แห่ง · รอนานสุดก่อน" in text
    assert "❓ มีคำถามรอคำตอบ" in text
    assert listed(hand) == [
        "🔍 อบต.แพรกษา",
        "❓🔍 ทต.บางปู",
        "🔍 อบต.บางปู",
    ]
    await hand.way("ย้อนกลับ", "↕ รอนานสุดก่อน", "มีข้อสังเกต")
    assert {"↕ ตามประเภทและชื่อ", "✓ มีข้อสังเกต", "✓ รับรองระดับ อปท. (1)"} <= set(hand.labels)
    assert "มีข้อสังเกต\nพบ 1 แห่ง" in await hand.press("ค้นหา")
    await hand.way("ย้อนกลับ", "รับรองระดับจังหวัด", "ค้นหา")
    assert "ไม่มี อปท. ตามตัวกรองนี้" in hand.text
    await hand.press("ล้างตัวกรอง")
    assert {"มีข้อสังเกต", "✓ รับรองระดับจังหวัด (0)"} <= set(hand.labels)


async def test_a_filter_by_an_organization_of_another_province_is_refused(
    officer: MakeHand, country: Database
) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.forge(ProvinceMenu())
    for data in (ChooseType(ELSEWHERE), ChooseDistrict(ELSEWHERE), SkipWaiting(ELSEWHERE), ChooseType("1")):
        assert "บัญชีของท่านไม่มีสิทธิ์ในรายการนี้" in await hand.forge(data), data
    assert not (await kept(country)).is_narrowed
    async with country.read() as session:
        assert (await session.scalars(select(Visit))).all() == []


# --- typing ---------------------------------------------------------------------------------------------------


async def test_a_typed_part_of_a_name_or_code_finds_at_once(
    officer: MakeHand, country: Database, waiting: list[str]
) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way(*TO_FILTER, "รับรองระดับจังหวัด", "อำเภอ")
    text = await hand.say("บางปู")
    assert text.startswith("ค้นหา: บางปู · ทุกสถานะ\nพบ 2 แห่ง · ตามประเภทและชื่อ\n\n◐ รับรองระดับ อปท.")
    assert listed(hand) == [
        "◐🔍 ทต.บางปู",
        "◐🔍 อบต.บางปู",
    ]
    text = await hand.say("๖๑๑๐๓๐")
    assert text.startswith("ค้นหา: 611030 · ทุกสถานะ\nพบ 3 แห่ง · ตามประเภทและชื่อ\n\n○ ยังไม่รับรอง\n◐ รับรองระดับ อปท.")
    await hand.say("ทต.บางป")
    assert listed(hand) == ["◐🔍 ทต.บางปู"]
    # Into the review and back: the search stays, until it is ended.
    assert (await hand.press("🔍")).startswith(REVIEW)
    assert (await hand.press("ย้อนกลับ")).startswith("ค้นหา: ทต.บางป · ทุกสถานะ")
    assert "สถานภาพรับรองข้อมูล: รับรองระดับจังหวัด" in await hand.press("ยกเลิกการค้นหา")
    await hand.say("บางปู")
    assert "สถานภาพรับรองข้อมูล: รับรองระดับจังหวัด" in await hand.press("ย้อนกลับ")
    assert (await kept(country)).words is None


async def test_what_finds_nothing_is_answered_with_the_filter(officer: MakeHand, country: Database) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    for text in ("สวัสดี", "ไทรม้า", "<b>x</b> {0} {x} &lt;", "'; DROP --", "รับรอง@example.com"):
        answer = "ลบข้อความของท่านแล้ว\n\nไม่พบ อปท. ในจังหวัดที่มีชื่อหรือรหัสตามที่พิมพ์"
        assert await hand.say(text) == answer, text
        assert hand.labels == ["สถานภาพรับรองข้อมูล", "หน้าหลัก"]
    for text in ("😀" * 4000, "ก" * 101, "...", "่", "%"):
        assert "ไม่เกิน 100 ตัวอักษร" in await hand.say(text), text[:5]
    assert (await kept(country)).words is None
    assert "สถานภาพรับรองข้อมูล: รับรองระดับ อปท." in await hand.press("สถานภาพรับรองข้อมูล")
    # A message without text is no search.
    for sending in (hand.phone.send_sticker(), hand.phone.send("/บางปู")):
        assert (await hand.reply_to(sending)).startswith("โปรดเลือกจากปุ่มด้านล่าง")


async def test_a_text_that_was_asked_for_is_no_search(officer: MakeHand) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.press("แก้ไขชื่อและตำแหน่ง")
    assert "พิมพ์ตำแหน่ง" in await hand.say("บางปู")


# --- next, and skip -------------------------------------------------------------------------------------------


async def test_one_after_the_other_without_the_list(officer: MakeHand, waiting: list[str]) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way("ระบบรับรองข้อมูล (3)", "ดำเนินการ(จังหวัด)", "ค้นหา")
    text = await hand.press("🔍 อบต.บางปู")
    assert is_review(text, "อบต.บางปู")
    text = await hand.press("ข้าม")
    assert is_review(text, "เทศบาลตำบลบางปู")
    text = await hand.way(*CERTIFY)
    assert text.startswith("✅ สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")
    assert "วันนี้รับรองแล้ว 1 จาก 3 แห่ง" in text
    assert hand.labels[:2] == ["ถัดไป", "ประวัติการรับรองข้อมูล"]
    assert is_review(await hand.press("ถัดไป"), "อบต.แพรกษา")
    await hand.way(*CERTIFY)
    text = await hand.press("ถัดไป")
    assert is_review(text, "อบต.บางปู", "แห่งนี้ท่านข้ามไว้ก่อนหน้า\n\n")
    text = await hand.press("ข้าม")
    assert is_review(text, "อบต.บางปู", "ไม่มี อปท. แห่งอื่นที่รออยู่\n\n")
    text = await hand.way(*CERTIFY)
    assert "วันนี้รับรองแล้ว 3 จาก 3 แห่ง\n✅ ไม่มี อปท. ที่รอท่านรับรองแล้ว" in text
    assert "ถัดไป" not in hand.labels
    # An old card still has the button.
    assert await hand.forge(NextWaiting()) == "✅ ไม่มี อปท. ที่รอท่านรับรองแล้ว"
    assert hand.labels == ["สถานภาพรับรองข้อมูล", "หน้าหลัก"]


async def test_next_stays_within_the_filter_and_says_when_it_is_done(
    officer: MakeHand, waiting: list[str]
) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.say("เทศบาลตำบลบางปู")
    await hand.press("🔍")
    await hand.way(*CERTIFY)
    # A typed search has ended with what it found.
    assert is_review(await hand.press("ถัดไป"), "อบต.บางปู")
    await hand.way("ย้อนกลับ")
    assert "พบ 2 แห่ง" in hand.text
    await hand.way("ย้อนกลับ", "ยังไม่รับรอง", "อำเภอ", "บางพลี")
    assert await hand.forge(NextWaiting()) == "ตามตัวกรองนี้ไม่มี อปท. ที่รอท่านรับรอง"
    assert hand.labels == ["ถัดไปจากทั้งจังหวัด", "สถานภาพรับรองข้อมูล", "หน้าหลัก"]
    assert is_review(await hand.press("ถัดไปจากทั้งจังหวัด"), "อบต.บางปู")


async def test_only_what_waits_can_be_skipped(officer: MakeHand, country: Database, waiting: list[str]) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.forge(ProvinceReview(THEPHARAK))
    assert "ข้าม" not in hand.labels
    await hand.forge(ProvinceReview(BANGPU))
    await hand.way(*CERTIFY)
    text = await hand.forge(ProvinceReview(BANGPU))
    assert "ข้าม" not in hand.labels
    assert "วันนี้" not in text


# --- two officers ---------------------------------------------------------------------------------------------


async def test_a_colleague_is_told_and_may_go_on(officer: MakeHand, clock: Clock, waiting: list[str]) -> None:
    first, second = await officer("province11", "นาย สมชาย ใจดี"), await officer("province11", "ทดสอบ หก")
    assert (await first.forge(ProvinceReview(BANGPU))).startswith(REVIEW)
    clock.move(minutes=9)
    text = await second.forge(ProvinceSearch(0))
    assert "👁 เทศบาลตำบลบางปู: กำลังตรวจโดย นาย สมชาย ใ•••" in text
    assert "👁🔍 ทต.บางปู" in second.labels
    text = await second.press("🔍 ทต.บางปู")
    assert is_review(text, "เทศบาลตำบลบางปู", "👁 กำลังตรวจโดย นาย สมชาย ใจดี ท่านยังตรวจต่อได้\n\n")
    # Both officers are at the organization, and each sees the other's name.
    assert (await first.forge(ProvinceReview(BANGPU))).startswith("👁 กำลังตรวจโดย ทดสอบ หก")
    # An officer who opens another organization has left this one.
    clock.move(seconds=1)
    assert is_review(await first.press("ข้าม"), "อบต.บางปู")
    assert (await second.forge(ProvinceReview(BANGPU))).startswith(REVIEW)
    clock.move(minutes=11)
    assert "👁" not in await second.forge(ProvinceSearch(0))


async def test_both_press_and_the_later_one_is_told_who_and_when(
    officer: MakeHand, clock: Clock, waiting: list[str]
) -> None:
    first, second = await officer("province11", "ทดสอบ ห้า"), await officer("province11", "ทดสอบ หก")
    await first.forge(ProvinceReview(BANGPU))
    await first.way(*SPOT_CHECK)
    for hand in (first, second):
        await hand.forge(ProvinceReview(BANGPU))
        await hand.way("รับรองระดับจังหวัด", "ยืนยันการรับรอง")
    assert "สถานะการรับรองข้อมูล: รับรองระดับจังหวัด" in await first.enter()
    text = await second.enter()
    assert text.startswith("รายการนี้รับรองไปแล้ว ไม่มีการเปลี่ยนแปลงใดๆ")
    assert "ทดสอบ ห้า · ปลัด\n2 พ.ย. 2569 09.33 น." in text
    assert second.labels == ["ดูจำนวนบุคลากร", "ถัดไป", "หน้าหลัก"]
    # The review that is opened after it says so too, and nobody looks at it any more.
    text = await second.press("ดูจำนวนบุคลากร")
    assert is_review(text, "เทศบาลตำบลบางปู")
    assert "สถานะการรับรองข้อมูล: รับรองระดับจังหวัด\nทดสอบ ห้า · ปลัด\n2 พ.ย. 2569 09.33 น." in text
    assert is_review(await second.forge(NextWaiting()), "อบต.บางปู")
    # The first officer's queue skips the organization that the second has open.
    assert is_review(await first.press("ถัดไป"), "อบต.แพรกษา")


# --- queries --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def counted(session: Session) -> AsyncIterator[list[str]]:
    """The SELECTs that a block sends through this session; the bot that runs beside it sends its own."""
    sent: list[str] = []
    connection = (await session.connection()).sync_connection

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            sent.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield sent
    event.remove(connection, "before_cursor_execute", note)


Handling = Callable[[Turn], Awaitable[Screen]]
HANDLINGS: dict[str, Handling] = {
    "filter": lambda turn: listing.menu(turn, ProvinceMenu()),
    "list": lambda turn: listing.search(turn, ProvinceSearch(0)),
    "types": lambda turn: listing.types(turn, ProvinceTypes()),
    "districts": lambda turn: listing.districts(turn, ProvinceDistricts(0)),
    "typed": lambda turn: listing.take_words(turn, "บางปู"),
    "typed in vain": lambda turn: listing.take_words(turn, "ไม่มี"),
}


@pytest.mark.parametrize("what", HANDLINGS)
async def test_at_most_five_queries_for_a_screen(
    country: Database, clock: Clock, waiting: list[str], what: str
) -> None:
    """With all narrowings, for an officer with a stored filter and one without."""
    for user in (601, 602):
        async with country.write() as session:
            officer = await link(session, "province11", user, clock())
            if user == 601:
                session.add(
                    Listing(
                        officer_id=officer.id,
                        status="lao_certified",
                        type_code="tao",
                        district="เมืองสมุทรปราการ",
                        with_remarks=True,
                        sorting="waiting",
                        page=3,
                    )
                )
        async with country.write() as session:
            officer = await link(session, "province11", user, clock())
            conversation = await load_conversation(session, user)
            await session.flush()
            turn = Turn(session, clock(), random.Random(1), user, conversation, officer, is_deleted=True)
            async with counted(session) as sent:
                screen = await HANDLINGS[what](turn)
            assert screen.rows
            assert 1 <= len(sent) <= 5, "\n\n".join(sent)
            assert not any("personnel_record" in statement for statement in sent)
