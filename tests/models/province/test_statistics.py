"""A province's progress in numbers: what counts, by type and by day, and nothing of others."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event

from models.certification.certificate import Level, Status
from models.certification.certify import reopen
from models.database.engine import Database
from models.province.export import province_list
from models.province.progress import UnknownProvince
from models.province.statistics import DayCounts, NoRoundYet, province_progress
from models.rounds.round import close_round
from tests.models.province.days import FIRST, THIRD, certified
from tests.support import certify_as


async def test_by_type(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.read() as session:
        found = await province_progress(session, "11", now + timedelta(days=2))
    assert [(one.type_th, one.uncertified, one.lao_certified, one.province_certified) for one in found.types] == [
        ("เทศบาลตำบล", 0, 0, 1),
        ("อบต.", 2, 1, 0),
    ]
    assert (found.total.total, found.total.uncertified, found.total.province_certified) == (4, 2, 1)
    assert (found.province_th, found.fiscal_year, found.closes_on) == ("สมุทรปราการ", 2570, date(2027, 9, 15))


async def test_by_day_in_bangkok(country: Database, now: datetime) -> None:
    await certified(country, now)
    # 00.30 in Bangkok is the evening before in UTC.
    late = (now + timedelta(days=2)).replace(hour=17, minute=30)
    await certify_as(country, f"lao{THIRD}", 505, THIRD, Level.LAO, late)
    async with country.read() as session:
        found = await province_progress(session, "11", late)
    first = date(2026, 11, 2)
    assert found.days == (
        DayCounts(first, 1, 0),
        DayCounts(first + timedelta(days=1), 1, 1),
        DayCounts(first + timedelta(days=2), 2, 1),
        DayCounts(first + timedelta(days=3), 3, 1),
    )


async def test_a_reopened_revision_counts_on_no_day(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now + timedelta(days=2))
        found = await province_progress(session, "11", now + timedelta(days=3))
        listed = await province_list(session, "11", now + timedelta(days=3))
    assert found.total.province_certified == 0
    assert [(one.lao, one.province) for one in found.days] == [(0, 0), (0, 0), (1, 0), (1, 0)]
    assert {row.dla_code: row.status for row in listed.rows}[FIRST] is Status.UNCERTIFIED


async def test_the_days_end_when_the_round_does(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        await close_round(session, now + timedelta(days=4))
        found = await province_progress(session, "11", now + timedelta(days=40))
    assert (len(found.days), found.days[-1].lao) == (5, 2)


async def test_before_the_first_round(database: Database, now: datetime) -> None:
    async with database.read() as session:
        with pytest.raises(UnknownProvince, match="no province 11"):
            await province_progress(session, "11", now)


async def test_without_a_round(country: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_session: object) -> None:
        return None

    monkeypatch.setattr("models.province.statistics.current_round", none)
    monkeypatch.setattr("models.province.export.current_round", none)
    async with country.read() as session:
        with pytest.raises(NoRoundYet, match="laocert round open"):
            await province_progress(session, "11", now)
        listed = await province_list(session, "11", now)
    assert (listed.fiscal_year, len(listed.rows)) == (None, 4)


async def test_few_queries_whatever_the_size(country: Database, now: datetime) -> None:
    await certified(country, now)
    for load in (province_progress, province_list):
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        engine = country.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        async with country.read() as session:
            await load(session, "11", now)
        event.remove(engine, "before_cursor_execute", note)
        selects = [statement for statement in seen if statement.lstrip().upper().startswith("SELECT")]
        assert len(selects) <= 5
        assert not any("personnel_record" in statement for statement in selects)
