"""Names of every kind: refused where they are given, or shown letter by letter and as nothing but text.

Ten thousand names go through what accepts an officer's name and position, and an organization's in an import. Each
that is accepted stands on the screens that bear names, and these are sent to the emulated server over HTTP: it has
to take them, show the name as it is, and find the same markup in them as in those with a harmless name.
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
# Bidi controls, zero width, soft hyphen, variation selectors, fillers and other letters without ink.
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

# What no reader sees (Unicode, Default_Ignorable_Code_Point), and what Telegram leaves out of a text.
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
    """Whether it holds controls, formats, or characters that mean something in one program only."""
    return any(unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} for letter in name)


def generated(rng: random.Random) -> str:
    """A name with something of each of some kinds in it."""
    parts = [rng.choice(THAI)]
    for _ in range(rng.randint(0, 4)):
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(rng.choice(KINDS)))
    if rng.random() < 0.3:
        parts = [rng.choice(rng.choice(KINDS)) for _ in range(rng.randint(1, 3))]
    name = rng.choice(["", "", " "]).join(parts)
    if rng.random() < 0.1:
        # As long as they come, and at the bounds.
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
# A letter that stands nowhere else.
HARMLESS = "ฦ"
_ = texts(Language.THAI)


@dataclass(frozen=True)
class Cast:
    """One organization and one officer of it, and what they have certified."""

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
    """`person` is both the name and the position, `place` the names of district and province."""
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
    made = Certification(
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
    return Cast(unit, officer, made)


async def screens(who: Cast) -> dict[str, Screen]:
    """Every screen that bears the organization's name, the officer's, or both."""
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
    asked = Confirmation(nonce="0" * 24, level=Level.LAO)
    look = ProvinceReview("5110201")
    one = who.organization
    name = ButtonName(
        one.dla_code, short_name(one.type_code, one.type_th, one.name_th), one.full_name, one.district_th
    )
    listed = Button(find_label(name), look)
    history, *_pages = history_text(
        _, History(who.organization.dla_code, Words.of(who.organization), [who.made], [reopened]), 0
    )
    told = [kind for kind in CERTIFIED if kind is not NoticeKind.RECEIPT]
    certified = {kind: rendering.certified_screen(_, kind, who.made, whole=True) for kind in told}
    certified[NoticeKind.RECEIPT] = receipt_screen(_, who.made, None, is_own=False)
    return {
        "home": await home.show_home(turn),
        "review": lao.review_screen(_, who.review, DEMANDS, NOW),
        "list": Screen(_("Organizations: {total:,}", total=1), ((listed,),)),
        "province's review": province.review_screen(_, who.review, DEMANDS, NOW),
        "warning": warning(_, asked, who.review, NOW),
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
    """A message as the server shows it: text, what its entities cover, and labels."""

    text: str
    entities: list[tuple[str, int, int]]
    labels: list[str]

    def named(self, harmless: str, name: str) -> "Shown":
        """The same with another name."""
        labels = [label.replace(harmless, name) for label in self.labels]
        return Shown(self.text.replace(harmless, name), self.entities, labels)


class Stage:
    """Sends screens and looks at what arrived."""

    def __init__(self, bot: Bot, phone: Phone) -> None:
        self.bot = bot
        self.phone = phone
        self.sent = 0
        self._known: dict[tuple[str, str, int], Shown] = {}

    async def show(self, screen: Screen) -> Shown:
        """As it arrives. Raises BadRequest when the server refuses it."""
        message = self.phone.chat.messages.pop(await api.send(self.bot, self.phone.id, screen))
        self.sent += 1
        entities = [(one["type"], one["offset"], one["length"]) for one in message.entities]
        return Shown(message.text, entities, message.labels)

    async def check(self, name: str, role: str, few: int) -> list[tuple[str, Shown, Shown]]:
        """Send some of the screens that bear the name; those that are not as with a harmless one as long."""
        harmless = HARMLESS * utf16(name)
        # Districts and provinces have shorter names.
        roles = [role, "place"] if role == "organization" and len(name) <= MAX_PLACE else [role]
        wrong = []
        made = await screens(cast(**dict.fromkeys(roles, name)))
        bearing = [title for title in made if title in BEARING[role]]
        for at in range(few):
            title = bearing[(self.sent + at * 5) % len(bearing)]
            key = (title, harmless, len(roles))
            if key not in self._known:
                self._known[key] = await self.show((await screens(cast(**dict.fromkeys(roles, harmless))))[title])
            expected = self._known[key].named(harmless, name)
            shown = await self.show(made[title])
            if shown != expected:
                wrong.append((title, shown, expected))
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


# --- what accepts them --------------------------------------------------------------------------------------


def officers_names(names: list[str]) -> list[str]:
    """What is kept of those that an officer may have as its name and position."""
    kept = []
    for name in names:
        with contextlib.suppress(NameRefused):
            kept.append(name_or_position(name))
    return kept


def organizations_names(names: list[str], folder: Path) -> list[str]:
    """What is kept of those that may be imported."""
    path, problems = folder / "organizations.csv", Problems()
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(column.name for column in LAYOUT.columns)
        for number, name in enumerate(names):
            # A file with a NUL byte is refused as a whole.
            cells = (f"{number:07}", "อบต.", "tao", name.replace("\0", "\x01"), "11", "ก", "a", "ข")
            writer.writerow(cells)
    with open_table(path, LAYOUT, problems) as table:
        kept = [cells[3] for batch in table.batches() for _line, cells in batch if cells[3]]
    assert len(kept) + len({problem.line for problem in listed(problems)}) == len(names)
    return kept


def listed(problems: Problems) -> tuple[Problem, ...]:
    with pytest.raises(ImportRefused) as refused:
        problems.require_none()
    return tuple(refused.value.problems)


@pytest.mark.parametrize("role", ["organization", "person"])
async def test_names(stage: Stage, tmp_path: Path, times: Callable[[int], int], role: str) -> None:
    rng = random.Random(f"names of each {role}")
    count = times(10_000)
    names = [generated(rng) for _ in range(count)]
    kept = organizations_names(names, tmp_path) if role == "organization" else officers_names(names)
    unseen = [name for name in kept if not NEVER.isdisjoint(name) or is_unseen(name)]
    assert unseen == []
    # Neither all nor nothing is taken.
    assert count / 10 < len(kept) < count * 9 / 10
    wrong = [problem for name in kept for problem in await stage.check(name, role, 3)]
    assert wrong == []
    print(
        f"{count:,} generated names of each {role}: {count - len(kept):,} refused where they were given,"
        f" {len(kept):,} shown letter by letter on {stage.sent:,} screens: 0 refused sends, 0 entities not ours"
    )
