"""No question of the chat reads a table as large as the nation: each names the organizations that it is about.

Every SELECT that the operations of benchmarks/scale.py issue is explained, in a country with so many organizations
of another province that a plan which reads them all would be a bad one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Table, event, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.scale import FOR_WAITING, OPERATIONS
from models.audit.event_chain import AuditEvent
from models.base.tables import UtcDateTime
from models.certification.certificate import Certification, Level, Reopening
from models.certification.remark import Remark, RemarkKind
from models.certification.spot_check import SpotCheck, SpotCheckItem
from models.certification.words import CertificateWords, Words
from models.database.engine import Database
from models.organizations.organization import Organization
from models.register.certified import CertifiedRegister
from models.register.roster import PersonnelRecord, Roster
from tests.support import ORGANIZATIONS, certify_as, link

CODE, WAITING, PROVINCE = ORGANIZATIONS[0][0], ORGANIZATIONS[1][0], ORGANIZATIONS[0][4]
MORE = 1000

# Tables with rows of all organizations, and the columns that narrow a search in them to an organization or a row.
NATION_SIZED = {
    "personnel_record": {"organization_code", "id"},
    "roster": {"organization_code"},
    "certification": {"organization_code", "id", "code"},
    "certificate_words": {"certification_id"},
    "reopening": {"organization_code", "id"},
    "remark": {"organization_code", "id", "answers_id"},
    "audit_event": {"chain", "id"},
    "spot_check": {"organization_code", "id"},
    "spot_check_item": {"spot_check_id"},
    "certified_register": {"reopening_id", "id"},
    "organization": {"province_code", "dla_code"},
    "confirmation": {"nonce"},
}


@dataclass(frozen=True)
class Access:
    """How a plan reaches one table: the condition on an index, empty for a scan."""

    table: str
    condition: str

    def is_narrow(self) -> bool:
        """Whether it reads only what belongs to some organizations; small tables may be read whole."""
        columns = NATION_SIZED.get(self.table)
        return columns is None or any(re.search(rf"\b{column}\b", self.condition) for column in columns)


async def explain(database: Database, statement: str, parameters: Any) -> list[Access]:
    async with database.engine.connect() as connection:
        if database.is_sqlite:
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return list(_sqlite_accesses(statement, [row[-1] for row in rows]))
        plan = (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)).scalar_one()
        return list(_postgresql_accesses((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def _sqlite_accesses(statement: str, steps: list[str]) -> Iterator[Access]:
    """`SCAN name`, `SEARCH name USING INDEX index (column=? AND …)`; the name is the table's or its alias."""
    aliases = dict(re.findall(r"(?:FROM|JOIN|,) (\w+) AS (\w+)", statement))
    names = {alias: table for table, alias in aliases.items()} | {
        alias: table for table, alias in re.findall(r"\b(\w+) AS (\w+)", statement) if table in NATION_SIZED
    }
    for step in steps:
        if found := re.match(r"(?:SCAN|SEARCH) (\w+)(.*)", step):
            name, how = found.groups()
            condition = how[how.find("(") :] if "(" in how else ""
            yield Access(names.get(name, name), condition.replace("rowid", "id"))


def _postgresql_accesses(node: dict[str, Any]) -> Iterator[Access]:
    if "Relation Name" in node:
        yield Access(node["Relation Name"], node.get("Index Cond", node.get("Recheck Cond", "")))
    for inner in node.get("Plans", []):
        yield from _postgresql_accesses(inner)


async def _copy(session: AsyncSession, model: type[Any]) -> None:
    """The rows of the first organization once more for each of the new ones."""
    table: Table = model.__table__
    changed: dict[str, Any] = {"organization_code": Organization.dla_code}
    if model is Certification:
        changed["code"] = Organization.dla_code + func.substr(table.c.level, 1, 1)
    kept = [column for column in table.columns if column.name not in {"id", *changed}]
    copies = (
        select(*changed.values(), *kept)
        .join_from(table, Organization, Organization.dla_code.startswith("9"))
        .where(table.c.organization_code == CODE)
    )
    await session.execute(insert(table).from_select([*changed, *(column.name for column in kept)], copies))


