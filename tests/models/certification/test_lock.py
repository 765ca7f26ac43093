"""From the commit of the LAO's certification its register refuses every change (procedure, LAO step 2)."""

import asyncio
import itertools
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Officer
from models.certification.certificate import Certification, Level
from models.certification.certify import reopen
from models.certification.remark import RemarkKind, add_remark
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.register.roster import Category, PersonnelRecord, Roster
from models.rounds.round import close_round, current_round, open_round
from models.spot_checks.spot_checking import draw, mark
from models.succession.closing import close
from models.succession.decision import decision
from models.succession.word_keeping import keep_words
from tests.models.certification import write_paths
from tests.models.certification.write_paths import ENDED, LOCKED, OPEN, REOPENED, TABLES
from tests.support import before_words, certify_as, link, pass_spot_check, put_roster, record

ON_STOCK_DRIVER_TOO = True


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
    await refused(locked, write, r"locked|never removed|violates foreign key")
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

    await refused(locked, truncate, r"locked|never")


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
async def test_the_program_reads_what_is_committed_whatever_the_role_has_set(database: Database) -> None:
    """At REPEATABLE READ a press would compare the register with a snapshot from before it waited for the lock."""
    name = database.url.database
    async with database.engine.begin() as connection:
        await connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable'))
    program = Database(database.url.render_as_string(hide_password=False))
    levels = []
    async with program.write() as session:
        levels.append(await session.scalar(text("SHOW default_transaction_isolation")))
        levels.append(await session.scalar(text("SHOW transaction_isolation")))
    async with program.read() as session:
        levels.append(await session.scalar(text("SHOW transaction_isolation")))
    await program.close()
    assert levels == ["serializable", "read committed", "read committed"]


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


# --- every way to write, in every state of a session that a writer without ownership can bring about ----------

REFUSED = re.compile(
    r"locked|never|drawn once|READ COMMITTED|violates foreign key|under a new number only|noted as it is"
)


@pytest.fixture
async def filed(country: Database, now: datetime) -> Database:
    """Two rounds, and in the newer one a locked register whose spot-check was handed in, a reopened one whose
    words were kept, one whose organization has ended, and a remark: a row in every table that a lock rests on.
    """
    async with country.write() as session:
        await close_round(session, now)
    async with country.write() as session:
        await open_round(session, 2571, None, now)
    await certify_as(country, f"lao{LOCKED}", 501, LOCKED, Level.LAO, now)
    with before_words():
        await certify_as(country, f"lao{REOPENED}", 502, REOPENED, Level.LAO, now)
    async with country.write() as session:
        await keep_words(session, now)
        await reopen(session, REOPENED, "ผู้ดูแลระบบ", "นับผิดจริง", now)
        officer = await link(session, "province11", 601, now)
        await pass_spot_check(session, officer, LOCKED, now, random.Random(1))
        newest = await current_round(session)
        assert newest is not None
        facts = {"organization_code": LOCKED, "round_id": newest.id, "revision": 1, "kind": RemarkKind.QUESTION}
        await add_remark(session, officer, now, body="เหตุใดจำนวนจึงลดลง", **facts)
    async with country.write() as session:
        await put_roster(session, ENDED, (3, 1, 1), now)
        await close(session, ENDED, decision("ผู้ดูแลระบบ", "ยุบเลิก อปท.", None, None, now), now)
    return country


async def rows(database: Database) -> write_paths.Rows:
    """All of every table that a lock rests on, on SQLite with the rows' own numbers."""
    column = "rowid AS rowid, *" if database.is_sqlite else "*"
    async with database.read() as session:
        return {
            table: [
                dict(row)
                for row in (await session.execute(text(f"SELECT {column} FROM {table} ORDER BY 1, 2"))).mappings()
            ]
            for table in TABLES
        }


