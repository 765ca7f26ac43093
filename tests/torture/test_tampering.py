"""A direct SQL writer that drops the triggers first: all it does to what is covered is found, or refused."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, Date, Enum, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import throttle
from models.accounts.account import Role
from models.audit.event_chain import SYSTEM, AuditEvent, Event, Link, record, record_all, take_head
from models.base.tables import Base, UtcDateTime
from models.certification.certificate import Level
from models.database.engine import Database
from models.links.invitation import invite
from models.operator.sealing import seal_all
from models.organizations.organization import Organization, Province, description
from models.outreach.broadcast import Audience, announce
from models.schema import postgresql_triggers, sqlite_triggers
from models.succession.closing import close
from models.succession.word_keeping import keep_words
from models.verification.verify import verify
from tests.freeze import coverage
from tests.models.audit.record import FIRST, SECOND, THIRD, live
from tests.models.succession.decisions import decided
from tests.support import ORGANIZATIONS, before_words, certify_as, link, put_roster

ENDED = ORGANIZATIONS[3][0]
LOCKED = (SECOND, THIRD, ENDED)
# Tables whose rows have seals, which a verification checks: their sealed columns are changed too.
SEALED = [model for model in coverage.tables() if hasattr(model, "SEALS")]


async def describe(session: AsyncSession, now: datetime) -> None:
    """As an import of organizations records what it describes."""
    links = []
    for table, key in ((Organization.core(), "dla_code"), (Province.core(), "code")):
        for row in (await session.execute(select(table).order_by(table.c[key]))).mappings():
            links.append(Link(Event.DESCRIBED, row[key], {"description": description(dict(row))}))
    await record_all(session, links, now)
    await record(session, Event.IMPORTED, SYSTEM, now, what="organizations", file="x", rows=5, undescribed=0)


@pytest.fixture
async def filed(country: Database, now: datetime) -> tuple[Database, str]:
    """Certified by both levels, reopened on a petition, asked and answered, closed and reopened; words that are
    kept apart, an announcement, an invitation, an organization that has ended; and the head that was filed.
    """
    async with country.write() as session:
        await describe(session, now)
        await put_roster(session, ENDED, (2, 1, 1), now)
    with before_words():
        await certify_as(country, f"lao{THIRD}", 503, THIRD, Level.LAO, now)
    await live(country, now)
    await certify_as(country, "province11", 601, SECOND, Level.PROVINCE, now)
    async with country.write() as session:
        await keep_words(session, now)
        await announce(session, Audience(Role.LAO), "ประกาศให้ทราบทั่วกัน", now)
        account = (await link(session, f"lao{FIRST}", 501, now)).account
        await invite(session, account, timedelta(minutes=10), now)
        await throttle.admit(session, [throttle.chat_key(777)], now)
        await close(session, ENDED, decided(now), now)
        await seal_all(session, now)
        return country, await take_head(session, now)


async def drop_triggers(session: AsyncSession) -> None:
    if session.get_bind().dialect.name == "sqlite":
        for name in sqlite_triggers.SQLITE:
            await session.execute(text(f"DROP TRIGGER {name}"))
        return
    for name, trigger in postgresql_triggers.POSTGRESQL.items():
        await session.execute(text(f"DROP TRIGGER {name} ON {trigger.table}"))


async def pick(session: AsyncSession, rng: random.Random, query: str) -> tuple[object, ...]:
    rows = [tuple(row) for row in await session.execute(text(query))]
    return rng.choice(rows)


async def edit_event(session: AsyncSession, rng: random.Random) -> None:
    (event,) = await pick(session, rng, "SELECT id FROM audit_event ORDER BY id")
    column = rng.choice(["details", "kind", "mac", "chain", "key_id"])
    await session.execute(
        text(f"UPDATE audit_event SET {column} = :value WHERE id = :id"),
        {"value": f"x{rng.randint(0, 999999)}", "id": event},
    )


async def delete_event(session: AsyncSession, rng: random.Random) -> None:
    (event,) = await pick(session, rng, "SELECT id FROM audit_event WHERE kind <> 'head' ORDER BY id")
    await session.execute(text("DELETE FROM audit_event WHERE id = :id"), {"id": event})


async def truncate_chain(session: AsyncSession, rng: random.Random) -> None:
    chain, number = await pick(
        session, rng, "SELECT chain, number FROM audit_event WHERE kind <> 'head' ORDER BY id"
    )
    await session.execute(
        text("DELETE FROM audit_event WHERE chain = :chain AND number >= :number"),
        {"chain": chain, "number": number},
    )


async def swap_events(session: AsyncSession, rng: random.Random) -> None:
    chain, _ = await pick(
        session, rng, "SELECT chain, count(*) FROM audit_event GROUP BY chain HAVING count(*) > 1 ORDER BY chain"
    )
    rows = await session.execute(
        text("SELECT number FROM audit_event WHERE chain = :chain ORDER BY number"), {"chain": chain}
    )
    one, other = rng.sample([number for (number,) in rows], 2)
    for old, new in ((one, -1), (other, one), (-1, other)):
        await session.execute(
            text("UPDATE audit_event SET number = :new WHERE chain = :chain AND number = :old"),
            {"chain": chain, "old": old, "new": new},
        )


async def delete_record(session: AsyncSession, rng: random.Random) -> None:
    (record,) = await pick(session, rng, f"SELECT id FROM personnel_record WHERE {_OF_LOCKED} ORDER BY id")
    await session.execute(text("DELETE FROM personnel_record WHERE id = :id"), {"id": record})


async def add_record(session: AsyncSession, rng: random.Random) -> None:
    await session.execute(
        text(
            "INSERT INTO personnel_record"
            " (organization_code, record_no, full_name, category, position, level, menus)"
            " VALUES (:code, :number, 'x', 'official', 'x', 'x', 'rrr')"
        ),
        {"code": rng.choice(LOCKED), "number": f"x{rng.randint(0, 9999)}"},
    )


async def delete_words(session: AsyncSession, _rng: random.Random) -> None:
    await session.execute(text("DELETE FROM certificate_words"))


async def delete_certificate(session: AsyncSession, rng: random.Random) -> None:
    bears_words = "id NOT IN (SELECT certification_id FROM certificate_words)"
    (certificate_id,) = await pick(session, rng, f"SELECT id FROM certification WHERE {bears_words} ORDER BY id")
    await session.execute(text("DELETE FROM certification WHERE id = :id"), {"id": certificate_id})


_OF_LOCKED = f"organization_code IN {LOCKED}"


# --- any column that is covered -----------------------------------------------------------------------------


def covered_columns() -> list[tuple[type[Base], str]]:
    """Every column that a table declares as covered (models/base/coverage.py), the tables in turn."""
    by_table = []
    for model in coverage.tables():
        declared = coverage.coverage_of(model)
        covers = declared.events | (declared.sealed if model in SEALED else frozenset())
        by_table.append([(model, name) for name in coverage.columns(model) if name in covers])
    return [column for columns in by_table for column in columns]


def another(rng: random.Random, column: Column[Any], value: Any) -> Any:
    """Another value that the column has room for."""
    if isinstance(column.type, Enum):
        return rng.choice([member for member in column.type.enum_class or () if member is not value])
    changed: dict[type, Callable[[Any], Any]] = {
        bool: lambda value: not value,
        int: lambda value: value + rng.choice([1, -1, rng.randint(2, 10**6)]),
        datetime: lambda value: value + timedelta(days=rng.randint(1, 999)),
        date: lambda value: value + timedelta(days=rng.randint(1, 999)),
        bytes: lambda value: value[:-1] + bytes([value[-1] ^ 1]),
        list: lambda value: [*value, "x"],
    }
    length = getattr(column.type, "length", None)
    return changed.get(type(value), lambda _: f"x{rng.randint(0, 999999)}"[:length])(value)


def something(rng: random.Random, column: Column[Any]) -> Any:
    """A value in place of none."""
    if isinstance(column.type, Enum):
        return rng.choice(list(column.type.enum_class or ()))
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    if isinstance(column.type, Date):
        return date(2026, 1, 1)
    return {bool: True, int: 1}.get(column.type.python_type, "x")


async def edit_covered(session: AsyncSession, rng: random.Random) -> str:
    """Change one covered column of one row; which one it was."""
    columns = covered_columns()
    while True:
        model, name = rng.choice(columns)
        table = model.core()
        column, keys = table.c[name], list(table.primary_key)
        rows = [dict(row) for row in (await session.execute(select(table).order_by(*keys))).mappings()]
        rows = [row for row in rows if is_covered(model, row)]
        if not rows:
            continue
        row = rng.choice(rows)
        if column.foreign_keys and row[name] is not None:
            (key,) = column.foreign_keys
            others = list(await session.scalars(select(key.column).where(key.column != row[name])))
            if not others:
                continue
            value = rng.choice(sorted(others))
        else:
            value = something(rng, column) if row[name] is None else another(rng, column, row[name])
        is_it = [key == row[key.key] for key in keys]
        await session.execute(update(table).where(*is_it).values({name: value}))
        return f"{table.name}.{name} of {[row[key.key] for key in keys]}: {row[name]!r} became {value!r}"


def is_covered(model: type[Base], row: dict[str, Any]) -> bool:
    """Registers are covered while they are locked; the head that was filed does not cover its own event."""
    if model.core().name in ("personnel_record", "roster"):
        return row["organization_code"] in LOCKED
    return model is not AuditEvent or row["kind"] != Event.HEAD


async def delete_covered(session: AsyncSession, rng: random.Random) -> str:
    """Delete one row of a table of which something is recorded."""
    recorded = [model for model in coverage.tables() if coverage.coverage_of(model).events]
    while True:
        table = (model := rng.choice(recorded)).core()
        keys = list(table.primary_key)
        rows = [dict(row) for row in (await session.execute(select(table).order_by(*keys))).mappings()]
        rows = [row for row in rows if is_covered(model, row)]
        if rows:
            row = rng.choice(rows)
            await session.execute(delete(table).where(*(key == row[key.key] for key in keys)))
            return f"{table.name} {[row[key.key] for key in keys]} deleted"


async def invent(session: AsyncSession, rng: random.Random) -> str:
    """Insert a copy of a row under another key, with other values where they must be unique."""
    recorded = [model for model in coverage.tables() if coverage.coverage_of(model).events]
    while True:
        table = (model := rng.choice(recorded)).core()
        keys = list(table.primary_key)
        rows = [dict(row) for row in (await session.execute(select(table).order_by(*keys))).mappings()]
        rows = [row for row in rows if is_covered(model, row)]
        if rows:
            row = rng.choice(rows)
            unique = {
                column.key
                for column in table.columns
                if column.unique or (column.primary_key and not column.foreign_keys)
            }
            changed = {name: another(rng, table.c[name], row[name]) for name in unique if row[name] is not None}
            await session.execute(insert(table).values(row | changed))
            return f"{table.name}: {changed} invented"


TAMPERINGS = [
    edit_covered,
    edit_event,
    edit_covered,
    delete_event,
    edit_covered,
    truncate_chain,
    edit_covered,
    swap_events,
    edit_covered,
    delete_record,
    edit_covered,
    add_record,
    edit_covered,
    delete_covered,
    edit_covered,
    invent,
    edit_covered,
    delete_words,
    edit_covered,
    delete_certificate,
]


def test_every_covered_table_is_among_those_that_are_changed() -> None:
    assert len({model for model, _ in covered_columns()}) >= (20 if SEALED else 17)


async def test_every_covered_column_can_be_changed_in_what_was_filed(
    filed: tuple[Database, str], times: Callable[[int], int]
) -> None:
    """No table is left out because nothing stands in it."""
    database, _ = filed
    async with database.read() as session:
        for model in {model for model, _ in covered_columns()}:
            rows = (await session.execute(select(model.core()))).mappings()
            assert [row for row in rows if is_covered(model, dict(row))], model.core().name


async def test_every_tampering_is_found(filed: tuple[Database, str], times: Callable[[int], int]) -> None:
    database, head = filed
    rng = random.Random(11)
    tries = times(1000)
    found = refused = 0
    async with database.read() as session:
        assert (await verify(session, head)).breaks == []
    while found < tries:
        tampering = TAMPERINGS[(found + refused) % len(TAMPERINGS)]
        async with database.write() as session:
            # Rolled back at the end, so that each starts from what was filed.
            undo = await session.begin_nested()
            await drop_triggers(session)
            try:
                async with session.begin_nested():
                    what = await tampering(session, rng)
            except IntegrityError:
                # Two of the same, or a row that others refer to: the database itself keeps that.
                refused += 1
            else:
                session.expunge_all()
                assert not (await verify(session, head)).is_well, what or tampering.__name__
                found += 1
            await undo.rollback()
    async with database.read() as session:
        assert (await verify(session, head)).breaks == []
    print(f"{tries} random tamperings by a direct writer: {found} found, {refused} more refused by the database")
