"""setWebhook and delivery."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web

from demo.botapi import PATIENCE


class Receiver:
    """A webhook that records posts, and answers as planned."""

    def __init__(self) -> None:
        self.got: list[tuple[str | None, dict]] = []
        self.answers: list[web.Response] = []
        self.url = ""
        self.changed = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        self.got.append((secret, orjson.loads(await request.read())))
        self.changed.set()
        return self.answers.pop(0) if self.answers else web.Response()

    async def received(self, count: int) -> list[dict]:
        async with asyncio.timeout(PATIENCE):
            while len(self.got) < count:
                self.changed.clear()
                await self.changed.wait()
        return [update for _, update in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle), shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


async def test_updates_come_with_the_secret(bot, phone, receiver):
    await phone.send("waiting since before")
    await bot("setWebhook", url=receiver.url, secret_token="s3cret_-")
    await phone.send("new")
    updates = await receiver.received(2)
    assert [update["message"]["text"] for update in updates] == ["waiting since before", "new"]
    assert {secret for secret, _ in receiver.got} == {"s3cret_-"}


async def test_what_is_not_accepted_comes_again(bot, phone, receiver, sleeps):
    receiver.answers = [web.Response(status=500), web.Response(status=503, headers={"Retry-After": "9"})]
    await bot("setWebhook", url=receiver.url)
    await phone.send("first")
    await phone.send("second")
    updates = await receiver.received(4)
    assert [update["message"]["text"] for update in updates] == ["first", "first", "first", "second"]
    assert sleeps.asked == [1.0, 9.0]
    info = await bot("getWebhookInfo")
    assert info["url"] == receiver.url
    assert info["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"


async def test_one_person_waits_for_none_other(bot, phone, receiver, emulator):
    other = emulator.phone("สมหญิง")
    held = asyncio.Event()
    emulator._courier._sleep = lambda seconds: held.wait()
    receiver.answers = [web.Response(status=500)]
    await bot("setWebhook", url=receiver.url)
    await phone.send("stuck")
    await receiver.received(1)
    await other.start()
    updates = await receiver.received(2)
    assert [update["message"]["text"] for update in updates] == ["stuck", "/start"]
    held.set()
    assert (await receiver.received(3))[2]["message"]["text"] == "stuck"


async def test_an_answer_may_carry_a_method(bot, phone, receiver):
    receiver.answers = [web.json_response({"method": "sendMessage", "chat_id": phone.id, "text": "ตอบ"})]
    await bot("setWebhook", url=receiver.url)
    await phone.send("ถาม")
    assert await phone.until(lambda p: p.last.text == "ตอบ")


async def test_get_updates_and_a_webhook_exclude_each_other(bot, phone, emulator, receiver):
    waiting = asyncio.create_task(bot.refusal("getUpdates", timeout=50))
    await emulator.updates.until_waiting()
    await bot("setWebhook", url=receiver.url)
    assert await asyncio.wait_for(waiting, PATIENCE) == "Conflict: terminated by setWebhook request"
    assert await bot.refusal("getUpdates") == (
        "Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first"
    )
    await bot("deleteWebhook")
    await phone.send("x")
    assert len(await bot("getUpdates")) == 1
    assert receiver.got == []
    await bot("deleteWebhook", drop_pending_updates=True)
    assert await bot("getUpdates") == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"url": "http://example.org/"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "https://example.org:8081/"},
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        ({"url": "ftp://example.org/"}, "invalid webhook URL specified"),
        ({"url": "https://example.org/", "secret_token": "a b"}, "secret token contains unallowed characters"),
        ({"url": "https://example.org/", "secret_token": "a" * 257}, "secret token is too long"),
    ],
)
async def test_refusals(bot, params, message):
    assert await bot.refusal("setWebhook", **params) == f"Bad Request: {message}"
    assert (await bot("getWebhookInfo"))["url"] == ""
