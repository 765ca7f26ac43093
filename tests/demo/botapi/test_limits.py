"""Which calls count in a chat, and the two modes of its limits."""

from pathlib import Path

import aiohttp
import pytest

from demo.botapi import DESIGN, LOOSE, Emulator
from tests.demo.botapi.conftest import EPOCH

KEYS = {"inline_keyboard": [[{"text": "ก", "callback_data": "a"}]]}
PICTURE = (Path(__file__).parents[1] / "dot.png").read_bytes()


@pytest.fixture
async def spend(bot, phone):
    """Make so many counted calls that pass: one send, then edits."""
    sent = 0

    async def calls(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            if not sent:
                sent = (await bot("sendMessage", chat_id=phone.id, text="0"))["message_id"]
            else:
                number = str(len(phone.events))
                await bot("editMessageText", chat_id=phone.id, message_id=sent, text=number)

    return calls


async def post_file(bot, chat_id: int, method: str, name: str) -> None:
    data = aiohttp.FormData({"chat_id": str(chat_id)})
    data.add_field(name, PICTURE, filename="dot.png")
    async with bot.session.post(f"{bot.root}/{method}", data=data) as response:
        assert response.status == 200, await response.text()


async def test_sends_and_edits_are_counted_together_in_any_weather(bot, phone, emulator, clock):
    sent = await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=KEYS)
    where = {"chat_id": phone.id, "message_id": sent["message_id"]}
    clock.advance(5)
    await bot("editMessageText", **where, text="y", reply_markup=KEYS)
    await bot("editMessageReplyMarkup", **where)
    await post_file(bot, phone.id, "sendDocument", "document")
    file = {"chat_id": phone.id, "message_id": phone.last.id}
    await bot("editMessageCaption", **file, caption="z")
    await post_file(bot, phone.id, "sendPhoto", "photo")
    media = {"type": "photo", "media": phone.last.content["photo"][0]["file_id"]}
    await bot("editMessageMedia", **file, media=media)
    assert [(call.time - EPOCH, call.method) for call in emulator.spent(phone.id)] == [
        (0, "sendMessage"),
        (5, "editMessageText"),
        (5, "editMessageReplyMarkup"),
        (5, "sendDocument"),
        (5, "editMessageCaption"),
        (5, "sendPhoto"),
        (5, "editMessageMedia"),
    ]
    assert emulator.refusals == []


async def test_answers_to_taps_actions_and_deletions_are_free(bot, phone, emulator):
    await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=KEYS)
    before = emulator.spent(phone.id)
    tap = await phone.tap("ก")
    await bot("answerCallbackQuery", callback_query_id=tap.id, text="● ○")
    await bot("sendChatAction", chat_id=phone.id, action="typing")
    await bot("deleteMessage", chat_id=phone.id, message_id=phone.last.id)
    await bot("getChat", chat_id=phone.id)
    assert emulator.spent(phone.id) == before


async def test_what_telegrams_servers_refuse_is_counted_and_what_never_reaches_them_is_not(bot, phone, emulator):
    sent = await bot("sendMessage", chat_id=phone.id, text="x")
    where = {"chat_id": phone.id, "message_id": sent["message_id"]}
    await bot.refusal("editMessageText", **where, text="x")  # not modified
    phone.block()
    await bot.refusal("sendMessage", chat_id=phone.id, text="x")
    assert len(emulator.spent(phone.id)) == 3
    await bot.refusal("sendMessage", chat_id=phone.id, text="")
    await bot.refusal("editMessageText", chat_id=phone.id, message_id=99_999_999, text="x")
    assert len(emulator.spent(phone.id)) == 3


async def test_without_a_weather_nothing_is_refused(bot, phone, emulator):
    for _ in range(40):
        await bot("sendMessage", chat_id=phone.id, text="x")
    assert len(emulator.spent(phone.id)) == 40


async def test_design_weather_lets_twenty_pass_in_any_sixty_seconds(bot, phone, emulator, clock, spend):
    emulator.weather = DESIGN
    await spend(1)
    clock.advance(20)
    await spend(19)
    clock.advance(39)
    # The first is one second from leaving the window; no wait is announced that is shorter than half a minute.
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x") == "Too Many Requests: retry after 30"
    (refusal,) = emulator.refusals
    assert (refusal.time - EPOCH, refusal.chat_id, refusal.method, refusal.retry_after) == (
        59,
        phone.id,
        "sendMessage",
        30,
    )
    clock.advance(30)
    await spend(20)
    assert emulator.violations == []


async def test_design_weather_announces_the_whole_wait_when_it_is_longer(bot, phone, emulator, clock, spend):
    emulator.weather = DESIGN
    await spend(20)
    clock.advance(2.5)
    where = {"chat_id": phone.id, "message_id": phone.last.id}
    assert await bot.refusal("editMessageText", **where, text="x") == "Too Many Requests: retry after 58"
    clock.advance(58)
    await spend(20)
    assert emulator.violations == []


