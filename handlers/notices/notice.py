"""The value that renderers of notices receive, and their type."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from handlers.chat.screen import Deferred, Dropped, Row, Screen, lines
from handlers.chat.texts import Texts
from models.accounts.account import Officer
from models.database.engine import Session
from models.notices.kind import RULES, NoticeKind, Telling
from models.province.live_card import Showing


@dataclass(frozen=True)
class Notice:
    """A notice that is due, in the transaction that takes it from the outbox.

    `texts`: in the language of the receiving chat, `chat_id`. `subject_id`: what it is about, by the kind.
    `reader`: the officer linked to that chat; None for the operator's chat, or one that is not linked any more.
    `card`: what the live card must show, for kinds that change it.
    """

    texts: Texts
    session: Session
    kind: NoticeKind
    chat_id: int
    subject_id: int
    now: datetime
    reader: Officer | None
    card: Showing | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the chat may be shown the whole notice: always for the operator's chat and for kinds that are
        told in full; else only while its officer is ready and not idle.
        """
        if RULES[self.kind].telling is Telling.WHOLE or self.reader is None:
            return True
        return self.reader.is_ready and not self.reader.is_idle(self.now)


# A renderer changes nothing, so that a notice can be rendered again.
Render = Callable[[Notice], Awaitable[Screen | Dropped | Deferred]]


def brief(_: Texts, title: Markup, unit: Markup, rows: tuple[Row, ...]) -> Screen:
    """The short form of a notice for an idle chat, which may be in other hands."""
    return Screen(lines(title, unit, "", _("Use the bot with your PIN to see more.")), rows)
