"""Groups: joining, privacy mode, being thrown out, upgrading."""

import pytest


@pytest.fixture
async def group(emulator, phone):
    return emulator.group("กองการเจ้าหน้าที่", [phone, emulator.phone("สมหญิง")])


def kinds(updates: list) -> list[str]:
    return [next(key for key in update if key != "update_id") for update in updates]


async def test_joining(bot, phone, group, emulator):
    assert await bot.refusal("sendMessage", chat_id=group.id, text="x") == "Bad Request: chat not found"
    group.add_bot(phone)
    member, service = await bot("getUpdates")
    assert member["my_chat_member"]["old_chat_member"]["status"] == "left"
    assert member["my_chat_member"]["new_chat_member"]["status"] == "member"
    assert service["message"]["new_chat_members"][0]["id"] == emulator.bot.id
    assert service["message"]["chat"] == {"id": group.id, "title": "กองการเจ้าหน้าที่", "type": "group"}
    await bot("sendMessage", chat_id=group.id, text="สวัสดี")
    assert group.messages[-1].text == "สวัสดี"
    assert (await bot("getChat", chat_id=group.id))["title"] == "กองการเจ้าหน้าที่"


async def test_privacy_mode(bot, phone, group, emulator):
    group.add_bot(phone)
    emulator.updates.pending.clear()
    here = group.phone(phone)
    question = await bot("sendMessage", chat_id=group.id, text="?")
    question_message = group.chat.messages[question["message_id"]]
    other = await here.send("not for the bot")
    for text in ("@laocert_bot hello", "/menu@other_bot", "see /menu"):
        await here.send(text)
    await here.send("to a person", reply_to=other)
    assert await bot("getUpdates") == []
    await here.send("/menu")
    await here.send("/menu@laocert_bot now")
    await here.send("answer", reply_to=question_message)
    assert [u["message"]["text"] for u in await bot("getUpdates")] == ["/menu", "/menu@laocert_bot now", "answer"]
    group.promote_bot(phone)
    await here.send("now everything")
    assert kinds(await bot("getUpdates"))[-2:] == ["my_chat_member", "message"]


async def test_deleting_in_a_group_needs_an_administrator(bot, phone, group):
    group.add_bot(phone)
    command = await group.phone(phone).send("/x")
    where = {"chat_id": group.id, "message_id": command.id}
    assert await bot.refusal("deleteMessage", **where) == "Bad Request: message can't be deleted for everyone"
    group.promote_bot(phone)
    assert await bot("deleteMessage", **where) is True


async def test_thrown_out(bot, phone, group):
    group.add_bot(phone)
    group.kick_bot(phone)
    assert kinds(await bot("getUpdates"))[2:] == ["my_chat_member", "message"]
    assert await bot.answer("sendMessage", chat_id=group.id, text="x") == (
        403,
        {"ok": False, "error_code": 403, "description": "Forbidden: bot was kicked from the group chat"},
    )


async def test_thrown_out_of_a_supergroup(bot, phone, emulator):
    group = emulator.group("ใหญ่", [phone], supergroup=True)
    group.add_bot(phone)
    group.kick_bot(phone)
    for method, params in (("sendMessage", {"text": "x"}), ("getChat", {})):
        refusal = await bot.refusal(method, chat_id=group.id, **params)
        assert refusal == "Forbidden: bot was kicked from the supergroup chat"


async def test_leaving(bot, phone, group):
    group.add_bot(phone)
    assert await bot("leaveChat", chat_id=group.id) is True
    refusal = await bot.refusal("sendMessage", chat_id=group.id, text="x")
    assert refusal == "Forbidden: bot is not a member of the group chat"


async def test_upgrading_gives_a_new_id(bot, phone, group):
    group.add_bot(phone)
    successor = group.upgrade(phone)
    assert await bot.answer("sendMessage", chat_id=group.id, text="x") == (
        400,
        {
            "ok": False,
            "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": successor.id},
        },
    )
    updates = await bot("getUpdates")
    assert updates[-2]["message"]["migrate_to_chat_id"] == successor.id
    assert updates[-1]["message"]["migrate_from_chat_id"] == group.id
    await bot("sendMessage", chat_id=successor.id, text="x")


async def test_any_member_may_tap(bot, phone, group, emulator):
    group.add_bot(phone)
    keys = {"inline_keyboard": [[{"text": "ก", "callback_data": "a"}]]}
    await bot("sendMessage", chat_id=group.id, text="?", reply_markup=keys)
    newcomer = emulator.phone("น้องใหม่")
    group.add_member(newcomer)
    await group.phone(newcomer).tap("ก")
    query = (await bot("getUpdates"))[-1]["callback_query"]
    assert (query["from"]["id"], query["message"]["chat"]["id"]) == (newcomer.id, group.id)
