"""The taps, commands and texts that this package handles, with the right each requires (handlers/dispatch.py)."""

from handlers.accounts import entrance, home, invitation, keypad, officers
from handlers.chat.taps.accounts import (
    AcceptInvitation,
    ChooseLanguage,
    EditProfile,
    EraseKey,
    ForgotPin,
    ForgotPinToConfirm,
    HandOver,
    HandOverNow,
    Help,
    Home,
    Key,
    LogIn,
    LogOut,
    LogOutNow,
    NotOurs,
    Officers,
    RetypeName,
    SetLanguage,
)
from handlers.chat.taps.certification import CertificationMenu
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Question, Right, Step
from models.accounts.pin import Purpose
from models.chats.conversation import Awaiting

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    Home: (Right.ANYONE, home.show_home),
    LogIn: (Right.ANYONE, entrance.start_login),
    ChooseLanguage: (Right.ANYONE, home.choose_language),
    SetLanguage: (Right.ANYONE, home.set_language),
    LogOut: (Right.LINKED, home.ask_logout),
    # Also for a new officer without a name, who may have logged in to the wrong account.
    LogOutNow: (Right.ANYONE, home.log_out),
    Key: (Right.OFFICER, keypad.press),
    EraseKey: (Right.OFFICER, keypad.erase),
    ForgotPin: (Right.OFFICER, keypad.forgot),
    ForgotPinToConfirm: (Right.LINKED, keypad.forgot),
    AcceptInvitation: (Right.ANYONE, invitation.accept),
    Officers: (Right.LINKED, officers.show),
    NotOurs: (Right.LINKED, officers.end_disputed),
    HandOver: (Right.LINKED, invitation.ask_hand_over),
    HandOverNow: (Right.LINKED, invitation.ask_pin),
    EditProfile: (Right.LINKED, entrance.edit_profile),
    RetypeName: (Right.OFFICER, entrance.retype_name),
    Help: (Right.ANYONE, home.show_help),
    CertificationMenu: (Right.LINKED, home.certification_menu),
}

# Taps that change nothing.
NAVIGATION: set[type[Tap]] = {Home, Help, ChooseLanguage, Officers, CertificationMenu}

# Each handler is called with the text after the command.
COMMANDS: dict[str, tuple[Right, Handler]] = {
    "menu": (Right.ANYONE, home.show_home),
    "help": (Right.ANYONE, home.show_help),
    "language": (Right.ANYONE, home.choose_language),
    "logout": (Right.ANYONE, home.log_out),
}

# The handlers of typed answers, by the question that the chat awaits.
QUESTIONS: dict[Awaiting, Question] = {
    Awaiting.USERNAME: Question(Right.ANYONE, entrance.take_username, entrance.ask_again),
    Awaiting.FULL_NAME: Question(Right.OFFICER, entrance.take_full_name, entrance.ask_again),
    Awaiting.POSITION: Question(Right.OFFICER, entrance.take_position, entrance.ask_again),
}

# The steps after a right PIN, by the keypad's purpose.
AFTER_PIN: dict[Purpose, Step] = {
    Purpose.SET: entrance.pin_chosen,
    Purpose.HAND_OVER: invitation.hand_over,
}
