"""A register that was certified and reopened, and what its organization does with it then."""

import random
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import active_officer
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.certification.changes import Changes, load_changes
from models.database.engine import Database
from models.register.difference import ChangeKind
from models.register.roster import PersonnelRecord
from models.rounds.round import current_round
from models.spot_checks.spot_checking import draw
from tests.support import ORGANIZATIONS, certify_as, record

FIRST = ORGANIZATIONS[0][0]


async def certify_lao(database: Database, now: datetime, code: str = FIRST) -> None:
    await certify_as(database, f"lao{code}", 501, code, Level.LAO, now)


async def certify_both(database: Database, now: datetime, code: str = FIRST) -> None:
    await certify_lao(database, now, code)
    await certify_as(database, "province11", 601, code, Level.PROVINCE, now)


async def reopened(database: Database, now: datetime, code: str = FIRST) -> int:
    """Reopen it; the reopening's id."""
    async with database.write() as session:
        return (await reopen(session, code, "ผู้ดูแล", "นับผิดจริง", now)).id


async def remove(session: AsyncSession, number: str, code: str = FIRST) -> None:
    await session.execute(delete(PersonnelRecord).where(*_of(number, code)))


async def change(session: AsyncSession, number: str, code: str = FIRST, **values: str) -> None:
    await session.execute(update(PersonnelRecord).where(*_of(number, code)).values(**values))


async def add(session: AsyncSession, number: int, code: str = FIRST) -> None:
    await session.execute(insert(PersonnelRecord).values(**record(code, number)))


async def corrected(database: Database, code: str = FIRST) -> None:
    """`+2 −1 ~3` of the twenty records 0001 to 0020."""
    async with database.write() as session:
        for number in (21, 22):
            await add(session, number, code)
        await remove(session, "0020", code)
        await change(session, "0001", code, full_name="คน ใหม่")
        await change(session, "0002", code, level="ชำนาญการ")
        await change(session, "0003", code, menus="rr-")


def _of(number: str, code: str) -> tuple[object, ...]:
    return PersonnelRecord.organization_code == code, PersonnelRecord.record_no == number


async def changes_of(database: Database, code: str = FIRST) -> Changes | None:
    async with database.read() as session:
        round_ = await current_round(session)
        assert round_ is not None
        return await load_changes(session, code, round_.id)


def counts(changes: Changes | None) -> list[tuple[int, tuple[int, ...] | None]]:
    """For each revision that counts: added, removed and changed."""
    assert changes is not None
    return [
        (one.revision, one.difference and tuple(one.difference.count(kind) for kind in ChangeKind))
        for one in changes.since
    ]


async def register_numbers(database: Database, code: str = FIRST) -> set[str]:
    async with database.read() as session:
        return set(
            await session.scalars(
                select(PersonnelRecord.record_no).where(PersonnelRecord.organization_code == code)
            )
        )


async def draw_many(session: AsyncSession, user: int, code: str, now: datetime, size: int) -> None:
    """The draw of the province's officer with this Telegram account."""
    officer = await active_officer(session, user)
    assert officer is not None
    await draw(session, officer, code, now, random.Random(1), size=size)
