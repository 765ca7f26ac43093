"""getUpdates: offsets, long polling, conflicts, lifetimes, restarted ids."""

import asyncio

import aiohttp
import pytest

from demo.botapi import DESIGN, PATIENCE, ApiError, Emulator
from tests.demo.botapi.conftest import Clock

CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


def texts(updates: list) -> list[str]:
    return [update["message"]["text"] for update in updates]


async def test_ids_are_sequential_and_only_an_offset_confirms(bot, phone):
    for text in "abc":
        await phone.send(text)
    first = await bot("getUpdates")
    assert texts(first) == ["a", "b", "c"]
    ids = [update["update_id"] for update in first]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
    assert texts(await bot("getUpdates")) == ["a", "b", "c"]
    assert texts(await bot("getUpdates", offset=ids[1])) == ["b", "c"]
    assert texts(await bot("getUpdates")) == ["b", "c"]  # a is confirmed, for good
    assert await bot("getUpdates", offset=ids[2] + 1) == []


async def test_limit_is_clamped(bot, phone):
    for number in range(120):
        await phone.send(str(number))
    assert len(await bot("getUpdates", limit=2)) == 2
    assert len(await bot("getUpdates", limit=0)) == 1
    assert len(await bot("getUpdates", limit=1000)) == 100


async def test_a_negative_offset_forgets_all_but_the_last(bot, phone):
    for text in "abcd":
        await phone.send(text)
    assert texts(await bot("getUpdates", offset=-2)) == ["c", "d"]
    assert texts(await bot("getUpdates")) == ["c", "d"]


@pytest.mark.parametrize(("beyond", "left"), [(10, []), (11, ["a"])])
async def test_an_offset_far_in_the_future_confirms_nothing(bot, phone, emulator, beyond, left):
    await phone.send("a")
    assert texts(await bot("getUpdates", offset=emulator.updates.next_id + beyond)) == left


async def test_long_polling_returns_at_once_when_something_arrives(bot, phone, emulator):
    task = asyncio.create_task(bot("getUpdates", timeout=50))
    await emulator.updates.until_waiting()
    await phone.send("now")
    assert texts(await asyncio.wait_for(task, PATIENCE)) == ["now"]


async def test_long_polling_ends_empty_when_the_emulator_closes():
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        url = f"{emulator.url}/bot{emulator.token}/getUpdates?timeout=50"
        task = asyncio.create_task(session.get(url))
        await emulator.updates.until_waiting()
        await emulator.close()
        response = await asyncio.wait_for(task, PATIENCE)
        assert await response.json() == {"ok": True, "result": []}


async def test_a_second_waiting_poll_ends_the_first(bot, phone, emulator):
    first = asyncio.create_task(bot.answer("getUpdates", timeout=50))
    await emulator.updates.until_waiting()
    second = asyncio.create_task(bot("getUpdates", timeout=50))
    assert await asyncio.wait_for(first, PATIENCE) == (
        409,
        {"ok": False, "error_code": 409, "description": CONFLICT},
    )
    await phone.send("for the second")
    assert texts(await asyncio.wait_for(second, PATIENCE)) == ["for the second"]


async def test_a_repeated_conflict_is_held_for_three_seconds(bot, emulator, clock, sleeps):
    for already_held in (False, True):
        first = asyncio.create_task(bot.refusal("getUpdates", timeout=50))
        await emulator.updates.until_waiting()
        second = asyncio.create_task(bot("getUpdates", timeout=50))
        assert await asyncio.wait_for(first, PATIENCE) == CONFLICT
        assert sleeps.asked == [3.0] * already_held
        emulator.updates.wake()
        assert await asyncio.wait_for(second, PATIENCE) == []
        clock.advance(2.9)
    clock.advance(0.2)
    emulator.updates.webhook_active = True
    await bot.refusal("getUpdates")
    assert sleeps.asked == [3.0]
    await bot.refusal("getUpdates")
    assert sleeps.asked == [3.0, 3.0]


