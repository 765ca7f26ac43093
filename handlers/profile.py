"""Questions that are answered by typing, and the two that every new officer is asked."""

from handlers.screen import Button, Screen
from handlers.taps import Home
from handlers.turn import Turn
from models.conversation import Awaiting


def ask(turn: Turn, question: str, *, may_cancel: bool = True) -> Screen:
    """A question, with ยกเลิก where the officer may leave it unanswered."""
    _ = turn.texts
    rows = ((Button(_.plain("Cancel"), Home()),),) if may_cancel else ()
    return Screen(_(question), rows)


def ask_profile(turn: Turn) -> Screen:
    """Ask for what certificates will bear, the name first."""
    if turn.officer.full_name is None:
        turn.conversation.awaiting = Awaiting.FULL_NAME
        return ask(turn, "Type your own <b>first and last name</b>. Certificates will bear it.", may_cancel=False)
    turn.conversation.awaiting = Awaiting.POSITION
    return ask(turn, "Type your <b>position</b>, as certificates will bear it.", may_cancel=False)
