"""Import of organizations and their provinces: all rows or none, and none moved that is certified."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from models.certification.certificate import Level
from models.database.engine import Database
from models.imports import ImportRefused, OrganizationsResult, import_organizations
from models.imports.organizations import Missing
from models.organizations.organization import Organization, Province
from models.organizations.typed_name import is_called
from models.rounds.round import close_round, open_round
from models.succession.closing import close
from tests.conftest import NOW
from tests.models.imports.files import count, lines, write
from tests.models.succession.decisions import breaks, chain, decided
from tests.support import ORGANIZATIONS, certify_as

REAL = Path(__file__).parents[3] / "demo" / "data" / "organizations.csv"
FIRST, SECOND, *_ = (code for code, *_ in ORGANIZATIONS)
COLUMNS = [
    "dla_code",
    "type_th",
    "type_code",
    "name_th",
    "province_code",
    "province_th",
    "province_en",
    "district_th",
]


def organization(code: str, name: str = "ทดสอบ", province: str = "11", **more: str) -> list[str]:
    names = {"11": ("สมุทรปราการ", "Samut Prakan"), "12": ("นนทบุรี", "Nonthaburi")}[province]
    values = {
        "dla_code": code,
        "type_th": "อบต.",
        "type_code": "tao",
        "name_th": name,
        "province_code": province,
        "province_th": names[0],
        "province_en": names[1],
        "district_th": "เมือง",
    } | more
    return [values[column] for column in COLUMNS]


async def test_all_real_organizations(database: Database) -> None:
    told: list[tuple[str, int, int]] = []
    result = await import_organizations(database, REAL, NOW, progress=lambda *step: told.append(step))
    assert result == OrganizationsResult("organizations.csv", False, 7849, 7849, 0, 0)
    assert {step for step, _, _ in told} == {"reading", "writing"}
    assert told[-1] == ("writing", 7849, 7849)
    assert await count(database, Province) == 76
    async with database.read() as session:
        found = (await session.execute(select(Organization.province_code, Organization.sort_key))).all()
        named = await session.get(Organization, "3110102")
        listed = await session.scalars(
            select(Organization.name_th).where(Organization.province_code == "11").order_by(Organization.sort_key)
        )
        names = list(listed)
    assert named is not None
    assert (named.full_name, named.district_th) == ("เทศบาลนครสมุทรปราการ", "เมืองสมุทรปราการ")
    # The order is total, and a dictionary's: leading vowels after the consonant.
    assert len(set(found)) == 7849
    assert names.index("คลองด่าน") < names.index("เทพารักษ์") < names.index("บางปู")
    again = await import_organizations(database, REAL, NOW)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 7849)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
async def test_organizations_are_added_and_updated_by_code(country: Database, tmp_path: Path, suffix: str) -> None:
    rows = [COLUMNS, organization(FIRST, "ใหม่", "12"), organization("9999999", "เพิ่ม")]
    path = write(tmp_path / f"more{suffix}", rows)
    expected = (2, 1, 1, 0)
    tried = await import_organizations(country, path, NOW, dry_run=True)
    assert (tried.rows, tried.added, tried.updated, tried.unchanged) == expected
    assert await count(country, Organization) == 5
    done = await import_organizations(country, path, NOW)
    assert (done.rows, done.added, done.updated, done.unchanged) == expected
    async with country.read() as session:
        moved = await session.get_one(Organization, FIRST)
        assert (moved.name_th, moved.province_code) == ("ใหม่", "12")
        assert await session.get(Organization, "9999999") is not None


async def test_province_names_are_updated_and_must_agree_within_a_file(country: Database, tmp_path: Path) -> None:
    other = {"province_en": "Paknam"}
    rows = [COLUMNS, organization("9999998"), organization("9999999", **other)]
    with pytest.raises(ImportRefused) as refused:
        await import_organizations(country, write(tmp_path / "a.csv", rows), NOW)
    assert lines(refused) == [
        "line 3, province_th: province 11 has other names here than on line 2;"
        " write the same Thai and English names everywhere"
    ]
    rows[1] = organization("9999998", **other)
    await import_organizations(country, write(tmp_path / "a.csv", rows), NOW)
    async with country.read() as session:
        assert (await session.get_one(Province, "11")).name_en == "Paknam"


async def test_every_bad_organization_is_reported_and_none_is_written(database: Database, tmp_path: Path) -> None:
    rows = [
        COLUMNS,
        organization("1234567"),
        organization("123-4567"),
        organization("2234567", province_code="1"),
        organization("1234567"),
        organization("3234567", type_code="อบต."),
        organization("4234567", name_th="=1+1"),
        organization("5234567", name_th="2110101"),
        organization("6234567", district_th="12"),
        organization("7234567", name_th="ทดสอบ 1101700230708"),
        organization("1101700230708"),
    ]
    for dry_run in (True, False):
        with pytest.raises(ImportRefused) as refused:
            await import_organizations(database, write(tmp_path / "a.csv", rows), NOW, dry_run=dry_run)
        assert [line.split(";")[0] for line in lines(refused)] == [
            "line 3, dla_code: 123-4567 is no organization's code",
            "line 4, province_code: 1 is no province's code",
            "line 5, dla_code: 1234567 is on line 2 already",
            "line 6, type_code: อบต. is no type's code",
            "line 7, name_th: starts with = like a formula",
            "line 8, name_th: has no letter",
            "line 9, district_th: has no letter",
            "line 10, name_th: holds a national ID number, which is not stored",
            "line 11, dla_code: is a national ID number, which is not stored",
        ]
    assert await count(database, Organization) == 0


async def test_a_name_in_another_spelling_is_found_and_sorted_as_it_looks(
    country: Database, tmp_path: Path
) -> None:
    names = ["ลําทอง", "ลำพู", "ลาดพร้าว", "เเม่นํ้า"]
    rows = [COLUMNS, *(organization(f"999999{place}", name) for place, name in enumerate(names))]
    path = write(tmp_path / "a.csv", rows)
    await import_organizations(country, path, NOW)
    added = Organization.dla_code.startswith("999999")
    by_name = select(Organization.name_th).where(added).order_by(Organization.sort_key)
    async with country.read() as session:
        assert list(await session.scalars(by_name)) == ["แม่น้ำ", "ลาดพร้าว", "ลำทอง", "ลำพู"]
        for typed in ("ลำทอง", "ลําทอง", "อบต.ลำ\u200bทอง"):
            assert list(await session.scalars(by_name.where(is_called(typed)))) == ["ลำทอง"]
    again = await import_organizations(country, path, NOW)
    assert (again.updated, again.unchanged) == (0, 4)
    # What an older version has stored becomes the one spelling.
    async with country.write() as session:
        await session.execute(update(Organization).where(added).values(name_th="ลํา", sort_key="9"))
    assert (await import_organizations(country, path, NOW)).updated == 4
    async with country.read() as session:
        assert list(await session.scalars(by_name)) == ["แม่น้ำ", "ลาดพร้าว", "ลำทอง", "ลำพู"]


async def test_names_that_certificates_cannot_show_are_refused(database: Database, tmp_path: Path) -> None:
    rows = [COLUMNS, organization("1234567", "បាត់"), organization("2234567", district_th="中")]
    with pytest.raises(ImportRefused) as refused:
        await import_organizations(database, write(tmp_path / "a.csv", rows), NOW)
    assert [line.split(", which")[0] for line in lines(refused)] == [
        "line 2, name_th: contains ប (KHMER LETTER BA)",
        "line 3, district_th: contains 中 (CJK UNIFIED IDEOGRAPH-4E2D)",
    ]


async def test_a_certified_organization_keeps_its_province(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    path = write(tmp_path / "a.csv", [COLUMNS, organization(SECOND, "ใหม่"), organization(FIRST, province="12")])
    for dry_run in (True, False):
        with pytest.raises(ImportRefused, match=f"line 3, province_code: {FIRST} เทศบาลตำบลบางปู is certified"):
            await import_organizations(country, path, NOW, dry_run=dry_run)
    async with country.read() as session:
        assert (await session.get_one(Organization, SECOND)).name_th == "บางปู"
    # Its name may change, and its province once the next round has opened.
    await import_organizations(country, write(tmp_path / "b.csv", [COLUMNS, organization(FIRST, "ใหม่")]), NOW)
    async with country.write() as session:
        await close_round(session, now)
        await open_round(session, 2571, None, now)
    await import_organizations(country, path, NOW)


def as_it_is(number: int, name: str | None = None) -> list[str]:
    """An organization of the country, by its number in it, as it is but for its name."""
    code, kind, called, district, province = ORGANIZATIONS[number]
    type_code = "tao" if kind == "อบต." else "subdistrict_municipality"
    return organization(code, name or called, province, type_th=kind, type_code=type_code, district_th=district)


async def test_a_complete_file_tells_which_organizations_it_lacks(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    """But those that have ended already."""
    async with country.write() as session:
        await close(session, FIRST, decided(now), now)
    path = write(tmp_path / "a.csv", [COLUMNS, as_it_is(1), as_it_is(2)])
    lacks = (Missing("6110303", "อบต.เทพารักษ์"), Missing("6120401", "อบต.ไทรม้า"))
    for dry_run in (True, False):
        result = await import_organizations(country, path, now, dry_run=dry_run, complete=True)
        assert result.missing == lacks
    assert (await import_organizations(country, path, now)).missing is None
    async with country.read() as session:
        assert await count(country, Organization) == 5


async def test_what_an_import_renames_is_recorded(country: Database, now: datetime, tmp_path: Path) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    # The sort key of the country's organizations is a short one: written once, only names differ.
    await import_organizations(country, write(tmp_path / "a.csv", [COLUMNS, as_it_is(0), as_it_is(1)]), now)
    async with country.read() as session:
        before = len(await chain(session, SECOND))
    path = write(tmp_path / "b.csv", [COLUMNS, as_it_is(0, "บางปูใหม่"), as_it_is(1)])
    await import_organizations(country, path, now)
    async with country.read() as session:
        event = (await chain(session, FIRST))[-1]
        assert event.kind == "renamed"
        details = json.loads(event.details)
        assert details.pop("description")["name_th"] == "บางปูใหม่"
        seal = await session.scalar(select(Organization.seal).where(Organization.dla_code == FIRST))
        assert details.pop("seals") == {f"organization:{FIRST}": seal}
        assert details == {"before": {"name_th": "บางปู"}, "after": {"name_th": "บางปูใหม่"}, "file": "b.csv"}
        assert len(await chain(session, SECOND)) == before
    assert await breaks(country) == []


async def test_an_organization_that_has_ended_is_not_changed(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await import_organizations(country, write(tmp_path / "a.csv", [COLUMNS, as_it_is(0)]), now)
    async with country.write() as session:
        await close(session, FIRST, decided(now), now)
    # As it was it may stand in a file.
    await import_organizations(country, write(tmp_path / "a.csv", [COLUMNS, as_it_is(0)]), now)
    with pytest.raises(ImportRefused) as refused:
        await import_organizations(country, write(tmp_path / "a.csv", [COLUMNS, as_it_is(0, "ใหม่")]), now)
    assert lines(refused) == [
        f"line 2, dla_code: {FIRST} was closed on 2026-11-02 by สถ. กองกฎหมาย; leave the line out, or write it as"
        " it was"
    ]
