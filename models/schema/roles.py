"""The roles of a PostgreSQL database: grants the rights that the models declare (`__grants__`) and lists
deviations.

Compared are owners; privileges on the database, its schema, tables, columns and sequences; default privileges; and
whatever makes a role exempt from privileges: attributes, memberships, objects that it owns, and parameters that it
may set though they are reserved for superusers. Differences without a `mend` belong to the cluster or another
owner and must be fixed by hand (docs/operations.md, Roles).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from models.base.errors import DomainError
from models.base.grants import DatabaseRole, RoleNames
from models.base.tables import Base
from models.database.engine import Database
from models.schema.role_queries import (
    ABOVE_RIGHTS,
    OF_THIS_SESSION,
    OWNERS,
    PARAMETERS,
    RIGHTS,
    SEQUENCES,
    THERE,
)
from models.schema.triggers import search_path

PUBLIC = "PUBLIC"
# Harmless privileges that are not reported: PostgreSQL's defaults for PUBLIC, and reading by roles of other
# programs.
_LEFT_TO_PUBLIC = {("database", "CONNECT"), ("schema", "USAGE")}
_LEFT_TO_OTHERS = {*_LEFT_TO_PUBLIC, ("table", "SELECT"), ("sequence", "SELECT")}
_PRIVILEGE = re.compile(r"([A-Z]+)(?: \(([^)]*)\))?")


class RolesMissing(DomainError):
    """The cluster does not have a role that the settings name."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"there is no role {' and no role '.join(names)} in this cluster; make it first"
            " (docs/operations.md, Roles)"
        )


@dataclass(frozen=True)
class Difference:
    """A deviation from the declared rights in one line, and the SQL statement that fixes it, if there is one."""

    line: str
    mend: str | None = None


@dataclass(frozen=True, order=True)
class _Right:
    """A privilege on an object, in the words of GRANT; `object` is a quoted identifier."""

    kind: str
    object: str
    privilege: str

    def __str__(self) -> str:
        return f"{self.privilege} on {self.kind} {self.object}"

    def statement(self, verb: str, role: str) -> str:
        """Return the GRANT or REVOKE statement for this right."""
        direction = "TO" if verb == "GRANT" else "FROM"
        return f"{verb} {self.privilege} ON {self.kind.upper()} {self.object} {direction} {role}"


async def check(database: Database, names: RoleNames) -> list[str]:
    """Return the deviations from the declared roles and rights, one line each."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(lambda sync: [difference.line for difference in differences(sync, names)])


def apply(connection: Connection, names: RoleNames) -> None:
    """Grant each role its declared rights and revoke all others, in the connection's transaction.

    The connection must be the tables' owner. Deviations that only another role can fix remain, and `differences`
    returns them. Raises RolesMissing.
    """
    _require(connection, names)
    # Revoking a right on a table also revokes it on the columns; the second pass grants these again.
    for verb in ("REVOKE", "GRANT"):
        for difference in differences(connection, names):
            if difference.mend is not None and difference.mend.startswith(verb):
                connection.exec_driver_sql(difference.mend)


async def require(database: Database, names: RoleNames) -> None:
    """Raise RolesMissing when the cluster lacks any of the roles."""
    async with database.engine.connect() as connection:
        await connection.run_sync(_require, names)


def _require(connection: Connection, names: RoleNames) -> None:
    existing_roles = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    missing = [name for name in (names.owner, *names.restricted()) if name not in existing_roles]
    if missing:
        raise RolesMissing(missing)


def differences(connection: Connection, names: RoleNames) -> list[Difference]:
    """Return the deviations from the declared roles and rights, first those that exempt a role from privileges."""
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    parameters = {
        "schema": schema,
        "owner": names.owner,
        "roles": list(names.restricted()),
        "program": list(_tables()),
    }
    with search_path(connection, "pg_catalog"):
        queries = [ABOVE_RIGHTS, OWNERS]
        if connection.scalar(text("SELECT to_regclass('pg_parameter_acl') IS NOT NULL")):
            queries.append(PARAMETERS)
        above_rights = [
            Difference(line)
            for query in queries
            for (line,) in connection.execute(text(query), _used(query, parameters))
        ]
        return [*above_rights, *_of_rights(connection, names, parameters)]


def _used(query: str, parameters: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if f":{name}" in query}


def beyond_the_chat(connection: Connection) -> tuple[str, str | None]:
    """Return the session's role, and in words why it has more rights than the chat needs; None if it has not."""
    user, is_above_rights, is_owner, opens_rounds = connection.execute(text(OF_THIS_SESSION)).one()
    if is_above_rights:
        return user, "a superuser or the like, for whom the database refuses nothing"
    if is_owner:
        return user, "who owns the tables and can take away what guards them"
    return user, "who can open rounds as the operator does" if opens_rounds else None


