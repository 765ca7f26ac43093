"""What closing a round and opening the next one end; and how a closing is undone."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit import event_chain
from models.certification.certificate import Level
from models.certification.certify import ReopenRefused, certify, prepare_confirmation
from models.certification.remark import OperatorRefused, RemarkRefused
from models.certification.review import review
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.operator.closing import (
    Changed,
    Closing,
    Opening,
    close_as_agreed,
    list_reopenings,
    look_at_closing,
    look_at_opening,
    open_as_agreed,
    reopen_round,
)
from models.remarks.petition import decide, list_petitions, petition
from models.rounds.round import (
    NoOpenRound,
    Round,
    RoundRefused,
    RoundState,
    current_round,
    open_round,
)
from models.verification.verify import verify
from tests.support import DEMANDS, KEYRING, ORGANIZATIONS, certify_as, link, move_last_day

FIRST, SECOND, THIRD, *_ = (code for code, *_ in ORGANIZATIONS)
OPERATOR = "สถ. กองบุคลากร"
REASON = "ปิดก่อนกำหนดโดยผิดพลาด"


@pytest.fixture
async def under_way(country: Database, now: datetime) -> Database:
    """Of five organizations one is certified at both levels; one waits for its province, and petitions."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    async with country.write() as session:
        await petition(session, await link(session, f"lao{SECOND}", 502, now), "พนักงานจ้างนับซ้ำ", now, None)
    return country


async def closing(database: Database) -> Closing:
    async with database.read() as session:
        return await look_at_closing(session)


async def close(database: Database, now: datetime, agreed: Closing | None = None) -> Closing:
    async with database.write() as session:
        return await close_as_agreed(session, agreed, now)


async def reopened(database: Database, now: datetime, by: str = OPERATOR, reason: str = REASON) -> Round:
    async with database.write() as session:
        return await reopen_round(session, by, reason, now)


async def newest(database: Database) -> Round:
    async with database.read() as session:
        found = await current_round(session)
        assert found is not None
        return found


async def events(database: Database) -> list[str]:
    """What happened to rounds, in the order of the record."""
    async with database.read() as session:
        kinds = select(event_chain.AuditEvent.kind).where(event_chain.AuditEvent.kind.like("round_%"))
        return list(await session.scalars(kinds.order_by(event_chain.AuditEvent.number)))


# --- what ends ----------------------------------------------------------------------------------------------


async def test_closing_ends_what_was_agreed(under_way: Database, now: datetime) -> None:
    agreed = await closing(under_way)
    assert (agreed.fiscal_year, agreed.organizations, agreed.uncertified, agreed.waiting, agreed.petitions) == (
        2570,
        5,
        3,
        1,
        1,
    )
    assert await close(under_way, now, agreed) == agreed
    assert (await newest(under_way)).state is RoundState.CLOSED
    assert await events(under_way) == ["round_opened", "round_closed"]
    with pytest.raises(RoundRefused, match="no round is open"):
        await close(under_way, now, agreed)


async def certify_another(session: AsyncSession, now: datetime) -> None:
    await certify_as(None, f"lao{THIRD}", 503, THIRD, Level.LAO, now, session)  # type: ignore[arg-type]


async def decide_the_petition(session: AsyncSession, now: datetime) -> None:
    (asked,) = await list_petitions(session)
    await decide(session, asked.id, granted=False, by=OPERATOR, reason="จำนวนถูกต้องแล้ว", now=now)


async def move_the_last_day(session: AsyncSession, now: datetime) -> None:
    await move_last_day(session, now.date())


@pytest.mark.parametrize("change", [certify_another, decide_the_petition, move_the_last_day])
async def test_what_has_changed_since_it_was_agreed_is_not_ended(
    under_way: Database, now: datetime, change: Callable[[AsyncSession, datetime], Awaitable[None]]
) -> None:
    agreed = await closing(under_way)
    async with under_way.write() as session:
        await change(session, now)
    with pytest.raises(Changed):
        await close(under_way, now, agreed)
    assert (await newest(under_way)).state is RoundState.OPEN
    assert await events(under_way) == ["round_opened"]
    # Asked again, it is what is there now; and who was not asked closes whatever is there.
    agreed = await closing(under_way)
    assert await close(under_way, now, agreed) == agreed


