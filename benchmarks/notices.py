"""Notices to the whole country: `python -m benchmarks.notices [--notices N] [--url URL]`.

Queues a broadcast to as many officers as there are organizations and lets `laocert run`, in a process of its own,
send them to the emulated Bot API in design weather (demo/botapi/limits.py). When half of them have arrived,
another process than the bot's queues an urgent one, so that nothing wakes the courier. Prints messages a second,
their share of Telegram's 30, refusals by 429, what was lost or doubled, how long the urgent one waited, and the
bot's CPU time; exits 1 when anything was lost, doubled or refused.
"""

import argparse
import asyncio
import hashlib
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from benchmarks.nation import SECRET_KEY, Country
from demo import sample
from demo.botapi import DESIGN, Emulator
from models.accounts.account import Account, Officer, Role
from models.audit import event_chain
from models.audit.row_seal import insert_sealed
from models.certification.certificate import Certification, Level
from models.certification.words import Words
from models.chats.conversation import Awaiting, Conversation, Language
from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.organizations.organization import Organization
from models.outreach.broadcast import Broadcast
from models.security.keys import Keyring

PER_SECOND = 30
ORGANIZATIONS = 7849
# Telegram's, of people; the first of them gets the urgent notice.
FIRST_CHAT = 1_000_000
CODE = "B012345678"
BODY = "โปรดรับรองข้อมูลให้แล้วเสร็จภายในกำหนด"


async def fill(database: Database, count: int) -> tuple[int, int]:
    """Link `count` + 1 officers, the first of whom has certified. Returns the ids of a broadcast and of the
    certificate.
    """
    now = datetime.now(UTC)
    async with database.write() as session:
        codes = list(
            await session.scalars(select(Organization.dla_code).order_by(Organization.dla_code).limit(count + 1))
        )
        accounts = [
            {"id": number, "username": code, "role": Role.LAO, "organization_code": code, "display_name": code}
            for number, code in enumerate(codes, 1)
        ]
        # Accounts without a password, which would cost a hash each.
        await insert_sealed(session, Account, accounts)
        officer = {
            "full_name": "สมมุติ ทดสอบ",
            "position": "ปลัด",
            "pin_hash": "-",
            "linked_at": now,
            "last_seen_at": now,
        }
        chats = [
            officer | {"account_id": number, "user_id": FIRST_CHAT + number - 1}
            for number in range(1, len(codes) + 1)
        ]
        await insert_sealed(session, Officer, chats)
        state = {"language": Language.THAI, "awaiting": Awaiting.NOTHING, "told_private_only": False}
        await session.execute(insert(Conversation), [state | {"chat_id": chat["user_id"]} for chat in chats])
        certificate = Certification(
            organization_code=codes[0],
            round_id=1,
            revision=1,
            level=Level.LAO,
            officials=12,
            permanent_employees=3,
            contract_employees=5,
            with_empty_menus=1,
            roster_digest="0" * 64,
            roster_file="ทะเบียน.csv",
            roster_imported_at=now,
            officer_id=1,
            officer_name="สมมุติ ทดสอบ",
            officer_position="ปลัด",
            user_id=FIRST_CHAT,
            account_username=codes[0],
            statement="lao/1/th",
            audit_head="",
            code=CODE,
            is_late=False,
            certified_at=now,
            **asdict(Words.of(await _organization(session, codes[0]))),
        )
        broadcast = Broadcast(audience="lao", body=BODY, made_at=now)
        session.add_all((certificate, broadcast))
        await session.flush()
        event = event_chain.Event.BROADCAST
        digest = hashlib.sha256(BODY.encode()).hexdigest()
        facts = {"broadcast": broadcast.id, "audience": "lao", "chats": count, "digest": digest}
        await event_chain.record(session, event, event_chain.SYSTEM, now, **facts)
        return broadcast.id, certificate.id


async def _organization(session: AsyncSession, code: str) -> Organization:
    return await session.get_one(Organization, code, options=[joinedload(Organization.province)])


