"""A record to look at, and ways to tamper with it."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.audit import event_chain
from models.certification.certificate import Level
from models.database.engine import Database
from models.operator.closing import reopen_round
from models.remarks.petition import decide, petition
from models.remarks.question import answer, ask
from models.rounds.round import close_round
from models.schema import sqlite_triggers
from models.verification.findings import Findings
from models.verification.verify import verify
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND, THIRD = (code for code, *_ in ORGANIZATIONS[:3])
REASON = "พบข้อมูลซ้ำหนึ่งรายการ"


async def checked(database: Database, head: str | None = None) -> Findings:
    async with database.read() as session:
        return await verify(session, head)


async def take_head(database: Database, now: datetime) -> str:
    async with database.write() as session:
        return await event_chain.take_head(session, now)


async def live(country: Database, now: datetime) -> Database:
    """Two organizations certified, one of them by its province too and reopened on its petition; a third asked.
    The round was closed and reopened.
    """
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        asked = await petition(session, officer, "ขอแก้ไขจำนวนพนักงานจ้าง", now, None)
        await decide(session, asked.id, granted=True, by="ผู้ดูแล", reason=REASON, now=now)
        province = await link(session, "province11", 601, now)
        question = await ask(session, province, THIRD, "official", "เหตุใดจำนวนจึงลดลง", now)
        await answer(session, await link(session, f"lao{THIRD}", 503, now), question.id, "เกษียณสองราย", now)
        await close_round(session, now)
        await reopen_round(session, "ผู้ดูแล", REASON, now)
    return country


async def without_triggers(database: Database, statement: str) -> None:
    """What somebody can do who may drop triggers; they are there again afterwards."""
    async with database.engine.begin() as connection:
        await _toggle(connection, database, "DISABLE")
        await connection.execute(text(statement))
        await _toggle(connection, database, "ENABLE")


async def _toggle(connection: AsyncConnection, database: Database, what: str) -> None:
    if not database.is_sqlite:
        for table in (
            "audit_event",
            "certification",
            "certificate_words",
            "reopening",
            "remark",
            "personnel_record",
            "roster",
            "certified_register",
            "spot_check",
            "spot_check_item",
            "round",
        ):
            await connection.execute(text(f"ALTER TABLE {table} {what} TRIGGER USER"))
    elif what == "DISABLE":
        for name in sqlite_triggers.SQLITE:
            await connection.execute(text(f"DROP TRIGGER {name}"))
    else:
        for statement in sqlite_triggers.definitions().values():
            await connection.exec_driver_sql(statement)
