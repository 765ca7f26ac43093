"""A turn of the conversation: the facts that a handler receives, and the rights that handlers declare."""

import enum
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Self

from handlers.chat.proving import Attempt
from handlers.chat.screen import Screen
from handlers.chat.texts import Texts, texts
from handlers.chat.uploads import Upload
from models.accounts.account import Account, Officer, Role
from models.accounts.pin import Pad, Purpose
from models.certification.certify import Demands
from models.chats.conversation import Conversation
from models.database.engine import Session


class Right(enum.StrEnum):
    """Who may use a handler. The sender's account decides, never the button."""

    ANYONE = "anyone"
    # A linked officer, also one that has not given its name and position and chosen its PIN yet.
    OFFICER = "officer"
    # An officer with name, position and PIN, of either role.
    LINKED = "linked"
    # The same, of an account with this role.
    LAO = "lao"
    PROVINCE = "province"


# The defaults of LAOCERT_SPOT_CHECK_SIZE and LAOCERT_DIFFERENCE_PERCENT (bot/runtime/settings.py).
DEFAULT_DEMANDS = Demands(spot_check_size=3, difference_percent=10)


@dataclass(frozen=True)
class Setup:
    """What all turns of a program share: settings (docs/contract.md, Settings), the bot's username for deep links,
    and the measured offset of the clock (zero while unknown).
    """

    operator_chat: int | None = None
    contact: str = ""
    bot_username: str = ""
    demands: Demands = DEFAULT_DEMANDS
    clock_offset: Callable[[], timedelta] = timedelta


DEFAULTS = Setup()


@dataclass(frozen=True)
class Turn:
    """One tap or message being answered, in its transaction. Immutable: its facts are those of the beginning."""

    session: Session
    now: datetime
    rng: random.Random
    user_id: int
    conversation: Conversation
    linked: Officer | None
    setup: Setup = DEFAULTS
    # The result of a check of a password or PIN that ran before the transaction.
    attempt: Attempt | None = None
    # The result for a file that was downloaded and checked before the transaction.
    upload: Upload | None = None
    message_id: int | None = None
    # The message is an edit of an earlier one.
    is_edit: bool = False
    # The message was sent before the question that it would answer was shown.
    is_early: bool = False
    # Whether the message has been deleted; None before the worker has tried (handlers/chat/deleting.py).
    is_deleted: bool | None = None
    # The id of the keypad that the chat shows; empty without one.
    keypad: str = ""
    # The purpose of the keypad in the chat when that keypad takes no digits any more.
    lapsed: Purpose | None = None
    # The rows of the chat's link or its account that somebody has changed outside the program.
    bad_seals: tuple[str, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether the officer must enter the PIN before anything is shown, because the chat was idle."""
        return self.linked is not None and self.linked.is_ready and self.linked.is_idle(self.now)

    @property
    def clock_offset(self) -> timedelta:
        """The measured offset of this machine's clock; zero while unknown."""
        return self.setup.clock_offset()

    @property
    def texts(self) -> Texts:
        """The texts in the chat's language."""
        return texts(self.conversation.language, self.setup.contact)

    @property
    def officer(self) -> Officer:
        """The officer. Raises LookupError without one: for handlers whose right is not ANYONE."""
        if self.linked is None:
            raise LookupError("a handler for anyone asked for the officer")
        return self.linked

    @property
    def own_organization(self) -> str:
        """The dla_code of an LAO officer's organization. Raises LookupError for a province's officer."""
        code = self.officer.account.organization_code
        if code is None:
            raise LookupError("a handler for a province asked for the own organization")
        return code

    def has(self, right: Right) -> bool:
        """Whether the sender has the right."""
        if right is Right.ANYONE:
            return True
        if self.linked is None:
            return False
        if right is Right.OFFICER:
            return True
        if not self.linked.is_ready:
            return False
        return right is Right.LINKED or role_right(self.linked.account) is right


def role_right(account: Account) -> Right:
    """The right that belongs to an account's role."""
    return Right.LAO if account.role is Role.LAO else Right.PROVINCE


# A handler receives the turn with the tap, or with a command's argument; a step receives the typed text.
Handler = Callable[[Turn, Any], Awaitable[Screen]]
Step = Callable[[Turn, str], Awaitable[Screen]]


@dataclass(frozen=True)
class Question:
    """A text that the chat is asked for.

    `right`: who may answer. `take`: handles the text. `ask_again`: shows the question again when something else
    than a text came; None shows nothing.
    """

    right: Right
    take: Step
    ask_again: Callable[[Turn], Awaitable[Screen]] | None


@dataclass(frozen=True, kw_only=True)
class Proved(Screen):
    """In place of a screen: the PIN entered on `pad` is right; dispatch continues with what it was asked for."""

    pad: Pad


@dataclass(frozen=True, kw_only=True)
class Relinked(Screen):
    """The answer of a turn that has linked its chat, or ended the link. `officer`: linked now, or None."""

    officer: Officer | None

    @classmethod
    def of(cls, screen: Screen, officer: Officer | None) -> Self:
        """The screen with the officer that is linked now."""
        values = {field.name: getattr(screen, field.name) for field in fields(Screen)}
        return cls(**values, officer=officer)
