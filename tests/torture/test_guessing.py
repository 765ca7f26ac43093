"""Guessing passwords and PINs against the throttle with a moved clock: no login, and few guesses reach the hash.

Guesses are admitted in the database as bot/inbound/worker.py does, but many in one transaction to save time.
Admitted guesses are compared with the real hash.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import pytest
from sqlalchemy import delete

from demo.botapi import Emulator
from handlers.chat.proving import login_keys
from models.accounts import throttle
from models.accounts.account import active_officer, find_account, login_candidate, normalize_username
from models.accounts.pin import hash_pin, pin_matches
from models.audit.event_chain import keyring
from models.database.engine import Database
from models.security import passwords
from tests.handlers.support import Hand
from tests.support import KEYRING, ORGANIZATIONS, PASSWORD, PIN, TO_PIN, Clock, link

KNOWN = [f"lao{code}" for code, *_ in ORGANIZATIONS]
UNKNOWN = ["lao5110202", "admin", "ก"]
COMMON = ["123456", "password", "P@ssw0rd", "ถูกต้อง-horse-2", "เทศบาล2569", ""]
# Guesses in one transaction.
AT_ONCE = 100
CLOSED = "ใส่ผิดหลายครั้งเกินไป"


@dataclass(frozen=True)
class Guess:
    """One attempt to log in."""

    user_id: int
    username: str
    password: str


def one_account(rng: random.Random) -> Iterator[Guess]:
    """Guess one account's password from many chats."""
    while True:
        yield Guess(rng.randrange(10_000, 11_000), KNOWN[0], guessed(rng))


def one_chat(rng: random.Random) -> Iterator[Guess]:
    """Guess from one chat, over all accounts and unknown usernames."""
    while True:
        yield Guess(20_000, rng.choice([*KNOWN, *UNKNOWN, f"x{rng.getrandbits(32)}"]), guessed(rng))


def mixed(rng: random.Random) -> Iterator[Guess]:
    """Guess from some chats over some accounts, with equivalent spellings of the usernames."""
    while True:
        username = rng.choice([*KNOWN, *UNKNOWN])
        yield Guess(rng.randrange(30_000, 30_040), rng.choice([username, f" {username.upper()} "]), guessed(rng))


def guessed(rng: random.Random) -> str:
    return rng.choice([*COMMON, f"{PASSWORD[:-1]}{rng.randrange(2, 10)}", f"{rng.getrandbits(40):x}"])


class Guesser:
    """Makes guesses as the worker admits them, and counts their outcomes."""

    def __init__(self, database: Database, now: datetime, rng: random.Random, longest_pause: int = 120) -> None:
        self.database = database
        self.longest_pause = longest_pause  # seconds
        self.now = now
        self.rng = rng
        self.ended: Counter[str] = Counter()
        # The times at which a guess was compared with the hash, by throttle key.
        self.looked_at: dict[str, list[datetime]] = {}

    async def type(self, guesses: Iterator[Guess], count: int) -> None:
        for _ in range(0, count, AT_ONCE):
            async with self.database.write() as session:
                for guess in islice(guesses, AT_ONCE):
                    self._wait()
                    username = normalize_username(guess.username)
                    keys = login_keys(session, guess.user_id, username)
                    if await throttle.admit(session, keys, self.now) is not None:
                        self.ended["refused"] += 1
                        continue
                    candidate = await login_candidate(session, username)
                    password_hash = candidate.password_hash or passwords.NO_PASSWORD
                    is_right = passwords.password_matches(password_hash, guess.password)
                    self._looked("in" if is_right else "wrong", *keys)

    async def enter(self, user_id: int, pins: Iterator[str], count: int) -> None:
        for _ in range(0, count, AT_ONCE):
            async with self.database.write() as session:
                officer = await active_officer(session, user_id)
                assert officer is not None
                key = throttle.pin_key(user_id)
                for pin in islice(pins, AT_ONCE):
                    self._wait()
                    if await throttle.admit(session, [key], self.now) is not None:
                        self.ended["refused"] += 1
                        continue
                    right = pin_matches(keyring(session), user_id, officer.pin_hash or "", pin)
                    self._looked("in" if right else "wrong", key)

    def _wait(self) -> None:
        self.now += timedelta(seconds=self.rng.randint(1, self.longest_pause))

    def _looked(self, how: str, *keys: str) -> None:
        self.ended[how] += 1
        for key in keys:
            self.looked_at.setdefault(key, []).append(self.now)

    @property
    def hashed(self) -> int:
        """How many guesses reached the hash."""
        return self.ended["in"] + self.ended["wrong"]


