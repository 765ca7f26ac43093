"""Start, restart, trouble and end of a demonstration, without a browser."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from demo.botapi import LOOSE, Emulator
from demo.clock import FILE, MovedClock
from demo.last_round import MERGED, SUCCESSOR
from demo.main import data_folder, listening, running
from demo.phones import NoSuchPhone
from demo.session import DemoRefused, Session
from models.accounts.account import Officer
from models.base.calendar import BANGKOK
from models.certification.certificate import Certification, Level
from models.certification.history import load_certification
from models.chats.conversation import Awaiting
from models.chats.inbox import InboxUpdate
from models.notices import outbox
from models.rounds.round import Round
from models.schema.version import upgrade
from tests.chat import reserved_port, says
from tests.conftest import NOW
from tests.demo.browser import AGAIN, CHOOSE, ENTER, demonstrated
from tests.demo.officers import become, enter_digit, enter_pin, held, log_in, say, take_up, tap, to_the_keypad
from tests.support import ORGANIZATIONS, before_words, certify_as, settle, until


async def test_a_kept_folder_of_an_older_program_gets_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_self: object) -> None:
        pass

    monkeypatch.setattr(Session, "start_bot", nothing)
    monkeypatch.setattr(Session, "_bot_polls", nothing)
    async with Emulator() as emulator:
        session = Session(tmp_path, emulator, MovedClock(tmp_path / FILE))
        await upgrade(session.database)
        await settle(session.database, NOW)
        code = ORGANIZATIONS[0][0]
        with before_words():
            await certify_as(session.database, f"lao{code}", 501, code, Level.LAO, NOW)
        await session.start()
        async with session.database.read() as rows:
            words = (await load_certification(rows, 1)).words
        await session.close()
    assert words is not None
    assert words.organization_name == "เทศบาลตำบลบางปู"


# --- organizations that change


async def test_an_organization_is_upgraded_in_the_middle_of_the_round(sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (demonstration, _):
        assert demonstration.trouble.value()["upgradable"] == "อบต.เกาะแก้ว"
        upgraded = demonstration.open_phone("6830203")
        # The one whose phone was opened last comes first.
        await become(demonstration, lambda: demonstration.trouble.value()["upgradable"].endswith("กมลา"))
        await log_in(demonstration, upgraded)
        await demonstration.switch("upgrade", True)
        notice = await says(upgraded.phone, "สิ้นสภาพแล้ว")
        assert "มีผลตั้งแต่วันที่" in notice.text
        # Its officer goes on, with the register, under the new name.
        await say(demonstration, upgraded, "/menu", "เทศบาลตำบลกมลา")
        await to_the_keypad(demonstration, upgraded)
        await enter_pin(demonstration, upgraded, "หลักฐานการรับรอง")
        await become(demonstration, lambda: demonstration.trouble.value()["upgradable"].endswith("เกาะแก้ว"))


async def test_two_neighbours_had_merged_before_the_round(sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (demonstration, _):
        merged = demonstration.open_phone(SUCCESSOR)
        await log_in(demonstration, merged)
        await tap(demonstration, merged, "รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
        # Of the last round both are counted.
        assert "รวม 74 → 74 คน" in merged.phone.screen()
        await tap(demonstration, merged, "ย้อนกลับ", "สถานะการรับรองข้อมูล")
        await merged.phone.until(lambda phone: "ประวัติการรับรองข้อมูล" in phone.last.labels)
        await tap(demonstration, merged, "ประวัติการรับรองข้อมูล", "หน่วยงานเดิม")
        assert "อบต.หงาว" in merged.phone.screen()
        with pytest.raises(NoSuchPhone):
            demonstration.open_phone(MERGED)


# --- refusals


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DemoRefused, match=f"port {port} is taken; choose another: laocert demo --port"):
            listening(port).__enter__()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(DemoRefused, match="cannot be written"):
        data_folder(in_the_way / "below").__enter__()


def test_a_read_only_folder_is_named() -> None:
    # The kernel's own, read-only for root too.
    with pytest.raises(DemoRefused, match="cannot be written"):
        data_folder(Path("/proc/self")).__enter__()


def test_a_folder_holds_one_demonstration_at_a_time(tmp_path: Path) -> None:
    with data_folder(tmp_path), pytest.raises(DemoRefused, match="in use by another"):
        data_folder(tmp_path).__enter__()


def test_the_temporary_folder_is_gone_afterwards() -> None:
    with data_folder(None) as folder:
        (folder / "demo.db").touch()
    assert not folder.exists()


async def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(DemoRefused, match=r"demo\.db cannot be used: file is not a database"):
        async with demonstrated(tmp_path):
            pass


async def test_a_bot_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "_secret_key", lambda _self: "short")
    with pytest.raises(DemoRefused, match="the bot ended at its start: LAOCERT_SECRET_KEY"):
        async with demonstrated(tmp_path):
            pass


@pytest.mark.parametrize("content", [None, "", "k" * 64])
async def test_a_folder_whose_key_is_gone_is_not_gone_on_with(sample_folder: Path, content: str | None) -> None:
    key = sample_folder / "secret.key"
    before = key.read_text()
    if content is None:
        key.unlink()
    else:
        key.write_text(content)
    with pytest.raises(DemoRefused, match=r"secret\.key is not the key of .*demo\.db; put the right one back"):
        async with demonstrated(sample_folder):
            pass
    key.write_text(f"{before}\n")
    async with demonstrated(sample_folder):
        pass


# --- as a process


@asynccontextmanager
async def _started(*options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `laocert demo` during the block; it is always ended."""
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--no-open", *options, stdout=-1, stderr=-1
    )
    try:
        yield demo
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()


