"""Files that officers send: downloaded up to a limit, checked in a process of their own, and never lost."""

import asyncio
import csv
import io
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.inbound import uploads, worker
from bot.inbound.uploads import Uploads
from bot.telegram import api
from demo.botapi import Emulator
from handlers import dispatch
from handlers.chat.uploads import NOT_CHECKED, NOT_FETCHED, NOT_SERVED, Wanted
from handlers.dispatch import Reply
from models.chats.inbox import State
from models.database.engine import Database
from models.imports.sent_file import MAX_BYTES, packed_check, unpacked_check
from models.imports.tabular import ImportRefused
from models.register.draft import RosterDraft
from models.register.roster import PersonnelRecord
from tests.bot.running import inbox_rows, link, opened_bot, until
from tests.chat import TEST_TUNING, Officer, running_bot
from tests.support import Clock

HEADERS = ["organization", "record_no", "full_name", "category", "position", "level", "ประวัติ"]
BANGPU = "5110201"


def register(count: int, category: str = "official") -> bytes:
    text = io.StringIO()
    rows = [[BANGPU, f"{number:04}", f"สมมุติ ทดลอง{number}", category, "ปลัด", "", "มี"] for number in range(count)]
    csv.writer(text).writerows([HEADERS, *rows])
    return text.getvalue().encode()


WANTED = Wanted("file", "register.csv", BANGPU)


# --- the process --------------------------------------------------------------------------------------------


async def test_the_process_says_what_is_in_a_file() -> None:
    checked = unpacked_check(await uploads.check(WANTED, register(3)))
    assert checked == unpacked_check(packed_check("register.csv", register(3), BANGPU))
    assert (checked.file_name, checked.menu_names, len(checked.records)) == ("register.csv", ("ประวัติ",), 3)


async def test_the_process_says_what_is_wrong_with_a_file() -> None:
    content = register(2, "nobody")
    with pytest.raises(ImportRefused) as here:
        unpacked_check(packed_check("register.csv", content, BANGPU))
    with pytest.raises(ImportRefused) as there:
        unpacked_check(await uploads.check(WANTED, content))
    assert str(there.value) == str(here.value)
    assert "line 2, category: nobody is no category" in str(there.value)


async def test_a_process_that_dies_is_a_file_that_cannot_be_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "dies"
    program.write_text("#!/bin/sh\nread line\nkill -9 $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(uploads.sys, "executable", str(program))
    with pytest.raises(ImportRefused) as refused:
        await uploads.check(WANTED, register(1))
    assert refused.value.problems == [NOT_CHECKED]


async def test_a_process_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "sleeps"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setattr(uploads.sys, "executable", str(program))
    with pytest.raises(ImportRefused) as refused:
        await uploads.check(WANTED, register(1), patience=0.5)
    assert refused.value.problems == [NOT_CHECKED]
    if (tmp_path / "pid").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_the_process_knows_neither_key_nor_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "tells"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path / 'environment'}\n")
    program.chmod(0o700)
    monkeypatch.setattr(uploads.sys, "executable", str(program))
    monkeypatch.setenv("LAOCERT_SECRET_KEY", "a canary of a key")
    await uploads.check(WANTED, register(1))
    environment = (tmp_path / "environment").read_text()
    assert "PYTHONPATH" in environment
    assert "LAOCERT_" not in environment


# --- fetching -----------------------------------------------------------------------------------------------


@pytest.fixture
async def taking(emulator: Emulator) -> AsyncIterator[Uploads]:
    async with opened_bot(emulator) as (bot, _):
        yield Uploads(bot, TEST_TUNING.worker.retries)


async def test_no_more_is_read_than_a_file_may_have(
    emulator: Emulator, taking: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever size Telegram has reported."""
    phone = emulator.phone("ก")
    sent = await phone.send_document("register.csv", bytes(4 * MAX_BYTES))
    file_id = sent.content["document"]["file_id"]
    assert len(await api.fetch(taking._bot, file_id, MAX_BYTES)) == MAX_BYTES + 1
    upload = await taking.take(phone.id, Wanted(file_id, "register.csv", BANGPU))
    assert upload.sent is None
    assert "the file has more than 5 MB" in str(upload.problems[0])


async def test_a_file_that_telegram_does_not_have(emulator: Emulator, taking: Uploads) -> None:
    phone = emulator.phone("ก")
    await phone.start()
    upload = await taking.take(phone.id, Wanted("nonsense", "register.csv", BANGPU))
    assert upload.problems == (NOT_FETCHED,)


@pytest.mark.parametrize("path", ["/var/lib/telegram-bot-api/1:t/documents/file_1.csv", "C:\\bot\\file_1.csv"])
async def test_a_server_that_keeps_files_to_itself_is_told_of(
    emulator: Emulator, taking: Uploads, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """A server with --local gives a path of its own machine (Bot API, File), which may exist here too."""
    phone = emulator.phone("ก")
    sent = await phone.send_document("register.csv", register(2))
    file = next(iter(emulator.world.files.values()))
    file.path = path
    upload = await taking.take(phone.id, Wanted(sent.content["document"]["file_id"], "register.csv", BANGPU))
    assert upload.problems == (NOT_SERVED,)
    assert len(emulator.calls_of("getFile")) == 1
    [error] = [line.getMessage() for line in caplog.records if line.levelname == "ERROR"]
    assert "start it without --local" in error
    assert path not in caplog.text


async def test_a_bad_network_is_tried_again(emulator: Emulator, taking: Uploads) -> None:
    phone = emulator.phone("ก")
    sent = await phone.send_document("register.csv", register(2))
    emulator.faults.reset_before(method="getFile")
    emulator.faults.server_error(method="getFile")
    upload = await taking.take(phone.id, Wanted(sent.content["document"]["file_id"], "register.csv", BANGPU))
    assert upload.sent is not None
    assert len(upload.sent.records) == 2
    actions = {(call.params["chat_id"], call.params["action"]) for call in emulator.calls_of("sendChatAction")}
    assert actions == {(str(phone.id), "typing")}


# --- in the bot ---------------------------------------------------------------------------------------------


class Gate:
    """Replaces the check: it waits until the test lets it end."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.begun = 0

    async def __call__(self, wanted: Wanted, content: bytes) -> bytes:
        self.begun += 1
        await self.let.wait()
        return packed_check(wanted.name, content, wanted.organization)

    async def has_begun(self) -> bool:
        return self.begun > 0


@pytest.fixture
async def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    replacement = Gate()
    monkeypatch.setattr(uploads, "check", replacement)
    return replacement


async def count(database: Database, kind: type[PersonnelRecord] | type[RosterDraft]) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(kind)) or 0


