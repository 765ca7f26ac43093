"""What an officer types in its own words, and sees once more before it is sent: a remark cannot be taken back."""

from handlers.turn import Turn
from models.conversation import Awaiting
from models.remark_table import RemarkRefused, remark_text


def await_words(turn: Turn, awaiting: Awaiting, subject: str) -> None:
    """The next message is taken for a text about `subject`."""
    turn.conversation.awaiting = awaiting
    turn.conversation.subject = subject
    turn.conversation.draft = None


def subject_of(turn: Turn) -> str:
    """What the text that is typed now is about."""
    return turn.conversation.subject or ""


def keep_draft(turn: Turn, typed: str) -> str:
    """What was typed, tidied, to be shown and sent. While it is shown, other words typed or edited take its place.

    Raises RemarkRefused: then the words before stay.
    """
    turn.conversation.draft = remark_text(typed)
    return turn.conversation.draft


def take_draft(turn: Turn, kind: str) -> tuple[str, str]:
    """What the draft of one kind is about, without the kind, and its words.

    A button on an older card must not send what was typed for another purpose: raises RemarkRefused where the
    draft's subject does not begin with `kind`, or there is none.
    """
    subject, words = subject_of(turn), turn.conversation.draft
    if words is None or not subject.startswith(kind):
        raise RemarkRefused
    turn.conversation.subject = turn.conversation.draft = None
    return subject.removeprefix(kind), words
