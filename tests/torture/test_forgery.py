"""Forged, foreign, mutated, expired and reordered taps: none accepted, no foreign data shown, every one answered.

Phones that are linked to nothing, to organizations and to provinces tap what their screens do not offer, on the
running bot. Every organization has unique figures, names, positions and codes. Each text and label that a phone
was shown is searched for those of organizations that it may not see.
"""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from demo.botapi import Emulator, Phone
from demo.botapi.phone import Tap as TapMade
from demo.botapi.state import Chat, Event, Message
from handlers.chat.taps.accounts import Key, LogOutNow, SetLanguage
from handlers.chat.taps.certification import Confirm, LaoCertify, LaoReview, ProvinceCertify, ProvinceReview
from handlers.chat.taps.tap import InvalidTap, Tap, all_kinds, unpack
from models.accounts.account import Officer, find_account
from models.accounts.pin import Purpose, keep_keypad, open_keypad
from models.audit import event_chain
from models.audit.event_chain import AuditEvent
from models.certification.certificate import Certification, Level
from models.certification.certify import Confirmation, certify, prepare_confirmation
from models.certification.remark import Remark
from models.certification.review import review
from models.certification.spot_check import SpotCheck, SpotCheckItem
from models.chats import inbox
from models.chats.inbox import InboxUpdate
from models.database.engine import Database
from models.imports.sent_roster import propose
from models.links import invitation
from models.links.link import unlink_officer
from models.register.draft import SentRoster
from models.register.roster import Category, Record
from models.remarks.question import Topic, ask
from tests.chat import running_bot, says
from tests.handlers.support import Hand, newest_card
from tests.support import DEMANDS, ORGANIZATIONS, TO_PIN, Clock, link, pass_spot_check, put_roster

NAMES = {code: kind + name for code, kind, name, *_ in ORGANIZATIONS}
# Officials and total of each organization's register. These numbers occur in no other text of a chat.
FIGURES = {
    "5110201": (101, 103),
    "6110301": (107, 109),
    "6110302": (113, 127),
    "6110303": (131, 137),
    "6120401": (139, 149),
}
CODES = list(FIGURES)
PROVINCES = {"11": CODES[:4], "12": CODES[4:]}
# Who taps: the account's username (None for a stranger), and the units whose data it may see.
ACTORS: list[tuple[str | None, list[str]]] = [
    (None, []),
    (None, []),
    ("lao5110201", ["5110201"]),
    ("lao6110301", ["6110301"]),
    ("lao6110302", ["6110302"]),
    ("province11", ["11", *PROVINCES["11"]]),
    ("province12", ["12", *PROVINCES["12"]]),
]
LONG_AGO = timedelta(hours=2)
# Taps in progress at once, of all phones.
AT_ONCE = 60
TO_THE_PRESS = (Confirm, LaoCertify, ProvinceCertify, LaoReview, ProvinceReview)
# Taps that any phone may make, and that these tests leave out.
LEFT_OUT = (LogOutNow, SetLanguage)
KINDS = [kind for kind in all_kinds() if kind not in LEFT_OUT]
MUTATIONS = "\0\x1f\n :-_!01aAzZก้😀\u202e'\"<&%"

Pressed = list[tuple[Message, str]]


def marks(unit: str) -> list[str]:
    """Return the texts that only officers with a right to a unit may see, besides certificates' codes."""
    names = [f"นามเฉพาะ{unit}", f"หน้าที่เฉพาะ{unit}"]
    if unit in PROVINCES:
        return names
    return [
        *names,
        NAMES[unit],
        f"คำถามเฉพาะ{unit}",
        f"ตำแหน่งเฉพาะ{unit}",
        f"ทะเบียน{unit}.csv",
        *map(str, FIGURES[unit]),
    ]


def searched(words: list[str]) -> re.Pattern[str]:
    """Return a pattern for any of the words. A number does not match within a longer number or a code."""
    return re.compile(
        "|".join(rf"(?<![\w-]){word}(?![\w-])" if word.isdecimal() else re.escape(word) for word in words)
    )


# --- the data to be stolen ----------------------------------------------------------------------------------


