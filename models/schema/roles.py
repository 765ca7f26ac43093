"""The roles of a PostgreSQL database: gives each what its tables declare (`__grants__`), and tells what differs.

Compared are owners, rights on the database, its schema, tables, columns and sequences, rights that new objects
would get by themselves, and what sets a role above all rights: attributes, memberships, objects of its own, and
parameters that only a superuser may set otherwise. What `mends` cannot put right is the cluster's or another
owner's, and is put right by hand (docs/operations.md, Roles).
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
# What is nobody's harm: PostgreSQL gives it to PUBLIC by itself, and a role of somebody else may look.
_LEFT_TO_PUBLIC = {("database", "CONNECT"), ("schema", "USAGE")}
_LEFT_TO_OTHERS = {*_LEFT_TO_PUBLIC, ("table", "SELECT"), ("sequence", "SELECT")}
_PRIVILEGE = re.compile(r"([A-Z]+)(?: \(([^)]*)\))?")


class RolesMissing(DomainError):
    """A role that the settings name is not in the cluster."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"there is no role {' and no role '.join(names)} in this cluster; make it first"
            " (docs/operations.md, Roles)"
        )


@dataclass(frozen=True)
class Difference:
    """One line of what differs, and the statement that puts it right, if one can."""

    line: str
    mend: str | None = None


@dataclass(frozen=True, order=True)
class _Right:
    """A privilege on an object, in PostgreSQL's words; `object` is quoted as a statement wants it."""

    kind: str
    object: str
    privilege: str

    def __str__(self) -> str:
        return f"{self.privilege} on {self.kind} {self.object}"

    def statement(self, verb: str, role: str) -> str:
        """The GRANT or REVOKE of it."""
        direction = "TO" if verb == "GRANT" else "FROM"
        return f"{verb} {self.privilege} ON {self.kind.upper()} {self.object} {direction} {role}"


async def check(database: Database, names: RoleNames) -> list[str]:
    """What differs from the declared roles and rights, a line each."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(lambda sync: [one.line for one in differences(sync, names)])


def apply(connection: Connection, names: RoleNames) -> None:
    """Give each role what is declared and take away what is not, in the connection's transaction.

    By whoever owns the tables. What only another may put right stays, and `differences` tells it. Raises
    RolesMissing.
    """
    _require(connection, names)
    # Taking a right to a whole table away takes the right to its columns too: that comes back in the second turn.
    for verb in ("REVOKE", "GRANT"):
        for one in differences(connection, names):
            if one.mend is not None and one.mend.startswith(verb):
                connection.exec_driver_sql(one.mend)


async def require(database: Database, names: RoleNames) -> None:
    """Raises RolesMissing where the cluster has not all of the roles."""
    async with database.engine.connect() as connection:
        await connection.run_sync(_require, names)


def _require(connection: Connection, names: RoleNames) -> None:
    there = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    missing = [name for name in (names.owner, *names.restricted()) if name not in there]
    if missing:
        raise RolesMissing(missing)


def differences(connection: Connection, names: RoleNames) -> list[Difference]:
    """What differs from the declared roles and rights: what stands above all rights first."""
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    parameters = {
        "schema": schema,
        "owner": names.owner,
        "roles": list(names.restricted()),
        "program": list(_tables()),
    }
    with search_path(connection, "pg_catalog"):
        questions = [ABOVE_RIGHTS, OWNERS]
        if connection.scalar(text("SELECT to_regclass('pg_parameter_acl') IS NOT NULL")):
            questions.append(PARAMETERS)
        found = [
            Difference(line)
            for question in questions
            for (line,) in connection.execute(text(question), _used(question, parameters))
        ]
        return [*found, *_of_rights(connection, names, parameters)]


def _used(question: str, parameters: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if f":{name}" in question}


def beyond_the_chat(connection: Connection) -> tuple[str, str | None]:
    """The role of a session, and what makes it more than the chat's, in a few words; None where nothing does."""
    user, is_above_rights, is_owner, opens_rounds = connection.execute(text(OF_THIS_SESSION)).one()
    if is_above_rights:
        return user, "a superuser or the like, for whom the database refuses nothing"
    if is_owner:
        return user, "who owns the tables and can take away what guards them"
    return user, "who can open rounds as the operator does" if opens_rounds else None


