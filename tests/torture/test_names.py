"""Names of every kind are refused where they enter, or shown exactly and as plain text.

Ten thousand names pass through the checks of an officer's name and position, and of an organization's name in an
import. Each accepted name is put on the screens that show names, and these are sent to the emulated server over
HTTP. The server must accept them, show the name unchanged, and find the same markup as with a harmless name.
"""

import contextlib
import csv
import random
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from telegram import Bot

from bot.telegram import api
from demo.botapi import Emulator, Phone
from demo.botapi.formatting import utf16
from handlers.accounts import home, profile
from handlers.certification import lao, province
from handlers.certification.certifying import history_text, warning
from handlers.certification.receipt import receipt_screen
from handlers.chat.screen import Button, Screen
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.texts import texts
from handlers.chat.turn import Turn
from handlers.chat.words import find_label
from handlers.notices import links, rendering
from models.accounts.account import Account, NameRefused, Officer, Role, name_or_position
from models.certification.certificate import Certification, Level, Reopening, Status
from models.certification.certify import Confirmation
from models.certification.history import History
from models.certification.review import Review
from models.certification.words import Words
from models.chats.conversation import Awaiting, Conversation, Language
from models.imports.organizations import LAYOUT
from models.imports.tabular import ImportRefused, Problem, Problems, open_table
from models.notices.kind import NoticeKind
from models.organizations.organization import Organization, Province, short_name
from models.province.progress import ButtonName
from models.register.roster import Headcount, RosterSummary
from models.rounds.round import Round, RoundState
from tests.bot.running import opened_bot
from tests.support import DEMANDS

# --- the names ----------------------------------------------------------------------------------------------

THAI = ["สมชาย", "ใจดี", "น้ำ", "ปู่", "เก้าอี้", "ฤๅษี", "กฤษฎิ์", "ม.ร.ว.", "ว่าที่ ร.ต.", "บางปู", "ดร.", "ๆ", "ฯ", "๑๒"]
LATIN = ["Somchai", "O'Neil", "José", "Jose\u0301", "Å", "x\u030a", "i\u0307", "ﬁ", "Mr.Kim", "Ph.D."]
MARKUP = [
    *("<b>", "</b>", "<", ">", "&", '"', "&amp;", "&lt;b&gt;", "&#60;", "&#x3c;", "&notanentity;", "<b", "</"),
    *(
        '<a href="tg://user?id=1">x</a>',
        "<code>",
        "<pre>",
        "<tg-spoiler>",
        "<br>",
        "<!--",
        "<script>",
        "<b><i></b></i>",
    ),
    *(
        "*",
        "_",
        "__x__",
        "[x](https://example.com)",
        "`",
        "```",
        "~",
        "||x||",
        "\\",
        "{name}",
        "{0}",
        "{",
        "}",
        "%s",
        "%(x)s",
    ),
]
LINKS = [
    *(
        "@laocert_bot",
        "/start",
        "/logout@laocert_bot",
        "#บางปู",
        "#x",
        "$USD",
        "https://example.com/x",
        "tg://user?id=1",
    ),
    *("example.com", "EXAMPLE.COM", "t.me/x", "a.b.th", "a@example.com", "www.example.org", "1.1.1.1", "อบต.ไทย"),
]
# Bidi controls, zero-width characters, soft hyphen, variation selectors, fillers and other invisible characters.
UNSEEN = [
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    *"\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180e\u2800\u3164\uffa0",
    *"\ufe0e\ufe0f\U000e0100\U000e0041\u2061\u206a\ufff9\ufffc\U0001d173",
]
CONTROLS = [*"\x00\x07\x1b\x7f\x85\n\r\t\u2028\u2029", "\ue000", "\U000f0000", "\u0378", "\ufffd"]
MARKS = ["\u0e49\u0e49\u0e49", "\u0300" * 5, "\u0e34\u0e48", "\u0333", "\u033f", "\u20dd", "\u0338", "่ก"]
PICTURES = [
    "😀",
    "👨\u200d👩\u200d👧",
    "🇹🇭",
    "1\ufe0f\u20e3",
    "❤\ufe0f",
    "✅",
    "🔍",
    "𝒜",
    "𠀀",
    "🏴\U000e0067\U000e007f",
]
BLANKS = [" ", "\u00a0", "\u2003", "\u3000", "\u1680", "\u202f", "   "]
SIGNS = ["=1+1", "+66812345678", "-", "@", "#N/A", "'", "(", "٣", "０", "1234567890123", "·", "—", "…"]
KINDS = [THAI, LATIN, MARKUP, LINKS, UNSEEN, CONTROLS, MARKS, PICTURES, BLANKS, SIGNS]

