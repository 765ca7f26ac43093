"""Texts in both languages have the same values, and outside text is never markup."""

import re
from datetime import UTC, date, datetime

import pytest
from babel.messages.catalog import Catalog, Message
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from demo.botapi import Emulator
from handlers import locales
from handlers.chat.commands import menu
from handlers.chat.texts import texts
from handlers.routes import COMMANDS
from models.accounts.account import find_account
from models.chats.conversation import Language
from models.database.engine import Database
from models.organizations.organization import Organization
from models.register.roster import PersonnelRecord
from tests.handlers.support import Hand, MakeHand, walk
from tests.support import PASSWORD, PIN, TO_PIN, Clock

THAI, ENGLISH = texts(Language.THAI), texts(Language.ENGLISH)


def messages(catalog: Catalog) -> dict[str, Message]:
    return {str(message.id): message for message in catalog if message.id}


def placeholders(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{[^{}]*\}", text)))


def tags(text: str) -> list[str]:
    return sorted(re.findall(r"</?[a-z]+>", text))


CATALOGS = [locales.read(language) for language in locales.languages()]
TRANSLATIONS = [message for catalog in CATALOGS for message in messages(catalog).values()]


def test_every_language_but_english_has_a_catalog() -> None:
    assert locales.languages() == sorted(set(Language) - {Language.ENGLISH})


@pytest.mark.parametrize("language", locales.languages())
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    in_code, in_catalog = messages(locales.extract()), messages(locales.read(language))
    assert in_code
    assert set(in_catalog) == set(in_code), "run: make messages"
    for message in in_catalog.values():
        assert message.string, message.id
        assert not message.fuzzy, message.id
    assert not locales.read(language).obsolete


@pytest.mark.parametrize("message", TRANSLATIONS, ids=lambda message: str(message.id)[:30])
def test_both_languages_hold_the_same_values_and_markup(message: Message) -> None:
    english, thai = str(message.id), str(message.string)
    # Thai writes the hour with a full stop.
    assert placeholders(thai.replace("%H.%M", "%H:%M")) == placeholders(english)
    assert tags(thai) == tags(english)
    assert english[0].isspace() == thai[0].isspace()
    assert not re.search("[ก-๛]", english.replace("ก.พ.๗", "").replace("ภาษา", ""))


@given(st.text(max_size=200))
def test_a_value_never_becomes_markup_or_a_placeholder(value: str) -> None:
    text = THAI("✅ Logged in: {name}", name=value)
    assert not set(text) & set("<>\"'")
    assert text.unescape() == f"✅ เข้าสู่ระบบแล้ว: {value}"


@pytest.mark.parametrize(
    ("moment", "thai", "english"),
    [
        (datetime(2026, 9, 30, 17, 0, tzinfo=UTC), "1 ต.ค. 2569 00.00 น.", "1 Oct B.E. 2569 00:00"),
        (datetime(2026, 12, 31, 16, 59, tzinfo=UTC), "31 ธ.ค. 2569 23.59 น.", "31 Dec B.E. 2569 23:59"),
        (datetime(2026, 12, 31, 17, 0, tzinfo=UTC), "1 ม.ค. 2570 00.00 น.", "1 Jan B.E. 2570 00:00"),
        (datetime(2028, 2, 29, 2, 5, tzinfo=UTC), "29 ก.พ. 2571 09.05 น.", "29 Feb B.E. 2571 09:05"),
    ],
)
def test_moments_are_of_the_buddhist_era_in_bangkok(moment: datetime, thai: str, english: str) -> None:
    assert (THAI.moment(moment), ENGLISH.moment(moment)) == (thai, english)


@pytest.mark.parametrize("month", range(1, 13))
def test_months_have_their_usual_short_names(month: int) -> None:
    names = ["ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค."]
    assert THAI.day(date(2027, month, 9)) == f"9 {names[month - 1]} 2570"


def test_the_commands_of_the_chat_are_offered() -> None:
    offered = menu()
    assert [name for name, _ in offered[""]] == [name for name, _ in offered["en"]]
    assert {name for name, _ in offered[""]} == COMMANDS.keys() - {"start"}
    assert all(re.search("[ก-๙]", text) for _, text in offered[""])


NASTY = "<b>ข</b> {x} {} %s &amp; \"'_*[]"


@pytest.mark.parametrize("username", ["lao6110302", "province11"])
async def test_outside_text_stays_text_on_every_screen(
    stranger: Hand, bot: Emulator, country: Database, username: str
) -> None:
    async with country.write() as session:
        for code in ("lao6110302", "province11"):
            (await find_account(session, code)).display_name = f"บัญชี {NASTY}"
        organization = await session.get_one(Organization, "6110302")
        organization.name_th, organization.district_th = f"ชื่อ {NASTY}", f"อำเภอ {NASTY}"
        somebody = await session.scalar(
            select(PersonnelRecord).where(PersonnelRecord.organization_code == "6110302").limit(1)
        )
        assert somebody is not None
        somebody.position, somebody.level = f"งาน {NASTY}", f"ระดับ {NASTY}"
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    await stranger.say(username)
    assert f"เข้าสู่ระบบแล้ว: บัญชี {NASTY}" in await stranger.say(PASSWORD)
    assert f"ชื่อ-สกุล: ก {NASTY}" in await stranger.say(f"ก {NASTY}")
    await stranger.say(f"ต {NASTY}")
    await stranger.enter(PIN + PIN)
    seen = [screen async for screen in walk(stranger)]
    texts_ = "\n".join(screen.text for screen in seen)
    labels = [label for screen in seen for label in screen.labels]
    assert f"ก {NASTY} · ต {NASTY}" in texts_
    assert f"ชื่อ {NASTY}" in texts_
    assert f"อ.อำเภอ {NASTY}" in texts_
    assert f"งาน {NASTY} ระดับ {NASTY}" in texts_
    if username == "province11":
        assert f"🔍 อบต.ชื่อ {NASTY}" in labels
    for screen in seen:
        assert "&lt;" not in screen.text, screen
        assert "<b>ข</b>" not in screen.html, screen


async def test_a_certificate_bears_the_name_as_typed(
    stranger: Hand, officer: MakeHand, clock: Clock, country: Database
) -> None:
    province = await officer("province11", "ทดสอบ สอง")
    await stranger.say("/start")
    await stranger.press("เข้าสู่ระบบ")
    for text in ("lao5110201", PASSWORD, f"ก {NASTY}", f"ต {NASTY}"):
        await stranger.say(text)
    await stranger.enter(PIN + PIN)
    await stranger.way(*TO_PIN)
    assert f"ก {NASTY} · ต {NASTY}\n2 พ.ย. 2569" in await stranger.enter()
    card = await province.sees("🔔 รอท่าน 1 แห่ง")
    assert f"ก {NASTY} · ต {NASTY}\n2 พ.ย. 2569" in await province.open("🔍", card)


async def test_a_chat_speaks_the_language_that_it_has_chosen(officer: MakeHand, stranger: Hand) -> None:
    hand = await officer()
    assert hand.labels[1] == "ระบบรับรองข้อมูล"
    await hand.press("ภาษา / Language")
    assert hand.labels == ["ไทย", "English", "ย้อนกลับ"]
    text = await hand.press("English")
    assert text == (
        "เทศบาลตำบลบางปู\nเมืองสมุทรปราการ district, Samut Prakan\nทดสอบ หนึ่ง · ปลัด\n\n"
        "Fiscal year B.E. 2570 · by 15 Sep B.E. 2570 (317 days left)\nCertification status: Not certified"
    )
    assert "Choose a language." in await hand.say("/language")
    assert "สถานะการรับรองข้อมูล: ยังไม่รับรอง" in await hand.press("ไทย")
    # Before a login, too; and it stays through it.
    await stranger.say("/language")
    assert "Log in with your organization's" in await stranger.press("English")
    await stranger.press("Log in")
    for text in ("lao5110201", PASSWORD):
        await stranger.say(text)
    assert "first and last name" in stranger.text
