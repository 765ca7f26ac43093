"""Questions answered by typing, and those for an officer's name and position."""

from dataclasses import replace

from handlers.chat.screen import Button, Row, Screen
from handlers.chat.taps.accounts import Home, LogOutNow, RetypeName
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import home
from models.chats.conversation import Awaiting


def ask(turn: Turn, question: str) -> Screen:
    """Return a screen with a question and the button ยกเลิก (cancel)."""
    _ = turn.texts
    return Screen(_(question), ((Button(_.plain("Cancel"), Home()),),))


def ask_profile(turn: Turn) -> Screen:
    """Ask for the name if it is missing, otherwise for the position; certificates print both."""
    return ask_full_name(turn) if turn.officer.full_name is None else ask_position(turn)


def ask_full_name(turn: Turn) -> Screen:
    """Ask for the officer's name. A new officer's only alternative is to log out."""
    turn.conversation.awaiting = Awaiting.FULL_NAME
    screen = ask(turn, "Type your own <b>first and last name</b>. Certificates will bear it.")
    if turn.officer.full_name is not None:
        screen = screen.headed(turn.texts("Name: <b>{name}</b>", name=turn.officer.full_name))
    return screen if turn.officer.is_ready else replace(screen, rows=(_way_out(turn),))


def _way_out(turn: Turn) -> Row:
    """The button home, or, for a new officer, who may have chosen the wrong account, log out."""
    _ = turn.texts
    return (home(_),) if turn.officer.is_ready else (Button(_.plain("Log out"), LogOutNow()),)


def ask_position(turn: Turn) -> Screen:
    """Ask for the officer's position, with a button back to the name.

    An officer who has a position can keep it by going home. The button is not ยกเลิก, because the new name is
    kept.
    """
    turn.conversation.awaiting = Awaiting.POSITION
    screen = ask(
        turn,
        "Type your <b>position</b>, as certificates will bear it. "
        "If you act for somebody, say so: “deputy clerk, acting for the clerk”.",
    )
    screen = screen.headed(turn.texts("Name: <b>{name}</b>", name=turn.officer.full_name))
    return replace(screen, rows=((change_name_button(turn.texts),), _way_out(turn)))


def change_name_button(_: Texts) -> Button:
    """Return the button แก้ไขชื่อ, which goes back to the question for the name."""
    return Button(_.plain("Change the name"), RetypeName())
