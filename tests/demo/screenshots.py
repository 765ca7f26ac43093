"""`make screenshots`: rewrites docs/images/ from the demonstration, through the browser."""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

import typst
from openpyxl import load_workbook
from playwright.async_api import Locator, expect

from demo.demonstration import Demonstration
from demo.last_round import SUCCESSOR
from demo.phones import Held
from tests.chat import says
from tests.demo.browser import AGAIN, CHOOSE, ENTER, Thumb, chromium, demonstrated, find_chromium, opened
from tests.demo.officers import become, log_in, tap

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
# High enough for every screen of the bot as a whole.
TALL = {"width": 360, "height": 960}
WIDE_AND_LOW = {"width": 1440, "height": 790}
LOOK = {"color_scheme": "light", "reduced_motion": "reduce"}


async def shoot(thumb: Thumb, name: str, role: str | None = None, phone: Locator | None = None) -> None:
    """A picture of the page, or of one phone."""
    await thumb.page.mouse.move(0, 0)
    for toast in await thumb.page.locator(".toast").all():
        await toast.wait_for(state="detached")
    if role:
        phone = thumb.phone(role)
    if phone:
        # An edit leaves the view where it was: here the end of the card is wanted.
        await phone.locator(".messages").evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    # Longer than every animation, so that none is caught half-way.
    await thumb.page.evaluate(
        "() => Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)))"
    )
    target = phone.locator(".screen") if phone else thumb.page
    picture = await target.screenshot(path=IMAGES / f"{name}.png")
    print(f"{name}.png {len(picture) // 1024} KB")


async def lao_way(thumb: Thumb, folder: Path) -> None:
    """An organization's officer, from the start to the certificate."""
    await thumb.look_at("lao")
    await shoot(thumb, "start", "lao")
    await thumb.next("lao", "เข้าสู่ระบบ")
    await shoot(thumb, "welcome", "lao")
    await thumb.next("lao", "ชื่อผู้ใช้")
    await shoot(thumb, "login", "lao")
    for expected in ("รหัสผ่าน", "ชื่อ-สกุล", "ตำแหน่ง", CHOOSE):
        await thumb.next("lao", expected)
    await shoot(thumb, "pin-choose", "lao")
    await thumb.enter_pin("lao", AGAIN, "ปีงบประมาณ")
    await shoot(thumb, "lao-home", "lao")
    await thumb.next("lao", "ข้อมูล ณ วันที่")
    await shoot(thumb, "lao-review", "lao")
    await register_file(thumb, folder)
    await thumb.next("lao", "จะไม่สามารถแก้ไข")
    await shoot(thumb, "lao-warning", "lao")
    await thumb.next("lao", ENTER)
    await shoot(thumb, "pin-confirm", "lao")
    await thumb.enter_pin("lao", "หลักฐานการรับรอง")
    await shoot(thumb, "lao-history", "lao")


async def typed(thumb: Thumb, role: str, text: str, expected: str) -> None:
    """Send a text and wait for the answer."""
    field = thumb.phone(role).locator(".composer input[type=text]")
    await field.fill(text)
    await field.press("Enter")
    await thumb.sees(role, expected)


async def downloaded(thumb: Thumb, role: str) -> bytes:
    """The newest file of a phone."""
    await thumb.phone(role).locator(".from-bot .file").last.click()
    async with thumb.page.expect_download() as loading:
        await thumb.page.get_by_role("link", name="ดาวน์โหลด").click()
    content = (await (await loading.value).path()).read_bytes()
    await thumb.page.keyboard.press("Escape")
    return content


async def register_file(thumb: Thumb, folder: Path) -> None:
    """The organization's register as a file: one person has left."""
    await thumb.tap("lao", "ส่งทะเบียนเป็นไฟล์", "ขอแบบฟอร์ม")
    await thumb.tap("lao", "ขอแบบฟอร์มที่มีข้อมูลปัจจุบัน", "ขอแบบฟอร์ม")
    await thumb.phone("lao").locator(".from-bot .file").wait_for()
    workbook = load_workbook(io.BytesIO(await downloaded(thumb, "lao")))
    workbook.active.delete_rows(workbook.active.max_row)
    workbook.save(folder / "register.xlsx")
    async with thumb.page.expect_file_chooser() as choosing:
        await thumb.phone("lao").get_by_role("button", name="แนบไฟล์").click()
    await (await choosing.value).set_files(folder / "register.xlsx")
    await thumb.phone("lao").locator(".key", has_text="บันทึกทะเบียน").wait_for()
    await shoot(thumb, "lao-register-file", "lao")
    await thumb.tap("lao", "ยกเลิก", "ขอแบบฟอร์ม")
    await thumb.tap("lao", "ย้อนกลับ", "สถานะการรับรองข้อมูล")
    await thumb.tap("lao", "รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")


