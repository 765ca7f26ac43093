"""Sending, editing and deleting texts."""

import pytest

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
KEYS = {"inline_keyboard": [[{"text": "ก", "callback_data": "a"}]]}


async def test_a_sent_message_is_what_the_api_documents(bot, phone, emulator, clock):
    message = await bot(
        "sendMessage",
        chat_id=phone.id,
        text="<b>สวัสดี</b> 😀",
        parse_mode="html",
        protect_content=True,
        disable_notification=True,
        link_preview_options={"is_disabled": True},
    )
    assert message["chat"] == {"id": phone.id, "first_name": "สมชาย", "type": "private"}
    assert message["from"]["id"] == emulator.bot.id
    assert message["date"] == int(clock())
    assert message["entities"] == [{"offset": 0, "length": 6, "type": "bold"}]
    assert message["has_protected_content"] is True
    assert message["link_preview_options"] == {"is_disabled": True}
    assert phone.last.silent is True
    assert phone.last.html == "<b>สวัสดี</b> 😀"
    assert emulator.violations == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"text": "x"}, "chat_id is empty"),
        ({"chat_id": 1, "text": ""}, "message text is empty"),
        ({"chat_id": 1, "text": "x"}, "chat not found"),
        ({"chat_id": "@nobody", "text": "x"}, "chat not found"),
        ({"chat_id": 1, "text": "x", "link_preview_options": "{"}, "can't parse link preview options JSON object"),
        (
            {"chat_id": 1, "text": "<b>x", "parse_mode": "HTML"},
            "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
    ],
)
async def test_refusals(bot, params, message):
    assert await bot.refusal("sendMessage", **params) == f"Bad Request: {message}"


async def test_4096_characters_after_parsing_pass_and_one_more_does_not(bot, phone):
    await bot("sendMessage", chat_id=phone.id, text="<b>" + "ก" * 4096 + "</b>", parse_mode="HTML")
    assert len(phone.last.text) == 4096
    assert (
        await bot.refusal("sendMessage", chat_id=phone.id, text="ก" * 4097) == "Bad Request: message is too long"
    )


async def test_an_edit_over_4096_has_the_bare_error_of_the_servers(bot, phone):
    sent = await bot("sendMessage", chat_id=phone.id, text="x")
    where = {"chat_id": phone.id, "message_id": sent["message_id"]}
    assert await bot.refusal("editMessageText", **where, text="ก" * 4097) == "Bad Request: MESSAGE_TOO_LONG"


async def test_replies(bot, phone):
    own = await phone.send("ถาม")
    answer = await bot("sendMessage", chat_id=phone.id, text="ตอบ", reply_parameters={"message_id": own.id})
    assert answer["reply_to_message"]["text"] == "ถาม"
    unknown_message = {"message_id": 99_999_999}
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="x", reply_parameters=unknown_message) == (
        "Bad Request: message to be replied not found"
    )
    lenient = await bot(
        "sendMessage",
        chat_id=phone.id,
        text="x",
        reply_parameters={**unknown_message, "allow_sending_without_reply": True},
    )
    assert "reply_to_message" not in lenient


async def test_editing_text_and_keyboard(bot, phone, clock):
    sent = await bot("sendMessage", chat_id=phone.id, text="one", reply_markup=KEYS)
    where = {"chat_id": phone.id, "message_id": sent["message_id"]}
    clock.advance(60)
    edited = await bot("editMessageText", **where, text="two")
    assert edited["edit_date"] == sent["date"] + 60
    assert "reply_markup" not in edited  # an edit without a keyboard takes it away
    assert phone.last.history == ["one", "two"]
    assert (phone.last.edits, phone.last.labels) == (1, [])
    assert await bot.refusal("editMessageText", **where, text="two") == NOT_MODIFIED
    await bot("editMessageReplyMarkup", **where, reply_markup=KEYS)
    assert phone.last.labels == ["ก"]
    assert await bot.refusal("editMessageReplyMarkup", **where, reply_markup=KEYS) == NOT_MODIFIED
    await bot(
        "editMessageText", **where, text="<b>two</b>", parse_mode="HTML", reply_markup=KEYS
    )  # the same but bold
    await bot("editMessageReplyMarkup", **where)
    assert await bot.refusal("editMessageReplyMarkup", **where) == NOT_MODIFIED


async def test_what_cannot_be_edited(bot, phone, emulator):
    other = emulator.phone("สมหญิง")
    await other.start()
    own = await phone.send("mine")
    keyboard = await bot("sendMessage", chat_id=phone.id, text="x", reply_markup={"keyboard": [["ก"]]})
    sent = await bot("sendMessage", chat_id=phone.id, text="x")

    async def refusal(**params):
        return await bot.refusal("editMessageText", **{"chat_id": phone.id, "text": "y", **params})

    assert await refusal(message_id=own.id) == "Bad Request: message can't be edited"
    assert await refusal(message_id=keyboard["message_id"]) == "Bad Request: message can't be edited"
    assert await refusal(message_id=99_999_999) == "Bad Request: message to edit not found"
    assert (
        await refusal(chat_id=other.id, message_id=sent["message_id"]) == "Bad Request: message to edit not found"
    )
    assert await refusal(message_id=sent["message_id"], text="") == "Bad Request: message text is empty"
    assert (
        await refusal(message_id=sent["message_id"], reply_markup={"keyboard": [["ก"]]})
        == "Bad Request: inline keyboard expected"
    )
    assert await bot.refusal("editMessageText", text="y") == "Bad Request: message identifier is not specified"
    caption = await bot.refusal("editMessageCaption", chat_id=phone.id, message_id=sent["message_id"], caption="y")
    assert caption == "Bad Request: there is no caption in the message to edit"


