"""What `laocert audit verify` finds changed in a table, as each table's model declares it.

The page in docs/security.md is written from these declarations (tests/freeze/coverage.py), and the tampering test
changes each column that they name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Columns that hold a seal: whoever changes one breaks it.
SEAL_COLUMNS = frozenset({"seal", "seen_seal"})
# Columns that several tables have, and why nothing is to be known of them.
COMMON = {"row_lock": "it can hold nothing"}


class NotDeclared(LookupError):
    """A column of which no model says whether it is covered."""


@dataclass(frozen=True)
class Coverage:
    """Which columns are compared with events, which are under the row's seal, and why others are neither.

    `events`: compared with what was recorded; `against` says with what. `sealed`: an HMAC in the row is over them.
    `uncovered`: columns that nothing is known of, each with the reason. `default`: the reason for all columns of a
    table of which nothing is covered.
    """

    events: frozenset[str] = frozenset()
    against: str = ""
    sealed: frozenset[str] = frozenset()
    uncovered: Mapping[str, str] = field(default_factory=dict)
    default: str = ""

    def is_sealed(self, column: str) -> bool:
        """Whether a column is under a seal of its row, or is one."""
        return column in self.sealed or column in SEAL_COLUMNS

    def why_not(self, column: str) -> str:
        """Why a column is neither compared with events nor under a seal; empty for one that is.

        Raises NotDeclared when its model gives no reason.
        """
        if column in self.events or self.is_sealed(column):
            return ""
        reason = self.uncovered.get(column) or COMMON.get(column) or self.default
        if not reason:
            raise NotDeclared(column)
        return reason


def covered(
    events: str = "", against: str = "", sealed: str = "", uncovered: Mapping[str, str] | None = None
) -> Coverage:
    """A table of which something is covered; columns as one text, divided by blanks."""
    return Coverage(frozenset(events.split()), against, frozenset(sealed.split()), uncovered or {})


def not_covered(reason: str) -> Coverage:
    """A whole table of which nothing is covered, and why."""
    return Coverage(default=reason)
