"""The phones, their snapshots for the page, and what its server refuses."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest

from demo.behind import ROOT, SOURCES
from demo.botapi import Emulator
from demo.demonstration import Demonstration
from demo.feed import Feed
from demo.main import listening, running
from demo.phones import MAX_PHONES, Holder, NoSuchPhone, Phones
from demo.sample import read_units
from demo.session import PROVINCES
from models.accounts.pin import require_strong
from models.chats.conversation import Awaiting


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[tuple[Demonstration, aiohttp.ClientSession]]:
    """The page's server over a demonstration whose bot was not started, and a browser without a screen."""
    with listening(0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with running(tmp_path, listener) as demonstration, aiohttp.ClientSession(address) as browser:
            yield demonstration, browser


def phones(emulator: Emulator, folder: Path) -> Phones:
    return Phones(emulator, read_units(PROVINCES), folder / "phones.json")


async def test_an_officer_of_each_level_is_there_from_the_beginning(tmp_path: Path) -> None:
    held_phones = phones(Emulator(), tmp_path)
    assert [held.role for held in held_phones.all.values()] == ["lao", "province"]
    again = phones(Emulator(), tmp_path)
    assert [held.holder for held in again.all.values()] == [held.holder for held in held_phones.all.values()]


async def test_others_are_opened(tmp_path: Path) -> None:
    held_phones = phones(Emulator(), tmp_path)
    second = held_phones.open("5830107")
    outsider = held_phones.open("")
    assert (second.holder.number, second.role) == (2, "lao")
    assert outsider.role == "outsider"
    assert len({held.holder.given + held.holder.family for held in held_phones.all.values()}) == 4
    with pytest.raises(NoSuchPhone):
        held_phones.open("0000000")
    while len(held_phones.all) < MAX_PHONES:
        held_phones.open("")
    with pytest.raises(NoSuchPhone):
        held_phones.open("")


async def test_the_digits_of_a_pin_are_counted_by_toasts_where_no_dots_are_drawn(tmp_path: Path) -> None:
    emulator = Emulator()
    held = phones(emulator, tmp_path).find(700_000_001)
    await held.phone.start()
    row = [{"text": label, "callback_data": label} for label in "1⌫"]
    keys = orjson.dumps({"inline_keyboard": [row]}).decode()
    emulator.call("sendMessage", chat_id=held.phone.id, text="PIN ○○○○○○", reply_markup=keys)
    keypad = held.phone.last

    def entered() -> int:
        pad = held.keypad()
        assert pad is not None
        assert pad["message"] == keypad.id
        return int(pad["entered"])

    def edit(text: str) -> None:
        values = {"chat_id": held.phone.id, "message_id": keypad.id}
        emulator.call("editMessageText", text=text, reply_markup=keys, **values)

    async def toast(text: str) -> None:
        tap = await held.phone.tap("1", keypad)
        emulator.call("answerCallbackQuery", callback_query_id=tap.id, text=text)

    assert entered() == 0
    await toast("● ○ ○ ○ ○ ○")
    assert entered() == 1
    edit("PIN ●○○○○○")
    assert entered() == 1
    await toast("● ● ○ ○ ○ ○")
    edit("PIN")
    assert entered() == 2
    # The last digit, and the PIN was wrong.
    await toast("")
    edit("Wrong. PIN")
    assert entered() == 0


def keyboard(*labels: str) -> str:
    row = [{"text": label, "callback_data": f"x{label}"} for label in labels]
    return orjson.dumps({"inline_keyboard": [row]}).decode()


async def test_no_sample_is_shown_to_who_has_chosen_another_pin(tmp_path: Path) -> None:
    emulator = Emulator()
    held_phones = phones(emulator, tmp_path)
    held = held_phones.find(700_000_001)
    await held.phone.start()
    keys = keyboard(*"0123456789", "⌫")
    sent = emulator.call("sendMessage", chat_id=held.phone.id, text="PIN ○○○○○○", reply_markup=keys)

    async def enter(*labels: str) -> None:
        for label in labels:
            await held_phones.tap(held.phone.id, sent["message_id"], f"x{label}")

    # A wrong one where it is asked for changes nothing.
    await enter(*"111111")
    assert held.keypad() is not None
    held.choosing = True
    sample = held.holder.pin
    await enter("9", "⌫", *sample)
    assert held.keypad() is not None
    own = "402751" if sample != "402751" else "402715"
    await enter(*own)
    assert held.keypad() is None
    again = phones(Emulator(), tmp_path)
    assert again.find(held.phone.id).holder.has_own_pin
    await enter(*sample)
    assert held.keypad() is not None


async def test_what_has_lapsed_is_not_recommended(tmp_path: Path) -> None:
    now = 1_790_000_000.0
    emulator = Emulator(clock=lambda: now)
    held = phones(emulator, tmp_path).find(700_000_001)
    await held.phone.start()
    for text, keys in (("?", keyboard("ยืนยัน")), ("PIN ○○○○○○", keyboard(*"0123456789", "⌫"))):
        emulator.call("sendMessage", chat_id=held.phone.id, text=text, reply_markup=keys)
    snapshot = held.snapshot(emulator)
    assert snapshot["lapsed"] == []
    assert snapshot["keypad"] is not None
    now += 3600
    snapshot = held.snapshot(emulator)
    assert snapshot["lapsed"] == [message.id for message in held.phone.messages[1:]]
    assert snapshot["keypad"] is None


async def test_who_has_no_account_is_given_nothing_to_type(tmp_path: Path) -> None:
    held = phones(Emulator(), tmp_path).open("")
    held.awaiting = Awaiting.USERNAME
    assert held.suggestions() == []


async def test_every_phone_has_a_sample_pin_that_the_bot_takes(tmp_path: Path) -> None:
    units = read_units(PROVINCES)
    pins = []
    for unit in units:
        for number in (1, 2, 3):
            holder = Holder(1, "ก", "ข", unit.code, number)
            require_strong(holder.pin, unit.username)
            assert holder.pin == replace(holder, user_id=2).pin
            pins.append(holder.pin)
    assert all(len(pin) == 6 and pin.isdecimal() for pin in pins)
    assert len(set(pins)) > len(pins) * 0.99


async def test_the_page_is_told_which_digit_comes_next(tmp_path: Path) -> None:
    emulator = Emulator()
    held = next(iter(phones(emulator, tmp_path).all.values()))
    await held.phone.send("/start")

    def send(text: str, *labels: str) -> int:
        keyboard = {"inline_keyboard": [[{"text": label, "callback_data": label} for label in labels]]}
        markup = orjson.dumps(keyboard).decode()
        sent = emulator.call(
            "sendMessage", chat_id=held.phone.id, text=text, reply_markup=markup, protect_content=True
        )
        return int(sent["message_id"])

    assert held.snapshot(emulator)["keypad"] is None
    card = send("PIN ○○○○○○", *"0123456789", "⌫")
    assert held.keypad() == {"message": card, "pin": held.holder.pin, "entered": 0, "astray": False}
    # A notice below does not hide it; the newest keypad counts.
    send("🔔", "🔍")
    assert held.keypad() == {"message": card, "pin": held.holder.pin, "entered": 0, "astray": False}
    newer = send("PIN ○○○○○○", *"0123456789", "⌫")
    snapshot = held.snapshot(emulator)
    assert snapshot["keypad"] == {"message": newer, "pin": held.holder.pin, "entered": 0, "astray": False}
    assert [message["protected"] for message in snapshot["messages"]] == [False, True, True, True]


async def test_only_what_is_on_the_screen_can_be_tapped(tmp_path: Path) -> None:
    emulator = Emulator()
    held_phones = phones(emulator, tmp_path)
    held = next(iter(held_phones.all.values()))
    await held_phones.send(held.phone.id, "/start")
    keyboard = orjson.dumps({"inline_keyboard": [[{"text": "x", "callback_data": "x"}]]}).decode()
    sent = emulator.call("sendMessage", chat_id=held.phone.id, text="?", reply_markup=keyboard)
    await held_phones.tap(held.phone.id, sent["message_id"], "x")
    assert held.waiting
    for message, data in ((sent["message_id"], "forged"), (1, "x")):
        with pytest.raises(NoSuchPhone):
            await held_phones.tap(held.phone.id, message, data)
    with pytest.raises(NoSuchPhone):
        await held_phones.send(1, "x")


async def test_the_feed_tells_the_newest_of_each_topic() -> None:
    feed = Feed()
    feed.put("a", 1)
    stream = feed.watch(60)
    assert await anext(stream) == b"event: a\ndata: 1\n\n"
    feed.put("a", 2)
    feed.put("a", 3)
    feed.put("b 7", "x")
    feed.flash("toast", "!")
    assert await anext(stream) == b'event: a\ndata: 3\n\nevent: b\ndata: "x"\n\nevent: toast\ndata: "!"\n\n'
    late = feed.watch(0.01)
    assert await anext(late) == b'event: a\ndata: 3\n\nevent: b\ndata: "x"\n\n'
    assert await anext(late) == b": still here\n\n"
    feed.close()
    assert [part async for part in stream] == []
    await late.aclose()


Page = tuple[Demonstration, aiohttp.ClientSession]


async def test_the_page_needs_no_other_host(page: Page) -> None:
    _, browser = page
    async with browser.get("/") as answer:
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        html = await answer.text()
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "<style" not in html
    assert "onclick" not in html
    for file in sorted((ROOT / "demo" / "page").iterdir()):
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "http://" not in text, file
        assert "https://" not in text, file
        assert "innerHTML" not in text, file
        async with browser.get(f"/page/{file.name}") as answer:
            assert answer.status == 200
    async with browser.get("/fonts/Sarabun-Regular.ttf") as answer:
        assert answer.content_type == "font/ttf"


async def test_the_stream_begins_with_everything(page: Page) -> None:
    demonstration, browser = page
    async with browser.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        stream = b""
        while b"units" not in stream:
            stream += await answer.content.readany()
        assert b'event: stage\ndata: "preparing"' in stream
        demonstration.feed.put("stage", "ready")
        assert b'event: stage\ndata: "ready"' in await answer.content.readany()


@pytest.mark.parametrize("path", SOURCES)
async def test_the_files_that_lines_point_to_can_be_read(page: Page, path: str) -> None:
    async with page[1].get(f"/source/{path}") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert await answer.text() == (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["pyproject.toml", "../etc/passwd", "models/../pyproject.toml", "%2e%2e/x"])
async def test_no_other_file_can_be_read(page: Page, path: str) -> None:
    async with page[1].get(f"/source/{path}") as answer:
        assert answer.status == 404


async def test_another_site_cannot_press_the_buttons(page: Page) -> None:
    demonstration, browser = page
    send = f"/phones/{next(iter(demonstration.phones.all))}/send"
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        async with browser.post(send, json={"text": "x"}, headers=headers) as answer:
            assert answer.status == 403
    async with browser.post(send, data={"text": "x"}) as answer:
        assert answer.status == 415
    async with browser.post(send, json={"text": "x"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/phones/1/send", {"text": "x"}, 404),
        ("/phones/700000001/send", {"text": " "}, 400),
        ("/phones/700000001/send", {}, 400),
        ("/phones/700000001/tap", {"message": 1, "data": "x"}, 404),
        ("/phones/1/file", {"name": "a.csv", "mime": "", "content": "YQ=="}, 404),
        ("/phones/700000001/file", {"name": "", "mime": "", "content": "YQ=="}, 400),
        ("/phones/700000001/file", {"name": "a.csv", "mime": "", "content": "no base64"}, 400),
        ("/phones", {"unit": "nowhere"}, 404),
        ("/trouble/network", {"on": "yes"}, 400),
        ("/trouble/weather", {"on": True}, 400),
    ],
)
async def test_nonsense_is_refused(page: Page, path: str, body: object, status: int) -> None:
    async with page[1].post(path, json=body) as answer:
        assert answer.status == status


async def test_a_phone_sends_a_file(page: Page) -> None:
    demonstration, browser = page
    held = next(iter(demonstration.phones.all.values()))
    content = bytes(700_000)
    body = {"name": "ทะเบียน.xlsx", "mime": "", "content": b64encode(content).decode()}
    async with browser.post(f"/phones/{held.phone.id}/file", json=body) as answer:
        assert answer.status == 200
    document = held.phone.messages[-1].content["document"]
    assert (document["file_name"], document["file_size"]) == ("ทะเบียน.xlsx", 700_000)
    assert demonstration.session.emulator.world.files[document["file_id"]].content == content
    assert held.waiting


async def test_files_are_opened_in_place_only_when_they_are_harmless(page: Page) -> None:
    demonstration, browser = page
    world = demonstration.session.emulator.world
    picture = world.store_file("photo", "ก.png", "image/png", b"png")
    html = world.store_file("document", "x.html", "text/html", b"<script>")
    async with browser.get(f"/files/{picture.id}") as answer:
        assert (answer.content_type, await answer.read()) == ("image/png", b"png")
        assert answer.headers["Content-Disposition"].startswith("inline")
    async with browser.get(f"/files/{html.id}") as answer:
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    async with browser.get("/files/none") as answer:
        assert answer.status == 404
