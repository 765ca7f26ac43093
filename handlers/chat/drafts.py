"""Drafts of remarks: the officer types a text, and sees it once more before sending, because a remark is final."""

import base64
import hashlib
from collections.abc import Awaitable, Callable

from markupsafe import Markup

from handlers.chat.deleting import refused, require_deleted
from handlers.chat.screen import Screen
from handlers.chat.turn import Turn
from models.accounts.pin import is_bare_number
from models.certification.remark import MAX_REMARK, MIN_REMARK, RemarkRefused, Rule, remark_text
from models.chats.conversation import Awaiting


def await_words(turn: Turn, awaiting: Awaiting, subject: str) -> None:
    """Expect a text about `subject` as the chat's next message; drops any earlier draft."""
    turn.conversation.awaiting = awaiting
    turn.conversation.subject = subject
    turn.conversation.draft = None


def subject_of(turn: Turn) -> str:
    """The subject of the text that the chat is asked for; empty without one."""
    return turn.conversation.subject or ""


def words_typed(typed: str) -> str:
    """The typed text as a remark, normalized. Raises RemarkRefused: a bare number could be a PIN, and lengths are
    limited.
    """
    if is_bare_number(typed):
        raise RemarkRefused(Rule.NO_NUMBER)
    return remark_text(typed)


async def keep_draft(turn: Turn, typed: str, show: Callable[[Turn], Awaitable[Screen]]) -> Screen:
    """Store the typed text as the draft and `show` it. Another text, typed or edited, replaces it.

    A text that is refused leaves the earlier draft, which is shown under the refusal. Raises NeedsDeletion for a
    text that may be a PIN.
    """
    try:
        turn.conversation.draft = words_typed(typed)
    except RemarkRefused as problem:
        return refused_words(turn, await show(turn), problem)
    return await show(turn)


def refused_words(turn: Turn, screen: Screen, problem: RemarkRefused) -> Screen:
    """The screen under the rule that the text has broken. The message is deleted, because it may be a PIN or a
    password; a text that is too long stays, so that the officer can shorten it. Raises NeedsDeletion.
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


def draft_digest(turn: Turn) -> str:
    """A digest of the draft and what it is about, for the button that sends it: 24 letters in base64url of
    SHA-256, which fit into a tap.
    """
    shown = f"{subject_of(turn)}\n{turn.conversation.draft or ''}"
    return base64.urlsafe_b64encode(hashlib.sha256(shown.encode()).digest()[:18]).decode()


def take_draft(turn: Turn, kind: str, digest: str) -> tuple[str, str]:
    """Take the draft whose subject begins with `kind`: the subject without `kind`, and the text.

    Raises RemarkRefused when there is no draft, or one of another kind: a button on an old card must not send a
    text that was typed for another purpose. Nor may it send another text than the one above it, which `digest` is
    of (`draft_digest`).
    """
    subject, words = subject_of(turn), turn.conversation.draft
    if words is None or not subject.startswith(kind) or digest != draft_digest(turn):
        raise RemarkRefused
    turn.conversation.subject = turn.conversation.draft = None
    return subject.removeprefix(kind), words
