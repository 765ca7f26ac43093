"""Screens under Telegram's limits: few calls, pauses for single chats only, and an answer for everybody."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from bot.telegram.limiter import RATES
from demo.botapi import DESIGN, Emulator, Message
from demo.botapi.faults import STRANGE_BODIES
from handlers.chat.screen import BELOW
from models.certification.certificate import Level
from models.certification.spot_check import SpotCheck
from models.chats.conversation import Conversation
from models.database.engine import Database
from models.notices.outbox import MAX_ATTEMPTS, OutboxMessage, State
from models.register.roster import PersonnelRecord
from tests.bot.running import link, outbox_rows, until
from tests.chat import CORRECT, DESPITE_EMPTY, EMPTY, TEST_TUNING, Officer, running_bot
from tests.handlers.support import RECEIPT
from tests.support import ORGANIZATIONS, PIN, SPOT_CHECK_SIZE, TO_PIN, Clock, certify_as

# As if no calls were left for dots: only the screens that must be drawn.
NO_DOTS = 1_000_000
MUST_PASS = replace(TEST_TUNING, rates=replace(RATES, chat_calls=NO_DOTS, kept_free=(0, 0, NO_DOTS, NO_DOTS)))
IN_WEATHER = replace(TEST_TUNING, rates=RATES)
LAO, PROVINCE = "lao5110201", "province11"


def calls(emulator: Emulator, officer: Officer) -> int:
    """The calls into a chat that Telegram counts."""
    return len(emulator.spent(officer.phone.id))


async def ready(bot: Emulator, country: Database, clock: Clock, username: str, name: str = "ก") -> Officer:
    """An officer with a PIN whose chat has spent nothing."""
    officer = Officer(bot.phone(name))
    await link(country, username, officer.phone, clock())
    return officer


async def certify_next(province: Officer) -> None:
    """From a receipt's ถัดไป (Next) to the next receipt, with all records correct."""
    receipt = await province.sees(RECEIPT)
    await province.phone.tap("ถัดไป", receipt)
    review = await newest(province, "ตรวจสอบข้อมูลระดับจังหวัด", below=receipt)
    await check(province, review)


async def check(province: Officer, card: Message) -> None:
    """From the review to the receipt."""
    await on(province, card, "สุ่มตรวจสอบ", "สุ่มตรวจสอบ 1/3")
    for place in range(2, SPOT_CHECK_SIZE + 1):
        await on(province, card, CORRECT, f"สุ่มตรวจสอบ {place}/3")
    await on(province, card, CORRECT, "สรุปผลสุ่มตรวจสอบ")
    await on(province, card, "รับรองระดับจังหวัด", "ยกเลิกไม่ได้")
    await on(province, card, "ยืนยันการรับรอง", "โปรดใส่ PIN ของท่าน")
    await type_pin(province, card)
    await newest(province, RECEIPT, below=card)


async def on(officer: Officer, card: Message, label: str, expect: str) -> None:
    """Tap a button of a message, and wait until the message contains the words."""
    await officer.phone.tap(label, card)
    if label == CORRECT:
        await officer.phone.until(lambda _: expect in card.text or EMPTY in card.text)
        if EMPTY in card.text:
            await officer.phone.tap(DESPITE_EMPTY, card)
    await officer.phone.until(lambda _: expect in card.text)


async def newest(officer: Officer, words: str, below: Message) -> Message:
    """The message that contains the words and came after another message."""
    return await officer.phone.until(
        lambda phone: next(
            (message for message in phone.messages if message.id > below.id and words in message.text), None
        )
    )


async def type_pin(officer: Officer, card: Message) -> None:
    for digit in PIN:
        await officer.phone.tap(digit, card)


# --- a conversation that fits --------------------------------------------------------------------------------


@pytest.mark.parametrize("tuning", [MUST_PASS], indirect=True)
async def test_from_start_to_home_eight_calls_must_pass(bot: Emulator) -> None:
    officer = Officer(bot.phone("ก"))
    await officer.log_in(LAO, "ทดสอบ หนึ่ง", "ปลัดเทศบาล")
    assert calls(bot, officer) == 8


