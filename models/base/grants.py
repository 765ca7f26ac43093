"""The database roles, and the declaration of each role's privileges on a table. SQLite has no roles."""

import enum
from dataclasses import dataclass


class DatabaseRole(enum.StrEnum):
    """The roles that connect to PostgreSQL: the bot, the operator's commands, and the owner of the schema."""

    APPLICATION = "application"
    OPERATOR = "operator"
    OWNER = "owner"


@dataclass(frozen=True)
class Grants:
    """The privileges of the roles on one table, in the syntax of PostgreSQL's GRANT; the owner has all privileges.

    `UPDATE (column, …)` is a privilege on these columns only. PostgreSQL requires UPDATE on at least one column
    also to lock a row (`SELECT … FOR UPDATE`, `FOR SHARE`): see models.base.tables.Lockable.
    """

    application: str
    operator: str

    def of(self, role: DatabaseRole) -> str:
        """Return the privileges of a role other than the owner."""
        return self.application if role is DatabaseRole.APPLICATION else self.operator


@dataclass(frozen=True)
class RoleNames:
    """The names of a database's roles; `operator` is None when the operator's commands connect as the owner."""

    owner: str
    application: str
    operator: str | None

    def restricted(self) -> dict[str, DatabaseRole]:
        """Return the roles other than the owner, by name."""
        roles = {self.application: DatabaseRole.APPLICATION}
        return roles if self.operator is None else {**roles, self.operator: DatabaseRole.OPERATOR}