def most(moments: list[datetime], within: timedelta) -> int:
    """Return the largest number of moments within a window of this length."""
    return max(sum(first <= moment < first + within for moment in moments) for first in moments)


# Each way's share of a hundred guesses, and the most seconds between two. A guess a minute over all accounts would
# not trigger the throttle: fewer than five in 15 minutes for each account.
WAYS: list[tuple[Callable[[random.Random], Iterator[Guess]], int, int]] = [
    (one_account, 40, 120),
    (one_chat, 40, 120),
    (mixed, 20, 10),
]


async def test_guessed_passwords(country: Database, now: datetime, times: Callable[[int], int]) -> None:
    rng = random.Random(21)
    tries = max(times(100_000), 5_000)
    total: Counter[str] = Counter()
    summaries = []
    for way, share, longest_pause in WAYS:
        guesser = Guesser(country, now, rng, longest_pause)
        await guesser.type(way(rng), tries * share // 100)
        now = guesser.now
        total += guesser.ended
        summaries.append(f"{way.__name__.replace('_', ' ')} {guesser.hashed:,} of {guesser.ended.total():,}")
        for moments in guesser.looked_at.values():
            assert most(moments, throttle.WINDOW) <= throttle.TRIES
        async with country.write() as session:
            await session.execute(delete(throttle.Throttle))
    assert total["in"] == 0
    hashed = total["wrong"]
    assert hashed < tries / 20
    ways = ", ".join(summaries)
    print(f"{total.total():,} guessed passwords: 0 entries; {hashed:,} got as far as the hash ({ways})")


@pytest.mark.parametrize("way", ["at random", "in order"])
async def test_guessed_pins(country: Database, now: datetime, times: Callable[[int], int], way: str) -> None:
    rng = random.Random(22)
    tries = max(times(10_000), 500)
    async with country.write() as session:
        officer = await link(session, KNOWN[0], 501, now)
        officer.pin_hash = hash_pin(KEYRING, 501, PIN)
    numbers = range(tries) if way == "in order" else (rng.randrange(1_000_000) for _ in range(tries))
    guesser = Guesser(country, now, rng)
    await guesser.enter(501, (f"{number:06}" for number in numbers), tries)
    (moments,) = guesser.looked_at.values()
    assert (guesser.ended.total(), guesser.ended["in"]) == (tries, 0)
    assert most(moments, throttle.WINDOW) <= throttle.TRIES
    assert guesser.hashed < tries / 15
    print(f"{tries:,} guessed PINs, {way}: 0 entries; {guesser.hashed:,} got as far as the hash")


async def test_slowly_guessed_pins(country: Database, now: datetime, times: Callable[[int], int]) -> None:
    """Staying below five guesses in 15 minutes gains nothing: there is a limit over a longer time too."""
    tries = max(times(10_000), 500)
    key = throttle.pin_key(501)
    admitted = 0
    for start in range(0, tries, AT_ONCE):
        async with country.write() as session:
            for number in range(start, start + AT_ONCE):
                moment = now + number // 4 * timedelta(minutes=16)
                admitted += await throttle.admit(session, [key], moment) is None
    days = tries * 4 // 60 // 24
    assert admitted <= throttle.TRIES * (days + 9)
    print(f"{tries:,} PINs, four in 16 minutes for {days} days: {admitted:,} would get as far as the hash")


# --- through the bot ----------------------------------------------------------------------------------------


async def guess(hand: Hand, username: str, password: str) -> str:
    """Make one whole attempt to log in, directly after the previous one, and return the answer."""
    if "เข้าสู่ระบบ" in hand.labels:
        await hand.press("เข้าสู่ระบบ")
    await hand.say(username)
    return await hand.say(password)


async def strangers(bot: Emulator, number: int) -> list[Hand]:
    hands = [Hand(bot, bot.phone(f"แปลกหน้า {index}")) for index in range(number)]
    for hand in hands:
        await hand.say("/start")
    return hands


async def test_the_rightful_officer_is_never_locked_out(
    bot: Emulator, country: Database, clock: Clock, times: Callable[[int], int]
) -> None:
    """While strangers guess an account's password, the linked chat and its PIN keep working."""
    officer = Hand(bot, bot.phone("ทดสอบ หนึ่ง"))
    async with country.write() as session:
        await link(session, KNOWN[0], officer.phone.id, clock())
    await officer.say("/start")
    guessers = await strangers(bot, 3)
    tries, refused = times(200), 0
    for number in range(tries):
        clock.move(seconds=20)
        refused += CLOSED in await guess(guessers[number % 3], KNOWN[0], f"wrong-{number}")
        assert "ยังไม่รับรอง" in await officer.way("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)")
        await officer.press("หน้าหลัก")
        if number % 10 == 9:
            # The officer was away, and comes back.
            clock.move(hours=13)
            assert "PIN" in await officer.press("ระบบรับรองข้อมูล")
            await officer.enter("135790", "PIN ไม่ถูกต้อง")
            await officer.enter(PIN, "อปท. รับรองจำนวน")
            await officer.press("หน้าหลัก")
    for number in range(6):
        text = await guess(guessers[number % 3], KNOWN[0], "wrong")
    assert CLOSED in text
    # On a new card: the old one is older than a bot can delete.
    await officer.say("/menu")
    await officer.way(*TO_PIN)
    await officer.enter(PIN, "✅ รับรองแล้ว")
    print(f"{tries} guesses at an account, {refused} refused unseen: its linked chat worked after each")


async def test_known_and_unknown_usernames_look_the_same(
    bot: Emulator, country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known, unknown, disabled and passwordless accounts give the same answers, after the same number of attempts,
    and each attempt computes a hash.
    """
    usernames = [KNOWN[0], UNKNOWN[0], KNOWN[1], KNOWN[2]]
    async with country.write() as session:
        (await find_account(session, KNOWN[1])).disabled_at = clock()
        (await find_account(session, KNOWN[2])).password_hash = None
    hashed: Counter[str] = Counter()
    check = passwords.password_matches

    def counting(password_hash: str, typed: str) -> bool:
        hashed[typed] += 1
        return check(password_hash, typed)

    monkeypatch.setattr(passwords, "password_matches", counting)
    answers = []
    for hand, username in zip(await strangers(bot, 4), usernames, strict=True):
        answers.append([await guess(hand, username, f"wrong-{username}") for _ in range(7)])
        # The account is throttled, and not only the chat: another chat is refused too.
        other = Hand(bot, bot.phone(f"ของ {username}"))
        await other.say("/start")
        answers[-1].append(await guess(other, username, PASSWORD))
    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert [CLOSED in text for text in answers[0]] == [False] * 5 + [True] * 3
    assert hashed == {f"wrong-{username}": 5 for username in usernames}


async def forgets_pin(hand: Hand) -> str:
    """At the keypad of a chat that comes back: the question for the password."""
    await hand.press("ระบบรับรองข้อมูล")
    return await hand.press("ลืม PIN")


async def test_strangers_keep_nobody_from_a_new_pin(bot: Emulator, country: Database, clock: Clock) -> None:
    """They have filled the account's login: its officer who has forgotten the PIN is asked for the password as
    ever, and what they have tried stays counted.
    """
    officer = Hand(bot, bot.phone("ทดสอบ หนึ่ง"))
    async with country.write() as session:
        await link(session, KNOWN[0], officer.phone.id, clock())
    await officer.say("/start")
    clock.move(hours=13)
    (guesser,) = await strangers(bot, 1)
    for number in range(6):
        text = await guess(guesser, KNOWN[0], f"wrong-{number}")
    assert CLOSED in text
    await forgets_pin(officer)
    assert "รหัสผ่านไม่ถูกต้อง" in await officer.say("wrong")
    assert "ตั้ง PIN" in await officer.say(PASSWORD)
    await officer.enter("271828" * 2, "✅ ตั้ง PIN แล้ว")
    other = Hand(bot, bot.phone("แปลกหน้า"))
    await other.say("/start")
    assert CLOSED in await guess(other, KNOWN[0], PASSWORD)


async def test_a_stolen_phone_guesses_its_password_no_faster(
    bot: Emulator, country: Database, clock: Clock
) -> None:
    """Five tries, then growing blocks, on the chat's own count; logging out and in again goes on with it."""
    phone = Hand(bot, bot.phone("ทดสอบ หนึ่ง"))
    async with country.write() as session:
        await link(session, KNOWN[0], phone.phone.id, clock())
    await phone.say("/start")
    clock.move(hours=13)
    await forgets_pin(phone)
    for minutes in (15, 30, 60):
        for number in range(throttle.TRIES):
            assert "รหัสผ่านไม่ถูกต้อง" in await phone.say(f"wrong-{number}")
        assert CLOSED in await phone.say(PASSWORD)
        clock.move(minutes=minutes - 1)
        assert CLOSED in await phone.say(PASSWORD)
        clock.move(minutes=2)
    for number in range(throttle.TRIES):
        await phone.say(f"wrong-{number}")
    await phone.say("/logout")
    assert CLOSED in await guess(phone, KNOWN[0], PASSWORD)
