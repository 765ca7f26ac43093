"""Organizations that go on as others: what ends, what goes over, and what is refused."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, active_officer
from models.accounts.pin import Keypad
from models.audit import event_chain
from models.certification.certificate import Certification, Level, Status
from models.certification.review import own_status, review
from models.database.engine import Database
from models.imports import ImportRefused
from models.imports.successions import succeed_from_file
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.notices.tables import Quiet
from models.notices.timing import Preference, load_preference, save_preference
from models.organizations.organization import EndKind, Organization, Province, find_end
from models.province.listing import type_words, whole_list
from models.province.progress import count_statuses, locked_organizations
from models.register.roster import Roster, load_summary
from models.rounds.round import close_round, open_round
from models.succession.succeeding import Outcome
from tests.models.imports.files import lines, write
from tests.models.succession.decisions import breaks, chain, decided
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
HEADER = ["from", "to", "kind", "name", "type", "district", "province"]
NEW = "5110999"
UPGRADE = [SECOND, NEW, "upgrade", "บางปูใหม่", "เทศบาลตำบล", "เมืองสมุทรปราการ", "11"]


async def run(
    database: Database,
    folder: Path,
    rows: Sequence[list[str]],
    now: datetime,
    *,
    header: Sequence[str] = (),
    reopens: bool = False,
    dry_run: bool = False,
) -> Sequence[Outcome]:
    path = write(folder / "changes.csv", [[*HEADER, *header], *rows])
    return await succeed_from_file(database, path, decided(now), now, reopens=reopens, dry_run=dry_run)


async def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the tables that a succession changes."""
    tables = ("organization", "organization_end", "province", "account", "officer", "roster", "personnel_record")
    async with database.read() as session:
        return {
            table: [tuple(row) for row in await session.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]
            for table in (*tables, "outbox", "audit_event", "confirmation")
        }


async def total(session: AsyncSession, province: str = "11") -> int:
    (counts,) = await count_statuses(session, province)
    return counts.total


async def ended(session: AsyncSession, code: str) -> tuple[EndKind, str | None]:
    end = await find_end(session, code)
    assert end is not None
    return end.kind, end.successor_code


async def test_an_upgrade_in_the_middle_of_a_round(country: Database, now: datetime, tmp_path: Path) -> None:
    """Its certificate stands, its officers go over with PIN and preferences, its register is copied and open."""
    made = await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, f"lao{SECOND}", 502, now)
        await save_preference(session, officer.id, Preference(quiet=Quiet.OVERNIGHT))
        before = await load_summary(session, SECOND)
    (outcome,) = await run(country, tmp_path, [UPGRADE], now)
    assert (outcome.name, outcome.names, outcome.records) == ("เทศบาลตำบลบางปูใหม่", ("อบต.บางปู",), 20)
    assert (outcome.goes_over, outcome.links_end) == (1, 0)
    async with country.write() as session:
        assert await ended(session, SECOND) == (EndKind.UPGRADE, NEW)
        assert (await session.get_one(Certification, made.id)).code == made.code
        assert await locked_organizations(session, {SECOND, NEW}) == {SECOND}
        after = await load_summary(session, NEW)
        assert (after.digest, after.imported_at) == (before.digest, before.imported_at)
        assert (await load_summary(session, SECOND)).digest == before.digest
        same = await active_officer(session, 502)
        assert same is not None
        assert (same.id, same.account.organization_code, same.is_ready) == (officer.id, NEW, True)
        assert same.account.display_name == "เทศบาลตำบลบางปูใหม่"
        assert (await load_preference(session, same.id)).quiet is Quiet.OVERNIGHT
        assert (await own_status(session, NEW))[1] is Status.UNCERTIFIED
        assert await total(session) == 4
        shown = await review(session, same, NEW)
        assert (shown.lao, shown.revision) == (None, 1)
    again = await certify_as(country, f"lao{SECOND}", 502, NEW, Level.LAO, now)
    assert again.organization_code == NEW
    assert await breaks(country) == []