def _bots(folder: Path) -> list[int]:
    """The processes whose working directory is the folder."""
    process_ids = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                process_ids.append(int(entry.name))
        except OSError:
            continue
    return process_ids


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc to look for processes in")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_no_bot_is_left_behind(sample_folder: Path, number: signal.Signals) -> None:
    with reserved_port() as port:
        async with _started("--port", str(port), "--keep", str(sample_folder)) as demo:
            assert demo.stdout is not None
            assert f"http://127.0.0.1:{port}".encode() in await demo.stdout.readline()
            log = sample_folder / "bot.log"
            before = log.read_text().count("is running")
            await until(lambda: log.read_text().count("is running") > before)
            assert len(_bots(sample_folder)) == 1
            demo.send_signal(number)
            out, err = await demo.communicate()
            assert demo.returncode == (0 if number != signal.SIGKILL else -signal.SIGKILL)
            assert (out, err) == (b"", b"")
            await until(lambda: not _bots(sample_folder))


async def test_the_command_says_in_one_line_why_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with _started("--port", str(taken.getsockname()[1])) as demo:
            out, err = await demo.communicate()
    assert (demo.returncode, out, err.count(b"\n")) == (1, b"", 1)
    assert b"is taken" in err


# --- what is told of a PIN


async def test_a_pin_is_told_of_once_and_nothing_of_it_is_shown(sample_folder: Path) -> None:
    def told() -> list[str]:
        return [line["en"] for line in demonstration.behind.value()["lines"] if "PIN" in line["en"]]

    async with demonstrated(sample_folder) as (demonstration, _):
        lao = held(demonstration, "lao")
        await log_in(demonstration, lao)
        await become(
            demonstration, lambda: told() == ["PIN set · only an Argon2id hash made with the secret key is stored"]
        )
        # A returning officer keeps the PIN, about which no line is written.
        await say(demonstration, lao, "/logout", "ออกจากระบบแล้ว")
        await tap(demonstration, lao, "เข้าสู่ระบบ", "ชื่อผู้ใช้")
        await take_up(demonstration, lao, Awaiting.USERNAME, "รหัสผ่าน")
        await take_up(demonstration, lao, Awaiting.PASSWORD, "ปีงบประมาณ")
        await become(
            demonstration,
            lambda: sum("Password right" in line["en"] for line in demonstration.behind.value()["lines"]) == 2,
        )
        assert len(told()) == 1
        # An officer who has forgotten the PIN chooses a new one.
        await to_the_keypad(demonstration, lao)
        await tap(demonstration, lao, "ลืม PIN", "รหัสผ่านของหน่วยงาน")
        await take_up(demonstration, lao, Awaiting.PASSWORD_FOR_PIN, CHOOSE)
        await enter_pin(demonstration, lao, AGAIN)
        await enter_pin(demonstration, lao, "✅ ตั้ง PIN แล้ว")
        await become(demonstration, lambda: len(told()) == 2)
        behind = str(demonstration.behind.value())
        assert lao.holder.pin not in behind
        assert "argon2id$" not in behind


# --- going on, and trouble