# --- the declared rights ---------------------------------------------------------------------------------------


def _tables() -> dict[str, dict[DatabaseRole, str]]:
    """Return the grants of every table by name."""
    from models.schema import drift  # noqa: F401, PLC0415 - imports every model

    roles = (DatabaseRole.APPLICATION, DatabaseRole.OPERATOR)
    declared = {
        str(mapper.local_table.name): {role: mapper.class_.__grants__.of(role) for role in roles}  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
    }
    return {**declared, "alembic_version": dict.fromkeys(roles, "SELECT")}


def privileges(grant: str) -> Iterator[str]:
    """Split a grant into single privileges: `SELECT, UPDATE (a, b)` into SELECT, UPDATE (a) and UPDATE (b)."""
    for privilege, columns in _PRIVILEGE.findall(grant):
        if columns:
            yield from (f"{privilege} ({column.strip()})" for column in columns.split(","))
        else:
            yield privilege


def _declared(
    role: DatabaseRole, table_names: set[str], sequences: dict[str, str], database: str, schema: str
) -> set[_Right]:
    """Return the declared rights of a role on the existing `table_names`; `sequences` maps each to its table."""
    grants = {name: by_role[role] for name, by_role in _tables().items() if name in table_names}
    rights = {_Right("database", database, "CONNECT"), _Right("schema", schema, "USAGE")}
    if role is DatabaseRole.OPERATOR:
        # Importing personnel uses a temporary table; a backup reads the sequences.
        rights.add(_Right("database", database, "TEMPORARY"))
        rights |= {_Right("sequence", f"{schema}.{name}", "SELECT") for name in sequences}
    for table, grant in grants.items():
        rights |= {_Right("table", f"{schema}.{table}", privilege) for privilege in privileges(grant)}
    for sequence, table in sequences.items():
        if "INSERT" in grants.get(table, ""):
            rights.add(_Right("sequence", f"{schema}.{sequence}", "USAGE"))
    return rights


# --- the actual rights ------------------------------------------------------------------------------------------


def _of_rights(connection: Connection, names: RoleNames, parameters: dict[str, object]) -> list[Difference]:
    schema = str(parameters["schema"])
    of_schema = {"schema": schema}
    table_names = set(connection.scalars(text(THERE), of_schema))
    sequences = {sequence: table for sequence, table in connection.execute(text(SEQUENCES), of_schema)}  # noqa: C416 - dict() has no type for a Row
    database = str(connection.scalar(text("SELECT quote_ident(current_database())")))
    declared_rights = {
        str(connection.scalar(text("SELECT quote_ident(:name)"), {"name": name})): _declared(
            role, table_names, sequences, database, schema
        )
        for name, role in names.restricted().items()
    }
    actual_rights: dict[str, set[_Right]] = {role: set() for role in declared_rights}
    deviations = []
    for kind, object_, role, privilege, is_grantable, is_owner in connection.execute(text(RIGHTS), of_schema):
        right = _Right(kind, object_, privilege)
        if role in declared_rights:
            actual_rights[role].add(right)
        # The queries ABOVE_RIGHTS and OWNERS report wrong owners.
        if is_owner:
            continue
        if role in declared_rights:
            is_allowed = right in declared_rights[role]
        else:
            # A right on a column is judged like that on its table.
            is_allowed = (kind, privilege.partition(" ")[0]) in (
                _LEFT_TO_PUBLIC if role == PUBLIC else _LEFT_TO_OTHERS
            )
        if not is_allowed:
            deviations.append(Difference(f"{role} has {right}", right.statement("REVOKE", role)))
        elif is_grantable:
            mend = right.statement("REVOKE GRANT OPTION FOR", role)
            deviations.append(Difference(f"{role} may pass on {right}", mend))
    for role, rights in declared_rights.items():
        deviations += [
            Difference(f"{role} lacks {right}", right.statement("GRANT", role))
            for right in sorted(rights - actual_rights[role])
        ]
    return deviations
