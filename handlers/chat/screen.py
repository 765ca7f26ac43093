"""Screens: immutable values that say what a message shows; bot/ turns them into Bot API calls."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from markupsafe import Markup

from handlers.chat.taps.tap import Tap
from models.database.engine import Session

# Prefix of the callback data of a button that is answered by a new message below.
BELOW = "+"


class Style(enum.StrEnum):
    """A button's colour (Bot API 9.4, InlineKeyboardButton.style)."""

    PRIMARY = "primary"
    SUCCESS = "success"
    DANGER = "danger"


@dataclass(frozen=True)
class Button:
    """One button: its label (plain text) and the tap that it sends."""

    label: str
    tap: Tap
    style: Style | None = None
    # The tap is answered by a new message below; the button's message stays as it is.
    opens_below: bool = False

    @property
    def data(self) -> str:
        """The callback data. Raises ValueError when the tap does not fit."""
        return (BELOW if self.opens_below else "") + self.tap.pack()


@dataclass(frozen=True)
class CopyButton:
    """A button that copies the text `copies` to the phone's clipboard, without an update for the bot (Bot API
    7.11, CopyTextButton: 1 to 256 characters).
    """

    label: str
    copies: str


Row = tuple[Button | CopyButton, ...]


def opening_below(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The buttons for a message that stays: what they open comes below it."""
    return tuple(
        tuple(replace(button, opens_below=True) if isinstance(button, Button) else button for button in row)
        for row in rows
    )


class AttachmentKind(enum.StrEnum):
    """The kinds of files that are made for officers (bot/papers/makers.py)."""

    PROGRESS = "progress"
    PROVINCE_LIST = "province_list"
    CERTIFICATE = "certificate"
    TEMPLATE = "template"


Load = Callable[[Session, datetime], Awaitable[tuple[object, Markup]]]


@dataclass(frozen=True)
class Attachment:
    """A file that is made and sent below the screen. It can be forwarded and saved.

    `file_name` is in ASCII: the Bot API does not say what happens to other letters in a multipart form. `load`
    reads the facts for the file, as of a time, and makes the caption. It is called after the tap's transaction,
    during which nobody else can certify: a province's list takes long to read.
    """

    kind: AttachmentKind
    file_name: str
    load: Load


def known(facts: object, caption: Markup) -> Load:
    """A `load` for facts that were already read with the screen."""

    async def load(_session: Session, _now: datetime) -> tuple[object, Markup]:
        return facts, caption

    return load


@dataclass(frozen=True)
class Screen:
    """The text of a message (HTML, with outside text escaped) and its rows of buttons.

    `toast`: a short text over the chat when the screen answers a tap (at most 200 characters: Bot API,
    answerCallbackQuery.text).
    """

    text: Markup
    rows: tuple[Row, ...] = ()
    toast: str = ""
    # A keypad with some digits entered: need not be drawn when the officer has tapped the next key already.
    is_passing: bool = False
    # From a handler that changes nothing (handlers/routes.py, NAVIGATION): need not be drawn when a later tap on
    # the same message already has its screen.
    is_navigation: bool = False
    # The keypad without dots, for a chat with few calls left: dots that are not redrawn would be wrong.
    without_dots: "Screen | None" = None
    # The message cannot be forwarded or saved (Bot API, protect_content): it may contain personal data.
    is_protected: bool = True
    # A second message, sent below: something to forward, which cannot be on a protected card.
    apart: "Screen | None" = None
    # A file that is made and sent after the screen is shown.
    attachment: Attachment | None = None
    # For a notice: the message that is edited.
    message_id: int | None = None

    def headed(self, line: Markup) -> "Screen":
        """The screen with a first line above its text."""
        plain = self.without_dots.headed(line) if self.without_dots else None
        return replace(self, text=Markup("{}\n\n{}").format(line, self.text), without_dots=plain)


@dataclass(frozen=True, kw_only=True)
class Evidenced(Screen):
    """The answer to certifying: the receipt of this certificate, sent as a new message in place of the keypad and
    kept in the chat.
    """

    # The certificate's id.
    certificate: int


@dataclass(frozen=True)
class Dropped:
    """In place of a notice's screen: the notice must not be sent any more. `reason` is for the operator, in
    English.
    """

    reason: str


@dataclass(frozen=True)
class Deferred:
    """In place of a notice's screen: render the notice again at `until`, and send it then."""

    until: datetime


def lines(*parts: Markup | str | None) -> Markup:
    """Join the parts with line breaks. None is left out; an empty string makes an empty line."""
    return Markup("\n").join(part for part in parts if part is not None)
