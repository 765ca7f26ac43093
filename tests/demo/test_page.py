"""The page's phones in use: layout, scrolling, suggestions, and the keyboard."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from demo.demonstration import Demonstration
from demo.phones import Held
from tests.demo.browser import AGAIN, CHOOSE, NARROW, WIDE, Thumb, find_chromium, look

pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
]

LINES = "\n".join(f"บรรทัดที่ {number}" for number in range(1, 41))
# Whether the lower end of what a message shows is what a thumb would touch there.
UNCOVERED = """(message) => {
    const box = message.getBoundingClientRect(), x = box.left + box.width / 2;
    return message.contains(document.elementFromPoint(x, box.bottom - 3));
}"""
TAB_STOPS = "(all) => all.filter((node) => node.tabIndex >= 0 && node.checkVisibility()).length"


class Chat:
    """The first organization's phone, and the bot's side of its chat without the bot."""

    def __init__(self, thumb: Thumb, demonstration: Demonstration) -> None:
        self.thumb, self.page = thumb, thumb.page
        self.emulator = demonstration.session.emulator
        self.held: Held = next(
            held_phone for held_phone in demonstration.phones.all.values() if held_phone.role == "lao"
        )
        self.messages = self.phone.locator(".messages")

    @property
    def phone(self) -> Locator:
        return self.thumb.phone("lao")

    async def begin(self) -> None:
        if self.page.viewport_size == NARROW:
            await self.thumb.look_at("lao")
        await self.thumb.next("lao", "เข้าสู่ระบบ")

    async def says(self, text: str, *buttons: dict[str, Any]) -> int:
        """A new message, and its id."""
        sent = self.emulator.call("sendMessage", chat_id=self.held.phone.id, text=text, reply_markup=rows(buttons))
        message = int(sent["message_id"])
        await expect(self.message(message)).to_be_attached()
        return message

    async def edits(self, message: int, text: str, *buttons: dict[str, Any]) -> None:
        where = {"chat_id": self.held.phone.id, "message_id": message}
        self.emulator.call("editMessageText", text=text, reply_markup=rows(buttons), **where)
        await expect(self.message(message).locator(".text")).to_have_text(text)

    def message(self, message: int) -> Locator:
        return self.phone.locator(f"article[data-message='{message}']:not(.gone)")

    async def scroll(self, top: int) -> None:
        await self.messages.evaluate("(box, top) => { box.scrollTop = top; }", top)

    async def top(self) -> float:
        return float(await self.messages.evaluate("(box) => box.scrollTop"))

    async def is_low(self) -> bool:
        left = await self.messages.evaluate("(box) => box.scrollHeight - box.clientHeight - box.scrollTop")
        return abs(float(left)) <= 1


def rows(buttons: Iterable[dict[str, Any]]) -> str:
    return json.dumps({"inline_keyboard": [[button] for button in buttons]})


def key(label: str, data: str = "x", **more: str) -> dict[str, Any]:
    return {"text": label, "callback_data": data, **more}


@pytest.fixture
def chat(thumb: Thumb, demonstration: tuple[Demonstration, str]) -> Chat:
    return Chat(thumb, demonstration[0])


async def test_an_edit_does_not_move_the_view_of_who_has_scrolled(chat: Chat) -> None:
    await chat.begin()
    first = await chat.says(LINES, key("ก"))
    card = await chat.says(LINES, key("ก"), key("ข"))
    # In the middle, for a message with other keys and for a longer one; and for what is above the screen.
    for place, text in ((900, f"{LINES}\nอื่น"), (1100, f"{LINES}\n{LINES}")):
        await chat.scroll(place)
        top, box = await chat.top(), await chat.message(card).bounding_box()
        await chat.edits(card, text, key("ค"))
        assert await chat.top() == top
        after = await chat.message(card).bounding_box()
        assert box is not None
        assert after is not None
        assert after["y"] == pytest.approx(box["y"], abs=1)
    await chat.scroll(1600)
    box = await chat.message(card).bounding_box()
    await chat.edits(first, f"{LINES}\nยาวขึ้น\nยาวขึ้น", key("ก"))
    after = await chat.message(card).bounding_box()
    assert box is not None
    assert after is not None
    assert after["y"] == pytest.approx(box["y"], abs=1)


async def test_at_the_end_of_a_chat_the_last_keys_stay_in_sight(chat: Chat) -> None:
    await chat.begin()
    card = await chat.says(LINES, key("ก"))
    for text in (f"{LINES}\n{LINES}", "สั้น", LINES):
        await chat.edits(card, text, key("ยืนยัน"), key("ยกเลิก", "y"))
        assert await chat.is_low()
        await expect(chat.phone.locator(".key", has_text="ยกเลิก")).to_be_in_viewport(ratio=1)
    await expect(chat.phone.locator(".down")).to_be_hidden()


async def test_a_tap_leaves_the_view_where_it_was(chat: Chat) -> None:
    await chat.begin()
    card = await chat.says(LINES, *(key(f"หน้า {number}", f"p{number}") for number in range(3)))
    await chat.scroll(300)
    for number in range(3):
        await chat.edits(card, f"หน้า {number}\n{LINES}", key("ต่อไป"), key("ย้อนกลับ", "y"))
        assert await chat.top() == 300


async def test_a_new_message_is_shown_to_who_was_at_the_bottom(chat: Chat) -> None:
    await chat.begin()
    await chat.says(LINES)
    await chat.says("ใหม่")
    assert await chat.is_low()
    down = chat.phone.locator(".down")
    await expect(down).to_be_hidden()
    await chat.scroll(200)
    await chat.says("ใหม่กว่า")
    await chat.says("ใหม่ที่สุด")
    assert await chat.top() == 200
    await expect(down).to_contain_text("2")
    await look(chat.page)
    await down.click()
    assert await chat.is_low()
    await expect(down).to_be_hidden()
    # Who types wants to see what comes of it.
    await chat.scroll(200)
    await chat.phone.locator("input[type=text]").fill("/menu")
    await chat.phone.locator("input[type=text]").press("Enter")
    await expect(chat.phone.locator("article.from-me", has_text="/menu")).to_have_count(1)
    await expect(chat.phone.locator(".typing")).to_be_hidden()
    assert await chat.is_low()


async def test_a_chat_is_where_it_was_left(chat: Chat) -> None:
    await chat.begin()
    await chat.says(LINES)
    await chat.scroll(250)
    await chat.thumb.look_at("province")
    await chat.says("ใหม่")
    await chat.thumb.look_at("lao")
    assert await chat.top() == 250
    await chat.phone.locator(".down").click()
    await chat.thumb.look_at("province")
    await chat.says("ใหม่กว่า")
    await chat.thumb.look_at("lao")
    assert await chat.is_low()


async def test_labels_are_cut_with_an_ellipsis_on_one_line(chat: Chat) -> None:
    await chat.begin()
    card = await chat.says("?", key("สั้น"), key("ประวัติการรับรองข้อมูลขององค์กรปกครองส่วนท้องถิ่นทุกแห่ง"))
    short, long = (chat.message(card).locator(".label").nth(place) for place in (0, 1))
    sizes = [
        await label.evaluate("(one) => [one.clientHeight, one.scrollWidth - one.clientWidth]")
        for label in (short, long)
    ]
    assert sizes[0][0] == sizes[1][0]
    assert sizes[0][1] == 0
    assert sizes[1][1] > 0
    assert await long.evaluate("(one) => getComputedStyle(one).textOverflow") == "ellipsis"


async def test_a_button_copies_and_says_so(chat: Chat) -> None:
    await chat.begin()
    card = await chat.says("?", {"text": "คัดลอกรหัส", "copy_text": {"text": "RCJ41-ZX1TV"}, "style": "primary"})
    button = chat.message(card).get_by_role("button", name="คัดลอกรหัส")
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await button.click()
    await expect(chat.phone.locator(".toast")).to_have_text("คัดลอกแล้ว")
    await expect(chat.page.locator("#announcer")).to_have_text("คัดลอกแล้ว")
    assert await chat.page.evaluate("navigator.clipboard.readText()") == "RCJ41-ZX1TV"
    await look(chat.page)
    # Where the browser refuses, the text stands there to be taken by hand.
    await chat.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    await button.click()
    await expect(chat.phone.locator(".toast.alert")).to_contain_text("โปรดคัดลอกเอง: RCJ41-ZX1TV")
    await chat.page.get_by_role("button", name="ตกลง").click()
    # Nothing leads on from it.
    await expect(chat.phone.locator(".next")).to_have_count(0)


async def test_suggestions_are_switched_off_for_the_whole_page(chat: Chat) -> None:
    page, switch = chat.page, chat.page.get_by_role("switch", name="แสดงคำแนะนำ")
    await chat.begin()
    await chat.thumb.next("lao", "ชื่อผู้ใช้")
    await expect(chat.phone.locator(".chip")).to_have_text(f"แตะเพื่อพิมพ์ชื่อผู้ใช้lao{chat.held.holder.unit}")
    await expect(chat.phone.locator(".screen .chip, .screen .tray")).to_have_count(0)
    await page.locator("#strip").click()
    await expect(switch).to_be_checked()
    await switch.click()
    for _ in range(2):
        await expect(page.locator(".next")).to_have_count(0)
        assert not [tray for tray in await page.locator(".tray").all() if await tray.is_visible()]
        await page.reload()
        await chat.thumb.look_at("lao")
        await expect(chat.phone.locator(".key")).to_be_visible()
    await page.locator("#strip").click()
    await expect(switch).not_to_be_checked()
    await look(page)
    await switch.click()
    await page.locator("#strip").click()
    await expect(chat.phone.locator(".chip.next")).to_be_visible()


async def test_nothing_is_recommended_that_may_be_wrong(
    chat: Chat, demonstration: tuple[Demonstration, str]
) -> None:
    await chat.begin()
    following, word = chat.phone.locator(".next"), chat.phone.locator(".word")
    correct = key("✅ ถูกต้อง", "sm:1:1:1:correct", style="success")
    for text, expected_words in (
        ("✅ มี (2)\nผล: ยังไม่ได้ตรวจ", None),
        ("⚠️ ยังไม่บันทึก (1)\nการศึกษา\nผล: ยังไม่ได้ตรวจ", "มีเมนูที่ยังไม่บันทึก"),
        ("✅ มี (2)\nผล: ❌ ไม่ถูกต้อง", "เลือกได้ตามต้องการ"),
    ):
        await chat.says(text, correct, key("❌ ไม่ถูกต้อง", "sm:1:1:1:incorrect", style="danger"))
        await expect(word).to_contain_text(expected_words or "กรอบเส้นประ")
        await expect(following).to_have_count(0 if expected_words else 1)
        await look(chat.page)
    await chat.says("?", key("ยืนยันการรับรอง", "confirm:0", style="danger"))
    await expect(following).to_have_text("ยืนยันการรับรอง")
    demonstration[0].jump("hour")
    await expect(word).to_contain_text("หมดเวลาแล้ว")
    await expect(following).to_have_count(0)


async def test_who_chooses_another_pin_than_the_sample_is_left_to_it(chat: Chat) -> None:
    await chat.begin()
    for expected in ("ชื่อผู้ใช้", "รหัสผ่าน", "ชื่อ-สกุล", "ตำแหน่ง", CHOOSE):
        await chat.thumb.next("lao", expected)
    sample = chat.held.holder.pin
    own = next(pin for pin in ("402751", "502741") if pin[0] != sample[0])
    keypad = chat.phone.locator("article:not(.gone)").last
    for expected in (AGAIN, "ปีงบประมาณ"):
        for entered, digit in enumerate(own, 1):
            await keypad.locator(".key", has_text=digit).click()
            if entered < len(own):
                await expect(keypad).to_contain_text("●" * entered + "○" * (6 - entered))
            if entered == 1 and expected == AGAIN:
                # The other way is back.
                await expect(chat.phone.locator(".next")).to_have_text("⌫")
        await chat.thumb.sees("lao", expected)
        if expected == AGAIN:
            await expect(chat.phone.locator(".word")).to_have_text("โปรดใส่ PIN ที่ท่านเลือกเอง")
            await expect(chat.phone.locator(".pin")).to_be_hidden()
            await expect(chat.phone.locator(".next")).to_have_count(0)


async def test_one_toast_takes_the_place_of_the_last(chat: Chat, demonstration: tuple[Demonstration, str]) -> None:
    await chat.begin()
    for text in ("หนึ่ง", "สอง"):
        toast = {"phone": chat.held.phone.id, "text": text, "alert": False}
        demonstration[0].feed.flash("toast", toast)
        await expect(chat.phone.locator(".toast")).to_have_text(text)


async def test_what_is_recommended_outside_of_the_screen_is_told(chat: Chat) -> None:
    await chat.begin()
    await chat.says(LINES, key("ต่อไป", style="primary"))
    word = chat.phone.locator(".word")
    await expect(word).to_contain_text("กรอบเส้นประ")
    await chat.scroll(0)
    await expect(word).to_contain_text("โปรดเลื่อนลง")


async def test_nothing_covers_the_end_of_a_message(chat: Chat) -> None:
    await chat.begin()
    last = chat.phone.locator("article:not(.gone)").last
    for expected in ("ชื่อผู้ใช้", "รหัสผ่าน", "ชื่อ-สกุล", "ตำแหน่ง", CHOOSE):
        await chat.thumb.next("lao", expected)
        await expect(chat.phone.locator(".chip, .pin .now").first).to_be_visible()
        assert await chat.is_low()
        assert await last.evaluate(UNCOVERED)
    # Nor when the room gets less: a keyboard on the screen, a page that is turned.
    await chat.page.set_viewport_size({"width": 360, "height": 480})
    await expect(last).to_be_in_viewport()
    assert await last.evaluate(UNCOVERED)
    assert await chat.is_low()


async def test_a_search_without_a_hit_says_so(thumb: Thumb) -> None:
    page = thumb.page
    await page.locator("#open-dialog").click()
    await page.locator("#find").fill("กรุงเก่า")
    await expect(page.locator("#none")).to_contain_text("ไม่พบเครื่องที่ตรงกับ “กรุงเก่า”")
    await expect(page.locator("#units button")).to_have_count(0)
    await look(page)
    await page.locator("#find").fill("กะรน")
    await expect(page.locator("#none")).to_be_hidden()
    await expect(page.locator("#units button").first).to_be_visible()


@pytest.mark.parametrize("thumb", [WIDE], ids=["wide"], indirect=True)
async def test_twenty_phones_are_one_tab_stop_each(chat: Chat, demonstration: tuple[Demonstration, str]) -> None:
    page = chat.page
    await chat.begin()
    for code in list(demonstration[0].phones.units)[:18]:
        demonstration[0].open_phone(code)
    people = page.locator(".person")
    await expect(people).to_have_count(20)
    assert await page.locator(".people *").evaluate_all(TAB_STOPS) == 1
    await page.locator(".person[tabindex='0']").focus()
    await page.keyboard.press("End")
    await expect(people.last).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(people.nth(18)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(people.nth(18)).to_have_attribute("aria-pressed", "true")
    others = page.locator(".phone:not(.active):visible")
    assert await others.count() >= 1
    for other in await others.all():
        assert await other.locator("*").evaluate_all(TAB_STOPS) == 1
    await look(page)
    # Enter leads into a phone, which is the one in use from then on.
    await others.first.locator(".messages").focus()
    inner = str(await others.first.get_attribute("aria-label"))
    await page.keyboard.press("Enter")
    used = page.locator(".phone.active")
    await expect(used).to_have_attribute("aria-label", inner)
    assert await is_inside(page, used)


async def is_inside(page: Page, phone: Locator) -> bool:
    return bool(await phone.evaluate("(one) => one.contains(document.activeElement)"))


async def test_only_the_newest_keyboard_is_a_tab_stop(chat: Chat) -> None:
    page = chat.page
    await chat.begin()
    sheet = chat.emulator.world.store_file("document", "รายชื่อ.xlsx", "application/vnd.ms-excel", b"x")
    chat.emulator.call("sendDocument", chat_id=chat.held.phone.id, document=sheet.id)
    await expect(chat.phone.locator(".file")).to_be_visible()
    card = await chat.says("?", key("ก"), key("ข", "y"))
    stops = chat.messages.locator("button, a")
    assert await stops.evaluate_all(TAB_STOPS) == 2
    await chat.messages.focus()
    await page.keyboard.press("Tab")
    await expect(chat.message(card).locator(".key").first).to_be_focused()
    # What is older is reached by the arrows.
    await page.keyboard.press("ArrowUp")
    await expect(chat.phone.locator(".file")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(chat.phone.get_by_role("button", name="เมนูคำสั่ง")).to_be_focused()
    # A file below the keyboard is new.
    chat.emulator.call("sendDocument", chat_id=chat.held.phone.id, document=sheet.id)
    await expect(chat.phone.locator(".file")).to_have_count(2)
    assert await stops.evaluate_all(TAB_STOPS) == 3
