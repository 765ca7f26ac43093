"""Registers as files hold them, and files that wait for their officer."""

from datetime import datetime

from sqlalchemy import func, select

from models.database.engine import Database
from models.imports.sent_roster import propose
from models.register.draft import RosterDraft, SentRoster
from models.register.roster import Category, Record
from tests.support import link

BANGPU, NO_ROSTER = "5110201", "6110303"
MENUS = ("ประวัติ", "การศึกษา", "เครื่องราชฯ")


def person(number: int, category: Category = Category.OFFICIAL, menus: str = "rrr") -> Record:
    return Record(f"{number:04}", "สมมุติ ลับเฉพาะ", category, "ปลัด", "กลาง", menus)


def sent(*records: Record, menus: tuple[str, ...] = MENUS) -> SentRoster:
    return SentRoster("register.csv", menus, records)


async def drafts(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(RosterDraft)) or 0


async def proposed(
    database: Database, now: datetime, file: SentRoster, organization: str = BANGPU
) -> tuple[int, str]:
    """An officer whose file waits: its id and the file's key."""
    async with database.write() as session:
        officer = await link(session, f"lao{organization}", 7, now)
        found = await propose(session, officer, file, now)
        assert found.draft is not None
        return officer.id, found.draft.key
