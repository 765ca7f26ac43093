"""`laocert run` as a process: started, killed, stopped, started again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from demo.botapi import PATIENCE, Emulator, Message, Phone
from models.accounts.pin import Keypad
from models.accounts.throttle import Throttle
from models.certification.certificate import Certification, Level
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import State
from models.notices.tables import ProvinceCard
from tests.bot.program import Program
from tests.bot.running import all_but_one_digit, inbox_rows, keypad, link, outbox_rows, until
from tests.chat import DESPITE_EMPTY, EMPTY, Officer, reserved_port
from tests.support import ORGANIZATIONS, PASSWORD, PIN, TO_PIN

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# Those that have a register.
CODES = [code for code, *_ in ORGANIZATIONS[:3]]
# Moments at which the program is killed.
Moment = Callable[[], Awaitable[bool]]


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    """An emulator in real time, as the program is."""
    async with Emulator(clock=time.time) as running:
        yield running
        assert not running.violations


@pytest.fixture
def program(tmp_path: Path, telegram: Emulator, country: Database, database_url: str) -> Program:
    return Program(tmp_path, telegram, database_url)


async def sees(phone: Phone, words: str) -> None:
    await phone.until(lambda at: any(words in message.text for message in at.messages if message.outgoing))


async def press(phone: Phone, label: str) -> None:
    """Tap a button that is there now or soon."""
    await phone.until(lambda at: at.button(label))
    await phone.tap(label)


def bearing(phone: Phone, words: str) -> list[Message]:
    return [message for message in phone.messages if message.outgoing and words in message.text]


@ONE_DATABASE
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"LAOCERT_BOT_TOKEN": None}, "LAOCERT_BOT_TOKEN is not set; put the token from @BotFather in .env"),
        (
            {"LAOCERT_SECRET_KEY": None},
            "LAOCERT_SECRET_KEY is not set; set the key that this database is used with",
        ),
        ({"LAOCERT_SECRET_KEY": "short"}, "LAOCERT_SECRET_KEY: "),
        ({"LAOCERT_LOG_LEVEL": "loud"}, "LAOCERT_LOG_LEVEL: "),
        ({"LAOCERT_DATABASE_URL": "sqlite+aiosqlite:///empty.db"}, "run: laocert db upgrade"),
        (
            {"LAOCERT_DATABASE_URL": "postgresql+asyncpg://a@b:5432,c:5432/d"},
            "LAOCERT_DATABASE_URL is not the URL of a database",
        ),
        (
            {"LAOCERT_DATABASE_URL": "postgresql+asyncpg://a@b,c/d"},
            "LAOCERT_DATABASE_URL: several hosts are written",
        ),
        ({"LAOCERT_BOT_TOKEN": "987654321:" + "x" * 35}, "LAOCERT_BOT_TOKEN is not known to Telegram"),
    ],
)
async def test_what_is_missing_is_said_in_one_line(
    program: Program, changed: dict[str, str | None], sentence: str
) -> None:
    settings = {**program.settings, **changed}
    program.settings = {name: value for name, value in settings.items() if value is not None}
    async with program.running():
        assert await program.wait() == 1
    *before, line = program.log.splitlines()
    assert sentence in line
    # It listens before it asks whether Telegram knows the token.
    assert all("listening at" in earlier_line for earlier_line in before)
    assert "short" not in program.log
    assert "x" * 35 not in program.log


async def test_both_ways_through_the_program(program: Program, telegram: Emulator, country: Database) -> None:
    await go_both_ways(program, telegram, country)


async def go_both_ways(program: Program, telegram: Emulator, country: Database) -> None:
    """An organization certifies, then its province; the program ends well."""
    lao, province = Officer(telegram.phone("ก")), Officer(telegram.phone("ข"))
    async with program.running():
        await program.ready()
        await lao.phone.send("/start")
        await sees(lao.phone, "เข้าสู่ระบบ")
        await lao.log_in("lao5110201", "ทดสอบ หนึ่ง", "ปลัดเทศบาล")
        await province.log_in("province11", "ทดสอบ สอง", "ท้องถิ่นจังหวัด")
        for label in TO_PIN:
            await press(lao.phone, label)
        await lao.enter(PIN, "ประวัติการรับรองข้อมูล")
        await sees(lao.phone, "หลักฐานการรับรองของท่าน")
        card = next(message for message in province.phone.messages if "ระบบรับรองข้อมูล" in str(message.labels))
        for label in (
            "ระบบรับรองข้อมูล",
            "ดำเนินการ(จังหวัด)",
            "ค้นหา",
            "🔍 ทต.บางปู",
        ):
            await province.phone.until(lambda at, label=label: at.button(label, card))
            await province.phone.tap(label, card)
        await check_and_confirm(province.phone, card)
        await province.enter(PIN, "สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")
        await sees(lao.phone, "จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว")
        await until(lambda: _all_sent(country))
        begun = time.monotonic()
        assert await program.stop() == 0
        assert time.monotonic() - begun < program.seconds(10)
    assert "Traceback" not in program.log
    assert [certificate.level for certificate in await certificates(country)] == [Level.LAO, Level.PROVINCE]


async def check_and_confirm(phone: Phone, card: Message) -> None:
    """From the review through the spot-check to the keypad."""
    for label, before in (
        ("สุ่มตรวจสอบ", "ตรวจสอบข้อมูลระดับจังหวัด"),
        ("✅ ถูกต้อง", "สุ่มตรวจสอบ 1/3"),
        ("✅ ถูกต้อง", "สุ่มตรวจสอบ 2/3"),
        ("✅ ถูกต้อง", "สุ่มตรวจสอบ 3/3"),
        ("รับรองระดับจังหวัด", "สรุปผลสุ่มตรวจสอบ"),
        ("ยืนยันการรับรอง", "ยกเลิกไม่ได้"),
    ):
        await phone.until(lambda _, before=before: before in card.text or EMPTY in card.text)
        if EMPTY in card.text:
            await phone.tap(DESPITE_EMPTY, card)
            await phone.until(lambda _, before=before: before in card.text)
        await phone.tap(label, card)


async def certificates(database: Database) -> list[Certification]:
    async with database.read() as session:
        return list(await session.scalars(select(Certification).order_by(Certification.id)))


async def test_killed_within_a_login_it_goes_on_where_it_was(
    program: Program, telegram: Emulator, country: Database
) -> None:
    phone = telegram.phone("ก")
    await phone.send("/start")
    async with program.running():
        await press(phone, "เข้าสู่ระบบ")
        await sees(phone, "พิมพ์ชื่อผู้ใช้")
        await program.kill()
        # While it is away:
        await phone.send("lao5110201")
        await program.start()
        await sees(phone, "พิมพ์รหัสผ่าน")
        await phone.send(PASSWORD)
        # At any point: received, deleted, hashed, done or answered.
        await until(lambda: _received(country, 4))
        await program.kill()
        await program.start()

        async def asked_or_silent() -> bool:
            return bool(bearing(phone, "ชื่อ-สกุล"))

        try:
            await until(asked_or_silent, 3)
        except TimeoutError:
            # It was killed between the commit and the answer: the next message brings the question.
            await phone.send("/menu")
        await sees(phone, "ชื่อ-สกุล")
        assert not any(message.text == PASSWORD for message in phone.messages)
        await program.stop()
    assert "Traceback" not in program.log


async def _received(database: Database, count: int) -> bool:
    return len(await inbox_rows(database)) >= count


async def test_killed_around_the_irreversible_press(
    program: Program, telegram: Emulator, country: Database
) -> None:
    """One organization after the other certifies; each time the program dies a little later."""

    async def tapped() -> bool:
        return True

    async def stored() -> bool:
        return (await inbox_rows(country))[-1].update_id == telegram.updates.next_id - 1

    def certified(count: int) -> Moment:
        async def check() -> bool:
            return len(await certificates(country)) == count

        return check

    async def sent() -> bool:
        rows = [row for row in await outbox_rows(country) if row.kind not in CARD]
        # Including those of the last of the three certificates.
        return len(rows) == 3 * (2 + 3) and rows[-1].state in (State.SENDING, State.SENT)

    provinces = [telegram.phone(f"จังหวัด {number}") for number in range(2)]
    for phone in provinces:
        await link(country, "province11", phone, datetime.now(UTC))
    async with program.running():
        for code, lao_moment, province_moment in (
            ("5110201", tapped, certified(2)),
            ("6110301", stored, certified(4)),
            ("6110302", certified(5), sent),
        ):
            laos = [telegram.phone(f"{title} {code}") for title in ("ปลัด", "รองปลัด")]
            for phone in laos:
                await link(country, f"lao{code}", phone, datetime.now(UTC))
            await lao_certifies(program, country, code, laos, lao_moment)
            kind, title = next(
                (kind, name) for organization_code, kind, name, *_ in ORGANIZATIONS if organization_code == code
            )
            name = f"🔍 {kind.replace('เทศบาลตำบล', 'ทต.')}{title}"
            cards = [await live_card(phone, name) for phone in provinces]
            await province_certifies(program, provinces[0], cards[0], name, province_moment)
            for phone in laos:
                await sees(phone, "จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว")
            levels = [
                certificate.level
                for certificate in await certificates(country)
                if certificate.organization_code == code
            ]
            assert levels == [Level.LAO, Level.PROVINCE], code
        await until(lambda: _all_sent(country))
        await program.ready()
        assert await program.stop() == 0
    assert "Traceback" not in program.log
    await assert_same_card(country, provinces)
    await assert_told_once_or_twice(country, telegram)


async def lao_certifies(
    program: Program, database: Database, code: str, phones: list[Phone], moment: Moment
) -> None:
    """The first of them presses, the program dies at the moment and is started again; both are told."""
    await to_keypad(phones[0])
    await phones[0].tap(PIN[-1], await all_but_one_digit(phones[0]))
    await until(moment)
    await program.kill()
    await program.start()
    await sees(phones[0], "หลักฐานการรับรองของท่าน")
    certificate = (await certificates(database))[-1]
    assert (certificate.organization_code, certificate.level) == (code, Level.LAO)
    await sees(phones[1], f"{certificate.code[:5]}-{certificate.code[5:]}")


async def province_certifies(program: Program, phone: Phone, card: Message, name: str, moment: Moment) -> None:
    """From the live card; the program is killed at the moment and started again."""
    await phone.tap(name, card)
    review = await phone.until(lambda at: next(iter(bearing(at, "ตรวจสอบข้อมูลระดับจังหวัด")), None))
    await check_and_confirm(phone, review)
    await phone.tap(PIN[-1], await all_but_one_digit(phone, PIN, review))
    await until(moment)
    await program.kill()
    await program.start()
    await sees(phone, "หลักฐานการรับรองของท่าน")


async def assert_same_card(country: Database, provinces: list[Phone]) -> None:
    """Both cards show the same state, whatever was interrupted."""
    async with country.read() as session:
        cards = {card.message_id for card in await session.scalars(select(ProvinceCard))}
    for phone in provinces:
        (card,) = [message for message in phone.messages if message.id in cards]
        assert card.text.startswith("✅ ไม่มี อปท. รอท่าน")


async def assert_told_once_or_twice(country: Database, telegram: Emulator) -> None:
    """Of each LAO's certificate the receipt and the colleague; of its province's the receipt and two LAOs."""
    rows = [row for row in await outbox_rows(country) if row.kind not in CARD]
    assert len(rows) == 3 * (2 + 3)
    by_id = {certificate.id: certificate for certificate in await certificates(country)}
    for row in rows:
        code = by_id[row.subject_id].code
        copies = [
            message
            for message in telegram.chat(row.chat_id).messages.values()
            if f"{code[:5]}-{code[5:]}" in message.history[0] and TITLES[row.kind] in message.history[0]
        ]
        assert 1 <= len(copies) <= 2, (row.kind, row.chat_id)


async def to_keypad(phone: Phone) -> None:
    """From home to the PIN before the irreversible press of an LAO."""
    await phone.send("/menu")
    for label in TO_PIN:
        await press(phone, label)
    await sees(phone, "โปรดใส่ PIN ของท่าน")


async def test_killed_in_the_middle_of_the_digits(program: Program, telegram: Emulator, country: Database) -> None:
    """Each tap counts once: after a kill no digit is lost or entered twice."""
    phones = [telegram.phone(f"ปลัด {code}") for code in CODES]
    for code, phone in zip(CODES, phones, strict=True):
        await link(country, f"lao{code}", phone, datetime.now(UTC))
    async with program.running():
        for phone in phones:
            await to_keypad(phone)
        looks, hurries, waits = [(phone, await keypad(phone)) for phone in phones]
        received = len(await inbox_rows(country))
        # One officer sees three digits before the kill, and enters the others while the bot is away.
        for digit in PIN[:3]:
            await looks[0].tap(digit, looks[1])
        await looks[0].until(lambda _: "●●●○○○" in looks[1].text)
        # One enters all digits quickly: they are anywhere between the server and the answer.
        for digit in PIN:
            await hurries[0].tap(digit, hurries[1])
        await until(lambda: _received(country, received + 4))
        await program.kill()
        for digit in PIN[3:]:
            await looks[0].tap(digit, looks[1])
        # One enters digits only after the bot is back.
        await program.start()
        for digit in PIN:
            await waits[0].tap(digit, waits[1])
        for phone in phones:
            await sees(phone, "หลักฐานการรับรองของท่าน")
        assert await program.stop() == 0
    assert "Traceback" not in program.log
    assert sorted(certificate.organization_code for certificate in await certificates(country)) == sorted(CODES)
    async with country.read() as session:
        # No attempt counts as wrong.
        assert list(await session.scalars(select(Throttle.key).where(Throttle.failures > 0))) == []
        assert list(await session.scalars(select(Keypad))) == []


TITLES = {
    "receipt": "หลักฐานการรับรองของท่าน",
    "colleague_certified": "หน่วยงานของท่าน",
    "province_certified": "จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว",
}


CARD = {NoticeKind.WAITING, NoticeKind.REFRESH, NoticeKind.REMOVE}


async def _all_sent(database: Database) -> bool:
    """All messages are sent, except rings of the card planned for later."""
    left = {row.kind for row in await outbox_rows(database) if row.state is not State.SENT}
    return left <= {NoticeKind.WAITING}


async def live_card(phone: Phone, label: str) -> Message:
    """Wait for the live card with the button."""
    return await phone.until(
        lambda at: next(
            (
                message
                for message in at.messages
                if message.text.startswith("🔔 รอท่าน") and any(label in other for other in message.labels)
            ),
            None,
        )
    )


@ONE_DATABASE
async def test_without_the_bot_api_it_waits(tmp_path: Path, country: Database, database_url: str) -> None:
    telegram = Emulator(clock=time.time)
    await telegram.start()
    await telegram.close()
    with reserved_port() as port:
        program = Program(tmp_path, telegram, database_url, LAOCERT_LISTEN=f"127.0.0.1:{port}")
        async with program.running():
            await program.logged("the Bot API does not answer yet")
            assert await asked(port, "/healthz") == (200, {"status": "ok"})
            status, state = await asked(port, "/readyz")
            assert (status, state["database"]["ok"]) == (503, True)
            assert state["started"]["said"].startswith("waits for the Bot API: ")
            status, state = await asked(port, "/healthz/work")
            assert (status, state["bot_api"]["ok"]) == (503, False)
            assert state["bot_api"]["said"] not in ("", "not yet")
            assert await program.stop() == 0
    program = Program(tmp_path, telegram, database_url)
    async with program.running():
        await until(lambda: _times(program, "does not answer yet", 2))
        async with telegram:
            phone = telegram.phone("ก")
            await phone.send("/start")
            await sees(phone, "เข้าสู่ระบบ")
            assert await program.stop() == 0
    # Away again: the program still ends on a signal.
    async with program.running():
        await until(lambda: _times(program, "does not answer yet", 3))
        assert await program.stop() == 0
    assert "Unclosed" not in program.log
    assert "Traceback" not in program.log


async def asked(port: int, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.json()


async def _times(program: Program, words: str, count: int) -> bool:
    return program.log.count(words) >= count


@ONE_DATABASE
async def test_another_poller_is_told_of_and_survived(program: Program, telegram: Emulator) -> None:
    phone = telegram.phone("ก")
    async with program.running():
        await asyncio.wait_for(telegram.updates.until_waiting(), PATIENCE)
        url = f"{telegram.url}/bot{telegram.token}/getUpdates?timeout=1"
        async with aiohttp.ClientSession() as other, other.get(url) as answer:
            assert answer.status == 200
        await program.logged("another program polls this bot")
        await phone.send("/start")
        await sees(phone, "เข้าสู่ระบบ")
        assert await program.stop() == 0
    assert telegram.token not in program.log
