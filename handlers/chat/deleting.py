"""Deletes messages that must not stay in the chat, because they may contain a password or a PIN."""

from markupsafe import Markup

from handlers.chat.screen import Screen, lines
from handlers.chat.turn import Turn


class NeedsDeletion(Exception):
    """Raised by a handler whose message must be deleted first. The transaction rolls back, the worker deletes the
    message, and the handler runs again with the outcome in `Turn.is_deleted`.
    """


def require_deleted(turn: Turn) -> None:
    """Raises NeedsDeletion unless the worker has already tried to delete the turn's message. Call it before
    anything is stored.
    """
    if turn.is_deleted is None:
        raise NeedsDeletion


def warned(turn: Turn, screen: Screen) -> Screen:
    """The screen, under a warning when the turn's message could not be deleted."""
    if turn.is_deleted is not False:
        return screen
    return screen.headed(turn.texts("⚠️ Your message could not be deleted. Please delete it yourself now."))


def refused(turn: Turn, screen: Screen, sentence: Markup | None = None) -> Screen:
    """The screen under a refusal, which also says whether the turn's message was deleted."""
    if turn.is_deleted:
        sentence = lines(sentence, turn.texts("Your message was deleted."))
    return warned(turn, screen if sentence is None else screen.headed(sentence))