@dataclass
class Treasure:
    """The values from which forged taps are composed."""

    organizations: list[str] = field(default_factory=lambda: [*CODES, "9999999", "x"])
    fingerprints: list[str] = field(default_factory=lambda: ["0" * 16])
    nonces: list[str] = field(default_factory=lambda: ["0" * 24])
    keypads: list[str] = field(default_factory=lambda: ["0" * 16])
    invitations: list[str] = field(default_factory=lambda: ["A" * 22])
    officers: list[int] = field(default_factory=lambda: [0, 999_999])
    remarks: list[int] = field(default_factory=lambda: [0, 999_999])
    # Verification codes as the bot shows them, by organization.
    codes: dict[str, list[str]] = field(default_factory=dict)
    drafts: list[str] = field(default_factory=lambda: ["0" * 16])

    def tap(self, rng: random.Random) -> str:
        """Return the callback data of a random tap, in most cases one with parameters."""
        kind = rng.choice(KINDS if rng.random() < 0.2 else [kind for kind in KINDS if kind._types])
        return kind(**{name: self._value(rng, name, hint) for name, hint in kind._types.items()}).pack()

    def _value(self, rng: random.Random, name: str, hint: Any) -> object:
        """Return a random value for one field of a tap."""
        pool: dict[str, list[str] | list[int]] = {
            "organization": self.organizations,
            "fingerprint": self.fingerprints,
            # Of a spot-check, which has another fingerprint than the figures.
            "marks": self.fingerprints,
            "nonce": self.nonces,
            "keypad": self.keypads,
            "invitation": self.invitations,
            "officer": self.officers,
            "question": self.remarks,
            "remark": self.remarks,
            "draft": self.drafts,
            # Of a remark's words that nobody has typed.
            "digest": ["A" * 24],
            "verification_code": [code.replace("-", "") for some in self.codes.values() for code in some],
            "place": list(range(12)),
            # The spot-checks that hide() has drawn.
            "check": list(range(3)),
        }
        if name in pool:
            return rng.choice(pool[name])
        return rng.choice([0, 1, 2, 999_999_999] if hint is int else list(hint))


async def hide(database: Database, now: datetime, rng: random.Random) -> Treasure:
    """Create registers, certificates, warnings, keypads and invitations of officers who do not tap."""
    treasure, then = Treasure(), now - LONG_AGO
    async with database.write() as session:
        for code, (officials, total) in FIGURES.items():
            await put_roster(session, code, (officials, 0, total - officials), now)
            for statement in (
                "UPDATE personnel_record SET position = :position WHERE organization_code = :code",
                "UPDATE roster SET file_name = :file WHERE organization_code = :code",
            ):
                values = {"code": code, "position": f"ตำแหน่งเฉพาะ{code}", "file": f"ทะเบียน{code}.csv"}
                await session.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})
        owners = {unit: await owner(session, unit, then) for unit in (*CODES, *PROVINCES)}
        for code in CODES:
            # Warnings that have expired.
            treasure.nonces.append(await warning(session, owners[code], code, Level.LAO, then, rng))
        for unit, code, level in (
            ("6110301", "6110301", Level.LAO),
            ("6120401", "6120401", Level.LAO),
            ("12", "6120401", Level.PROVINCE),
        ):
            # Warnings that were confirmed, so that their nonces are used.
            if level is Level.PROVINCE:
                await pass_spot_check(session, owners[unit], code, now, rng)
            nonce = await warning(session, owners[unit], code, level, now, rng)
            certificate = await certify(session, owners[unit], nonce, now, rng, demands=DEMANDS)
            treasure.nonces.append(nonce)
            treasure.codes.setdefault(code, []).append(f"{certificate.code[:5]}-{certificate.code[5:]}")
        for unit, code, level in (
            ("5110201", "5110201", Level.LAO),
            ("6110302", "6110302", Level.LAO),
            ("6110303", "6110303", Level.LAO),
            ("11", "6110301", Level.PROVINCE),
        ):
            # Open warnings, with a keypad on which five digits are entered.
            if level is Level.PROVINCE:
                await pass_spot_check(session, owners[unit], code, now, rng)
            nonce = await warning(session, owners[unit], code, level, now, rng)
            treasure.nonces.append(nonce)
            pad = await open_keypad(session, owners[unit], Purpose.CONFIRM, nonce, "", now, rng)
            for digit in "80491":
                pad = pad.pressed(pad.layout.index(int(digit)))
            await keep_keypad(session, owners[unit], pad)
            treasure.keypads.append(pad.nonce)
        for code in CODES:
            current = await review(session, owners[code], code)
            treasure.fingerprints += [current.fingerprint(level) for level in Level]
        for code in ("5110201", "6110302"):
            # A draft that waits to be saved.
            someone = Record("1", "สมมุติ ทดสอบ", Category.OFFICIAL, "ปลัด", "ต้น", "r")
            sent = SentRoster("ทะเบียน.csv", ("ประวัติ",), (someone,))
            draft = (await propose(session, owners[code], sent, now)).draft
            assert draft is not None
            treasure.drafts.append(draft.key)
        treasure.remarks += await questions(session, now)
        treasure.officers += [officer.id for officer in owners.values()]
        treasure.invitations += await old_invitations(session, now)
    return treasure