# Invisible characters (Unicode, Default_Ignorable_Code_Point), and characters that Telegram strips from a text.
NEVER = frozenset(
    [*"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u3164\ufeff\uffa0\u2800\u0333\u033f"]
    + [
        chr(code)
        for first, last in ((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F))
        for code in range(first, last + 1)
    ]
    + [
        chr(code)
        for first, last in ((0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))
        for code in range(first, last + 1)
    ]
)


def is_unseen(name: str) -> bool:
    """Return whether a name contains controls, formats, private-use characters or separators."""
    return any(unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} for letter in name)


def generated(rng: random.Random) -> str:
    """Generate a name with parts of random kinds."""
    parts = [rng.choice(THAI)]
    for _ in range(rng.randint(0, 4)):
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(rng.choice(KINDS)))
    if rng.random() < 0.3:
        parts = [rng.choice(rng.choice(KINDS)) for _ in range(rng.randint(1, 3))]
    name = rng.choice(["", "", " "]).join(parts)
    if rng.random() < 0.1:
        # Very long, or at the limits of the length.
        length = rng.choice([119, 120, 121, 199, 200, 201, 4000])
        name = (name * (length // len(name) + 1))[:length]
    return name


# --- the screens --------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
CERTIFIED = (NoticeKind.RECEIPT, NoticeKind.COLLEAGUE_CERTIFIED, NoticeKind.PROVINCE_CERTIFIED)
BEARING = {
    "organization": {
        *("home", "review", "list", "province's review", "warning", "history", "reopened", "linked", "logged in"),
        *CERTIFIED,
    },
    "person": {"home", "review", "province's review", "history", "position asked", "linked", *CERTIFIED},
}
MAX_PLACE = 100
# A letter that occurs nowhere else on the screens.
HARMLESS = "ฦ"
_ = texts(Language.THAI)


@dataclass(frozen=True)
class Cast:
    """An organization, an officer of it, and the certificate of both."""

    organization: Organization
    officer: Officer
    made: Certification

    @property
    def review(self) -> Review:
        summary = RosterSummary("ทะเบียน.csv", NOW, Headcount(12, 3, 5), 1, "0" * 64)
        return Review(
            organization=self.organization,
            round=self.made.round,
            roster=summary,
            revision=1,
            lao=self.made,
            province=None,
            spot_check=None,
            previous=None,
            previous_year=None,
            explanation=None,
            remarks=0,
            open_questions=0,
        )


def cast(organization: str = "บางปู", person: str = "ทดสอบ", place: str = "เมือง") -> Cast:
    """Build a Cast. `person` is the officer's name and position, `place` the name of district and province."""
    unit = Organization(
        dla_code="5110201",
        type_th="เทศบาลตำบล",
        type_code="subdistrict_municipality",
        name_th=organization,
        district_th=place,
        province_code="11",
        province=Province(code="11", name_th=place, name_en=place),
    )
    account = Account(
        username="lao5110201",
        role=Role.LAO,
        organization_code="5110201",
        display_name=organization,
        organization=unit,
    )
    officer = Officer(
        id=7,
        user_id=1,
        account=account,
        full_name=person,
        position=person,
        pin_hash="x",
        linked_at=NOW,
        last_seen_at=NOW,
    )
    certificate = Certification(
        organization_code="5110201",
        level=Level.LAO,
        revision=1,
        round_id=1,
        officials=12,
        permanent_employees=3,
        contract_employees=5,
        with_empty_menus=1,
        officer_name=person,
        officer_position=person,
        code="ABCDE12345",
        is_late=False,
        certified_at=NOW,
        **asdict(Words.of(unit)),
        round=Round(id=1, fiscal_year=2570, state=RoundState.OPEN, closes_on=date(2027, 9, 15)),
    )
    return Cast(unit, officer, certificate)


async def screens(who: Cast) -> dict[str, Screen]:
    """Return all screens that show the organization's name or the officer's, by title."""
    conversation = Conversation(chat_id=1, language=Language.THAI, awaiting=Awaiting.NOTHING)
    turn = Turn(None, NOW, random.Random(1), 1, conversation, who.officer)  # type: ignore[arg-type]
    reopened = Reopening(
        id=1,
        organization_code="5110201",
        round_id=1,
        revision=1,
        by_name="ผู้ดูแล",
        reason="แก้ไข",
        reopened_at=NOW,
        organization=who.organization,
        round=who.made.round,
    )
    confirmation = Confirmation(nonce="0" * 24, level=Level.LAO)
    look = ProvinceReview("5110201")
    unit = who.organization
    name = ButtonName(
        unit.dla_code, short_name(unit.type_code, unit.type_th, unit.name_th), unit.full_name, unit.district_th
    )
    listed = Button(find_label(name), look)
    history, *_pages = history_text(
        _, History(who.organization.dla_code, Words.of(who.organization), [who.made], [reopened]), 0
    )
    kinds = [kind for kind in CERTIFIED if kind is not NoticeKind.RECEIPT]
    certified = {kind: rendering.certified_screen(_, kind, who.made, whole=True) for kind in kinds}
    certified[NoticeKind.RECEIPT] = receipt_screen(_, who.made, None, is_own=False)
    return {
        "home": await home.show_home(turn),
        "review": lao.review_screen(_, who.review, DEMANDS, NOW),
        "list": Screen(_("Organizations: {total:,}", total=1), ((listed,),)),
        "province's review": province.review_screen(_, who.review, DEMANDS, NOW),
        "warning": warning(_, confirmation, who.review, NOW),
        "history": Screen(history),
        "position asked": profile.ask_position(turn),
        "reopened": rendering.reopened_screen(_, reopened, who.officer, whole=True),
        "linked": links.linked_screen(_, who.officer, whole=True),
        "pin reset": links.pin_reset_screen(_, who.officer, whole=True, can_end_link=True),
        "logged in": Screen(_("✅ Logged in: {name}", name=who.officer.account.display_name)),
        **certified,
    }


@dataclass(frozen=True)
class Shown:
    """A message as the server shows it: text, entities (type, offset, length), and button labels."""

    text: str
    entities: list[tuple[str, int, int]]
    labels: list[str]

    def named(self, harmless: str, name: str) -> "Shown":
        """Return the message with another name in place of the harmless one."""
        labels = [label.replace(harmless, name) for label in self.labels]
        return Shown(self.text.replace(harmless, name), self.entities, labels)


class Stage:
    """Sends screens to a phone and reads what arrives."""

    def __init__(self, bot: Bot, phone: Phone) -> None:
        self.bot = bot
        self.phone = phone
        self.sent = 0
        self._known: dict[tuple[str, str, int], Shown] = {}

    async def show(self, screen: Screen) -> Shown:
        """Send a screen, and return the message that arrives. Raises BadRequest if the server refuses it."""
        message = self.phone.chat.messages.pop(await api.send(self.bot, self.phone.id, screen))
        self.sent += 1
        entities = [(entity["type"], entity["offset"], entity["length"]) for entity in message.entities]
        return Shown(message.text, entities, message.labels)

    async def check(self, name: str, role: str, few: int) -> list[tuple[str, Shown, Shown]]:
        """Send a few of the screens that show the name. Returns those that differ from the same screen with a
        harmless name of equal length.
        """
        harmless = HARMLESS * utf16(name)
        # The names of districts and provinces are shorter.
        roles = [role, "place"] if role == "organization" and len(name) <= MAX_PLACE else [role]
        wrong = []
        screens_by_title = await screens(cast(**dict.fromkeys(roles, name)))
        bearing = [title for title in screens_by_title if title in BEARING[role]]
        for at in range(few):
            title = bearing[(self.sent + at * 5) % len(bearing)]
            key = (title, harmless, len(roles))
            if key not in self._known:
                self._known[key] = await self.show((await screens(cast(**dict.fromkeys(roles, harmless))))[title])
            expected = self._known[key].named(harmless, name)
            arrived = await self.show(screens_by_title[title])
            if arrived != expected:
                wrong.append((title, arrived, expected))
        return wrong


@pytest.fixture
async def stage(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async def own_status(_session: object, _code: str) -> tuple[Round, Status]:
        return cast().made.round, Status.LAO_CERTIFIED

    async def open_questions(_session: object, _code: str) -> list[int]:
        return [1]

    async def open_petition(_session: object, _code: str, _side: Role) -> None:
        return None

    monkeypatch.setattr(home, "own_status", own_status)
    monkeypatch.setattr(home, "open_petition", open_petition)
    monkeypatch.setattr(home, "open_questions", open_questions)
    phone = emulator.phone("ก")
    await phone.start()
    async with opened_bot(emulator) as (bot, _polls):
        yield Stage(bot, phone)


# --- the checks ---------------------------------------------------------------------------------------------


def officers_names(names: list[str]) -> list[str]:
    """Return the normalized form of each name that an officer may have."""
    accepted = []
    for name in names:
        with contextlib.suppress(NameRefused):
            accepted.append(name_or_position(name))
    return accepted


def organizations_names(names: list[str], folder: Path) -> list[str]:
    """Return the normalized form of each name that an import of organizations accepts."""
    path, problems = folder / "organizations.csv", Problems()
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(column.name for column in LAYOUT.columns)
        for number, name in enumerate(names):
            # A file with a NUL byte is refused as a whole.
            cells = (f"{number:07}", "อบต.", "tao", name.replace("\0", "\x01"), "11", "ก", "a", "ข")
            writer.writerow(cells)
    with open_table(path, LAYOUT, problems) as table:
        accepted = [cells[3] for batch in table.batches() for _line, cells in batch if cells[3]]
    assert len(accepted) + len({problem.line for problem in listed(problems)}) == len(names)
    return accepted


def listed(problems: Problems) -> tuple[Problem, ...]:
    with pytest.raises(ImportRefused) as refused:
        problems.require_none()
    return tuple(refused.value.problems)


@pytest.mark.parametrize("role", ["organization", "person"])
async def test_names(stage: Stage, tmp_path: Path, times: Callable[[int], int], role: str) -> None:
    rng = random.Random(f"names of each {role}")
    count = times(10_000)
    names = [generated(rng) for _ in range(count)]
    accepted = organizations_names(names, tmp_path) if role == "organization" else officers_names(names)
    unseen = [name for name in accepted if not NEVER.isdisjoint(name) or is_unseen(name)]
    assert unseen == []
    # A fair share of the names is accepted, and a fair share refused.
    assert count / 10 < len(accepted) < count * 9 / 10
    wrong = [problem for name in accepted for problem in await stage.check(name, role, 3)]
    assert wrong == []
    print(
        f"{count:,} generated names of each {role}: {count - len(accepted):,} refused where they were given,"
        f" {len(accepted):,} shown letter by letter on {stage.sent:,} screens: 0 refused sends,"
        " 0 entities not ours"
    )
