"""The whole job in a real browser, as a newcomer does it, on a wide and on a narrow screen."""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, FileChooser, Page, expect

from demo.demonstration import Demonstration
from tests.demo.browser import ENTER, NARROW, WIDE, Thumb, demonstrated, find_chromium, look, opened
from tests.support import link

# They share a browser, which lives in their loop; each has windows with memories of their own.
pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.mark.parametrize("thumb", [WIDE, NARROW], ids=["wide", "narrow"], indirect=True)
async def test_the_whole_job_by_tapping_what_stands_out(thumb: Thumb) -> None:
    page = thumb.page
    narrow = page.viewport_size is not None and page.viewport_size["width"] < 700

    async def fits(role: str) -> None:
        if narrow:
            await thumb.fits(role)
            await thumb.shows_all(role)

    if narrow:
        await thumb.look_at("lao")
    await look(page)
    await thumb.log_in("lao")
    await look(page)
    if narrow:
        await thumb.look_at("province")
    await thumb.log_in("province")
    await expect(thumb.phone("province").locator(".next")).to_have_count(0)

    if narrow:
        await thumb.look_at("lao")
    # The procedure's way; the shorter one stands out at home.
    await thumb.tap("lao", "ระบบรับรองข้อมูล", "อปท. รับรอง")
    await thumb.next("lao", "สถานะการรับรองข้อมูล")
    await thumb.next("lao", "ข้อมูล ณ วันที่")
    await look(page)
    await fits("lao")
    await thumb.next("lao", "จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก")
    await look(page)
    await fits("lao")
    await thumb.next("lao", ENTER)
    await look(page)
    await fits("lao")
    await thumb.enter_pin("lao", "หลักฐานการรับรอง")
    await fits("lao")
    await expect(thumb.phone("lao")).to_contain_text("ประวัติการรับรองข้อมูล")

    ringing = page.locator(".phone.ringing[data-role=province]")
    await expect(ringing).to_have_count(1)
    badge = page.locator(".person.province .badge" if narrow else ".phone[data-role=province] .caption .badge")
    await expect(badge).to_have_text("1 ยังไม่อ่าน" if narrow else "1")
    await expect(page.locator("#announcer")).to_contain_text("เครื่องของ")
    await look(page)
    if narrow:
        await thumb.look_at("province")
    await thumb.sees("province", "🔔 รอท่าน 1 ")
    await thumb.next("province", "ข้อมูล ณ วันที่")
    await fits("province")
    await expect(badge).to_have_count(0) if narrow else await expect(badge).to_be_hidden()
    await look(page)
    await thumb.next("province", "สุ่มตรวจสอบ 1/3")
    await look(page)
    for expected in ("สุ่มตรวจสอบ 2/3", "สุ่มตรวจสอบ 3/3", "สรุปผลสุ่มตรวจสอบ"):
        await thumb.find_correct("province", expected)
    await look(page)
    await fits("province")
    await thumb.next("province", "ยกเลิกไม่ได้")
    await fits("province")
    await thumb.next("province", ENTER)
    await fits("province")
    await thumb.enter_pin("province", "หลักฐานการรับรอง")
    await fits("province")
    await expect(thumb.phone("province")).to_contain_text("สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")

    if narrow:
        await thumb.look_at("lao")
        await page.locator("#strip").click()
    await thumb.sees("lao", "จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว")
    await expect(page.locator("#steps .done")).to_have_count(5)
    await expect(page.locator("#lines")).to_contain_text("ส่งผลสุ่มตรวจสอบ")
    await expect(page.locator("#lines")).to_contain_text("จังหวัดรับรอง")
    await look(page)


