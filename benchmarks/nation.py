"""The main job on all 7,849 organizations: `python -m benchmarks.nation [--officers N] [--rosters N]`.

Imports the whole country with 1,000 generated rosters through the command line, then lets officers of some
organizations and of their provinces go both ways to the end through `laocert run` against the emulated Bot API,
and kills the bot with SIGKILL in the middle. Prints how long each part took; exits 1 when anything is lost.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo import sample
from demo.botapi import Emulator, Message, Phone

SECRET_KEY = "a key for measuring only of more than 32 letters"  # noqa: S105
PIN = "804915"
# The second question before a record with an empty menu is marked as correct.
DESPITE_EMPTY = "ถูกต้อง แม้ยังไม่บันทึกเมนู"


class Country:
    """A database in a folder, and the command line on it.

    `url`: a PostgreSQL database instead. `bot`: the module of the bot process, `bot` or `benchmarks.unlimited`.
    """

    def __init__(self, folder: Path, url: str | None, bot: str = "benchmarks.unlimited") -> None:
        self.folder = folder
        self.url = url
        self.bot = bot
        self.log = folder / "bot.log"
        self.environment = os.environ | {
            "LAOCERT_DATABASE_URL": url or f"sqlite+aiosqlite:///{folder / 'nation.db'}",
            "LAOCERT_SECRET_KEY": SECRET_KEY,
        }

    def laocert(self, *arguments: str) -> str:
        """Run one command, print its duration, and return its output. Exits the program if the command fails."""
        started = time.perf_counter()
        ended = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "bot", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - started
        if ended.returncode:
            sys.exit(f"laocert {' '.join(arguments)}: {ended.stderr}")
        print(f"{took:7.2f} s  laocert {' '.join(Path(word).name for word in arguments)}", flush=True)
        return ended.stdout

    async def start(self, token: str, api_url: str, **more: str) -> asyncio.subprocess.Process:
        """Start `laocert run` with additional settings, and return the process at once."""
        settings = {"LAOCERT_BOT_TOKEN": token, "LAOCERT_API_URL": api_url, "LAOCERT_LISTEN": "127.0.0.1:0"} | more
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.bot, "run", env=self.environment | settings, stderr=log
            )

    async def start_bot(self, emulator: Emulator) -> asyncio.subprocess.Process:
        """Start `laocert run`, wait for its first poll, and print how long that took."""
        polls = len(emulator.calls_of("getUpdates"))
        started = time.perf_counter()
        bot = await self.start(emulator.token, emulator.url)
        while len(emulator.calls_of("getUpdates")) == polls:
            if bot.returncode is not None:
                sys.exit(self.log.read_text())
            await asyncio.sleep(0.005)
        print(
            f"{time.perf_counter() - started:7.2f} s  from the start of laocert run to its first poll", flush=True
        )
        return bot


async def go(phone: Phone, *steps: tuple[str, str]) -> None:
    """Tap each step's label, or send its text if it begins with `>`, and wait until the screen contains its words.

    Steps that a killed bot left unanswered are repeated. Raises AssertionError after five attempts.
    """
    for step, expected in steps:
        for _ in range(5):
            typed = step.startswith(">")
            if typed:
                await phone.send(step[1:])
            else:
                await phone.tap(step)
            try:
                await phone.until(lambda screen, words=expected: words in screen.last.text, timeout=20)  # type: ignore[misc]
                break
            except AssertionError:
                continue
        else:
            raise AssertionError(f"{step} was never answered by {expected}:\n{phone.screen()}")


async def log_in(phone: Phone, unit: sample.Unit) -> None:
    """Log in for the first time: username, password, name, position and PIN."""
    await go(
        phone,
        (">/start", "ระบบรับรองข้อมูลบุคลากรท้องถิ่น"),
        ("เข้าสู่ระบบ", "พิมพ์ชื่อผู้ใช้"),
        (f">{unit.username}", "รหัสผ่าน"),
        (f">{unit.password}", "ชื่อ-สกุล"),
        (">สมมุติ ทดสอบ", "ตำแหน่ง"),
        (">ปลัด", "ตั้ง PIN"),
    )
    for expected in ("PIN เดิมอีกครั้ง", "ปีงบประมาณ"):
        if not await enter_pin(phone, phone.last):
            raise AssertionError(f"a digit was not shown:\n{phone.screen()}")
        await phone.until(lambda screen, words=expected: words in screen.last.text, timeout=60)  # type: ignore[misc]


def dots(entered: int) -> str:
    """Return the toast that confirms a digit. The keypad itself is redrawn only while the chat's limit allows
    it.
    """
    return " ".join("●" * entered + "○" * (len(PIN) - entered))


async def enter_pin(phone: Phone, keypad: Message) -> bool:
    """Tap the PIN, each digit after the toast of the one before. Returns False if a toast is missing: the bot may
    have died between counting the digit and answering, so the digit must not be tapped again.
    """
    for place, digit in enumerate(PIN[:-1], 1):
        tap = await phone.tap(digit, keypad)
        try:
            if (await tap.answer(20)).text != dots(place):
                return False
        except AssertionError:
            return False
    await phone.tap(PIN[-1], keypad)
    return True


async def certify_lao(phone: Phone) -> None:
    """Go the LAO's way to the receipt, and begin again where a killed bot left a keypad behind."""
    for _ in range(3):
        await go(
            phone,
            (">/menu", "ปีงบประมาณ"),
            ("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน"),
            ("ดำเนินการ(อปท.)", "สถานะการรับรองข้อมูล"),
            ("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่"),
            ("รับรองระดับ อปท.", "แก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก"),
            ("ยืนยันการรับรอง", "โปรดใส่ PIN"),
        )
        if await enter_pin(phone, phone.last):
            break
    await phone.until(
        lambda screen: any("หลักฐานการรับรอง" in message.text for message in screen.messages), timeout=60
    )