@pytest.mark.parametrize("tuning", [MUST_PASS], indirect=True)
async def test_from_home_to_an_organizations_result_six(bot: Emulator, country: Database, clock: Clock) -> None:
    officer = await ready(bot, country, clock, LAO)
    await officer.says("/menu", "ปีงบประมาณ")
    before = calls(bot, officer)
    for label, expect in zip(
        TO_PIN, ("อปท. รับรอง", "ยังไม่รับรอง", "ข้อมูล ณ", "แก้ไขหรือบันทึก", "โปรดใส่ PIN"), strict=True
    ):
        await officer.tap(label, expect)
    await officer.enter(PIN, RECEIPT)
    assert calls(bot, officer) - before == 6


@pytest.mark.parametrize("tuning", [MUST_PASS], indirect=True)
async def test_a_wrong_pin_adds_one(bot: Emulator, country: Database, clock: Clock) -> None:
    officer = await ready(bot, country, clock, LAO)
    await officer.to_keypad()
    before = calls(bot, officer)
    await officer.enter("135790", "PIN ไม่ถูกต้อง")
    await officer.enter(PIN, RECEIPT)
    assert calls(bot, officer) - before == 2


# Menus of every record, and expected calls: each record with an empty menu adds a question.
@pytest.mark.parametrize(("menus", "most"), [("rrn", 8), ("r-n", 8 + SPOT_CHECK_SIZE)])
@pytest.mark.parametrize("tuning", [MUST_PASS], indirect=True)
async def test_a_provinces_further_organization_eight(
    bot: Emulator, country: Database, clock: Clock, menus: str, most: int
) -> None:
    province = await two_waiting(bot, country, clock, menus)
    review = await province.says("บางปู", "พบ 2 แห่ง")
    await on(province, review, "🔍 ทต.บางปู", "ตรวจสอบข้อมูลระดับจังหวัด")
    await check(province, review)
    before = calls(bot, province)
    await certify_next(province)
    assert calls(bot, province) - before == most


@pytest.mark.parametrize("tuning", [MUST_PASS], indirect=True)
async def test_from_the_summary_of_a_failed_spot_check_to_its_hand_in_three(
    bot: Emulator, country: Database, clock: Clock
) -> None:
    province = await two_waiting(bot, country, clock)
    card = await province.says("บางปู", "พบ 2 แห่ง")
    await on(province, card, "🔍 ทต.บางปู", "ตรวจสอบข้อมูลระดับจังหวัด")
    await on(province, card, "สุ่มตรวจสอบ", "สุ่มตรวจสอบ 1/3")
    await on(province, card, "❌ ไม่ถูกต้อง", "พิมพ์สิ่งที่ไม่ถูกต้อง")
    card = await province.says("วันบรรจุไม่ตรงกับทะเบียนประวัติ", "สุ่มตรวจสอบ 2/3")
    await on(province, card, CORRECT, "สุ่มตรวจสอบ 3/3")
    await on(province, card, CORRECT, "สรุปผลสุ่มตรวจสอบ")
    before = calls(bot, province)
    await on(province, card, "ส่งผลสุ่มตรวจสอบ", "ยืนยันส่งผลสุ่มตรวจสอบหรือไม่")
    await on(province, card, "ส่งผลสุ่มตรวจสอบ", "โปรดใส่ PIN ของท่าน")
    await type_pin(province, card)
    await province.sees("⛔ ส่งผลสุ่มตรวจสอบแล้ว")
    assert calls(bot, province) - before == 3


async def two_waiting(bot: Emulator, country: Database, clock: Clock, menus: str = "rrn") -> Officer:
    """Two organizations wait for an officer of their province, who has no live card yet; the menus of all their
    records are in these states.
    """
    async with country.write() as session:
        await session.execute(update(PersonnelRecord).values(menus=menus))
    for number, (code, *_) in enumerate(ORGANIZATIONS[:2], 501):
        await certify_as(country, f"lao{code}", number, code, Level.LAO, clock())
    return await ready(bot, country, clock, PROVINCE, "ข")


