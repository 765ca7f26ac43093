"""Troubles on demand, so that a visitor can see that nothing is lost; and the operator's reopening."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from demo.behind import Behind
from demo.botapi import Emulator
from demo.botapi.faults import Fault
from demo.correction import correct_register
from demo.phones import Phones
from demo.session import Session
from demo.upgrade import find_upgradable, upgrade
from models.certification.certificate import Certification, Reopening, Status, is_live
from models.certification.certify import reopen
from models.certification.changes import load_changes
from models.certification.review import own_status
from models.organizations.organization import Organization
from models.rounds.round import Round, RoundState

RETRY_AFTER = 4
FLOODED_SENDS = 3


class Trouble:
    """The switches: the network to Telegram, a flood limit (429), the bot's process, `laocert reopen`, and the
    correction that follows it. `switches` maps each name to a function that turns it on or off.
    """

    def __init__(self, session: Session, behind: Behind, phones: Phones) -> None:
        self._session = session
        self._phones = phones
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
            "correct": self._correct,
            "upgrade": self._upgrade,
        }
        # The organization that certified last and can be reopened.
        self._certified: Organization | None = None
        # The organization that was reopened last, while its register is still as it was certified.
        self._reopened: Organization | None = None
        # The one that can become a เทศบาลตำบล.
        self._upgradable: Organization | None = None

    def value(self) -> dict[str, Any]:
        """Return the state of all switches, for the page. `pending`: updates that the bot has not fetched yet."""
        return {
            "network": self.network,
            "bot": self._session.bot_runs,
            "flood": self._flood.remaining if self._flood else 0,
            "pending": len(self._emulator.updates.pending),
            "reopenable": self._certified.full_name if self._certified else "",
            "correctable": self._reopened.full_name if self._reopened else "",
            "upgradable": self._upgradable.full_name if self._upgradable else "",
        }

    async def look(self) -> None:
        """Read from the database what can be reopened, corrected or upgraded."""
        async with self._session.database.read() as session:
            self._certified = await session.scalar(
                select(Organization)
                .join(Certification, Certification.organization_code == Organization.dla_code)
                .join(Round, Round.id == Certification.round_id)
                .where(is_live(Certification), Round.state == RoundState.OPEN)
                .order_by(Certification.id.desc())
                .limit(1)
            )
            self._reopened = await _reopened_as_it_was(session)
            self._upgradable = await find_upgradable(session, self._phones.unit_codes)

    def notice_death(self) -> None:
        """Report it if the bot has ended by itself."""
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

    async def _correct(self, _trouble: bool) -> None:
        if self._reopened is None:
            return
        organization, session = self._reopened, self._session
        await correct_register(session.database, session.folder, organization.dla_code, session.clock())
        self._behind.say(
            f"นำเข้าทะเบียนที่แก้ไขแล้วของ{organization.full_name} · ทั้งสองฝ่ายเห็นสิ่งที่เปลี่ยนจากที่รับรองไว้",
            f"A corrected register of {organization.full_name} was imported · both sides see what has changed",
            "models/certification/changes.py",
        )

    async def _upgrade(self, _trouble: bool) -> None:
        if self._upgradable is None:
            return
        organization, session = self._upgradable, self._session
        code = await upgrade(session.database, session.folder, organization, session.clock())
        self._behind.say(
            f"{organization.full_name} เปลี่ยนฐานะเป็นเทศบาลตำบล · รหัสใหม่ {code} · ทะเบียนและเจ้าหน้าที่ไปด้วย",
            f"{organization.full_name} became a เทศบาลตำบล · new code {code} · register and officers go over",
            "models/succession/succeeding.py",
            "warn",
        )


async def _reopened_as_it_was(session: AsyncSession) -> Organization | None:
    """Return the last reopened organization, if it has not certified again and its register is unchanged."""
    ended = await session.scalar(
        select(Reopening)
        .options(joinedload(Reopening.organization))
        .where(Reopening.round_id == select(func.max(Round.id)).scalar_subquery())
        .order_by(Reopening.id.desc())
        .limit(1)
    )
    if ended is None or (await own_status(session, ended.organization_code))[1] is not Status.UNCERTIFIED:
        return None
    changes = await load_changes(session, ended.organization_code, ended.round_id)
    difference = changes.since[0].difference if changes is not None else None
    return ended.organization if difference is not None and difference.is_nothing else None