async def owner(session: AsyncSession, unit: str, then: datetime) -> Officer:
    """Link an officer with a unique name and position to a unit's account."""
    username = f"province{unit}" if unit in PROVINCES else f"lao{unit}"
    officer = await link(session, username, int(f"7{unit}"), then, f"นามเฉพาะ{unit}")
    officer.position = f"หน้าที่เฉพาะ{unit}"
    await session.flush()
    return officer


async def warning(
    session: AsyncSession, officer: Officer, code: str, level: Level, now: datetime, rng: random.Random
) -> str:
    current = await review(session, officer, code)
    confirmation, _ = await prepare_confirmation(
        session, officer, level, code, current.fingerprint(level), now, rng, demands=DEMANDS
    )
    return confirmation.nonce


async def questions(session: AsyncSession, now: datetime) -> list[int]:
    """Ask each organization a question, by officers whose names are not secret. Returns the questions' ids."""
    question_ids = []
    for province, codes in PROVINCES.items():
        asker = await link(session, f"province{province}", int(f"6{province}"), now, "ทดสอบ ถาม")
        for code in codes:
            question_ids.append((await ask(session, asker, code, Topic.WHOLE, f"คำถามเฉพาะ{code}", now)).id)
    return question_ids


async def old_invitations(session: AsyncSession, now: datetime) -> list[str]:
    """Return invitations that are expired, ended, used, and one that would hand over an ended link."""
    account = await find_account(session, "lao6110303")
    late = await invitation.invite(session, account, timedelta(minutes=10), now - LONG_AGO)
    ended = await invitation.invite(session, account, timedelta(days=14), now)
    await invitation.end_invitations(session, account, now)
    used = await invitation.invite(session, account, timedelta(days=14), now)
    leaver = await invitation.accept(session, 798, used, now)
    handover = await invitation.invite(session, account, timedelta(days=14), now, by=leaver)
    await unlink_officer(session, leaver, now)
    return [late, ended, used, handover]


# --- what must not change -----------------------------------------------------------------------------------

# The columns of each table through which a tap could have an effect.
FACTS = {
    Certification: ("id", "organization_code", "level", "code", "officer_name", "certified_at"),
    Officer: (
        "id",
        "user_id",
        "account_id",
        "full_name",
        "position",
        "unlinked_at",
        "pin_hash",
        "may_set_pin_until",
    ),
    invitation.Invitation: ("id", "account_id", "expires_at", "used_at", "used_by_id", "from_officer_id"),
    Remark: ("id",),
    SpotCheck: ("id", "organization_code", "handed_in_at"),
    SpotCheckItem: ("spot_check_id", "place", "mark", "marked_at"),
}


async def facts(database: Database) -> set[tuple[object, ...]]:
    """Return the rows of FACTS, and the nonces of used confirmations."""
    async with database.read() as session:
        rows = {
            (table.__tablename__, *row)
            for table, columns in FACTS.items()
            for row in await session.execute(select(*(getattr(table, column) for column in columns)))
        }
        used = await session.scalars(select(Confirmation.nonce).where(Confirmation.used_at.is_not(None)))
        return rows | {("confirmation", nonce) for nonce in used}


# --- the phones ---------------------------------------------------------------------------------------------