@pytest.fixture
async def weather(country: Database, clock: Clock) -> AsyncIterator[Emulator]:
    """The bot with production tuning, and an emulator with Telegram's limits, both in real time."""
    async with Emulator(clock=clock.timestamp, patience=time.time, weather=DESIGN) as emulator:
        async with running_bot(emulator, country, clock, tuning=IN_WEATHER):
            yield emulator
        assert emulator.refusals == []
        assert emulator.violations == []


def waited(emulator: Emulator) -> list[str]:
    """The toasts that say that a screen comes later."""
    toasts = [call.params.get("text", "") for call in emulator.calls_of("answerCallbackQuery")]
    return [toast for toast in toasts if "ขอให้รอ" in toast]


async def test_from_start_to_the_certificate_no_thumb_waits(weather: Emulator) -> None:
    officer = Officer(weather.phone("ก"))
    await officer.log_in(LAO, "ทดสอบ หนึ่ง", "ปลัดเทศบาล")
    for label, expect in zip(
        TO_PIN, ("อปท. รับรอง", "ยังไม่รับรอง", "ข้อมูล ณ", "แก้ไขหรือบันทึก", "โปรดใส่ PIN"), strict=True
    ):
        await officer.tap(label, expect)
    await officer.enter(PIN, RECEIPT)
    assert waited(weather) == []
    assert calls(weather, officer) <= 20


async def test_two_further_organizations_pass_in_a_minute(
    weather: Emulator, country: Database, clock: Clock
) -> None:
    province = await two_waiting(weather, country, clock)
    code = ORGANIZATIONS[2][0]
    await certify_as(country, f"lao{code}", 503, code, Level.LAO, clock())
    # A first receipt is in the chat; no calls are spent.
    await certify_as(country, PROVINCE, province.phone.id, ORGANIZATIONS[0][0], Level.PROVINCE, clock())
    await province.says("/menu", "รอท่าน")
    for _ in range(2):
        await certify_next(province)
    assert waited(weather) == []


# --- more than the bot as a whole may send -------------------------------------------------------------------


async def crowd_types(bot: Emulator, size: int) -> list[Officer]:
    """So many senders start the bot at once."""
    crowd = [Officer(bot.phone(f"ก{number}")) for number in range(size)]
    for officer in crowd:
        await officer.phone.send("/start")
    return crowd


async def test_answers_beyond_the_bots_limit_wait_in_line(weather: Emulator) -> None:
    """No call is refused: the fixture `weather` checks that afterwards."""
    for officer in await crowd_types(weather, 70):
        await officer.sees("ชื่อผู้ใช้")


TWO_A_SECOND = replace(TEST_TUNING, rates=replace(TEST_TUNING.rates, rate=2.0, burst=1.0))


@pytest.mark.parametrize("tuning", [TWO_A_SECOND], indirect=True)
async def test_a_receipt_passes_the_line(bot: Emulator, country: Database, clock: Clock) -> None:
    officer = await ready(bot, country, clock, LAO, "ข")
    await officer.to_keypad()
    crowd = await crowd_types(bot, 16)
    await officer.enter(PIN, RECEIPT)
    assert not all(any(message.outgoing for message in officer.phone.messages) for officer in crowd)


# --- a PIN's dots --------------------------------------------------------------------------------------------


FEW = replace(TEST_TUNING, rates=replace(RATES, chat_calls=16))


@pytest.mark.parametrize("tuning", [FEW], indirect=True)
async def test_dots_that_would_lie_are_taken_away(bot: Emulator, country: Database, clock: Clock) -> None:
    """Each digit is acknowledged by a toast. With few calls left the keypad shows no dots any more."""
    officer = await ready(bot, country, clock, LAO)
    # Six calls: the keypad is the last of them.
    await officer.to_keypad()
    keypad = await officer.sees("โปรดใส่ PIN ของท่าน")
    assert "○○○○○○" in keypad.text
    for number, digit in enumerate(PIN[:5], 1):
        tap = await officer.phone.tap(digit, keypad)
        assert (await tap.answer()).text == " ".join("●" * number + "○" * (6 - number))
        await officer.phone.until(lambda _, n=number: "●" * n in keypad.text or "○" not in keypad.text)
    assert "●" not in keypad.text
    # 6 to the keypad, two digits with dots, one without.
    assert calls(bot, officer) == 9
    await officer.phone.tap(PIN[5], keypad)
    await officer.sees(RECEIPT)