async def test_what_is_not_correct_is_asked_to_be_opened(thumb: Thumb) -> None:
    """A record that is not as the paper says: the note is typed, the operator is asked, the LAO is told."""
    await thumb.look_at("province")
    await thumb.log_in("province")
    await thumb.look_at("lao")
    await thumb.log_in("lao")
    for expected in ("ข้อมูล ณ วันที่", "เพิ่มเติมได้อีก", ENTER):
        await thumb.next("lao", expected)
    await thumb.enter_pin("lao", "หลักฐานการรับรอง")
    await thumb.look_at("province")
    await thumb.sees("province", "🔔 รอท่าน 1 ")
    await thumb.next("province", "ข้อมูล ณ วันที่")
    await thumb.next("province", "สุ่มตรวจสอบ 1/3")
    await thumb.tap("province", "❌ ไม่ถูกต้อง", "พิมพ์สิ่งที่ไม่ถูกต้อง")
    await look(thumb.page)
    # The note that is offered to be typed.
    await thumb.next("province", "สุ่มตรวจสอบ 2/3")
    await thumb.find_correct("province", "สุ่มตรวจสอบ 3/3")
    await thumb.find_correct("province", "จะรับรองครั้งนี้ไม่ได้")
    await look(thumb.page)
    await thumb.next("province", "ยืนยันส่งผลสุ่มตรวจสอบหรือไม่")
    # Red, and not to be tapped by the way.
    await expect(thumb.phone("province").locator(".next")).to_have_count(0)
    await thumb.tap("province", "ส่งผลสุ่มตรวจสอบ", ENTER)
    await look(thumb.page)
    await thumb.enter_pin("province", "ส่งคำขอเปิดให้แก้ไขถึงผู้ดูแลระบบแล้ว")
    await look(thumb.page)
    await thumb.look_at("lao")
    await thumb.sees("lao", "จังหวัดขอเปิดให้แก้ไขข้อมูลที่รับรองแล้ว")
    await thumb.page.locator("#strip").click()
    await expect(thumb.page.locator("#lines")).to_contain_text("มีที่ไม่ถูกต้อง รับรองไม่ได้")


async def test_phones_are_opened_and_speak_english(thumb: Thumb) -> None:
    page = thumb.page
    await page.locator("#language").click()
    await page.locator("#open-dialog").click()
    await look(page)
    await page.locator("#find").fill("กะรน")
    await page.locator("#units button", has_text="เทศบาลตำบลกะรน").click()
    await expect(page.locator(".phone.active")).to_contain_text("เทศบาลตำบลกะรน")
    await page.locator("#open-dialog").click()
    await page.locator("#find").fill("")
    await page.locator("#units button", has_text="Outsider").click()
    await expect(page.locator(".phone.active")).to_have_attribute("data-role", "outsider")
    for expected in ("เข้าสู่ระบบ", "ชื่อผู้ใช้"):
        await thumb.next("outsider", expected)
    # All that could be suggested would be refused.
    await expect(page.locator(".phone.active .word")).to_contain_text("No account on this phone")
    await expect(page.locator(".phone.active").locator(".next, .chip")).to_have_count(0)
    await look(page)


@pytest.mark.parametrize("thumb", [WIDE], ids=["wide"], indirect=True)
async def test_by_keyboard_alone(thumb: Thumb) -> None:
    page = thumb.page
    phone = page.locator(".phone.active")
    await phone.locator(".start").focus()
    await page.keyboard.press("Enter")
    key = phone.locator(".key", has_text="เข้าสู่ระบบ")
    await key.focus()
    await page.keyboard.press("Enter")
    # The keyboard under the message was replaced; the next Tab is on the new one.
    await expect(phone.locator(".text", has_text="ชื่อผู้ใช้").last).to_be_visible()
    await expect(phone.locator("article:focus")).to_have_count(1)
    await page.keyboard.press("Tab")
    await expect(phone.locator(".key:focus")).to_have_text("ยกเลิก")
    await phone.locator("[aria-controls]").focus()
    await page.keyboard.press("Enter")
    await expect(phone.locator(".menu button:focus")).to_contain_text("/menu")
    await page.keyboard.press("Escape")
    await expect(phone.locator(".menu")).to_be_hidden()
    await phone.locator("input[type=text]").focus()
    await page.keyboard.type("nobody.here")
    await page.keyboard.press("Enter")
    await expect(phone.locator("article.from-bot").last).to_contain_text("รหัสผ่าน")


