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
    return next(held_phone for held_phone in demonstration.phones.all.values() if held_phone.role == role)


async def become(demonstration: Demonstration, predicate: Any) -> None:
    """Wait until the page's state satisfies a condition."""
    async with asyncio.timeout(PATIENCE):
        async for _ in demonstration.feed.watch(0.1):
            if predicate():
                return


async def say(demonstration: Demonstration, held_phone: Held, text: str, expected: str) -> None:
    last = max((message.id for message in held_phone.phone.messages), default=0)
    await demonstration.phones.send(held_phone.phone.id, text)
    await says(held_phone.phone, expected, after=last)
    await become(demonstration, lambda: not held_phone.waiting)


async def tap(demonstration: Demonstration, held_phone: Held, label: str, expected: str) -> None:
    button = held_phone.phone.button(label)
    await demonstration.phones.tap(held_phone.phone.id, button.message.id, button.data or "")
    await says(held_phone.phone, expected)


async def log_in(demonstration: Demonstration, held_phone: Held) -> None:
    await say(demonstration, held_phone, "/start", "เข้าสู่ระบบ")
    await tap(demonstration, held_phone, "เข้าสู่ระบบ", "ชื่อผู้ใช้")
    for awaited, expected in (
        (Awaiting.USERNAME, "รหัสผ่าน"),
        (Awaiting.PASSWORD, "ชื่อ-สกุล"),
        (Awaiting.FULL_NAME, "ตำแหน่ง"),
        (Awaiting.POSITION, CHOOSE),
    ):
        await take_up(demonstration, held_phone, awaited, expected)
    await enter_pin(demonstration, held_phone, AGAIN)
    await enter_pin(demonstration, held_phone, "ปีงบประมาณ")


async def take_up(demonstration: Demonstration, held_phone: Held, awaited: Awaiting, expected: str) -> None:
    """Type what is suggested."""
    await become(demonstration, lambda: held_phone.awaiting is awaited and held_phone.suggestions())
    await say(demonstration, held_phone, held_phone.suggestions()[0]["text"], expected)


async def enter_pin(demonstration: Demonstration, held_phone: Held, expected: str) -> None:
    for place in range(6):
        await enter_digit(demonstration, held_phone, place)
    await says(held_phone.phone, expected)


async def enter_digit(demonstration: Demonstration, held_phone: Held, place: int) -> None:
    """Tap the key that the page points to, when so many digits are there."""
    await become(demonstration, lambda: (pad := held_phone.keypad()) is not None and pad["entered"] == place)
    pad = held_phone.keypad()
    assert pad is not None
    message = next(message for message in held_phone.phone.messages if message.id == pad["message"])
    button = held_phone.phone.button(pad["pin"][place], message)
    await demonstration.phones.tap(held_phone.phone.id, message.id, button.data or "")


async def to_the_keypad(demonstration: Demonstration, held_phone: Held) -> None:
    await tap(demonstration, held_phone, "ระบบรับรองข้อมูล", "อปท. รับรอง")
    await tap(demonstration, held_phone, "ดำเนินการ(อปท.)", "สถานะการรับรองข้อมูล")
    await tap(demonstration, held_phone, "รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่")
    await tap(demonstration, held_phone, "รับรองระดับ อปท.", "จะไม่สามารถแก้ไข")
    await tap(demonstration, held_phone, "ยืนยันการรับรอง", ENTER)
