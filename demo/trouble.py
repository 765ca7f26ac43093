"""Trouble on demand, so that a doubter can watch nothing being lost; and the operator's one way back."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select

from demo.behind import Behind
from demo.botapi import Emulator
from demo.botapi.faults import Fault
from demo.session import Session
from models.certification.certificate import Certification, is_live
from models.certification.certify import reopen
from models.organizations.organization import Organization

RETRY_AFTER = 4
FLOODED_SENDS = 3


class Trouble:
    """The switches: the network to Telegram, Telegram's patience, the bot's process, and `laocert reopen`."""

    def __init__(self, session: Session, behind: Behind) -> None:
        self._session = session
        self._emulator: Emulator = session.emulator
        self._behind = behind
        self.network = True
        self.wants_bot = True
        self._flood: Fault | None = None
        self.switches: dict[str, Callable[[bool], Awaitable[None]]] = {
            "network": self._switch_network,
            "flood": self._switch_flood,
            "bot": self._switch_bot,
            "reopen": self._reopen,
        }
        # The organization that was certified last and can be reopened.
        self._certified: Organization | None = None

    def value(self) -> dict[str, Any]:
        """How things are, for the page. `pending`: what waits at Telegram for the bot to fetch."""
        return {
            "network": self.network,
            "bot": self._session.bot_runs,
            "flood": self._flood.remaining if self._flood else 0,
            "pending": len(self._emulator.updates.pending),
            "reopenable": self._certified.full_name if self._certified else "",
        }

    async def look(self) -> None:
        """See whether there is something to reopen."""
        async with self._session.database.read() as session:
            self._certified = await session.scalar(
                select(Organization)
                .join(Certification, Certification.organization_code == Organization.dla_code)
                .where(is_live(Certification))
                .order_by(Certification.id.desc())
                .limit(1)
            )

    def notice_death(self) -> None:
        """The bot ended without having been told to."""
        if self.wants_bot and not self._session.bot_runs:
            self.wants_bot = False
            self._behind.say("บอตหยุดทำงานเอง ดู bot.log", "The bot ended by itself, see bot.log", "", "warn")

    async def _switch_network(self, trouble: bool) -> None:
        if trouble is not self.network:
            return
        self.network = not trouble
        if trouble:
            await self._emulator.close()
            self._behind.say(
                "ตัดเครือข่ายแล้ว · ข้อความที่ส่งจะรออยู่ที่ Telegram",
                "Network cut · what you send waits at Telegram",
                "bot/inbound/intake.py",
                "warn",
            )
        else:
            await self._emulator.start()
            self._behind.say(
                "เครือข่ายกลับมาแล้ว · บอตรับข้อความที่ค้างตามลำดับ",
                "Network back · the bot fetches what waited, in order",
                "bot/inbound/intake.py",
                "good",
            )

    async def _switch_flood(self, trouble: bool) -> None:
        if self._flood is not None:
            self._emulator.faults.planned.remove(self._flood)
            self._flood = None
        if trouble:
            faults = self._emulator.faults
            self._flood = faults.flood(RETRY_AFTER, method="sendMessage", times=FLOODED_SENDS)
            self._behind.say(
                f"Telegram จะตอบ 429 แก่การส่ง {FLOODED_SENDS} ครั้งถัดไป (ให้รอ {RETRY_AFTER} วินาที)",
                f"Telegram will answer 429 to the next {FLOODED_SENDS} sends (wait {RETRY_AFTER} s)",
                "bot/outbound/courier.py",
                "warn",
            )

    async def _switch_bot(self, trouble: bool) -> None:
        self.wants_bot = not trouble
        if trouble:
            await self._session.kill_bot()
            self._behind.say(
                "SIGKILL บอตแล้ว · ไม่มีโอกาสบันทึกอะไรเพิ่ม", "Bot killed with SIGKILL · no time to save", "", "warn"
            )
        else:
            await self._session.start_bot()
            self._behind.say(
                "เริ่มบอตใหม่ · ทำสิ่งที่ค้างในกล่องรับและคิวส่งต่อ",
                "Bot started again · goes on with its inbox and outbox",
                "models/chats/inbox.py",
                "good",
            )

    async def _reopen(self, _trouble: bool) -> None:
        if self._certified is None:
            return
        async with self._session.database.write() as session:
            ended = await reopen(
                session,
                self._certified.dla_code,
                "ผู้ดูแลระบบสาธิต",
                "ทดลองเปิดให้แก้ไขข้อมูล",
                self._session.clock(),
            )
        self._behind.say(
            f"ผู้ดูแลเปิดแก้ไข{self._certified.full_name} · ครั้งที่ {ended.revision} ยังอยู่ในประวัติทั้งหมด",
            f"The operator reopened {self._certified.full_name} · revision {ended.revision} stays in the history",
            "models/certification/certify.py",
            "warn",
        )
