"""Questions that are answered by typing, and the two that every new officer is asked."""

from dataclasses import replace

from handlers.chat.screen import Button, Row, Screen
from handlers.chat.taps.accounts import Home, LogOutNow, RetypeName
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import home
from models.chats.conversation import Awaiting


def ask(turn: Turn, question: str) -> Screen:
    """A question, which the officer may leave unanswered by ยกเลิก."""
    _ = turn.texts
    return Screen(_(question), ((Button(_.plain("Cancel"), Home()),),))


def ask_profile(turn: Turn) -> Screen:
    """Ask for what certificates will bear and is not known yet, the name first; or leave a wrong account."""
    return ask_full_name(turn) if turn.officer.full_name is None else ask_position(turn)


def ask_full_name(turn: Turn) -> Screen:
    """Ask for the officer's name. One who has not said it before can only leave the account."""
    turn.conversation.awaiting = Awaiting.FULL_NAME
    screen = ask(turn, "Type your own <b>first and last name</b>. Certificates will bear it.")
    if turn.officer.full_name is not None:
        screen = screen.headed(turn.texts("Name: <b>{name}</b>", name=turn.officer.full_name))
    return screen if turn.officer.is_ready else replace(screen, rows=(_way_out(turn),))


def _way_out(turn: Turn) -> Row:
    """Home, or out of an account that may be the wrong one."""
    _ = turn.texts
    return (home(_),) if turn.officer.is_ready else (Button(_.plain("Log out"), LogOutNow()),)


def ask_position(turn: Turn) -> Screen:
    """Ask for the officer's position, with the way back to the name. One who has said it before can leave it as it
    was; the new name stays, so that this is no ยกเลิก.
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
    """แก้ไขชื่อ: back to the question for the name, which the question for the position follows."""
    return Button(_.plain("Change the name"), RetypeName())
