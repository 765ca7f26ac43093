"""A screen: what one message shows. Values; bot/ turns them into Bot API calls."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from markupsafe import Markup

from handlers.chat.taps.tap import Tap
from models.database.engine import Session

# Stands before the callback data of a button whose answer comes below.
BELOW = "+"


class Style(enum.StrEnum):
    """A button's colour (Bot API 9.4, InlineKeyboardButton.style)."""

    PRIMARY = "primary"
    SUCCESS = "success"
    DANGER = "danger"


@dataclass(frozen=True)
class Button:
    """One button: its label (plain text) and what a tap on it means."""

    label: str
    tap: Tap
    style: Style | None = None
    # The answer comes as a message below; the one that bears the button stays as it is.
    opens_below: bool = False

    @property
    def data(self) -> str:
        """The callback data."""
        return (BELOW if self.opens_below else "") + self.tap.pack()


@dataclass(frozen=True)
class CopyButton:
    """A button that puts a text into the phone's clipboard and tells the bot nothing (Bot API 7.11,
    CopyTextButton: 1 to 256 characters).
    """

    label: str
    copies: str


Row = tuple[Button | CopyButton, ...]


def opening_below(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The same buttons on a message that stays: what they open comes below it."""
    return tuple(
        tuple(replace(button, opens_below=True) if isinstance(button, Button) else button for button in row)
        for row in rows
    )


class AttachmentKind(enum.StrEnum):
    """The files that are made for an officer; bot/inbound/attachments.py says how."""

    PROGRESS = "progress"
    PROVINCE_LIST = "province_list"
    CERTIFICATE = "certificate"
    TEMPLATE = "template"


Load = Callable[[Session, datetime], Awaitable[tuple[object, Markup]]]


@dataclass(frozen=True)
class Attachment:
    """A file to be made and sent below the screen; not protected, because it is made to be passed on.

    `file_name` is in ASCII: what becomes of other letters in a multipart form, the Bot API does not say. `load`
    gives the facts that the file is made from, as they are at a moment, and its caption. It is called after the
    tap's transaction, in which nobody else can certify: a province's list is much to read.
    """

    kind: AttachmentKind
    file_name: str
    load: Load


def known(facts: object, caption: Markup) -> Load:
    """Of a file whose few facts were read with its screen."""

    async def load(_session: Session, _now: datetime) -> tuple[object, Markup]:
        return facts, caption

    return load


@dataclass(frozen=True)
class Screen:
    """The text of a message (HTML, outside text escaped) and its rows of buttons.

    `toast` is shown for a moment over the chat when the screen answers a tap (at most 200 characters: Bot API,
    answerCallbackQuery.text).
    """

    text: Markup
    rows: tuple[Row, ...] = ()
    toast: str = ""
    # Need not be shown when the officer has tapped on already, as fast thumbs do on a keypad.
    is_passing: bool = False
    # Made by a handler that only looks (handlers/routes.py, NAVIGATION): need not be shown when a later tap on the
    # same message has its screen already.
    is_navigation: bool = False
    # The same keypad without dots, for a chat that has few calls left: dots that are not drawn anew would lie.
    without_dots: "Screen | None" = None
    # Personal data stays in the chat (Bot API, protect_content); files and codes are made to be passed on.
    is_protected: bool = True
    # A message of its own, sent below: what is to be passed on cannot stand on a protected card.
    apart: "Screen | None" = None
    # A file, made and sent after the screen is shown.
    attachment: Attachment | None = None
    # Of a notice: the message in whose place it is put.
    message_id: int | None = None

    def headed(self, line: Markup) -> "Screen":
        """The same screen under a line that comes first."""
        plain = self.without_dots.headed(line) if self.without_dots else None
        return replace(self, text=Markup("{}\n\n{}").format(line, self.text), without_dots=plain)


@dataclass(frozen=True, kw_only=True)
class Evidenced(Screen):
    """The answer to an irreversible press is a notice that is kept, the receipt of this certificate: a new message
    in place of the keypad.
    """

    certificate: int


@dataclass(frozen=True)
class Dropped:
    """In place of a notice's screen: it is not to be sent any more. `reason`, in English, is the operator's."""

    reason: str


@dataclass(frozen=True)
class Deferred:
    """In place of a notice's screen: it is to be sent later, and rendered anew then."""

    until: datetime


def lines(*parts: Markup | str | None) -> Markup:
    """Join what is there, a line each; an empty string makes an empty line."""
    return Markup("\n").join(part for part in parts if part is not None)