async def test_a_short_poll_leaves_the_waiting_one_alone(bot, phone, emulator):
    first = asyncio.create_task(bot("getUpdates", timeout=50))
    await emulator.updates.until_waiting()
    assert await bot("getUpdates") == []
    assert not first.done()
    await phone.send("x")
    assert texts(await asyncio.wait_for(first, PATIENCE)) == ["x"]


async def test_allowed_updates_are_remembered(bot, phone):
    await bot("getUpdates", allowed_updates=["callback_query"])
    await phone.send("not asked for")
    assert await bot("getUpdates") == []
    await bot("getUpdates", allowed_updates=[])
    await phone.send("asked for")
    assert texts(await bot("getUpdates")) == ["asked for"]


async def test_nonsense_in_allowed_updates_changes_nothing(bot, phone, emulator):
    await bot("getUpdates", allowed_updates=["callback_query"])
    await bot("getUpdates", allowed_updates="{")
    await phone.send("x")
    assert await bot("getUpdates") == []
    assert emulator.violations == ["getUpdates, allowed_updates: JSON expected, got '{'"]


async def test_messages_wait_a_day(bot, phone, clock):
    await phone.send("old")
    clock.advance(86_399)
    assert texts(await bot("getUpdates")) == ["old"]
    clock.advance(1)
    assert await bot("getUpdates") == []


async def test_a_tap_that_nobody_fetches_is_gone_after_150_seconds(bot, phone, clock):
    await bot(
        "sendMessage",
        chat_id=phone.id,
        text="?",
        reply_markup={"inline_keyboard": [[{"text": "ก", "callback_data": "a"}]]},
    )
    await phone.tap("ก")
    await phone.send("stays")
    clock.advance(149)
    assert len(await bot("getUpdates")) == 2
    clock.advance(1)
    assert texts(await bot("getUpdates")) == ["stays"]


async def test_a_jump_of_the_clock_alone_throws_nothing_away_that_waits(clock):
    """A jump of the demonstration's clock ages messages, but not the updates that wait."""
    real = Clock()
    async with Emulator(clock=clock, patience=real) as emulator:
        phone = emulator.phone("สมชาย")
        sent = await phone.start()
        tap = await phone.tap_data(sent, "a")
        clock.advance(30 * 86_400)
        assert len(emulator.call("getWebhookInfo")) == 3
        assert [update.kind for update in emulator.updates.pending] == ["message", "callback_query"]
        assert emulator.call("answerCallbackQuery", callback_query_id=tap.id) is True
        with pytest.raises(ApiError, match="can't be deleted for everyone"):
            emulator.call("deleteMessage", chat_id=phone.id, message_id=sent.id)
        assert (await phone.send("now")).date == sent.date + 30 * 86_400
        real.advance(86_400)
        emulator.updates.expire()
        assert not emulator.updates.pending


@pytest.mark.parametrize("smaller", [True, False])
async def test_ids_restart_at_random_after_an_idle_week(bot, phone, emulator, smaller):
    before = emulator.updates.next_id
    emulator.updates.restart_ids(smaller=smaller)
    await phone.send("new times")
    after = emulator.updates.next_id
    assert (after < before) is smaller
    # A bot that still polls with its old offset gets the update when the ids are far apart.
    assert texts(await bot("getUpdates", offset=before)) == ["new times"]


async def test_an_update_says_what_was_so_when_it_happened(bot, phone):
    message = await phone.send("first")
    await phone.edit_own(message, "second")
    updates = await bot("getUpdates")
    assert updates[0]["message"]["text"] == "first"
    assert updates[1]["edited_message"]["text"] == "second"


async def test_hot_polling_is_slowed_only_in_a_weather(emulator: Emulator):
    assert emulator.updates._throttled(5, 100, 0) == (100, 0)
    assert emulator.updates._throttled(5, 100, 0) == (1, 3.0)
    assert emulator.updates._throttled(6, 100, 0) == (100, 0)
    assert emulator.updates.throttle is False
    emulator.weather = DESIGN
    assert emulator.updates.throttle is True
