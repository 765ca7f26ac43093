"""Files for officers, their chat actions, and scanned certificate codes."""

import asyncio
import io
import logging
from dataclasses import replace
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import delete, update

from bot.inbound.files import FileMaker
from demo.botapi import PATIENCE, Emulator
from demo.botapi.state import Message
from handlers.chat.screen import AttachmentKind
from handlers.chat.taps.accounts import SetLanguage
from handlers.chat.taps.certification import CertificatePdf, ProvinceHistory
from handlers.chat.taps.province import ExportList, SeeProgress
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.chats.conversation import Language
from models.database.engine import Database
from models.notices import outbox
from models.organizations.organization import Organization
from models.province import export
from models.rounds.round import Round
from tests.chat import TEST_TUNING
from tests.handlers.support import Hand, MakeHand
from tests.papers import Paper
from tests.support import ORGANIZATIONS, PIN, TO_PIN, Clock, certify_as, until

FIRST, SECOND, *_, ABROAD = (code for code, *_ in ORGANIZATIONS)
TO_PROVINCE_MENU = ("ระบบรับรองข้อมูล", "ดำเนินการ(จังหวัด)")
TO_LAO_HISTORY = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "ประวัติการรับรองข้อมูล")
# One worker slot, and a short interval between chat actions.
ONE_SLOT = replace(TEST_TUNING, worker=replace(TEST_TUNING.worker, parallel=1, action_every=0.02))


async def file_after(hand: Hand, label: str) -> Message:
    """Tap a button, and wait for the file."""
    known = hand.phone.messages[-1].id
    await hand.press(label)
    return await hand.phone.until(
        lambda phone: next(
            (message for message in phone.messages if message.id > known and file_of(message)), None
        )
    )


def file_of(message: Message) -> dict[str, Any] | None:
    photo = message.content.get("photo")
    return photo[-1] if photo else message.content.get("document")


def content_of(bot: Emulator, message: Message) -> bytes:
    file = file_of(message)
    assert file is not None
    return bot.world.files[file["file_id"]].content


def label_of(hand: Hand) -> str:
    """The button of the newest certificate on the screen."""
    return next(label for label in hand.labels if label.startswith("📄"))


async def certified(country: Database, clock: Clock) -> tuple[str, str]:
    """The first organization at both levels, by officers who have no chat; the codes."""
    async with country.write() as session:
        lao = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, clock(), session)
        province = await certify_as(country, "province11", 502, FIRST, Level.PROVINCE, clock(), session)
        await session.execute(delete(outbox.OutboxMessage))
    return lao.code, province.code


def methods(bot: Emulator, hand: Hand) -> list[str]:
    return [
        f"{call.method} {call.params.get('action', '')}".strip()
        for call in bot.calls
        if call.params.get("chat_id") == str(hand.phone.id) and call.method != "editMessageText"
    ]


# --- the province -------------------------------------------------------------------------------------------


async def test_the_list_comes_as_a_spreadsheet(
    officer: MakeHand, country: Database, clock: Clock, bot: Emulator
) -> None:
    await certified(country, clock)
    hand = await officer("province11", "ทดสอบ สอง")
    menu = await hand.way(*TO_PROVINCE_MENU)
    sent = await file_after(hand, "ส่งออก")
    assert hand.text == menu
    assert sent.content["document"]["file_name"] == "organizations-11-25691102-0930.xlsx"
    assert sent.text == "จังหวัดสมุทรปราการ: อปท. 4 แห่ง\nข้อมูล ณ วันที่ 2 พ.ย. 2569 09.30 น."
    assert "has_protected_content" not in sent.options
    assert methods(bot, hand)[-2:] == ["sendChatAction upload_document", "sendDocument"]
    rows = list(load_workbook(io.BytesIO(content_of(bot, sent))).active.iter_rows(values_only=True))  # type: ignore[union-attr]
    assert {row[0] for row in rows[1:]} == {code for code, *_, province in ORGANIZATIONS if province == "11"}