async def test_who_certifies_at_the_same_moment_is_counted_or_refused(country: Database, now: datetime) -> None:
    """The numbers that a closing has ended are exact: nothing is certified between the count and the end."""
    codes = [code for code, *_ in ORGANIZATIONS[:3]]

    async def press(code: str) -> bool:
        try:
            await certify_as(country, f"lao{code}", int(code), code, Level.LAO, now)
        except NoOpenRound:
            return False
        return True

    async def end() -> Closing:
        # Between the presses.
        await asyncio.sleep(random.Random(1).uniform(0, 0.05))
        return await close(country, now)

    ended, *pressed = await asyncio.gather(end(), *map(press, codes))
    assert ended.uncertified == 5 - sum(pressed)
    assert ended.waiting == sum(pressed)


async def test_opening_ends_locks_and_petitions(under_way: Database, now: datetime) -> None:
    async with under_way.read() as session:
        with pytest.raises(RoundRefused, match="round 2570 is open; close it first"):
            await look_at_opening(session, 2571, None, now)
    await close(under_way, now)
    async with under_way.read() as session:
        agreed = await look_at_opening(session, 2571, None, now)
        assert agreed == Opening(2570, 2, 1)
        with pytest.raises(RoundRefused, match="already held"):
            await look_at_opening(session, 2570, None, now)
    async with under_way.write() as session:
        await decide_the_petition(session, now)
    with pytest.raises(Changed):
        async with under_way.write() as session:
            await open_as_agreed(session, 2571, None, agreed, now)
    assert (await newest(under_way)).fiscal_year == 2570
    async with under_way.write() as session:
        opened, ended = await open_as_agreed(session, 2571, None, Opening(2570, 2, 0), now)
    assert (opened.fiscal_year, ended.locked) == (2571, 2)


async def test_the_first_round_ends_nothing(database: Database, now: datetime) -> None:
    async with database.read() as session:
        agreed = await look_at_opening(session, 2570, None, now)
    assert agreed == Opening(None, 0, 0)
    async with database.write() as session:
        await open_as_agreed(session, 2570, None, agreed, now)


# --- several operators at once ------------------------------------------------------------------------------


@pytest.fixture
async def operators(database_url: str) -> list[Database]:
    """Each with its own connection, as two processes have."""
    return [Database(database_url, KEYRING) for _ in range(3)]


Act = Callable[[AsyncSession], Awaitable[object]]


async def at_once(operators: list[Database], *acts: Act) -> list[str]:
    """What the operators get who act at the same moment: the names of the types, in order."""

    async def one(database: Database, act: Act) -> object:
        async with database.write() as session:
            return await act(session)

    got = await asyncio.gather(*map(one, operators, acts), return_exceptions=True)
    for database in operators:
        await database.close()
    return sorted(type(result).__name__ for result in got)


async def test_the_first_round_is_opened_once(
    database: Database, operators: list[Database], now: datetime
) -> None:
    got = await at_once(operators, *[lambda session: open_round(session, 2570, None, now)] * 3)
    assert got == ["Round", "RoundRefused", "RoundRefused"]
    assert await events(database) == ["round_opened"]


async def test_a_round_is_closed_once(country: Database, operators: list[Database], now: datetime) -> None:
    got = await at_once(operators, *[lambda session: close_as_agreed(session, None, now)] * 3)
    assert got == ["Closing", "RoundRefused", "RoundRefused"]
    assert await events(country) == ["round_opened", "round_closed"]


async def test_a_round_is_reopened_once(country: Database, operators: list[Database], now: datetime) -> None:
    await close(country, now)
    got = await at_once(operators, *[lambda session: reopen_round(session, OPERATOR, REASON, now)] * 3)
    assert got == ["Round", "RoundRefused", "RoundRefused"]
    assert await events(country) == ["round_opened", "round_closed", "round_reopened"]


async def test_reopening_and_opening_the_next_at_once(
    country: Database, operators: list[Database], now: datetime
) -> None:
    """One of them comes first, and the other is refused."""
    await close(country, now)
    got = await at_once(
        operators,
        lambda session: reopen_round(session, OPERATOR, REASON, now),
        lambda session: open_round(session, 2571, None, now),
    )
    assert got == ["Round", "RoundRefused"]
    async with country.read() as session:
        assert await session.scalar(select(func.count()).where(Round.state == RoundState.OPEN)) == 1
        assert (await verify(session)).breaks == []


# --- undoing it ---------------------------------------------------------------------------------------------


