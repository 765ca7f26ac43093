"""Headless Chromium on a demonstration's page, and a newcomer who taps the highlighted buttons."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from demo.botapi import PATIENCE
from demo.demonstration import Demonstration
from demo.main import listening, running
from tests.handlers.widths import HEIGHT, KEY

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without these, Chromium calls home, or needs a sandbox that a container has not.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 360, "height": 740}
# Playwright counts in milliseconds.
LIMIT = PATIENCE * 1000
expect.set_options(timeout=LIMIT)
# What the keypad asks for.
CHOOSE, AGAIN, ENTER = "โปรดตั้ง PIN 6 หลัก", "โปรดใส่ PIN ที่เพิ่งตั้งอีกครั้ง", "โปรดใส่ PIN ของท่าน"

# Wider than its box: the page itself, a phone, or what the demonstration says. A button's label may be cut off.
CUT_OFF = """() => [document.scrollingElement,
    ...document.querySelectorAll('.screen, .messages, .key, .chip, .tray, .word, .panel')]
    .filter((node) => node.clientWidth && node.scrollWidth > node.clientWidth)
    .map((node) => node.className + ': ' + node.textContent.slice(0, 60))"""


def find_chromium() -> str | None:
    """The browser's path, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


async def look(page: Page) -> None:
    """Check that nothing is cut off, and that the page is accessible in both colour schemes."""
    assert await page.evaluate(CUT_OFF) == []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        findings: dict[str, Any] = (await Axe().run(page)).response
        problems = [
            f"{scheme}: {violation['id']}: {node['failureSummary']} {node['html']}"
            for violation in findings["violations"]
            if violation["impact"] in {"serious", "critical"} or violation["id"] == "color-contrast"
            for node in violation["nodes"]
        ]
        assert not problems, "\n".join(problems)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=list(FLAGS), timeout=LIMIT
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def demonstrated(folder: Path, port: int = 0) -> AsyncIterator[tuple[Demonstration, str]]:
    """A demonstration that is ready, by default on a free port, and its address."""
    with listening(port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with running(folder, listener) as demonstration:
            await demonstration.start()
            yield demonstration, address


@asynccontextmanager
async def opened(browser: Browser, address: str, size: dict[str, int], **options: Any) -> AsyncIterator["Thumb"]:
    """The page in a window of its own; its errors are collected in `complaints`."""
    context = await browser.new_context(viewport=size, locale="th-TH", **options)  # type: ignore[arg-type]
    context.set_default_timeout(LIMIT)
    page = await context.new_page()
    thumb = Thumb(page)
    await page.goto(address)
    await expect(page.locator("body")).to_have_attribute("data-stage", "ready")
    yield thumb
    await context.close()


class Thumb:
    """A newcomer who taps the highlighted buttons, on either officer's phone."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("requestfailed", lambda request: self._failed(request.url, request.failure))
        page.on("response", lambda answer: self._answered(answer.url, answer.status))

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{kind}: {text}")

    def _failed(self, url: str, failure: str | None) -> None:
        # The stream ends with the page.
        if not url.endswith("/events"):
            self.complaints.append(f"{url}: {failure}")

    def _answered(self, url: str, status: int) -> None:
        if status >= 400:
            self.complaints.append(f"{url}: {status}")

    def phone(self, role: str) -> Locator:
        return self.page.locator(f".phone[data-role={role}]").first

    async def look_at(self, role: str) -> None:
        """On a narrow screen: choose the phone among the people above."""
        await self.page.locator(f".person.{role}").first.click()
        await expect(self.phone(role)).to_be_visible()

    async def next(self, role: str, expected: str) -> None:
        """Tap the highlighted button on a phone, and wait until its newest message contains the words."""
        await self.phone(role).locator(".next").click()
        await self.sees(role, expected)

    async def tap(self, role: str, label: str, expected: str) -> None:
        """Tap a button by its label, and wait until the newest message contains the words."""
        exactly = re.compile(rf"^{re.escape(label)}$")
        await self.phone(role).locator("article").last.locator(".key", has_text=exactly).click()
        await self.sees(role, expected)

    async def find_correct(self, role: str, expected: str) -> None:
        """Mark a drawn record as correct; with empty menus no button is highlighted."""
        card = self.phone(role).locator("article.from-bot:not(.gone)").last
        is_doubtful = "⚠️" in await card.inner_text()
        await expect(self.phone(role).locator(".next")).to_have_count(0 if is_doubtful else 1)
        if is_doubtful:
            await self.tap(role, "✅ ถูกต้อง", "เมนูข้างต้นยังไม่ได้บันทึก")
            await expect(self.phone(role).locator(".next")).to_have_count(0)
            await self.tap(role, "ถูกต้อง แม้ยังไม่บันทึกเมนู", expected)
        else:
            await self.tap(role, "✅ ถูกต้อง", expected)

    async def sees(self, role: str, expected: str) -> None:
        phone = self.phone(role)
        await expect(phone.locator("article.from-bot:not(.gone)").last).to_contain_text(expected)
        await expect(phone.locator(".typing")).to_be_hidden()

    async def fits(self, role: str) -> None:
        """The newest card's text and keys are no higher than what a client's bars leave of this screen."""
        card = self.phone(role).locator("article.from-bot:not(.gone)").last
        text: int = await card.locator(".text").evaluate("(one) => one.offsetHeight")
        assert text + KEY * await card.locator(".row").count() <= HEIGHT, await card.inner_text()

    async def shows_all(self, role: str) -> None:
        """The newest card's last key is on the screen."""
        await expect(self.phone(role).locator("article.from-bot:not(.gone) .key").last).to_be_in_viewport(ratio=1)

    async def enter_pin(self, role: str, *expected: str) -> None:
        """Tap the sample PIN by the keys that stand out; once for each text that its last digit must bring."""
        keypad = self.phone(role).locator("article", has_text="○").last
        for text in expected:
            for entered in range(6):
                await expect(keypad).to_contain_text("●" * entered + "○" * (6 - entered))
                await self.phone(role).locator(".key.next").click()
            await self.sees(role, text)

    async def to_keypad(self, role: str) -> None:
        """The first login as far as the PIN; nothing is typed."""
        for expected in ("เข้าสู่ระบบ", "ชื่อผู้ใช้", "รหัสผ่าน", "ชื่อ-สกุล", "ตำแหน่ง", CHOOSE):
            await self.next(role, expected)

    async def log_in(self, role: str) -> None:
        """The whole first login."""
        await self.to_keypad(role)
        await self.enter_pin(role, AGAIN, "ปีงบประมาณ")
