"""The closing date on screens, reminders and escalations."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from bot.service import deadlines
from demo.botapi import Message
from handlers.chat.screen import Deferred, Dropped, Screen
from handlers.chat.taps.accounts import Officers
from handlers.chat.texts import texts
from handlers.chat.words import round_line
from handlers.notices.deadlines import escalation_screen, reminder
from handlers.notices.rendering import notice
from models.accounts.account import Officer, Role, active_officer
from models.base.calendar import bangkok_day
from models.certification.certificate import Level
from models.chats.conversation import Language
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.notices.reachability import lose
from models.organizations.organization import Organization, Province
from models.outreach.broadcast import Audience, Broadcast, announce
from models.outreach.unreached import Escalation, Unreached, Why
from models.remarks.petition import decide, petition
from models.rounds.round import Round, RoundState, close_round
from tests.handlers.support import Hand, MakeHand
from tests.support import Clock, certify_as, link, move_last_day

CLOSES = date(2027, 9, 15)


@pytest.mark.parametrize(
    ("moment", "thai", "english"),
    [
        ("2027-09-03 12:00+07:00", "เหลือ 12 วัน", "12 days left"),
        ("2027-09-14 23:59+07:00", "เหลือ 1 วัน", "1 day left"),
        # Midnight in Bangkok is 17:00 of the day before in UTC.
        ("2027-09-14 16:59+00:00", "เหลือ 1 วัน", "1 day left"),
        ("2027-09-14 17:00+00:00", "วันสุดท้าย", "the last day"),
        ("2027-09-15 23:59+07:00", "วันสุดท้าย", "the last day"),
        ("2027-09-16 00:00+07:00", "พ้นกำหนดแล้ว 1 วัน", "1 day overdue"),
        ("2027-09-18 08:00+07:00", "พ้นกำหนดแล้ว 3 วัน", "3 days overdue"),
        ("2024-09-15 08:00+07:00", "เหลือ 1,095 วัน", "1,095 days left"),
    ],
)
def test_the_closing_date_says_how_far_it_is(moment: str, thai: str, english: str) -> None:
    now = datetime.fromisoformat(moment)
    round_ = Round(fiscal_year=2570, state=RoundState.OPEN, closes_on=CLOSES)
    assert round_line(texts(Language.THAI), round_, now) == f"ปีงบประมาณ 2570 · ภายใน 15 ก.ย. 2570 ({thai})"
    assert (
        round_line(texts(Language.ENGLISH), round_, now)
        == f"Fiscal year B.E. 2570 · by 15 Sep B.E. 2570 ({english})"
    )
    round_.state = RoundState.CLOSED
    assert english not in round_line(texts(Language.ENGLISH), round_, now)
    round_.state, round_.closes_on = RoundState.OPEN, None
    assert round_line(texts(Language.ENGLISH), round_, now) == "Fiscal year B.E. 2570"


# --- what the bot says on its own ---------------------------------------------------------------------------


async def close_in(country: Database, clock: Clock, days: int) -> None:
    async with country.write() as session:
        await move_last_day(session, bangkok_day(clock()) + timedelta(days=days))


async def told(hand: Hand, title: str) -> Message:
    """Wait for the message that begins with the title."""
    return await hand.phone.until(
        lambda phone: next((message for message in phone.messages if message.text.startswith(title)), None)
    )


async def test_reminders_lead_to_what_is_to_be_done(country: Database, officer: MakeHand, clock: Clock) -> None:
    lao, province = await officer("lao6110301"), await officer("province11", "ทดสอบ สอง")
    certified = await officer("lao5110201", "ทดสอบ สาม")
    await certify_as(country, "lao5110201", certified.phone.id, "5110201", Level.LAO, clock())
    await close_in(country, clock, 3)
    await deadlines.look(country, clock(), None)
    message = await told(lao, "⏰")
    assert message.text == (
        "⏰ ใกล้ครบกำหนดรับรองข้อมูล\nอบต.บางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        "ปีงบประมาณ 2570 · ภายใน 5 พ.ย. 2569 (เหลือ 3 วัน)\n"
        "หน่วยงานของท่านยังไม่ได้รับรองข้อมูล โปรดตรวจจำนวนแล้วรับรอง"
    )
    await lao.press("รับรองข้อมูลระดับ อปท.", message)
    assert "รับรองระดับ อปท." in lao.labels
    message = await told(province, "⏰")
    assert message.text == (
        "⏰ ใกล้ครบกำหนดรับรองข้อมูล\nจังหวัดสมุทรปราการ\n\n"
        "ปีงบประมาณ 2570 · ภายใน 5 พ.ย. 2569 (เหลือ 3 วัน)\nมี 1 แห่งรอท่านตรวจสอบและรับรอง"
    )
    await province.press("ดู อปท. ที่รอ", message)
    assert "🔍 ทต.บางปู" in " ".join(province.labels)


async def test_a_chat_that_was_left_alone_is_told_the_day_only(
    country: Database, officer: MakeHand, clock: Clock
) -> None:
    hand = await officer("lao6110301")
    await close_in(country, clock, 0)
    async with country.write() as session:
        await session.execute(update(Officer).values(last_seen_at=clock() - timedelta(hours=13)))
    await deadlines.look(country, clock(), None)
    message = await told(hand, "⏰")
    assert message.text == (
        "⏰ วันนี้เป็นวันสุดท้ายของการรับรองข้อมูล\nอบต.บางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        "ปีงบประมาณ 2570 · ภายใน 2 พ.ย. 2569 (วันสุดท้าย)\n\nโปรดเปิดด้วย PIN เพื่อดูรายละเอียด"
    )
    assert "PIN" in await hand.press("รับรองข้อมูลระดับ อปท.", message)


async def test_what_is_no_longer_true_is_dropped(country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await link(session, "lao5110201", 501, clock())
    await close_in(country, clock, 1)
    await deadlines.look(country, clock(), None)
    async with country.read() as session:
        assert isinstance(
            await notice(session, NoticeKind.REMINDER, 501, 1, clock(), await active_officer(session, 501)), Screen
        )
        assert await notice(
            session, NoticeKind.REMINDER, 502, 1, clock(), await active_officer(session, 502)
        ) == Dropped("nobody is linked to the chat")
        tomorrow = clock() + timedelta(days=1)
        assert await notice(
            session, NoticeKind.REMINDER, 501, 1, tomorrow, await active_officer(session, 501)
        ) == Dropped("its day is over")
    await certify_as(country, "lao5110201", 501, "5110201", Level.LAO, clock())
    async with country.read() as session:
        assert await notice(
            session, NoticeKind.REMINDER, 501, 1, clock(), await active_officer(session, 501)
        ) == Dropped("the organization has certified")


async def test_the_operator_is_told_who_was_not_reached(
    country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await close_in(country, clock, 3)
    await deadlines.look(country, clock(), 900)
    async with country.read() as session:
        screen = await notice(session, NoticeKind.ESCALATION, 900, 1, clock(), await active_officer(session, 900))
    assert isinstance(screen, Screen)
    assert screen.text == (
        "⚠️ <b>การแจ้งเตือนไปไม่ถึงบางหน่วยงาน</b>\nปีงบประมาณ 2570 · ภายใน 5 พ.ย. 2569 (เหลือ 3 วัน)\n\n"
        "ยังไม่รับรองและแจ้งเตือนผู้ใดไม่ได้: <b>5</b> แห่ง\n"
        "สมุทรปราการ 4: อบต.เทพารักษ์, อบต.บางปู, เทศบาลตำบลบางปู, …\nนนทบุรี 1: อบต.ไทรม้า\n\n"
        "ดูทั้งหมดพร้อมสาเหตุ:\n<code>laocert status --unreached</code>"
    )
    async with country.write() as session:
        await close_round(session, clock())
    async with country.read() as session:
        assert await notice(
            session, NoticeKind.ESCALATION, 900, 1, clock(), await active_officer(session, 900)
        ) == Dropped("the round was closed")
    assert "not set" not in caplog.text


async def test_without_an_operators_chat_the_log_says_it_once(
    country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await close_in(country, clock, 3)
    for _ in range(2):
        await deadlines.look(country, clock(), None)
    assert [
        record.levelname for record in caplog.records if "LAOCERT_OPERATOR_CHAT is not set" in record.message
    ] == ["WARNING"]


def test_an_escalation_fits_into_one_message_whatever_the_country() -> None:
    """All 7,849 organizations of the country, and any province with a name of 40 letters."""
    for provinces, each in ((76, 104), (76, 1), (3, 2000)):
        unreached = [
            Unreached(
                Organization(
                    type_code="tao",
                    type_th="องค์การบริหารส่วนตำบล",
                    name_th=f"{'ก' * 40}{number}",
                    province=Province(code=f"{code:02}", name_th=f"{'ข' * 36}{code}", name_en="K" * 40),
                ),
                Why.NOBODY_LINKED,
            )
            for code in range(provinces)
            for number in range(each)
        ]
        by_code = {
            unreached_organization.organization.province.code: unreached_organization.organization.province
            for unreached_organization in unreached
        }
        for organization_unreached in unreached:
            organization_unreached.organization.province = by_code[
                organization_unreached.organization.province.code
            ]
        round_ = Round(fiscal_year=2570, state=RoundState.OPEN, closes_on=CLOSES)
        now = datetime.fromisoformat("2027-09-12 10:00+07:00")
        for language in Language:
            text = escalation_screen(texts(language), Escalation(round_, 3, unreached), now).text
            assert len(text) <= 4096
            assert all(f"{name} {each:,}" in text for name in _names(by_code.values(), language))


def _names(provinces: Iterable[Province], language: Language) -> list[str]:
    return [province.name_th if language is Language.THAI else province.name_en for province in provinces]


async def test_the_operators_word_arrives_as_it_was_written(
    country: Database, officer: MakeHand, clock: Clock
) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    words = "พักระบบ <b>คืนนี้</b> & พรุ่งนี้\n\nดู https://example.org"
    async with country.write() as session:
        await session.execute(update(Officer).values(last_seen_at=clock() - timedelta(hours=13)))
        await announce(session, Audience(Role.LAO), words, clock())
    message = await told(hand, "📢")
    assert message.text == f"📢 ประกาศจากผู้ดูแลระบบ\n\n{words}"
    assert message.buttons == []
    assert "has_protected_content" not in message.options
    assert not any(message.text.startswith("📢") for message in province.phone.messages)


async def test_words_that_nobody_announced_are_not_sent(
    country: Database, officer: MakeHand, clock: Clock
) -> None:
    """Whoever can write to the database does not speak in the operator's name."""
    hand = await officer()
    async with country.write() as session:
        forged = Broadcast(audience="lao", body="โปรดส่งรหัสผ่านของท่าน", made_at=clock())
        session.add(forged)
        await session.flush()
        outbox.enqueue(session, NoticeKind.BROADCAST, hand.phone.id, forged.id, clock())
        await announce(session, Audience(Role.LAO), "พักระบบคืนนี้", clock())
    assert "พักระบบคืนนี้" in (await told(hand, "📢")).text
    async with country.read() as session:
        is_forged = OutboxMessage.subject_id == forged.id, OutboxMessage.kind == NoticeKind.BROADCAST
        assert await session.scalar(select(OutboxMessage.state).where(*is_forged)) is State.DROPPED