async def test_its_officers_are_told_and_what_waits_for_it_ends(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    async with country.write() as session:
        await link(session, f"lao{SECOND}", 503, now)
    await certify_as(country, "province11", 601, SECOND, Level.PROVINCE, now)
    await run(country, tmp_path, [UPGRADE], now)
    async with country.read() as session:
        messages = list(await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
        told = [one.chat_id for one in messages if one.kind is NoticeKind.ORGANIZATION_ENDED]
        assert told == [502, 503]
        ended = [one for one in messages if one.kind is NoticeKind.PROVINCE_CERTIFIED]
        assert {(one.state, one.error) for one in ended} == {(State.DROPPED, "the organization has ended")}
        # Its officer's own evidence is sent all the same.
        receipts = [one for one in messages if one.kind is NoticeKind.RECEIPT]
        assert {one.state for one in receipts} == {State.PENDING}
        assert await session.get(Keypad, 502) is None
    assert await breaks(country) == []


async def test_the_successor_s_chain_begins_with_the_head_of_its_predecessor_s(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await run(country, tmp_path, [UPGRADE], now)
    async with country.read() as session:
        end, (first, *_) = (await chain(session, SECOND))[-1], await chain(session, NEW)
        assert (end.kind, first.kind, first.number) == ("ended", "succeeded", 1)
        assert json.loads(end.details)["successor"] == NEW
        assert json.loads(first.details)["heads"] == {SECOND: end.mac}


async def test_verify_finds_a_successor_that_does_not_follow(
    country: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def another_head(_session: AsyncSession, _chain: str) -> str:
        return "another head"

    monkeypatch.setattr(event_chain, "chain_head", another_head)
    await run(country, tmp_path, [UPGRADE], now)
    assert await breaks(country) == [f"chain {NEW}: does not go on from the end of chain {SECOND}"]


async def test_a_move_to_a_province_that_is_new(country: Database, now: datetime, tmp_path: Path) -> None:
    row = [FIRST, "5380001", "move", "บางปู", "เทศบาลตำบล", "เมืองบึงกาฬ", "38", "บึงกาฬ", "Bueng Kan"]
    (outcome,) = await run(country, tmp_path, [row], now, header=("province_th", "province_en"))
    assert outcome.succession.founding is not None
    async with country.write() as session:
        province = await session.get_one(Province, "38")
        assert (province.name_th, province.name_en) == ("บึงกาฬ", "Bueng Kan")
        assert (await session.get_one(Organization, "5380001")).province_code == "38"
        assert (await total(session), await total(session, "38")) == (3, 1)
        # The province that it has left finds it, with its successor.
        officer = await link(session, "province11", 601, now)
        found = await type_words(session, officer, whole_list(officer), "ทต.บางปู", now)
        (end,) = [row.end for row in found.rows]
        assert end is not None
        assert end.successor is not None
        assert end.successor.dla_code == "5380001"
    assert await breaks(country) == []


async def test_a_merger_into_a_new_organization(country: Database, now: datetime, tmp_path: Path) -> None:
    """Registers are not joined; officers go over where the operator names the account."""
    async with country.write() as session:
        for code, user in ((SECOND, 502), (THIRD, 503), (WITHOUT_ROSTER, 504)):
            await link(session, f"lao{code}", user, now)
    rows = [
        [SECOND, NEW, "merger", "บางปูใหม่", "เทศบาลตำบล", "เมืองสมุทรปราการ", "11", f"lao{SECOND}"],
        [THIRD, NEW, "รวม", "", "", "", "", f"LAO{SECOND}"],
        [WITHOUT_ROSTER, NEW, "merger", "", "", "", "", ""],
    ]
    (outcome,) = await run(country, tmp_path, rows, now, header=("account",))
    assert (outcome.records, outcome.goes_over, outcome.links_end) == (None, 2, 1)
    async with country.write() as session:
        account = (await session.scalars(select(Account).where(Account.username == f"lao{SECOND}"))).one()
        assert account.organization_code == NEW
        for user in (502, 503):
            officer = await active_officer(session, user)
            assert officer is not None
            assert (officer.account_id, officer.is_ready) == (account.id, True)
        assert await active_officer(session, 504) is None
        disabled = select(Account.username).where(Account.disabled_at.is_not(None)).order_by(Account.username)
        assert list(await session.scalars(disabled)) == [f"lao{THIRD}", f"lao{WITHOUT_ROSTER}"]
        assert await session.get(Roster, NEW) is None
        assert await total(session) == 2
        told = select(OutboxMessage.chat_id).where(OutboxMessage.kind == NoticeKind.ORGANIZATION_ENDED)
        assert set(await session.scalars(told)) == {502, 503, 504}
        # Who works with whom from now on.
        linked = select(OutboxMessage.chat_id).where(OutboxMessage.kind == NoticeKind.LINKED)
        assert set(await session.scalars(linked)) == {502}
    assert await breaks(country) == []


async def test_an_absorption_into_an_organization_that_has_certified_wants_a_reopening(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    row = [[SECOND, FIRST, "merger", "", "", "", ""]]
    before = await everything(country)
    with pytest.raises(ImportRefused) as refused:
        await run(country, tmp_path, row, now)
    assert lines(refused) == [
        f"line 2, to: {FIRST} is certified in the open round 2570 and locked; add --reopen, which ends its"
        " revision, or wait for the round's end"
    ]
    assert await everything(country) == before
    (outcome,) = await run(country, tmp_path, row, now, reopens=True)
    assert outcome.succession.reopens
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        assert (await review(session, officer, FIRST)).revision == 2
        assert await locked_organizations(session, {FIRST, SECOND}) == {SECOND}
        assert await ended(session, SECOND) == (EndKind.MERGER, FIRST)
    assert await breaks(country) == []


async def test_between_two_rounds_an_absorption_needs_no_reopening(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    """What was certified stays; closed rounds keep their denominators, and a new organization is not in them."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        await close_round(session, now)
    rows = [[SECOND, FIRST, "merger", "", "", "", ""], [THIRD, NEW, *UPGRADE[2:]]]
    await run(country, tmp_path, rows, now)
    async with country.write() as session:
        assert await total(session) == 4
        assert await locked_organizations(session, {FIRST}) == {FIRST}
        await open_round(session, 2571, None, now)
        assert await total(session) == 3
    assert await breaks(country) == []


async def test_a_dry_run_says_what_would_be_and_writes_nothing(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    before = await everything(country)
    trial = await run(country, tmp_path, [UPGRADE], now, dry_run=True)
    assert await everything(country) == before
    assert list(await run(country, tmp_path, [UPGRADE], now)) == list(trial)


async def test_all_bad_rows_are_told_together_and_nothing_is_done(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await run(country, tmp_path, [UPGRADE], now)
    before = await everything(country)
    rows = [
        UPGRADE,
        ["999", FIRST, "merger", "", "", "", "", "", "", ""],
        [FIRST, THIRD, "merger", "", "", "", "", "", "", ""],
        [THIRD, FIRST, "merger", "", "", "", "", "", "", ""],
        [WITHOUT_ROSTER, "5990001", "upgrade", "บาง", "อบต", "", "99", "", "", "lao1"],
        [ELSEWHERE, SECOND, "swap", "", "", "", "", "", "", ""],
        [ELSEWHERE, "5110777", "merger", "ไทรม้า", "เทศบาลเมือง", "เมืองนนทบุรี", "12", "", "นนท์", ""],
    ]
    rows = [row + [""] * (10 - len(row)) for row in rows]
    with pytest.raises(ImportRefused) as refused:
        await run(country, tmp_path, rows, now, header=("province_th", "province_en", "account"))
    told = lines(refused)
    assert [line.partition(":")[0] for line in told] == [
        "line 2, from",
        "line 3, from",
        "line 4, from",
        "line 5, from",
        "line 6, type",
        "line 6, district",
        "line 6, province_th",
        "line 6, province_en",
        "line 6, account",
        "line 7, kind",
        "line 7, to",
        "line 8, from",
        "line 8, kind",
        "line 8, province_en",
    ]
    assert await everything(country) == before


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ([SECOND, SECOND, *UPGRADE[2:]], "a cycle"),
        ([SECOND, FIRST, "merger", "อื่น", "", "", ""], "is an organization already, with the name บางปู"),
        ([SECOND, NEW, "merger", *UPGRADE[3:]], "succeeds one organization only"),
        ([SECOND, NEW, *UPGRADE[2:6], "12"], "province 12 has no account in use"),
    ],
)
async def test_what_stands_in_the_way(
    country: Database, now: datetime, tmp_path: Path, row: list[str], problem: str
) -> None:
    async with country.write() as session:
        await session.execute(
            text("UPDATE account SET disabled_at = '2026-11-01 00:00:00' WHERE username = 'province12'")
        )
    with pytest.raises(ImportRefused, match=problem):
        await run(country, tmp_path, [row], now)


async def test_a_predecessor_s_register_is_locked_and_its_successor_s_is_not(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await run(country, tmp_path, [UPGRADE], now)
    async with country.write() as session:
        await session.execute(text(f"UPDATE personnel_record SET level = 'x' WHERE organization_code = '{NEW}'"))
    change = f"UPDATE personnel_record SET level = 'x' WHERE organization_code = '{SECOND}'"
    with pytest.raises(DBAPIError, match="locked"):
        async with country.write() as session:
            await session.execute(text(change))


async def test_once_more_has_no_second_effect(country: Database, now: datetime, tmp_path: Path) -> None:
    await run(country, tmp_path, [UPGRADE], now)
    before = await everything(country)
    with pytest.raises(ImportRefused, match=f"{SECOND} goes on as {NEW}, upgrade, on 2026-11-02 by .* already"):
        await run(country, tmp_path, [UPGRADE], now)
    assert await everything(country) == before


@pytest.mark.parametrize("column", ["from", "kind", "type", "province", "account"])
async def test_what_may_be_an_id_number_is_never_said(
    country: Database, tmp_path: Path, now: datetime, column: str
) -> None:
    number = "1103700012345"
    header = [*HEADER, "account"]
    cells = dict(zip(header, [*UPGRADE, ""], strict=True)) | {column: number}
    with pytest.raises(ImportRefused) as refused:
        await run(country, tmp_path, [[cells[name] for name in header]], now, header=["account"])
    assert number not in str(refused.value)
