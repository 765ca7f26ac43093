"""What a verification has found: breaks, what could not be compared, and what the first break means."""

import enum
from collections import Counter
from dataclasses import dataclass, field

# In one line.
KEYS_NAMED = 5
# What is raised by the details of an event that somebody else than the program wrote.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Subject(enum.StrEnum):
    """What a break is about."""

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


@dataclass
class Findings:
    """What was looked at, and every break that was found, a line each."""

    events: int = 0
    certificates: int = 0
    rosters: int = 0
    # Events that could not be checked, by the id of the key that is neither in use nor among the old ones.
    unknown_keys: dict[str, int] = field(default_factory=dict)
    # Certificates from before the chain: nothing can be said of them.
    unrecorded: list[str] = field(default_factory=list)
    # Certificates from before schema 0012 whose words were not kept yet.
    without_words: int = 0
    # Rows whose events are from before a release that records more, by what they are: nothing can be said of them.
    uncompared: Counter[str] = field(default_factory=Counter)
    breaks: list[str] = field(default_factory=list)
    # What the first break is about.
    first: Subject | None = None

    def add(self, subject: Subject, *breaks: str) -> None:
        """Note what is not as it was recorded, a line each."""
        if breaks and self.first is None:
            self.first = subject
        self.breaks += breaks

    @property
    def is_well(self) -> bool:
        """Whether everything was checked and stands as it was recorded."""
        return not (self.breaks or self.unknown_keys)

    @property
    def unchecked(self) -> str:
        """One line about the events that could not be checked; empty when there are none."""
        if not self.unknown_keys:
            return ""
        most = sorted(self.unknown_keys.items(), key=lambda item: -item[1])
        # Whoever can write to the database can put any letters there.
        by_key = ", ".join(f"{count} with key {ascii(key_id)[1:-1]:.16}" for key_id, count in most[:KEYS_NAMED])
        by_key += f" and {len(most) - KEYS_NAMED} keys more" if len(most) > KEYS_NAMED else ""
        return (
            f"{sum(self.unknown_keys.values())} of {self.events} events cannot be checked: the key that made them"
            f" is not here ({by_key}); put it into LAOCERT_OLD_SECRET_KEYS and verify again. Of one that is lost"
            " they stay unchecked; if no such key was ever in use, the record was changed"
        )

    @property
    def without_events(self) -> str:
        """One line about the rows that are older than what is recorded of their kind now; empty without any."""
        counted = ", ".join(f"{count:,} {what}" for what, count in sorted(self.uncompared.items()) if count)
        return f"recorded before this release and not compared: {counted}" if counted else ""