# What a session may make and set on PostgreSQL. Its names come before the program's where no schema is said.
SHADOWED = [f"CREATE TEMP {{kind}} {table} AS SELECT * FROM public.{table} WHERE false" for table in TABLES]
SESSIONS: dict[str, list[str]] = {
    "plain": [],
    "temporary tables": [one.format(kind="TABLE") for one in SHADOWED],
    "temporary views": [one.format(kind="VIEW") for one in SHADOWED],
    "temporary tables, first in the path": [
        *(one.format(kind="TABLE") for one in SHADOWED),
        "SET search_path = pg_temp, public, pg_catalog",
    ],
    "temporary tables in place of the changed rows": [
        f"CREATE TEMP TABLE {name} (organization_code text)" for name in ("new_rows", "old_rows", "touched")
    ],
    "functions, operators and types of its own": [
        "CREATE FUNCTION pg_temp.current_setting(text) RETURNS text LANGUAGE sql AS $$SELECT 'read committed'$$",
        "CREATE FUNCTION pg_temp.never(varchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
        "CREATE OPERATOR pg_temp.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = pg_temp.never)",
        "CREATE FUNCTION pg_temp.never(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
        "CREATE OPERATOR pg_temp.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = pg_temp.never)",
        "CREATE DOMAIN pg_temp.text AS pg_catalog.text",
        "SET search_path = pg_temp, pg_catalog, public",
    ],
    "settings": [
        "SET transform_null_equals = on",
        "SET row_security = off",
        "SET standard_conforming_strings = off",
        "SET backslash_quote = on",
        "SET array_nulls = off",
        "SET quote_all_identifiers = on",
        "SET plan_cache_mode = force_generic_plan",
        "SET check_function_bodies = off",
        "SET constraint_exclusion = on",
        "SET default_transaction_isolation = 'read uncommitted'",
        "SET default_transaction_deferrable = on",
        "SET enable_indexscan = off",
        "SET enable_seqscan = off",
        "SET plpgsql.check_asserts = off",
        "SET plpgsql.extra_errors = 'none'",
    ],
    "repeatable read": ["SET default_transaction_isolation = 'repeatable read'"],
    "serializable": ["SET default_transaction_isolation = 'serializable'"],
}
# Only a superuser may set it, or a role that was granted the parameter.
REPLICA = "SET session_replication_role = replica"