# --- the result is the receipt -------------------------------------------------------------------------------


async def test_the_result_is_the_receipt_and_stays(lao: Officer, bot: Emulator, country: Database) -> None:
    await lao.to_keypad()
    keypad = await lao.sees("โปรดใส่ PIN ของท่าน")
    await lao.enter(PIN, RECEIPT)
    receipt = await lao.sees(RECEIPT)
    await lao.phone.until(lambda phone: keypad not in phone.messages)
    assert receipt.text.startswith("✅ รับรองแล้ว ทะเบียนถูกล็อก")
    assert "ประวัติการรับรองข้อมูล\nเทศบาลตำบลบางปู" in receipt.text
    assert bot.calls_of("sendMessage")[-1].params["protect_content"] == "false"
    assert lao.phone.messages[-1] == receipt
    words = receipt.text
    assert all(button.copies or (button.data or "").startswith(BELOW) for row in receipt.buttons for button in row)
    # Its buttons open their screens below.
    await lao.phone.tap("ประวัติการรับรองข้อมูล", receipt)
    history = await newest(lao, "ประวัติการรับรองข้อมูล", below=receipt)
    await lao.phone.tap("หน้าหลัก", history)
    await lao.phone.until(lambda _: "ระบบรับรองข้อมูล" in history.labels)
    await on(lao, history, "ออกจากระบบ", "ออกจากระบบ")
    await lao.phone.tap("ออกจากระบบ", history)
    await lao.phone.until(lambda _: "เข้าสู่ระบบ" in history.labels)
    assert receipt in lao.phone.messages
    assert receipt.text == words
    assert [row.state for row in await outbox_rows(country) if row.kind == "receipt"] == [State.SENT]
    assert [message for message in lao.phone.messages if RECEIPT in message.text] == [receipt]


SOON_LOST = replace(TEST_TUNING, courier=replace(TEST_TUNING.courier, look_for_lost=0.1))


@pytest.mark.parametrize("tuning", [SOON_LOST], indirect=True)
async def test_a_receipt_whose_program_died_is_sent_once_more(
    lao: Officer, bot: Emulator, country: Database, clock: Clock
) -> None:
    """The receipt's row is in `sending`, and it is unknown whether the message arrived."""
    await lao.to_keypad()
    await lao.enter(PIN, RECEIPT)
    await until(lambda: _is(country, State.SENT))
    # As if the program had died during the call, a minute ago.
    async with country.write() as session:
        await session.execute(update(OutboxMessage).values(state=State.SENDING, due_at=clock()))
    await until(lambda: _is(country, State.UNCERTAIN))
    clock.move(seconds=60)
    await until(lambda: _receipts(lao, 2))
    assert {message.text for message in lao.phone.messages if RECEIPT in message.text} == {
        (await lao.sees(RECEIPT)).text
    }


async def _is(country: Database, state: State) -> bool:
    return [row.state for row in await outbox_rows(country)] == [state]


def _receipts(officer: Officer, count: int) -> bool:
    return len([message for message in officer.phone.messages if RECEIPT in message.text]) == count


async def test_where_telegram_asks_to_wait_the_receipt_comes_after_it(
    lao: Officer, bot: Emulator, country: Database, clock: Clock
) -> None:
    await lao.to_keypad()
    keypad = await lao.sees("โปรดใส่ PIN ของท่าน")
    for digit in PIN[:5]:
        await lao.phone.tap(digit, keypad)
    await lao.phone.until(lambda _: "●●●●●○" in keypad.text)
    flood = bot.faults.flood(1, method="sendMessage", chat_id=lao.phone.id)
    tap = await lao.phone.tap(PIN[5], keypad)
    assert (await tap.answer()).text == "รับรองแล้ว"
    await until(lambda: bool(flood.hits))
    await until(lambda: _is(country, State.PENDING))
    clock.move(seconds=2)
    await lao.sees(RECEIPT)
    assert _receipts(lao, 1)


