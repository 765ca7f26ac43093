"""Intake: no update is lost or stored twice, and none stops the polling."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from telegram import Bot

from bot.inbound.floods import FloodRules, Floods
from bot.inbound.intake import Intake
from bot.inbound.polling import Poller, PollPauses, TokenRefused
from bot.runtime.settings import SettingsRefused
from bot.service import upkeep, wiring
from bot.telegram.transport import AiohttpRequest
from demo.botapi import PATIENCE, Emulator
from models.chats import inbox
from models.chats.inbox import InboxUpdate, State
from models.database.engine import Database
from tests.bot.running import SEAL, Trouble, again, inbox_rows, opened_bot, push, server, until
from tests.chat import TEST_TUNING, running_bot
from tests.support import Clock


@dataclass
class Polling:
    """A running poller, and the rows that it passed on."""

    task: asyncio.Task[None]
    poller: Poller
    taken: list[InboxUpdate] = field(default_factory=list)

    def ids(self) -> list[int]:
        return [row.update_id for row in self.taken]


@pytest.fixture
async def polling(emulator: Emulator, database: Database, clock: Clock) -> AsyncIterator[Polling]:
    """A poller without a worker: the updates stay in the inbox."""
    async with opened_bot(emulator) as (bot, polls):
        taken: list[InboxUpdate] = []
        intake = Intake(bot.id, database, SEAL, clock, taken.extend)
        poller = Poller(bot, polls, intake, TEST_TUNING.polls)
        task = asyncio.create_task(poller.run())
        yield Polling(task, poller, taken)
        task.cancel()
        await asyncio.wait({task})


def offsets(emulator: Emulator) -> list[int | None]:
    """The offsets of the polls so far, without repetitions."""
    distinct_offsets: list[int | None] = []
    for call in emulator.calls_of("getUpdates"):
        offset = int(call.params["offset"]) if "offset" in call.params else None
        if not distinct_offsets or distinct_offsets[-1] != offset:
            distinct_offsets.append(offset)
    return distinct_offsets


async def settled(emulator: Emulator) -> None:
    await asyncio.wait_for(emulator.updates.until_waiting(), PATIENCE)


async def test_offsets_follow_the_batches_and_rest_after_an_empty_one(
    emulator: Emulator, database: Database, polling: Polling
) -> None:
    await settled(emulator)
    first = emulator.updates.next_id
    phone = emulator.phone("ก")
    await phone.start()
    await phone.send("สวัสดี")
    await until(lambda: _taken(polling, 2))
    await settled(emulator)
    assert not emulator.updates.pending
    emulator.updates.wake()  # the poll ends with nothing
    await until(lambda: _polled(emulator, None))
    assert polling.ids() == [first, first + 1]
    seen_offsets = offsets(emulator)
    assert (seen_offsets[0], seen_offsets[-2:]) == (None, [first + 2, None])


@pytest.mark.parametrize("knows", [False, True], ids=["nothing", "the same again"])
async def test_a_server_that_answers_at_once_is_not_asked_at_once(
    database: Database, clock: Clock, knows: bool
) -> None:
    """A server that answers polls at once, or sends confirmed updates again, is not polled faster than the
    floor.
    """
    at, polls_at, enough = 0.0, list[float](), asyncio.Event()
    updates = [{"update_id": 7, "message": {"from": {"id": 5}, "chat": {"id": 5}, "text": "x"}}] if knows else []

    async def answer(_request: web.BaseRequest) -> web.Response:
        polls_at.append(at)
        if len(polls_at) == 10:
            enough.set()
        return web.json_response({"ok": True, "result": updates})

    async def sleep(seconds: float) -> None:
        nonlocal at
        at += seconds
        await asyncio.sleep(0)

    async with server(answer) as url:
        polls = AiohttpRequest(1)
        bot = Bot("1:token", base_url=f"{url}/bot")
        await polls.initialize()
        intake = Intake(1, database, SEAL, clock, lambda _: None)
        poller = Poller(bot, polls, intake, PollPauses(floor=0.7), lambda: at, sleep)
        polling = asyncio.create_task(poller.run())
        await enough.wait()
        polling.cancel()
        await asyncio.wait({polling})
        await polls.shutdown()
    # The first poll brought something new; the same updates again do not count as new.
    pauses = [later - earlier for earlier, later in itertools.pairwise(polls_at[:10])]
    assert pauses == pytest.approx([0.0 if knows else 0.7] + [0.7] * 8)


async def test_the_next_poll_after_a_flood_waits_for_nothing(database: Database, clock: Clock) -> None:
    """A batch that was dropped completely counts as new: others' updates wait behind it."""
    numbers, slept = itertools.count(1), list[float]()
    enough = asyncio.Event()

    async def answer(_request: web.BaseRequest) -> web.Response:
        number = next(numbers)
        if number == 10:
            enough.set()
        update = {"update_id": number, "message": {"from": {"id": 5}, "chat": {"id": 5}, "text": "x"}}
        return web.json_response({"ok": True, "result": [update]})

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    async with server(answer) as url:
        polls = AiohttpRequest(1)
        bot = Bot("1:token", base_url=f"{url}/bot")
        await polls.initialize()
        intake = Intake(1, database, SEAL, clock, lambda _: None, Floods(FloodRules(most=2)))
        polling = asyncio.create_task(Poller(bot, polls, intake, PollPauses(), sleep=sleep).run())
        await enough.wait()
        polling.cancel()
        await asyncio.wait({polling})
        await polls.shutdown()
    assert len(await inbox_rows(database)) == 2
    assert not slept


