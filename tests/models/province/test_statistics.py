"""A province's progress and list in numbers: what counts, by type and by day, and nothing of others."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event, func, select

from models.accounts.access import NotYours
from models.accounts.account import active_officer
from models.audit import event_chain
from models.certification.certificate import Level, Status
from models.certification.certify import reopen
from models.certification.history import UnknownCode
from models.database.engine import Database
from models.organizations.organization import Organization
from models.province.export import certificate_of_code, province_list, take_certificate, take_list
from models.province.progress import UnknownProvince
from models.province.statistics import DayCounts, NoRoundYet, province_progress
from models.rounds.round import close_round
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND, THIRD, _, ABROAD = (code for code, *_ in ORGANIZATIONS)


async def certified(country: Database, now: datetime) -> None:
    """Two organizations by themselves, one of them by the province too a day later; one next door."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, f"lao{ABROAD}", 503, ABROAD, Level.LAO, now)
    await certify_as(country, "province11", 502, FIRST, Level.PROVINCE, now + timedelta(days=1))
    await certify_as(country, f"lao{SECOND}", 504, SECOND, Level.LAO, now + timedelta(days=2))


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


async def test_the_list_has_the_whole_province_and_nothing_else(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.read() as session:
        listed = await province_list(session, "11", now)
        own = await session.scalars(
            select(Organization.dla_code).where(Organization.province_code == "11").order_by(Organization.sort_key)
        )
        assert [row.dla_code for row in listed.rows] == list(own)
    rows = {row.dla_code: row for row in listed.rows}
    assert [rows[code].status for code in (FIRST, SECOND, THIRD)] == [
        Status.PROVINCE_CERTIFIED,
        Status.LAO_CERTIFIED,
        Status.UNCERTIFIED,
    ]
    first = rows[FIRST]
    assert first.lao is not None
    assert first.province is not None
    assert first.headcount is not None
    assert (first.headcount.total, first.with_empty_menus, first.revision) == (20, 1, 1)
    assert first.province.certified_at - first.lao.certified_at == timedelta(days=1)
    assert rows[THIRD].headcount is None


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


async def test_what_bears_names_is_recorded_when_it_is_taken(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        await link(session, "province11", 502, now)
        officer = await active_officer(session, 502)
        assert officer is not None
        assert await take_list(session, officer, now) == "11"
        await take_certificate(session, officer, 1, now)
        chains = await session.execute(
            select(event_chain.AuditEvent.chain, func.count())
            .where(event_chain.AuditEvent.kind == event_chain.Event.EXPORTED)
            .group_by(event_chain.AuditEvent.chain)
        )
        assert dict(chains.all()) == {"11": 1, FIRST: 1}


async def test_nobody_takes_what_is_not_its_own(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        lao = await link(session, f"lao{ABROAD}", 503, now)
        lao_officer = await active_officer(session, lao.user_id)
        assert lao_officer is not None
        with pytest.raises(NotYours):
            await take_list(session, lao_officer, now)
        for certification_id in (1, 999):
            with pytest.raises(NotYours):
                await take_certificate(session, lao_officer, certification_id, now)
        issued = await take_certificate(session, lao_officer, 2, now)
        assert issued.made.organization_code == ABROAD


async def test_the_operator_finds_a_certificate_by_its_code(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        listed = await province_list(session, "11", now)
        code = next(row.lao.code for row in listed.rows if row.lao and row.dla_code == FIRST)
        assert (await certificate_of_code(session, f"{code[:5]}-{code[5:]}".lower(), now)).ended is None
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
        issued = await certificate_of_code(session, code, now)
        assert issued.ended is not None
        assert issued.ended.reason == "นับซ้ำ"
        with pytest.raises(UnknownCode, match="no certificate has the code 00000-00000"):
            await certificate_of_code(session, "00000-00000", now)