@pytest.fixture
async def nation(country: Database, now: datetime) -> Database:
    """The country with many more organizations like the first one, one of twenty in the same province."""
    async with country.write() as session:
        first = await session.get_one(Organization, CODE)
        shared = {column.name: getattr(first, column.name) for column in Organization.__table__.columns}
        others = [
            shared | {"dla_code": f"9{number:06}", "province_code": "12" if number % 20 else PROVINCE}
            for number in range(MORE)
        ]
        await session.execute(insert(Organization), others)
        await _copy(session, Roster)
        await _copy(session, PersonnelRecord)
    await certify_as(country, f"lao{CODE}", 501, CODE, Level.LAO, now)
    await certify_as(country, f"province{PROVINCE}", 502, CODE, Level.PROVINCE, now)
    await certify_as(country, f"lao{WAITING}", 503, WAITING, Level.LAO, now)
    async with country.write() as session:
        await _copy(session, Certification)
        words = {field.name: literal("ก") for field in fields(Words)} | {"kept_at": literal(now, UtcDateTime())}
        of_all = select(Certification.id, *words.values())
        await session.execute(insert(CertificateWords).from_select(["certification_id", *words], of_all))
        one = {"round_id": 1, "revision": 9}
        codes = [{"organization_code": other["dla_code"]} for other in others]
        ended = {"by_name": "ก", "reason": "ข", "reopened_at": now}
        await session.execute(insert(Reopening), [code | one | ended for code in codes])
        registers = select(Reopening.id, literal(False), literal(b"", LargeBinary)).where(Reopening.revision == 9)
        kept = ["reopening_id", "by_province", "sealed"]
        await session.execute(insert(CertifiedRegister).from_select(kept, registers))
        drawn = {"officer_id": 1, "seed": "0", "drawn_at": now, "basis": "{}"}
        await session.execute(insert(SpotCheck), [code | one | drawn for code in codes])
        items = select(SpotCheck.id, literal(1), literal("0001")).where(SpotCheck.revision == 9)
        await session.execute(insert(SpotCheckItem).from_select(["spot_check_id", "place", "record_no"], items))
        said = {"kind": RemarkKind.PETITION, "body": "ก", "author": "ข", "made_at": now}
        await session.execute(insert(Remark), [code | one | said for code in codes])
        # A table of a few rows is read whole, index or not.
        event_row = {"number": 1, "kind": "x", "at": now, "details": "{}", "key_id": "0" * 8, "mac": "0" * 64}
        await session.execute(
            insert(AuditEvent), [event_row | {"chain": f"of {code['organization_code']}"} for code in codes]
        )
    if not country.is_sqlite:
        async with country.engine.begin() as connection:
            await connection.exec_driver_sql("ANALYZE")
    return country


async def test_an_operation_reads_only_what_it_is_about(nation: Database, now: datetime) -> None:
    issued: list[tuple[str, str, Any]] = []
    operation = ""

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            issued.append((operation, statement, parameters))

    async with nation.write() as session:
        officer = await link(session, f"province{PROVINCE}", 502, now)
        event.listen(nation.engine.sync_engine, "before_cursor_execute", note)
        for operation in OPERATIONS:
            code = WAITING if operation in FOR_WAITING else CODE
            await OPERATIONS[operation](session, officer, code, Random(1))
        event.remove(nation.engine.sync_engine, "before_cursor_execute", note)
    assert {operation for operation, *_ in issued} == set(OPERATIONS)
    wide = [
        (operation, access.table, access.condition, statement)
        for operation, statement, parameters in issued
        for access in await explain(nation, statement, parameters)
        if not access.is_narrow()
    ]
    assert wide == []


WIDE = {
    "SELECT * FROM personnel_record WHERE category = 'official'": "personnel_record",
    "SELECT lao.id FROM certification AS lao WHERE lao.level = 'lao'": "certification",
    "SELECT officer_name FROM certification WHERE round_id = 1": "certification",
    "SELECT dla_code FROM organization WHERE province_code = '11' AND EXISTS"
    " (SELECT 1 FROM remark AS one WHERE one.body LIKE 'a%')": "remark",
}
NARROW = (
    "SELECT * FROM personnel_record WHERE organization_code = '1'",
    "SELECT lao.id FROM certification AS lao WHERE lao.id = 1",
    "SELECT * FROM round ORDER BY opened_at",
)


async def test_a_wide_question_is_told_from_a_narrow_one(nation: Database) -> None:
    for statement, table in WIDE.items():
        found = await explain(nation, statement, ())
        assert [access.table for access in found if not access.is_narrow()] == [table]
    for statement in NARROW:
        found = await explain(nation, statement, ())
        assert found
        assert all(access.is_narrow() for access in found)