@dataclass
class Forger:
    """A phone, the texts that only others may see, and every text that it was shown."""

    phone: Phone
    own: list[str]
    foreign: re.Pattern[str]
    # The tap that legitimately shows figures; None for a stranger.
    review: str | None
    shown: list[str] = field(default_factory=list)
    # Every button that the phone ever showed, with its message.
    buttons: Pressed = field(default_factory=list)

    def look(self, event: Event) -> None:
        if event.message is None or event.kind not in ("sent", "edited"):
            return
        self.shown += [event.message.text, *event.message.labels]
        self.buttons += [
            (event.message, button.data) for row in event.message.buttons for button in row if button.data
        ]

    @property
    def leaks(self) -> list[tuple[str, str]]:
        """The texts that the phone was shown and may not see."""
        matches = [(self.foreign.search(words), words) for words in self.shown]
        return [(match[0], words) for match, words in matches if match]


class Forgers:
    """All phones, and the generators of their taps."""

    def __init__(self, emulator: Emulator, treasure: Treasure, rng: random.Random) -> None:
        self.emulator = emulator
        self.treasure = treasure
        self.rng = rng
        self.all: list[Forger] = []
        self.ways = [self.forged, self.forged, self.foreign, self.mutated, self.reordered, self.reordered]
        self.counted: Counter[str] = Counter()
        self._by_chat: dict[int, Forger] = {}
        emulator.subscribe(self._look)

    def _look(self, chat: Chat, event: Event) -> None:
        if chat.id in self._by_chat:
            self._by_chat[chat.id].look(event)

    async def add(self, database: Database, username: str | None, own: list[str], now: datetime) -> None:
        phone = self.emulator.phone(username or "แปลกหน้า")
        marks_by_unit = {unit: [*marks(unit), *self.treasure.codes.get(unit, [])] for unit in (*CODES, *PROVINCES)}
        forger = Forger(
            phone,
            [word for unit in own for word in marks_by_unit[unit]],
            searched([word for unit in marks_by_unit if unit not in own for word in marks_by_unit[unit]]),
            None
            if username is None
            else (LaoReview() if username.startswith("lao") else ProvinceReview(own[1])).pack(),
        )
        self._by_chat[phone.id] = forger
        self.all.append(forger)
        if username is not None:
            async with database.write() as session:
                await link(session, username, phone.id, now, "ทดสอบ ลงมือ")
        await phone.start()
        await says(phone, "")

    async def tap(self, count: int) -> int:
        """Make `count` taps by random phones without waiting between them, and return how many were answered."""
        # First complete any begun PIN; last go on towards the press.
        presses = [(forger, self.guessed) for forger in self.all]
        onward = [(forger, self.onward) for forger in self.all]
        taps: list[tuple[Forger, TapMade]] = []
        while len(taps) < count:
            if presses:
                forger, way = presses.pop()
            elif len(taps) < count - len(onward):
                forger, way = self.rng.choice(self.all), self.rng.choice(self.ways)
            else:
                forger, way = onward.pop()
            for message, data in way(forger)[: count - len(taps)]:
                if not is_left_out(data):
                    self.counted[way.__name__] += 1
                    taps.append((forger, await forger.phone.tap_data(message, data)))
        for forger, tap in taps:
            forger.shown.append((await tap.answer()).text)
        return len(taps)

    def anywhere(self, forger: Forger) -> Message:
        """Return in most cases the newest message, sometimes any earlier one, even if it was deleted."""
        if self.rng.random() < 0.1:
            messages = forger.phone.chat.messages.values()
            return self.rng.choice([message for message in messages if message.outgoing])
        return forger.phone.last

    def forged(self, forger: Forger) -> Pressed:
        """Return any tap, with parameters of any unit."""
        return [(self.anywhere(forger), self.treasure.tap(self.rng))]

    def foreign(self, forger: Forger) -> Pressed:
        """Return a button of another phone's screen."""
        other = self.rng.choice([another for another in self.all if another is not forger])
        return [(self.anywhere(forger), self.rng.choice(other.buttons)[1])]

    def mutated(self, forger: Forger) -> Pressed:
        """Return a tap with characters replaced, inserted, removed or repeated."""
        data = self.rng.choice(
            [self.treasure.tap(self.rng), self.rng.choice(self.rng.choice(self.all).buttons)[1]]
        )
        for _ in range(self.rng.randint(1, 3)):
            at = self.rng.randrange(len(data) + 1)
            end = self.rng.choice([at, at + 1, len(data)])
            data = data[:at] + self.rng.choice([self.rng.choice(MUTATIONS), "", data]) + data[end:]
        # Callback data has 1 to 64 bytes.
        return [(self.anywhere(forger), data.encode()[:64].decode(errors="ignore") or ":")]

    def reordered(self, forger: Forger) -> Pressed:
        """Return a button that the phone shows or once showed, on its own message."""
        return [self.rng.choice(forger.buttons[-self.rng.choice([12, 10**6]) :])]

    def guessed(self, forger: Forger) -> Pressed:
        """Return six random keys if the phone shows a keypad."""
        message = newest_card(forger.phone)
        offered = [button.data for row in message.buttons for button in row if button.data]
        keys = [data for data in offered if isinstance(unpack(data), Key)]
        return [(message, self.rng.choice(keys)) for _ in range(6)] if keys else []

    def onward(self, forger: Forger) -> Pressed:
        """Return a legitimate tap: of the recent buttons, the one closest to the irreversible press."""
        recent = forger.buttons[-60:]
        for kind in (*TO_THE_PRESS, Tap):
            of_kind = [button for button in recent if isinstance(unpack(button[1]), kind)]
            if of_kind:
                return [of_kind[-1]]
        return []


