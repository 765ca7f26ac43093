"""One turn of the conversation: what a handler is given, and the right that it declares."""

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
    """Who may use a handler. It comes from the officer that the sender is, never from the button."""

    ANYONE = "anyone"
    # Linked, also before it has said its name and chosen its PIN.
    OFFICER = "officer"
    LINKED = "linked"
    LAO = "lao"
    PROVINCE = "province"


DEFAULT_DEMANDS = Demands(spot_check_size=3, difference_percent=10)


@dataclass(frozen=True)
class Setup:
    """What every turn of one bot is told from outside: its settings (docs/contract.md, Settings), its name at
    Telegram for links to it, and how far its clock is known to be off.
    """

    operator_chat: int | None = None
    contact: str = ""
    bot_username: str = ""
    demands: Demands = DEFAULT_DEMANDS
    clock_offset: Callable[[], timedelta] = timedelta


DEFAULTS = Setup()


@dataclass(frozen=True)
class Turn:
    """One tap or message, in its transaction, as it was when it began."""

    session: Session
    now: datetime
    rng: random.Random
    user_id: int
    conversation: Conversation
    linked: Officer | None
    setup: Setup = DEFAULTS
    # A password or PIN that was checked before the transaction.
    attempt: Attempt | None = None
    # A file that was fetched and checked before the transaction.
    upload: Upload | None = None
    message_id: int | None = None
    # The message is one that was sent before and is now changed.
    is_edit: bool = False
    # It was sent before the screen was there that it would answer.
    is_early: bool = False
    # Whether the message has been deleted; None while nobody has tried (handlers/chat/deleting.py).
    is_deleted: bool | None = None
    # The number of the keypad that the chat has on its screen, or "".
    keypad: str = ""
    # What the keypad was for that stands in the chat and takes no digits any more.
    lapsed: Purpose | None = None
    # The rows of the chat's link or its account that somebody has changed outside the program.
    bad_seals: tuple[str, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether the PIN is wanted before anything is shown."""
        return self.linked is not None and self.linked.is_ready and self.linked.is_idle(self.now)

    @property
    def clock_offset(self) -> timedelta:
        """How far the clock is known to be off; zero when that is not known."""
        return self.setup.clock_offset()

    @property
    def texts(self) -> Texts:
        """The texts in the chat's language."""
        return texts(self.conversation.language, self.setup.contact)

    @property
    def officer(self) -> Officer:
        """The officer, where the handler's right says that there is one."""
        if self.linked is None:
            raise LookupError("a handler for anyone asked for the officer")
        return self.linked

    @property
    def own_organization(self) -> str:
        """The dla_code of an LAO officer's organization."""
        code = self.officer.account.organization_code
        if code is None:
            raise LookupError("a handler for a province asked for the own organization")
        return code

    def has(self, right: Right) -> bool:
        """Whether the sender has a right now."""
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
    """The right that an account's role gives."""
    return Right.LAO if account.role is Role.LAO else Right.PROVINCE


# A handler is given what a tap means, or what stands behind a command; a step what was typed.
Handler = Callable[[Turn, Any], Awaitable[Screen]]
Step = Callable[[Turn, str], Awaitable[Screen]]


@dataclass(frozen=True)
class Question:
    """A text that a chat is asked for: who may answer, what takes the answer, and what asks once more where
    something else than a text came.
    """

    right: Right
    take: Step
    ask_again: Callable[[Turn], Awaitable[Screen]] | None


@dataclass(frozen=True, kw_only=True)
class Proved(Screen):
    """In place of a screen: the PIN that was entered on `pad` is right, and what it was asked for goes on."""

    pad: Pad


@dataclass(frozen=True, kw_only=True)
class Relinked(Screen):
    """The answer to a turn that has linked its chat, or ended the link: `officer` is who is linked now."""

    officer: Officer | None

    @classmethod
    def of(cls, screen: Screen, officer: Officer | None) -> Self:
        """The screen, with who is linked."""
        shown = {field.name: getattr(screen, field.name) for field in fields(Screen)}
        return cls(**shown, officer=officer)
