"""The results of a verification: breaks, what could not be compared, and the meaning of the first break."""

import enum
from dataclasses import dataclass, field

# The most missing keys listed in one line.
KEYS_NAMED = 5
# The exceptions that reading the details of a tampered event can raise.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Subject(enum.StrEnum):
    """The subject of a break."""

    CHAIN = "chain"
    HEAD = "head"
    CERTIFICATE = "certificate"
    STATEMENT = "statement"
    WORDS = "words"
    REMARK = "remark"
    REOPENING = "reopening"
    ROUND = "round"
    REGISTER = "register"
    SPOT_CHECK = "spot_check"
    ORGANIZATION = "organization"
    OFFICER = "officer"
    INVITATION = "invitation"
    BROADCAST = "broadcast"
    SEAL = "seal"


@dataclass(frozen=True)
class Meaning:
    """What a break means for the users of the data, and what the operator should do."""

    means: str
    do: str


_COMPARE = "keep this database as it is, restore a backup from before beside it, and compare"
_MEANINGS = {
    Subject.CHAIN: Meaning(
        "somebody has changed, inserted or deleted events without the secret key; from there on this chain proves"
        " nothing",
        _COMPARE,
    ),
    Subject.HEAD: Meaning(
        "events that were there when the head was filed are gone or others now, perhaps with what they told of",
        f"make sure that the head is written right; then {_COMPARE}",
    ),
    Subject.CERTIFICATE: Meaning(
        "a certificate was changed, invented or deleted in the database; its event holds what was certified",
        f"do not rely on that certificate (laocert audit list --event certified has the original); {_COMPARE}",
    ),
    Subject.STATEMENT: Meaning(
        "the program that runs here shows other words than those that the officer agreed to",
        "install the release again; if it differs still, ask who built it",
    ),
    Subject.WORDS: Meaning(
        "the names that were kept for older certificates are not those that were kept then", _COMPARE
    ),
    Subject.REOPENING: Meaning(
        "a reopening was changed, invented or deleted, or the register that it kept is gone: certificates may"
        " count that ended, or not count that stand",
        f"certify nothing of that organization; {_COMPARE}",
    ),
    Subject.REMARK: Meaning(
        "a petition, question, answer or decision is not what was written; its event holds the original", _COMPARE
    ),
    Subject.BROADCAST: Meaning("an announcement in the database is not the one that was sent", _COMPARE),
    Subject.ROUND: Meaning(
        "a round was opened, closed, renumbered or deleted in the database: registers may be unlocked by it",
        f"stop the bot; {_COMPARE}",
    ),
    Subject.REGISTER: Meaning(
        "a register was changed although it is locked: it is no more what was certified",
        f"do not use that register; {_COMPARE}, then reopen and have it certified again",
    ),
    Subject.SPOT_CHECK: Meaning(
        "a draw or a mark was changed, invented or deleted: what the province certified on it is in doubt",
        f"reopen that organization if it is certified; {_COMPARE}",
    ),
    Subject.ORGANIZATION: Meaning(
        "an organization or province was described otherwise, ended or succeeded in the database: the wrong"
        " province may certify it",
        f"{_COMPARE}; import the organizations again once it is clear what is right",
    ),
    Subject.OFFICER: Meaning(
        "a link or a PIN was put into the database: somebody may act in an officer's name",
        "end that link (laocert account unlink USERNAME --officer ID), and look at what it did"
        " (laocert audit list --officer ID)",
    ),
    Subject.SEAL: Meaning(
        "a row that decides was written by somebody who has not the secret key; it gives no right any more",
        "laocert seal check says of each such row what to do; accept one only if you have repaired it yourself",
    ),
    Subject.INVITATION: Meaning(
        "an invitation was put into the database: somebody may link a chat with it",
        "disable the account (laocert account disable USERNAME) until the invitation has expired",
    ),
}


def meaning_of(subject: Subject) -> Meaning:
    """Return what a break about a subject means, and what to do."""
    return _MEANINGS[subject]


@dataclass
class Findings:
    """The counts of what was verified, and all breaks, one line each."""

    events: int = 0
    certificates: int = 0
    rosters: int = 0
    # The number of events that could not be checked, by the id of the missing key.
    unknown_keys: dict[str, int] = field(default_factory=dict)
    # The codes of certificates from before the audit chain, which cannot be verified.
    unrecorded: list[str] = field(default_factory=list)
    # The number of certificates from before schema 0012 without stored words.
    without_words: int = 0
    # The number of rows, by what they are, whose events are from an older release that recorded too little.
    uncompared: dict[str, int] = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)
    # The subject of the first break.
    first: Subject | None = None

    def add(self, subject: Subject, *breaks: str) -> None:
        """Add breaks, one line each."""
        if breaks and self.first is None:
            self.first = subject
        self.breaks += breaks

    def leave(self, what: str, count: int = 1) -> None:
        """Count rows that cannot be compared, by what they are."""
        if count:
            self.uncompared[what] = self.uncompared.get(what, 0) + count

    @property
    def is_well(self) -> bool:
        """Whether everything could be checked and equals the record."""
        return not (self.breaks or self.unknown_keys)

    @property
    def unchecked(self) -> str:
        """One line about the events that could not be checked; empty when there are none."""
        if not self.unknown_keys:
            return ""
        by_count = sorted(self.unknown_keys.items(), key=lambda item: -item[1])
        # An attacker can put any characters there.
        by_key = ", ".join(
            f"{count} with key {ascii(key_id)[1:-1]:.16}" for key_id, count in by_count[:KEYS_NAMED]
        )
        by_key += f" and {len(by_count) - KEYS_NAMED} keys more" if len(by_count) > KEYS_NAMED else ""
        return (
            f"{sum(self.unknown_keys.values())} of {self.events} events cannot be checked: the key that made them"
            f" is not here ({by_key}); put it into LAOCERT_OLD_SECRET_KEYS and verify again. Of one that is lost"
            " they stay unchecked; if no such key was ever in use, the record was changed"
        )

    @property
    def not_compared(self) -> str:
        """One line that counts, by kind, the rows that were compared with nothing: from before their event was
        recorded, without a seal, under a missing key, or repaired by the operator; empty without any.
        """
        counted = ", ".join(f"{count:,} {what}" for what, count in sorted(self.uncompared.items()))
        return f"not compared: {counted}" if counted else ""
