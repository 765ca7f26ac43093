"""A certificate says what its organization was called and where it lay at the press, whatever comes after."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text

from models.accounts.access import NotYours
from models.accounts.account import active_officer
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Certification, Level
from models.certification.certify import certify, prepare_confirmation, reopen, review_confirmation
from models.certification.history import UnknownCode, find_by_code, load_certification, load_history
from models.certification.review import RosterChanged, own_status, review
from models.certification.words import Words
from models.database.engine import Database, Session
from models.organizations.organization import Organization, Province
from models.province.export import exported_certifications, province_list, take_certificate
from models.rounds.round import close_round, open_round
from tests.support import DEMANDS, ORGANIZATIONS, certify_as, link, pass_spot_check, seal_organizations

FIRST, SECOND, *_, ABROAD = (code for code, *_ in ORGANIZATIONS)
THEN = Words("เทศบาลตำบลบางปู", "เทศบาลตำบล", "เมืองสมุทรปราการ", "11", "สมุทรปราการ", "Samut Prakan")
NOW = Words("เทศบาลเมืองบางปูใหม่", "เทศบาลเมือง", "บางใหญ่", "12", "นนทบุรี", "Nonthaburi")
# What an import, or anybody who may write, changes of an organization.
CHANGES = {
    "name": f"UPDATE organization SET name_th = 'บางปูใหม่' WHERE dla_code = '{FIRST}'",
    "type": f"UPDATE organization SET type_th = 'เทศบาลเมือง' WHERE dla_code = '{FIRST}'",
    "a silent type": f"UPDATE organization SET type_code = 'special_admin_area' WHERE dla_code = '{FIRST}'",
    "district": f"UPDATE organization SET district_th = 'บางใหญ่' WHERE dla_code = '{FIRST}'",
    "province": f"UPDATE organization SET province_code = '12' WHERE dla_code = '{FIRST}'",
    "the province's name": "UPDATE province SET name_th = 'ปากน้ำ' WHERE code = '11'",
    "the province's English name": "UPDATE province SET name_en = 'Paknam' WHERE code = '11'",
}


async def execute(database: Database, *statements: str) -> None:
    async with database.write() as session:
        for statement in statements:
            await session.execute(text(statement))
        await seal_organizations(session)


async def rename_and_move(database: Database) -> None:
    """From THEN to NOW."""
    await execute(database, *(CHANGES[what] for what in ("name", "type", "district", "province")))


async def next_round(database: Database, year: int, now: datetime) -> None:
    async with database.write() as session:
        await close_round(session, now)
    async with database.write() as session:
        await open_round(session, year, None, now)


@pytest.fixture
async def certified(country: Database, now: datetime) -> Database:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    return country


async def test_the_words_are_columns_and_part_of_the_event(certified: Database) -> None:
    async with certified.read() as session:
        events = await session.scalars(select(AuditEvent.details).where(AuditEvent.kind == Event.CERTIFIED))
        told = [json.loads(details)["certificate"] for details in events]
        made = list(await session.scalars(select(Certification)))
    assert [one.words for one in made] == [THEN, THEN]
    assert [one.words_kept_at for one in made] == [None, None]
    assert [{name: facts[name] for name in asdict(THEN)} for facts in told] == [asdict(THEN)] * 2


async def test_the_special_area_is_called_by_its_name_alone(country: Database, now: datetime) -> None:
    await execute(country, CHANGES["a silent type"])
    made = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    assert made.words == replace(THEN, organization_name="บางปู")


async def test_nothing_that_comes_after_changes_them(certified: Database, now: datetime) -> None:
    """In whatever way the certificate is read; what the organization is called now stands where that is meant."""
    await next_round(certified, 2571, now)
    await rename_and_move(certified)
    async with certified.write() as session:
        lao = await link(session, f"lao{FIRST}", 501, now)
        found = await load_history(session, lao, FIRST)
        assert (found.words, found.has_left) == (NOW, False)
        assert [one.words for one in found.certificates] == [THEN, THEN]
        for one in found.certificates:
            assert (await find_by_code(session, lao, one.code))[0].words == THEN
            assert (await load_certification(session, one.id)).words == THEN
            assert (await take_certificate(session, lao, one.id, now)).certificate.words == THEN
        exported = [row.certification.words async for row in exported_certifications(session)]
        assert exported == [THEN, THEN]
    await certify_as(certified, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with certified.read() as session:
        (row,) = [row for row in (await province_list(session, "12", now)).rows if row.dla_code == FIRST]
        assert row.lao is not None
        assert (row.full_name, row.lao.organization_name) == (NOW.organization_name,) * 2
    await execute(certified, f"UPDATE organization SET name_th = 'อื่น' WHERE dla_code = '{FIRST}'")
    async with certified.read() as session:
        (row,) = [row for row in (await province_list(session, "12", now)).rows if row.dla_code == FIRST]
        assert row.lao is not None
        assert (row.full_name, row.lao.organization_name) == ("เทศบาลเมืองอื่น", NOW.organization_name)


# --- between the warning and the press --------------------------------------------------------------------


async def warned(session: Session, level: Level, now: datetime) -> str:
    """The nonce of a warning that was shown to an officer of the organization, or of its province."""
    if level is Level.LAO:
        officer = await link(session, f"lao{FIRST}", 501, now)
    else:
        officer = await link(session, "province11", 601, now)
        await pass_spot_check(session, officer, FIRST, now, random.Random(1))
    seen = await review(session, officer, FIRST)
    asked, _ = await prepare_confirmation(
        session, officer, level, FIRST, seen.fingerprint(level), now, random.Random(2), demands=DEMANDS
    )
    return asked.nonce


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("change", CHANGES)
async def test_what_changes_before_the_press_is_not_certified_unseen(
    country: Database, now: datetime, change: str, level: Level
) -> None:
    user = 501
    if level is Level.PROVINCE:
        await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
        user = 601
    async with country.write() as session:
        nonce = await warned(session, level, now)
    await execute(country, CHANGES[change])
    # A province has no more to say of an organization that it has lost.
    refusal = NotYours if (change, level) == ("province", Level.PROVINCE) else RosterChanged
    for press in (review_confirmation, certify):
        async with country.write() as session:
            officer = await active_officer(session, user)
            assert officer is not None
            more: dict[str, Any] = {"rng": random.Random(3)} if press is certify else {}
            with pytest.raises(refusal) as refused:
                await press(session, officer, nonce, now, demands=DEMANDS, **more)  # type: ignore[operator]
            if isinstance(refused.value, RosterChanged):
                organization = await session.get_one(Organization, FIRST)
                province = await session.get_one(Province, organization.province_code)
                shown = refused.value.review.words
                assert shown != THEN
                assert (shown.organization_name, shown.district_th) == (
                    organization.full_name,
                    organization.district_th,
                )
                assert (shown.province_code, shown.province_th, shown.province_en) == (
                    province.code,
                    province.name_th,
                    province.name_en,
                )
    async with country.read() as session:
        made = await session.scalars(select(Certification.level).where(Certification.level == level))
        assert list(made) == []


@pytest.mark.parametrize("change", CHANGES)
async def test_a_button_of_a_review_with_other_words_warns_of_nothing(
    country: Database, now: datetime, change: str
) -> None:
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        fingerprint = (await review(session, officer, FIRST)).fingerprint(Level.LAO)
    await execute(country, CHANGES[change])
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        with pytest.raises(RosterChanged):
            await prepare_confirmation(
                session, officer, Level.LAO, FIRST, fingerprint, now, random.Random(1), demands=DEMANDS
            )


async def test_what_belongs_to_one_word_is_not_taken_for_anothers(country: Database, now: datetime) -> None:
    """Two places whose words are the same letters in a row have other fingerprints."""
    fingerprints = set()
    for name, district in (("ก/ข", "ค"), ("ก", "ข/ค"), ("ก', 'ข", "ค"), ("ก", "ข', 'ค")):
        async with country.write() as session:
            organization = await session.get_one(Organization, FIRST)
            organization.type_th, organization.name_th, organization.district_th = "", name, district
            await session.flush()
            officer = await link(session, f"lao{FIRST}", 501, now)
            fingerprints.add((await review(session, officer, FIRST)).fingerprint(Level.LAO))
    assert len(fingerprints) == 4


# --- who sees it ------------------------------------------------------------------------------------------


async def test_a_certificate_is_seen_where_it_was_made_and_where_its_organization_is(
    certified: Database, now: datetime
) -> None:
    """The province of before sees its own, and nothing that came after."""
    async with certified.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "เหตุของจังหวัดเดิม", now)
    await next_round(certified, 2571, now)
    await rename_and_move(certified)
    later = await certify_as(certified, f"lao{FIRST}", 501, FIRST, Level.LAO, now + timedelta(days=1))
    async with certified.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "เหตุของจังหวัดใหม่", now)
        before, after = await link(session, "province11", 601, now), await link(session, "province12", 602, now)
        whole = await load_history(session, after, FIRST)
        assert [one.words for one in whole.certificates] == [NOW, THEN, THEN]
        assert (whole.words, whole.has_left, len(whole.reopenings)) == (NOW, False, 2)
        own = await load_history(session, before, FIRST)
        assert [one.words for one in own.certificates] == [THEN, THEN]
        assert (own.words, own.has_left) == (THEN, True)
        assert [one.reason for one in own.reopenings] == ["เหตุของจังหวัดเดิม"]
        for one in own.certificates:
            for officer in (before, after):
                assert (await find_by_code(session, officer, one.code))[0].id == one.id
                assert (await take_certificate(session, officer, one.id, now)).certificate.id == one.id
        with pytest.raises(UnknownCode):
            await find_by_code(session, before, later.code)
        with pytest.raises(NotYours):
            await take_certificate(session, before, later.id, now)
        with pytest.raises(NotYours):
            await review(session, before, FIRST)
        exported = {
            province: [row.certification.id async for row in exported_certifications(session, province)]
            for province in ("11", "12")
        }
        assert exported == {"11": [1, 2], "12": [later.id, 1, 2]}


async def test_nobody_else_sees_more_by_it(certified: Database, now: datetime) -> None:
    await certify_as(certified, f"lao{ABROAD}", 503, ABROAD, Level.LAO, now)
    async with certified.write() as session:
        (made,) = await session.scalars(select(Certification).where(Certification.organization_code == ABROAD))
        for username, user in (("province11", 601), (f"lao{FIRST}", 501)):
            officer = await link(session, username, user, now)
            for code in (ABROAD, "9999999"):
                with pytest.raises(NotYours):
                    await load_history(session, officer, code)
            with pytest.raises(UnknownCode):
                await find_by_code(session, officer, made.code)
            with pytest.raises(NotYours):
                await take_certificate(session, officer, made.id, now)
        # What was never certified here is not this province's for having been here.
        await session.execute(text(f"UPDATE organization SET province_code = '12' WHERE dla_code = '{SECOND}'"))
        await seal_organizations(session)
        with pytest.raises(NotYours):
            await load_history(session, await link(session, "province11", 601, now), SECOND)


# --- what it costs ----------------------------------------------------------------------------------------


@asynccontextmanager
async def counted(session: Session) -> AsyncIterator[list[str]]:
    """The statements that a block sends through this session."""
    sent: list[str] = []
    connection = (await session.connection()).sync_connection

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield sent
    event.remove(connection, "before_cursor_execute", note)


async def test_words_cost_no_query(certified: Database, now: datetime) -> None:
    """A review takes three queries, as many as before certificates bore words."""
    async with certified.read() as session:
        made = await load_certification(session, 1)
    async with certified.write() as session:
        await link(session, f"lao{FIRST}", 501, now)
        officer = await active_officer(session, 501)
        assert officer is not None
        session.expunge_all()
        async with counted(session) as sent:
            shown = await review(session, officer, FIRST)
            assert (shown.words, shown.lao and shown.lao.words) == (THEN, THEN)
        assert len(sent) == 3
        async with counted(session) as sent:
            await load_history(session, officer, FIRST)
        assert len(sent) == 2
        async with counted(session) as sent:
            await find_by_code(session, officer, made.code)
        assert len(sent) == 2
        assert (await own_status(session, FIRST))[0] is not None
