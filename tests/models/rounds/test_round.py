"""The yearly round: one is open at a time, and only forward."""

from datetime import date, datetime, timedelta

import pytest

from models.database.engine import Database
from models.rounds.round import (
    Round,
    RoundRefused,
    RoundState,
    close_round,
    current_round,
    list_rounds,
    open_round,
    parse_closing_date,
)


async def opened(database: Database, year: int, closes_on: date | None, now: datetime) -> Round:
    async with database.write() as session:
        return await open_round(session, year, closes_on, now)


async def closed(database: Database, now: datetime) -> Round:
    async with database.write() as session:
        return await close_round(session, now)


async def test_one_round_is_open_at_a_time(database: Database, now: datetime) -> None:
    first = await opened(database, 2569, None, now)
    with pytest.raises(RoundRefused, match="round 2569 is open; close it first"):
        await opened(database, 2570, None, now)
    ended = await closed(database, now)
    assert (ended.id, ended.state, ended.closed_at) == (first.id, RoundState.CLOSED, now)
    second = await opened(database, 2570, date(2027, 9, 15), now)
    async with database.read() as session:
        newest = await current_round(session)
        assert newest is not None
        assert (newest.id, newest.closes_on, newest.opened_at) == (second.id, date(2027, 9, 15), now)
        assert [found.fiscal_year for found in await list_rounds(session)] == [2570, 2569]


async def test_a_fiscal_year_is_held_once_and_only_forward(database: Database, now: datetime) -> None:
    await opened(database, 2570, None, now)
    await closed(database, now)
    for year in (2570, 2569):
        with pytest.raises(RoundRefused, match="round 2570 was already held; open a later fiscal year"):
            await opened(database, year, None, now)


async def test_a_christian_year_is_refused_with_the_buddhist_one(database: Database, now: datetime) -> None:
    with pytest.raises(RoundRefused, match="2027 is not a Buddhist year; did you mean 2570"):
        await opened(database, 2027, None, now)
    with pytest.raises(RoundRefused, match=r"fiscal year 70 is not a Buddhist year$"):
        await opened(database, 70, None, now)


async def test_the_last_day_is_today_in_bangkok_or_later(database: Database, now: datetime) -> None:
    # 23.30 UTC is the next morning in Bangkok.
    evening = now.replace(hour=23)
    with pytest.raises(RoundRefused, match="has passed"):
        await opened(database, 2570, now.date(), evening)
    await opened(database, 2570, now.date() + timedelta(days=1), evening)


async def test_nothing_is_closed_when_nothing_is_open(database: Database, now: datetime) -> None:
    with pytest.raises(RoundRefused, match="no round is open; open one"):
        await closed(database, now)


async def test_late_is_after_the_last_day_in_bangkok(database: Database, now: datetime) -> None:
    found = await opened(database, 2570, date(2027, 9, 15), now)
    assert not found.is_late(datetime.fromisoformat("2027-09-15T23:59:59+07:00"))
    assert found.is_late(datetime.fromisoformat("2027-09-15T17:00:00+00:00"))
    endless = Round(fiscal_year=2571, state=RoundState.OPEN, closes_on=None, opened_at=now)
    assert not endless.is_late(now + timedelta(days=4000))


@pytest.mark.parametrize("text", ["2027-09-15", "2570-09-15", "2570-9-15"])
def test_a_closing_date_in_either_era(text: str) -> None:
    assert parse_closing_date(text) == date(2027, 9, 15)


@pytest.mark.parametrize("text", ["", "2570", "15-09-2570", "2570-13-01", "2570-02-30", "soon", "2570-09-15-1"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(RoundRefused, match="is not a day; write YYYY-MM-DD"):
        parse_closing_date(text)
