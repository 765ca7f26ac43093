"""The organization's name on certificates stays the same on every screen and paper after a renaming."""

import pytest
from sqlalchemy import delete, text

from demo.botapi import Emulator
from handlers.chat.screen import Screen
from handlers.chat.taps.certification import (
    CertificatePdf,
    LaoHistory,
    ProvinceHistory,
    ProvinceReview,
    SeeHistory,
)
from handlers.notices.rendering import notice
from models.certification.certificate import Certification, Level, written_code
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.rounds.round import close_round, open_round
from models.succession.word_keeping import keep_words
from tests.handlers.support import Hand, MakeHand
from tests.papers import Paper
from tests.support import TO_PIN, Clock, before_words, certify_as, seal_organizations

BANGPU, OTHER = "5110201", "6110301"
THEN = "เทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ"
LATER = "เทศบาลเมืองปูใหม่\nอ.ไทรน้อย จ.นนทบุรี"
IN_CERTIFICATE = "ในหลักฐานใช้ชื่อ"
KEPT = "ชื่อและที่ตั้ง ณ 2 พ.ย. 2569 09.30 น. เพราะหลักฐานนี้ออกก่อนที่ระบบจะเก็บไว้ในหลักฐาน"
NOT_KEPT = "หลักฐานนี้ออกก่อนที่ระบบจะเก็บชื่อไว้ในหลักฐาน และยังไม่ได้เก็บชื่อของหน่วยงาน โปรดแจ้งผู้ดูแลระบบ"
NO_RIGHT = "บัญชีของท่านไม่มีสิทธิ์ในรายการนี้"


async def rename(country: Database, **columns: str) -> None:
    async with country.write() as session:
        for column, value in columns.items():
            statement = text(f"UPDATE organization SET {column} = :value WHERE dla_code = '{BANGPU}'")
            await session.execute(statement, {"value": value})
        await seal_organizations(session)


async def rename_and_move(country: Database) -> None:
    """Rename and move the organization, from THEN to LATER."""
    await rename(country, type_th="เทศบาลเมือง", name_th="ปูใหม่", district_th="ไทรน้อย", province_code="12")


async def certify(country: Database, clock: Clock, username: str, level: Level) -> Certification:
    """Certify as an officer without a chat, and without notices."""
    async with country.write() as session:
        certificate = await certify_as(
            country, username, 501 + (level is Level.PROVINCE), BANGPU, level, clock(), session
        )
        await session.execute(delete(OutboxMessage))
        return certificate


async def certified(country: Database, clock: Clock) -> tuple[Certification, Certification]:
    """The certificates of both levels, by officers who have no chat, in a round that is over."""
    lao = await certify(country, clock, f"lao{BANGPU}", Level.LAO)
    province = await certify(country, clock, "province11", Level.PROVINCE)
    async with country.write() as session:
        await close_round(session, clock())
    async with country.write() as session:
        await open_round(session, 2571, None, clock())
    return lao, province


async def paper_after(bot: Emulator, hand: Hand, certificate: int) -> tuple[str, Paper]:
    """Request a certificate as a file; its caption and its page."""
    known = hand.phone.messages[-1].id
    await hand.forge(CertificatePdf(certificate))
    message = await hand.phone.until(
        lambda phone: next(
            (message for message in phone.messages if message.id > known and "document" in message.content), None
        )
    )
    return message.content["caption"], Paper(bot.world.files[message.content["document"]["file_id"]].content)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"name_th": "ปูใหม่"}, "เทศบาลตำบลปูใหม่\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ"),
        ({"type_th": "เทศบาลเมือง"}, "เทศบาลเมืองบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ"),
        ({"province_code": "12"}, "เทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.นนทบุรี"),
    ],
)
async def test_a_change_between_warning_and_pin_is_refused_with_the_new_facts(
    officer: MakeHand, country: Database, columns: dict[str, str], expected: str
) -> None:
    hand = await officer()
    assert THEN in await hand.way(*TO_PIN)
    await rename(country, **columns)
    refused = await hand.enter()
    assert refused.startswith("⚠️ ข้อมูลหรือรอบการรับรองเปลี่ยนไปจากที่ท่านเห็น จึงยังไม่ได้รับรอง")
    assert "โปรดตรวจชื่อ ที่ตั้ง และจำนวนของหน่วยงานอีกครั้ง" in refused
    assert expected in refused
    async with country.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM certification"))).scalar() == 0
    # With the new facts on the screen the officer can certify.
    assert expected in await hand.way("รับรองระดับ อปท.", "ยืนยันการรับรอง")
    assert expected in await hand.enter()


