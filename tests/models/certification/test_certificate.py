"""Certificates: what status they give, which of them count, and all that is kept of one."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from models.certification.certificate import (
    CODE_ALPHABET,
    CODE_LENGTH,
    Certification,
    Level,
    Status,
    is_live,
    is_open,
    snapshot,
    written_code,
)
from models.certification.certify import reopen
from models.certification.remark import Remark
from models.database.engine import Database
from models.register.roster import Headcount
from models.remarks.question import answer, ask
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])


@pytest.mark.parametrize(
    ("levels", "status"),
    [
        ([], Status.UNCERTIFIED),
        ([Level.LAO], Status.LAO_CERTIFIED),
        ([Level.LAO, Level.PROVINCE], Status.PROVINCE_CERTIFIED),
        ([Level.PROVINCE], Status.PROVINCE_CERTIFIED),
    ],
)
def test_the_status_follows_from_the_certificates(levels: list[Level], status: Status) -> None:
    assert Status.of(levels) is status


async def test_a_code_has_letters_that_nobody_misreads(country: Database, now: datetime) -> None:
    made = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    assert len(made.code) == CODE_LENGTH
    assert set(made.code) <= set(CODE_ALPHABET)
    assert not set("ILOU") & set(CODE_ALPHABET)
    assert re.fullmatch(r"\w{5}-\w{5}", written_code(made.code))
    assert written_code(made.code).replace("-", "") == made.code


async def test_a_certificate_counts_until_its_own_revision_is_ended(country: Database, now: datetime) -> None:
    async def live() -> list[tuple[str, Level, int]]:
        async with country.read() as session:
            found = await session.scalars(
                select(Certification).where(is_live(Certification)).order_by(Certification.id)
            )
            return [(made.organization_code, made.level, made.revision) for made in found]

    for code, user in ((FIRST, 501), (SECOND, 502)):
        await certify_as(country, f"lao{code}", user, code, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    neighbour = (SECOND, Level.LAO, 1)
    assert await live() == [(FIRST, Level.LAO, 1), neighbour, (FIRST, Level.PROVINCE, 1)]
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
    assert await live() == [neighbour]
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    assert await live() == [neighbour, (FIRST, Level.LAO, 2)]


async def test_a_question_is_open_until_its_answer_or_the_end_of_its_revision(
    country: Database, now: datetime
) -> None:
    async def waiting() -> list[int]:
        async with country.read() as session:
            return list(await session.scalars(select(Remark.id).where(is_open(Remark)).order_by(Remark.id)))

    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        province = await link(session, "province11", 601, now)
        first, second = [await ask(session, province, FIRST, "official", "เหตุใดจึงลดลง", now) for _ in range(2)]
    assert await waiting() == [first.id, second.id]
    async with country.write() as session:
        await answer(session, await link(session, f"lao{FIRST}", 501, now), first.id, "เกษียณสองราย", now)
    # The answer is no question itself.
    assert await waiting() == [second.id]
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
    assert await waiting() == []


async def test_all_that_is_kept_stands_in_the_snapshot_as_text(country: Database, now: datetime) -> None:
    made = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    assert (made.headcount, made.status) == (Headcount(12, 3, 5), Status.LAO_CERTIFIED)
    kept = snapshot(made)
    columns = set(Certification.core().columns.keys())
    # What holds nothing is left out, so that columns can be added.
    assert kept.keys() == columns - {"spot_check"}
    assert all(isinstance(value, str) for value in kept.values())
    assert (kept["officials"], kept["level"], kept["code"]) == ("12", "lao", made.code)
    # One moment, in whatever zone it is told.
    made.certified_at = now.astimezone(timezone(timedelta(hours=7)))
    assert snapshot(made)["certified_at"] == kept["certified_at"] == now.isoformat()
    province = await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    assert snapshot(province).keys() == columns