@pytest.mark.parametrize("thumb", [WIDE, NARROW], ids=["wide", "narrow"], indirect=True)
async def test_a_keypad_keeps_its_keys_under_the_thumb(
    thumb: Thumb, demonstration: tuple[Demonstration, str]
) -> None:
    page, phone = thumb.page, thumb.phone("lao")
    pin = next(held.holder.pin for held in demonstration[0].phones.all.values() if held.role == "lao")
    if page.viewport_size == NARROW:
        await thumb.look_at("lao")
    await thumb.to_keypad("lao")
    await expect(phone.locator(".pin")).to_have_text(f"PIN ตัวอย่าง {pin}")
    await expect(phone.locator(".key.next")).to_have_text(pin[0])
    key = phone.locator("article").last.locator(".key", has_text=re.compile("^8$"))
    await key.focus()
    before = await key.bounding_box()
    for entered in (1, 2):
        await page.keyboard.press("Enter")
        await expect(phone.locator("article").last).to_contain_text("●" * entered + "○" * (6 - entered))
        # By keyboard one stays where one was, and for a thumb nothing has moved.
        await expect(phone.locator(".key:focus")).to_have_text("8")
        assert await key.bounding_box() == pytest.approx(before, abs=2)
    await expect(phone.locator(".pin .now")).to_have_text(pin[2])
    # Other digits than the sample's: they can be taken back.
    await expect(phone.locator(".key.next")).to_have_text(pin[2] if pin.startswith("88") else "⌫")
    await expect(phone.locator("article").last.locator(".protected")).to_contain_text("ส่งต่อและคัดลอกไม่ได้")
    await expect(phone.locator("article.from-me .protected")).to_have_count(0)
    await page.locator("#language").click()
    await expect(phone.locator(".pin")).to_have_text(f"Sample PIN {pin}")
    await look(page)
    # The same three in a row on every screen.
    tops = [
        await phone.locator(".key", has_text=re.compile(f"^{digit}$")).bounding_box() for digit in range(1, 10)
    ]
    assert len({box["y"] for box in tops if box}) == 3


async def test_work_is_handed_over_by_the_link_in_a_chat(thumb: Thumb) -> None:
    page, phone = thumb.page, thumb.phone("lao")
    await thumb.look_at("lao")
    await thumb.log_in("lao")
    await thumb.tap("lao", "เจ้าหน้าที่ที่เชื่อมต่อ", "แชตนี้")
    await thumb.tap("lao", "ส่งมอบงาน", "ผู้รับมอบ")
    await thumb.tap("lao", "ออกลิงก์ให้ผู้รับมอบงาน", ENTER)
    await thumb.enter_pin("lao", "ผู้รับมอบ")
    link = phone.locator(".text a")
    await expect(phone.locator("article", has=link).locator(".protected")).to_have_count(0)
    # Passed on to the successor, who pastes it into its own chat, which the bot answers, and taps it all the same.
    url = await link.inner_text()
    await page.locator("#open-dialog").click()
    await page.locator("#units button", has_text=await unit(page)).first.click()
    successor = page.locator(".phone.active")
    await expect(successor.locator(".start")).to_be_visible()
    await successor.locator(".start").click()
    await expect(successor.locator("article.from-bot")).to_contain_text("เข้าสู่ระบบ")
    await successor.locator("input[type=text]").fill(url)
    await successor.locator("input[type=text]").press("Enter")
    question = successor.locator("article.from-bot:not(.gone)", has_text="ท่านต้องการเชื่อมต่อแชตนี้หรือไม่")
    await expect(question).to_have_count(1)
    pasted = str(await question.get_attribute("data-message"))
    await successor.locator("article.from-me .text a").click()
    # A new card takes the place of the first one, whose button leads nowhere any more.
    first = successor.locator(f"article.from-bot:not(.gone)[data-message='{pasted}']")
    await expect(first).to_have_count(0)
    await expect(question).to_have_count(1)
    await successor.locator(".next").click()
    await expect(successor.locator("article.from-bot").last).to_contain_text("ชื่อ-สกุล")
    await page.locator("#strip").click()
    await expect(page.locator("#lines")).to_contain_text("คำเชิญใช้ได้")
    await expect(page.locator("#lines")).to_contain_text("เลิกผูกแชต")


