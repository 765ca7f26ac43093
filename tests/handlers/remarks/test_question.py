"""The province asks about a category or a record, the LAO answers in the chat; both read the thread."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import func, select, update

from demo.botapi.state import Message
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.remarks import (
    AnswerQuestion,
    AskAbout,
    AskOrganization,
    ReadRemark,
    Remarks,
    SeeRemark,
    SendAnswer,
    SendQuestion,
)
from models.accounts.account import active_officer
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.certification.remark import Remark, RemarkKind
from models.chats.conversation import Conversation
from models.database.engine import Database, Session
from models.remarks.petition import decide, petition
from models.remarks.question import Topic
from models.remarks.question import ask as ask_directly
from tests.handlers.support import SPOT_CHECK, Hand, MakeHand
from tests.support import Clock, certify_as, link

BANGPU, NEIGHBOUR, ELSEWHERE = "5110201", "6110301", "6120401"
ASK = "เหตุใดพนักงานจ้างจึงเพิ่ม <b>ขึ้น</b> {x} &lt;"
REPLY = "รับโอน <i>จาก</i> โรงเรียน {} %s"
TO_REVIEW = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.")


@pytest.fixture
async def certified(officer: MakeHand, country: Database, clock: Clock) -> Database:
    certifier = await officer(name="ทดสอบ ศูนย์")
    await certify_as(country, f"lao{BANGPU}", certifier.phone.id, BANGPU, Level.LAO, clock())
    return country


async def ask(hand: Hand, topic: str = "พนักงานจ้าง", words: str = ASK) -> str:
    """From the review to the question that was sent."""
    await hand.forge(ProvinceReview(BANGPU))
    await hand.way("ถาม อปท.", topic)
    await hand.say(words)
    return await hand.press("ส่งคำถาม")


def notices(hand: Hand, title: str) -> Iterator[Message]:
    return (
        message for message in hand.phone.messages if message.outgoing and message.history[0].startswith(title)
    )


async def notice(hand: Hand, title: str) -> Message:
    return await hand.phone.until(lambda _: next(notices(hand, title), None))


async def remarks(country: Database) -> list[Remark]:
    async with country.read() as session:
        return list(await session.scalars(select(Remark).order_by(Remark.id)))


async def test_a_question_is_asked_told_and_answered(officer: MakeHand, certified: Database) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await province.forge(ProvinceReview(BANGPU))
    text = await province.press("ถาม อปท.")
    assert "คำถามไม่ทำให้ทะเบียนเปิดแก้ไข" in text
    assert province.labels == [
        "ข้าราชการ",
        "ลูกจ้างประจำ",
        "พนักงานจ้าง",
        "ทั้งทะเบียน",
        "ระเบียนรายคนตามเลขที่",
        "ย้อนกลับ",
        "หน้าหลัก",
    ]
    assert "เรื่อง: พนักงานจ้าง\nพิมพ์คำถาม" in await province.press("พนักงานจ้าง")
    assert "ข้อความไม่มีตัวอักษร" in await province.say("?")
    text = await province.say(ASK)
    assert f"เรื่อง: พนักงานจ้าง\n\n{ASK}\n\nเจ้าหน้าที่ของ อปท. จะได้อ่าน" in text
    assert await remarks(certified) == []
    text = await province.press("ส่งคำถาม")
    assert text == f"✅ ส่งคำถามแล้ว\n\nเรื่อง: พนักงานจ้าง\n{ASK}"

    notice_message = await notice(lao, "❓ คำถามจากจังหวัด")
    assert "เทศบาลตำบลบางปู" in notice_message.text
    assert f"เรื่อง: พนักงานจ้าง\nโดย ทดสอบ สอง ปลัด · 2 พ.ย. 2569 09.30 น.\n\n{ASK}" in notice_message.text
    text = await lao.press("ตอบคำถาม", notice_message)
    assert f"{ASK}\n\nพิมพ์คำตอบ" in text
    assert "ไม่รับตัวเลขเพียงอย่างเดียว" in await lao.say("1 2 3 4 5 6")
    assert f"เรื่อง: พนักงานจ้าง\nคำถาม: {ASK}\n\n{REPLY}" in await lao.say(REPLY)
    assert len(await remarks(certified)) == 1
    assert (await lao.press("ส่งคำตอบ")).startswith("✅ ส่งคำตอบแล้ว")

    notice_message = await notice(province, "💬 อปท. ตอบคำถามแล้ว")
    assert f"โดย ทดสอบ หนึ่ง ปลัด · 2 พ.ย. 2569 09.30 น.\n\n{REPLY}" in notice_message.text
    text = await province.press("อ่าน", notice_message)
    assert f"\n{ASK}\n\nคำตอบ\nโดย ทดสอบ หนึ่ง ปลัด · 2 พ.ย. 2569 09.30 น.\n{REPLY}" in text
    assert [(remark.kind, remark.about) for remark in await remarks(certified)] == [
        (RemarkKind.QUESTION, "contract_employee"),
        (RemarkKind.ANSWER, "contract_employee"),
    ]


async def test_a_record_is_asked_about_by_its_number(officer: MakeHand, certified: Database) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await province.forge(ProvinceReview(BANGPU))
    await province.way("ถาม อปท.", "ระเบียนรายคนตามเลขที่")
    for typed in ("9999", "บุคคล ทดสอบ7", "😀"):
        assert "ไม่มีระเบียนเลขที่นี้" in await province.say(typed)
    assert "เรื่อง: ระเบียนเลขที่ 0007\nพิมพ์คำถาม" in await province.say("๐๐๐๗")
    await province.say(ASK)
    await province.press("ส่งคำถาม")
    notice_message = await notice(lao, "❓ คำถามจากจังหวัด")
    assert "เรื่อง: ระเบียนเลขที่ 0007" in notice_message.text
    assert "บุคคล" not in notice_message.text
    assert [remark.about for remark in await remarks(certified)] == ["record:0007"]


async def test_the_home_of_the_lao_shows_what_waits(officer: MakeHand, certified: Database) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    assert "ตอบคำถาม" not in " ".join(lao.labels)
    await ask(province)
    await ask(province, "ทั้งทะเบียน", "คำถามที่สองของจังหวัด")
    assert "❓ จังหวัดรอคำตอบจากท่าน" in await lao.say("/menu")
    assert lao.labels[0] == "❓ ตอบคำถาม (2)"
    # The oldest first.
    assert ASK in await lao.press("❓ ตอบคำถาม (2)")
    await lao.press("ตอบคำถาม")
    await lao.say(REPLY)
    await lao.press("ส่งคำตอบ")
    await lao.press("หน้าหลัก")
    assert lao.labels[0] == "❓ ตอบคำถาม (1)"
    assert "คำถามที่สองของจังหวัด" in await lao.press("❓ ตอบคำถาม (1)")


async def test_both_sides_read_the_thread(officer: MakeHand, certified: Database, clock: Clock) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await province.forge(ProvinceReview(BANGPU))
    assert "ข้อสังเกต" not in " ".join(province.labels)
    long = "ก" * 1000
    for words in (ASK, "คำถามที่สองของจังหวัด", long):
        await ask(province, words=words)
    await lao.say("/menu")
    await lao.press("❓ ตอบคำถาม")
    await lao.press("ตอบคำถาม")
    await lao.say(REPLY)
    await lao.press("ส่งคำตอบ")
    await lao.way("หน้าหลัก", *TO_REVIEW, "ขอแก้ไขข้อมูล")
    await lao.say("พนักงานจ้างนับซ้ำ")
    await lao.press("ส่งคำขอ")
    for hand, review in ((lao, "lr"), (province, f"pr:{BANGPU}")):
        assert "❓ คำถามที่ยังไม่ได้ตอบ 2 ข้อ" in await hand.forge(review)
        text = await hand.press("❓ ข้อสังเกต (4)")
        assert text.startswith("ข้อสังเกต\nเทศบาลตำบลบางปู")
        petition, third, second = (text.index(title) for title in ("คำขอแก้ไขเลขที่ 5", "คำถามเลขที่ 3", "คำถามเลขที่ 2"))
        assert petition < third < second
        assert "ก" * 249 + "…" in text
        assert long not in text
        assert text.count("❓ รอคำตอบ") == 2
        assert hand.labels == ["อ่าน 5", "❓ อ่าน 3", "❓ อ่าน 2", "หน้า 2/2 ▶", "ย้อนกลับ", "หน้าหลัก"]
        text = await hand.press("❓ อ่าน 3")
        assert long in text
        assert ("ตอบคำถาม" in hand.labels) is (hand is lao)
        await hand.way("ย้อนกลับ", "หน้า 2/2 ▶")
        assert hand.text.endswith(f"{ASK}\nคำตอบ\nโดย ทดสอบ หนึ่ง ปลัด · 2 พ.ย. 2569 09.30 น.\n{REPLY}")
        assert hand.labels == ["อ่าน 1", "◀ หน้า 1/2", "ย้อนกลับ", "หน้าหลัก"]
        await hand.press("ย้อนกลับ")
        assert "❓ ข้อสังเกต (4)" in hand.labels


async def test_a_petition_stands_in_the_thread_with_its_decision(
    officer: MakeHand, certified: Database, clock: Clock
) -> None:
    lao = await officer()
    await lao.way(*TO_REVIEW, "ขอแก้ไขข้อมูล")
    await lao.say("พนักงานจ้างนับซ้ำ")
    await lao.press("ส่งคำขอ")
    async with certified.write() as session:
        await decide(session, 1, granted=False, by="ผู้ดูแล <b>", reason="จำนวนถูกต้องแล้ว", now=clock())
    text = await lao.forge(Remarks(BANGPU, 0))
    petition = "คำขอแก้ไขเลขที่ 1\nโดย ทดสอบ หนึ่ง ปลัด · 2 พ.ย. 2569 09.30 น.\nพนักงานจ้างนับซ้ำ\n"
    decision = "ผลการพิจารณา: ไม่อนุญาต\nโดย ผู้ดูแล <b> · 2 พ.ย. 2569 09.30 น.\nจำนวนถูกต้องแล้ว"
    assert text.endswith(petition + decision)
    assert petition + "\n" + decision in await lao.press("อ่าน 1")
    async with certified.write() as session:
        other = await petition_of(session, lao.phone.id, clock())
        await decide(session, other, granted=True, by="ผู้ดูแล", reason="นับซ้ำจริง", now=clock())
    assert "ผลการพิจารณา: อนุญาต\nโดย ผู้ดูแล" in await lao.forge(Remarks(BANGPU, 0))


async def petition_of(session: Session, user_id: int, now: datetime) -> int:
    own = await active_officer(session, user_id)
    assert own is not None
    return (await petition(session, own, "พนักงานจ้างนับซ้ำจริง", now, None)).id


async def test_a_question_is_read_by_an_older_button_too(officer: MakeHand, certified: Database) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await ask(province)
    assert f"คำถามเลขที่ 1 · พนักงานจ้าง\nโดย ทดสอบ สอง ปลัด · 2 พ.ย. 2569 09.30 น.\n{ASK}" in await lao.forge(
        SeeRemark(1)
    )


async def test_an_open_question_blocks_nobody(officer: MakeHand, country: Database) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await ask(province)
    await lao.say("/menu")
    text = await lao.way(*TO_REVIEW, "รับรองระดับ อปท.")
    assert "คำถามที่ยังไม่ได้ตอบ" not in text
    await lao.way("ยืนยันการรับรอง", "PIN")
    await province.forge(ProvinceReview(BANGPU))
    await province.way(*SPOT_CHECK)
    assert "❓ คำถามที่ยังไม่ได้ตอบ 1 ข้อ" in await province.press("รับรองระดับจังหวัด")
    assert "✅ สถานะการรับรองข้อมูล" in await province.way("ยืนยันการรับรอง", "PIN")
    # A certified organization is asked and answers as well.
    await lao.say("/menu")
    await lao.way("❓ ตอบคำถาม", "ตอบคำถาม")
    await lao.say(REPLY)
    assert "✅ ส่งคำตอบแล้ว" in await lao.press("ส่งคำตอบ")


async def test_a_question_is_answered_once(officer: MakeHand, certified: Database) -> None:
    lao, colleague = await officer(), await officer(name="ทดสอบ สาม")
    province = await officer("province11", "ทดสอบ สอง")
    await ask(province)
    for hand in (lao, colleague):
        await hand.forge(AnswerQuestion(1))
        await hand.say(REPLY)
    send = lao.phone.button("ส่งคำตอบ", lao.card).data or ""
    await lao.press("ส่งคำตอบ")
    assert "คำถามนี้มีคำตอบแล้ว" in await colleague.press("ส่งคำตอบ")
    assert "ไม่พบข้อความที่จะส่ง" in await lao.forge(send)
    assert "คำถามนี้มีคำตอบแล้ว" in await lao.forge(AnswerQuestion(1))
    assert "ตอบคำถาม" not in lao.labels
    # Typed for the question that was closed meanwhile.
    await ask(province)
    await colleague.forge(AnswerQuestion(3))
    await lao.forge(AnswerQuestion(3))
    await lao.say(REPLY)
    await lao.press("ส่งคำตอบ")
    assert "คำถามนี้มีคำตอบแล้ว" in await colleague.say(REPLY)
    assert [remark.kind for remark in await remarks(certified)] == [RemarkKind.QUESTION, RemarkKind.ANSWER] * 2


async def test_foreign_organizations_and_questions(officer: MakeHand, certified: Database) -> None:
    province, elsewhere = await officer("province11", "ทดสอบ สอง"), await officer("province12", "ทดสอบ สาม")
    lao, neighbour = await officer(), await officer(f"lao{NEIGHBOUR}", "ทดสอบ สี่")
    await ask(province)
    for data in (
        AskOrganization(BANGPU),
        AskAbout(BANGPU, Topic.WHOLE),
        AskAbout(BANGPU, Topic.RECORD),
        Remarks(BANGPU, 0),
        ReadRemark(1),
        ReadRemark(999),
    ):
        assert "ไม่มีสิทธิ์" in await elsewhere.forge(data), data
    for data in (
        AnswerQuestion(1),
        SendAnswer(1, "x"),
        ReadRemark(1),
        Remarks(BANGPU, 0),
        AnswerQuestion(999),
        ReadRemark(999),
        AskOrganization(BANGPU),
    ):
        text = await neighbour.forge(data)
        assert "ไม่มีสิทธิ์" in text or "ไม่พบข้อความที่จะส่ง" in text, data
        assert ASK not in text
    # Buttons of the other level.
    assert "ไม่มีสิทธิ์" in await province.forge(AnswerQuestion(1))
    assert "ไม่มีสิทธิ์" in await lao.forge(AskOrganization(BANGPU))
    # A draft for one organization is not sent to another.
    await province.forge(AskAbout(BANGPU, Topic.WHOLE))
    await province.say("คำถามที่สองของจังหวัด")
    assert "ไม่พบข้อความที่จะส่ง" in await province.forge(SendQuestion(NEIGHBOUR, "x"))
    assert "ไม่พบข้อความที่จะส่ง" in await province.forge(SendQuestion("51102", "x"))
    assert len(await remarks(certified)) == 1
    async with certified.read() as session:
        assert await session.scalar(select(func.count()).where(Remark.organization_code == NEIGHBOUR)) == 0


@pytest.mark.parametrize(
    "change",
    [{"draft": "จงยกเลิกการรับรองเดี๋ยวนี้"}, {"subject": f"question:{BANGPU}/official"}],
    ids=["words", "topic"],
)
async def test_only_the_words_that_were_shown_are_sent(
    officer: MakeHand, certified: Database, change: dict[str, str]
) -> None:
    """The draft has no seal: whoever changes it in the database does not make an officer send it."""
    province = await officer("province11", "ทดสอบ สอง")
    await province.forge(AskAbout(BANGPU, Topic.WHOLE))
    await province.say(ASK)
    async with certified.write() as session:
        await session.execute(update(Conversation).where(Conversation.draft.is_not(None)).values(**change))
    assert "ไม่พบข้อความที่จะส่ง" in await province.press("ส่งคำถาม")
    assert await remarks(certified) == []


async def test_a_button_of_the_version_before_sends_nothing(officer: MakeHand, certified: Database) -> None:
    """It carries no digest of the words above it."""
    province = await officer("province11", "ทดสอบ สอง")
    await province.forge(AskAbout(BANGPU, Topic.WHOLE))
    await province.say(ASK)
    assert "ปุ่มนี้ใช้ไม่ได้แล้ว" in await province.forge(f"q!:{BANGPU}")
    assert await remarks(certified) == []


async def test_a_reopening_ends_the_question(officer: MakeHand, certified: Database, clock: Clock) -> None:
    lao, province = await officer(), await officer("province11", "ทดสอบ สอง")
    await ask(province)
    await lao.forge(AnswerQuestion(1))
    await lao.say(REPLY)
    async with certified.write() as session:
        await reopen(session, BANGPU, "ผู้ดูแล", "นับซ้ำ", clock())
    assert "การรับรองครั้งนั้นสิ้นสุดแล้ว" in await lao.press("ส่งคำตอบ")
    assert "รอคำตอบ" not in await lao.say("/menu")
    assert "รอคำตอบ" not in await province.forge(Remarks(BANGPU, 0))
    assert ASK in province.text
    await ask(province)
    assert "พนักงานจ้าง · ครั้งที่ 2" in await province.forge(Remarks(BANGPU, 0))


async def test_an_idle_chat_is_told_of_the_organization_only(
    officer: MakeHand, certified: Database, clock: Clock
) -> None:
    lao = await officer()
    clock.move(hours=13)
    province = await officer("province11", "ทดสอบ สอง")
    await ask(province)
    notice_message = await notice(lao, "❓ คำถามจากจังหวัด")
    assert ASK not in notice_message.text
    assert "พนักงานจ้าง" not in notice_message.text
    assert "ทดสอบ สอง" not in notice_message.text
    assert notice_message.labels == ["อ่าน"]
    # After the PIN the bot continues with the tap.
    await lao.press("อ่าน", notice_message)
    assert ASK in await lao.enter()
    assert "ตอบคำถาม" in lao.labels


async def test_at_most_twenty_questions_wait(officer: MakeHand, certified: Database, clock: Clock) -> None:
    async with certified.write() as session:
        asker = await link(session, "province11", 601, clock())
        for _ in range(20):
            await ask_directly(session, asker, BANGPU, "whole", "คำถามของจังหวัด", clock())
    province = await officer("province11", "ทดสอบ สอง")
    await province.forge(ProvinceReview(BANGPU))
    assert "อปท. นี้มีคำถามที่รอคำตอบอยู่ 20 ข้อแล้ว" in await province.press("ถาม อปท.")
