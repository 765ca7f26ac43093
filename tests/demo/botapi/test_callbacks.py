"""Taps and their answers."""

import pytest

EXPIRED = "Bad Request: query is too old and response timeout expired or query ID is invalid"


@pytest.fixture
async def card(bot, phone):
    markup = {
        "inline_keyboard": [[{"text": "รับรอง", "callback_data": "ok"}, {"text": "ยกเลิก", "callback_data": "no"}]]
    }
    await bot("sendMessage", chat_id=phone.id, text="แน่ใจหรือไม่", reply_markup=markup)
    return phone.last


async def test_a_tap_reaches_the_bot_and_the_answer_the_phone(bot, phone, card, emulator):
    tap = await phone.tap("รับรอง")
    (update,) = await bot("getUpdates")
    query = update["callback_query"]
    assert (query["id"], query["data"], query["from"]["id"]) == (tap.id, "ok", phone.id)
    assert query["message"]["message_id"] == card.id
    assert query["message"]["reply_markup"]["inline_keyboard"][0][0]["text"] == "รับรอง"
    assert list(emulator.taps) == [tap.id]
    assert await bot("answerCallbackQuery", callback_query_id=tap.id, text="เรียบร้อย", show_alert=True) is True
    answer = await tap.answer()
    assert (answer.text, answer.show_alert, answer.url) == ("เรียบร้อย", True, "")
    assert emulator.taps == {}
    assert (phone.events[-1].kind, phone.events[-1].text) == ("answered", "เรียบร้อย")


async def test_a_tap_is_answered_once(bot, phone, card):
    tap = await phone.tap("รับรอง")
    await bot("answerCallbackQuery", callback_query_id=tap.id)
    assert await bot.refusal("answerCallbackQuery", callback_query_id=tap.id) == EXPIRED


async def test_a_tap_lives_150_seconds(bot, phone, card, clock):
    early, late = await phone.tap("รับรอง"), await phone.tap("ยกเลิก")
    clock.advance(149)
    assert await bot("answerCallbackQuery", callback_query_id=early.id) is True
    clock.advance(1)
    assert await bot.refusal("answerCallbackQuery", callback_query_id=late.id) == EXPIRED
    assert await bot.refusal("answerCallbackQuery", callback_query_id="17") == EXPIRED
    assert await bot.refusal("answerCallbackQuery") == EXPIRED


async def test_expired_taps_are_forgotten(phone, card, clock, emulator):
    await phone.tap("รับรอง")
    clock.advance(200)
    tap = await phone.tap("รับรอง")
    assert list(emulator.taps) == [tap.id]


async def test_an_answer_has_at_most_200_characters(bot, phone, card):
    tap = await phone.tap("รับรอง")
    assert await bot.refusal("answerCallbackQuery", callback_query_id=tap.id, text="ก" * 201) == (
        "Bad Request: MESSAGE_TOO_LONG"
    )
    assert await bot("answerCallbackQuery", callback_query_id=tap.id, text="ก" * 200) is True


async def test_an_answer_opens_only_links_to_the_bot_itself(bot, phone, card):
    tap = await phone.tap("รับรอง")
    assert await bot.refusal("answerCallbackQuery", callback_query_id=tap.id, url="https://example.org") == (
        "Bad Request: URL_INVALID"
    )
    await bot("answerCallbackQuery", callback_query_id=tap.id, url="https://t.me/laocert_bot?start=x")
    assert (await tap.answer()).url == "https://t.me/laocert_bot?start=x"


async def test_a_tap_on_a_deleted_message_comes_with_an_inaccessible_one(bot, phone, card):
    button = phone.button("รับรอง")
    await bot("deleteMessage", chat_id=phone.id, message_id=card.id)
    tap = await phone.press(button)
    (update,) = await bot("getUpdates")
    assert update["callback_query"]["message"] == {
        "message_id": card.id,
        "chat": {"id": phone.id, "first_name": "สมชาย", "type": "private"},
        "date": 0,
    }
    assert await bot("answerCallbackQuery", callback_query_id=tap.id) is True


async def test_data_may_be_forged_and_of_another_chat(bot, phone, card, emulator):
    thief = emulator.phone("โจร")
    await thief.start()
    await thief.tap_data(card, "forged")
    query = (await bot("getUpdates"))[-1]["callback_query"]
    assert (query["data"], query["from"]["id"], query["message"]["chat"]["id"]) == ("forged", thief.id, phone.id)


async def test_an_unanswered_tap_is_an_assertion_error(phone, card):
    tap = await phone.tap("รับรอง")
    with pytest.raises(AssertionError, match="the tap on 'ok' was not answered"):
        await tap.answer(timeout=0.01)