def is_left_out(data: str) -> bool:
    try:
        return isinstance(unpack(data), LEFT_OUT)
    except InvalidTap:
        return False


async def test_forged_taps(
    emulator: Emulator, country: Database, clock: Clock, times: Callable[[int], int]
) -> None:
    rng = random.Random(31)
    # With fewer taps, not every screen would have been shown to somebody.
    count, answered = max(times(10_000), 500), 0
    forgers = Forgers(emulator, await hide(country, clock(), rng), rng)
    async with running_bot(emulator, country, clock):
        for username, own in ACTORS:
            await forgers.add(country, username, own, clock())
        before = await facts(country)
        lao = next(forger for forger in forgers.all if forger.review == LaoReview().pack())
        await give_a_wrong_pin(emulator, lao)
        while answered < count:
            answered += await forgers.tap(min(AT_ONCE, count - answered))
            # Vary the age of warnings and keypads, without idling for 12 hours.
            clock.move(seconds=rng.choice([0, 1, 20, 300, 1200]))
        # Updates are answered in order: after one more message is answered, everything before it was shown.
        for forger in forgers.all:
            if forger.review:
                await (await forger.phone.tap_data(forger.phone.last, forger.review)).answer()
            await Hand(emulator, forger.phone).say("/menu")
        assert await facts(country) == before
    leaks = [leak for forger in forgers.all for leak in forger.leaks]
    assert leaks == []
    assert answered == count == forgers.counted.total()
    await check_that_it_was_worth_it(country, forgers)
    ways = ", ".join(f"{number:,} {way}" for way, number in sorted(forgers.counted.items()))
    print(f"{count:,} forged taps ({ways}): 0 accepted, 0 foreign numbers, all answered")


async def give_a_wrong_pin(bot: Emulator, forger: Forger) -> None:
    """Go to the own keypad and enter a wrong PIN there, so that its buttons are tapped again later."""
    hand = Hand(bot, forger.phone)
    await hand.way(*TO_PIN)
    await hand.enter("111111", "PIN ไม่ถูกต้อง")


async def check_that_it_was_worth_it(database: Database, forgers: Forgers) -> None:
    """Check that no tap failed, that some were refused, and that the searched texts are shown to those who may see
    them.
    """
    async with database.read() as session:
        assert set(await session.scalars(select(InboxUpdate.state))) == {inbox.State.DONE}
        assert await session.scalar(
            select(func.count()).select_from(AuditEvent).where(AuditEvent.kind == event_chain.Event.REFUSED)
        )
    for forger in forgers.all:
        figures = searched([word for word in forger.own if word.isdecimal()] or ["none"])
        assert bool(forger.own) is any(figures.search(words) for words in forger.shown), forger.phone
