"""Commands, names and menu button."""

import pytest

COMMANDS = [{"command": "start", "description": "เริ่ม"}, {"command": "help", "description": "ช่วยเหลือ"}]


async def test_commands_by_scope_and_language(bot, phone, emulator):
    await bot("setMyCommands", commands=COMMANDS)
    await bot(
        "setMyCommands", commands=COMMANDS[:1], language_code="en", scope={"type": "chat", "chat_id": phone.id}
    )
    assert await bot("getMyCommands") == COMMANDS
    assert await bot("getMyCommands", language_code="en") == []
    scope = {"type": "chat", "chat_id": phone.id}
    assert await bot("getMyCommands", language_code="en", scope=scope) == COMMANDS[:1]
    await bot("deleteMyCommands")
    assert await bot("getMyCommands") == []
    assert emulator.violations == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"commands": "{"}, "can't parse commands JSON object"),
        ({"commands": "{}"}, "expected an Array of BotCommand"),
        ({"commands": [1]}, "can't parse BotCommand: expected an Object"),
        ({"commands": [{"command": "a"}]}, "can't parse BotCommand: Can't find field \"description\""),
        ({"commands": [{"command": "/", "description": "x"}]}, "command must be non-empty"),
        ({"commands": [{"command": "a" * 33, "description": "x"}]}, "command length must not exceed 32"),
        ({"commands": [{"command": "a", "description": " "}]}, "command description must be non-empty"),
        ({"commands": [{"command": "Start", "description": "x"}]}, "BOT_COMMAND_INVALID"),
        (
            {"commands": COMMANDS, "scope": {"type": "moon"}},
            "can't parse BotCommandScope: Unsupported type specified",
        ),
        (
            {"commands": COMMANDS, "scope": {"type": "chat"}},
            "can't parse BotCommandScope: Empty chat_id specified",
        ),
        ({"commands": COMMANDS, "language_code": "thai"}, "invalid language code specified"),
    ],
)
async def test_refused_commands(bot, params, message):
    assert await bot.refusal("setMyCommands", **params) == f"Bad Request: {message}"


async def test_name_and_descriptions(bot):
    assert await bot("getMyName") == {"name": "laocert"}
    await bot("setMyName", name="รับรองข้อมูล", language_code="th")
    assert await bot("getMyName", language_code="th") == {"name": "รับรองข้อมูล"}
    await bot("setMyDescription", description="ทั่วไป")
    assert await bot("getMyDescription", language_code="th") == {"description": "ทั่วไป"}
    assert await bot.refusal("setMyShortDescription", short_description="ก" * 121) == (
        "Bad Request: SHORT_DESCRIPTION_TOO_LONG"
    )


async def test_menu_button_and_chat(bot, phone):
    assert await bot("setChatMenuButton", chat_id=phone.id, menu_button={"type": "commands"}) is True
    assert await bot.refusal("setChatMenuButton", menu_button={"type": "x"}) == (
        "Bad Request: can't parse menu button: MenuButton has unsupported type"
    )
    assert (await bot("getChat", chat_id=phone.id))["first_name"] == "สมชาย"
    assert await bot.refusal("getChat", chat_id=5) == "Bad Request: chat not found"
