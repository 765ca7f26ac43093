"""The table of the whole conversation: what each room answers (its routes.py), joined, and with which right."""

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

# From the bottom up. A room has those of the tables TAPS, COMMANDS, QUESTIONS and AFTER_PIN that it answers.
_ROOMS = (accounts, certification, register, remarks, spot_checks, province, notices)


def _joined(name: str) -> dict[Any, Any]:
    """The tables of all rooms in one. Raises ValueError where two rooms answer the same."""
    joined: dict[Any, Any] = {}
    for room in _ROOMS:
        table = getattr(room, name, {})
        if twice := joined.keys() & table.keys():
            raise ValueError(f"{name}: answered in two rooms: {twice}")
        joined |= table
    return joined


TAPS: dict[type[Tap], tuple[Right, Handler]] = _joined("TAPS")
# Those whose screens need not be shown once a later tap on the same message has its own: their handlers only look.
NAVIGATION: frozenset[type[Tap]] = frozenset().union(*(getattr(room, "NAVIGATION", set()) for room in _ROOMS))
# Each is called with what stands behind the command.
COMMANDS: dict[str, tuple[Right, Handler]] = _joined("COMMANDS")
# The texts that are asked for, but for passwords: those are checked before the transaction. A province's officer
# searches by typing when it is asked for nothing.
QUESTIONS: dict[Awaiting, Question] = _joined("QUESTIONS")
# A file or a picture, where no text is asked for.
DOCUMENT: tuple[Right, Handler] = (Right.LAO, register_file.take)
# What a right PIN leads to; the officer is linked, as the keypad was its own.
AFTER_PIN: dict[Purpose, Step] = _joined("AFTER_PIN")
# What a chat may still do that was left alone for 12 hours: give the PIN, or leave.
WHILE_IDLE: set[type[Tap] | str] = {
    Key,
    EraseKey,
    ForgotPin,
    AcceptInvitation,
    LogOut,
    LogOutNow,
    "logout",
}
# Whatever comes where one of these is asked for is deleted: a picture may show a password, too.
SECRETS = {Awaiting.USERNAME, Awaiting.PASSWORD, Awaiting.PASSWORD_FOR_PIN}
