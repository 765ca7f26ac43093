"""What must stay secret stays out of the log and the database, while the program runs."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from demo.botapi import Emulator
from models.database import Database
from tests.bot.program import Program
from tests.bot.running import push
from tests.support import PASSWORD, SECRET_KEY, Officer

WRONG = "ผิดพลาด-canary-ZQ77"


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    async with Emulator(clock=time.time) as running:
        yield running


async def stored(database: Database) -> bytes:
    """Every byte of the database's files; on PostgreSQL every value of every column."""
    if database.is_sqlite:
        path = Path(str(make_url(database.url).database))
        files = [one for one in (path, path.with_name(path.name + "-wal")) if one.exists()]
        assert len(files) == 2, "the write-ahead log is there while the program runs"
        return b"".join(one.read_bytes() for one in files)
    async with database.read() as session:
        tables = await session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        found = []
        for table in list(tables):
            rows = await session.execute(text(f'SELECT * FROM "{table}"'))
            for row in rows:
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
        return b"\n".join(found)


def hidden(secret: str) -> list[bytes]:
    """The forms in which it could lie around."""
    return [secret.encode(), secret.encode("unicode_escape"), secret.encode("utf-16-le"), repr(secret).encode()]


async def test_no_password_token_or_key_is_left_behind(
    tmp_path: Path, telegram: Emulator, country: Database, database_url: str
) -> None:
    form = "json" if country.is_sqlite else "console"
    program = Program(tmp_path, telegram, database_url, LAOCERT_LOG_LEVEL="DEBUG", LAOCERT_LOG_FORMAT=form)
    officer = Officer(telegram.phone("ก"))
    phone = officer.phone
    await phone.send("/start")
    async with program.running():
        await phone.until(lambda at: at.button("เข้าสู่ระบบ"), 20)
        await phone.tap("เข้าสู่ระบบ")
        await officer.sees("พิมพ์ชื่อผู้ใช้")
        # Typed where it must not be: nothing of a refused turn is kept or told either.
        await officer.says("lao5110201", "พิมพ์รหัสผ่าน")
        telegram.faults.reset_after(method="deleteMessage")
        telegram.faults.server_error(method="sendMessage")
        await officer.says(WRONG, "ไม่ถูกต้อง")
        await officer.says("lao5110201", "พิมพ์รหัสผ่าน")
        await officer.says(PASSWORD, "ชื่อ-สกุล")
        await officer.says("ทดสอบ หนึ่ง", "ตำแหน่ง")
        await officer.says("ปลัดเทศบาล", "ปีงบประมาณ")
        # One that cannot be done, with a password in it.
        body = b'{"from":{"id":%d},"chat":{},"text":"%s"}' % (phone.id, WRONG.encode())
        push(telegram, "message", body)
        await officer.sees("ขออภัย")
        await officer.says("/menu", "ปีงบประมาณ")
        for label in ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.", "รับรองระดับ อปท.", "ยืนยันการรับรอง"):
            await phone.until(lambda at, label=label: at.button(label))
            await phone.tap(label)
        await officer.sees("หลักฐานการรับรองของท่าน")
        while_running = await stored(country)
        assert await program.stop() == 0
    log = program.log.encode()
    assert b"is set aside" in log
    assert b"answer a tap" in log or b"send a card" in log
    # The search finds what is there.
    assert "เทศบาลตำบลบางปู".encode() in while_running
    for secret in (PASSWORD, WRONG, telegram.token, telegram.token.partition(":")[2], SECRET_KEY):
        for form_of_it in hidden(secret):
            assert form_of_it not in log
            assert form_of_it not in while_running
    assert not [one.text for one in phone.messages if one.text in (PASSWORD, WRONG)]