async def _taken(polling: Polling, count: int) -> bool:
    return len(polling.taken) >= count


async def _polled(emulator: Emulator, offset: int | None) -> bool:
    return offsets(emulator)[-1] == offset and emulator.updates._waiting is not None


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_failed_commit_confirms_nothing_and_loses_nothing(
    emulator: Emulator,
    database: Database,
    polling: Polling,
    monkeypatch: pytest.MonkeyPatch,
    after_commit: bool,
) -> None:
    await settled(emulator)
    trouble = Trouble(monkeypatch, database)
    trouble.times, trouble.after_commit = 2, after_commit
    first = emulator.updates.next_id
    await emulator.phone("ก").start()
    await until(lambda: _polled(emulator, first + 1))
    assert trouble.struck == 2
    # The commit took effect after all, so the update came again as known: the worker's next scan finds its row.
    assert polling.ids() == ([] if after_commit else [first])
    assert [row.update_id for row in await inbox_rows(database)] == [first]
    # Confirmed only by the poll after the commit that was known to succeed.
    assert offsets(emulator) == [None, first + 1]


async def test_ids_that_restart_lower_are_received(
    emulator: Emulator, database: Database, polling: Polling, clock: Clock
) -> None:
    phone = emulator.phone("ก")
    await phone.start()
    await until(lambda: _taken(polling, 1))
    await settled(emulator)
    emulator.updates.wake()
    await until(lambda: _polled(emulator, None))
    clock.move(days=8)
    emulator.updates.restart_ids(smaller=True)
    await phone.send("หลังจากหนึ่งสัปดาห์")
    await phone.send("อีกครั้ง")
    await until(lambda: _taken(polling, 3))
    before, after, last = polling.ids()
    assert after < before
    assert last == after + 1
    assert len(await inbox_rows(database)) == 3


