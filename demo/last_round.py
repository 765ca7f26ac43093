"""The history before the open round: two neighbouring organizations were certified in the last round, then the
smaller one merged into the other, as happens between two rounds.
"""

import csv
import random
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from demo import sample
from models.accounts.account import Account, Officer
from models.base.calendar import BANGKOK
from models.certification.certificate import Level
from models.certification.certify import Demands, certify, prepare_confirmation
from models.certification.review import review
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.imports import import_personnel
from models.imports.successions import succeed_from_file
from models.links.link import add_link, unlink_officer
from models.notices.outbox import OutboxMessage
from models.organizations.organization import Organization, find_end
from models.rounds.round import close_round, current_round, open_round
from models.spot_checks.spot_checking import draw, hand_in, mark
from models.succession.decision import decision

# อบต.หงาว merges into เทศบาลตำบลหงาว; both are of Ranong.
MERGED, SUCCESSOR, PROVINCE = "6850110", "5850105", "85"
LAST_REGISTERS = "personnel-last-round.csv"
OPERATOR = "ผู้ดูแลระบบสาธิต"

# User ids from here on belong to the last round's officers, who have no phone. Telegram's own ids are lower.
_FIRST_USER = 1 << 51
_BEFORE_THE_YEAR = timedelta(days=16)
_ROUND_LASTED = timedelta(days=8)
_DEMANDS = Demands(3, 100)


async def hold_last_round(database: Database, folder: Path, year_begins: date, fiscal_year: int) -> None:
    """Open the round of the previous fiscal year, certify both neighbours at both levels, and close it 16 days
    before the year begins (`year_begins`, fiscal year `fiscal_year`). Does nothing if the database has a round
    already.
    """
    async with database.read() as session:
        if await current_round(session) is not None:
            return
    opened = datetime.combine(year_begins - _BEFORE_THE_YEAR, time(9), BANGKOK) - _ROUND_LASTED
    rng = random.Random(fiscal_year)  # noqa: S311 - sample data, the same in every demonstration
    units = [unit for unit in sample.read_units([PROVINCE]) if unit.code in (MERGED, SUCCESSOR)]
    path = folder / LAST_REGISTERS
    sample.write_personnel(path, units, rng)
    await import_personnel(database, path, now=opened)
    # In one transaction: the bot is running already, and must not send messages to officers without a phone.
    async with database.write() as session:
        await open_round(session, fiscal_year - 1, None, opened)
        province = await _officer(session, f"province{PROVINCE}", opened, rng)
        for code in (SUCCESSOR, MERGED):
            lao = await _officer(session, f"lao{code}", opened, rng)
            await _certify(session, lao, code, Level.LAO, opened + timedelta(days=1), rng)
            await _check_all(session, province, code, opened + timedelta(days=2), rng)
            await _certify(session, province, code, Level.PROVINCE, opened + timedelta(days=2), rng)
            await unlink_officer(session, lao, opened + _ROUND_LASTED)
        await unlink_officer(session, province, opened + _ROUND_LASTED)
        await close_round(session, opened + _ROUND_LASTED)
        # The officers' receipts have no chat to go to.
        await session.execute(delete(OutboxMessage).where(OutboxMessage.chat_id > _FIRST_USER))


async def merge(database: Database, folder: Path, year_begins: date, now: datetime) -> None:
    """Merge the smaller neighbour into the other one, on the first day of the fiscal year. Idempotent."""
    async with database.read() as session:
        if await find_end(session, MERGED) is not None:
            return
    path = folder / "merger.csv"
    write_successions(path, [[MERGED, SUCCESSOR, "merger", "", "", "", ""]])
    reason = "ประกาศกระทรวงมหาดไทย เรื่อง การรวมองค์กรปกครองส่วนท้องถิ่น (ตัวอย่าง)"
    decided = decision(OPERATOR, reason, None, year_begins, now)
    await succeed_from_file(database, path, decided, now)


async def deliver_merged_register(database: Database, folder: Path, now: datetime) -> None:
    """Import the successor's register with the people of both, as its own system would deliver it in the new
    round.
    """
    path = folder / "personnel-merged.csv"
    with (
        (folder / LAST_REGISTERS).open(encoding="utf-8", newline="") as source,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        rows, writer = csv.reader(source), csv.writer(file)
        writer.writerow(next(rows))
        for number, (_code, _record_no, *cells) in enumerate(rows, 1):
            writer.writerow([SUCCESSOR, f"{number:04}", *cells])
    await import_personnel(database, path, now=now)


def write_successions(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a file for `laocert organization succeed`. Each row: from, to, kind, and the name, type, district and
    province of a new successor.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["from", "to", "kind", "name", "type", "district", "province"])
        writer.writerows(rows)


async def _officer(session: AsyncSession, username: str, now: datetime, rng: random.Random) -> Officer:
    """Link an officer with a made-up name to an account."""
    account = await session.scalar(
        select(Account)
        .where(Account.username == username)
        .options(joinedload(Account.organization).joinedload(Organization.province), joinedload(Account.province))
    )
    assert account is not None  # noqa: S101 - imported just before
    officer = await add_link(session, _FIRST_USER + account.id, account, now, "password")
    officer.full_name, officer.position = sample.person_name(rng), "นักทรัพยากรบุคคลชำนาญการ"
    await session.flush()
    return officer


async def _check_all(
    session: AsyncSession, officer: Officer, code: str, now: datetime, rng: random.Random
) -> None:
    """Draw a spot-check, mark every record as correct, and hand it in."""
    checking = await draw(session, officer, code, now, rng, size=_DEMANDS.spot_check_size)
    for item in checking.check.items:
        await mark(
            session,
            officer,
            code,
            checking.check.id,
            item.place,
            Mark.CORRECT,
            None,
            now,
            despite_empty_menus=True,
        )
    await hand_in(session, officer, code, checking.check.id, now, None)


async def _certify(
    session: AsyncSession, officer: Officer, code: str, level: Level, now: datetime, rng: random.Random
) -> None:
    reviewed = await review(session, officer, code)
    confirmation, _ = await prepare_confirmation(
        session, officer, level, code, reviewed.fingerprint(level), now, rng, demands=_DEMANDS
    )
    await certify(session, officer, confirmation.nonce, now, rng, demands=_DEMANDS)