# --- what is declared ---------------------------------------------------------------------------------------


def _tables() -> dict[str, dict[DatabaseRole, str]]:
    """The grants of every table by its name."""
    from models.schema import drift  # noqa: F401, PLC0415 - it knows every table

    roles = (DatabaseRole.APPLICATION, DatabaseRole.OPERATOR)
    declared = {
        str(mapper.local_table.name): {role: mapper.class_.__grants__.of(role) for role in roles}  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
    }
    return {**declared, "alembic_version": dict.fromkeys(roles, "SELECT")}


def privileges(grant: str) -> Iterator[str]:
    """The single privileges of a grant: of `SELECT, UPDATE (a, b)` SELECT, UPDATE (a) and UPDATE (b)."""
    for privilege, columns in _PRIVILEGE.findall(grant):
        if columns:
            yield from (f"{privilege} ({column.strip()})" for column in columns.split(","))
        else:
            yield privilege


def _declared(
    role: DatabaseRole, there: set[str], sequences: dict[str, str], database: str, schema: str
) -> set[_Right]:
    """What a role is to have. `there`: the tables of the database; `sequences`: each with its table."""
    grants = {name: of[role] for name, of in _tables().items() if name in there}
    rights = {_Right("database", database, "CONNECT"), _Right("schema", schema, "USAGE")}
    if role is DatabaseRole.OPERATOR:
        # An import of personnel keeps its rows in a temporary table; a backup reads the sequences.
        rights.add(_Right("database", database, "TEMPORARY"))
        rights |= {_Right("sequence", f"{schema}.{name}", "SELECT") for name in sequences}
    for table, grant in grants.items():
        rights |= {_Right("table", f"{schema}.{table}", privilege) for privilege in privileges(grant)}
    for sequence, table in sequences.items():
        if "INSERT" in grants.get(table, ""):
            rights.add(_Right("sequence", f"{schema}.{sequence}", "USAGE"))
    return rights


# --- what is there ------------------------------------------------------------------------------------------


def _of_rights(connection: Connection, names: RoleNames, parameters: dict[str, object]) -> list[Difference]:
    schema = str(parameters["schema"])
    of_schema = {"schema": schema}
    there = set(connection.scalars(text(THERE), of_schema))
    sequences = {sequence: table for sequence, table in connection.execute(text(SEQUENCES), of_schema)}  # noqa: C416 - dict() has no type for a Row
    database = str(connection.scalar(text("SELECT quote_ident(current_database())")))
    wanted = {
        str(connection.scalar(text("SELECT quote_ident(:name)"), {"name": name})): _declared(
            role, there, sequences, database, schema
        )
        for name, role in names.restricted().items()
    }
    has: dict[str, set[_Right]] = {role: set() for role in wanted}
    found = []
    for kind, object_, role, privilege, is_grantable, is_owner in connection.execute(text(RIGHTS), of_schema):
        right = _Right(kind, object_, privilege)
        if role in wanted:
            has[role].add(right)
        # Who may not own it is told by ABOVE_RIGHTS and OWNERS.
        if is_owner:
            continue
        if role in wanted:
            is_left = right in wanted[role]
        else:
            # A column's right is less than its table's.
            is_left = (kind, privilege.partition(" ")[0]) in (
                _LEFT_TO_PUBLIC if role == PUBLIC else _LEFT_TO_OTHERS
            )
        if not is_left:
            found.append(Difference(f"{role} has {right}", right.statement("REVOKE", role)))
        elif is_grantable:
            mend = right.statement("REVOKE GRANT OPTION FOR", role)
            found.append(Difference(f"{role} may pass on {right}", mend))
    for role, rights in wanted.items():
        found += [
            Difference(f"{role} lacks {right}", right.statement("GRANT", role))
            for right in sorted(rights - has[role])
        ]
    return found
