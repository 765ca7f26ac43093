"""A running demonstration: its session, its phones, and the loop that publishes changes to the page."""

import asyncio
import contextlib
import logging
import secrets

from sqlalchemy.exc import SQLAlchemyError

from demo.behind import Behind
from demo.botapi import Chat, Emulator, Event
from demo.feed import Feed
from demo.jumps import Jumps
from demo.phones import Held, Phones
from demo.session import Session
from demo.trouble import Trouble

log = logging.getLogger(__name__)

# Seconds between looks when no chat changes: the outbox moves without one.
IDLE = 0.4


class Demonstration:
    """Everything behind the page. `start()` may take seconds; the page can be opened before."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.feed = Feed()
        self.phones = Phones(session.emulator, session.units, session.folder / "phones.json")
        self.behind = Behind(session.database, self.phones, session.clock)
        self.trouble = Trouble(session, self.behind, self.phones)
        self.jumps = Jumps(session, self.behind)
        self._changed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._turning = asyncio.Lock()
        session.emulator.subscribe(self._happened)
        self.feed.put("session", secrets.token_hex(4))
        self.feed.put("stage", "preparing")
        units = [
            {"code": u.code, "role": u.role, "name": u.name, "place": u.district, "province": u.province}
            for u in session.units
        ]
        self.feed.put("units", units)

    async def start(self) -> None:
        """Create the data, start the bot, and show the phones. Raises DemoRefused."""
        await self.session.start()
        await self.behind.look()
        self.behind.say(
            f"ข้อมูลตัวอย่างพร้อม: {len(self.session.units)} หน่วยงานจริง บุคคลสมมติทั้งหมด",
            f"Sample data ready: {len(self.session.units)} real organizations, people all made up",
            "demo/sample.py",
        )
        await self._publish()
        self.feed.put("stage", "ready")
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop the loop, the event streams and the bot."""
        self.feed.close()
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        await self.session.close()

    def open_phone(self, unit: str) -> Held:
        """Add a phone of a unit (its code) to the page. Raises NoSuchPhone."""
        phone = self.phones.open(unit)
        self._changed.set()
        return phone

    async def switch(self, name: str, on: bool) -> None:
        """Turn a trouble on or off, one switch at a time. Raises KeyError for an unknown name."""
        async with self._turning:
            await self.trouble.switches[name](on)
        self._changed.set()

    def jump(self, name: str) -> None:
        """Move the clock forward. Raises KeyError for an unknown jump, demo.clock.GoesBack."""
        self.jumps.make(name)
        self._changed.set()

    def _happened(self, chat: Chat, event: Event) -> None:
        self.phones.happened(chat, event)
        if event.kind == "answered" and event.text:
            alert = bool(event.detail["show_alert"])
            self.feed.flash("toast", {"phone": chat.id, "text": event.text, "alert": alert})
        if event.kind == "deleted" and event.message is not None and not event.message.outgoing:
            self.behind.say(
                "ลบข้อความที่อาจมีรหัสผ่านออกจากแชตทันที",
                "Message that may hold a password deleted at once",
                "bot/inbound/worker.py",
            )
        self._changed.set()

    async def _watch(self) -> None:
        while True:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._publish()
            except SQLAlchemyError as error:
                log.warning("the database could not be looked at: %s", type(error).__name__)

    async def _publish(self) -> None:
        self.trouble.notice_death()
        await self.behind.look()
        await self.trouble.look()
        await self.jumps.look()
        emulator: Emulator = self.session.emulator
        for user_id, phone in self.phones.all.items():
            self.feed.put(f"phone {user_id}", phone.snapshot(emulator))
        self.feed.put("behind", self.behind.value())
        self.feed.put("trouble", self.trouble.value())
        self.feed.put("clock", self.jumps.value())
