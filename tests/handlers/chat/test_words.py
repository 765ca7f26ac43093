"""The words of docs/contract.md (What the chat says), to the letter, on the screens where they belong."""

import re

import pytest

from handlers.chat.taps.accounts import SetLanguage
from handlers.chat.taps.province import ProvinceMenu
from models.certification.certificate import Level
from models.chats.conversation import Language
from models.database.engine import Database
from tests.handlers.support import Hand, MakeHand
from tests.support import Clock, certify_as

BANGPU = "5110201"

# For each label or field in Thai, its English form.
LAO = [
    ("ระบบรับรองข้อมูล", "Data certification"),
    ("ดำเนินการ(อปท.)", "Proceed (LAO)"),
    ("รับรองข้อมูลระดับ อปท.", "LAO-level certification"),
    ("รับรองระดับ อปท.", "Certify at LAO level"),
    ("ยืนยันการรับรอง", "Confirm certification"),
    ("PIN", "PIN"),
]
PROVINCE = [
    ("ระบบรับรองข้อมูล", "Data certification"),
    ("ดำเนินการ(จังหวัด)", "Proceed (province)"),
    ("ค้นหา", "Search"),
    ("🔍 ทต.บางปู", "🔍 ทต.บางปู"),
    ("สุ่มตรวจสอบ", "Spot-check"),
    *[("ถูกต้อง", "Correct")] * 3,
    ("รับรองระดับจังหวัด", "Certify at province level"),
    ("ยืนยันการรับรอง", "Confirm certification"),
    ("PIN", "PIN"),
]
LANGUAGES = list(Language)


def bare(label: str) -> str:
    """A label without its emoji and its count: both are allowed."""
    if label.startswith("🔍"):
        return label.split(" · ", maxsplit=1)[0]
    return re.sub(r"^[✓✅❌] | \([\d,/]+\)$", "", label)


async def follow(hand: Hand, words: list[tuple[str, str]], english: bool) -> list[list[str]]:
    """Follow the buttons by their words; the bare labels of every screen, the first included."""
    seen = [[bare(label) for label in hand.labels]]
    for pair in words:
        word = pair[english]
        if word == "PIN":
            await hand.enter()
            seen.append([bare(label) for label in hand.labels])
            continue
        assert word in seen[-1]
        await hand.press(hand.labels[seen[-1].index(word)])
        seen.append([bare(label) for label in hand.labels])
    return seen


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_organizations_way(officer: MakeHand, language: Language) -> None:
    english = language is Language.ENGLISH
    hand = await officer()
    await hand.forge(SetLanguage(language))
    assert ("Certification status: Not certified" if english else "สถานะการรับรองข้อมูล: ยังไม่รับรอง") in hand.text
    assert ("Log out" if english else "ออกจากระบบ") in hand.labels
    seen = await follow(hand, LAO, english)
    back, home, cancel = ("Back", "Home", "Cancel") if english else ("ย้อนกลับ", "หน้าหลัก", "ยกเลิก")
    for labels in (seen[2], seen[3]):
        assert labels[-2:] == [back, home]
    assert seen[-1][-1] == home
    assert cancel in seen[4]
    assert ("Certification history" if english else "ประวัติการรับรองข้อมูล") in hand.text.splitlines()
    assert ("Certified at LAO level" if english else "รับรองระดับ อปท.") in hand.text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_provinces_way(officer: MakeHand, country: Database, clock: Clock, language: Language) -> None:
    english = language is Language.ENGLISH
    lao, hand = await officer(), await officer("province11", "ทดสอบ สอง")
    await certify_as(country, "lao5110201", lao.phone.id, BANGPU, Level.LAO, clock())
    await hand.forge(SetLanguage(language))
    seen = await follow(hand, PROVINCE, english)
    assert seen[2][:3] == (
        ["Not certified", "Certified at LAO level", "Certified at province level"]
        if english
        else ["ยังไม่รับรอง", "รับรองระดับ อปท.", "รับรองระดับจังหวัด"]
    )
    result = "Certification status: Certified at province level"
    assert (result if english else "สถานะการรับรองข้อมูล: รับรองระดับจังหวัด") in hand.text
    assert ("Certification history" if english else "ประวัติการรับรองข้อมูล") in seen[-1]
    await hand.forge(ProvinceMenu())
    field = "Status filter: Certified at LAO level" if english else "สถานภาพรับรองข้อมูล: รับรองระดับ อปท."
    assert field in hand.text.splitlines()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_entrance(stranger: Hand, language: Language) -> None:
    await stranger.say("/start")
    await stranger.forge(SetLanguage(language))
    assert stranger.labels[0] == ("Log in" if language is Language.ENGLISH else "เข้าสู่ระบบ")