async def unit(page: Page) -> str:
    return await page.locator(".person.lao .person-name").first.inner_text()


async def test_no_red_button_but_the_confirmation_stands_out(
    thumb: Thumb, demonstration: tuple[Demonstration, str]
) -> None:
    """What ends somebody's link is not to be tapped by the way."""
    emulator = demonstration[0].session.emulator
    held = next(held for held in demonstration[0].phones.all.values() if held.role == "lao")
    await thumb.look_at("lao")
    await thumb.next("lao", "เข้าสู่ระบบ")
    for data, count in (("notours:7", 0), ("confirm:0", 1)):
        button = {"text": data, "callback_data": data, "style": "danger"}
        markup = json.dumps({"inline_keyboard": [[button]]})
        emulator.call("sendMessage", chat_id=held.phone.id, text="?", reply_markup=markup)
        await expect(thumb.phone("lao").locator(".key.danger", has_text=data)).to_be_visible()
        await expect(thumb.phone("lao").locator(".next")).to_have_count(count)


async def test_pictures_files_and_alerts(thumb: Thumb, demonstration: tuple[Demonstration, str]) -> None:
    page, demo = thumb.page, demonstration[0]
    emulator = demo.session.emulator
    await thumb.look_at("lao")
    await thumb.next("lao", "เข้าสู่ระบบ")
    held = next(held for held in demo.phones.all.values() if held.role == "lao")
    icon = Path(__file__).parent / "dot.png"
    picture = emulator.world.store_file("photo", "a.png", "image/png", icon.read_bytes())
    sheet = emulator.world.store_file("document", "รายชื่อ.xlsx", "application/vnd.ms-excel", b"x")
    emulator.call("sendPhoto", chat_id=held.phone.id, photo=picture.id, caption="ใบรับรอง")
    await page.locator(".picture").click()
    await expect(page.locator("#viewer img")).to_be_visible()
    await look(page)
    await page.locator("#viewer .close").click()
    emulator.call("sendDocument", chat_id=held.phone.id, document=sheet.id)
    await page.locator(".file").click()
    await expect(page.locator("#viewer a")).to_have_attribute("download", "รายชื่อ.xlsx")
    await page.keyboard.press("Escape")
    demo.feed.flash("toast", {"phone": held.phone.id, "text": "หมดเวลา", "alert": True})
    await page.get_by_role("button", name="ตกลง").click()
    await expect(page.locator(".toast")).to_have_count(0)


