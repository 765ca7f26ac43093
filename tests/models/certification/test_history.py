"""What was certified and what ended it: whole, newest first, and for those concerned."""

from datetime import datetime

import pytest

from models.accounts.access import NotYours
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.certification.history import (
    UnknownCode,
    certificate_by_code,
    ended_by,
    find_by_code,
    is_verification_code,
    load_certification,
    load_history,
    load_reopening,
)
from models.database.engine import Database
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])
REASON = "พบข้อมูลซ้ำหนึ่งรายการ"


@pytest.fixture
async def certified(country: Database, now: datetime) -> Database:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    return country


async def test_a_verification_code_is_for_those_concerned(certified: Database, now: datetime) -> None:
    async with certified.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        made = (await load_history(session, officer, FIRST)).certificates[0]
        for typed in (made.code, made.code.lower(), f"{made.code[:5]}-{made.code[5:]}", f" {made.code} "):
            assert (await find_by_code(session, officer, typed))[0].id == made.id
        province = await link(session, "province11", 601, now)
        assert (await find_by_code(session, province, made.code))[1] is None
        for outsider in (
            await link(session, f"lao{SECOND}", 502, now),
            await link(session, "province12", 602, now),
        ):
            with pytest.raises(UnknownCode):
                await find_by_code(session, outsider, made.code)
        with pytest.raises(UnknownCode):
            await find_by_code(session, officer, "0000000000")


async def test_every_revision_is_there_newest_first_with_what_ended_it(certified: Database, now: datetime) -> None:
    async with certified.write() as session:
        first = await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
    await certify_as(certified, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with certified.write() as session:
        second = await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
    await certify_as(certified, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(certified, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    async with certified.write() as session:
        for username, user in ((f"lao{FIRST}", 501), ("province11", 601)):
            found = await load_history(session, await link(session, username, user, now), FIRST)
            ends = [(one.revision, one.level, found.end_of(one)) for one in found.certificates]
            assert [(revision, level, end and end.id) for revision, level, end in ends] == [
                (3, Level.LAO, None),
                (2, Level.LAO, second.id),
                (1, Level.PROVINCE, first.id),
                (1, Level.LAO, first.id),
            ]
            assert [one.id for one in found.reopenings] == [second.id, first.id]
            assert {one.round.fiscal_year for one in found.certificates} == {2570}


async def test_nobody_reads_the_history_of_others(certified: Database, now: datetime) -> None:
    async with certified.write() as session:
        for username, user in ((f"lao{SECOND}", 502), ("province12", 602)):
            officer = await link(session, username, user, now)
            for code in (FIRST, "9999999"):
                with pytest.raises(NotYours):
                    await load_history(session, officer, code)
        # What was never certified has an empty one.
        own = await link(session, f"lao{SECOND}", 502, now)
        assert (await load_history(session, own, SECOND)).certificates == []


@pytest.mark.parametrize(
    ("typed", "is_one"),
    [
        ("ABCDE-FGHJK", True),
        ("abcdefghjk", True),
        (" ABCDE FGHJK ", True),
        # What looks alike is alike.
        ("oOiIlL0123", True),
        ("ABCDE-FGHJ", False),
        ("ABCDE-FGHJKM", False),
        # There is no U in Crockford's base 32.
        ("ABCDE-FGHJU", False),
        ("ก" * 10, False),
        ("๐๑๒๓๔๕๖๗๘๙", True),
        ("ＡＢＣＤＥ\u2011fgh\u200bjk", True),
        ("", False),
    ],
)
def test_the_shape_of_a_code(typed: str, is_one: bool) -> None:
    assert is_verification_code(typed) is is_one


async def test_a_code_that_was_read_out_wrongly_is_found_all_the_same(certified: Database, now: datetime) -> None:
    async with certified.write() as session:
        made = await load_certification(session, 1)
        spoken = made.code.translate(str.maketrans("01", "OI"))
        assert (await certificate_by_code(session, f"{spoken[:5]}-{spoken[5:].lower()}")).id == made.id
        assert made.words is not None
        assert (made.words.province_th, made.round.fiscal_year) == ("สมุทรปราการ", 2570)
        with pytest.raises(
            UnknownCode, match="no certificate has the code 00000-00000; check it letter by letter"
        ):
            await certificate_by_code(session, "00000-00000")


async def test_a_certificate_is_ended_by_the_end_of_its_own_revision(certified: Database, now: datetime) -> None:
    async with certified.write() as session:
        old = await load_certification(session, 1)
        assert await ended_by(session, old) is None
        end = await reopen(session, FIRST, "ผู้ดูแล", REASON, now)
        found = await load_reopening(session, end.id)
        assert (found.organization.dla_code, found.round.fiscal_year, found.reason) == (FIRST, 2570, REASON)
        assert await ended_by(session, old) is found
    new = await certify_as(certified, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with certified.write() as session:
        assert await ended_by(session, new) is None
        officer = await link(session, f"lao{FIRST}", 501, now)
        assert [(await find_by_code(session, officer, code))[1] is not None for code in (old.code, new.code)] == [
            True,
            False,
        ]
