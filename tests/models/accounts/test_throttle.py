"""Guessing made slow: what is counted, what closes, how it grows, and what is forgiven or taken back."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from models.accounts.throttle import (
    TRIES,
    Throttle,
    admit,
    blocked_until,
    chat_key,
    clear,
    forget_old,
    name_key,
    pin_key,
    take_back,
)
from models.database.engine import Database
from tests.support import KEYRING

CHAT, OTHER = chat_key(501), chat_key(502)
MINUTE = timedelta(minutes=1)
Row = tuple[int, datetime, int, datetime | None]


async def attempt(database: Database, now: datetime, *keys: str) -> datetime | None:
    async with database.write() as session:
        return await admit(session, keys or (CHAT,), now)


async def fill(database: Database, now: datetime, *keys: str) -> None:
    """Try until the keys are closed, all at one moment."""
    for _ in range(TRIES):
        assert await attempt(database, now, *keys) is None


async def closed(database: Database, now: datetime, *keys: str) -> timedelta | None:
    """How long the keys are still closed."""
    async with database.read() as session:
        until = await blocked_until(session, keys or (CHAT,), now)
    return None if until is None else until - now


async def rows(database: Database) -> dict[str, Row]:
    async with database.read() as session:
        found = await session.scalars(select(Throttle))
        return {row.key: (row.failures, row.since, row.blocks, row.blocked_until) for row in found}


async def test_five_tries_in_a_quarter_of_an_hour(database: Database, now: datetime) -> None:
    for number in range(5):
        assert await closed(database, now + number * 3 * MINUTE) is None
        assert await attempt(database, now + number * 3 * MINUTE) is None
    # The fifth was still looked at; the block begins behind it.
    last = now + 12 * MINUTE
    for moment in (last, last + 14 * MINUTE + timedelta(seconds=59)):
        assert await attempt(database, moment) == last + 15 * MINUTE
    assert await attempt(database, last + 15 * MINUTE) is None


async def test_what_is_not_admitted_is_not_counted(database: Database, now: datetime) -> None:
    await fill(database, now)
    before = await rows(database)
    assert await attempt(database, now + MINUTE, CHAT, OTHER) == now + 15 * MINUTE
    assert await rows(database) == before


async def test_four_wrong_passwords_in_a_quarter_of_an_hour_close_nothing(
    database: Database, now: datetime
) -> None:
    for number in range(40):
        assert await attempt(database, now + number // 4 * 16 * MINUTE) is None


async def test_wrong_pins_count_in_a_row_however_slowly(database: Database, now: datetime) -> None:
    """A million numbers are few enough to be tried by one who takes the time."""
    key = pin_key(501)
    for number in range(5):
        assert await attempt(database, now + number * timedelta(days=1), key) is None
    assert await closed(database, now + timedelta(days=4), key) == 15 * MINUTE


async def test_blocks_grow_up_to_a_day(database: Database, now: datetime) -> None:
    lengths = []
    for _ in range(10):
        await fill(database, now)
        length = await closed(database, now)
        assert length is not None
        lengths.append(length // MINUTE)
        now += length
    assert lengths == [15, 30, 60, 120, 240, 480, 960, 1440, 1440, 1440]


@pytest.mark.parametrize(("days", "minutes"), [(6.9, 30), (7.1, 15)])
async def test_a_week_without_a_failure_is_forgiven(
    database: Database, now: datetime, days: float, minutes: int
) -> None:
    await fill(database, now)
    later = now + 15 * MINUTE + timedelta(days=days)
    await fill(database, later)
    assert await closed(database, later) == minutes * MINUTE


async def test_a_week_with_failures_is_not_forgiven(database: Database, now: datetime) -> None:
    """Four tries now and then keep the last block in mind."""
    await fill(database, now)
    for day in range(1, 15):
        assert await attempt(database, now + timedelta(days=day)) is None
    later = now + timedelta(days=15)
    await fill(database, later)
    assert await closed(database, later) == 30 * MINUTE


async def test_the_longest_block_of_several_keys_counts(database: Database, now: datetime) -> None:
    await fill(database, now - 5 * MINUTE)
    await fill(database, now, OTHER)
    assert await attempt(database, now, CHAT, OTHER) == now + 15 * MINUTE
    assert await attempt(database, now, CHAT) == now + 10 * MINUTE
    assert await closed(database, now, CHAT, OTHER) == 15 * MINUTE
    assert await attempt(database, now, chat_key(503)) is None


@pytest.mark.parametrize("failures", range(TRIES))
async def test_the_last_try_is_taken_back_exactly(database: Database, now: datetime, failures: int) -> None:
    """Also the one that had closed the key, and also behind an earlier block."""
    await fill(database, now - timedelta(hours=1))
    for _ in range(failures):
        await attempt(database, now)
    before = await rows(database)
    await attempt(database, now)
    assert await rows(database) != before
    async with database.write() as session:
        await take_back(session, CHAT)
    after = await rows(database)
    assert after[CHAT][0] == failures
    assert after[CHAT][2] == before[CHAT][2] == 1
    assert await closed(database, now) is None
    for _ in range(TRIES - failures):
        assert await attempt(database, now) is None
    assert await closed(database, now) == 30 * MINUTE


async def test_taking_back_what_is_not_there(database: Database) -> None:
    async with database.write() as session:
        await take_back(session, CHAT)
    assert await rows(database) == {}


async def test_clearing_opens_the_key_and_no_other(database: Database, now: datetime) -> None:
    await fill(database, now, CHAT, OTHER)
    async with database.write() as session:
        await clear(session, [CHAT], now)
    assert await closed(database, now, OTHER) == 15 * MINUTE
    assert (await rows(database))[CHAT] == (0, now, 0, None)
    assert await attempt(database, now) is None


async def test_what_holds_nothing_against_anybody_is_forgotten(database: Database, now: datetime) -> None:
    await fill(database, now - timedelta(days=8))
    await attempt(database, now - timedelta(days=8), OTHER)
    await fill(database, now - timedelta(days=6), chat_key(503))
    await attempt(database, now, chat_key(504))
    async with database.write() as session:
        await forget_old(session, now)
    assert set(await rows(database)) == {chat_key(503), chat_key(504)}


async def test_tries_at_the_same_moment_win_nothing(database: Database, now: datetime) -> None:
    """Guesses from many chats at once, the account's key and theirs all new: five are looked at."""
    async with database.read() as session:
        name = name_key(session, "lao5110201")
    chats = [(name, chat_key(user_id)) for user_id in range(601, 641)]
    ended = await asyncio.gather(*(attempt(database, now, *keys) for keys in chats))
    assert Counter(ended) == {None: 5, now + 15 * MINUTE: 35}
    # A chat whose try was refused has nothing held against it.
    counted = {key: row for key, row in (await rows(database)).items() if row[0] or row[3]}
    assert len(counted) == 1 + 5