async def queue(database: Database, kind: NoticeKind, chats: range, subject: int) -> None:
    """Enqueue one notice for each chat, in one transaction."""
    async with database.write() as session:
        for chat in chats:
            outbox.enqueue(session, kind, chat, subject, datetime.now(UTC))


async def send_all(country: Country, database: Database, count: int) -> bool:
    """Measure and print. Returns whether nothing was lost, doubled, refused or left unsent."""
    cpu = cpu_of_children()
    broadcast, certificate = await fill(database, count)
    async with Emulator(clock=time.time, weather=DESIGN, calls_kept=2 * count) as emulator:
        for chat in range(FIRST_CHAT, FIRST_CHAT + count + 1):
            emulator.phone(str(chat), user_id=chat).chat.bot_status = "member"
        chats = range(FIRST_CHAT + 1, FIRST_CHAT + count + 1)
        await queue(database, NoticeKind.BROADCAST, chats, broadcast)
        bot = await country.start(emulator.token, emulator.url)
        await arrived(emulator, count // 2)
        urgent = time.time()
        await queue(database, NoticeKind.RECEIPT, range(FIRST_CHAT, FIRST_CHAT + 1), certificate)
        await arrived(emulator, count + 1)
        bot.terminate()
        await bot.wait()
        calls = emulator.calls_of("sendMessage")
        times = [call.time for call in calls]
        waited = next(call.time for call in calls if call.params["chat_id"] == str(FIRST_CHAT)) - urgent
        copies = Counter(int(call.params["chat_id"]) for call in calls)
        arrivals = [
            sum(message.outgoing for message in emulator.chat(chat).messages.values())
            for chat in (FIRST_CHAT, *chats)
        ]
        refused = len(emulator.refusals)
    async with database.read() as session:
        unsent = await session.scalar(
            select(func.count()).select_from(OutboxMessage).where(OutboxMessage.state != State.SENT)
        )
    lost, doubled = arrivals.count(0), sum(copies.values()) - refused - (count + 1)
    rate = (len(times) - 1) / (max(times) - min(times))
    took = max(times) - min(times)
    print(f"{count + 1} notices in {took:.1f} s: {rate:.2f}/s, {rate / PER_SECOND:.1%} of {PER_SECOND}/s")
    print(f"refused by 429: {refused}; lost: {lost}; doubled: {doubled}; not noted as sent: {unsent}")
    print(f"the urgent one waited {waited:.2f} s; CPU of the bot {cpu_of_children() - cpu:.1f} s")
    return not (refused or lost or doubled or unsent)


def cpu_of_children() -> float:
    """Return the processor time in seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def arrived(emulator: Emulator, count: int) -> None:
    """Wait until `count` messages were sent. Raises TimeoutError after twice the time that the limit allows plus
    30 s.
    """
    async with asyncio.timeout(2 * count / PER_SECOND + 30):
        while True:
            if len(emulator.calls_of("sendMessage")) - len(emulator.refusals) >= count:
                return
            await asyncio.sleep(0.25)


async def measure(folder: Path, count: int, url: str | None) -> bool:
    """Measure on the new database in the folder, or at `url`."""
    country = Country(folder, url, "bot")
    database = Database(country.environment["LAOCERT_DATABASE_URL"], Keyring(SECRET_KEY))
    try:
        return await send_all(country, database, count)
    finally:
        await database.close()


def make_country(folder: Path, url: str | None) -> None:
    """Import all organizations and open a round, through the command line."""
    country = Country(folder, url, "bot")
    country.laocert("db", "upgrade")
    country.laocert("import", "organizations", str(sample.ORGANIZATIONS))
    country.laocert("round", "open", "--fiscal-year", "2570", "--closes", "2670-09-15")


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notices", type=int, default=ORGANIZATIONS)
    parser.add_argument("--url", help="an empty PostgreSQL database, in place of SQLite")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make_country(Path(name), chosen.url)
        if not asyncio.run(measure(Path(name), min(chosen.notices, ORGANIZATIONS - 1), chosen.url)):
            sys.exit(1)


if __name__ == "__main__":
    main()
