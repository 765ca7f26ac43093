"""Messages that must not stay in the chat, because they may hold a password or a PIN."""

from markupsafe import Markup

from handlers.chat.screen import Screen, lines
from handlers.chat.turn import Turn


class NeedsDeletion(Exception):
    """Raised inside a turn: it cannot go on before the message that it answers is deleted. Nothing of it is kept;
    it is begun anew and knows whether the message is gone.
    """


def require_deleted(turn: Turn) -> None:
    """Have the message deleted before anything of it is kept or answered. Raises NeedsDeletion."""
    if turn.is_deleted is None:
        raise NeedsDeletion


def warned(turn: Turn, screen: Screen) -> Screen:
    """The screen, with a warning when the message that was to be deleted still stands in the chat."""
    if turn.is_deleted is not False:
        return screen
    return screen.headed(turn.texts("⚠️ Your message could not be deleted. Please delete it yourself now."))


def refused(turn: Turn, screen: Screen, sentence: Markup | None = None) -> Screen:
    """The screen under a refusal, which says what has become of the message."""
    if turn.is_deleted:
        sentence = lines(sentence, turn.texts("Your message was deleted."))
    return warned(turn, screen if sentence is None else screen.headed(sentence))
