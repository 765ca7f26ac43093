"""The running program with a wrong clock: what is refused and logged, and what goes on once it is right."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import func, select

from bot.runtime.clock_offset import GAP, SECOND, ClockOffset
from bot.runtime.metrics import TALLY, Tally
from bot.service import deadlines, upkeep
from bot.telegram import api
from bot.telegram.clocks import compare, keep_comparing, make_clocks
from bot.telegram.transport import AiohttpRequest
from demo.botapi import Emulator
from handlers.chat.taps.certification import LaoReview, ProvinceReview
from models.audit.event_chain import AuditEvent, Event
from models.base.calendar import bangkok_day
from models.base.clocks import LARGEST_OFFSET
from models.certification.certificate import Certification, Level
from models.certification.certify import Confirmation
from models.certification.spot_check import SpotCheck
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.outreach.reminder import Reminder
from tests.bot.outbound.office import sending
from tests.bot.running import all_but_one_digit, certificate, keypad, link, opened_bot
from tests.chat import Officer, running_bot
from tests.conftest import NOW
from tests.handlers.support import Hand
from tests.support import PIN, Clock, certify_as, move_last_day, until

WRONG = "นาฬิกาของระบบไม่ตรงกับเวลาจริง จึงยังไม่ได้บันทึกรายการนี้"
CONFIRM = "ยืนยันการรับรอง"
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OFF = timedelta(minutes=6)


class Elapsed:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def next(self) -> None:
        """Move on, so that one more sample counts."""
        self.seconds += GAP


@pytest.fixture
def telegram() -> Clock:
    """Telegram's clock, which is always right."""
    return Clock(NOW)


@pytest.fixture
async def emulator(telegram: Clock) -> AsyncIterator[Emulator]:
    async with Emulator(clock=telegram.timestamp) as running:
        yield running
        assert not running.violations


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in vars(Tally()).items():
        monkeypatch.setitem(vars(TALLY), name, value)


async def certificates(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(Certification)) or 0


def believed() -> timedelta:
    """The offset that the running program believes, up to the duration of a call."""
    return TALLY.clock_offsets["telegram"]() or timedelta(0)


async def hear(emulator: Emulator, elapsed: Elapsed, goal: Callable[[], bool]) -> None:
    """Cause answers that count as samples, until the believed offset satisfies the condition."""
    somebody = Officer(emulator.phone("ใคร"))
    while not goal():
        elapsed.next()
        await somebody.says("/start", "เข้าสู่ระบบ")


def is_wrong() -> bool:
    return believed() > LARGEST_OFFSET


async def press_confirm(officer: Officer, emulator: Emulator) -> None:
    """Tap, and wait for the toast and the screen, which may be the same as before."""
    calls = emulator.call_count
    await officer.phone.tap(CONFIRM)
    await until(lambda: emulator.call_count >= calls + 2)
    await officer.sees(WRONG)


