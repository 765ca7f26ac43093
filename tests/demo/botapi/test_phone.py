"""The emulated phone: messages, buttons, waiting and sending."""

import asyncio
import json

import pytest

from demo.botapi import PATIENCE

KEYS = {
    "inline_keyboard": [
        [
            {"text": "รับรองระดับ อปท.", "callback_data": "lao"},
            {"text": "รับรองระดับจังหวัด", "callback_data": "province"},
        ],
        [{"text": "ย้อนกลับ", "callback_data": "back"}, {"text": "เว็บ", "url": "https://example.org/"}],
        [{"text": "อปท.", "callback_data": "exact"}, {"text": "คัดลอกรหัส", "copy_text": {"text": "K-7"}}],
    ]
}


@pytest.fixture
async def card(bot, phone):
    await bot("sendMessage", chat_id=phone.id, text="เลือก", reply_markup=KEYS)
    return phone.last


async def test_start_with_a_payload(bot, emulator):
    phone = emulator.phone("สมชาย", user_id=77, language_code="th", last_name="ใจดี", username="somchai")
    await phone.start("invite-code")
    (update,) = await bot("getUpdates")
    assert update["message"]["text"] == "/start invite-code"
    assert update["message"]["entities"] == [{"offset": 0, "length": 6, "type": "bot_command"}]
    assert update["message"]["from"] == {
        "id": 77,
        "is_bot": False,
        "first_name": "สมชาย",
        "last_name": "ใจดี",
        "username": "somchai",
        "language_code": "th",
    }
    with pytest.raises(ValueError, match="user 77 exists already"):
        emulator.phone("อีกคน", user_id=77)


@pytest.mark.parametrize("payload", ["a" * 64, "A-Z_09"])
async def test_a_link_leads_to_the_bot(phone, payload):
    await phone.start(payload)
    assert phone.messages[-1].text == f"/start {payload}"


@pytest.mark.parametrize("payload", ["a" * 65, "two words", "ก", "a=b", "a\n", " "])
async def test_a_link_whose_payload_telegram_does_not_allow_leads_nowhere(bot, phone, payload):
    with pytest.raises(AssertionError, match="no link has the payload"):
        await phone.start(payload)
    assert await bot("getUpdates") == []
    await phone.send(f"/start {payload}")  # a person may type anything
    assert len(await bot("getUpdates")) == 1


async def test_buttons_are_found_by_label_or_part(phone, card):
    assert phone.button("ย้อน").data == "back"
    assert phone.button("อปท.").data == "exact"  # the whole label wins over a part
    with pytest.raises(AssertionError, match="'รับรองระดับ' is on several buttons"):
        await phone.tap("รับรองระดับ")
    with pytest.raises(AssertionError, match=r"no button 'ไม่มี' among .*ย้อนกลับ"):
        await phone.tap("ไม่มี")
    with pytest.raises(AssertionError, match="sends nothing to the bot"):
        await phone.tap("เว็บ")
    with pytest.raises(AssertionError, match="sends nothing to the bot: it copies 'K-7'"):
        await phone.tap("คัดลอก")


async def test_the_newest_message_with_the_button_counts(bot, phone, card):
    await bot(
        "sendMessage",
        chat_id=phone.id,
        text="newer",
        reply_markup={"inline_keyboard": [[{"text": "ย้อนกลับ", "callback_data": "newer"}]]},
    )
    assert phone.button("ย้อนกลับ").data == "newer"
    assert phone.button("ย้อนกลับ", card).data == "back"
    assert phone.button("รับรองระดับ อปท.").message is card


async def test_what_the_screen_shows(bot, phone, card, clock):
    assert [message.text for message in phone.messages] == ["/start", "เลือก"]
    assert card.labels == ["รับรองระดับ อปท.", "รับรองระดับจังหวัด", "ย้อนกลับ", "เว็บ", "อปท.", "คัดลอกรหัส"]
    assert [len(row) for row in card.buttons] == [2, 2, 2]
    mine = await phone.send("ของฉัน")
    assert phone.last is card  # the newest of the bot
    phone.delete_own(mine)
    await bot("deleteMessage", chat_id=phone.id, message_id=card.id)
    assert [message.text for message in phone.messages] == ["/start"]
    with pytest.raises(AssertionError, match="no message of the bot"):
        _ = phone.last
    assert [event.kind for event in phone.events] == ["received", "sent", "received", "deleted", "deleted"]
    assert phone.events[-1].time == clock()


async def test_until_wakes_at_the_change(bot, phone):
    waiting = asyncio.create_task(phone.until(lambda p: p.last.text == "ถึงแล้ว"))
    await asyncio.sleep(0)
    sent = await bot("sendMessage", chat_id=phone.id, text="ยัง")
    assert not waiting.done()
    await bot("editMessageText", chat_id=phone.id, message_id=sent["message_id"], text="ถึงแล้ว")
    assert await asyncio.wait_for(waiting, PATIENCE) is True
    assert await phone.until(lambda p: p.messages) == phone.messages  # gives what the predicate gave


async def test_until_shows_the_screen_when_it_fails(phone, card):
    with pytest.raises(AssertionError, match=r"not so in 0.01 s:(.|\n)*เลือก\n +รับรองระดับ อปท. \| รับรองระดับจังหวัด"):
        await phone.until(lambda p: p.last.text == "never", timeout=0.01)


async def test_all_kinds_of_messages(bot, phone, emulator):
    await phone.send_photo(caption="ภาพ")
    await phone.send_document("ทะเบียน.xlsx", b"x", "application/vnd.ms-excel")
    await phone.send_sticker()
    await phone.send_contact()
    await phone.send_location()
    messages = [update["message"] for update in await bot("getUpdates")]
    for message, field in zip(messages, ("photo", "document", "sticker", "contact", "location"), strict=True):
        assert field in message
    file = await bot("getFile", file_id=messages[1]["document"]["file_id"])
    assert file["file_path"].endswith(".xlsx")


async def test_press_waits_for_the_answer(bot, phone, card):
    pressing = asyncio.create_task(phone.press(phone.button("ย้อนกลับ"), wait=True))
    await asyncio.sleep(0)
    (update,) = await bot("getUpdates")
    assert not pressing.done()
    await bot("answerCallbackQuery", callback_query_id=update["callback_query"]["id"], text="ok")
    assert (await asyncio.wait_for(pressing, PATIENCE)).answered.text == "ok"


async def test_snapshot_is_json(bot, phone, card):
    value = json.loads(json.dumps(phone.snapshot()))
    assert value["messages"][-1]["text"] == "เลือก"
    assert value["messages"][-1]["buttons"][1][1] == {
        "label": "เว็บ",
        "data": None,
        "url": "https://example.org/",
        "style": None,
        "copies": None,
    }


async def test_observers_see_each_change_until_they_leave(bot, phone, emulator):
    seen = []
    leave = emulator.subscribe(lambda chat, event: seen.append((chat.id, event.kind, event.text)))
    await bot("sendMessage", chat_id=phone.id, text="x")
    leave()
    await phone.send("y")
    assert seen == [(phone.id, "sent", "x")]


async def test_a_phone_does_not_send_what_a_phone_cannot(phone):
    with pytest.raises(AssertionError, match="empty"):
        await phone.send("  ")
    with pytest.raises(AssertionError, match="4096"):
        await phone.send("ก" * 4097)