async def question(thumb: Thumb) -> None:
    """A province asks without unlocking anything."""
    await thumb.tap("province", "ถาม อปท.", "ถามเรื่องใด")
    await thumb.tap("province", "พนักงานจ้าง", "พิมพ์คำถาม")
    await typed(thumb, "province", "พนักงานจ้างเพิ่มขึ้นจากรอบก่อน เป็นตำแหน่งใดบ้าง", "ส่งคำถาม")
    await shoot(thumb, "province-question", "province")
    await thumb.tap("province", "ส่งคำถาม", "ส่งคำถามแล้ว")
    await thumb.tap("province", "ย้อนกลับ", "ข้อมูล ณ วันที่")


async def taken_away(thumb: Thumb, folder: Path) -> None:
    """The certificate and the picture, as they are sent; between them who is linked."""
    await thumb.phone("province").locator(".key", has_text="📄").last.click()
    await thumb.phone("province").locator(".from-bot .file").wait_for()
    (folder / "certificate.pdf").write_bytes(await downloaded(thumb, "province"))
    page = folder / "page.typ"
    page.write_text(
        '#set page(width: auto, height: auto, margin: 0pt)\n#image("certificate.pdf")', encoding="utf-8"
    )
    typst.compile(page, IMAGES / "certificate.png", format="png", ppi=90)
    await typed(thumb, "province", "/menu", "แห่ง")
    await thumb.tap("province", "เจ้าหน้าที่ที่เชื่อมต่อ", "แชตนี้")
    await shoot(thumb, "officers", "province")
    await typed(thumb, "province", "/menu", "แห่ง")
    for label, expected in (("ระบบรับรองข้อมูล", "อปท. รับรอง"), ("ดำเนินการ(จังหวัด)", "สถานภาพรับรองข้อมูล")):
        await thumb.tap("province", label, expected)
    await thumb.tap("province", "ภาพความคืบหน้า", "สถานภาพรับรองข้อมูล")
    picture = thumb.phone("province").locator(".from-bot img[src^='/files/']")
    await picture.wait_for()
    answer = await thumb.page.request.get(await picture.evaluate("image => image.src"))
    (IMAGES / "progress.png").write_bytes(await answer.body())


async def province_way(thumb: Thumb, folder: Path) -> None:
    """The province's officer, from the notice to the result."""
    await thumb.look_at("province")
    await shoot(thumb, "province-notice", "province")
    await thumb.phone("province").locator(".composer [aria-controls]").click()
    await thumb.phone("province").locator(".menu button", has_text="/menu").click()
    await thumb.sees("province", "แห่ง")
    await shoot(thumb, "province-home", "province")
    await thumb.tap("province", "การแจ้งเตือน", "การแจ้งเตือน")
    await shoot(thumb, "notice-times", "province")
    await thumb.tap("province", "หน้าหลัก", "แห่ง")
    await thumb.tap("province", "ระบบรับรองข้อมูล (1)", "อปท. รับรอง")
    await thumb.next("province", "สถานภาพรับรองข้อมูล")
    await shoot(thumb, "province-filter", "province")
    await thumb.next("province", "พบ")
    await shoot(thumb, "province-list", "province")
    await thumb.next("province", "ข้อมูล ณ วันที่")
    await shoot(thumb, "province-review", "province")
    await question(thumb)
    await thumb.next("province", "สุ่มตรวจสอบ 1/3")
    await shoot(thumb, "province-spot-check", "province")
    for expected in ("สุ่มตรวจสอบ 2/3", "สุ่มตรวจสอบ 3/3", "สรุปผลสุ่มตรวจสอบ"):
        await thumb.find_correct("province", expected)
    await shoot(thumb, "province-spot-check-summary", "province")
    await thumb.next("province", "ยกเลิกไม่ได้")
    await shoot(thumb, "province-warning", "province")
    await thumb.next("province", ENTER)
    await thumb.enter_pin("province", "หลักฐานการรับรอง")
    await shoot(thumb, "province-result", "province")
    await thumb.look_at("lao")
    await thumb.sees("lao", "จังหวัดได้รับรอง")
    await shoot(thumb, "lao-notice", "lao")
    await thumb.look_at("province")
    await taken_away(thumb, folder)