async def test_a_decided_petition_leads_on(country: Database, officer: MakeHand, clock: Clock) -> None:
    """After a refusal the button leads to the thread, after a grant to the register."""
    hand = await officer()
    await certify_as(country, "lao5110201", hand.phone.id, "5110201", Level.LAO, clock())

    async def decided(*, granted: bool) -> None:
        async with country.write() as session:
            asker = await link(session, "lao5110201", hand.phone.id, clock())
            petition_made = await petition(session, asker, "พนักงานจ้างนับซ้ำหนึ่งราย", clock(), None)
            await decide(session, petition_made.id, granted=granted, by="สถ.", reason="ตรวจสอบแล้ว", now=clock())

    await decided(granted=False)
    message = await told(hand, "✉️ ไม่อนุญาต")
    text = await hand.press("ข้อสังเกต", message)
    assert "ผลการพิจารณา: ไม่อนุญาต" in text
    assert "พนักงานจ้างนับซ้ำหนึ่งราย" in text
    await decided(granted=True)
    message = await told(hand, "🔓")
    await hand.press("รับรองข้อมูลระดับ อปท.", message)
    assert "รับรองระดับ อปท." in hand.labels


async def test_the_operator_is_told_how_to_decide(country: Database, clock: Clock) -> None:
    await certify_as(country, "lao5110201", 501, "5110201", Level.LAO, clock())
    async with country.write() as session:
        asker = await link(session, "lao5110201", 501, clock())
        petition_made = await petition(session, asker, "พนักงานจ้างนับซ้ำหนึ่งราย", clock(), 900)
        screen = await notice(
            session, NoticeKind.PETITIONED, 900, petition_made.id, clock(), await active_officer(session, 900)
        )
    assert isinstance(screen, Screen)
    assert f"laocert petition decide {petition_made.id} --grant|--refuse" in screen.text
    assert screen.rows == ()


