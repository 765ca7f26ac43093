"""What an officer types in its own words, and sees once more before it is sent: a remark cannot be taken back."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup

from handlers.chat.deleting import refused, require_deleted
from handlers.chat.screen import Screen
from handlers.chat.turn import Turn
from models.accounts.pin import is_bare_number
from models.certification.remark import MAX_REMARK, MIN_REMARK, RemarkRefused, Rule, remark_text
from models.chats.conversation import Awaiting


def await_words(turn: Turn, awaiting: Awaiting, subject: str) -> None:
    """The next message is taken for a text about `subject`."""
    turn.conversation.awaiting = awaiting
    turn.conversation.subject = subject
    turn.conversation.draft = None


def subject_of(turn: Turn) -> str:
    """What the text that is typed now is about."""
    return turn.conversation.subject or ""


def words_typed(typed: str) -> str:
    """What was typed as a remark, tidied. Raises RemarkRefused."""
    if is_bare_number(typed):
        raise RemarkRefused(Rule.NO_NUMBER)
    return remark_text(typed)


async def keep_draft(turn: Turn, typed: str, show: Callable[[Turn], Awaitable[Screen]]) -> Screen:
    """Keep what was typed and `show` it; while it is shown, other words typed or edited take its place. Where they
    are refused, the words before stay and are shown again. Raises NeedsDeletion.
    """
    try:
        turn.conversation.draft = words_typed(typed)
    except RemarkRefused as problem:
        return refused_words(turn, await show(turn), problem)
    return await show(turn)


def refused_words(turn: Turn, screen: Screen, problem: RemarkRefused) -> Screen:
    """The screen under the rule that a remark has broken. The message is deleted, because it may be a PIN or a
    password, but for long words: nobody types them twice gladly. Raises NeedsDeletion.
    """
    if problem.rule is not Rule.NOT_LONG:
        require_deleted(turn)
    return refused(turn, screen, _rule(turn, problem))


def _rule(turn: Turn, problem: RemarkRefused) -> Markup:
    _, limits = turn.texts, {"least": MIN_REMARK, "most": MAX_REMARK}
    if problem.rule is Rule.NOT_SHORT:
        return _("That is too short. Please write {least} to {most:,} letters.", **limits)
    if problem.rule is Rule.NOT_LONG:
        return _("That is too long. Please write {least} to {most:,} letters.", **limits)
    if problem.rule is Rule.NO_NUMBER:
        return _("A number alone is not taken. Please write a sentence of {least} to {most:,} letters.", **limits)
    return _("That has no letters. Please write {least} to {most:,} letters.", **limits)


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
