"""The words of certificates from before schema 0012: kept once, by one event, and only then may names change."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from models.audit.event_chain import SYSTEM, AuditEvent, Event, KeyMissing
from models.certification.certificate import Certification, Level
from models.certification.history import find_by_code, load_certification, load_history
from models.certification.words import CertificateWords, Words
from models.database.engine import Database
from models.imports import import_organizations
from models.organizations.organization import Organization
from models.province.export import exported_certifications, province_list
from models.succession.word_keeping import (
    WordsNotKept,
    count_without_words,
    keep_words,
    require_words_kept,
)
from tests.models.audit.record import checked
from tests.models.imports.files import write
from tests.support import ORGANIZATIONS, before_words, certify_as, link

FIRST, SECOND, *_, ABROAD = (code for code, *_ in ORGANIZATIONS)
THEN = Words("เทศบาลตำบลบางปู", "เทศบาลตำบล", "เมืองสมุทรปราการ", "11", "สมุทรปราการ", "Samut Prakan")


@pytest.fixture
async def older(country: Database, now: datetime) -> Database:
    """Both levels of one organization and one of another as before schema 0012, and a newer certificate."""
    with before_words():
        await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
        await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
        await certify_as(country, f"lao{ABROAD}", 503, ABROAD, Level.LAO, now)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    return country


async def keep(database: Database, now: datetime) -> int:
    async with database.write() as session:
        return (await keep_words(session, now)).certificates


async def rename(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text(f"UPDATE organization SET name_th = 'ใหม่' WHERE dla_code = '{FIRST}'"))


async def test_until_they_are_kept_nothing_stands_for_them(older: Database, now: datetime) -> None:
    async with older.write() as session:
        assert await count_without_words(session) == 3
        officer = await link(session, f"lao{FIRST}", 501, now)
        for one in (await load_history(session, officer, FIRST)).certificates:
            assert (one.words, one.words_kept_at) == (None, None)
        # Whose province it was is not known either: only the one that has the organization sees it.
        province = await link(session, "province11", 601, now)
        made = await load_certification(session, 1)
        assert (await find_by_code(session, province, made.code))[0].words is None
        (row,) = [row for row in (await province_list(session, "11", now)).rows if row.dla_code == FIRST]
        assert row.lao is not None
        assert (row.lao.organization_name, row.lao.words_kept_at) == (None, None)
        exported = [row.certification.words async for row in exported_certifications(session, "11")]
        assert exported.count(None) == 2
    found = await checked(older)
    assert (found.breaks, found.is_well, found.without_words) == ([], True, 3)


async def test_they_are_kept_once_by_one_event(older: Database, now: datetime) -> None:
    moment = now + timedelta(days=30)
    assert await keep(older, moment) == 3
    await rename(older)
    async with older.read() as session:
        for number in (1, 2):
            made = await load_certification(session, number)
            assert (made.words, made.words_kept_at) == (THEN, moment)
            assert made.organization_name is None
        assert (await load_certification(session, 4)).words_kept_at is None
        (row,) = [row for row in (await province_list(session, "11", now)).rows if row.dla_code == FIRST]
        assert row.lao is not None
        assert (row.full_name, row.lao.organization_name, row.lao.words_kept_at) == (
            "เทศบาลตำบลใหม่",
            THEN.organization_name,
            moment,
        )
        (told,) = await session.scalars(select(AuditEvent).where(AuditEvent.kind == Event.WORDS_KEPT))
        assert (told.chain, told.at) == (SYSTEM, moment)
        details = json.loads(told.details)
        assert details.keys() == {"kept_at", "certificates", "digest"}
        assert (details["kept_at"], details["certificates"]) == (moment.isoformat(), 3)
    # Once more it has no effect, and says so.
    assert await keep(older, moment + timedelta(days=1)) == 0
    async with older.read() as session:
        assert await session.scalar(select(func.count()).select_from(CertificateWords)) == 3
        kinds = list(await session.scalars(select(AuditEvent.kind)))
        assert kinds.count(Event.WORDS_KEPT) == 1
        assert await count_without_words(session) == 0
    found = await checked(older)
    assert (found.breaks, found.without_words) == ([], 0)


async def test_what_comes_later_without_words_is_kept_too(older: Database, now: datetime) -> None:
    """A program of before may have certified meanwhile. Also at the same moment."""
    third = ORGANIZATIONS[2][0]
    await keep(older, now)
    with before_words():
        await certify_as(older, f"lao{third}", 504, third, Level.LAO, now)
    assert await keep(older, now) == 1
    assert (await checked(older)).breaks == []


async def test_the_certificates_themselves_stay_untouched(older: Database, now: datetime) -> None:
    async def rows() -> list[object]:
        async with older.read() as session:
            return list(await session.execute(select(Certification.__table__).order_by(Certification.id)))

    before = await rows()
    await keep(older, now)
    assert await rows() == before


async def test_it_wants_the_key(older: Database, now: datetime) -> None:
    keyless = Database(older.url.render_as_string(hide_password=False))
    with pytest.raises(KeyMissing):
        await keep(keyless, now)
    await keyless.close()
    async with older.read() as session:
        assert await count_without_words(session) == 3


# --- names wait for it ------------------------------------------------------------------------------------

HEADER = [
    *("dla_code", "type_th", "type_code", "name_th"),
    *("province_code", "province_th", "province_en", "district_th"),
]
PLACE = {"11": ["11", "สมุทรปราการ", "Samut Prakan"], "12": ["12", "นนทบุรี", "Nonthaburi"]}


def row(code: str, kind: str, name: str, province: str, district: str, english: str = "") -> list[str]:
    type_code = "tao" if kind == "อบต." else "subdistrict_municipality"
    place = PLACE[province]
    return [code, kind, type_code, name, place[0], place[1], english or place[2], district]


FILES = {
    "another name": [row(FIRST, "เทศบาลตำบล", "ใหม่", "11", "เมืองสมุทรปราการ")],
    "another district": [row(FIRST, "เทศบาลตำบล", "บางปู", "11", "บางพลี")],
    # Of a neighbour that was never certified: the province's name is in the words as well.
    "another name of the province": [row("6110303", "อบต.", "เทพารักษ์", "11", "บางพลี", "Paknam")],
}


@pytest.mark.parametrize("what", FILES)
async def test_an_import_that_renames_waits_until_they_are_kept(
    older: Database, now: datetime, tmp_path: Path, what: str
) -> None:
    file = write(tmp_path / "organizations.csv", [HEADER, *FILES[what]])
    for dry_run in (True, False):
        with pytest.raises(WordsNotKept, match=r"2 certificates from before .*: laocert audit keep-words"):
            await import_organizations(older, file, now, dry_run=dry_run)
    async with older.read() as session:
        organization = await session.get_one(Organization, FIRST)
        assert (organization.name_th, organization.district_th) == ("บางปู", "เมืองสมุทรปราการ")
    await keep(older, now)
    await import_organizations(older, file, now)
    async with older.read() as session:
        assert (await load_certification(session, 1)).words == THEN
    assert (await checked(older)).breaks == []


async def test_an_import_that_renames_nothing_of_theirs_does_not_wait(
    older: Database, now: datetime, tmp_path: Path
) -> None:
    rows = [
        # Its certificate bears its words itself.
        row(SECOND, "อบต.", "ใหม่", "11", "เมืองสมุทรปราการ"),
        row("6110399", "อบต.", "เพิ่ม", "11", "บางพลี"),
    ]
    await import_organizations(older, write(tmp_path / "a.csv", [HEADER, *rows]), now)
    async with older.read() as session:
        assert (await session.get_one(Organization, SECOND)).name_th == "ใหม่"


async def test_who_renames_asks_first(older: Database, now: datetime) -> None:
    async with older.read() as session:
        await require_words_kept(session, [SECOND])
        await require_words_kept(session, [])
        for organizations, provinces, count in (
            ([FIRST], [], 2),
            ([SECOND], ["12"], 1),
            ([FIRST], ["11", "12"], 3),
        ):
            with pytest.raises(WordsNotKept, match=f"^{count} certificates"):
                await require_words_kept(session, organizations, provinces)
    await keep(older, now)
    async with older.read() as session:
        await require_words_kept(session, [FIRST], ["11", "12"])
