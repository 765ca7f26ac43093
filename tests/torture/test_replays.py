"""Updates that Telegram delivers again, long after they were processed, have no further effect."""

import random
from collections.abc import Callable

from sqlalchemy import func, select

from demo.botapi import Emulator
from demo.botapi.updates import Update
from models.audit.event_chain import AuditEvent
from models.certification.certificate import Certification
from models.certification.certify import Confirmation
from models.chats.inbox import InboxUpdate
from models.database.engine import Database
from models.notices.outbox import OutboxMessage
from tests.bot.running import again, until
from tests.chat import Officer

TABLES = (InboxUpdate, Certification, Confirmation, OutboxMessage, AuditEvent)
WAY = (
    ("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน"),
    ("ดำเนินการ(อปท.)", "ยังไม่รับรอง"),
    ("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่"),
    ("รับรองระดับ อปท.", "เพิ่มเติมได้อีก"),
    ("ยืนยันการรับรอง", "โปรดใส่ PIN"),
    ("PIN", "ประวัติการรับรองข้อมูล"),
)


async def counts(database: Database) -> list[int]:
    async with database.read() as session:
        return [await session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]


async def test_replayed_updates(bot: Emulator, country: Database, times: Callable[[int], int]) -> None:
    delivered: list[Update] = []
    bot.updates.on_added = lambda: delivered.append(bot.updates.pending[-1])
    officer = Officer(bot.phone("ก"))
    await officer.log_in("lao5110201", "ทดสอบ หนึ่ง", "ปลัดเทศบาล")
    for label, expected in WAY:
        await officer.tap(label, expected)
    await officer.sees("หลักฐานการรับรองของท่าน")
    bot.updates.on_added = None
    before, events = await counts(country), len(officer.phone.events)
    rng = random.Random(13)
    replays = times(1000)
    for _ in range(replays // 10):
        for update in rng.sample(delivered, 10):
            again(bot, update)
        await until(lambda: fetched(bot))
    # Updates are processed in order: after a new one is answered, all replayed ones have been processed.
    await officer.says("/menu", "ปีงบประมาณ")
    after = await counts(country)
    assert after == [before[0] + 1, *before[1:]]
    new = [event for event in officer.phone.events[events:] if event.kind in ("sent", "edited", "deleted")]
    assert len(new) <= 2
    print(f"{replays} replayed updates: 0 extra effects")


async def fetched(emulator: Emulator) -> bool:
    return not emulator.updates.pending
