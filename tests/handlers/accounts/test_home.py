"""หน้าหลัก: what stands there, and the shorter way beside the procedure's."""

import pytest

from handlers.chat.taps.accounts import Home
from handlers.chat.texts import texts
from models.certification.certificate import Level
from models.chats.conversation import Language
from models.database.engine import Database
from models.rounds.round import close_round
from tests.handlers.support import Hand, MakeHand
from tests.support import TO_PIN, Clock, certify_as

BANGPU, NEIGHBOUR = "5110201", "6110301"
HELP_AND_WAY_OUT = ["วิธีใช้งาน", "ออกจากระบบ"]


async def test_an_organization_that_has_not_certified_goes_on_from_home(
    officer: MakeHand, country: Database
) -> None:
    hand = await officer()
    assert hand.labels[:2] == ["รับรองข้อมูลระดับ อปท.", "ระบบรับรองข้อมูล"]
    # Three taps and six digits: two less than by the procedure's way, which stays.
    shorter = ("รับรองข้อมูลระดับ อปท.", "รับรองระดับ อปท.", "ยืนยันการรับรอง")
    assert (len(TO_PIN) + 6, len(shorter) + 6) == (11, 9)
    await hand.way(*shorter, "PIN")
    assert "✅ รับรองแล้ว" in hand.text
    await hand.say("/menu")
    assert hand.labels[0] == "ระบบรับรองข้อมูล"


async def test_outside_a_round_there_is_no_shorter_way(officer: MakeHand, country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await close_round(session, clock())
    for username in (f"lao{BANGPU}", "province11"):
        hand = await officer(username, "ทดสอบ สอง")
        assert hand.labels[0] == "ระบบรับรองข้อมูล"


async def test_a_provinces_home_has_the_next_that_waits(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    assert hand.labels[0] == "ระบบรับรองข้อมูล"
    for code in (NEIGHBOUR, BANGPU):
        lao = await officer(f"lao{code}", f"ทดสอบ {code}")
        await certify_as(country, f"lao{code}", lao.phone.id, code, Level.LAO, clock())
    clock.move(seconds=1)
    await hand.forge(Home())
    assert hand.labels[:2] == ["🔍 ทต.บางปู", "ระบบรับรองข้อมูล (2)"]
    assert (await hand.press("🔍 ทต.บางปู")).startswith("ตรวจสอบข้อมูลระดับจังหวัด\n")
    # What was left for later is not next any more.
    await hand.press("ข้าม")
    await hand.forge(Home())
    assert hand.labels[0] == "🔍 อบต.บางปู"


async def test_help_is_in_reach_and_names_the_ways(officer: MakeHand, stranger: Hand) -> None:
    hand = await officer()
    assert hand.labels[-2:] == HELP_AND_WAY_OUT
    text = await hand.press("วิธีใช้งาน")
    for words in ("/menu", "/verify ABCDE-FGHJK", "/language", "/logout", "โปรดติดต่อผู้ดูแลระบบ"):
        assert words in text
    assert await hand.press("หน้าหลัก")
    assert "/verify" in await stranger.say("/help")


async def test_a_petition_that_waits_is_seen_at_home(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    await certify_as(country, f"lao{BANGPU}", hand.phone.id, BANGPU, Level.LAO, clock())
    assert "คำขอ" not in await hand.forge(Home())
    await hand.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.", "ขอแก้ไขข้อมูล")
    await hand.say("นับซ้ำหนึ่งราย")
    await hand.press("ส่งคำขอ")
    assert "✉️ คำขอแก้ไขข้อมูลของท่านอยู่ระหว่างพิจารณา" in await hand.forge(Home())


@pytest.mark.parametrize("language", Language)
def test_the_operator_is_named_with_its_contact(language: Language) -> None:
    assert texts(language).operator in ("ผู้ดูแลระบบ", "the operator")
    assert texts(language, "โทร. 02 000 0000").operator.endswith(" (โทร. 02 000 0000)")
