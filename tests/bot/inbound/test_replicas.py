"""Several programs on one PostgreSQL database: one sender's updates in order, senders in parallel, none twice."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.inbound.intake import Intake
from bot.inbound.worker import Worker, WorkerPace
from demo.botapi import Emulator
from models.chats import inbox
from models.chats.inbox import State
from models.database.engine import Database
from models.database.sender_lock import SenderLocks
from tests.bot.program import Program
from tests.bot.running import SEAL, inbox_rows, make_worker, opened_bot, until
from tests.chat import TEST_TUNING, says
from tests.support import KEYRING, Clock

# Restricted to this test's database: other tests run on the same server.
CLAIMED = (
    "locktype = 'advisory' AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """The same database, as another program opens it."""
    opened = Database(database_url, KEYRING)
    yield opened
    await opened.close()


@asynccontextmanager
async def working(emulator: Emulator, database: Database, clock: Clock, pace: WorkerPace) -> AsyncIterator[Worker]:
    """The worker of one program, with its scans of the inbox."""
    async with opened_bot(emulator) as (bot, _):
        worker = make_worker(bot, database, clock, pace=pace)
        looks = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            looks.cancel()
            await asyncio.wait({looks})
            await worker.drain(0)


def message(update_id: int, user_id: int, words: str) -> dict[str, object]:
    chat = {"id": user_id, "type": "private"}
    return {
        "update_id": update_id,
        "message": {"message_id": update_id, "from": {"id": user_id}, "chat": chat, "text": words},
    }


async def put(emulator: Emulator, database: Database, clock: Clock, updates: list[dict[str, object]]) -> None:
    """Store updates in the inbox, as a program that was killed afterwards."""
    intake = Intake(emulator.bot.id, database, SEAL, clock, lambda rows: None)
    await intake.keep([received for received in map(intake.receive, updates) if received])


async def all_done(database: Database) -> bool:
    return all(row.state is State.DONE for row in await inbox_rows(database))


async def test_two_share_the_officers_and_keep_each_ones_order(
    emulator: Emulator, country: Database, other: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = replace(TEST_TUNING.worker, parallel=4, look_at_most=8)
    phones = [emulator.phone(str(number)) for number in range(12)]
    for phone in phones:
        await phone.start()
    words = ["/help", "/language", "/menu"] * 2
    await put(
        emulator,
        country,
        clock,
        [
            message(100 * number + place, phone.id, command)
            for place, command in enumerate(words)
            for number, phone in enumerate(phones)
        ],
    )
    done: list[tuple[str, int]] = []
    finish = inbox.finish

    async def noted(session, row, now):  # type: ignore[no-untyped-def]
        if not await finish(session, row, now):
            return False
        done.append(("one" if session.bind is country.engine else "two", row.update_id))
        return True

    monkeypatch.setattr("bot.inbound.worker.inbox.finish", noted)
    async with working(emulator, country, clock, pace), working(emulator, other, clock, pace):
        await until(lambda: all_done(country))
        # An update is committed as done before it is answered.
        await until(lambda: len(emulator.calls_of("sendMessage")) == len(words) * len(phones))
    assert len(done) == len(words) * len(phones)
    for number in range(len(phones)):
        mine = [update_id for _, update_id in done if update_id // 100 == number]
        assert mine == sorted(mine)
    assert set(Counter(who for who, _ in done)) == {"one", "two"}
    for phone in phones:
        texts = [
            call.params["text"]
            for call in emulator.calls_of("sendMessage")
            if call.params["chat_id"] == str(phone.id)
        ]
        assert texts == texts[:3] * 2


async def test_an_update_waits_for_an_earlier_one_of_its_sender(
    emulator: Emulator, country: Database, clock: Clock
) -> None:
    await put(emulator, country, clock, [message(number, 7, "/help") for number in (1, 2)])
    first, second = await inbox_rows(country)
    async with country.write() as session:
        assert not await inbox.is_next(session, second)
        assert not await inbox.finish(session, second, clock())
    async with country.write() as holding:
        assert await inbox.finish(holding, first, clock())
        # Not committed yet: for other programs the first update still waits.
        async with country.write() as session:
            assert not await inbox.finish(session, second, clock())
    async with country.write() as session:
        assert not await inbox.finish(session, first, clock())
        assert await inbox.finish(session, second, clock())


async def test_a_sender_is_claimed_by_one_and_free_when_that_one_is_gone(
    country: Database, other: Database
) -> None:
    first, second = (SenderLocks(database, TEST_TUNING.worker.sender_locks) for database in (country, other))
    assert await asyncio.gather(*(first.take(sender) for sender in range(5))) == [True] * 5
    assert await asyncio.gather(*(second.take(sender) for sender in range(3, 8))) == [
        False,
        False,
        True,
        True,
        True,
    ]
    first.give_back(3)
    await until(lambda: second.take(3))
    assert not await first.take(3)
    # The session is terminated, as after a power failure: the other program gets its senders at once.
    async with other.write() as session:
        await session.execute(
            text(
                f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE {CLAIMED} AND pid <> ALL"
                f" (SELECT pid FROM pg_locks WHERE {CLAIMED} AND objid = hashint8(5)::oid)"
            )
        )
    await until(lambda: second.take(4))
    # The program notices with its next query; until then `inbox.finish` refuses updates out of order.
    await until(lambda: refused(first, 4))
    assert await first.take(9)
    await first.close()
    await second.close()
    async with other.read() as session:
        assert await session.scalar(text(f"SELECT count(*) FROM pg_locks WHERE {CLAIMED}")) == 0


async def refused(locks: SenderLocks, sender: int) -> bool:
    return not await locks.take(sender)


@pytest.fixture
async def telegram() -> AsyncIterator[Emulator]:
    """An emulator in real time, as the programs are."""
    async with Emulator(clock=time.time) as running:
        yield running
        assert not running.violations


async def test_one_polls_and_a_kill_is_taken_over(
    tmp_path: Path, telegram: Emulator, country: Database, database_url: str
) -> None:
    programs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        programs.append(Program(tmp_path / name, telegram, database_url))
    phone = telegram.phone("ก")
    async with programs[0].running(), programs[1].running():
        for program in programs:
            await program.ready()
        await phone.send("/start")
        await says(phone, "หน่วยงาน")
        poller = await until(lambda: has_lease(programs))
        await poller.kill()
        killed_at = time.monotonic()
        await phone.send("/help")
        await says(phone, "/language")
        assert time.monotonic() - killed_at < poller.seconds(10)
        left = next(program for program in programs if program is not poller)
        assert await left.stop() == 0
    assert "another program polls" not in programs[0].log + programs[1].log
    assert {row.state for row in await inbox_rows(country)} == {State.DONE}


async def has_lease(programs: list[Program]) -> Program | None:
    return next(
        (program for program in programs if "this process has the lease of the poller" in program.log), None
    )
