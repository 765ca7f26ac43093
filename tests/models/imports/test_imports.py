"""Imports of organizations and accounts: all rows or none, on both databases."""

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from models.accounts.account import Account, Role, login_candidate
from models.certification.certificate import Level
from models.database.engine import Database
from models.imports import ImportRefused, ImportResult, import_accounts, import_organizations
from models.organizations.organization import Organization, Province
from models.rounds.round import close_round, open_round
from models.security.passwords import password_matches
from tests.conftest import NOW
from tests.support import ORGANIZATIONS, certify_as, link

REAL = Path(__file__).parents[3] / "demo" / "data" / "organizations.csv"
FIRST, SECOND, _THIRD, _FOURTH, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
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
ACCOUNT_COLUMNS = ["username", "password", "role", "organization", "display_name"]


def write(path: Path, rows: list[list[str]]) -> Path:
    if path.suffix == ".xlsx":
        workbook = Workbook()
        sheet: Any = workbook.active
        for row in rows:
            sheet.append(row)
        workbook.save(path)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(rows)
    return path


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


def lines(refused: pytest.ExceptionInfo[ImportRefused]) -> list[str]:
    return [str(problem) for problem in refused.value.problems]


async def count(database: Database, table: type) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


# --- organizations ------------------------------------------------------------------------------------------


async def test_all_real_organizations(database: Database) -> None:
    told: list[tuple[str, int, int]] = []
    result = await import_organizations(database, REAL, NOW, progress=lambda *step: told.append(step))
    assert result == ImportResult("organizations.csv", False, 7849, 7849, 0, 0)
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
        ]
    assert await count(database, Organization) == 0


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


# --- accounts -----------------------------------------------------------------------------------------------


async def accounts(database: Database) -> dict[str, Account]:
    async with database.read() as session:
        return {account.username: account for account in await session.scalars(select(Account))}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
async def test_accounts_with_thai_headers_and_roles(country: Database, tmp_path: Path, suffix: str) -> None:
    rows = [
        ["ชื่อผู้ใช้", "รหัสผ่าน", "ระดับ", "รหัสหน่วยงาน", "ชื่อหน่วยงาน"],
        ["New.One", "ผ่านเข้า  ได้", "อปท.", "๕๑๑๐๒๐๑", "อบต.ใหม่"],
        ["new-two", "", "จังหวัด", "12", "จังหวัดนนทบุรี"],
    ]
    path = write(tmp_path / f"a{suffix}", rows)
    told: list[tuple[str, int, int]] = []
    tried = await import_accounts(country, path, NOW, dry_run=True, progress=lambda *step: told.append(step))
    assert (tried.rows, tried.added, tried.updated) == (2, 2, 0)
    # No password is hashed when nothing is written.
    assert {step for step, _, _ in told} == {"reading"}
    assert await count(country, Account) == 7
    await import_accounts(country, path, NOW, progress=lambda *step: told.append(step))
    assert ("hashing", 1, 1) in told
    found = await accounts(country)
    one, two = found["new.one"], found["new-two"]
    assert (one.role, one.unit, one.display_name) == (Role.LAO, FIRST, "อบต.ใหม่")
    assert (two.role, two.unit, two.password_hash) == (Role.PROVINCE, "12", None)
    assert one.password_hash is not None
    assert one.password_hash.startswith("$argon2id$")
    # The two blanks within are part of it.
    assert password_matches(one.password_hash, "ผ่านเข้า  ได้")


async def test_an_update_keeps_the_password_unless_one_is_given(country: Database, tmp_path: Path) -> None:
    before = await accounts(country)
    rows = [
        ACCOUNT_COLUMNS,
        [f"LAO{FIRST}", "", "lao", FIRST, "ชื่อใหม่"],
        [f"lao{SECOND}", "another-password", "lao", SECOND, before[f"lao{SECOND}"].display_name],
        ["province12", "", "province", "12", before["province12"].display_name],
    ]
    result = await import_accounts(country, write(tmp_path / "a.csv", rows), NOW)
    assert (result.rows, result.added, result.updated, result.unchanged) == (3, 0, 2, 1)
    after = await accounts(country)
    assert after[f"lao{FIRST}"].display_name == "ชื่อใหม่"
    assert after[f"lao{FIRST}"].password_hash == before[f"lao{FIRST}"].password_hash
    async with country.read() as session:
        candidate = await login_candidate(session, f"lao{SECOND}")
    assert candidate.password_hash is not None
    assert password_matches(candidate.password_hash, "another-password")


