"""What must stay secret stays out of the log, the database and its backup, while the program runs."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.botapi import Emulator, Message
from models.database.engine import Database
from tests.bot.program import ROOT, Program
from tests.bot.running import all_but_one_digit, keypad, link, push
from tests.chat import Officer
from tests.searching import alone, hidden, stored
from tests.support import PASSWORD, PIN, SECRET_KEY, TO_PIN

WRONG = "ผิดพลาด-canary-ZQ77"
WRONG_PIN = "271828"


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    async with Emulator(clock=time.time) as running:
        yield running


async def backed_up(program: Program, copy: Path) -> bytes:
    """What `laocert db backup` writes while the program runs, unpacked."""
    await run(sys.executable, "-m", "bot", "db", "backup", str(copy), **program.settings)
    content = await asyncio.to_thread(copy.read_bytes)
    return content if content.startswith(b"SQLite") else await run("pg_restore", "--file=-", str(copy))


async def run(*command: str, **settings: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | {"PYTHONPATH": str(ROOT)} | settings, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, command
    return out


async def test_no_password_token_or_key_is_left_behind(
    tmp_path: Path, telegram: Emulator, country: Database, database_url: str
) -> None:
    form = "json" if country.is_sqlite else "console"
    program = Program(tmp_path, telegram, database_url, LAOCERT_LOG_LEVEL="DEBUG", LAOCERT_LOG_FORMAT=form)
    officer = Officer(telegram.phone("ก"))
    phone = officer.phone
    await phone.send("/start")
    async with program.running():
        await phone.until(lambda at: at.button("เข้าสู่ระบบ"))
        await phone.tap("เข้าสู่ระบบ")
        await officer.sees("พิมพ์ชื่อผู้ใช้")
        # Typed in the wrong place: nothing of a refused message is stored or logged.
        await officer.says(f"lao5110201 {WRONG}", "ชื่อผู้ใช้เพียงอย่างเดียว")
        await officer.says("lao5110201", "พิมพ์รหัสผ่าน")
        telegram.faults.reset_after(method="deleteMessage")
        telegram.faults.server_error(method="sendMessage")
        await officer.says(WRONG, "ไม่ถูกต้อง")
        await officer.says("lao5110201", "พิมพ์รหัสผ่าน")
        await officer.says(PASSWORD, "ชื่อ-สกุล")
        await officer.says("ทดสอบ หนึ่ง", "ตำแหน่ง")
        await officer.says("ปลัดเทศบาล", "ตั้ง PIN")
        await officer.says(WRONG_PIN, "ใช้เป็น PIN ไม่ได้")
        await officer.enter(PIN + PIN, "ปีงบประมาณ")
        # An update that fails, with a password in it.
        body = b'{"from":{"id":%d},"chat":{},"text":"%s"}' % (phone.id, WRONG.encode())
        push(telegram, "message", body)
        await officer.sees("ขออภัย")
        await officer.says("/menu", "ปีงบประมาณ")
        for label in TO_PIN:
            await phone.until(lambda at, label=label: at.button(label))
            await phone.tap(label)
        await keypad(phone)
        await officer.says(PIN, "ห้ามพิมพ์เป็นข้อความ")
        await officer.enter(WRONG_PIN, "PIN ไม่ถูกต้อง")
        pad = await all_but_one_digit(phone)
        # Before the last digit: the entered digits are in the database, sealed.
        in_the_middle = await stored(country) + await backed_up(program, tmp_path / "middle.backup")
        await phone.tap(PIN[-1], pad)
        await officer.sees("หลักฐานการรับรองของท่าน")
        while_running = await stored(country) + await backed_up(program, tmp_path / "end.backup")
        assert await program.stop() == 0
    log = program.log.encode()
    assert b"is set aside" in log
    assert b"draw a screen" in log
    # Check that the search itself finds what is there.
    assert "เทศบาลตำบลบางปู".encode() in while_running
    assert alone("5110201").search(in_the_middle)
    assert alone("5110201").search(while_running)
    for content in (log, in_the_middle, while_running):
        for digits in (PIN, WRONG_PIN, PIN[:-1]):
            assert not alone(digits).search(content)
        assert b"layout" not in content
    for secret in (PASSWORD, WRONG, telegram.token, telegram.token.partition(":")[2], SECRET_KEY):
        for form_of_it in hidden(secret):
            assert form_of_it not in log
            assert form_of_it not in in_the_middle
            assert form_of_it not in while_running
    typed = [message.text for message in phone.messages if not message.outgoing]
    assert not [text for text in typed for secret in (PASSWORD, WRONG, PIN, WRONG_PIN) if secret in text]


async def test_callback_data_alone_says_no_digit(
    tmp_path: Path, telegram: Emulator, country: Database, database_url: str
) -> None:
    """The real program shuffles the digits' places for each keypad. Whoever also sees the labels, as they go to
    Telegram, can read the digits.
    """
    program = Program(tmp_path, telegram, database_url)
    officer = Officer(telegram.phone("ก"))
    await officer.phone.send("/start")
    places = []
    async with program.running():
        await officer.phone.until(lambda at: at.button("เข้าสู่ระบบ"))
        await officer.tap("เข้าสู่ระบบ", "พิมพ์ชื่อผู้ใช้")
        for text, expected in (
            ("lao5110201", "รหัสผ่าน"),
            (PASSWORD, "ชื่อ-สกุล"),
            ("ทดสอบ หนึ่ง", "ตำแหน่ง"),
            ("ปลัดเทศบาล", "ตั้ง PIN"),
        ):
            await officer.says(text, expected)
        for _ in range(4):
            places.append(digit_places(await keypad(officer.phone)))
            await officer.says("/menu", "ตั้ง PIN")
        assert await program.stop() == 0
    nonces = {nonce for nonce, _ in places}
    assert len(nonces) == 4
    # Four times the same order would be no coincidence (1 in 10!³).
    assert len({order for _, order in places}) > 1
    assert all(sorted(order) == list(range(10)) for _, order in places)


def digit_places(card: Message) -> tuple[str, tuple[int, ...]]:
    """The keypad's number, and the place in the callback data of 0, 1, 2 …; there is nothing else in it."""
    data = {button.label: button.data or "" for row in card.buttons for button in row}
    parts = [data[str(digit)].split(":") for digit in range(10)]
    assert {(code, nonce) for code, nonce, _ in parts} == {("k", parts[0][1])}
    return parts[0][1], tuple(int(place) for _, _, place in parts)