async def test_a_kept_demonstration_is_gone_on_with(sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (demonstration, _):
        lao = held(demonstration, "lao")
        await log_in(demonstration, lao)
        other = demonstration.open_phone("5830104")
        before = [held_phone.holder for held_phone in demonstration.phones.all.values()]
        assert other.holder in before
    async with demonstrated(sample_folder) as (demonstration, _):
        assert [held_phone.holder for held_phone in demonstration.phones.all.values()] == before
        lao = held(demonstration, "lao")
        assert lao.phone.messages == []
        assert lao.phone.chat.bot_status == "member"
        await say(demonstration, lao, "/start", "ยังไม่รับรอง")
        async with demonstration.session.database.read() as session:
            linked = select(func.count()).where(Officer.unlinked_at.is_(None))
            assert await session.scalar(linked) == 1


async def test_a_killed_bot_loses_nothing(sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (demonstration, _):
        lao, province = held(demonstration, "lao"), held(demonstration, "province")
        await log_in(demonstration, lao)
        await log_in(demonstration, province)
        await to_the_keypad(demonstration, lao)
        for place in range(5):
            await enter_digit(demonstration, lao, place)
        await become(demonstration, lambda: lao.keypad()["entered"] == 5)  # type: ignore[index]
        await demonstration.switch("bot", True)
        assert demonstration.trouble.value()["bot"] is False
        await enter_digit(demonstration, lao, 5)
        await become(demonstration, lambda: demonstration.feed.value("trouble")["pending"] == 1)
        await demonstration.switch("network", True)
        await demonstration.switch("bot", False)
        await demonstration.switch("network", False)
        await says(province.phone, "🔔 รอท่าน 1 ")
        await become(demonstration, lambda: demonstration.behind.steps == [True, True, True, False, False])
        async with demonstration.session.database.read() as session:
            of_round = select(func.count()).where(
                Certification.round_id == select(func.max(Round.id)).scalar_subquery()
            )
            assert await session.scalar(of_round) == 1
            assert await session.scalar(select(func.count()).where(InboxUpdate.finished_at.is_(None))) == 0


async def test_the_bot_goes_by_the_moved_clock_and_keeps_it_when_it_is_killed(sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (demonstration, _):
        lao = held(demonstration, "lao")
        await log_in(demonstration, lao)
        async with demonstration.session.database.read() as session:
            closes_on = await session.scalar(select(Round.closes_on).order_by(Round.id.desc()).limit(1))
        assert closes_on is not None
        # A bot cannot delete what is older than 48 hours: the officer does.
        for message in lao.phone.messages:
            lao.phone.delete_own(message)
        demonstration.jump("closing-1")
        # Weeks have gone by: the bot, not started again, reminds of the last day, and asks who is there.
        await says(lao.phone, "⏰")
        await say(demonstration, lao, "/menu", ENTER)
        await enter_pin(demonstration, lao, "สถานะการรับรองข้อมูล")
        await to_the_keypad(demonstration, lao)
        await enter_digit(demonstration, lao, 0)
        await demonstration.switch("bot", True)
        await demonstration.switch("bot", False)
        for place in range(1, 6):
            await enter_digit(demonstration, lao, place)
        receipt = await says(lao.phone, "หลักฐานการรับรอง")
        async with demonstration.session.database.read() as session:
            newest = select(Certification.certified_at).order_by(Certification.id.desc()).limit(1)
            moment = (await session.scalars(newest)).one().astimezone(BANGKOK)
        assert (moment.date(), moment.hour) == (closes_on - timedelta(days=1), 9)
        assert datetime.fromtimestamp(receipt.date, BANGKOK).date() == moment.date()
        assert demonstration.feed.value("clock")["jumps"]["closing-3"] is False
    # The folder goes on where it was: its certificate is not from the future.
    async with demonstrated(sample_folder) as (demonstration, _):
        assert demonstration.session.clock() > moment
        assert "ahead" in demonstration.feed.value("clock")


async def test_telegram_asks_for_patience_and_the_notice_arrives_once(sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (demonstration, _):
        lao, province = held(demonstration, "lao"), held(demonstration, "province")
        await log_in(demonstration, lao)
        await log_in(demonstration, province)
        await to_the_keypad(demonstration, lao)
        await demonstration.switch("flood", True)
        assert demonstration.trouble.value()["flood"] == 3
        # Until the line is there: whether a look at the database falls between two tries is not left to luck.
        (flood,) = demonstration.session.emulator.faults.planned
        flood.remaining = sys.maxsize
        for place in range(6):
            await enter_digit(demonstration, lao, place)
        await become(
            demonstration,
            lambda: any(
                line["tone"] == "warn" and "429" not in line["th"]
                for line in demonstration.feed.value("behind")["lines"]
            ),
        )
        flood.remaining = 1
        # The result is a new message too, for it is the receipt: it waits for Telegram like the notice.
        await says(lao.phone, "หลักฐานการรับรอง")
        await says(province.phone, "🔔 รอท่าน 1 ")
        assert sum("หลักฐานการรับรอง" in message.text for message in lao.phone.messages) == 1
        assert sum("🔔 รอท่าน 1 " in message.text for message in province.phone.messages) == 1
        async with demonstration.session.database.read() as session:
            states = list(await session.scalars(select(outbox.OutboxMessage.state)))
        assert outbox.State.DEAD not in states


async def test_telegram_limits_a_chat_and_a_jump_of_the_clock_gives_it_nothing(tmp_path: Path) -> None:
    with listening(0) as listener:
        async with running(tmp_path, listener) as demonstration:
            emulator = demonstration.session.emulator
            assert emulator.weather is LOOSE
            phone = held(demonstration, "lao").phone
            await phone.start()
            emulator.call("sendMessage", chat_id=phone.id, text="x")
            before = time.time()
            demonstration.session.clock.move(demonstration.session.clock() + timedelta(hours=1))
            emulator.call("sendMessage", chat_id=phone.id, text="x")
            first, second = emulator.spent(phone.id)
            assert first.time <= before <= second.time <= time.time()


async def test_a_bot_that_dies_by_itself_is_noticed(sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (demonstration, _):
        await demonstration.session.kill_bot()
        await become(demonstration, lambda: demonstration.feed.value("trouble")["bot"] is False)
        assert "by itself" in demonstration.feed.value("behind")["lines"][0]["en"]
        await demonstration.switch("bot", False)
        await say(demonstration, held(demonstration, "lao"), "/start", "เข้าสู่ระบบ")