async def test_every_bad_account_is_reported_without_its_password(country: Database, tmp_path: Path) -> None:
    rows = [
        ACCOUNT_COLUMNS,
        ["ab", "good-password", "lao", FIRST, "a"],
        ["ชื่อไทย", "good-password", "lao", FIRST, "a"],
        ["short", "canary1", "lao", FIRST, "a"],
        ["long", "canary" * 22, "lao", FIRST, "a"],
        ["blank", "canary-blank ", "lao", FIRST, "a"],
        ["formula", "=canary()", "lao", FIRST, "a"],
        ["role", "good-password", "boss", FIRST, "a"],
        ["unknown", "good-password", "lao", "0000000", "a"],
        ["mixed", "good-password", "province", FIRST, "a"],
        ["twice", "good-password", "province", "11", "a"],
        ["Twice", "good-password", "province", "11", "a"],
        ["nameless", "good-password", "province", "11", ""],
    ]
    for dry_run in (True, False):
        with pytest.raises(ImportRefused) as refused:
            await import_accounts(country, write(tmp_path / "a.csv", rows), NOW, dry_run=dry_run)
        assert [line.split(";")[0] for line in lines(refused)] == [
            "line 2, username: ab is no username",
            "line 3, username: ชื่อไทย is no username",
            "line 4, password: has 7 characters",
            "line 5, password: has 132 characters",
            "line 6, password: begins or ends with a blank or holds an invisible sign",
            "line 7, password: starts with = like a formula",
            "line 8, role: boss is no role",
            "line 9, organization: no organization has the code 0000000",
            f"line 10, organization: no province has the code {FIRST}",
            "line 12, username: twice is on line 11 already",
            "line 13, display_name: is empty",
        ]
        assert "canary" not in str(refused.value)
    assert await count(country, Account) == 7


async def test_an_account_with_linked_chats_stays_where_it_is(
    country: Database, tmp_path: Path, now: datetime
) -> None:
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
    other_unit = write(tmp_path / "a.csv", [ACCOUNT_COLUMNS, [f"lao{FIRST}", "", "lao", SECOND, "a"]])
    other_role = write(tmp_path / "b.csv", [ACCOUNT_COLUMNS, [f"lao{FIRST}", "", "province", "11", "a"]])
    for path, column in ((other_unit, "organization"), (other_role, "role")):
        with pytest.raises(ImportRefused) as refused:
            await import_accounts(country, path, NOW)
        assert lines(refused) == [
            f"line 2, {column}: lao{FIRST} has linked chats and is lao {FIRST};"
            f" unlink them first: laocert account unlink lao{FIRST} --all"
        ]
    async with country.write() as session:
        officer = await session.merge(officer)
        officer.unlinked_at = now
    await import_accounts(country, other_role, NOW)
    assert (await accounts(country))[f"lao{FIRST}"].unit == "11"


async def test_rows_are_written_all_or_none(
    country: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """A chat that is linked while the passwords are hashed refuses the whole file."""
    rows = [
        ACCOUNT_COLUMNS,
        ["fresh", "good-password", "lao", FIRST, "a"],
        [f"lao{FIRST}", "", "lao", SECOND, "a"],
    ]
    real = import_accounts.__globals__["_hash_passwords"]

    async def hash_and_link(*arguments: object) -> None:
        await real(*arguments)
        async with country.write() as session:
            await link(session, f"lao{FIRST}", 501, now)

    monkeypatch.setitem(import_accounts.__globals__, "_hash_passwords", hash_and_link)
    with pytest.raises(ImportRefused, match="has linked chats"):
        await import_accounts(country, write(tmp_path / "a.csv", rows), NOW)
    assert Counter(await accounts(country))["fresh"] == 0