@pytest.fixture
async def stranger(filed: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a role that owns nothing and has only SELECT, INSERT, UPDATE and DELETE. Roles belong to the
    whole cluster, so it is named after the database.
    """
    role = f"{filed.url.database}_writer"
    owner, connection = [await asyncpg.connect(plain_url(filed)) for _ in range(2)]
    await owner.execute(
        f"CREATE ROLE {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};"
        f" GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    )
    await connection.execute(f"SET ROLE {role}")
    yield connection
    await connection.close()
    await owner.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
    await owner.close()


def plain_url(database: Database) -> str:
    """The database as asyncpg names it."""
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


async def not_refused(connection: asyncpg.Connection, paths: write_paths.Paths) -> list[str]:
    """The paths that the database's own rules did not refuse."""
    found = []
    for path, statement in paths.by_name.items():
        try:
            await connection.execute(statement)
            if not path.startswith("caught"):
                found.append(path)
        except asyncpg.PostgresError as error:
            if not REFUSED.search(str(error)):
                found.append(f"{path}: {error}")
    return found


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("session", [*SESSIONS, "replication's triggers only"])
async def test_no_path_of_a_role_that_owns_nothing(
    filed: Database, stranger: asyncpg.Connection, session: str
) -> None:
    before = await rows(filed)
    if session not in SESSIONS:
        # The role itself may not, unless it was granted that.
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stranger.execute(REPLICA)
        await stranger.execute(f"RESET ROLE; {REPLICA}; SET ROLE {filed.url.database}_writer")
    for table in TABLES:
        await stranger.execute(f"CREATE TEMP VIEW seen_{table} AS SELECT * FROM public.{table}")
    for statement in SESSIONS.get(session, []):
        await stranger.execute(statement)
    assert await not_refused(stranger, write_paths.postgresql()) == []
    for added, (columns, values) in write_paths.ADDED.items():
        with pytest.raises(asyncpg.PostgresError, match=REFUSED):
            await stranger.copy_records_to_table(
                added, records=[values], columns=columns.split(", "), schema_name="public"
            )
    assert await rows(filed) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("session", ["plain", "temporary tables", "functions, operators and types of its own"])
async def test_what_is_not_locked_can_be_written_by_such_a_role(
    filed: Database, stranger: asyncpg.Connection, session: str
) -> None:
    for statement in SESSIONS[session]:
        await stranger.execute(statement)
    for statement in (
        f"UPDATE public.personnel_record SET level = 'x' WHERE organization_code = '{OPEN}'",
        f"DELETE FROM public.personnel_record WHERE organization_code = '{REOPENED}'",
        f"UPDATE public.organization SET name_th = 'x' WHERE dla_code = '{LOCKED}'",
        "UPDATE public.round SET state = 'closed' WHERE fiscal_year = 2571",
    ):
        assert not (await stranger.execute(statement)).endswith(" 0"), statement


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_spot_check_is_not_handed_in_by_an_older_snapshot(
    country: Database, now: datetime, isolation: Any
) -> None:
    """Of marks that are no longer there."""
    await certify_as(country, f"lao{LOCKED}", 501, LOCKED, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, "province11", 601, now)
        await draw_and_mark(session, officer, now)
    foreign = await asyncpg.connect(plain_url(country))
    await foreign.transaction(isolation=isolation).start()
    await foreign.execute("SELECT count(*) FROM spot_check_item")
    async with country.write() as session:
        await session.execute(text("UPDATE spot_check_item SET mark = NULL"))
    with pytest.raises(asyncpg.PostgresError, match="READ COMMITTED"):
        await foreign.execute("UPDATE spot_check SET handed_in_at = now()")
    await foreign.close()


async def draw_and_mark(session: AsyncSession, officer: Officer, now: datetime) -> None:
    drawn = await draw(session, officer, LOCKED, now, random.Random(1), size=3)
    for item in drawn.check.items:
        await mark(
            session, officer, LOCKED, drawn.check.id, item.place, Mark.CORRECT, None, now, despite_empty_menus=True
        )


# What any connection may set or make on SQLite, short of changing what the file itself defines.
CONNECTIONS: dict[str, list[str]] = {
    "plain": [],
    "foreign keys on": ["PRAGMA foreign_keys=ON"],
    "triggers fire triggers": ["PRAGMA recursive_triggers=ON"],
    "settings": [
        "PRAGMA ignore_check_constraints=ON",
        "PRAGMA defer_foreign_keys=ON",
        "PRAGMA reverse_unordered_selects=ON",
        "PRAGMA trusted_schema=OFF",
        "PRAGMA case_sensitive_like=ON",
        "PRAGMA legacy_alter_table=ON",
        "PRAGMA automatic_index=OFF",
        "PRAGMA cell_size_check=ON",
        "PRAGMA synchronous=OFF",
        "PRAGMA locking_mode=EXCLUSIVE",
    ],
    "temporary tables": [f"CREATE TEMP TABLE {table} AS SELECT * FROM main.{table} WHERE 0" for table in TABLES],
    "temporary views": [f"CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE 0" for table in TABLES],
    "temporary triggers": [
        f"CREATE TEMP TRIGGER {when}_{event}_{table} {when} {event} ON main.{table} BEGIN SELECT 1; END"
        for table in TABLES
        for when in ("BEFORE", "AFTER")
        for event in ("INSERT", "UPDATE", "DELETE")
    ],
}


def _nothing(*_arguments: object) -> None:
    """Stands in for one of SQLite's own functions."""


class _Nothing:
    """Stands in for one of SQLite's own aggregates."""

    step = _nothing

    def finalize(self) -> None:
        return None


def foreign_connection(database: Database, prepared: Iterable[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(str(database.url.database), isolation_level=None)
    for statement in prepared:
        connection.execute(statement)
    return connection


def accepted(connection: sqlite3.Connection, statements: Iterable[tuple[str, str, list[Any]]]) -> Iterator[str]:
    """The names of the statements that the database's own rules did not refuse; each is taken back."""
    for name, statement, parameters in statements:
        connection.execute("BEGIN")
        before = connection.total_changes
        try:
            connection.execute(statement, parameters)
            if connection.total_changes != before:
                yield name
        except sqlite3.IntegrityError as error:
            if not REFUSED.search(str(error)):
                yield f"{name}: {error}"
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def number_by_turns() -> Callable[[Any, Any], Any]:
    """Gives its first argument and its second by turns."""
    turns = itertools.count()
    return lambda first, second: (first, second)[next(turns) % 2]


def named(paths: write_paths.Paths) -> list[tuple[str, str, list[Any]]]:
    return [(name, statement, []) for name, statement in paths.by_name.items()]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("prepared", CONNECTIONS.values(), ids=CONNECTIONS.keys())
async def test_no_path_of_a_connection_to_sqlite(filed: Database, prepared: list[str]) -> None:
    stored = await rows(filed)
    await filed.close()
    foreign = foreign_connection(filed, prepared)
    assert list(accepted(foreign, named(write_paths.sqlite()))) == []
    assert list(accepted(foreign, write_paths.sqlite_replaces(stored))) == []
    foreign.create_function("by_turns", 2, number_by_turns())
    assert list(accepted(foreign, write_paths.sqlite_seen_twice(stored))) == []
    assert list(accepted(foreign, [(name, note, []) for name, note in write_paths.SQLITE_NOTES.items()])) == []
    foreign.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_file_that_was_rewritten_takes_new_rows(filed: Database) -> None:
    """VACUUM gives rows without an id of their own other numbers (SQLite, "VACUUM")."""
    await filed.close()
    foreign = foreign_connection(filed, [])
    foreign.execute(f"DELETE FROM roster WHERE organization_code = '{OPEN}'")
    foreign.execute("VACUUM")
    columns = "type_th, type_code, name_th, district_th, province_code, sort_key"
    for number in range(3):
        code = f"51102{number + 10}"
        foreign.execute(
            f"INSERT INTO organization (dla_code, {columns}) SELECT ?, {columns} FROM organization LIMIT 1",
            [code],
        )
        foreign.execute("INSERT INTO roster VALUES (?, 'x.csv', '2026-01-01 00:00:00', '[]')", [code])
    foreign.close()


@pytest.mark.parametrize("prepare", ["UPDATE round SET state = 'closed'", None], ids=["closed", "open"])
async def test_the_open_round_is_the_newest(filed: Database, prepare: str | None) -> None:
    """In the open round is certified, by the newest one is locked."""
    values = "(fiscal_year, state, opened_at) VALUES (2599, '{state}', '2026-11-02 00:00:00')"
    async with filed.write() as session:
        if prepare:
            await session.execute(text(prepare))
    for statement in (
        f"INSERT INTO round {values.format(state='closed')}",
        "INSERT INTO round (id, fiscal_year, state, opened_at) VALUES (-5, 2599, 'open', '2026-11-02 00:00:00')",
        "UPDATE round SET state = 'open' WHERE fiscal_year = 2570",
    ):
        await refused(
            filed, lambda session, sql=statement: session.execute(text(sql)), "only the newest|under a new number"
        )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_path_by_the_name_of_an_attached_database(filed: Database) -> None:
    stored = await rows(filed)
    foreign = sqlite3.connect(":memory:", isolation_level=None)
    foreign.execute("ATTACH ? AS shelf", [str(filed.url.database)])
    for table in TABLES:
        foreign.execute(f"CREATE TABLE main.{table} AS SELECT * FROM shelf.{table} WHERE 0")
    assert list(accepted(foreign, named(write_paths.sqlite("shelf.")))) == []
    assert list(accepted(foreign, write_paths.sqlite_replaces(stored, "shelf."))) == []
    foreign.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_path_of_functions_in_place_of_sqlites(filed: Database) -> None:
    stored = await rows(filed)
    foreign = foreign_connection(filed, [])
    for function, arguments in foreign.execute("SELECT name, narg FROM pragma_function_list").fetchall():
        foreign.create_function(function, arguments, _nothing)
    for aggregate in ("max", "min", "count", "sum", "total"):
        foreign.create_aggregate(aggregate, 1, _Nothing)
    assert list(accepted(foreign, named(write_paths.sqlite()))) == []
    assert list(accepted(foreign, write_paths.sqlite_replaces(stored))) == []
    foreign.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_not_locked_can_be_written_by_any_connection(filed: Database) -> None:
    foreign = foreign_connection(filed, CONNECTIONS["temporary tables"])
    statements = [
        f"UPDATE main.personnel_record SET level = 'x' WHERE organization_code = '{OPEN}'",
        f"DELETE FROM main.personnel_record WHERE organization_code = '{REOPENED}'",
        f"UPDATE main.organization SET name_th = 'x' WHERE dla_code = '{LOCKED}'",
        "UPDATE main.round SET state = 'closed' WHERE fiscal_year = 2571",
    ]
    assert list(accepted(foreign, [(statement, statement, []) for statement in statements])) == statements
    foreign.close()
