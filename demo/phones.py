"""The phones of a demonstration: their holders, their screens, and suggestions of what to type."""

import contextlib
import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from demo.botapi import Button, Chat, Emulator, Event, Message, Phone
from demo.botapi.rendering import snapshot_message
from demo.sample import FAMILY_END, FAMILY_START, GIVEN, Unit
from models.accounts.pin import KEYPAD_LIFETIME, LENGTH, WeakPin, require_strong
from models.certification.certify import CONFIRMATION_LIFETIME
from models.chats.conversation import Awaiting

# The units whose phones are open from the beginning: an organization of average size, and its province.
FIRST = ("5830107", "83")
MAX_PHONES = 40

POSITIONS = {
    "lao": ("นักทรัพยากรบุคคลชำนาญการ", "ปลัด", "หัวหน้าสำนักปลัด"),
    "province": ("ท้องถิ่นจังหวัด", "ผู้อำนวยการกลุ่มงานบริหารงานบุคคล", "นักส่งเสริมการปกครองท้องถิ่นชำนาญการ"),
}
# The sentence on a keypad after a typed number (handlers/accounts/keypad.py), in both languages.
BARRED = ("เลขที่ท่านพิมพ์มาใช้เป็น PIN ไม่ได้", "The number that you typed cannot be your PIN")
# A key that every keypad has, and no other message (handlers/accounts/keypad.py).
ERASE = "⌫"
# A suggested note on an incorrect record.
NOTE = "วันบรรจุไม่ตรงกับทะเบียนประวัติ"


class NoSuchPhone(LookupError):
    """There is no such unit, phone, message or button on the page, or there are MAX_PHONES phones already."""


@dataclass(frozen=True)
class Holder:
    """A generated person with a phone, stored in the folder, because links in the database refer to `user_id`."""

    user_id: int
    given: str
    family: str
    unit: str  # code of an organization or a province; "" for an outsider
    number: int  # 1 is the unit's first officer, 2 its second …
    # Whether another PIN than the sample was chosen: which one, only the person knows.
    has_own_pin: bool = False

    @property
    def pin(self) -> str:
        """A sample PIN: strong, and the same in every demonstration."""
        rng = random.Random(f"PIN of {self.unit}/{self.number}")  # noqa: S311 - a sample
        while True:
            pin = f"{rng.randrange(10**LENGTH):0{LENGTH}}"
            with contextlib.suppress(WeakPin):
                require_strong(pin, self.unit)
                return pin


@dataclass(eq=False)
class Held:
    """A phone on the page. `waiting`: the bot has not answered the last input. `guided`: highlight the next
    button.
    """

    holder: Holder
    unit: Unit | None
    phone: Phone
    waiting: bool = False
    guided: bool = True
    awaiting: Awaiting = Awaiting.NOTHING
    # Whether the keypad is for choosing a PIN, and what was tapped on it since the last full one.
    choosing: bool = False
    digits: str = ""
    # Counts the bot's answers: what was read from the database before one is not what the chat waits for now.
    answers: int = 0

    @property
    def role(self) -> str:
        """`lao`, `province` or `outsider`."""
        return self.unit.role if self.unit else "outsider"

    def suggestions(self) -> list[dict[str, Any]]:
        """Return what could be typed now. Nothing for an outsider, for whom everything would be wrong."""
        texts: dict[Awaiting, str] = {}
        if self.unit is not None:
            which = (self.holder.number - 1) % len(POSITIONS[self.role])
            texts = {
                Awaiting.USERNAME: self.unit.username,
                Awaiting.PASSWORD: self.unit.password,
                Awaiting.PASSWORD_FOR_PIN: self.unit.password,
                Awaiting.FULL_NAME: f"{self.holder.given} {self.holder.family}",
                Awaiting.POSITION: POSITIONS[self.role][which],
                Awaiting.NOTE: NOTE,
            }
        text = texts.get(self.awaiting)
        return [{"kind": self.awaiting, "text": text}] if text and not self.waiting else []

    def keypad(self) -> dict[str, Any] | None:
        """Return the newest keypad on the screen: its message, the sample PIN, the number of entered digits, and
        whether they differ from the sample (`astray`).

        None if there is no keypad, or the sample would be wrong: the keypad has expired, the person has chosen
        another PIN, or has typed a number, which can no longer be the PIN.
        """
        for message in reversed(self.phone.messages):
            if ERASE in message.labels:
                if (
                    self._is_barred(message)
                    or self.holder.has_own_pin
                    or self._age(message) >= KEYPAD_LIFETIME.total_seconds()
                ):
                    return None
                pin, entered = self.holder.pin, self._entered(message)
                is_astray = len(self.digits) == entered and not pin.startswith(self.digits)
                return {"message": message.id, "pin": pin, "entered": entered, "astray": is_astray}
        return None

    def _is_barred(self, keypad: Message) -> bool:
        """Return whether the keypad says that a typed number, maybe the sample PIN, cannot be the PIN."""
        return any(sentence in keypad.text for sentence in BARRED)

    def _age(self, message: Message) -> int:
        """Return the seconds since a message was sent or last edited."""
        return self.phone.api.world.now() - (message.edit_date or message.date)

    def lapsed(self) -> list[int]:
        """Return the ids of messages with buttons that are older than a confirmation's lifetime."""
        limit = CONFIRMATION_LIFETIME.total_seconds()
        return [message.id for message in self.phone.messages if message.buttons and self._age(message) >= limit]

    def tapped(self, button: Button) -> None:
        """Track a tap on a keypad, to know whether another PIN than the sample is chosen."""
        if ERASE not in button.message.labels:
            self.digits = ""
        elif button.label == ERASE:
            self.digits = self.digits[:-1]
        elif button.label.isdecimal():
            self.digits += button.label
        if len(self.digits) == LENGTH:
            if self.choosing:
                self.holder = replace(self.holder, has_own_pin=self.digits != self.holder.pin)
            self.digits = ""

    def _entered(self, keypad: Message) -> int:
        """Return how many digits the bot has confirmed, by the newest toast.

        The dots on the keypad may lag behind: the bot redraws it only while the chat's limit allows it.
        """
        toasts = (event for event in reversed(self.phone.events) if event.kind == "answered")
        return next((toast.text.count("●") for toast in toasts if toast.message is keypad), 0)

    def snapshot(self, emulator: Emulator) -> dict[str, Any]:
        """Return everything that the page needs to draw the phone, as JSON-able data."""
        unit = self.unit
        return {
            "id": self.phone.id,
            "role": self.role,
            "name": f"{self.holder.given} {self.holder.family}",
            "unit": unit.name if unit else "",
            "place": f"อ.{unit.district}" if unit and unit.district else "",
            "number": self.holder.number,
            "started": bool(self.phone.messages),
            "waiting": self.waiting,
            "guided": self.guided,
            "suggestions": self.suggestions(),
            "keypad": self.keypad(),
            "lapsed": self.lapsed(),
            # The bot asks an outsider for what only an account has.
            "outside": unit is None and self.awaiting in {Awaiting.USERNAME, Awaiting.PASSWORD},
            "commands": _commands(emulator, self.phone.user.language_code),
            "messages": [snapshot_message(message) for message in self.phone.messages],
        }


