"""Reply markups: refused, dropped, kept."""

from typing import Any

import orjson
import pytest


def inline(*buttons: dict) -> dict:
    return {"inline_keyboard": [list(buttons)]}


@pytest.mark.parametrize(
    ("markup", "message"),
    [
        ("{", "can't parse reply keyboard markup JSON object"),
        ("[]", "object expected as reply markup"),
        (
            {"inline_keyboard": [{"text": "a"}]},
            'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
        ),
        ({"inline_keyboard": {}}, 'field "inline_keyboard" must be of type Array'),
        ({"keyboard": ["a"]}, 'field "keyboard" must be an Array of Arrays'),
        (
            inline({"text": "ก"}),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            inline({"text": "ก", "callback_data": ""}),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (inline({"callback_data": "a"}), "can't parse inline keyboard button: Can't find field \"text\""),
        (
            {"inline_keyboard": [["a"]]},
            "can't parse inline keyboard button: InlineKeyboardButton must be an Object",
        ),
        (
            inline({"text": "ก", "callback_data": []}),
            'can\'t parse inline keyboard button: Field "callback_data" must be of type String',
        ),
        (
            inline({"text": "ก", "callback_data": "a", "style": "pink"}),
            "can't parse inline keyboard button: invalid button style specified",
        ),
        ({"keyboard": [[5]]}, "can't parse keyboard button: KeyboardButton must be a String or an Object"),
        (inline({"text": "ก", "callback_data": "x" * 65}), "BUTTON_DATA_INVALID"),
        (inline({"text": "ก", "callback_data": "ก" * 22}), "BUTTON_DATA_INVALID"),
        (
            inline({"text": "ก", "url": "nonsense"}),
            "inline keyboard button URL 'nonsense' is invalid: Wrong HTTP URL",
        ),
        (
            inline({"text": "ก", "url": "ftp://example.org"}),
            "inline keyboard button URL 'ftp://example.org' is invalid: Unsupported URL protocol",
        ),
        (
            inline({"text": "ก", "copy_text": "x"}),
            'can\'t parse inline keyboard button: Field "copy_text" must be of type Object',
        ),
        (
            inline({"text": "ก", "copy_text": {}}),
            "can't parse inline keyboard button: Can't find field \"text\"",
        ),
        (
            inline({"text": "ก", "copy_text": {"text": ["x"]}}),
            'can\'t parse inline keyboard button: Field "text" must be of type String',
        ),
        (inline({"text": "ก", "copy_text": {"text": ""}}), "BUTTON_COPY_TEXT_INVALID"),
        (inline({"text": "ก", "copy_text": {"text": "ก" * 257}}), "BUTTON_COPY_TEXT_INVALID"),
    ],
)
async def test_refusals(bot, phone, markup, message):
    assert (
        await bot.refusal("sendMessage", chat_id=phone.id, text="x", reply_markup=markup)
        == f"Bad Request: {message}"
    )
    assert not any(m.outgoing for m in phone.messages)


async def test_64_bytes_of_data_pass(bot, phone):
    await bot(
        "sendMessage",
        chat_id=phone.id,
        text="x",
        reply_markup=inline({"text": "ก", "callback_data": "ก" * 21 + "x"}),
    )
    assert len(phone.last.buttons[0][0].data.encode()) == 64


async def test_a_keyboard_over_9500_bytes_is_too_long_in_sends_and_edits(bot, phone):
    def keyboard(size: int) -> dict[str, Any]:
        rows = [[{"text": f"{number:02}", "callback_data": "x" * 64}] for number in range(90)]
        rows.append([{"text": "", "callback_data": "a"}])
        left = size - len(orjson.dumps({"inline_keyboard": rows}))
        # Three bytes a Thai letter, which a JSON of ASCII would make six.
        rows[-1][0]["text"] = "ก" * (left // 3) + "x" * (left % 3)
        assert len(orjson.dumps({"inline_keyboard": rows})) == size
        return {"inline_keyboard": rows}

    message = "Bad Request: reply markup is too long"
    fits, too_long = keyboard(9_500), keyboard(9_501)
    sent = await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=fits)
    assert len(phone.last.labels) == 91
    where = {"chat_id": phone.id, "message_id": sent["message_id"]}
    assert await bot.refusal("editMessageReplyMarkup", **where, reply_markup=too_long) == message
    assert await bot.refusal("editMessageText", **where, text="y", reply_markup=too_long) == message
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x", reply_markup=too_long) == message
    typed = {"keyboard": [["ก" * 40] for _ in range(100)]}
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x", reply_markup=typed) == message
    assert len(phone.messages) == 2


async def test_style_and_url_are_kept(bot, phone, emulator):
    message = await bot(
        "sendMessage",
        chat_id=phone.id,
        text="x",
        reply_markup=inline(
            {"text": "ก", "callback_data": "a", "style": "success"}, {"text": "ข", "url": "https://Example.org"}
        ),
    )
    assert message["reply_markup"] == inline(
        {"text": "ก", "style": "success", "callback_data": "a"}, {"text": "ข", "url": "https://example.org/"}
    )
    assert [button.style for button in phone.last.buttons[0]] == ["success", None]
    assert emulator.violations == []


async def test_of_two_actions_the_server_keeps_one_silently(bot, phone, emulator):
    markup = inline({"text": "ก", "callback_data": "a", "url": "https://example.org/"})
    message = await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=markup)
    assert message["reply_markup"] == inline({"text": "ก", "url": "https://example.org/"})
    assert emulator.violations == ["inline button 'ก' has several actions, the server keeps one silently"]


