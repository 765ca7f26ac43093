"""Who connects to a PostgreSQL database, and what each table lets them do. On SQLite there are no roles."""

import enum
from dataclasses import dataclass


class DatabaseRole(enum.StrEnum):
    """Who connects: the chat, the operator's commands, or whoever owns and changes the schema."""

    APPLICATION = "application"
    OPERATOR = "operator"
    OWNER = "owner"


@dataclass(frozen=True)
class Grants:
    """What the roles may do with one table, in the words of PostgreSQL's GRANT; the owner may do everything.

    `UPDATE (column, …)` is a right to these columns alone. UPDATE of any column is also what PostgreSQL wants of
    whoever locks a row (`SELECT … FOR UPDATE`, `FOR SHARE`): see models.base.tables.Lockable.
    """

    application: str
    operator: str

    def of(self, role: DatabaseRole) -> str:
        """What is granted to a role that is not the owner."""
        return self.application if role is DatabaseRole.APPLICATION else self.operator


@dataclass(frozen=True)
class RoleNames:
    """The roles of a PostgreSQL database by their names; `operator` is None where the owner does its work."""

    owner: str
    application: str
    operator: str | None

    def restricted(self) -> dict[str, DatabaseRole]:
        """The roles that have only what is granted to them, by name."""
        roles = {self.application: DatabaseRole.APPLICATION}
        return roles if self.operator is None else {**roles, self.operator: DatabaseRole.OPERATOR}