async def test_the_picture_comes_as_a_photo(
    officer: MakeHand, country: Database, clock: Clock, bot: Emulator
) -> None:
    await certified(country, clock)
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.way(*TO_PROVINCE_MENU)
    sent = await file_after(hand, "ภาพความคืบหน้า")
    assert sent.content["photo"][0]["width"] == 1080
    assert sent.text.splitlines() == [
        "จังหวัดสมุทรปราการ · ปีงบประมาณ 2570",
        "รับรองระดับจังหวัด 1 จาก 4 แห่ง",
        "รับรองระดับ อปท. 0 จาก 4 แห่ง",
        "ยังไม่รับรอง 3 จาก 4 แห่ง",
        "ข้อมูล ณ วันที่ 2 พ.ย. 2569 09.30 น.",
    ]
    assert "has_protected_content" not in sent.options
    assert methods(bot, hand)[-2:] == ["sendChatAction upload_photo", "sendPhoto"]


async def test_in_english(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    await hand.forge(SetLanguage(Language.ENGLISH))
    await hand.way("Data certification", "Proceed (province)")
    sent = await file_after(hand, "Export")
    assert sent.text.splitlines()[0] == "Samut Prakan province: 4 organizations"
    assert (await file_after(hand, "Progress picture")).text.startswith("Samut Prakan province · fiscal year 2570")


async def test_no_picture_before_the_first_round(
    officer: MakeHand, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(_session: object) -> Round | None:
        return None

    hand = await officer("province11", "ทดสอบ สอง")
    monkeypatch.setattr("models.province.statistics.current_round", none)
    await hand.way(*TO_PROVINCE_MENU)
    assert "ยังไม่เปิดรอบการรับรอง" in await hand.press("ภาพความคืบหน้า")


# --- the certificate ----------------------------------------------------------------------------------------


async def test_both_sides_get_each_certificate(
    officer: MakeHand, country: Database, clock: Clock, bot: Emulator
) -> None:
    codes = await certified(country, clock)
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    text = await hand.way(*TO_LAO_HISTORY)
    for code, level in zip(codes, ("รับรองระดับ อปท.", "รับรองระดับจังหวัด"), strict=True):
        button = "📄 " + level.replace("รับรอง", "หลักฐาน")
        dashed = f"{code[:5]}-{code[5:]}"
        sent = await file_after(hand, f"{button} {dashed}")
        assert hand.text == text
        assert sent.content["document"]["file_name"] == f"certificate-{dashed}.pdf"
        place = "เทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ"
        assert sent.text == f"การรับรอง {dashed}\n{place}\nปีงบประมาณ 2570 · {level}"
        assert "has_protected_content" not in sent.options
        paper = Paper(content_of(bot, sent))
        assert (paper.pages, paper.codes) == (1, [f"https://t.me/laocert_bot?start=v{code}"])
        assert paper.says(level, dashed)
    assert methods(bot, hand)[-2:] == ["sendChatAction upload_document", "sendDocument"]
    await province.forge(ProvinceHistory(FIRST, 0))
    assert Paper(content_of(bot, await file_after(province, label_of(province)))).says("เทศบาลตำบลบางปู")


async def test_after_certifying_it_is_one_tap_away(officer: MakeHand) -> None:
    hand = await officer()
    await hand.way(*TO_PIN, "PIN")
    assert (await file_after(hand, label_of(hand))).content["document"]["mime_type"] == "application/pdf"


async def test_a_name_in_a_caption_is_text(officer: MakeHand, country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await session.execute(update(Organization).values(name_th="<b>&x"))
    await certified(country, clock)
    hand = await officer()
    await hand.way(*TO_LAO_HISTORY)
    assert "เทศบาลตำบล<b>&x" in (await file_after(hand, label_of(hand))).text


async def test_nobody_gets_what_is_not_its_own(
    officer: MakeHand, stranger: Hand, country: Database, clock: Clock, bot: Emulator
) -> None:
    await certified(country, clock)
    neighbour, outsider = await officer(f"lao{SECOND}", "ทดสอบ สาม"), await officer("province12", "ทดสอบ สี่")
    await stranger.say("/start")
    for hand in (neighbour, outsider):
        for number in (1, 2, 999):
            assert "ไม่มีสิทธิ์" in await hand.forge(CertificatePdf(number))
    assert "ไม่มีสิทธิ์" in await neighbour.forge(ExportList())
    assert "ไม่มีสิทธิ์" in await neighbour.forge(SeeProgress())
    assert "ยังไม่ได้เข้าสู่ระบบ" in await stranger.forge(CertificatePdf(1))
    await outsider.say("/menu")
    await outsider.way(*TO_PROVINCE_MENU)
    sent = await file_after(outsider, "ส่งออก")
    rows = list(load_workbook(io.BytesIO(content_of(bot, sent))).active.iter_rows(values_only=True))  # type: ignore[union-attr]
    assert [row[0] for row in rows[1:]] == [ABROAD]
    for hand in (neighbour, stranger):
        assert not any(file_of(message) for message in hand.phone.messages)


# --- scanned from paper -------------------------------------------------------------------------------------


async def test_a_scanned_code_shows_the_certificate_and_its_file(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    code, _ = await certified(country, clock)
    hand = await officer()
    text = await hand.say(f"/start v{code}")
    assert "ยังมีผลอยู่" in text
    assert (await file_after(hand, label_of(hand))).content["document"]["mime_type"] == "application/pdf"
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแลระบบ", "นับซ้ำหนึ่งราย", clock())
        # Those who certified have no chat that could be told of it.
        await session.execute(delete(outbox.OutboxMessage))
    assert "เปิดแก้ไขการรับรองครั้งที่ 1" in await hand.say(f"/start v{code}")


async def test_a_stranger_learns_nothing_from_a_code(
    stranger: Hand, officer: MakeHand, country: Database, clock: Clock
) -> None:
    code, _ = await certified(country, clock)
    answers = {await stranger.say(f"/start v{tried}") for tried in (code, code.lower(), "AAAAAAAAAA", "0" * 10)}
    assert len(answers) == 1
    assert "โปรดเข้าสู่ระบบก่อน" in answers.pop()
    outsider = await officer("province12", "ทดสอบ สี่")
    answers = {await outsider.say(f"/start v{tried}") for tried in (code, "AAAAAAAAAA")}
    assert len(answers) == 1
    assert "ไม่พบการรับรองของท่านที่ใช้รหัสนี้" in answers.pop()


async def test_what_is_no_certificate_is_an_invitation(stranger: Hand) -> None:
    for other in ("v", "vABC", "vABCDEFGHJKM", "xABCDEFGHJK", "A" * 22):
        assert "คำเชิญนี้ใช้ไม่ได้" in await stranger.say(f"/start {other}")


async def test_an_idle_chat_gives_its_pin_first(officer: MakeHand, country: Database, clock: Clock) -> None:
    code, _ = await certified(country, clock)
    hand = await officer()
    clock.move(hours=13)
    text = await hand.say(f"/start v{code}")
    assert code[:5] not in text
    assert "ยังมีผลอยู่" in await hand.enter(PIN)
    clock.move(hours=13)
    assert "โปรดใส่ PIN" in await hand.forge(CertificatePdf(1))
    known = hand.phone.messages[-1].id
    await hand.enter(PIN)
    await hand.phone.until(
        lambda phone: any(message.id > known and file_of(message) for message in phone.messages)
    )


# --- how it is made -----------------------------------------------------------------------------------------


class Gate:
    """A maker of files that waits until the test lets it continue."""

    def __init__(self) -> None:
        self.begun, self.opened = asyncio.Event(), asyncio.Event()
        self.made = 0

    async def make(self, _kind: AttachmentKind, _facts: object) -> bytes:
        self.begun.set()
        async with asyncio.timeout(PATIENCE):
            await self.opened.wait()
        self.made += 1
        return b"%PDF-1.7 a file"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(FileMaker, "make", lambda _self, kind, facts: gate.make(kind, facts))
    return gate


@pytest.mark.parametrize("tuning", [ONE_SLOT], indirect=True, ids=["one slot"])
async def test_nobody_waits_for_a_file(
    officer: MakeHand, country: Database, clock: Clock, gate: Gate, bot: Emulator
) -> None:
    """A slow file delays no taps; the chat action is renewed, and a second tap makes no second file."""
    await certified(country, clock)
    hand, other = await officer(), await officer(f"lao{SECOND}", "ทดสอบ สาม")
    await hand.way(*TO_LAO_HISTORY)
    label = label_of(hand)
    try:
        await hand.press(label)
        await until(gate.begun.is_set)
        await hand.press(label)
        assert "สถานะการรับรองข้อมูล" in await hand.press("ย้อนกลับ")
        assert "ดำเนินการ(อปท.)" in (await other.press("ระบบรับรองข้อมูล"), *other.labels)
        await until(lambda: len(bot.calls_of("sendChatAction")) > 2)
        assert not any(file_of(message) for message in hand.phone.messages)
    finally:
        gate.opened.set()
    await hand.phone.until(lambda phone: any(file_of(message) for message in phone.messages))
    assert gate.made == 1
    # One may have been on its way when the file came; then there are no more.
    async with asyncio.timeout(PATIENCE):
        signs = -1
        while signs != len(bot.calls_of("sendChatAction")):
            signs = len(bot.calls_of("sendChatAction"))
            await asyncio.sleep(0.1)


async def test_nobody_waits_while_a_list_is_read(
    officer: MakeHand, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is read after the tap's transaction, during which nobody else could write on SQLite."""
    begun, opened, read = asyncio.Event(), asyncio.Event(), export.province_list

    async def held(*arguments: Any) -> export.ProvinceList:
        begun.set()
        async with asyncio.timeout(PATIENCE):
            await opened.wait()
        return await read(*arguments)

    monkeypatch.setattr(export, "province_list", held)
    hand, other = await officer("province11", "ทดสอบ สอง"), await officer(f"lao{SECOND}", "ทดสอบ สาม")
    menu = await hand.way(*TO_PROVINCE_MENU)
    try:
        await hand.press("ส่งออก")
        await until(begun.is_set)
        assert "ดำเนินการ(อปท.)" in (await other.press("ระบบรับรองข้อมูล"), *other.labels)
        assert hand.text == menu
    finally:
        opened.set()
    await hand.phone.until(lambda phone: any(file_of(message) for message in phone.messages))


async def test_a_link_that_ended_meanwhile_gets_no_file(
    officer: MakeHand, country: Database, clock: Clock, gate: Gate, bot: Emulator
) -> None:
    await certified(country, clock)
    hand = await officer()
    await hand.way(*TO_LAO_HISTORY)
    try:
        await hand.press(label_of(hand))
        await until(gate.begun.is_set)
        await hand.say("/logout")
    finally:
        gate.opened.set()
    await until(lambda: gate.made)
    await asyncio.sleep(0.1)
    assert bot.calls_of("sendDocument") == []


async def test_a_file_that_cannot_be_made_is_one_sentence(
    officer: MakeHand,
    country: Database,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = "นาย" + "สมมุติ"

    async def broken(_self: FileMaker, _kind: AttachmentKind, _facts: object) -> bytes:
        raise RuntimeError(name)

    monkeypatch.setattr(FileMaker, "make", broken)
    await certified(country, clock)
    hand = await officer()
    await hand.way(*TO_LAO_HISTORY)
    await hand.press(label_of(hand))
    await hand.sees("ขออภัย จัดทำไฟล์ไม่สำเร็จ โปรดขออีกครั้ง")
    record = next(record for record in caplog.records if record.levelno >= logging.ERROR)
    assert "a certificate was not made: RuntimeError" in record.getMessage()
    assert name not in caplog.text
    caplog.clear()
    assert "ประวัติการรับรองข้อมูล" in hand.text


async def test_a_network_that_fails_once_brings_the_file_all_the_same(
    officer: MakeHand, country: Database, clock: Clock, bot: Emulator
) -> None:
    await certified(country, clock)
    hand = await officer()
    await hand.way(*TO_LAO_HISTORY)
    bot.faults.reset_before(method="sendDocument")
    bot.faults.server_error(method="sendChatAction")
    assert content_of(bot, await file_after(hand, label_of(hand))).startswith(b"%PDF")