# --- a 429 hurts its chat alone ------------------------------------------------------------------------------

ONE_SLOT = replace(TEST_TUNING, worker=replace(TEST_TUNING.worker, parallel=1))


@pytest.mark.parametrize("tuning", [ONE_SLOT], indirect=True)
async def test_who_waits_for_a_chat_holds_up_nobody(bot: Emulator, country: Database, clock: Clock) -> None:
    paused, other = await ready(bot, country, clock, LAO), await ready(bot, country, clock, PROVINCE, "ข")
    await paused.says("/menu", "ปีงบประมาณ")
    card = await paused.sees("ปีงบประมาณ")
    flood = bot.faults.flood(600, method="editMessageText", chat_id=paused.phone.id)
    await (await paused.phone.tap("ระบบรับรองข้อมูล", card)).answer()
    await until(lambda: bool(flood.hits))
    # The only slot is free, and the waiting officer's next tap is answered with a toast.
    await other.says("/menu", "ปีงบประมาณ")
    toast = (await (await paused.phone.tap("ระบบรับรองข้อมูล", card)).answer()).text
    assert "Telegram ขอให้รอ หน้าจอจะแสดงในอีก" in toast
    assert len(bot.calls_of("editMessageText")) == 1


async def test_of_taps_that_wait_on_one_message_the_last_screen_is_drawn(
    bot: Emulator, country: Database, clock: Clock
) -> None:
    officer = await ready(bot, country, clock, LAO)
    card = await officer.says("/menu", "ปีงบประมาณ")
    await on(officer, card, "ระบบรับรองข้อมูล", "อปท. รับรอง")
    before = len(bot.calls_of("editMessageText"))
    bot.faults.flood(1, method="editMessageText", chat_id=officer.phone.id)
    for label in ("ดำเนินการ(อปท.)", "หน้าหลัก", "ดำเนินการ(อปท.)"):
        await (await officer.phone.tap(label, card)).answer()
    await officer.phone.until(lambda _: "ยังไม่รับรอง" in card.text)
    # The refused call, and the last one.
    assert len(bot.calls_of("editMessageText")) - before == 2


async def test_a_warning_is_drawn_whatever_comes_after_it(bot: Emulator, country: Database, clock: Clock) -> None:
    officer = await ready(bot, country, clock, LAO)
    card = await officer.says("/menu", "ปีงบประมาณ")
    for label, expect in (*zip(TO_PIN[:3], ("อปท. รับรอง", "ยังไม่รับรอง", "ข้อมูล ณ"), strict=True),):
        await on(officer, card, label, expect)
    bot.faults.flood(1, method="editMessageText", chat_id=officer.phone.id)
    for label in ("รับรองระดับ อปท.", "หน้าหลัก"):
        await (await officer.phone.tap(label, card)).answer()
    await officer.phone.until(lambda _: "ระบบรับรองข้อมูล" in card.labels)
    assert any("แก้ไขหรือบันทึก" in text for text in card.history)


async def test_a_pause_that_another_program_was_asked_for_is_obeyed(
    bot: Emulator, country: Database, clock: Clock
) -> None:
    officer = await ready(bot, country, clock, LAO)
    card = await officer.says("/menu", "ปีงบประมาณ")
    before = calls(bot, officer)
    async with country.write() as session:
        await session.execute(update(Conversation).values(paused_until=clock.now.replace(hour=23)))
    toast = (await (await officer.phone.tap("ระบบรับรองข้อมูล", card)).answer()).text
    assert "ขอให้รอ" in toast
    assert calls(bot, officer) == before


# --- a refusal is seen ---------------------------------------------------------------------------------------


