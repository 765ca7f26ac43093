"""What is taken away: a list of the own province, a certificate that one may see, and what is recorded of it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from models.accounts.access import NotYours
from models.accounts.account import active_officer
from models.audit import event_chain
from models.certification.certificate import Status
from models.certification.certify import reopen
from models.certification.history import UnknownCode
from models.database.engine import Database
from models.organizations.organization import Organization
from models.province.export import certificate_of_code, province_list, take_certificate, take_list
from tests.models.province.days import ABROAD, FIRST, SECOND, THIRD, certified
from tests.support import link


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
