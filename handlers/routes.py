"""The routing tables of the whole conversation, joined from the rooms' routes.py: handlers and their rights."""

from typing import Any

from handlers.accounts import routes as accounts
from handlers.certification import routes as certification
from handlers.chat.taps.accounts import AcceptInvitation, EraseKey, ForgotPin, Key, LogOut, LogOutNow
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Question, Right, Step
from handlers.notices import routes as notices
from handlers.province import routes as province
from handlers.register import register_file
from handlers.register import routes as register
from handlers.remarks import routes as remarks
from handlers.spot_checks import routes as spot_checks
from models.accounts.pin import Purpose
from models.chats.conversation import Awaiting

# From the bottom up. A room has only those of the tables TAPS, COMMANDS, QUESTIONS and AFTER_PIN that it needs.
_ROOMS = (accounts, certification, register, remarks, spot_checks, province, notices)


def _joined(name: str) -> dict[Any, Any]:
    """The tables of this name of all rooms as one. Raises ValueError when two rooms have the same key."""
    joined: dict[Any, Any] = {}
    for room in _ROOMS:
        table = getattr(room, name, {})
        if duplicates := joined.keys() & table.keys():
            raise ValueError(f"{name}: answered in two rooms: {duplicates}")
        joined |= table
    return joined


TAPS: dict[type[Tap], tuple[Right, Handler]] = _joined("TAPS")
# Taps that only navigate: their screens need not be shown once a later tap on the same message has its own.
NAVIGATION: frozenset[type[Tap]] = frozenset().union(*(getattr(room, "NAVIGATION", set()) for room in _ROOMS))
# Each handler receives the command's argument.
COMMANDS: dict[str, tuple[Right, Handler]] = _joined("COMMANDS")
# The texts that a chat is asked for, except passwords, which are checked before the transaction. When nothing is
# asked, a text of a province's officer is a search.
QUESTIONS: dict[Awaiting, Question] = _joined("QUESTIONS")
# The handler of a file or picture, when no text is asked for.
DOCUMENT: tuple[Right, Handler] = (Right.LAO, register_file.take)
# What follows a right PIN, by the keypad's purpose. The officer is linked, because the keypad was the officer's.
AFTER_PIN: dict[Purpose, Step] = _joined("AFTER_PIN")
# Taps and commands that work in a chat that was idle for 12 hours: entering the PIN and logging out.
WHILE_IDLE: set[type[Tap] | str] = {
    Key,
    EraseKey,
    ForgotPin,
    AcceptInvitation,
    LogOut,
    LogOutNow,
    "logout",
}
# Questions for secrets: any message that answers them is deleted, a picture too, which may show a password.
SECRETS = {Awaiting.USERNAME, Awaiting.PASSWORD, Awaiting.PASSWORD_FOR_PIN}
