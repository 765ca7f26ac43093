"""Flood control: officers are served at once, strangers with a bounded part of the work, floods are dropped."""

from dataclasses import replace

import pytest

from bot.inbound.floods import FloodRules, Floods
from bot.runtime.metrics import TALLY
from demo.botapi import PATIENCE, Emulator
from models.chats import inbox
from models.database.engine import Database
from models.links.senders import look_up, pending_in_turn
from tests.bot.running import finished, inbox_rows, link, sent_texts, until
from tests.chat import TEST_TUNING, Officer
from tests.support import Clock

RULES = FloodRules(window=60.0, free=2, step=0.5, most=4, senders=3)
# The flood counters' clock stands still.
STRICT = replace(TEST_TUNING, floods=RULES)


class Seconds:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_who_sends_too_much_is_slowed_down_and_then_dropped_until_it_stops() -> None:
    clock = Seconds()
    floods = Floods(RULES, clock)
    assert [floods.admits(1) for _ in range(4)] == [True] * 4
    assert floods.delay(1) == 2 * RULES.step
    assert not floods.admits(1)
    # The flood continues: dropped updates count too.
    clock.now += 59
    assert [floods.admits(1) for _ in range(4)] == [False] * 4
    clock.now += 59
    assert not floods.admits(1)
    clock.now += 61
    assert floods.admits(1)
    assert floods.delay(1) == 0
    # Other senders are not affected.
    assert floods.admits(2)
    assert floods.delay(2) == 0


def test_senders_are_not_remembered_without_end() -> None:
    floods = Floods(RULES, Seconds())
    for sender in range(100):
        floods.admits(sender)
    assert len(floods._times) == RULES.senders


def test_strangers_together_have_a_bounded_part_and_newcomers_most_of_it() -> None:
    clock = Seconds()
    rules = FloodRules(
        most=100, newcomer=2, newcomers_rate=1.0, newcomers_burst=5.0, others_rate=0.5, others_burst=3.0
    )
    floods = Floods(rules, clock)
    # A persistent crowd: each sender is a newcomer for two updates, then uses the bucket of the others.
    admitted = [sum(floods.admits(sender) for sender in range(1, 5)) for _ in range(4)]
    assert admitted == [4, 1, 3, 0]
    # The buckets refill with time, the newcomers' fastest, and never beyond the burst.
    clock.now += 2
    assert [floods.admits(sender) for sender in (1, 2, 101, 102, 103)] == [True, False, True, True, False]
    clock.now += 590
    assert sum(floods.admits(sender) for sender in range(201, 221)) == 5
    assert sum(floods.admits(sender) for sender in range(1, 5)) == 3
    # After ten quiet minutes a sender is a newcomer again.
    clock.now += 601
    assert all(floods.admits(sender) for sender in range(1, 5))


async def test_officers_and_who_logs_in_come_first(country: Database, emulator: Emulator, clock: Clock) -> None:
    officer, newcomer, stranger = (emulator.phone(name) for name in "กขค")
    await link(country, "lao5110201", officer, clock())
    async with country.write() as session:
        from models.chats.conversation import Awaiting, load_conversation  # noqa: PLC0415

        (await load_conversation(session, newcomer.id)).awaiting = Awaiting.PASSWORD
        (await load_conversation(session, stranger.id)).awaiting = Awaiting.NOTHING
        senders = [stranger.id] * 5 + [newcomer.id, officer.id]
        batch = [inbox.Received(number, sender, b"") for number, sender in enumerate(senders)]
        await inbox.store(session, 1, batch, clock())
    async with country.read() as session:
        rows = await pending_in_turn(session, 1, [], 10, 2)
        assert [row.sender for row in rows] == [newcomer.id, officer.id, stranger.id, stranger.id]
        assert [row.sender for row in await pending_in_turn(session, 1, [], 2, 2)] == [newcomer.id, officer.id]
        known = await look_up(session, {officer.id, newcomer.id, stranger.id})
    assert (known.linked, known.logging_in) == ({officer.id}, {newcomer.id})


