"""One notice whose turn has come: what the functions that say how it reads are given."""

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
    """A notice of one kind about its subject, in the transaction that takes it from the outbox.

    `texts`: in the language of the chat that it goes to. `reader`: the officer who is linked there; None is the
    operator, or a chat that is linked no more. `card`: what the live card is to show, for the kinds that change
    it.
    """

    texts: Texts
    session: Session
    kind: NoticeKind
    subject_id: int
    now: datetime
    reader: Officer | None
    card: Showing | None = None

    @property
    def is_whole(self) -> bool:
        """Whether its chat may be told all of it. The operator's chat has no officer, and is told all."""
        if RULES[self.kind].telling is Telling.WHOLE or self.reader is None:
            return True
        return self.reader.is_ready and not self.reader.is_idle(self.now)


# It only reads: the same notice can be rendered again.
Render = Callable[[Notice], Awaitable[Screen | Dropped | Deferred]]


def brief(_: Texts, title: Markup, unit: Markup, rows: tuple[Row, ...]) -> Screen:
    """What a chat is told whose officer has been idle."""
    return Screen(lines(title, unit, "", _("Use the bot with your PIN to see more.")), rows)
