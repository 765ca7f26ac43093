"""An organization that goes on from others is compared with what they certified, and its history shows theirs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from models.accounts.access import NotYours
from models.certification.certificate import Certification, Level
from models.certification.certify import reopen
from models.certification.history import UnknownCode, find_by_code, load_history
from models.certification.predecessors import Descent, Previous, previous_numbers
from models.certification.review import review
from models.database.engine import Database
from models.imports.successions import succeed_from_file
from models.province.export import take_certificate
from models.register.roster import Headcount
from models.rounds.round import Round, close_round, open_round
from tests.models.imports.files import write
from tests.models.succession.decisions import BY, REASON, decided
from tests.support import ORGANIZATIONS, certify_as, link, put_roster

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
HEADER = ["from", "to", "kind", "name", "type", "district", "province"]
NEW = "5110999"
WORDS = ["บางปูใหม่", "เทศบาลตำบล", "เมืองสมุทรปราการ", "11"]


async def succeed(database: Database, folder: Path, rows: Sequence[list[str]], now: datetime) -> None:
    path = write(folder / "changes.csv", [HEADER, *rows])
    await succeed_from_file(database, path, decided(now), now)


async def next_round(database: Database, now: datetime) -> None:
    async with database.write() as session:
        await close_round(session, now)
        await open_round(session, 2571, None, now)


async def previous(database: Database, code: str, now: datetime) -> tuple[Headcount | None, int | None]:
    """What a review of the organization compares with, as its province sees it."""
    async with database.write() as session:
        shown = await review(session, await link(session, "province11", 601, now), code)
        return shown.previous, shown.previous_year


async def test_after_an_upgrade_its_predecessor_s_numbers_stand_beside(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    await succeed(country, tmp_path, [[SECOND, NEW, "upgrade", *WORDS]], now)
    assert await previous(country, NEW, now) == (None, None)
    await next_round(country, now)
    assert await previous(country, NEW, now) == (Headcount(12, 3, 5), 2570)


async def test_after_a_merger_the_sum_of_all_that_certified_in_the_same_round(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    for code, user in ((SECOND, 502), (THIRD, 503)):
        await certify_as(country, f"lao{code}", user, code, Level.LAO, now)
    await next_round(country, now)
    later = now + timedelta(minutes=1)
    await succeed(country, tmp_path, [[SECOND, NEW, "merger", *WORDS], [THIRD, NEW, "merger", *WORDS]], later)
    async with country.write() as session:
        await put_roster(session, NEW, (20, 6, 10), later)
    assert await previous(country, NEW, later) == (Headcount(24, 6, 10), 2570)


async def test_nothing_is_compared_where_one_of_them_did_not_certify(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await next_round(country, now)
    assert await previous(country, FIRST, now) == (Headcount(12, 3, 5), 2570)
    await succeed(country, tmp_path, [[SECOND, FIRST, "merger", "", "", "", ""]], now + timedelta(minutes=1))
    assert await previous(country, FIRST, now) == (None, None)


@contextmanager
def queries(database: Database) -> Iterator[list[str]]:
    """What is read meanwhile."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_a_review_takes_three_queries_whatever_the_organization_has_come_from(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    await next_round(country, now)
    await succeed(country, tmp_path, [[SECOND, NEW, "upgrade", *WORDS]], now)
    for code in (FIRST, NEW):
        async with country.write() as session:
            officer = await link(session, "province11", 601, now)
            with queries(country) as seen:
                await review(session, officer, code)
            assert len(seen) == 3, seen


async def test_the_history_shows_its_predecessor_s_with_what_ended_it(
    country: Database, now: datetime, tmp_path: Path
) -> None:
    """A move: the province that made the certificate sees it, and the one that has the organization now."""
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    async with country.write() as session:
        ended = await reopen(session, SECOND, BY, REASON, now)
    made = await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    moved = "6120999"
    await succeed(country, tmp_path, [[SECOND, moved, "move", *WORDS[:2], "เมืองนนทบุรี", "12"]], now)
    own = await certify_as(country, f"lao{SECOND}", 502, moved, Level.LAO, now)
    async with country.write() as session:
        for username, user in (("province12", 602), (f"lao{SECOND}", 502)):
            officer = await link(session, username, user, now)
            history = await load_history(session, officer, moved)
            assert [one.code for one in history.certificates][:2] == [own.code, made.code]
            assert [history.end_of(one) for one in history.certificates[:2]] == [None, None]
            assert history.end_of(history.certificates[2]) is not None
            assert [one.id for one in history.reopenings] == [ended.id]
            assert (await find_by_code(session, officer, made.code))[0].id == made.id
            await take_certificate(session, officer, made.id, now)
        former = await link(session, "province11", 601, now)
        assert (await find_by_code(session, former, made.code))[0].id == made.id
        # What is certified since is the new province's business.
        with pytest.raises(UnknownCode):
            await find_by_code(session, former, own.code)
        with pytest.raises(NotYours):
            await take_certificate(session, former, own.id, now)
        with pytest.raises(UnknownCode):
            await find_by_code(session, await link(session, f"lao{THIRD}", 503, now), made.code)


def certificate(code: str, round_id: int, officials: int, at: datetime, revision: int = 1) -> Certification:
    return Certification(
        organization_code=code,
        round_id=round_id,
        round=Round(id=round_id, fiscal_year=2560 + round_id),
        revision=revision,
        level=Level.LAO,
        officials=officials,
        permanent_employees=0,
        contract_employees=0,
        certified_at=at,
    )


def test_whose_numbers_are_added_up(now: datetime) -> None:
    """C was founded by A and B; D, which was there before, has taken in C later."""
    day = timedelta(days=1)
    founded = [Descent("A", "C", True, now), Descent("B", "C", True, now)]
    taken_in = [*founded, Descent("C", "D", False, now + day)]
    of_a, of_b = certificate("A", 1, 5, now - day), certificate("B", 1, 7, now - day)
    of_d = certificate("D", 1, 100, now - day)
    assert previous_numbers("C", founded, [of_a, of_b], 2) == Previous(Headcount(12, 0, 0), 2561)
    assert previous_numbers("C", founded, [of_a, of_b], 1) is None
    assert previous_numbers("C", founded, [of_a], 2) is None
    # The newest round in which any of them certified, not the newest in which all did.
    assert previous_numbers("C", founded, [of_a, of_b, certificate("A", 2, 6, now - day)], 3) is None
    assert previous_numbers("D", taken_in, [of_a, of_b, of_d], 2) == Previous(Headcount(112, 0, 0), 2561)
    assert previous_numbers("D", taken_in, [of_a, of_b], 2) is None
    # What it has certified since stands for all of them.
    since = certificate("D", 1, 111, now + 2 * day, revision=2)
    assert previous_numbers("D", taken_in, [of_a, of_b, of_d, since], 2) == Previous(Headcount(111, 0, 0), 2561)