@pytest.mark.parametrize("tuning", [STRICT], indirect=True)
async def test_a_flood_of_a_stranger_is_dropped_at_intake(bot: Emulator, country: Database, clock: Clock) -> None:
    stranger, officer = bot.phone("ค"), Officer(bot.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    before = TALLY.updates["unknown", "dropped"]
    await stranger.start()
    for _ in range(20):
        await stranger.send("สวัสดี")
    for _ in range(8):
        # An officer is never dropped, however fast.
        await officer.says("/menu", "ปีงบประมาณ")
    await until(lambda: TALLY.updates["unknown", "dropped"] - before == 17)
    await until(lambda: finished(country))
    assert len([row for row in await inbox_rows(country) if row.sender == stranger.id]) == RULES.most
    # The answer comes after the commit.
    await until(lambda: len(sent_texts(bot, stranger.id)) == RULES.most)


ONE_TURN = replace(TEST_TUNING, worker=replace(TEST_TUNING.worker, strangers=1, strangers_queued=2))


@pytest.mark.parametrize("tuning", [ONE_TURN], indirect=True)
async def test_strangers_hold_up_strangers_only(bot: Emulator, country: Database, clock: Clock) -> None:
    officer = Officer(bot.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    strangers = [bot.phone(f"ค{number}") for number in range(10)]
    # Answers to strangers are slow here; strangers share one slot.
    for stranger in strangers:
        bot.faults.delay(0.5, method="sendMessage", chat_id=stranger.id)
        await stranger.start()
    await officer.says("/menu", "ปีงบประมาณ")
    waiting = [row for row in await inbox_rows(country) if row.state is inbox.State.PENDING]
    assert len(waiting) > 3
    # All are answered in the end.
    await until(lambda: finished(country))
    await until(lambda: all(sent_texts(bot, stranger.id) for stranger in strangers))


TOGETHER = replace(TEST_TUNING, floods=FloodRules(newcomers_rate=0.0, newcomers_burst=20.0))


@pytest.mark.parametrize("tuning", [TOGETHER], indirect=True)
async def test_a_crowd_of_strangers_is_dropped_beyond_their_part(
    bot: Emulator, country: Database, clock: Clock
) -> None:
    officer = Officer(bot.phone("ก"))
    await link(country, "lao5110201", officer.phone, clock())
    before = TALLY.updates["unknown", "dropped"]
    crowd = [bot.phone(f"ค{number}") for number in range(30)]
    for stranger in crowd:
        await stranger.start()
    # A sender who was linked a moment ago is an officer at once, whatever was dropped before.
    linked = Officer(crowd[-1])
    await until(lambda: TALLY.updates["unknown", "dropped"] - before == 10)
    await link(country, "lao6110301", linked.phone, clock())
    await linked.says("/menu", "ปีงบประมาณ")
    await officer.says("/menu", "ปีงบประมาณ")
    # Each answer comes after the update's commit.
    await until(lambda: sum(bool(sent_texts(bot, stranger.id)) for stranger in crowd) == 21)
    assert TALLY.updates["unknown", "dropped"] - before == 10


GIVES_WAY = replace(TEST_TUNING, worker=replace(TEST_TUNING.worker, give_way=PATIENCE))


@pytest.mark.parametrize("tuning", [GIVES_WAY], indirect=True)
async def test_a_stranger_waits_while_an_officer_is_served(bot: Emulator, country: Database, clock: Clock) -> None:
    officer, stranger = Officer(bot.phone("ก")), bot.phone("ค")
    await link(country, "lao5110201", officer.phone, clock())
    bot.faults.delay(0.5, method="sendMessage", chat_id=officer.phone.id)
    await officer.phone.send("/menu")
    await stranger.start()
    await until(lambda: sent_texts(bot, stranger.id))
    assert any("ปีงบประมาณ" in message.text for message in officer.phone.messages)