async def test_a_file_goes_all_the_way_through_the_process(
    emulator: Emulator, country: Database, clock: Clock
) -> None:
    officer = Officer(emulator.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with running_bot(emulator, country, clock):
        await officer.phone.send_document("register.csv", register(300))
        await officer.sees("ข้าราชการ 12 → 300")
        await officer.tap("บันทึกทะเบียน", "✅ บันทึกทะเบียนแล้ว 300 ราย")


async def test_nobody_waits_for_a_file_that_is_checked(
    emulator: Emulator, country: Database, clock: Clock, gate: Gate
) -> None:
    """With more files than slots, other officers' taps go on."""
    two_slots = replace(TEST_TUNING, worker=replace(TEST_TUNING.worker, parallel=2))
    senders = [Officer(emulator.phone(name)) for name in "กขค"]
    other = Officer(emulator.phone("ง"))
    for sender in senders:
        await link(country, "lao5110201", sender.phone, clock())
    async with running_bot(emulator, country, clock, tuning=two_slots):
        for sender in senders:
            await sender.phone.send_document("register.csv", register(3))
        await until(gate.has_begun)
        await other.says("/help", "วิธีใช้")
        assert gate.begun == 1
        gate.let.set()
        for sender in senders:
            await sender.sees("สิ่งที่ไฟล์จะเปลี่ยน")


async def test_a_slow_check_holds_the_next_file_for_its_turn_only(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files are checked one after the other, unless the first takes longer than a turn."""
    gate, begun = asyncio.Event(), list[str]()

    async def check(wanted: Wanted, content: bytes) -> bytes:
        begun.append(wanted.name)
        if wanted.name == "slow.csv":
            await gate.wait()
        return packed_check(wanted.name, content, wanted.organization)

    async def has_begun() -> bool:
        return bool(begun)

    monkeypatch.setattr(uploads, "check", check)
    phone = emulator.phone("ก")
    sent = await phone.send_document("register.csv", register(2))
    file_id = sent.content["document"]["file_id"]
    assert uploads.TURN <= 5
    async with opened_bot(emulator) as (bot, _):
        taking = Uploads(bot, TEST_TUNING.worker.retries, turn=0.3)
        slow = asyncio.create_task(taking.take(phone.id, Wanted(file_id, "slow.csv", BANGPU)))
        await until(has_begun)
        # A check whose caller is cancelled ends too.
        left = asyncio.create_task(taking.take(phone.id, Wanted(file_id, "left.csv", BANGPU)))
        await asyncio.sleep(0.1)
        assert begun == ["slow.csv"]
        left.cancel()
        upload = await taking.take(phone.id, Wanted(file_id, "next.csv", BANGPU))
        assert upload.sent is not None
        assert begun == ["slow.csv", "next.csv"]
        assert not slow.done()
        gate.set()
        assert (await slow).sent is not None


async def test_a_commit_that_fails_loses_no_file(
    emulator: Emulator, country: Database, clock: Clock, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update is processed again: downloaded, checked, and answered once."""
    officer = Officer(emulator.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    failures = [ConnectionRefusedError]

    async def respond(*arguments: Any) -> Reply | None:
        reply = await dispatch.respond(*arguments)
        if failures:
            raise failures.pop()
        return reply

    monkeypatch.setattr(worker, "respond", respond)
    gate.let.set()
    async with running_bot(emulator, country, clock):
        await officer.phone.send_document("register.csv", register(3))
        await officer.sees("สิ่งที่ไฟล์จะเปลี่ยน")
    assert not failures
    assert len(emulator.calls_of("getFile")) == 2
    assert await count(country, RosterDraft) == 1
    assert [row.state for row in await inbox_rows(country)] == [State.DONE]


async def test_a_bot_that_stops_while_it_checks_takes_the_file_up_again(
    emulator: Emulator, country: Database, clock: Clock, gate: Gate
) -> None:
    officer = Officer(emulator.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    async with running_bot(emulator, country, clock, tuning=replace(TEST_TUNING, grace=0.1)):
        await officer.phone.send_document("register.csv", register(3))
        await until(gate.has_begun)
    assert [row.state for row in await inbox_rows(country)] == [State.PENDING]
    gate.let.set()
    async with running_bot(emulator, country, clock):
        await officer.sees("สิ่งที่ไฟล์จะเปลี่ยน")
    assert [row.state for row in await inbox_rows(country)] == [State.DONE]