async def test_every_screen_and_paper_keeps_the_words(
    bot: Emulator, officer: MakeHand, country: Database, clock: Clock
) -> None:
    lao, province = await certified(country, clock)
    await rename_and_move(country)
    hand = await officer()
    for certificate in (lao, province):
        text = await hand.say(f"/verify {certificate.code}")
        assert THEN in text
        assert "ปูใหม่" not in text
        caption, paper = await paper_after(bot, hand, certificate.id)
        assert THEN in caption
        assert "ปูใหม่" not in caption
        assert paper.says("เทศบาลตำบลบางปู", "อำเภอเมืองสมุทรปราการ จังหวัดสมุทรปราการ")
        assert not paper.says("ปูใหม่")
        assert not paper.says("ที่ตั้ง ณ")
    history = await hand.forge(LaoHistory(0))
    assert history.startswith(f"ประวัติการรับรองข้อมูล\n{LATER}\n")
    assert history.count(f"{IN_CERTIFICATE}\n{THEN}") == 2
    async with country.read() as session:
        for kind, certificate in (
            (NoticeKind.RECEIPT, lao),
            (NoticeKind.RECEIPT, province),
            (NoticeKind.COLLEAGUE_CERTIFIED, lao),
            (NoticeKind.PROVINCE_CERTIFIED, province),
        ):
            screen = await notice(session, kind, certificate.user_id, certificate.id, clock(), None)
            assert isinstance(screen, Screen)
            assert "<b>เทศบาลตำบลบางปู</b>\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ" in screen.text
            assert "ปูใหม่" not in screen.text


async def test_a_review_says_how_the_certificate_names_it_where_that_differs(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    await certify(country, clock, f"lao{BANGPU}", Level.LAO)
    hand = await officer("province11", "ทดสอบ สอง")
    assert IN_CERTIFICATE not in await hand.forge(ProvinceReview(BANGPU))
    await rename(country, name_th="ปูใหม่")
    text = await hand.forge(ProvinceReview(BANGPU))
    assert f"{IN_CERTIFICATE}\n{THEN}" in text
    assert "เทศบาลตำบลปูใหม่\nอ.เมืองสมุทรปราการ" in text


async def test_a_province_keeps_sight_of_what_was_certified_there(
    bot: Emulator, officer: MakeHand, country: Database, clock: Clock
) -> None:
    lao, province = await certified(country, clock)
    await rename_and_move(country)
    clock.move(days=1)
    later = await certify(country, clock, f"lao{BANGPU}", Level.LAO)
    before, after = await officer("province11", "ทดสอบ สอง"), await officer("province12", "ทดสอบ สาม")
    for hand in (before, after):
        for certificate in (lao, province):
            assert THEN in await hand.say(f"/verify {certificate.code}")
            _caption, paper = await paper_after(bot, hand, certificate.id)
            assert paper.says("เทศบาลตำบลบางปู")
    assert LATER in await after.say(f"/verify {later.code}")
    assert await before.say(f"/verify {later.code}") == "ไม่พบการรับรองของท่านที่ใช้รหัสนี้ โปรดตรวจรหัสทีละตัว"
    for tap in (ProvinceHistory(BANGPU, 0), SeeHistory(BANGPU)):
        history = await before.forge(tap)
        assert history.startswith(f"ประวัติการรับรองข้อมูล\n{THEN}\n")
        assert [written_code(certificate.code) in history for certificate in (lao, province, later)] == [
            True,
            True,
            False,
        ]
        assert "ปูใหม่" not in history
    # The review is its new province's, so that the way back leads to the list.
    assert (await before.press("ย้อนกลับ")).startswith("สถานภาพรับรองข้อมูล")
    assert NO_RIGHT in await before.forge(ProvinceReview(BANGPU))
    assert NO_RIGHT in await before.forge(CertificatePdf(later.id))
    whole = await after.forge(ProvinceHistory(BANGPU, 0))
    assert whole.startswith(f"ประวัติการรับรองข้อมูล\n{LATER}\n")
    assert all(written_code(certificate.code) in whole for certificate in (lao, province, later))
    stranger = await officer(f"lao{OTHER}", "ทดสอบ สี่")
    assert THEN not in await stranger.say(f"/verify {lao.code}")


async def test_an_older_certificate_says_as_of_when_its_words_are(
    bot: Emulator, officer: MakeHand, country: Database, clock: Clock
) -> None:
    with before_words():
        lao, province = await certified(country, clock)
    hand = await officer()
    # Until they are kept nothing stands for them, least of all what the organization is called now.
    for certificate in (lao, province):
        text = await hand.say(f"/verify {certificate.code}")
        assert f"รหัส อปท. {BANGPU}\n{NOT_KEPT}" in text
        assert "บางปู" not in text
        caption, paper = await paper_after(bot, hand, certificate.id)
        assert f"รหัส อปท. {BANGPU}\n{NOT_KEPT}" in caption
        assert paper.says(BANGPU, NOT_KEPT)
        assert not paper.says("บางปู")
    assert (await hand.forge(LaoHistory(0))).count(NOT_KEPT) == 2
    async with country.write() as session:
        await keep_words(session, clock())
    history = await hand.forge(LaoHistory(0))
    assert (history.count(KEPT), IN_CERTIFICATE in history) == (2, False)
    await rename_and_move(country)
    clock.move(hours=1)
    for certificate in (lao, province):
        assert f"{THEN}\n{KEPT}" in await hand.say(f"/verify {certificate.code}")
        caption, paper = await paper_after(bot, hand, certificate.id)
        assert f"{THEN}\n{KEPT}" in caption
        assert paper.says("เทศบาลตำบลบางปู", "จังหวัดสมุทรปราการ", KEPT)
    history = await hand.forge(LaoHistory(0))
    assert history.count(f"{IN_CERTIFICATE}\n{THEN}\n{KEPT}") == 2
    # New certificates contain their words.
    await certify(country, clock, f"lao{BANGPU}", Level.LAO)
    assert (await hand.forge(LaoHistory(0))).count(KEPT) == 2
