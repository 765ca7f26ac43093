"""Import of accounts: all rows or none, no password told, nobody moved under a linked chat."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from models.accounts.account import Account, Role, login_candidate
from models.database.engine import Database
from models.imports import ImportRefused, import_accounts
from models.security.passwords import password_matches
from models.succession.closing import close
from tests.conftest import NOW
from tests.models.imports.files import count, lines, write
from tests.models.succession.decisions import BY, decided
from tests.support import ORGANIZATIONS, link

FIRST, SECOND, *_ = (code for code, *_ in ORGANIZATIONS)
ACCOUNT_COLUMNS = ["username", "password", "role", "organization", "display_name"]


async def accounts(database: Database) -> dict[str, Account]:
    async with database.read() as session:
        return {account.username: account for account in await session.scalars(select(Account))}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
async def test_accounts_with_thai_headers_and_roles(country: Database, tmp_path: Path, suffix: str) -> None:
    rows = [
        ["ชื่อผู้ใช้", "รหัสผ่าน", "ระดับ", "รหัสหน่วยงาน", "ชื่อหน่วยงาน"],
        ["New.One", "ผ่านเข้า  ได้", "อปท.", "๕๑๑๐๒๐๑", "อบต.ใหม่"],
        ["ｎｅｗ\u2011two\u200b", "", "จัง\u00adหวัด", "๑２", "จงัหวัดนนทบุรี".replace("จงั", "จัง")],
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


async def test_an_organization_that_has_ended_gets_no_account(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    async with country.write() as session:
        await close(session, FIRST, decided(now), now)
    path = write(tmp_path / "a.csv", [ACCOUNT_COLUMNS, ["new.one", "", "lao", FIRST, "อบต.ใหม่"]])
    with pytest.raises(ImportRefused) as refused:
        await import_accounts(country, path, now)
    assert lines(refused) == [
        f"line 2, organization: {FIRST} was closed on 2026-11-02 by {BY}; write the code of its successor, or"
        " leave the line out"
    ]
