"""The webhook: updates are stored before the answer, bad posts refused; switching from and to polling."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from starlette.requests import Request
from starlette.types import Message

from bot.http.webhook import LONGEST_BODY, READ_TIMEOUT, SECRET_HEADER, Webhook
from bot.inbound import webhook as hooks
from bot.inbound.intake import ALLOWED_UPDATES, Intake
from bot.runtime.metrics import TALLY
from bot.runtime.settings import Hook, SettingsRefused, load_settings
from bot.service import wiring
from bot.service.listener import Front
from demo.botapi import Emulator
from models.chats import inbox
from models.chats.inbox import State
from models.database.engine import Database
from tests.bot.running import SEAL, SECRET, Run, front, inbox_rows, laocert, served_at, until
from tests.chat import Officer, running_bot
from tests.support import Clock

__all__ = ["front", "laocert"]

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ASK_USERNAME = "พิมพ์ชื่อผู้ใช้ของหน่วยงาน"


async def no_pause(_seconds: float) -> None:
    await asyncio.sleep(0.01)


@pytest.fixture
async def telegram(clock: Clock) -> AsyncIterator[Emulator]:
    """An emulator that repeats a refused post at once."""
    async with Emulator(clock=clock.timestamp, sleep=no_pause) as running:
        yield running
        assert not running.violations


@asynccontextmanager
async def posted_to(
    telegram: Emulator, country: Database, clock: Clock, front: Front
) -> AsyncIterator[aiohttp.ClientSession]:
    """The bot with its webhook set, and a client to post to it."""
    assert front.hook is not None
    async with running_bot(telegram, country, clock, front=front), aiohttp.ClientSession() as client:

        async def has_started() -> bool:
            async with client.get(served_at(front, "/readyz")) as answer:
                return bool((await answer.json())["started"]["ok"])

        # Until then posts are answered 503.
        await until(has_started)
        telegram.call(
            "setWebhook", url=front.hook.url, secret_token=SECRET, allowed_updates=json.dumps(ALLOWED_UPDATES)
        )
        yield client


async def finished(database: Database) -> bool:
    rows = await inbox_rows(database)
    return bool(rows) and all(row.state is not State.PENDING for row in rows)


async def test_an_officer_is_served_by_posts(
    telegram: Emulator, country: Database, clock: Clock, front: Front
) -> None:
    officer = Officer(telegram.phone("ก"))
    # This update has waited at Telegram since before the webhook was set.
    await officer.phone.send("/start")
    async with posted_to(telegram, country, clock, front):
        await officer.sees("หน่วยงาน")
        await officer.tap("เข้าสู่ระบบ", ASK_USERNAME)
        await until(lambda: finished(country))
        # An update that is done may not be confirmed yet.
        await until(lambda: not telegram.updates.pending)
    assert not telegram.calls_of("getUpdates")
    assert [row.state for row in await inbox_rows(country)] == [State.DONE] * 2
    # The program does not delete the webhook: other replicas use it.
    assert telegram.api.webhook.url == front.hook.url  # type: ignore[union-attr]


@pytest.mark.parametrize("after_commit", [False, True])
async def test_while_the_database_is_away_telegram_keeps_it(
    telegram: Emulator,
    country: Database,
    clock: Clock,
    front: Front,
    monkeypatch: pytest.MonkeyPatch,
    after_commit: bool,
) -> None:
    keep, strikes = Intake.keep, [2]

    async def troubled(self: Intake, batch: list[inbox.Received]) -> None:
        if after_commit or not strikes[0]:
            await keep(self, batch)
        if strikes[0]:
            strikes[0] -= 1
            # What asyncpg raises when the server is gone.
            raise ConnectionRefusedError

    monkeypatch.setattr(Intake, "keep", troubled)
    officer = Officer(telegram.phone("ก"))
    async with posted_to(telegram, country, clock, front):
        refused = TALLY.posts["503"]
        await officer.says("/start", "หน่วยงาน")
        await until(lambda: finished(country))
        # A post that was committed after all is answered 200 when repeated, and processed once.
        await until(lambda: TALLY.posts["503"] == refused + 2 and not telegram.updates.pending)
    assert "503" in telegram.api.webhook.last_error
    assert [row.state for row in await inbox_rows(country)] == [State.DONE]


@ONE_DATABASE
async def test_what_is_refused_is_not_read_and_tells_nothing(
    telegram: Emulator, country: Database, clock: Clock, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    right = {SECRET_HEADER: SECRET, "Content-Type": "application/json"}
    update = b'{"update_id": 1}'

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LONGEST_BODY // 1000 + 1):
            yield b"x" * 1000

    async with posted_to(telegram, country, clock, front) as client:
        url = served_at(front, "/hook")
        for headers, body, status in (
            ({"Content-Type": "application/json"}, update, 403),
            ({**right, SECRET_HEADER: SECRET + "x"}, update, 403),
            ({**right, SECRET_HEADER: SECRET[:-1]}, update, 403),
            ({**right, SECRET_HEADER: "é"}, update, 403),
            # The body is not read before the secret is checked.
            ({**right, SECRET_HEADER: "x"}, b"x" * (LONGEST_BODY + 1), 403),
            ({**right, "Content-Type": "text/plain"}, update, 415),
            (right, b"x" * (LONGEST_BODY + 1), 413),
            (right, endless(), 413),
        ):
            async with client.post(url, headers=headers, data=body) as answer:
                assert (answer.status, await answer.read()) == (status, b"")
        async with client.get(url, headers=right) as answer:
            assert answer.status == 405
        async with client.post(served_at(front, "/other"), headers=right, data=update) as answer:
            assert answer.status == 404
        assert await inbox_rows(country) == []
        async with client.post(
            url, headers={**right, "Content-Type": "Application/JSON; charset=utf-8"}, data=update
        ) as answer:
            assert answer.status == 200
        assert [row.update_id for row in await inbox_rows(country)] == [1]
    assert SECRET not in caplog.text


async def test_a_body_that_does_not_end_is_not_waited_for() -> None:
    headers = [(SECRET_HEADER.lower().encode(), SECRET.encode()), (b"content-type", b"application/json")]
    parts = iter([{"type": "http.request", "body": b'{"update_id": ', "more_body": True}])

    async def receive() -> Message:
        if (part := next(parts, None)) is not None:
            return part
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "path": "/hook", "headers": headers}, receive)
    assert READ_TIMEOUT == 10
    assert (await Webhook(SECRET, patience=0.05).receive(request)).status_code == 408


@ONE_DATABASE
async def test_what_can_never_be_kept_is_not_asked_for_again(
    telegram: Emulator, country: Database, clock: Clock, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {SECRET_HEADER: SECRET, "Content-Type": "application/json"}
    async with posted_to(telegram, country, clock, front) as client:
        counted = TALLY.updates["unknown", "left_out"]
        bodies = [
            b"",
            b"{",
            b"[" * 100_000,
            b"\xff\xfe",
            b"null",
            b"[]",
            b"{}",
            b'{"update_id": "1"}',
            b'{"update_id": -1}',
        ]
        for body in bodies:
            async with client.post(served_at(front, "/hook"), headers=headers, data=body) as answer:
                assert answer.status == 200
        assert TALLY.updates["unknown", "left_out"] == counted + len(bodies)
        assert caplog.text.count("an update without an id was left out") == len(bodies)
        assert await inbox_rows(country) == []
        # An unpaired surrogate does not lose the update: the worker sets it aside in order.
        half = b'{"update_id": 7, "message": {"from": {"id": 5}, "chat": {"id": 5}, "text": "\\ud800"}}'
        async with client.post(served_at(front, "/hook"), headers=headers, data=half) as answer:
            assert answer.status == 200
        assert [(row.update_id, row.sender) for row in await inbox_rows(country)] == [(7, 5)]


async def test_what_comes_while_the_database_is_busy_is_committed_together(
    country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    let = asyncio.Event()
    store = inbox.store

    async def slowly(session, bot_id, batch, now):  # type: ignore[no-untyped-def]
        batches.append(len(batch))
        await let.wait()
        return await store(session, bot_id, batch, now)

    monkeypatch.setattr("bot.inbound.intake.inbox.store", slowly)
    taken: list[int] = []
    intake = Intake(1, country, SEAL, clock, lambda rows: taken.extend(row.update_id for row in rows))
    received = [intake.receive({"update_id": number}) for number in range(9)]
    puts = [asyncio.create_task(intake.put(update)) for update in received if update]
    late = asyncio.create_task(intake.put(received[0]))  # type: ignore[arg-type]
    await until(lambda: batches)
    # A post whose connection is gone is stored with the others.
    puts[3].cancel()
    let.set()
    await asyncio.gather(late, *puts, return_exceptions=True)
    assert sum(batches) == 10
    assert len(batches) <= 2
    assert sorted(taken) == list(range(9))
    assert len(await inbox_rows(country)) == 9


async def test_from_polling_to_posts_and_back_nothing_is_lost(
    telegram: Emulator,
    country: Database,
    clock: Clock,
    front: Front,
    laocert: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAOCERT_API_URL", telegram.url)
    officer = Officer(telegram.phone("ก"))
    first = telegram.updates.next_id
    async with running_bot(telegram, country, clock):
        await officer.says("/start", "หน่วยงาน")
    await officer.phone.send("/help")
    monkeypatch.setenv("LAOCERT_WEBHOOK_URL", front.hook.url)  # type: ignore[union-attr]
    monkeypatch.setenv("LAOCERT_WEBHOOK_SECRET", SECRET)
    await laocert("webhook", "set")
    await officer.phone.send("/language")
    async with running_bot(telegram, country, clock, front=front):
        await until(lambda: _has(country, 3))
        await officer.phone.send("/menu")
        await until(lambda: _has(country, 4))
    await officer.phone.send("/help")
    result = await laocert("webhook", "delete")
    assert "1 updates wait" in result.output
    async with running_bot(telegram, country, clock):
        await until(lambda: _has(country, 5))
        await until(lambda: finished(country))
    assert [row.update_id for row in await inbox_rows(country)] == list(range(first, first + 5))
    assert Counter(row.state for row in await inbox_rows(country)) == {State.DONE: 5}


async def _has(database: Database, count: int) -> bool:
    return len(await inbox_rows(database)) == count


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = "https://bot.example.org/hook"
    monkeypatch.setenv("LAOCERT_WEBHOOK_URL", url)
    monkeypatch.setenv("LAOCERT_WEBHOOK_SECRET", SECRET)
    return url  # type: ignore[return-value]


@ONE_DATABASE
async def test_it_is_set_looked_at_and_taken_away(
    emulator: Emulator, laocert: Run, hooked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await laocert("webhook", "info", code=1)
    assert result.stderr == "no webhook is set at Telegram; run: laocert webhook set\n"

    result = await laocert("webhook", "set", "--connections", "100")
    assert hooked in result.output
    assert SECRET not in result.output
    registered = emulator.api.webhook
    assert (registered.url, registered.secret, registered.max_connections) == (hooked, SECRET, 100)
    assert emulator.api.updates.allowed == set(ALLOWED_UPDATES)
    # Without a failed post Telegram reports no error.
    emulator.api.webhook.last_error = "Wrong response from the webhook: 403 Forbidden"
    emulator.api.webhook.last_error_date = emulator.world.now()
    result = await laocert("webhook", "info")
    assert hooked in result.output
    assert "403 Forbidden: the secrets differ" in result.output
    facts = json.loads((await laocert("webhook", "info", "--json")).output)
    assert (facts["ok"], facts["url"], facts["pending"], facts["max_connections"]) == (True, hooked, 0, 100)
    assert facts["last_error_means"].startswith("the secrets differ")

    monkeypatch.setenv("LAOCERT_WEBHOOK_URL", "https://bot.example.org/other")
    result = await laocert("webhook", "info", code=1)
    assert "not to LAOCERT_WEBHOOK_URL; run: laocert webhook set" in result.stderr
    monkeypatch.delenv("LAOCERT_WEBHOOK_URL")
    result = await laocert("webhook", "info", code=1)
    assert "LAOCERT_WEBHOOK_URL is not set; run: laocert webhook delete" in result.stderr

    result = await laocert("webhook", "delete")
    assert emulator.api.webhook.url == ""
    assert not any(
        "drop_pending_updates" in call.params
        for call in emulator.calls_of("deleteWebhook")
        if call.params.get("drop_pending_updates") == "true"
    )
    result = await laocert("webhook", "info")
    assert "updates are polled" in result.output
    result = await laocert("webhook", "set", code=1)
    assert "LAOCERT_WEBHOOK_URL is not set" in result.stderr


@ONE_DATABASE
async def test_what_telegram_refuses_is_said(laocert: Run, hooked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAOCERT_WEBHOOK_URL", "https://bot.example.org:8081/hook")
    result = await laocert("webhook", "set", code=1)
    assert "webhook can be set up only on ports" in result.stderr
    monkeypatch.setenv("LAOCERT_BOT_TOKEN", "987654321:" + "x" * 35)
    result = await laocert("webhook", "info", code=1)
    assert result.stderr == "LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather\n"
    monkeypatch.setenv("LAOCERT_API_URL", "http://127.0.0.1:9")
    result = await laocert("webhook", "info", code=1)
    assert "the Bot API cannot be asked" in result.stderr


def test_other_kinds_of_updates_are_a_fault() -> None:
    hook = Hook("https://bot.example.org/hook", SECRET)
    state = hooks.State(hook.url, 0, 40, ("message",), None, None)
    assert state.fault(hook) is not None
    assert hooks.State(hook.url, 0, 40, tuple(reversed(ALLOWED_UPDATES)), None, None).fault(hook) is None


@ONE_DATABASE
async def test_polling_does_not_take_a_webhook_away(
    emulator: Emulator,
    laocert: Run,
    hooked: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator.call("setWebhook", url=hooked)
    monkeypatch.delenv("LAOCERT_WEBHOOK_URL")
    # In this process, because only the main thread receives signals.
    with pytest.raises(SettingsRefused) as refused:
        await wiring.run(load_settings())
    assert str(refused.value) == (
        "Telegram posts to bot.example.org, and LAOCERT_WEBHOOK_URL is not set;"
        " run: laocert webhook delete, or set LAOCERT_WEBHOOK_URL"
    )
    assert emulator.api.webhook.url == hooked
    assert not emulator.calls_of("deleteWebhook")
