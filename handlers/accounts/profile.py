"""Questions that are answered by typing, and the two that every new officer is asked."""

from dataclasses import replace

from handlers.chat.screen import Button, Screen
from handlers.chat.taps.accounts import Home, LogOutNow
from handlers.chat.turn import Turn
from handlers.chat.words import home
from models.chats.conversation import Awaiting


def ask(turn: Turn, question: str, *, may_cancel: bool = True) -> Screen:
    """A question, with ยกเลิก where the officer may leave it unanswered."""
    _ = turn.texts
    rows = ((Button(_.plain("Cancel"), Home()),),) if may_cancel else ()
    return Screen(_(question), rows)


def ask_profile(turn: Turn) -> Screen:
    """Ask for what certificates will bear and is not known yet, the name first; or leave a wrong account."""
    screen = ask_full_name(turn) if turn.officer.full_name is None else ask_position(turn)
    return replace(screen, rows=((Button(turn.texts.plain("Log out"), LogOutNow()),),))


def ask_full_name(turn: Turn) -> Screen:
    """Ask for the officer's name; it can be left only by one who has said it before."""
    turn.conversation.awaiting = Awaiting.FULL_NAME
    return ask(
        turn,
        "Type your own <b>first and last name</b>. Certificates will bear it.",
        may_cancel=turn.officer.is_ready,
    )


def ask_position(turn: Turn) -> Screen:
    """Ask for the officer's position. One who has said it before can leave it as it was; the new name stays, so
    that this is no ยกเลิก.
    """
    turn.conversation.awaiting = Awaiting.POSITION
    screen = ask(
        turn,
        "Type your <b>position</b>, as certificates will bear it. "
        "If you act for somebody, say so: “deputy clerk, acting for the clerk”.",
        may_cancel=False,
    )
    screen = screen.headed(turn.texts("Name: <b>{name}</b>", name=turn.officer.full_name))
    return replace(screen, rows=((home(turn.texts),),)) if turn.officer.is_ready else screen
