"""From the commit of the LAO's certification its register refuses every change (procedure, LAO step 2)."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import datetime

import asyncpg
import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.certificate import Certification, Level
from models.database import Database
from models.roster import Category, PersonnelRecord, Roster
from models.round import close_round, open_round
from tests.support import ORGANIZATIONS, certify_as, record

LOCKED, OPEN = ORGANIZATIONS[0][0], ORGANIZATIONS[1][0]


@pytest.fixture
async def locked(country: Database, now: datetime) -> Database:
    """The country after เทศบาลตำบลบางปู has certified."""
    await certify_as(country, f"lao{LOCKED}", 501, LOCKED, Level.LAO, now)
    return country


async def refused(database: Database, write: Callable[[AsyncSession], object], message: str = "locked") -> None:
    with pytest.raises(DBAPIError, match=message):
        async with database.write() as session:
            await write(session)  # type: ignore[misc]


WRITES: dict[str, Callable[[AsyncSession], object]] = {
    "insert": lambda session: session.execute(insert(PersonnelRecord).values(**record(LOCKED, 99))),
    "update": lambda session: session.execute(
        update(PersonnelRecord).where(PersonnelRecord.organization_code == LOCKED).values(level="อื่น")
    ),
    "delete": lambda session: session.execute(
        delete(PersonnelRecord).where(PersonnelRecord.organization_code == LOCKED)
    ),
    "a record moved in": lambda session: session.execute(
        update(PersonnelRecord)
        .where(PersonnelRecord.organization_code == OPEN, PersonnelRecord.record_no == "0001")
        .values(organization_code=LOCKED, record_no="moved")
    ),
    "a record moved out": lambda session: session.execute(
        update(PersonnelRecord)
        .where(PersonnelRecord.organization_code == LOCKED, PersonnelRecord.record_no == "0001")
        .values(organization_code=OPEN, record_no="moved")
    ),
    "the import's name": lambda session: session.execute(
        update(Roster).where(Roster.organization_code == LOCKED).values(file_name="other.csv")
    ),
    "the roster removed": lambda session: session.execute(
        delete(Roster).where(Roster.organization_code == LOCKED)
    ),
    "raw delete of all": lambda session: session.execute(text("DELETE FROM personnel_record")),
    "the organization with all that hangs on it": lambda session: session.execute(
        text("DELETE FROM organization WHERE dla_code = :code").bindparams(code=LOCKED)
    ),
    "upsert": lambda session: session.execute(
        text(
            "INSERT INTO personnel_record"
            " (organization_code, record_no, full_name, category, position, level, menus)"
            " VALUES (:organization, '0001', 'x', 'official', 'x', 'x', 'r')"
            " ON CONFLICT (organization_code, record_no) DO UPDATE SET full_name = 'x'"
        ).bindparams(organization=LOCKED)
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_locked_register_refuses(locked: Database, write: Callable[[AsyncSession], object]) -> None:
    before = await contents(locked)
    await refused(locked, write, r"locked|(?i:foreign key)")
    assert await contents(locked) == before


async def test_the_orm_is_refused_too(locked: Database) -> None:
    async def change(session: AsyncSession) -> None:
        one = await session.scalar(
            select(PersonnelRecord).where(PersonnelRecord.organization_code == LOCKED).limit(1)
        )
        assert one is not None
        one.full_name = "ชื่อ อื่น"
        await session.flush()

    await refused(locked, change)


async def test_another_register_stays_open(locked: Database) -> None:
    async with locked.write() as session:
        await session.execute(insert(PersonnelRecord).values(**record(OPEN, 99)))
        await session.execute(
            update(PersonnelRecord).where(PersonnelRecord.organization_code == OPEN).values(level="อื่น")
        )
        await session.execute(delete(PersonnelRecord).where(PersonnelRecord.organization_code == OPEN))


async def test_the_lock_outlives_its_round_and_ends_with_the_next(locked: Database, now: datetime) -> None:
    async with locked.write() as session:
        await close_round(session, now)
    await refused(locked, WRITES["update"])
    async with locked.write() as session:
        await open_round(session, 2571, None, now)
    async with locked.write() as session:
        await WRITES["update"](session)  # type: ignore[misc]


@pytest.mark.parametrize(
    "write",
    [
        update(Certification).values(officials=1),
        delete(Certification),
        text("INSERT INTO certification SELECT * FROM certification"),
    ],
    ids=["update", "delete", "insert again"],
)
async def test_a_certificate_is_only_ever_inserted(locked: Database, write: object) -> None:
    await refused(locked, lambda session: session.execute(write), r"never changed|unique|duplicate")  # type: ignore[call-overload]


SQLITE_REPLACES = {
    "replace by key": "INSERT OR REPLACE INTO personnel_record"
    " (organization_code, record_no, full_name, category, position, level, menus)"
    f" VALUES ('{LOCKED}', '0001', 'x', 'official', 'x', 'x', 'r')",
    "replace by id from outside": "INSERT OR REPLACE INTO personnel_record"
    " (id, organization_code, record_no, full_name, category, position, level, menus)"
    f" SELECT id, '{OPEN}', 'new', 'x', 'official', 'x', 'x', 'r' FROM personnel_record"
    f" WHERE organization_code = '{LOCKED}' LIMIT 1",
    "update or replace by id": "UPDATE OR REPLACE personnel_record SET id ="
    f" (SELECT min(id) FROM personnel_record WHERE organization_code = '{LOCKED}')"
    f" WHERE organization_code = '{OPEN}' AND record_no = '0001'",
    "replace the roster": "INSERT OR REPLACE INTO roster"
    f" VALUES ('{LOCKED}', 'x.csv', '2026-01-01 00:00:00', '[]')",
    "replace a certificate": "INSERT OR REPLACE INTO certification SELECT * FROM certification",
    "replace a certificate's key": "UPDATE OR REPLACE certification SET id = id + 1",
    "a round with another number": "UPDATE round SET id = 0",
    "a round taken away": "DELETE FROM round",
    "a round in place of another": "INSERT OR REPLACE INTO round (id, fiscal_year, state, opened_at)"
    " VALUES (99, 2570, 'closed', '2026-01-01 00:00:00')",
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", SQLITE_REPLACES.values(), ids=SQLITE_REPLACES.keys())
async def test_replace_from_a_connection_without_pragmas(locked: Database, statement: str) -> None:
    before = await contents(locked)
    foreign = sqlite3.connect(str(locked.url.database))
    with pytest.raises(sqlite3.IntegrityError, match=r"locked|never changed|never renumbered"):
        foreign.execute(statement)
    foreign.close()
    assert await contents(locked) == before


async def contents(database: Database) -> list[object]:
    async with database.read() as session:
        return [
            list(await session.execute(text(f"SELECT * FROM {table} ORDER BY 1")))
            for table in ("personnel_record", "roster", "certification", "round")
        ]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", ["personnel_record", "roster", "certification", "organization", "round"])
async def test_truncate_is_refused(locked: Database, table: str) -> None:
    def truncate(session: AsyncSession) -> object:
        return session.execute(text(f"TRUNCATE {table} CASCADE"))

    await refused(locked, truncate, r"locked|never changed|never renumbered")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_delete_that_races_the_certification_is_refused(country: Database, now: datetime) -> None:
    foreign = await asyncpg.connect(country.url.set(drivername="postgresql").render_as_string(hide_password=False))
    async with country.write() as session:
        await certify_as(country, f"lao{LOCKED}", 501, LOCKED, Level.LAO, now, session=session)
        deleting = asyncio.create_task(
            foreign.execute(f"DELETE FROM personnel_record WHERE organization_code = '{LOCKED}'")
        )
        # It waits for the organization's row, which the certification holds.
        done, _ = await asyncio.wait({deleting}, timeout=0.3)
        assert not done
    with pytest.raises(asyncpg.PostgresError, match="locked"):
        await deleting
    await foreign.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
@pytest.mark.parametrize(
    "change", [f"DELETE FROM personnel_record WHERE organization_code = '{LOCKED}'", "TRUNCATE personnel_record"]
)
async def test_a_snapshot_from_before_the_lock_does_not_open_it(
    country: Database, now: datetime, isolation: str, change: str
) -> None:
    foreign = await asyncpg.connect(country.url.set(drivername="postgresql").render_as_string(hide_password=False))
    await foreign.transaction(isolation=isolation).start()
    await foreign.execute("SELECT count(*) FROM round")
    await certify_as(country, f"lao{LOCKED}", 501, LOCKED, Level.LAO, now)
    with pytest.raises(asyncpg.PostgresError, match="READ COMMITTED"):
        await foreign.execute(change)
    await foreign.close()


async def test_menus_and_categories_are_what_the_procedure_counts(country: Database) -> None:
    async def unknown_category(session: AsyncSession) -> None:
        await session.execute(
            text(
                "INSERT INTO personnel_record"
                " (organization_code, record_no, full_name, category, position, level, menus)"
                f" VALUES ('{OPEN}', 'x', 'x', 'volunteer', 'x', 'x', 'r')"
            )
        )

    await refused(country, unknown_category, "category")
    assert {category.value for category in Category} == {"official", "permanent_employee", "contract_employee"}