async def test_a_register_is_sent_and_taken_as_a_file(
    thumb: Thumb, demonstration: tuple[Demonstration, str], tmp_path: Path
) -> None:
    page, demo = thumb.page, demonstration[0]
    held = next(held for held in demo.phones.all.values() if held.role == "lao")
    assert held.unit is not None
    # From the beginning: Chromium is told late of who waits for a chooser.
    chooser: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()

    def noted(file_chooser: FileChooser) -> None:
        chooser.set_result(file_chooser)

    page.once("filechooser", noted)
    await thumb.look_at("lao")
    phone = thumb.phone("lao")
    await phone.locator(".start").click()
    await expect(phone.locator(".key", has_text="เข้าสู่ระบบ")).to_be_visible()
    async with demo.session.database.write() as session:
        await link(session, held.unit.username, held.phone.id, datetime.now(UTC))
    file = tmp_path / "register.csv"
    header = "organization,record_no,full_name,category,position,level"
    file.write_text(f"{header}\n{held.unit.code},1,สมมุติ ทดสอบ,official,ปลัด,กลาง\n", encoding="utf-8")
    # By keyboard: from the text's field to the button beside it.
    await phone.locator(".composer input").focus()
    await page.keyboard.press("Tab")
    await expect(phone.get_by_role("button", name="แนบไฟล์")).to_be_focused()
    await page.keyboard.press("Enter")
    await (await chooser).set_files(file)
    await expect(phone.locator(".from-me .file")).to_contain_text("register.csv")
    await expect(phone.locator(".key", has_text="บันทึกทะเบียน")).to_be_visible()
    await look(page)
    await phone.locator(".key", has_text="ยกเลิก").click()
    await phone.locator(".key", has_text="ขอแบบฟอร์มที่มีข้อมูลปัจจุบัน").click()
    await phone.locator(".from-bot .file").click()
    async with page.expect_download() as loading:
        await page.get_by_role("link", name="ดาวน์โหลด").click()
    loaded = await loading.value
    assert loaded.suggested_filename == f"register-{held.unit.code}.xlsx"
    await page.keyboard.press("Escape")


async def test_trouble_loses_nothing(thumb: Thumb) -> None:
    page = thumb.page
    strip, network, bot = (
        page.locator(which) for which in ("#strip", "[data-switch=network]", "[data-switch=bot]")
    )
    await thumb.look_at("lao")
    await strip.click()
    await network.click()
    await expect(network).to_have_attribute("aria-pressed", "true")
    await bot.click()
    await expect(bot).to_have_attribute("aria-pressed", "true")
    await look(page)
    await strip.click()
    await thumb.phone("lao").locator(".start").click()
    await expect(thumb.phone("lao").locator(".typing")).to_contain_text("รอบอตรับ")
    await strip.click()
    await network.click()
    await bot.click()
    await expect(bot).to_have_attribute("aria-pressed", "false")
    await thumb.sees("lao", "เข้าสู่ระบบ")


async def test_a_press_is_not_lost_when_the_page_is_drawn_anew_under_it(thumb: Thumb) -> None:
    page = thumb.page
    network, bot = page.locator("[data-switch=network]"), page.locator("[data-switch=bot]")
    await thumb.look_at("lao")
    await page.locator("#strip").click()
    await network.click()
    await expect(network).to_have_attribute("aria-pressed", "true")
    await bot.hover()
    await page.mouse.down()
    # What is sent now waits at Telegram, which the page shows beside the switches.
    phone = await page.locator(".person.lao").first.get_attribute("data-person")
    await page.evaluate(
        """phone => fetch(`/phones/${phone}/send`, {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({text: "/start"}),
        })""",
        phone,
    )
    await expect(page.locator("#counters .busy")).to_have_count(1)
    await page.mouse.up()
    await expect(bot).to_have_attribute("aria-pressed", "true")
    await bot.click()
    await expect(bot).to_have_attribute("aria-pressed", "false")
    await network.click()
    await thumb.sees("lao", "เข้าสู่ระบบ")


@pytest.mark.parametrize("thumb", [WIDE], ids=["wide"], indirect=True)
async def test_the_clock_is_moved_by_keyboard(thumb: Thumb, demonstration: tuple[Demonstration, str]) -> None:
    page = thumb.page
    clock_text, last, one_before = (
        page.locator(which) for which in ("#clock", "[data-jump=closing-0]", "[data-jump=closing-1]")
    )
    await thumb.next("lao", "เข้าสู่ระบบ")
    await last.focus()
    await page.keyboard.press("Enter")
    await expect(clock_text).to_contain_text(re.compile(r"\b25\d\d · 09:0\d"))
    await expect(page.locator("#announcer")).to_contain_text("เวลาของการสาธิต")
    # What has passed keeps the focus, and leads nowhere.
    await expect(last).to_be_focused()
    await expect(last).to_have_attribute("aria-disabled", "true")
    await expect(one_before).to_have_attribute("aria-disabled", "true")
    ahead = demonstration[0].session.clock.ahead
    await one_before.click(force=True)
    await phone_says(thumb, "/menu")
    await expect(thumb.phone("lao").locator(".day")).to_have_count(1)
    assert demonstration[0].session.clock.ahead == ahead
    await look(page)
    await page.locator("#language").click()
    await expect(clock_text).to_contain_text("BE")
    await look(page)