async def test_an_id_is_remembered_for_14_days_and_then_forgotten(
    emulator: Emulator, database: Database, polling: Polling, clock: Clock
) -> None:
    await settled(emulator)
    await emulator.phone("ก").start()
    update = emulator.updates.pending[0]
    await until(lambda: _taken(polling, 1))
    async with database.write() as session:
        await inbox.finish(session, polling.taken[0], clock())

    for days in (0, 13):
        clock.move(days=days)
        await settled(emulator)
        emulator.updates.wake()
        await until(lambda: _polled(emulator, None))
        again(emulator, update)
        await until(lambda: _polled(emulator, update.id + 1))
        assert len(polling.taken) == 1
        assert len(await inbox_rows(database)) == 1

    clock.move(days=2)
    emulator.updates.wake()
    await until(lambda: _polled(emulator, None))
    await upkeep.forget(database, clock())
    assert not await inbox_rows(database)
    again(emulator, update)
    await until(lambda: _taken(polling, 2))
    assert polling.ids() == [update.id, update.id]
    assert polling.taken[0].id != polling.taken[1].id


@pytest.mark.parametrize(
    "fault", ["flood", "bad_gateway", "error_500", "reset_before", "reset_after", "conflict", "garbage", "no_list"]
)
async def test_polling_goes_on_after(
    fault: str,
    emulator: Emulator,
    database: Database,
    polling: Polling,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    await settled(emulator)
    faults = emulator.faults
    if fault == "flood":
        faults.flood(1, method="getUpdates")
    elif fault == "bad_gateway":
        faults.server_error(502, method="getUpdates", times=3)
    elif fault == "error_500":
        faults.server_error(500, method="getUpdates", times=3)
    elif fault == "reset_before":
        faults.reset_before(method="getUpdates", times=3)
    elif fault == "reset_after":
        faults.reset_after(method="getUpdates", times=3)
    elif fault == "conflict":
        emulator.updates.abort()
    else:
        answers = iter([b'{"ok":tr', b"[]", b"null", b"\xff\xfe", b'{"ok":true}'])
        if fault == "no_list":
            answers = iter([b'{"ok":true,"result":7}', b'{"ok":true,"result":[7,{},{"update_id":"1"}]}'])
        real = polling.poller._polls.retrieve

        async def retrieve(url: str) -> bytes:
            return next(answers, None) or await real(url)

        monkeypatch.setattr(polling.poller._polls, "retrieve", retrieve)
    first = emulator.updates.next_id
    phone = emulator.phone("ก")
    await phone.start()
    await phone.send("สอง")
    await until(lambda: _taken(polling, 2))
    # The first may have come with a poll in flight, the second with one that met the fault.
    await until(lambda: _complained(emulator, caplog))
    assert polling.ids() == [first, first + 1]
    assert not polling.task.done()
    assert "Traceback" not in caplog.text
    assert emulator.token not in caplog.text


async def _complained(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> bool:
    # A poll may be waiting on a connection that is to be cut.
    emulator.updates.wake()
    return "poll" in caplog.text


async def test_a_refused_token_ends_the_poller(emulator: Emulator, polling: Polling) -> None:
    await settled(emulator)
    emulator.frontend.token = "987654321:" + "x" * 35
    emulator.updates.wake()
    with pytest.raises(TokenRefused):
        await asyncio.wait_for(polling.task, PATIENCE)


async def test_a_page_not_found_of_a_proxy_does_not_end_it(emulator: Emulator, polling: Polling) -> None:
    await settled(emulator)
    struck = emulator.faults.server_error(404, method="getUpdates")
    emulator.updates.wake()
    await emulator.phone("ก").start()
    await until(lambda: _taken(polling, 1))
    emulator.updates.wake()
    await until(lambda: _hit(struck.hits))
    assert not polling.task.done()


async def _hit(hits: int) -> bool:
    return hits > 0


async def test_a_refused_token_ends_the_program_with_one_sentence(
    emulator: Emulator, country: Database, clock: Clock
) -> None:
    async with opened_bot(emulator) as (bot, polls):
        running = asyncio.create_task(
            wiring.serve(bot, polls, country, SEAL, asyncio.Event(), clock, tuning=TEST_TUNING)
        )
        await settled(emulator)
        emulator.frontend.token = "987654321:" + "x" * 35
        emulator.updates.wake()
        with pytest.raises(SettingsRefused, match=r"^LAOCERT_BOT_TOKEN was refused by Telegram; see @BotFather$"):
            await asyncio.wait_for(running, PATIENCE)


POISON = [
    # (kind, body, whether the sender can be determined)
    ("message", b"null", False),
    ("message", b'{"from":7}', False),
    ("message", b'{"from":{"id":%d},"chat":9}', True),
    ("message", b'{"from":{"id":%d},"chat":{"id":{},"type":[]},"message_id":{}}', True),
    ("message", b'{"from":{"id":%d},"chat":{"id":%d,"type":"private"},"message_id":1,"text":"\\ud800"}', True),
    ("message", b'{"from":{"id":18446744073709551617},"chat":{}}', False),
    ("message", b'{"from":{"id":-5},"chat":{}}', False),
    ("callback_query", b'{"from":{"id":%d},"message":{},"id":"1"}', True),
    ("callback_query", b'{"from":{"id":%d},"message":{"message_id":1,"chat":{}},"id":7,"data":[]}', True),
]


async def test_poison_is_set_aside_and_blocks_nobody(
    emulator: Emulator, country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ann, ben = emulator.phone("ก"), emulator.phone("ข")
    ann.chat.bot_status = "member"
    known = [has_sender for *_, has_sender in POISON].count(True)
    ids = []
    for kind, body, _ in POISON:
        ids.append(push(emulator, kind, body.replace(b"%d", b"%d" % ann.id)))
    await ann.send("/start")
    await ben.send("/start")
    async with running_bot(emulator, country, clock):
        await ben.until(lambda phone: phone.button("เข้าสู่ระบบ"))
        await ann.until(lambda phone: phone.button("เข้าสู่ระบบ"))
        rows = await until(lambda: _all_finished(country))
    assert {row.update_id for row in rows if row.state is State.SET_ASIDE} == set(ids)
    assert all(row.body is None for row in rows)
    assert {row.attempts for row in rows if row.state is State.SET_ASIDE} == {3}
    apologies = [message for message in ann.messages if message.outgoing and "ขออภัย" in message.text]
    assert len(apologies) == known
    # Set aside in turn, so the start after them was answered last.
    assert "ขออภัย" not in ann.last.text


async def _all_finished(database: Database) -> list[InboxUpdate]:
    rows = await inbox_rows(database)
    return rows if all(row.state is not State.PENDING for row in rows) else []


async def test_posts_of_officers_do_not_wait_for_those_of_strangers(database: Database, clock: Clock) -> None:
    """Posts of other senders share a commit; one sender's stay in order, also when it turns out to be an
    officer.
    """
    officer, stranger, linking = 1, 2, 3
    floods = Floods()
    floods._officers[officer] = asyncio.get_running_loop().time() + 60
    intake = Intake(1, database, SEAL, clock, lambda _: None, floods)
    lane = intake._other_posts
    lane._apart = 3600.0
    # The first is committed at once; those within the interval after it share the next commit.
    await intake.put(inbox.Received(1, stranger, b"x"))
    others = [
        asyncio.create_task(intake.put(inbox.Received(number, sender, b"x")))
        for number, sender in ((2, stranger), (3, linking))
    ]
    await asyncio.sleep(0)
    floods._officers[linking] = floods._officers[officer]
    others.append(asyncio.create_task(intake.put(inbox.Received(4, linking, b"x"))))
    await intake.put(inbox.Received(5, officer, b"x"))
    assert [row.update_id for row in await inbox_rows(database)] == [1, 5]
    assert lane._keeping is not None
    lane._keeping.cancel()
    lane._apart = 0.0
    await lane._keep_all()
    await asyncio.gather(*others)
    assert [row.update_id for row in await inbox_rows(database) if row.sender == linking] == [3, 4]