async def certify_province(phone: Phone, organization: sample.Unit) -> None:
    """Go the province's way for one organization, from the list behind the live card."""
    card = await phone.until(
        lambda screen: next(
            (message for message in reversed(screen.messages) if message.text.startswith("🔔 รอท่าน")), None
        ),
        timeout=60,
    )
    last = phone.last.id
    await phone.tap("ดู อปท. ที่รอ", card)
    message = await phone.until(
        lambda screen: next(
            (
                listing
                for listing in screen.messages
                if listing.id > last and listing.text.startswith("สถานภาพรับรองข้อมูล")
            ),
            None,
        ),
        timeout=60,
    )
    label = f"🔍 {organization.name}"
    while not any(label in button for button in message.labels):
        before = message.text, message.labels
        await phone.tap("▶", message)
        await phone.until(lambda _, before=before: (message.text, message.labels) != before, timeout=60)  # type: ignore[misc]
    await phone.tap(label, message)
    await phone.until(lambda _: "ตรวจสอบข้อมูลระดับจังหวัด" in message.text, timeout=60)
    # Small registers are checked whole.
    await phone.tap("สุ่มตรวจสอบ", message)
    await phone.until(lambda _: "ผล: ยังไม่ได้ตรวจ" in message.text, timeout=60)
    while "สรุปผลสุ่มตรวจสอบ" not in message.text:
        text = message.text
        await phone.tap(DESPITE_EMPTY if DESPITE_EMPTY in message.labels else "✅ ถูกต้อง", message)
        await phone.until(lambda _, before=text: message.text != before, timeout=60)  # type: ignore[misc]
    await phone.tap("รับรองระดับจังหวัด", message)
    await phone.until(lambda _: "ยกเลิกไม่ได้" in message.text, timeout=60)
    await phone.tap("ยืนยันการรับรอง", message)
    await phone.until(lambda _: "โปรดใส่ PIN" in message.text, timeout=60)
    await enter_pin(phone, message)
    await phone.until(
        lambda screen: any(
            "หลักฐานการรับรอง" in receipt.text and organization.name in receipt.text for receipt in screen.messages
        ),
        timeout=60,
    )


async def both_ways(country: Country, units: list[sample.Unit], officers: int) -> None:
    """Let officers certify while the bot is killed and started again, and count the certificates."""
    organizations = [unit for unit in units if unit.role == "lao"][:officers]
    provinces = {unit.code: unit for unit in units if unit.role == "province"}
    needed = [provinces[code] for code in sorted({unit.province for unit in organizations})]
    async with Emulator() as emulator:
        bot = await country.start_bot(emulator)
        phones = {unit.code: emulator.phone(unit.code) for unit in (*organizations, *needed)}
        started = time.perf_counter()
        await asyncio.gather(*(log_in(phones[unit.code], unit) for unit in (*organizations, *needed)))
        print(f"{time.perf_counter() - started:7.2f} s  for {len(phones)} officers to log in at once", flush=True)
        started = time.perf_counter()
        ways = [asyncio.create_task(certify_lao(phones[unit.code])) for unit in organizations]
        await asyncio.sleep(0.5)
        bot.kill()
        await bot.wait()
        print("           SIGKILL", flush=True)
        bot = await country.start_bot(emulator)
        await asyncio.gather(*ways)
        for unit in needed:
            for organization in organizations:
                if organization.province == unit.code:
                    await certify_province(phones[unit.code], organization)
        print(f"{time.perf_counter() - started:7.2f} s  for both ways of {officers} organizations", flush=True)
        bot.terminate()
        await bot.wait()
    counted = json.loads(country.laocert("status", "--json"))
    certified = sum(province["province_certified"] for province in counted["provinces"])
    print(f"           {certified} certified at both levels, of {officers}")
    country.laocert("export", "certifications", str(country.folder / "certifications.xlsx"))
    if certified != officers:
        sys.exit("lost or doubled")


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--officers", type=int, default=40)
    parser.add_argument("--rosters", type=int, default=1000)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite without it")
    options = parser.parse_args()
    rng = random.Random(1)  # noqa: S311 - the same country in every run
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        country = Country(folder, options.url)
        everyone = sample.read_units()
        chosen = set(rng.sample([unit.code for unit in everyone if unit.role == "lao"], options.rosters))
        units = [unit for unit in everyone if unit.role == "province" or unit.code in chosen]
        sample.write_accounts(folder / "accounts.csv", units)
        records = sample.write_personnel(folder / "personnel.csv", units, rng)
        print(f"{len(everyone)} units, {len(units)} accounts, {options.rosters} rosters, {records} records")
        country.laocert("db", "upgrade")
        country.laocert("import", "organizations", str(sample.ORGANIZATIONS))
        country.laocert("import", "accounts", str(folder / "accounts.csv"))
        country.laocert("import", "personnel", str(folder / "personnel.csv"))
        country.laocert("round", "open", "--fiscal-year", "2570", "--closes", "2670-09-15")
        asyncio.run(both_ways(country, units, options.officers))


if __name__ == "__main__":
    main()