async def phone_says(thumb: Thumb, text: str) -> None:
    field = thumb.phone("lao").locator(".composer input[type=text]")
    await field.fill(text)
    await field.press("Enter")


async def test_the_page_goes_on_with_a_demonstration_that_is_started_again(
    browser: Browser, sample_folder: Path
) -> None:
    async with demonstrated(sample_folder) as (_, address):
        context = opened(browser, address, NARROW, reduced_motion="reduce")
        thumb = await context.__aenter__()
        await thumb.look_at("lao")
        await thumb.log_in("lao")
    await expect(thumb.page.locator("#lost")).to_be_visible()
    async with demonstrated(sample_folder, int(address.rpartition(":")[2])):
        await expect(thumb.page.locator("#lost")).to_be_hidden()
        await thumb.look_at("lao")
        # The chat is empty again, the link is not forgotten.
        await thumb.next("lao", "ปีงบประมาณ")
        await context.__aexit__(None, None, None)


async def test_a_reopened_organization_shows_both_revisions(browser: Browser, sample_folder: Path) -> None:
    async with demonstrated(sample_folder) as (_, address), opened(browser, address, WIDE) as thumb:
        reopen, correct = thumb.page.locator("#reopen"), thumb.page.locator("#correct")
        await expect(reopen).to_be_disabled()
        await thumb.log_in("lao")
        for revision in (1, 2):
            if revision == 2:
                await thumb.page.locator(".phone[data-role=lao] .composer input[type=text]").fill("/menu")
                await thumb.page.locator(".phone[data-role=lao] .composer input[type=text]").press("Enter")
            await thumb.sees("lao", "ยังไม่รับรอง")
            if revision == 2:
                await thumb.sees("lao", "เปลี่ยนจากครั้งที่ 1: +2 −1 ~3")
            for label in (
                "ระบบรับรองข้อมูล",
                "ดำเนินการ(อปท.)",
                "รับรองข้อมูลระดับ อปท.",
                "รับรองระดับ อปท.",
                "ยืนยันการรับรอง",
            ):
                card = thumb.phone("lao").locator("article.from-bot:not(.gone)").last
                await card.get_by_role("button", name=label, exact=True).click()
            await thumb.sees("lao", ENTER)
            await thumb.enter_pin("lao", "หลักฐานการรับรอง")
            if revision == 1:
                await expect(correct).to_be_disabled()
                await reopen.click()
                await thumb.sees("lao", "เปิดให้แก้ไขข้อมูลแล้ว")
                # Its own system delivers a corrected register, and both sides see what has changed.
                await correct.click()
                await expect(correct).to_have_text("ยังไม่มีทะเบียนที่เปิดแก้ไข")
        # The receipt has the new entry; the whole history opens below it.
        receipt = thumb.phone("lao").locator("article", has_text="ครั้งที่ 2 · รับรองระดับ อปท.").last
        await receipt.get_by_role("button", name="ประวัติการรับรองข้อมูล", exact=True).click()
        history = thumb.phone("lao").locator("article", has_text="เปิดแก้ไขการรับรองครั้งที่ 1").last
        await expect(history).to_contain_text("ครั้งที่ 2 · รับรองระดับ อปท.")
        await expect(history).to_contain_text("เปิดแก้ไขการรับรองครั้งที่ 1")
