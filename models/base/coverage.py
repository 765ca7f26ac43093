"""Declares for each table which columns `laocert audit verify` protects against changes.

The table in docs/security.md is generated from these declarations (tests/freeze/coverage.py), and a test tampers
with each declared column.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# The columns that store seals; changing one makes the seal bad.
SEAL_COLUMNS = frozenset({"seal", "seen_seal"})
# Columns of several tables that need no protection, with the reason.
COMMON = {"row_lock": "it can hold nothing"}


class NotDeclared(LookupError):
    """A model does not declare whether a column is covered."""


@dataclass(frozen=True)
class Coverage:
    """Which columns of a table are compared with events, which the row's seal covers, and why others are neither.

    `events` are compared with recorded events; `against` says with which. `sealed` are covered by an HMAC in the
    row. `uncovered` maps each unprotected column to the reason. `default` is the reason for all columns of a table
    without protection.
    """

    events: frozenset[str] = frozenset()
    against: str = ""
    sealed: frozenset[str] = frozenset()
    uncovered: Mapping[str, str] = field(default_factory=dict)
    default: str = ""

    def is_sealed(self, column: str) -> bool:
        """Whether a seal of the row covers the column, or the column stores a seal."""
        return column in self.sealed or column in SEAL_COLUMNS

    def why_not(self, column: str) -> str:
        """Return why a column is neither compared with events nor under a seal; empty for one that is.

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
    """Declare the coverage of a table; column names are separated by blanks."""
    return Coverage(frozenset(events.split()), against, frozenset(sealed.split()), uncovered or {})


def not_covered(reason: str) -> Coverage:
    """Declare that no column of a table is covered, and why."""
    return Coverage(default=reason)
