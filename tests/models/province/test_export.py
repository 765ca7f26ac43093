"""What is taken away: a list of the own province, a certificate that one may see, and what is recorded of it."""

import json
import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from models.accounts.access import NotYours
from models.accounts.account import active_officer
from models.audit import event_chain
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Level, Status
from models.certification.certify import reopen
from models.certification.history import UnknownCode
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.organizations.organization import Organization
from models.province.export import (
    ExportedCertification,
    ExportedOrganization,
    Signed,
    certificate_of_code,
    exported_certifications,
    province_list,
    take_certificate,
    take_list,
)
from models.province.progress import UnknownProvince
from models.rounds.round import close_round, open_round
from models.spot_checks.spot_checking import draw, hand_in, mark
from tests.models.province.days import ABROAD, FIRST, SECOND, THIRD, certified
from tests.support import certify_as, link


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


async def test_the_list_says_what_waits_for_the_operator(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, f"lao{SECOND}", 503, SECOND, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, "province11", 601, now)
        found = await draw(session, officer, FIRST, now, random.Random(1), size=1)
        await mark(session, officer, FIRST, found.check.id, 1, Mark.INCORRECT, "ตำแหน่งไม่ตรง", now)
        await hand_in(session, officer, FIRST, found.check.id, now, None)
        listed = await province_list(session, "11", now)
    assert [row.dla_code for row in listed.rows if row.is_blocked] == [FIRST]


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
        assert issued.certificate.organization_code == ABROAD


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


def province_of(row: ExportedCertification) -> str:
    words = row.certification.words
    return words.province_code if words else ""


async def exported(database: Database, province: str | None = None) -> list[tuple[int, str, str, Level]]:
    async with database.read() as session:
        return [
            (row.fiscal_year, province_of(row), row.certification.organization_code, row.certification.level)
            async for row in exported_certifications(session, province)
        ]


async def test_all_certificates_are_exported_newest_round_first(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
        await close_round(session, now)
        await open_round(session, 2571, None, now)
    await certify_as(country, f"lao{SECOND}", 504, SECOND, Level.LAO, now)
    old = [
        # Thai dictionary order; ended ones too, for they were made.
        (2570, "11", SECOND, Level.LAO),
        (2570, "11", FIRST, Level.LAO),
        (2570, "11", FIRST, Level.PROVINCE),
    ]
    assert await exported(country, "11") == [(2571, "11", SECOND, Level.LAO), *old]
    assert await exported(country, "12") == [(2570, "12", ABROAD, Level.LAO)]
    assert await exported(country) == [(2571, "11", SECOND, Level.LAO), *old, (2570, "12", ABROAD, Level.LAO)]
    assert await exported(country, "99") == []


def test_the_status_in_a_list_follows_from_who_signed(now: datetime) -> None:
    signed = Signed("ทดสอบ", "ปลัด", now, False, "0123456789", "อบต.บางปู", None)
    place = (FIRST, "อบต.", "อบต.บางปู", "เมือง")
    assert ExportedOrganization(*place).status is Status.UNCERTIFIED
    assert ExportedOrganization(*place, lao=signed).status is Status.LAO_CERTIFIED
    assert ExportedOrganization(*place, lao=signed, province=signed).status is Status.PROVINCE_CERTIFIED


async def test_a_list_is_of_the_newest_round(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        await close_round(session, now)
        assert {row.status for row in (await province_list(session, "11", now)).rows} == set(Status)
        await open_round(session, 2571, None, now)
        listed = await province_list(session, "11", now)
        assert (listed.fiscal_year, listed.province_th, listed.as_of) == (2571, "สมุทรปราการ", now)
        assert {row.status for row in listed.rows} == {Status.UNCERTIFIED}
        with pytest.raises(UnknownProvince, match="no province 99"):
            await province_list(session, "99", now)


async def test_the_record_says_what_was_taken_by_whom(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        officer = await link(session, "province11", 502, now)
        await take_list(session, officer, now)
        issued = await take_certificate(session, officer, 1, now)
        assert (issued.issued_at, issued.ended, issued.certificate.province_code) == (now, None, "11")
        events = await session.scalars(
            select(AuditEvent.details).where(AuditEvent.kind == Event.EXPORTED).order_by(AuditEvent.id)
        )
        assert [json.loads(details) for details in events] == [
            {"what": "organizations", "organizations": 4, "officer": officer.id},
            {"what": "certificate", "certificate": issued.certificate.code, "officer": officer.id},
        ]


async def test_a_certificate_that_was_ended_says_so(country: Database, now: datetime) -> None:
    await certified(country, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
        officer = await link(session, f"lao{FIRST}", 501, now)
        ended = (await take_certificate(session, officer, 1, now)).ended
        assert ended is not None
        assert ended.reason == "นับซ้ำ"
