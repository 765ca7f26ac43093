"""Petitions, reopenings and verification codes in the chat."""

from sqlalchemy import select

from handlers.chat.taps.certification import LaoMenu, ProvinceReview
from handlers.chat.taps.province import ProvinceMenu
from handlers.chat.taps.remarks import AskForCorrection
from models.accounts.account import active_officer
from models.audit import event_chain
from models.certification.certify import reopen
from models.certification.remark import Remark
from models.database.engine import Database
from models.remarks.petition import decide, list_petitions
from tests.handlers.support import Hand, MakeHand
from tests.support import Clock, put_roster

LAO = "5110201"
TO_REVIEW = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")
CERTIFY = (*TO_REVIEW, "รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN")


async def reopened(country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await reopen(session, LAO, "ผู้ดูแลระบบ", "นับซ้ำหนึ่งราย", clock())


async def test_the_history_shows_both_revisions_whole(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await hand.way(*CERTIFY)
    await province.sees("รอท่าน 1 แห่ง")
    await reopened(country, clock)
    for told in (hand, province):
        await told.sees("เปิดให้แก้ไขข้อมูลแล้ว")
        await told.sees("เหตุผล: นับซ้ำหนึ่งราย")
    async with country.write() as session:
        await put_roster(session, LAO, (11, 3, 5), clock())
    await hand.say("/menu")
    assert "ยังไม่รับรอง" in hand.text
    await hand.way(*CERTIFY)
    text = await hand.press("ประวัติการรับรองข้อมูล")
    second, ended, first = (
        text.index(words) for words in ("ครั้งที่ 2 · รับรองระดับ อปท.\nรวม 19", "เปิดแก้ไขการรับรองครั้งที่ 1", "รวม 20")
    )
    assert second < ended < first
    assert "โดย ผู้ดูแลระบบ: นับซ้ำหนึ่งราย" in text


async def test_a_notice_of_a_reopening_leads_both_sides_to_the_history(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await hand.way(*CERTIFY)
    await reopened(country, clock)
    for told in (hand, province):
        await told.sees("เปิดให้แก้ไขข้อมูลแล้ว")
        notice = next(one for one in told.phone.messages if "เปิดให้แก้ไข" in one.text)
        assert "ประวัติการรับรองข้อมูล\nเทศบาลตำบลบางปู" in await told.press("ประวัติการรับรองข้อมูล", notice)


async def test_a_locked_lao_petitions_in_its_own_words(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await hand.way(*CERTIFY)
    await hand.say("/menu")
    await hand.way(*TO_REVIEW, "ขอแก้ไขข้อมูล")
    assert "สิ่งที่ต้องแก้ไขและเหตุผล" in hand.text
    assert "ข้อความไม่มีตัวอักษร" in await hand.say("😀😀😀😀😀😀")
    shown = await hand.say("พนักงานจ้างนับซ้ำ <b>1</b> ราย")
    assert "พนักงานจ้างนับซ้ำ <b>1</b> ราย" in shown
    async with country.read() as session:
        assert await list_petitions(session) == []
    assert "ส่งคำขอแล้ว" in await hand.press("ส่งคำขอ")
    await province.sees("อปท. ขอแก้ไขข้อมูลที่รับรองแล้ว")
    await hand.press("ย้อนกลับ")
    text = await hand.press("ขอแก้ไขข้อมูล")
    assert "อยู่ระหว่างพิจารณา" in text
    assert "รับรองข้อมูลระดับ อปท." in text, "the review stays"
    async with country.write() as session:
        (asked,) = await list_petitions(session)
        await decide(session, asked.id, granted=False, by="ผู้ดูแล", reason="จำนวนถูกต้องแล้ว", now=clock())
    for told in (hand, province):
        await told.sees("ไม่อนุญาตให้แก้ไขข้อมูล")
        await told.sees("เหตุผล: จำนวนถูกต้องแล้ว")


async def test_a_petition_is_sent_once(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await hand.way(*CERTIFY)
    await hand.say("/menu")
    await hand.way(*TO_REVIEW, "ขอแก้ไขข้อมูล")
    await hand.say("พนักงานจ้างนับซ้ำ")
    send = hand.phone.button("ส่งคำขอ").data or ""
    await hand.forge(send)
    assert "ส่งคำขอแล้ว" not in await hand.forge(send)
    async with country.read() as session:
        assert len(list(await session.scalars(select(Remark)))) == 1


async def test_an_open_register_needs_no_petition(officer: MakeHand) -> None:
    hand = await officer()
    await hand.way(*TO_REVIEW)
    assert "ขอแก้ไขข้อมูล" not in hand.labels
    assert "จึงแก้ไขได้โดยไม่ต้องส่งคำขอ" in await hand.forge(AskForCorrection())


async def test_a_verification_code_shows_what_was_certified(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    outsider, neighbour = await officer("province12", "ทดสอบ สาม"), await officer("lao6110301", "ทดสอบ สี่")
    text = await hand.way(*CERTIFY)
    code = text.partition("รหัสตรวจสอบ ")[2].partition("\n")[0]
    assert len(code.replace("-", "")) == 10
    for one in (hand, province):
        shown = await one.say(f"/verify {code.lower()}")
        assert "รวม 20" in shown
        assert "ทดสอบ หนึ่ง" in shown
        assert "อปท. จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก" in shown
        assert "ยังมีผลอยู่" in shown
    for one in (outsider, neighbour):
        assert "ไม่พบการรับรองของท่านที่ใช้รหัสนี้" in await one.say(f"/verify {code}")
    assert "ABCDE-FGHJK" in await hand.say("/verify")
    await reopened(country, clock)
    ended = await hand.say(f"/verify {code}")
    assert "เปิดแก้ไขการรับรองครั้งที่ 1" in ended
    assert "ยังมีผลอยู่" not in ended
    assert "❌ ไม่มีผลแล้ว" in ended


async def test_verifying_needs_a_login(stranger: Hand) -> None:
    assert "ยังไม่ได้เข้าสู่ระบบ" in await stranger.say("/verify ABCDE-FGHJK")


async def test_refused_rights_and_logins_are_recorded(
    officer: MakeHand, stranger: Hand, country: Database
) -> None:
    hand = await officer()
    await hand.forge(ProvinceMenu())
    await hand.forge(ProvinceReview("6110302"))
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    await stranger.say("lao5110201")
    await stranger.say("wrong-password")
    await stranger.press("ยกเลิก")
    await stranger.forge(LaoMenu())
    async with country.read() as session:
        assert await active_officer(session, stranger.phone.id) is None
        rows = await session.execute(
            select(event_chain.AuditEvent.chain, event_chain.AuditEvent.kind).order_by(event_chain.AuditEvent.id)
        )
        recorded = [tuple(row) for row in rows if row.kind != event_chain.Event.HEAD]
    assert recorded == [
        ("system", "round_opened"),
        (LAO, "login"),
        (LAO, "pin_set"),
        (LAO, "refused"),
        (LAO, "refused"),
        (LAO, "login_failed"),
        ("system", "refused"),
    ]