async def test_a_register_that_was_sent_lies_open_nowhere(
    tmp_path: Path, telegram: Emulator, country: Database, database_url: str
) -> None:
    """Sealed in inbox and draft until its officer saves it; and no log ever names who is in it."""
    name = "สมมุติ canary-ZQ78"
    program = Program(tmp_path, telegram, database_url, LAOCERT_LOG_LEVEL="DEBUG")
    officer = Officer(telegram.phone("ก"))
    await link(country, "lao5110201", officer.phone, datetime.now(UTC))
    header = "organization,record_no,full_name,category,position,level\n"
    good = f"{header}5110201,1,{name},official,ปลัด,กลาง\n"
    bad = f"{header}5110201,1,ปลัด,{name},ปลัด,กลาง\n"
    async with program.running():
        for content, expected in ((bad, "ยังไม่รับไฟล์นี้"), (good, "สิ่งที่ไฟล์จะเปลี่ยน")):
            await officer.phone.send_document("register.csv", content.encode())
            await officer.sees(expected)
        waiting = await stored(country) + await backed_up(program, tmp_path / "waiting.backup")
        await officer.tap("บันทึกทะเบียน", "บันทึกทะเบียนแล้ว 1 ราย")
        saved = await stored(country)
        assert await program.stop() == 0
    for form_of_it in hidden(name):
        assert form_of_it not in waiting
        assert form_of_it not in program.log.encode()
    # Check that the search itself finds what is there.
    assert name.encode() in saved