async def test_nothing_is_certified_by_a_wrong_clock_and_all_goes_on_when_it_is_right(
    emulator: Emulator, country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    elapsed = Elapsed()
    async with running_bot(emulator, country, clock, monotonic=elapsed):
        officer = Officer(emulator.phone("ก"))
        await link(country, "lao5110201", officer.phone, clock())
        await officer.to_keypad()
        clock.move(minutes=6)
        message = await all_but_one_digit(officer.phone)
        await hear(emulator, elapsed, is_wrong)
        await officer.phone.tap(PIN[-1], message)
        await officer.sees(WRONG)
        assert believed() <= OFF - SECOND
        assert "s ahead of Telegram's; set it, and keep it by NTP" in caplog.text
        # The warning is shown again with its button; no PIN is asked for in vain.
        await officer.sees("จะไม่สามารถแก้ไข")
        await press_confirm(officer, emulator)
        assert await certificates(country) == 0
        clock.move(minutes=-6)
        # The clock is not known to be right yet.
        await press_confirm(officer, emulator)
        await hear(emulator, elapsed, lambda: not believed())
        await officer.tap(CONFIRM, "โปรดใส่ PIN ของท่าน")
        await officer.enter(PIN, "ประวัติการรับรองข้อมูล")
        assert await certificates(country) == 1
    async with country.read() as session:
        at = await session.scalar(select(AuditEvent.at).where(AuditEvent.kind == Event.CERTIFIED))
        assert at == clock()


async def test_the_numbers_are_shown_with_what_was_not_done(
    emulator: Emulator, country: Database, clock: Clock
) -> None:
    """Before a confirmation and before a spot-check: the button can be pressed again."""
    elapsed = Elapsed()
    colleague = emulator.phone("ค")
    colleague.chat.bot_status = "member"
    await certify_as(country, "lao6110301", colleague.id, "6110301", Level.LAO, clock())
    async with running_bot(emulator, country, clock, monotonic=elapsed):
        clock.move(minutes=6)
        lao, province = (Hand(emulator, emulator.phone(name)) for name in ("ก", "ข"))
        await link(country, "lao5110201", lao.phone, clock())
        await link(country, "province11", province.phone, clock())
        await lao.say("/menu")
        await province.say("/menu")
        await hear(emulator, elapsed, is_wrong)
        await lao.forge(LaoReview())
        await province.forge(ProvinceReview("6110301"))
        for hand, label in ((lao, "รับรองระดับ อปท."), (province, "สุ่มตรวจสอบ")):
            assert WRONG not in hand.text
            text = await hand.press(label)
            assert WRONG in text
            assert "ข้อมูล ณ วันที่" in text
            assert label in hand.labels
    async with country.read() as session:
        assert (await session.scalars(select(SpotCheck))).all() == []
        assert (await session.scalars(select(Confirmation.used_at))).all() == [NOW]


async def test_one_wild_answer_keeps_nobody_from_certifying(
    emulator: Emulator, telegram: Clock, country: Database, clock: Clock
) -> None:
    elapsed = Elapsed()
    async with running_bot(emulator, country, clock, monotonic=elapsed):
        officer = Officer(emulator.phone("ก"))
        await link(country, "lao5110201", officer.phone, clock())
        telegram.move(days=3)
        await officer.says("/menu", "ปีงบประมาณ")
        telegram.move(days=-3)
        await officer.to_keypad()
        message = await keypad(officer.phone)
        for digit in PIN:
            await officer.phone.tap(digit, message)
        await officer.sees("ประวัติการรับรองข้อมูล")
    assert await certificates(country) == 1


# --- who is asked -------------------------------------------------------------------------------------------


@ONE_DATABASE
async def test_a_program_that_nobody_writes_to_asks_telegram_itself(
    emulator: Emulator, telegram: Clock, country: Database, clock: Clock
) -> None:
    elapsed = Elapsed()
    telegram.move(hours=-1)
    async with opened_bot(emulator) as (bot, _):
        clocks = make_clocks(bot, country, clock, elapsed)
        asking = asyncio.create_task(keep_comparing(bot, country, clocks, look_every=0.001))
        for _ in range(3):
            assert clocks.telegram.believed is None
            elapsed.next()
            await until(lambda: not clocks.telegram.wants_answer)
        asking.cancel()
        await asyncio.wait({asking})
    assert clocks.telegram.is_wrong
    assert len(emulator.calls_of("getMe")) >= 4


async def test_postgresql_s_clock_warns_and_decides_nothing(
    emulator: Emulator, country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The tests' clock stands still, in another month than the database server's."""
    caplog.set_level(logging.INFO)
    elapsed = Elapsed()
    async with opened_bot(emulator) as (bot, _):
        clocks = make_clocks(bot, country, clock, elapsed)
        for _ in range(3):
            elapsed.next()
            await compare(bot, country, clocks)
    assert clocks.telegram.believed == timedelta(0)
    if country.is_sqlite:
        assert clocks.database is None
        assert set(TALLY.clock_offsets) == {"telegram"}
        return
    assert clocks.database is not None
    assert clocks.database.is_wrong
    assert not clocks.telegram.is_wrong
    [warning] = [record for record in caplog.records if "the database's" in record.getMessage()]
    assert warning.levelname == "WARNING"


@ONE_DATABASE
async def test_clocks_that_cannot_be_asked_are_asked_again(
    emulator: Emulator, country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with opened_bot(emulator) as (bot, _):
        clocks = make_clocks(bot, country, clock)
        emulator.faults.server_error(502, method="getMe")
        asking = asyncio.create_task(keep_comparing(bot, country, clocks, look_every=0.001))
        await until(lambda: not clocks.telegram.wants_answer)
        asking.cancel()
        await asyncio.wait({asking})
    assert "Telegram's clock could not be asked: NetworkError" in caplog.text


# --- whose Date counts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "content_type", "is_heard"),
    [
        ({"Date": "Mon, 02 Nov 2026 02:30:00 GMT"}, "application/json", True),
        # A proxy's page, and a cached answer.
        ({"Date": "Mon, 02 Nov 2026 02:30:00 GMT"}, "text/html", False),
        ({"Date": "Mon, 02 Nov 2026 02:30:00 GMT", "Age": "30"}, "application/json", False),
    ],
)
async def test_only_the_bot_api_s_own_answers_are_heard(
    headers: dict[str, str], content_type: str, is_heard: bool
) -> None:
    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=b'{"ok":true,"result":true}', headers=headers, content_type=content_type)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    heard: list[str] = []
    bot = api.make_bot("123456789:canary-token-that-opens-nothing-x", url, AiohttpRequest(1))
    request = bot.request
    assert isinstance(request, AiohttpRequest)
    await request.initialize()
    api.tell_dates(bot, lambda date, took: heard.append(date))
    await request.post(f"{url}/bot1/getMe")
    await request.shutdown()
    await runner.cleanup()
    assert heard == ([headers["Date"]] if is_heard else [])


# --- what waits ---------------------------------------------------------------------------------------------


async def test_a_receipt_of_a_clock_ahead_is_sent_when_the_clock_is_right(
    emulator: Emulator, country: Database, clock: Clock
) -> None:
    """Certified three days ahead; the clock is set right, and the receipt comes."""
    phone = emulator.phone("ก")
    officer = await link(country, "lao5110201", phone, clock())
    async with country.write() as session:
        certification_id = await certificate(session, officer, clock(), user_id=phone.id)
        outbox.enqueue(session, NoticeKind.RECEIPT, phone.id, certification_id, clock() + timedelta(days=3))
    async with sending(emulator, country, clock):
        await upkeep.bring_forward(country, clock())
        await phone.until(lambda at: any("หลักฐาน" in message.text for message in at.messages))


@ONE_DATABASE
async def test_only_who_sends_says_what_is_due(country: Database, clock: Clock) -> None:
    async with country.write() as session:
        outbox.enqueue(session, NoticeKind.LINKED, 7, 1, clock() + timedelta(days=3))

    async def is_due() -> bool:
        async with country.read() as session:
            return await session.scalar(select(outbox.OutboxMessage.due_at)) == clock()

    for sends in (False, True):
        await upkeep.only_if(lambda sends=sends: sends, upkeep.bring_forward)(country, clock())
        assert await is_due() is sends


@ONE_DATABASE
async def test_the_program_that_sends_brings_messages_forward_by_itself(country: Database, clock: Clock) -> None:
    async with country.write() as session:
        outbox.enqueue(session, NoticeKind.LINKED, 7, 1, clock() + timedelta(days=3))

    async def is_due() -> bool:
        async with country.read() as session:
            return await session.scalar(select(outbox.OutboxMessage.due_at)) == clock()

    running = asyncio.create_task(upkeep.run(country, clock, lambda: True))
    await until(is_due)
    running.cancel()
    await asyncio.wait({running})


async def test_a_wrong_clock_reminds_nobody_and_a_right_one_takes_its_reminders_back(
    country: Database, clock: Clock
) -> None:
    elapsed, telegrams_clock = Elapsed(), Clock(clock())
    offset = ClockOffset("Telegram's", clock, elapsed)

    def compare_three_times() -> None:
        for _ in range(3):
            elapsed.next()
            offset.note(telegrams_clock(), 0.0)

    async def days() -> list[int]:
        async with country.read() as session:
            return list(await session.scalars(select(Reminder.days_before).order_by(Reminder.days_before.desc())))

    async with country.write() as session:
        await move_last_day(session, bangkok_day(clock()) + timedelta(days=4))
    clock.move(days=3)
    compare_three_times()
    await deadlines.look(country, clock(), None, offset)
    assert await days() == []
    # Before it could know, it has reminded.
    await deadlines.look(country, clock(), None, ClockOffset("Telegram's", clock))
    assert await days() == [1]
    clock.move(days=-3)
    # A clock that was not compared may be the one that is wrong.
    await deadlines.look(country, clock(), None, ClockOffset("Telegram's", clock))
    assert await days() == [1]
    compare_three_times()
    await deadlines.look(country, clock(), None, offset)
    assert await days() == []
    for move, expected in ((1, [3]), (2, [3, 1])):
        clock.move(days=move)
        telegrams_clock.move(days=move)
        await deadlines.look(country, clock(), None, offset)
        assert await days() == expected