async def test_many_keys_in_any_order_at_once(database: Database, now: datetime) -> None:
    """No two of them wait for each other."""
    async with database.read() as session:
        names = [name_key(session, f"lao{number}") for number in range(4)]
    pairs: list[Iterable[str]] = [
        keys for name in names for chat in range(4) for keys in ((name, chat_key(chat)), (chat_key(chat), name))
    ]
    ended = await asyncio.gather(*(attempt(database, now, *keys) for keys in pairs))
    left = {key: row for key, row in (await rows(database)).items() if row[3] is not None}
    assert all(row[2] == 1 for row in left.values())
    # Each admitted try counts once for its account and once for its chat.
    tries = [row[0] + row[2] * TRIES for key, row in sorted((await rows(database)).items())]
    assert sum(tries) == 2 * Counter(ended)[None]
    assert max(tries) == TRIES


async def test_a_typed_username_is_kept_as_a_keyed_hash(database_url: str) -> None:
    """It may be a mistyped password; and one who has the database cannot try names out."""
    found = []
    for secret in ("one key of more than 32 letters, one key", "other of more than 32 letters, other key"):
        opened = Database(database_url, type(KEYRING)(secret))
        async with opened.read() as session:
            found += [name_key(session, "lao5110201"), name_key(session, "lao6110301")]
            assert name_key(session, "lao5110201") == found[-2]
        await opened.close()
    assert len(set(found)) == 4
    assert all("lao" not in key and len(key) <= 100 for key in found)


async def test_an_update_that_is_done_again_is_counted_once(database: Database, now: datetime) -> None:
    """A program that is killed between the count and the check does the same tap again."""
    async with database.write() as session:
        for _ in range(8):
            assert await admit(session, ["pin:1"], now, update=41) is None
        assert (await session.get_one(Throttle, "pin:1")).failures == 1
        for update in range(42, 46):
            assert await admit(session, ["pin:1"], now, update=update) is None
        # The fifth filled it up and was killed; it is still admitted, and no other is.
        assert await admit(session, ["pin:1"], now, update=45) is None
        assert await admit(session, ["pin:1"], now, update=46) == now + timedelta(minutes=15)
