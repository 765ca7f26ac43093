"""The kinds of notices, and what is decided once for a kind: who may get it, how urgent it is, what becomes of
it.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


class NoticeKind(enum.StrEnum):
    """What a notice says, and so what its subject is: a certificate, a reopening, or a remark."""

    RECEIPT = "receipt"
    COLLEAGUE_CERTIFIED = "colleague_certified"
    PROVINCE_CERTIFIED = "province_certified"
    REOPENED = "reopened"
    PETITIONED = "petitioned"
    PETITION_REFUSED = "petition_refused"
    QUESTIONED = "questioned"
    ANSWERED = "answered"
    # About a link; the subject is an officer.
    LINKED = "linked"
    LINK_DISPUTED = "link_disputed"
    HANDED_OVER = "handed_over"
    # A chat cannot be written to any more; the subject is its officer.
    UNREACHABLE = "unreachable"
    # The chat can be written to again; the subject is the number of notices that did not arrive in it.
    MISSED = "missed"
    # The subject is the second (Unix time) at which PINs are taken again. The bot's answer to the last key says so
    # today, and queues none; a row that waits from an earlier version is still sent.
    PIN_BLOCKED = "pin_blocked"
    # The subject is a reminder; an escalation tells the operator whom the reminders of its round did not reach.
    REMINDER = "reminder"
    ESCALATION = "escalation"
    # An organization has ended; the subject is its end. To those who were its officers, whether they go over to
    # its successor or not.
    ORGANIZATION_ENDED = "organization_ended"
    # Somebody without the secret key has changed a row; the subject is the event that says so.
    BAD_SEAL = "bad_seal"
    # The operator's word; the subject is a broadcast.
    BROADCAST = "broadcast"
    # No message of its own: the message whose id is the subject loses its text and its buttons.
    BLANK = "blank"
    # The live card of a province (models/province/live_card.py): a new message, which rings, and an edit in place;
    # the subject of both is the officer. And the end of the card before, whose id is the subject.
    WAITING = "waiting"
    REFRESH = "refresh"
    REMOVE = "remove"


class Audience(enum.Enum):
    """Who gets a kind. It is looked at again when the notice is sent."""

    # The officer who is linked to the chat, and the operator's chat.
    LINKED = enum.auto()
    # Whoever has the chat: an officer's own evidence, the end of a link, the operator's own business.
    ANY_CHAT = enum.auto()


class Telling(enum.Enum):
    """How much a kind says in the chat of an officer who has been idle: it may be in other hands."""

    # That something waits, with no number and no name, until the officer has entered the PIN.
    BRIEF_WHEN_IDLE = enum.auto()
    # Always the whole.
    WHOLE = enum.auto()


class Change(enum.Enum):
    """What a kind does to a message that is in the chat already."""

    # Its text and buttons are replaced.
    EDIT = enum.auto()
    # It is deleted, or edited where Telegram no longer deletes it.
    REMOVE = enum.auto()


# The furthest ahead that a try is put off: tries are a minute apart. Beyond it a chat's pause is looked at again.
SOON = timedelta(hours=1)
# The same of what waits for the end of quiet hours and days off: more than the longest holidays of Thailand.
AFTER_HOLIDAYS = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds for every notice of a kind."""

    audience: Audience = Audience.LINKED
    telling: Telling = Telling.BRIEF_WHEN_IDLE
    # Whether it stays in the chat when the chat's link ends; what does not is blanked.
    stays: bool = False
    # None: it is a new message. Edits are idempotent: they are repeated until one succeeds, then the row is
    # deleted.
    change: Change | None = None
    # Less is sent first. Blanks come next after evidence: a stolen phone must not show names for longer.
    urgency: int = 2
    # Very many may be queued at once; none of them makes another kind wait.
    is_bulk: bool = False
    # It waits until the answer to the chat's own update is shown, which it would otherwise be overwritten by.
    is_after_answer: bool = False
    # It is the answer to a press: the program that did the press sends it at once. All else is left to the one
    # that has the courier's lease.
    is_answer: bool = False
    # How far ahead its due time may lie. What lies further ahead was put off by a clock that was ahead: it is due.
    furthest: timedelta = SOON
    # models/province/live_card.py decides whether and when it is sent, and notes how that ended.
    is_live_card: bool = False


RULES: dict[NoticeKind, Rules] = {
    NoticeKind.RECEIPT: Rules(
        audience=Audience.ANY_CHAT, telling=Telling.WHOLE, stays=True, urgency=0, is_answer=True
    ),
    NoticeKind.COLLEAGUE_CERTIFIED: Rules(),
    NoticeKind.PROVINCE_CERTIFIED: Rules(),
    NoticeKind.REOPENED: Rules(),
    NoticeKind.PETITIONED: Rules(),
    NoticeKind.PETITION_REFUSED: Rules(),
    NoticeKind.QUESTIONED: Rules(),
    NoticeKind.ANSWERED: Rules(),
    NoticeKind.LINKED: Rules(),
    NoticeKind.LINK_DISPUTED: Rules(audience=Audience.ANY_CHAT, telling=Telling.WHOLE, stays=True),
    NoticeKind.HANDED_OVER: Rules(audience=Audience.ANY_CHAT, telling=Telling.WHOLE),
    NoticeKind.UNREACHABLE: Rules(),
    NoticeKind.MISSED: Rules(telling=Telling.WHOLE),
    NoticeKind.PIN_BLOCKED: Rules(audience=Audience.ANY_CHAT, telling=Telling.WHOLE),
    NoticeKind.REMINDER: Rules(is_bulk=True, furthest=AFTER_HOLIDAYS),
    NoticeKind.ESCALATION: Rules(audience=Audience.ANY_CHAT, telling=Telling.WHOLE, stays=True),
    NoticeKind.ORGANIZATION_ENDED: Rules(audience=Audience.ANY_CHAT, telling=Telling.WHOLE),
    NoticeKind.BAD_SEAL: Rules(audience=Audience.ANY_CHAT, telling=Telling.WHOLE, stays=True),
    NoticeKind.BROADCAST: Rules(telling=Telling.WHOLE, is_bulk=True, furthest=AFTER_HOLIDAYS),
    NoticeKind.BLANK: Rules(
        audience=Audience.ANY_CHAT,
        telling=Telling.WHOLE,
        stays=True,
        change=Change.EDIT,
        urgency=1,
        is_after_answer=True,
    ),
    NoticeKind.WAITING: Rules(is_live_card=True, furthest=AFTER_HOLIDAYS),
    NoticeKind.REFRESH: Rules(change=Change.EDIT, is_live_card=True),
    NoticeKind.REMOVE: Rules(telling=Telling.WHOLE, change=Change.REMOVE),
}


def kinds_where(holds: Callable[[Rules], bool]) -> frozenset[NoticeKind]:
    """The kinds whose rules a condition holds for."""
    return frozenset(kind for kind, rules in RULES.items() if holds(rules))


# What its chat is sent whether it is linked or not.
FOR_ANY_CHAT = kinds_where(lambda rules: rules.audience is Audience.ANY_CHAT)
# What stays in a chat when its link ends.
KEPT_IN_CHAT = kinds_where(lambda rules: rules.stays)
# What is sent at once by the program that did the press.
ANSWERS = kinds_where(lambda rules: rules.is_answer)
# Kinds that change a message which is there: the subject is its id, or the screen names it.
CHANGES = kinds_where(lambda rules: rules.change is not None)