async def test_whoever_is_told_that_a_chat_is_lost_can_end_its_link(country: Database, clock: Clock) -> None:
    async with country.write() as session:
        lost = await link(session, "lao5110201", 501, clock())
        await lose(session, 501, "Forbidden: bot was blocked by the user", clock(), 900)
        to_operator = await notice(
            session, NoticeKind.UNREACHABLE, 900, lost.id, clock(), await active_officer(session, 900)
        )
        await link(session, "lao5110201", 502, clock())
        to_colleague = await notice(
            session, NoticeKind.UNREACHABLE, 502, lost.id, clock(), await active_officer(session, 502)
        )
    assert isinstance(to_operator, Screen)
    assert isinstance(to_colleague, Screen)
    assert f"<code>laocert account unlink lao5110201 --officer {lost.id}</code>" in to_operator.text
    assert to_operator.rows == ()
    assert "laocert" not in to_colleague.text
    assert [button.tap for row in to_colleague.rows for button in row] == [Officers()]


async def test_a_reminder_waits_for_the_end_of_quiet_hours_but_not_past_its_day(
    country: Database, clock: Clock
) -> None:
    async with country.write() as session:
        officer = await link(session, "lao5110201", 501, clock())
    await close_in(country, clock, 1)
    await deadlines.look(country, clock(), None)
    async with country.read() as session:

        async def quiet_for(hours: int) -> Screen | Dropped | Deferred:
            until = clock() + timedelta(hours=hours)
            return await reminder(texts(Language.THAI), session, officer, 1, until, clock(), whole=True)

        assert await quiet_for(3) == Deferred(clock() + timedelta(hours=3))
        assert await quiet_for(22) == Dropped("its day is over")