async def test_a_screen_that_telegram_refuses_comes_as_plain_text(
    bot: Emulator, country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    officer = await ready(bot, country, clock, LAO)
    card = await officer.says("/menu", "ปีงบประมาณ")
    body = (
        b'{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities: unsupported start tag"}'
    )
    bot.faults.strange_answer(body, status=400, method="editMessageText", after_effect=False)
    await officer.phone.tap("ระบบรับรองข้อมูล", card)
    plain = await newest(officer, "อปท. รับรอง", below=card)
    assert "ดำเนินการ(อปท.)" in plain.labels
    assert "<b>" not in plain.html
    assert "Telegram refused a screen: editMessageText: Can't parse entities" in caplog.text


@pytest.mark.parametrize("body", STRANGE_BODIES.values(), ids=STRANGE_BODIES.keys())
async def test_an_answer_that_is_not_the_bot_apis_raises_nothing(
    bot: Emulator, country: Database, clock: Clock, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    officer = await ready(bot, country, clock, LAO)
    card = await officer.says("/menu", "ปีงบประมาณ")
    for method in ("answerCallbackQuery", "editMessageText", "sendMessage", "deleteMessage"):
        bot.faults.strange_answer(body, method=method)
    await officer.phone.tap("ระบบรับรองข้อมูล", card)
    await officer.sees("อปท. รับรอง")
    await officer.says("/menu", "ปีงบประมาณ")
    for error in ("KeyError", "TypeError", "AttributeError", "Traceback"):
        assert error not in caplog.text


async def test_where_the_plain_text_is_refused_too_the_officer_is_sent_to_look(
    bot: Emulator, country: Database, clock: Clock
) -> None:
    """The draw is made and stays, so that the bot must not say that nothing was changed."""
    province = await two_waiting(bot, country, clock)
    card = await province.says("บางปู", "พบ 2 แห่ง")
    await on(province, card, "🔍 ทต.บางปู", "ตรวจสอบข้อมูลระดับจังหวัด")
    body = b'{"ok":false,"error_code":400,"description":"Bad Request: BUTTON_DATA_INVALID"}'
    for method in ("editMessageText", "sendMessage"):
        bot.faults.strange_answer(body, status=400, method=method, after_effect=False)
    await province.phone.tap("สุ่มตรวจสอบ", card)
    instead = await newest(province, "ขออภัย", below=card)
    assert "อาจมีผลแล้ว" in instead.html
    assert "ไม่มีการเปลี่ยนแปลง" not in instead.html
    assert instead.labels == ["หน้าหลัก"]
    async with country.read() as session:
        assert await session.scalar(select(func.count()).select_from(SpotCheck)) == 1


TOKEN_REFUSED = b'{"ok":false,"error_code":401,"description":"Unauthorized"}'
SOON_AGAIN = replace(TEST_TUNING, courier=replace(TEST_TUNING.courier, token_pause=0.1))


@pytest.mark.parametrize("tuning", [SOON_AGAIN], indirect=True)
async def test_while_telegram_refuses_the_token_no_message_dies(
    bot: Emulator, country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """More refusals than attempts are allowed, for a receipt and the notice to a colleague."""
    officer, colleague = await ready(bot, country, clock, LAO), await ready(bot, country, clock, LAO, "ข")
    await officer.to_keypad()
    for method, times in (("sendMessage", 2 * MAX_ATTEMPTS + 4), ("deleteMessage", 1)):
        bot.faults.strange_answer(TOKEN_REFUSED, status=401, method=method, times=times, after_effect=False)
    keypad = await officer.sees("โปรดใส่ PIN ของท่าน")
    await type_pin(officer, keypad)
    await officer.sees(RECEIPT)
    await colleague.sees("หน่วยงานของท่านได้รับรองข้อมูลแล้ว")
    assert "Telegram refuses the token" in caplog.text
    await until(lambda: _all_at_first_try(country))


async def _all_at_first_try(country: Database) -> bool:
    return [(row.state, row.attempts) for row in await outbox_rows(country)] == [(State.SENT, 1)] * 2