async def test_deleting(bot, phone):
    sent = await bot("sendMessage", chat_id=phone.id, text="x")
    password = await phone.send("secret")
    for message_id in (sent["message_id"], password.id):
        assert await bot("deleteMessage", chat_id=phone.id, message_id=message_id) is True
        assert await bot.refusal("deleteMessage", chat_id=phone.id, message_id=message_id) == (
            "Bad Request: message to delete not found"
        )
    assert [message.text for message in phone.messages] == ["/start"]
    assert await bot.refusal("editMessageText", chat_id=phone.id, message_id=sent["message_id"], text="y") == (
        "Bad Request: message to edit not found"
    )
    assert await bot.refusal("deleteMessage", message_id=5) == "Bad Request: chat identifier is not specified"
    assert (
        await bot.refusal("deleteMessage", chat_id=phone.id) == "Bad Request: message identifier is not specified"
    )


async def test_after_48_hours_nothing_can_be_deleted(bot, phone, clock):
    own = await phone.send("x")
    clock.advance(48 * 3600)
    other = await phone.send("y")
    assert await bot("deleteMessage", chat_id=phone.id, message_id=own.id) is True
    clock.advance(48 * 3600 + 1)
    refused = "Bad Request: message can't be deleted for everyone"
    assert await bot.refusal("deleteMessage", chat_id=phone.id, message_id=other.id) == refused
    assert await bot.refusal("deleteMessages", chat_id=phone.id, message_ids=[other.id]) == refused


async def test_deleting_many(bot, phone):
    ids = [(await phone.send(text)).id for text in "abc"]
    assert await bot("deleteMessages", chat_id=phone.id, message_ids=[ids[0], 99_999_999, ids[2]]) is True
    assert [message.text for message in phone.messages] == ["/start", "b"]
    for value, message in (
        ([], "message identifiers are not specified"),
        ("{", "can't parse message_ids JSON object"),
        ("{}", "expected an Array of message identifiers"),
        (list(range(1, 102)), "too many message identifiers specified"),
        ([0], "invalid message identifier specified"),
        (["x"], "can't parse message identifier as a Number"),
        ([True], "message identifier must be a Number"),
    ):
        refusal = await bot.refusal("deleteMessages", chat_id=phone.id, message_ids=value)
        assert refusal == f"Bad Request: {message}"


async def test_chat_actions(bot, phone):
    assert await bot("sendChatAction", chat_id=phone.id, action="typing") is True
    assert (phone.events[-1].kind, phone.events[-1].text) == ("action", "typing")
    assert await bot.refusal("sendChatAction", chat_id=phone.id, action="sing") == (
        "Bad Request: wrong parameter action in request"
    )


async def test_who_never_started_the_bot(bot, emulator):
    stranger = emulator.phone("คนแปลกหน้า")
    assert await bot.refusal("sendMessage", chat_id=stranger.id, text="x") == "Bad Request: chat not found"
    member = emulator.phone("สมาชิก")
    emulator.group("งาน", [member]).add_bot(member)
    assert await bot.answer("sendMessage", chat_id=member.id, text="x") == (
        403,
        {"ok": False, "error_code": 403, "description": "Forbidden: bot can't initiate conversation with a user"},
    )


async def test_who_blocked_the_bot_and_who_is_gone(bot, phone, emulator):
    sent = await bot("sendMessage", chat_id=phone.id, text="x")
    phone.block()
    (update,) = await bot("getUpdates")
    assert update["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    for method, params in (
        ("sendMessage", {"text": "y"}),
        ("editMessageText", {"text": "y", "message_id": sent["message_id"]}),
        ("sendChatAction", {"action": "typing"}),
    ):
        assert await bot.refusal(method, chat_id=phone.id, **params) == "Forbidden: bot was blocked by the user"
    with pytest.raises(AssertionError, match="has blocked the bot"):
        await phone.send("x")
    phone.unblock()
    await phone.start()
    assert [next(key for key in u if key != "update_id") for u in await bot("getUpdates")] == [
        "my_chat_member",
        "my_chat_member",
        "message",
    ]
    await bot("sendMessage", chat_id=phone.id, text="welcome back")
    phone.deactivate()
    assert await bot.refusal("sendMessage", chat_id=phone.id, text="y") == "Forbidden: user is deactivated"
    emulator.violations.clear()


async def test_a_mention_names_a_person_or_is_dropped(bot, phone):
    text = f'<a href="tg://user?id={phone.id}">คุณ</a> <a href="tg://user?id=5">ใคร</a>'
    sent = await bot("sendMessage", chat_id=phone.id, text=text, parse_mode="HTML")
    (entity,) = sent["entities"]
    assert (entity["type"], entity["user"]["first_name"]) == ("text_mention", "สมชาย")
    assert sent["text"] == "คุณ ใคร"


async def test_malformed_numbers_in_json_are_refused(bot, phone):
    where = {"chat_id": phone.id, "text": "x"}
    assert await bot.refusal("sendMessage", **where, reply_parameters={"message_id": "x"}) == (
        'Bad Request: field "message_id" must be a valid Number'
    )
    assert await bot.refusal("sendMessage", **where, entities=[{"type": "bold", "offset": "x", "length": 1}]) == (
        'Bad Request: can\'t parse MessageEntity: Field "offset" must be a Number'
    )


async def test_private_chats_have_no_topics(bot, phone):
    refusal = await bot.refusal("sendMessage", chat_id=phone.id, text="x", message_thread_id=3)
    assert refusal == "Bad Request: message thread not found"
