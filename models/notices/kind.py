"""The kinds of notices and the rules of each kind: who may get it, how urgent it is, what happens to it later."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


class NoticeKind(enum.StrEnum):
    """The kind of a notice. It also says what table `subject_id` refers to; by default a certificate, a reopening
    or a remark.
    """

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
    # An officer has chosen another PIN; the subject is the officer.
    PIN_RESET = "pin_reset"
    # Telegram refuses messages to a chat; the subject is its officer.
    UNREACHABLE = "unreachable"
    # The chat is reachable again; the subject is the number of notices that did not arrive.
    MISSED = "missed"
    # The subject is the Unix time in seconds from which PINs are accepted again. Only an earlier version enqueued
    # this kind (today the answer to the last key says so); its pending rows are still sent.
    PIN_BLOCKED = "pin_blocked"
    # The subject is a reminder. An escalation tells the operator whom the reminders of its round did not reach.
    REMINDER = "reminder"
    ESCALATION = "escalation"
    # An organization has ended; the subject is its end. Goes to its former officers, whether they move to the
    # successor or not.
    ORGANIZATION_ENDED = "organization_ended"
    # Somebody without the secret key has changed a row; the subject is the event that says so.
    BAD_SEAL = "bad_seal"
    # An announcement by the operator; the subject is a broadcast.
    BROADCAST = "broadcast"
    # Blanks the text and buttons of the message whose id is the subject.
    BLANK = "blank"
    # The live card of a province (models/province/live_card.py): a new message, which rings, and an edit in place.
    # The subject of both is the officer. REMOVE deletes the previous card; its message id is the subject.
    WAITING = "waiting"
    REFRESH = "refresh"
    REMOVE = "remove"


class Audience(enum.Enum):
    """Which chats may get a kind. Checked again when the notice is sent."""

    # Chats that are linked to an officer, and the operator's chat.
    LINKED = enum.auto()
    # Any chat: for an officer's own evidence, the end of a link, and messages to the operator.
    ANY_CHAT = enum.auto()


class Telling(enum.Enum):
    """How much a kind says in the chat of an officer whose session is idle: another person may hold the phone."""

    # Only that something waits, without numbers and names, until the officer has entered the PIN.
    BRIEF_WHEN_IDLE = enum.auto()
    # Always the full text.
    WHOLE = enum.auto()


class Change(enum.Enum):
    """What a kind does to an existing message in the chat."""

    # Replace its text and buttons.
    EDIT = enum.auto()
    # Delete it, or blank it where Telegram no longer deletes it.
    REMOVE = enum.auto()


# How far ahead the due time of a message may lie. Retries are a minute apart; a longer pause of a chat is checked
# again after this time.
SOON = timedelta(hours=1)
# The same for messages that wait for the end of quiet hours and days off: more than Thailand's longest holidays.
AFTER_HOLIDAYS = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules for every notice of a kind."""

    audience: Audience = Audience.LINKED
    telling: Telling = Telling.BRIEF_WHEN_IDLE
    # Whether the message stays in the chat when the chat's link ends. Other messages are blanked.
    stays: bool = False
    # None for a new message. Edits are idempotent: the courier retries until one succeeds, then deletes the row.
    change: Change | None = None
    # Lower numbers are sent first. Blanks come right after evidence, so that a stolen phone shows names no longer
    # than necessary.
    urgency: int = 2
    # Whether very many may be queued at once. Bulk never delays another kind.
    is_bulk: bool = False
    # Whether it waits until the answer to the chat's own update is shown, which would otherwise overwrite it.
    is_after_answer: bool = False
    # Whether it answers a press. The process that handled the press sends it at once; all other kinds are sent by
    # the process that holds the courier's lease.
    is_answer: bool = False
    # How far ahead the due time may lie. A later due time was set by a clock that was ahead, and counts as due.
    furthest: timedelta = SOON
    # Whether models/province/live_card.py decides if and when it is sent, and records the outcome.
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
    NoticeKind.PIN_RESET: Rules(),
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
    """Return the kinds whose rules satisfy a predicate."""
    return frozenset(kind for kind, rules in RULES.items() if holds(rules))


# Kinds that are sent to a chat whether it is linked or not.
FOR_ANY_CHAT = kinds_where(lambda rules: rules.audience is Audience.ANY_CHAT)
# Kinds whose messages stay in a chat when its link ends.
KEPT_IN_CHAT = kinds_where(lambda rules: rules.stays)
# Kinds that the process which handled the press sends at once.
ANSWERS = kinds_where(lambda rules: rules.is_answer)
# Kinds that change an existing message: its id is the subject, or the screen names it.
CHANGES = kinds_where(lambda rules: rules.change is not None)
