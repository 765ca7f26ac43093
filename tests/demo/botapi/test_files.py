"""Documents and photos, up and down."""

import io
import struct

import aiohttp
import orjson
import pytest

from demo.botapi import Emulator

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 320, 200) + b"\x08\x02\x00\x00\x00"


async def upload(emulator: Emulator, method: str, field: str, content: bytes, name: str, **fields: str):
    form = aiohttp.FormData(fields)
    form.add_field(field, io.BytesIO(content), filename=name)
    url = f"{emulator.url}/bot{emulator.token}/{method}"
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as response:
        return response.status, orjson.loads(await response.read())


async def download(emulator: Emulator, path: str) -> tuple[int, bytes]:
    url = f"{emulator.url}/file/bot{emulator.token}/{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.read()


async def test_a_document_goes_up_and_comes_down(emulator, bot, phone, clock):
    status, body = await upload(
        emulator,
        "sendDocument",
        "document",
        b"slip",
        "ใบรับรอง.pdf",
        chat_id=str(phone.id),
        caption="<b>ใบรับรอง</b>",
        parse_mode="HTML",
    )
    assert status == 200
    document = body["result"]["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == (
        "ใบรับรอง.pdf",
        "application/pdf",
        4,
    )
    assert body["result"]["caption_entities"] == [{"offset": 0, "length": 8, "type": "bold"}]
    assert phone.last.text == "ใบรับรอง"
    file = await bot("getFile", file_id=document["file_id"])
    assert await download(emulator, file["file_path"]) == (200, b"slip")
    clock.advance(3601)
    assert (await download(emulator, file["file_path"]))[0] == 404
    again = await bot("sendDocument", chat_id=phone.id, document=document["file_id"])
    assert again["document"] == document
    assert emulator.violations == []


async def test_attach_names_another_field(emulator, phone):
    _, body = await upload(
        emulator, "sendDocument", "slip", b"x", "a.txt", chat_id=str(phone.id), document="attach://slip"
    )
    assert body["result"]["document"]["file_name"] == "a.txt"
    assert emulator.violations == []


async def test_a_photo_has_its_size(emulator, phone):
    _, body = await upload(emulator, "sendPhoto", "photo", PNG, "a.png", chat_id=str(phone.id), has_spoiler="true")
    assert [(size["width"], size["height"]) for size in body["result"]["photo"]] == [(320, 200)]
    assert body["result"]["has_media_spoiler"] is True


async def test_refusals(emulator, bot, phone):
    where = {"chat_id": str(phone.id)}
    wide = PNG[:16] + struct.pack(">II", 9000, 100) + PNG[24:]
    for method, field, content, message in (
        ("sendPhoto", "photo", b"no picture", "IMAGE_PROCESS_FAILED"),
        ("sendPhoto", "photo", wide, "PHOTO_INVALID_DIMENSIONS"),
        ("sendDocument", "document", b"", "file must be non-empty"),
        ("sendDocument", "other", b"x", "there is no document in the request"),
    ):
        status, body = await upload(emulator, method, field, content, "a", **where)
        assert (status, body["description"]) == (400, f"Bad Request: {message}")
    sticker = (await phone.send_document("a.txt", b"x")).content["document"]["file_id"]
    assert (
        await bot.refusal("sendPhoto", **where, photo=sticker)
        == "Bad Request: can't use file of type Document as Photo"
    )
    assert (
        await bot.refusal("sendPhoto", **where, photo="nonsense")
        == "Bad Request: wrong file identifier/HTTP URL specified"
    )
    assert (
        await bot.refusal("sendPhoto", **where, photo="https://example.org/a.png")
        == "Bad Request: failed to get HTTP URL content"
    )
    assert await bot.refusal("sendPhoto", **where) == "Bad Request: there is no photo in the request"
    assert await bot.refusal("getFile", file_id="nonsense") == "Bad Request: invalid file_id"
    assert await bot.refusal("getFile") == "Bad Request: file_id not specified"


async def test_a_caption_has_at_most_1024_characters(emulator, bot, phone):
    document = (await phone.send_document("a.txt", b"x")).content["document"]["file_id"]
    where = {"chat_id": phone.id}
    assert await bot.refusal("sendDocument", **where, document=document, caption="ก" * 1025) == (
        "Bad Request: message caption is too long"
    )
    sent = await bot("sendDocument", **where, document=document, caption="ก" * 1024)
    edit = {**where, "message_id": sent["message_id"]}
    assert (
        await bot.refusal("editMessageCaption", **edit, caption="ก" * 1025)
        == "Bad Request: MEDIA_CAPTION_TOO_LONG"
    )
    assert (await bot("editMessageCaption", **edit, caption="สั้น"))["caption"] == "สั้น"
    assert "caption" not in await bot("editMessageCaption", **edit)
    assert (
        await bot.refusal("editMessageText", **edit, text="x")
        == "Bad Request: there is no text in the message to edit"
    )


async def test_a_text_becomes_a_picture(emulator, bot, phone):
    photo = (await phone.send_photo()).content["photo"][0]["file_id"]
    sent = await bot("sendMessage", chat_id=phone.id, text="x")
    edit = {"chat_id": phone.id, "message_id": sent["message_id"]}
    edited = await bot("editMessageMedia", **edit, media={"type": "photo", "media": photo, "caption": "ภาพ"})
    assert (edited["photo"][0]["file_id"], edited["caption"]) == (photo, "ภาพ")
    assert "text" not in edited
    refusal = await bot.refusal("editMessageMedia", **edit, media={"type": "photo", "media": "attach://missing"})
    assert refusal == "Bad Request: can't parse InputMedia: media not found"


async def test_20_megabytes_down_and_50_up(emulator, bot, phone):
    big = (await phone.send_document("big.bin", bytes(20 * 2**20 + 1))).content["document"]["file_id"]
    assert await bot.refusal("getFile", file_id=big) == "Bad Request: file is too big"
    fits = (await phone.send_document("fits.bin", bytes(20 * 2**20))).content["document"]["file_id"]
    assert (await bot("getFile", file_id=fits))["file_size"] == 20 * 2**20
    status, body = await upload(
        emulator, "sendDocument", "document", bytes(50 * 2**20 + 1), "big", chat_id=str(phone.id)
    )
    assert (status, body["description"]) == (413, "Request Entity Too Large")


@pytest.mark.parametrize("path", ["documents/none.pdf", "../state.py"])
async def test_what_was_never_prepared_is_not_found(emulator, path):
    assert (await download(emulator, path))[0] == 404
