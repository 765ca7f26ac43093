"""The library that the bot uses, against the emulator."""

from collections.abc import AsyncIterator

import pytest
import telegram
from telegram.error import BadRequest, Forbidden, InvalidToken, RetryAfter

from demo.botapi import Emulator


@pytest.fixture
async def library(emulator: Emulator) -> AsyncIterator[telegram.Bot]:
    async with telegram.Bot(
        emulator.token, base_url=f"{emulator.url}/bot", base_file_url=f"{emulator.url}/file/bot"
    ) as bot:
        yield bot


async def test_a_conversation(library, emulator, phone):
    await phone.send("สวัสดี")
    (update,) = await library.get_updates()
    keys = telegram.InlineKeyboardMarkup.from_button(telegram.InlineKeyboardButton("รับรอง", callback_data="ok"))
    sent = await update.message.reply_html("<b>รับรอง?</b>", reply_markup=keys, do_quote=True, protect_content=True)
    assert sent.reply_to_message.text == "สวัสดี"
    tap = await phone.tap("รับรอง")
    (update,) = await library.get_updates(offset=update.update_id + 1)
    await update.callback_query.answer("บันทึกแล้ว", show_alert=True)
    await update.callback_query.edit_message_text("รับรองแล้ว")
    assert (await tap.answer()).text == "บันทึกแล้ว"
    assert (phone.last.text, phone.last.edits, phone.last.labels) == ("รับรองแล้ว", 1, [])
    with pytest.raises(BadRequest, match="Message is not modified"):
        await update.callback_query.edit_message_text("รับรองแล้ว")
    with pytest.raises(BadRequest, match="Query is too old"):
        await update.callback_query.answer()
    await sent.delete()
    assert emulator.violations == []


async def test_files(library, emulator, phone):
    sent = await library.send_document(phone.id, b"abc", filename="a.pdf", caption="x")
    file = await library.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"abc"
    await phone.send_document("ทะเบียน.xlsx", b"xyz")
    (update,) = await library.get_updates()
    assert bytes(await (await update.message.document.get_file()).download_as_bytearray()) == b"xyz"
    assert emulator.violations == []


async def test_errors_are_those_that_the_library_knows(library, emulator, phone):
    emulator.faults.flood(3, method="sendMessage")
    with pytest.raises(RetryAfter, match="Flood control exceeded"):
        await library.send_message(phone.id, "x")
    phone.block()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await library.send_message(phone.id, "x")
    with pytest.raises(BadRequest, match="Can't parse entities"):
        await library.send_message(phone.id, "<b>x", parse_mode="HTML")
    other = telegram.Bot("1:wrong", base_url=f"{emulator.url}/bot")
    with pytest.raises(InvalidToken):
        await other.initialize()
    await other.shutdown()


async def test_commands_and_identity(library, emulator):
    assert (await library.get_me()).username == "laocert_bot"
    await library.set_my_commands([telegram.BotCommand("start", "เริ่ม")], language_code="th")
    assert (await library.get_my_commands(language_code="th"))[0].command == "start"
    assert (await library.get_webhook_info()).url == ""
    await library.delete_webhook(drop_pending_updates=True)
    assert emulator.violations == []