@pytest.mark.parametrize("text", ["8", "ก" * 256])
async def test_a_button_that_copies_is_kept(bot, phone, emulator, text):
    button = {"text": "คัดลอก", "copy_text": {"text": text}}
    message = await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=inline(button))
    assert message["reply_markup"] == inline(button)
    assert phone.snapshot()["messages"][-1]["buttons"][0][0]["copies"] == text
    assert phone.copy("คัดลอก") == phone.clipboard == text
    assert emulator.violations == []


async def test_a_button_that_copies_does_nothing_else(bot, phone, emulator):
    button = {"text": "ก", "copy_text": {"text": "x"}, "callback_data": "a"}
    message = await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=inline(button))
    assert message["reply_markup"] == inline({"text": "ก", "callback_data": "a"})
    assert emulator.violations == ["inline button 'ก' has several actions, the server keeps one silently"]
    with pytest.raises(AssertionError, match="the button 'ก' copies nothing"):
        phone.copy("ก")


async def test_what_is_not_of_a_button_that_copies_is_complained_of(bot, phone, emulator):
    button = {"text": "ก", "copy_text": {"text": "x", "label": "y"}}
    await bot("sendMessage", chat_id=phone.id, text="x", reply_markup=inline(button))
    assert phone.copy("ก") == "x"
    assert len(emulator.violations) == 1


async def test_buttons_without_text_and_beyond_twelve_vanish(bot, phone, emulator):
    row = [{"text": str(n), "callback_data": "a"} for n in range(14)]
    await bot(
        "sendMessage",
        chat_id=phone.id,
        text="x",
        reply_markup={"inline_keyboard": [[{"text": "", "callback_data": "a"}], row]},
    )
    assert [len(r) for r in phone.last.buttons] == [12]
    assert emulator.violations == ["an inline button without text is dropped silently by the server"]


async def test_an_empty_keyboard_is_none(bot, phone):
    message = await bot("sendMessage", chat_id=phone.id, text="x", reply_markup={"inline_keyboard": []})
    assert "reply_markup" not in message


async def test_a_reply_keyboard_changes_the_chat_not_the_message(bot, phone):
    message = await bot(
        "sendMessage", chat_id=phone.id, text="x", reply_markup={"keyboard": [["ก"]], "resize_keyboard": True}
    )
    assert "reply_markup" not in message
    assert phone.snapshot()["reply_keyboard"]["keyboard"] == [[{"text": "ก"}]]
    await bot("sendMessage", chat_id=phone.id, text="y", reply_markup={"remove_keyboard": True})
    assert phone.snapshot()["reply_keyboard"] is None
