"""What officers do on the phones of a demonstration, without a browser."""

import asyncio
from typing import Any

from demo.botapi import PATIENCE
from demo.demonstration import Demonstration
from demo.phones import Held
from models.chats.conversation import Awaiting
from tests.chat import says
from tests.demo.browser import AGAIN, CHOOSE, ENTER


def held(demonstration: Demonstration, role: str) -> Held:
    return next(one for one in demonstration.phones.all.values() if one.role == role)


async def become(demonstration: Demonstration, predicate: Any) -> None:
    """Wait for what the page is told."""
    async with asyncio.timeout(PATIENCE):
        async for _ in demonstration.feed.watch(0.1):
            if predicate():
                return


async def say(demonstration: Demonstration, one: Held, text: str, expected: str) -> None:
    last = max((message.id for message in one.phone.messages), default=0)
    await demonstration.phones.send(one.phone.id, text)
    await says(one.phone, expected, after=last)
    await become(demonstration, lambda: not one.waiting)


async def tap(demonstration: Demonstration, one: Held, label: str, expected: str) -> None:
    button = one.phone.button(label)
    await demonstration.phones.tap(one.phone.id, button.message.id, button.data or "")
    await says(one.phone, expected)


async def log_in(demonstration: Demonstration, one: Held) -> None:
    await say(demonstration, one, "/start", "เข้าสู่ระบบ")
    await tap(demonstration, one, "เข้าสู่ระบบ", "ชื่อผู้ใช้")
    for awaited, expected in (
        (Awaiting.USERNAME, "รหัสผ่าน"),
        (Awaiting.PASSWORD, "ชื่อ-สกุล"),
        (Awaiting.FULL_NAME, "ตำแหน่ง"),
        (Awaiting.POSITION, CHOOSE),
    ):
        await take_up(demonstration, one, awaited, expected)
    await enter_pin(demonstration, one, AGAIN)
    await enter_pin(demonstration, one, "ปีงบประมาณ")


async def take_up(demonstration: Demonstration, one: Held, awaited: Awaiting, expected: str) -> None:
    """Type what is suggested."""
    await become(demonstration, lambda: one.awaiting is awaited and one.suggestions())
    await say(demonstration, one, one.suggestions()[0]["text"], expected)


async def enter_pin(demonstration: Demonstration, one: Held, expected: str) -> None:
    for place in range(6):
        await enter_digit(demonstration, one, place)
    await says(one.phone, expected)


async def enter_digit(demonstration: Demonstration, one: Held, place: int) -> None:
    """Tap the key that the page points to, when so many digits are there."""
    await become(demonstration, lambda: (pad := one.keypad()) is not None and pad["entered"] == place)
    pad = one.keypad()
    assert pad is not None
    message = next(message for message in one.phone.messages if message.id == pad["message"])
    button = one.phone.button(pad["pin"][place], message)
    await demonstration.phones.tap(one.phone.id, message.id, button.data or "")


async def to_the_keypad(demonstration: Demonstration, one: Held) -> None:
    await tap(demonstration, one, "ระบบรับรองข้อมูล", "อปท. รับรอง")
    await tap(demonstration, one, "ดำเนินการ(อปท.)", "สถานะการรับรองข้อมูล")
    await tap(demonstration, one, "รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
    await tap(demonstration, one, "รับรองระดับ อปท.", "จะไม่สามารถแก้ไข")
    await tap(demonstration, one, "ยืนยันการรับรอง", ENTER)