async def test_a_counted_call_into_a_closed_chat_is_a_violation(bot, phone, emulator, clock, spend):
    emulator.weather = DESIGN
    other = emulator.phone("สมหญิง")
    await other.start()
    await spend(20)
    await bot.refusal("sendMessage", chat_id=phone.id, text="x")
    await bot("sendMessage", chat_id=other.id, text="another chat is open")
    tap = await phone.tap_data(phone.last, "a")
    await bot("answerCallbackQuery", callback_query_id=tap.id, text="รอสักครู่")
    assert emulator.violations == []
    clock.advance(59.5)
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x") == "Too Many Requests: retry after 1"
    assert emulator.violations == [
        f"sendMessage into chat {phone.id}, which was closed for 0.5 s more by a 429",
    ]
    clock.advance(1)
    await spend(1)
    assert len(emulator.violations) == 1


async def test_a_planned_429_closes_its_chat_too(bot, phone, emulator, clock):
    emulator.weather = DESIGN
    sent = await bot("sendMessage", chat_id=phone.id, text="x")
    emulator.faults.flood(90, method="editMessageText")
    where = {"chat_id": phone.id, "message_id": sent["message_id"]}
    assert await bot.refusal("editMessageText", **where, text="y") == "Too Many Requests: retry after 90"
    clock.advance(50)
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="y") == "Too Many Requests: retry after 40"
    assert [refusal.method for refusal in emulator.refusals] == ["editMessageText", "sendMessage"]
    assert len(emulator.violations) == 1
    clock.advance(40)
    await bot("sendMessage", chat_id=phone.id, text="y")


async def test_a_planned_429_of_an_uncounted_call_closes_nothing(bot, phone, emulator):
    emulator.weather = DESIGN
    emulator.faults.flood(90, method="getMe")
    emulator.faults.flood(90, method="sendChatAction")
    await bot.refusal("getMe")
    await bot.refusal("sendChatAction", chat_id=phone.id, action="typing")
    await bot("sendMessage", chat_id=phone.id, text="x")
    assert emulator.refusals == []


@pytest.mark.parametrize(("weather", "wait"), [(DESIGN, 60), (LOOSE, 1)])
async def test_a_weather_counts_what_passed_before_it(bot, phone, emulator, spend, weather, wait):
    await spend(25)
    emulator.weather = weather
    answer = await bot.refusal("sendMessage", chat_id=phone.id, text="x")
    assert answer == f"Too Many Requests: retry after {wait}"
    emulator.weather = None
    await bot("sendMessage", chat_id=phone.id, text="x")


async def test_loose_weather_is_one_a_second_after_a_burst_of_twenty(bot, phone, emulator, clock, spend):
    emulator.weather = LOOSE
    await spend(20)
    for _ in range(2):
        assert await bot.refusal("sendMessage", chat_id=phone.id, text="x") == "Too Many Requests: retry after 1"
    clock.advance(1)
    await spend(1)
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x") == "Too Many Requests: retry after 1"
    clock.advance(20)
    await spend(20)
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x") == "Too Many Requests: retry after 1"
    assert emulator.violations == []


async def test_thirty_new_messages_a_second_in_all_and_edits_do_not_count_there(bot, emulator, clock):
    emulator.weather = DESIGN
    people = [emulator.phone(f"คนที่ {number}") for number in range(31)]
    for person in people:
        await person.start()
    await bot("sendMessage", chat_id=people[0].id, text="x")
    first = {"chat_id": people[0].id, "message_id": people[0].last.id}
    await bot("editMessageText", **first, text="y")
    for person in people[1:30]:
        await bot("sendMessage", chat_id=person.id, text="x")
    await bot("editMessageText", **first, text="z")
    assert await bot.refusal("sendMessage", chat_id=people[30].id, text="x") == "Too Many Requests: retry after 1"
    clock.advance(1)
    for person in [people[30], *people[:29]]:
        await bot("sendMessage", chat_id=person.id, text="x")
    assert emulator.violations == []


@pytest.mark.parametrize(("weather", "wait"), [(DESIGN, 60), (LOOSE, 3)])
async def test_twenty_a_minute_in_a_group(bot, phone, emulator, clock, weather, wait):
    group = emulator.group("งาน", [phone])
    group.add_bot(phone)
    emulator.weather = weather
    for _ in range(20):
        await bot("sendMessage", chat_id=group.id, text="x")
    answer = await bot.refusal("sendMessage", chat_id=group.id, text="x")
    assert answer == f"Too Many Requests: retry after {wait}"
    clock.advance(wait)
    await bot("sendMessage", chat_id=group.id, text="x")


async def test_the_limits_go_by_patience_and_not_by_a_clock_that_jumps(clock):
    async with Emulator(clock=clock, patience=lambda: EPOCH, weather=DESIGN) as emulator:
        person = emulator.phone("สมชาย")
        await person.start()
        emulator.call("sendMessage", chat_id=person.id, text="x")
        clock.advance(3600)
        emulator.call("sendMessage", chat_id=person.id, text="x")
        assert [call.time for call in emulator.spent(person.id)] == [EPOCH, EPOCH]