class Phones:
    """All phones of the page. Their holders are stored in the file `path`."""

    def __init__(self, emulator: Emulator, units: list[Unit], path: Path) -> None:
        self.emulator = emulator
        self.units = {unit.code: unit for unit in units}
        self._path = path
        self.all: dict[int, Held] = {}
        if path.exists():
            for values in orjson.loads(path.read_bytes()):
                self._hold(Holder(**values))
        else:
            for code in FIRST:
                self.open(code)

    @property
    def unit_codes(self) -> list[str]:
        """The units of all phones, in the order in which the phones were opened."""
        return [held.holder.unit for held in self.all.values()]

    def open(self, code: str) -> Held:
        """Add a person with a phone, of a unit or, with "", an outsider. Raises NoSuchPhone."""
        if (code and code not in self.units) or len(self.all) >= MAX_PHONES:
            raise NoSuchPhone(code)
        number = 1 + sum(phone.holder.unit == code for phone in self.all.values())
        rng = random.Random(f"{code}/{number}")  # noqa: S311 - the same people in every demonstration
        family = rng.choice(FAMILY_START) + rng.choice(FAMILY_END)
        holder = Holder(700_000_000 + len(self.all) + 1, rng.choice(GIVEN), family, code, number)
        held = self._hold(holder)
        self._keep()
        return held

    def _keep(self) -> None:
        self._path.write_bytes(orjson.dumps([asdict(each.holder) for each in self.all.values()]))

    def _hold(self, holder: Holder) -> Held:
        phone = self.emulator.phone(holder.given, last_name=holder.family, user_id=holder.user_id)
        held = self.all[holder.user_id] = Held(holder, self.units.get(holder.unit), phone)
        return held

    def welcome_back(self, linked: set[int]) -> None:
        """Let the bot write to linked users, who have started it in an earlier demonstration."""
        for user_id in linked & set(self.all):
            self.all[user_id].phone.chat.bot_status = "member"

    def find(self, user_id: int) -> Held:
        """Return a phone by its user id. Raises NoSuchPhone."""
        try:
            return self.all[user_id]
        except KeyError:
            raise NoSuchPhone(str(user_id)) from None

    async def send(self, user_id: int, text: str) -> None:
        """Send a text from a phone. Raises NoSuchPhone."""
        held = self.find(user_id)
        held.waiting = True
        await held.phone.send(text)

    async def send_file(self, user_id: int, name: str, content: bytes, mime: str) -> None:
        """Send a file from a phone. Raises NoSuchPhone."""
        held = self.find(user_id)
        held.waiting = True
        await held.phone.send_document(name, content, mime)

    async def tap(self, user_id: int, message_id: int, data: str) -> None:
        """Tap the button with this callback data on a message of a phone's screen. Raises NoSuchPhone."""
        held = self.find(user_id)
        for message in held.phone.messages:
            if message.id == message_id:
                for button in (button for row in message.buttons for button in row):
                    if button.data == data:
                        await self._press(held, button)
                        return
        raise NoSuchPhone(data)

    async def _press(self, held: Held, button: Button) -> None:
        before, held.waiting = held.holder, True
        held.tapped(button)
        if held.holder != before:
            self._keep()
        await held.phone.press(button)

    def happened(self, chat: Chat, event: Event) -> None:
        """Observe the emulator: an answer of the bot ends a phone's waiting."""
        held = self.all.get(chat.id)
        if held is not None and event.kind in {"sent", "edited", "answered"}:
            held.waiting = False
            held.answers += 1
            held.awaiting = Awaiting.NOTHING


def _commands(emulator: Emulator, language: str) -> list[dict[str, str]]:
    """Return the commands of a private chat: the narrowest list that is set (Bot API, BotCommandScope)."""
    for scope in ("all_private_chats", "default"):
        for code in (language, ""):
            commands = emulator.api.commands.get((scope, code))
            if commands:
                return commands
    return []