async def test_a_reopened_round_goes_on_as_before(under_way: Database, now: datetime) -> None:
    """A warning that was on a screen, a petition, the deadline and the province's cards."""
    before = await newest(under_way)
    rng = random.Random(1)
    async with under_way.write() as session:
        officer = await link(session, f"lao{THIRD}", 503, now)
        fingerprint = (await review(session, officer, THIRD)).fingerprint(Level.LAO)
        warning, _ = await prepare_confirmation(
            session, officer, Level.LAO, THIRD, fingerprint, now, rng, demands=DEMANDS
        )
    closed = now + timedelta(minutes=5)
    await close(under_way, closed)
    async with under_way.read() as session:
        (asked,) = await list_petitions(session)
    with pytest.raises(ReopenRefused, match="laocert round reopen"):
        async with under_way.write() as session:
            await decide(session, asked.id, granted=True, by=OPERATOR, reason=REASON, now=closed)
    async with under_way.write() as session:
        await session.execute(update(OutboxMessage).values(state=State.SENT))
    later = now + timedelta(minutes=10)
    after = await reopened(under_way, later)
    assert (after.id, after.state, after.closes_on, after.closed_at) == (
        before.id,
        RoundState.OPEN,
        before.closes_on,
        None,
    )
    async with under_way.write() as session:
        officer = await link(session, f"lao{THIRD}", 503, later)
        waiting = select(OutboxMessage.kind).where(OutboxMessage.state == State.PENDING)
        assert list(await session.scalars(waiting)) == [NoticeKind.REFRESH]
        certificate = await certify(session, officer, warning.nonce, later, rng, demands=DEMANDS)
        assert not certificate.is_late
        await decide(session, asked.id, granted=True, by=OPERATOR, reason=REASON, now=later)
        assert (await verify(session)).breaks == []


async def test_each_reopening_is_recorded(country: Database, now: datetime) -> None:
    for minutes in (0, 10):
        await close(country, now + timedelta(minutes=minutes))
        await reopened(country, now + timedelta(minutes=minutes + 5), reason=f"{REASON}\nครั้งที่ {minutes}")
    async with country.read() as session:
        (reopenings,) = (await list_reopenings(session)).values()
        assert (await verify(session)).breaks == []
    assert [(one.at, one.by, one.reason, one.closed_at) for one in reopenings] == [
        (now + timedelta(minutes=5), OPERATOR, f"{REASON}\nครั้งที่ 0", now),
        (now + timedelta(minutes=15), OPERATOR, f"{REASON}\nครั้งที่ 10", now + timedelta(minutes=10)),
    ]


async def test_only_the_closed_newest_round_is_reopened(country: Database, now: datetime) -> None:
    with pytest.raises(RoundRefused, match="round 2570 is open"):
        await reopened(country, now)
    await close(country, now)
    async with country.write() as session:
        await open_round(session, 2571, None, now)
    with pytest.raises(RoundRefused, match="round 2571 is open"):
        await reopened(country, now)
    await close(country, now)
    assert (await reopened(country, now)).fiscal_year == 2571
    assert await events(country) == [
        *("round_opened", "round_closed"),
        *("round_opened", "round_closed", "round_reopened"),
    ]


async def test_without_any_round_none_is_reopened(database: Database, now: datetime) -> None:
    with pytest.raises(RoundRefused, match="no round was opened yet"):
        await reopened(database, now)


@pytest.mark.parametrize("by", ["", " ", "…", "ก" * 201, "สถ.\x00", "สถ.\x1b[2J", "สถ.\u202e", "\u3164"])
async def test_it_wants_a_name_that_can_be_read(country: Database, now: datetime, by: str) -> None:
    await close(country, now)
    with pytest.raises(OperatorRefused):
        await reopened(country, now, by=by)
    assert await events(country) == ["round_opened", "round_closed"]


@pytest.mark.parametrize("reason", ["", "ผิด", "12345", "ก" * 1001])
async def test_it_wants_a_reason_in_words(country: Database, now: datetime, reason: str) -> None:
    await close(country, now)
    with pytest.raises(RemarkRefused):
        await reopened(country, now, reason=reason)
    assert (await newest(country)).state is RoundState.CLOSED


async def test_what_cannot_be_seen_in_a_reason_is_left_out(country: Database, now: datetime) -> None:
    await close(country, now)
    await reopened(country, now, by=f" {OPERATOR}\n", reason="ปิดก่อน\x1b[2J\u200bกำหนด")
    async with country.read() as session:
        ((reopening,),) = (await list_reopenings(session)).values()
    assert (reopening.by, reopening.reason) == (OPERATOR, "ปิดก่อน[2Jกำหนด")
