"""A province's list: what narrows it, its order, its pages, and which organization is next."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import NotYours
from models.accounts.account import Officer, active_officer
from models.certification.certificate import Level, Status
from models.certification.certify import reopen
from models.certification.remark import Remark, RemarkKind
from models.database.engine import Database
from models.imports.organizations import sort_key
from models.links.link import unlink_officer
from models.organizations.organization import Organization
from models.province.listing import (
    ORGANIZATIONS_PER_PAGE,
    Listing,
    Narrowing,
    Sorting,
    choose_districts,
    choose_types,
    count_by_status,
    load_listing,
    next_waiting,
    search,
    type_words,
)
from models.province.visit import LOOKING, note_opened, note_skipped
from models.rounds.round import NoOpenRound, close_round, open_round
from tests.support import ORGANIZATIONS, certify_as, link, put_roster

# เทศบาลตำบลบางปู, อบต.บางปู, อบต.แพรกษา in one district, อบต.เทพารักษ์ in another; in the dictionary's order
# เทพารักษ์ is the first and แพรกษา the last.
BANGPU, BANGPU_TAO, PHRAEKSA, THEPHARAK, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
HOUR = timedelta(hours=1)


@pytest.fixture
async def session(country: Database) -> AsyncIterator[AsyncSession]:
    async with country.write() as opened:
        for one in await opened.scalars(select(Organization)):
            one.sort_key = sort_key(one.type_th, one.name_th, one.district_th, one.dla_code)
        await opened.flush()
        yield opened


@pytest.fixture
async def officer(session: AsyncSession, now: datetime) -> Officer:
    return await link(session, "province11", 601, now)


@pytest.fixture
async def kept(session: AsyncSession, officer: Officer) -> Listing:
    return await load_listing(session, officer)


async def certified(country: Database, session: AsyncSession, moments: dict[str, datetime]) -> None:
    for number, (code, moment) in enumerate(moments.items()):
        await certify_as(country, f"lao{code}", 500 + number, code, Level.LAO, moment, session)


async def codes(session: AsyncSession, officer: Officer, kept: Listing, now: datetime) -> list[str]:
    return [row.name.dla_code for row in (await search(session, officer, kept, now)).rows]


async def add_remark(session: AsyncSession, code: str, kind: RemarkKind, now: datetime, **values: int) -> Remark:
    made = Remark(
        **{
            "organization_code": code,
            "round_id": 1,
            "revision": 1,
            "kind": kind,
            "body": "จำนวนไม่ตรง",
            "author": "ผู้ทดสอบ",
            "made_at": now,
            **values,
        }
    )
    session.add(made)
    await session.flush()
    return made


async def test_the_filter_is_kept(country: Database, now: datetime) -> None:
    async with country.write() as session:
        officer = await link(session, "province11", 601, now)
        fresh = await load_listing(session, officer)
        assert (fresh.status, fresh.sorting, fresh.is_narrowed) == (Status.LAO_CERTIFIED, Sorting.NAME, False)
        fresh.status, fresh.district = Status.UNCERTIFIED, "บางพลี"
    async with country.write() as session:
        kept = await load_listing(session, await link(session, "province11", 601, now))
        assert (kept.status, kept.district, kept.is_narrowed) == (Status.UNCERTIFIED, "บางพลี", True)
        assert not (await load_listing(session, await link(session, "province11", 602, now))).is_narrowed


async def test_type_and_district_narrow_the_list_and_its_counts(
    country: Database, session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    await certified(country, session, {BANGPU: now, BANGPU_TAO: now})
    kept.status, kept.type_code = Status.UNCERTIFIED, "tao"
    assert await codes(session, officer, kept, now) == [THEPHARAK, PHRAEKSA]
    kept.district = "บางพลี"
    assert await codes(session, officer, kept, now) == [THEPHARAK]
    assert (await count_by_status(session, officer, kept))[1] == {
        Status.UNCERTIFIED: 1,
        Status.LAO_CERTIFIED: 0,
        Status.PROVINCE_CERTIFIED: 0,
    }
    # What is chosen from leaves out the choice that was made before, and only that.
    assert [(one.name, one.count) for one in await choose_districts(session, officer, kept)] == [
        ("บางพลี", 1),
        ("เมืองสมุทรปราการ", 1),
    ]
    kept.lift(Narrowing.DISTRICT)
    kept.status = Status.LAO_CERTIFIED
    assert [(one.value, one.name, one.count) for one in await choose_types(session, officer, kept)] == [
        ("subdistrict_municipality", "เทศบาลตำบล", 1),
        ("tao", "อบต.", 1),
    ]
    kept.lift(Narrowing.ALL)
    assert not kept.is_narrowed


async def test_with_remarks_are_those_with_any_in_the_round(
    session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    kept.status, kept.with_remarks = Status.UNCERTIFIED, True
    assert await codes(session, officer, kept, now) == []
    await add_remark(session, BANGPU, RemarkKind.EXPLANATION, now)
    await add_remark(session, PHRAEKSA, RemarkKind.QUESTION, now)
    await add_remark(session, ELSEWHERE, RemarkKind.QUESTION, now)
    assert await codes(session, officer, kept, now) == [BANGPU, PHRAEKSA]
    await close_round(session, now)
    await open_round(session, 2571, None, now)
    assert await codes(session, officer, kept, now) == []


async def test_a_question_is_open_until_it_is_answered_or_its_revision_ends(
    country: Database, session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    async def marked() -> set[str]:
        kept.status = Status.UNCERTIFIED
        rows = (await search(session, officer, kept, now)).rows
        kept.status = Status.LAO_CERTIFIED
        rows += (await search(session, officer, kept, now)).rows
        assert len(rows) == 4
        return {row.name.dla_code for row in rows if row.has_open_question}

    await certified(country, session, {BANGPU: now})
    await add_remark(session, BANGPU, RemarkKind.EXPLANATION, now)
    assert await marked() == set()
    first = await add_remark(session, BANGPU, RemarkKind.QUESTION, now)
    second = await add_remark(session, BANGPU, RemarkKind.QUESTION, now)
    await add_remark(session, BANGPU, RemarkKind.ANSWER, now, answers_id=first.id)
    assert await marked() == {BANGPU}
    await add_remark(session, BANGPU, RemarkKind.ANSWER, now, answers_id=second.id)
    assert await marked() == set()
    await add_remark(session, BANGPU, RemarkKind.QUESTION, now)
    assert await marked() == {BANGPU}
    await reopen(session, BANGPU, "ผู้ดูแลระบบ", "แก้ไขข้อมูล", now)
    assert await marked() == set()


async def test_the_longest_waiting_come_first_when_asked_for(
    country: Database, session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    await certified(country, session, {BANGPU: now, PHRAEKSA: now - HOUR, BANGPU_TAO: now + HOUR})
    assert await codes(session, officer, kept, now) == [BANGPU, BANGPU_TAO, PHRAEKSA]
    kept.sorting = Sorting.WAITING
    assert await codes(session, officer, kept, now) == [PHRAEKSA, BANGPU, BANGPU_TAO]
    # Those that have not certified wait for nothing: they come last.
    kept.words = "11"
    assert await codes(session, officer, kept, now) == [PHRAEKSA, BANGPU, BANGPU_TAO, THEPHARAK]


async def test_a_page_is_cut_from_the_whole(
    session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    names = [f"ทดสอบ{number:02}" for number in range(20)]
    for number, name in enumerate(names):
        session.add(
            Organization(
                dla_code=f"61199{number:02}",
                type_th="อบต.",
                type_code="tao",
                name_th=name,
                district_th="บางบ่อ",
                province_code="11",
                sort_key=sort_key("อบต.", name, "บางบ่อ", f"61199{number:02}"),
            )
        )
    kept.status, kept.district = Status.UNCERTIFIED, "บางบ่อ"
    seen = []
    for number in range(3):
        kept.page = number
        page = await search(session, officer, kept, now)
        assert (page.page, page.pages, page.total) == (number, 3, 20)
        seen += [row.name.full.removeprefix("อบต.") for row in page.rows]
    assert seen == names
    kept.page = 999_999_999
    page = await search(session, officer, kept, now)
    assert (page.page, len(page.rows), kept.page) == (2, 20 - 2 * ORGANIZATIONS_PER_PAGE, 2)
    kept.district = "ไม่มี"
    page = await search(session, officer, kept, now)
    assert (page.rows, page.page, page.pages, page.total) == ([], 0, 1, 0)


async def test_typed_words_find_in_all_statuses_of_the_own_province(
    country: Database, session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    """Whatever the filter says; and the filter is as it was when the words are lifted."""
    await certified(country, session, {BANGPU: now})
    kept.status, kept.district = Status.PROVINCE_CERTIFIED, "บางพลี"
    found = await type_words(session, officer, kept, "บางปู", now)
    assert [(row.name.dla_code, row.status) for row in found.rows] == [
        (BANGPU, Status.LAO_CERTIFIED),
        (BANGPU_TAO, Status.UNCERTIFIED),
    ]
    assert (kept.words, kept.is_narrowed) == ("บางปู", True)
    # What finds nothing is not kept: not in the province, or nowhere.
    for words in ("ไทรม้า", ELSEWHERE, "ไม่มี"):
        assert (await type_words(session, officer, kept, words, now)).total == 0
        assert kept.words == "บางปู"
    kept.lift(Narrowing.WORDS)
    assert (kept.status, kept.district) == (Status.PROVINCE_CERTIFIED, "บางพลี")


async def test_an_organizations_officer_has_no_list(
    country: Database, session: AsyncSession, now: datetime
) -> None:
    outsider = await link(session, f"lao{BANGPU}", 501, now)
    kept = await load_listing(session, outsider)
    for looking in (
        search(session, outsider, kept, now),
        type_words(session, outsider, kept, "บางปู", now),
        count_by_status(session, outsider, kept),
        choose_types(session, outsider, kept),
        choose_districts(session, outsider, kept),
        next_waiting(session, outsider, kept, now),
    ):
        with pytest.raises(NotYours):
            await looking


async def following(
    session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> tuple[str, bool] | None:
    """The code of the next organization, and whether it was left for later before."""
    found = await next_waiting(session, officer, kept, now)
    return None if found is None else (found.name.dla_code, found.was_skipped)


async def test_next_is_the_first_that_waits_in_the_lists_order(
    country: Database, session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    assert await next_waiting(session, officer, kept, now) is None
    await certified(country, session, {BANGPU: now, PHRAEKSA: now - HOUR, BANGPU_TAO: now + HOUR})
    kept.status = Status.UNCERTIFIED
    assert await following(session, officer, kept, now) == (BANGPU, False)
    kept.sorting = Sorting.WAITING
    assert await following(session, officer, kept, now) == (PHRAEKSA, False)
    await certify_as(country, "province11", 601, PHRAEKSA, Level.PROVINCE, now, session)
    assert await following(session, officer, kept, now) == (BANGPU, False)
    kept.type_code = "tao"
    assert await following(session, officer, kept, now) == (BANGPU_TAO, False)
    kept.district = "บางพลี"
    assert await next_waiting(session, officer, kept, now) is None
    kept.words = "เทศบาลบางปู"
    assert await following(session, officer, kept, now) == (BANGPU, False)
    await close_round(session, now)
    with pytest.raises(NoOpenRound):
        await next_waiting(session, officer, kept, now)


async def test_what_was_left_for_later_comes_last_and_what_a_colleague_looks_at_before_it(
    country: Database, session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    await certified(country, session, dict.fromkeys((BANGPU, BANGPU_TAO, PHRAEKSA), now - HOUR))
    colleague = await link(session, "province11", 602, now, "ทดสอบ เพื่อน")
    await note_opened(session, colleague, BANGPU, 1, now)
    assert await following(session, officer, kept, now) == (BANGPU_TAO, False)
    assert await following(session, officer, kept, now + LOOKING) == (BANGPU, False)
    assert await following(session, colleague, kept, now) == (BANGPU, False)
    await note_skipped(session, officer, BANGPU_TAO, 1, now)
    await note_skipped(session, officer, PHRAEKSA, 1, now + HOUR)
    assert await following(session, officer, kept, now) == (BANGPU, False)
    await note_skipped(session, officer, BANGPU, 1, now + 2 * HOUR)
    assert await following(session, officer, kept, now) == (BANGPU_TAO, True)
    # The colleague has skipped nothing.
    assert await following(session, colleague, kept, now) == (BANGPU, False)
    # Reopened, corrected and certified anew: it is new to everybody.
    later = now + 3 * HOUR
    await reopen(session, PHRAEKSA, "ผู้ดูแลระบบ", "แก้ไขข้อมูล", later)
    await put_roster(session, PHRAEKSA, (1, 1, 1), later)
    await certify_as(country, f"lao{PHRAEKSA}", 502, PHRAEKSA, Level.LAO, later, session)
    assert await following(session, officer, kept, later) == (PHRAEKSA, False)


async def test_a_new_round_begins_without_what_was_left_for_later(
    country: Database, session: AsyncSession, officer: Officer, kept: Listing, now: datetime
) -> None:
    await note_skipped(session, officer, BANGPU, 1, now)
    await close_round(session, now)
    opened = await open_round(session, 2571, None, now)
    await certified(country, session, {BANGPU: now - HOUR})
    assert await following(session, officer, kept, now) == (BANGPU, False)
    await note_opened(session, officer, BANGPU, opened.id, now)
    assert await following(session, officer, kept, now) == (BANGPU, False)


async def test_who_certified_for_an_organization_is_not_sent_to_it(
    country: Database, session: AsyncSession, kept: Listing, now: datetime
) -> None:
    await certified(country, session, {BANGPU: now})
    person = 500
    former = await active_officer(session, person)
    assert former is not None
    await unlink_officer(session, former, now)
    officer = await link(session, "province11", person, now)
    assert await next_waiting(session, officer, kept, now) is None