async def reopened(thumb: Thumb) -> None:
    """The organization that both have certified is reopened, corrected, and certified anew."""
    for name in ("reopen", "correct"):
        button = thumb.page.locator(f"#{name}")
        await expect(button).to_be_enabled()
        # It may be below what this window shows.
        await button.dispatch_event("click")
    await thumb.look_at("lao")
    await thumb.sees("lao", "เปิดให้แก้ไขข้อมูลแล้ว")
    await typed(thumb, "lao", "/menu", "เปลี่ยนจากครั้งที่ 1: +2 −1 ~3")
    await thumb.tap("lao", "รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
    await thumb.tap("lao", "สิ่งที่เปลี่ยน", "สิ่งที่เปลี่ยนหลังเปิดแก้ไข")
    await shoot(thumb, "lao-changes", "lao")
    await thumb.tap("lao", "ดูรายที่แก้ไข (3)", "แก้ไข 3")
    await shoot(thumb, "lao-changed-records", "lao")
    for label, expected in (("ย้อนกลับ", "สิ่งที่เปลี่ยนหลังเปิดแก้ไข"), ("ย้อนกลับ", "ข้อมูล ณ วันที่")):
        await thumb.tap("lao", label, expected)
    await thumb.tap("lao", "รับรองระดับ อปท.", "จะไม่สามารถแก้ไข")
    await thumb.tap("lao", "ยืนยันการรับรอง", ENTER)
    await thumb.enter_pin("lao", "หลักฐานการรับรอง")
    await thumb.look_at("province")
    # Rung for before anything is opened: the card would come below it.
    await thumb.sees("province", "🔔 รอท่าน 1 ")
    await typed(thumb, "province", "/menu", "รอท่าน")
    await thumb.phone("province").locator("article").last.locator(".key", has_text="🔍").first.click()
    await thumb.sees("province", "เปลี่ยนจากครั้งที่ 1: +2 −1 ~3")
    await shoot(thumb, "province-reopened", "province")
    await thumb.tap("province", "สุ่มตรวจสอบ", "สุ่มตรวจสอบ 1/")
    card = thumb.phone("province").locator("article.from-bot:not(.gone)").last
    while "เปลี่ยนจากที่รับรองไว้" not in await card.inner_text():
        label = await card.locator(".key", has_text="▶").inner_text()
        await thumb.tap("province", label, f"สุ่มตรวจสอบ {label.removeprefix('รายที่ ').split('/')[0]}/")
    await shoot(thumb, "province-changed-record", "province")


async def two_phones(thumb: Thumb) -> None:
    """Both phones at the moment when the province's rings."""
    await thumb.log_in("lao")
    await thumb.log_in("province")
    for expected in ("ข้อมูล ณ วันที่", "จะไม่สามารถแก้ไข", ENTER):
        await thumb.next("lao", expected)
    await thumb.enter_pin("lao", "หลักฐานการรับรอง")
    await thumb.sees("province", "🔔 รอท่าน 1 ")
    await thumb.page.locator("#steps .done").nth(2).wait_for()
    await shoot(thumb, "two-phones")
    # The province's work still waits when the day comes.
    await thumb.page.locator("[data-jump=closing-3]").click()
    await thumb.sees("province", "ใกล้ครบกำหนด")
    await shoot(thumb, "reminder", "province")


async def changed_organizations(thumb: Thumb, demonstration: Demonstration) -> None:
    """An organization that is upgraded in the middle of the round, and one that took in another before it."""
    upgraded = demonstration.open_phone("6830203")
    await log_in(demonstration, upgraded)
    await become(demonstration, lambda: demonstration.trouble.value()["upgradable"].endswith("กมลา"))
    await demonstration.switch("upgrade", True)
    await says(upgraded.phone, "สิ้นสภาพแล้ว")
    await shoot_phone(thumb, "lao-upgraded", upgraded)
    merged = demonstration.open_phone(SUCCESSOR)
    await log_in(demonstration, merged)
    await tap(demonstration, merged, "รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
    await shoot_phone(thumb, "lao-merged-review", merged)
    await tap(demonstration, merged, "ย้อนกลับ", "สถานะการรับรองข้อมูล")
    await merged.phone.until(lambda phone: "ประวัติการรับรองข้อมูล" in phone.last.labels)
    await tap(demonstration, merged, "ประวัติการรับรองข้อมูล", "หน่วยงานเดิม")
    await shoot_phone(thumb, "lao-merged-history", merged)


async def shoot_phone(thumb: Thumb, name: str, held: Held) -> None:
    """One phone of several of its kind, as a picture."""
    await thumb.page.locator(f".person[data-person='{held.phone.id}']").click()
    await shoot(thumb, name, phone=thumb.page.locator(".phone.active"))


async def main() -> None:
    """Two demonstrations: one for the picture of both phones, one for each officer's steps."""
    if find_chromium() is None:
        sys.exit("make screenshots needs Chromium; on Debian: apt install chromium fonts-noto-color-emoji")
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                demonstrated(Path(folder)) as (_, address),
                opened(browser, address, WIDE_AND_LOW, **LOOK) as thumb,
            ):
                await two_phones(thumb)
        with tempfile.TemporaryDirectory() as folder:
            async with (
                demonstrated(Path(folder)) as (demonstration, address),
                opened(browser, address, TALL, device_scale_factor=2, **LOOK) as thumb,
            ):
                await thumb.look_at("province")
                await thumb.log_in("province")
                await lao_way(thumb, Path(folder))
                await province_way(thumb, Path(folder))
                await reopened(thumb)
                await changed_organizations(thumb, demonstration)


if __name__ == "__main__":
    asyncio.run(main())
