"""An attacker drops the triggers and changes the audit chain or a locked roster by raw SQL: every change is
found.
"""

import random
from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import take_head
from models.certification.certificate import Level
from models.database.engine import Database
from models.operator.verification import verify
from models.schema import postgresql_triggers, sqlite_triggers
from models.succession.word_keeping import keep_words
from tests.support import ORGANIZATIONS, before_words, certify_as

CODES = [code for code, *_ in ORGANIZATIONS[:3]]


@pytest.fixture
async def filed(country: Database, now: datetime) -> tuple[Database, str]:
    """Three certified organizations, two of them by their province too, one with separately stored words; and the
    audit head that the operator has filed.
    """
    with before_words():
        await certify_as(country, f"lao{CODES[2]}", 503, CODES[2], Level.LAO, now)
    for number, code in enumerate(CODES[:2]):
        await certify_as(country, f"lao{code}", 501 + number, code, Level.LAO, now)
    for code in CODES[:2]:
        await certify_as(country, "province11", 601, code, Level.PROVINCE, now)
    async with country.write() as session:
        await keep_words(session, now)
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


async def edit_record(session: AsyncSession, rng: random.Random) -> None:
    (record,) = await pick(session, rng, f"SELECT id FROM personnel_record WHERE {_OF_LOCKED} ORDER BY id")
    column, value = rng.choice(
        [("full_name", "x"), ("position", "x"), ("level", "x"), ("menus", "---"), ("record_no", "x")]
    )
    await session.execute(
        text(f"UPDATE personnel_record SET {column} = :value WHERE id = :id"), {"value": value, "id": record}
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
        {"code": rng.choice(CODES), "number": f"x{rng.randint(0, 9999)}"},
    )


async def edit_certificate(session: AsyncSession, rng: random.Random) -> None:
    (certificate_id,) = await pick(session, rng, "SELECT id FROM certification ORDER BY id")
    change = rng.choice(
        ["officials = officials + 1", "officer_name = 'x'", "roster_digest = 'x'", "user_id = 1", *EDITED_WORDS]
    )
    await session.execute(text(f"UPDATE certification SET {change} WHERE id = :id"), {"id": certificate_id})


async def edit_words(session: AsyncSession, rng: random.Random) -> None:
    await session.execute(text(f"UPDATE certificate_words SET {rng.choice(EDITED_WORDS)}"))


async def delete_words(session: AsyncSession, _rng: random.Random) -> None:
    await session.execute(text("DELETE FROM certificate_words"))


async def delete_certificate(session: AsyncSession, rng: random.Random) -> None:
    bears_words = "id NOT IN (SELECT certification_id FROM certificate_words)"
    (certificate_id,) = await pick(session, rng, f"SELECT id FROM certification WHERE {bears_words} ORDER BY id")
    await session.execute(text("DELETE FROM certification WHERE id = :id"), {"id": certificate_id})


EDITED_WORDS = ["organization_name = 'x'", "district_th = 'x'", "province_code = '12'", "province_en = 'x'"]
_OF_LOCKED = "organization_code IN (SELECT organization_code FROM certification)"

TAMPERINGS = [
    edit_event,
    delete_event,
    truncate_chain,
    swap_events,
    edit_record,
    delete_record,
    add_record,
    edit_certificate,
    delete_certificate,
    edit_words,
    delete_words,
]


async def test_every_tampering_is_found(filed: tuple[Database, str], times: Callable[[int], int]) -> None:
    database, head = filed
    rng = random.Random(11)
    tries = times(1000)
    detected = 0
    for number in range(tries):
        async with database.write() as session:
            # Rolled back at the end, so that each tampering starts from the filed state.
            tampering = await session.begin_nested()
            await drop_triggers(session)
            await TAMPERINGS[number % len(TAMPERINGS)](session, rng)
            session.expire_all()
            assert not (await verify(session, head)).is_well, TAMPERINGS[number % len(TAMPERINGS)].__name__
            detected += 1
            await tampering.rollback()
    async with database.read() as session:
        assert (await verify(session, head)).breaks == []
    print(f"{tries} random tamperings by a direct writer: {detected} found")
