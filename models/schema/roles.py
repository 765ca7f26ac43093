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
        questions = [_ABOVE_RIGHTS, _OWNERS]
        if connection.scalar(text("SELECT to_regclass('pg_parameter_acl') IS NOT NULL")):
            questions.append(_PARAMETERS)
        found = [
            Difference(line)
            for question in questions
            for (line,) in connection.execute(text(question), _used(question, parameters))
        ]
        return [*found, *_of_rights(connection, names, parameters)]


def _used(question: str, parameters: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if f":{name}" in question}


_OF_THIS_SESSION = """
SELECT current_user, rolsuper OR rolbypassrls, pg_has_role(relowner, 'MEMBER'),
    has_table_privilege(pg_class.oid, 'INSERT')
FROM pg_class, pg_roles WHERE pg_class.oid = CAST('round' AS regclass) AND rolname = current_user
"""


def beyond_the_chat(connection: Connection) -> tuple[str, str | None]:
    """The role of a session, and what makes it more than the chat's, in a few words; None where nothing does."""
    user, is_above_rights, is_owner, opens_rounds = connection.execute(text(_OF_THIS_SESSION)).one()
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

_RIGHTS = """
SELECT kind, object, coalesce(quote_ident(rolname), 'PUBLIC'), privilege, is_grantable, grantee = owner
FROM (
    SELECT 'database' AS kind, quote_ident(datname) AS object, datdba AS owner,
        (aclexplode(coalesce(datacl, acldefault('d', datdba)))).*, NULL AS attname
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema', quote_ident(nspname), nspowner,
        (aclexplode(coalesce(nspacl, acldefault('n', nspowner)))).*, NULL
    FROM pg_namespace WHERE oid = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, CAST(CAST(oid AS regclass) AS text), relowner,
        (aclexplode(coalesce(relacl, acldefault('r', relowner)))).*, NULL
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relnamespace = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'table', CAST(CAST(pg_class.oid AS regclass) AS text), relowner, (aclexplode(attacl)).*, attname
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE NOT attisdropped AND relnamespace = CAST(:schema AS regnamespace)
) AS acl
CROSS JOIN LATERAL (
    SELECT privilege_type || coalesce(' (' || quote_ident(attname) || ')', '') AS privilege
) AS said
LEFT JOIN pg_roles ON pg_roles.oid = grantee
ORDER BY 1, 2, 3, 4
"""
_SEQUENCES = """
SELECT quote_ident(sequence.relname), owning.relname
FROM pg_depend JOIN pg_class AS sequence ON sequence.oid = objid JOIN pg_class AS owning ON owning.oid = refobjid
WHERE sequence.relkind = 'S' AND deptype IN ('a', 'i') AND classid = CAST('pg_class' AS regclass)
    AND refclassid = CAST('pg_class' AS regclass) AND sequence.relnamespace = CAST(:schema AS regnamespace)
"""
_THERE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST(:schema AS regnamespace)"


def _of_rights(connection: Connection, names: RoleNames, parameters: dict[str, object]) -> list[Difference]:
    schema = str(parameters["schema"])
    of_schema = {"schema": schema}
    there = set(connection.scalars(text(_THERE), of_schema))
    sequences = {sequence: table for sequence, table in connection.execute(text(_SEQUENCES), of_schema)}  # noqa: C416 - dict() has no type for a Row
    database = str(connection.scalar(text("SELECT quote_ident(current_database())")))
    wanted = {
        str(connection.scalar(text("SELECT quote_ident(:name)"), {"name": name})): _declared(
            role, there, sequences, database, schema
        )
        for name, role in names.restricted().items()
    }
    has: dict[str, set[_Right]] = {role: set() for role in wanted}
    found = []
    for kind, object_, role, privilege, is_grantable, is_owner in connection.execute(text(_RIGHTS), of_schema):
        right = _Right(kind, object_, privilege)
        if role in wanted:
            has[role].add(right)
        # Who may not own it is told by _ABOVE_RIGHTS and _OWNERS.
        if is_owner:
            continue
        if role in wanted:
            is_left = right in wanted[role]
        else:
            is_left = (kind, privilege) in (_LEFT_TO_PUBLIC if role == PUBLIC else _LEFT_TO_OTHERS)
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


# A right is worth nothing against these. A role that is a member of another has all that one has.
_ABOVE_RIGHTS = """
SELECT line FROM (
    SELECT 1 AS place, format('role %I does not exist', name) AS line
    FROM unnest(CAST(:roles AS text[])) AS name
    WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name)
    UNION ALL
    SELECT 2, format('%I %s', rolname, attribute) FROM pg_roles CROSS JOIN LATERAL (VALUES
        (rolsuper, 'is a superuser'), (rolbypassrls, 'bypasses row security'), (rolcreaterole, 'may create roles'),
        (rolcreatedb, 'may create databases'), (rolreplication, 'may replicate')) AS may (has_it, attribute)
    WHERE has_it AND rolname = ANY (CAST(:roles AS text[]))
    UNION ALL
    SELECT 3, format('%I is a member of %I', member.rolname, above.rolname)
    FROM pg_auth_members AS held
    JOIN pg_roles AS member ON member.oid = held.member JOIN pg_roles AS above ON above.oid = held.roleid
    WHERE member.rolname = ANY (CAST(:roles AS text[]))
    UNION ALL
    SELECT 4, format('%I owns %s', rolname, pg_describe_object(classid, objid, objsubid))
    FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
    WHERE refclassid = CAST('pg_authid' AS regclass) AND deptype = 'o' AND rolname = ANY (CAST(:roles AS text[]))
        AND (dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            OR classid = CAST('pg_database' AS regclass)
                AND objid = (SELECT oid FROM pg_database WHERE datname = current_database()))
    UNION ALL
    SELECT 5, format('new objects of %I get rights by themselves (ALTER DEFAULT PRIVILEGES)', rolname)
    FROM pg_default_acl JOIN pg_roles ON pg_roles.oid = defaclrole
    WHERE defaclnamespace = 0 OR defaclnamespace = CAST(:schema AS regnamespace)
) AS lines ORDER BY place, line
"""
# Of what the program made: another table beside its own is told by models/schema/definitions.py.
_OWNERS = """
SELECT format('%s belongs to %I, not to %I', described, rolname, CAST(:owner AS text)) FROM (
    SELECT 'table ' || relname AS described, relowner AS owner FROM pg_class
    WHERE relkind = 'r' AND relname = ANY (CAST(:program AS text[]))
        AND relnamespace = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'function ' || proname, proowner FROM pg_proc
    WHERE prorettype = CAST('trigger' AS regtype) AND pronamespace = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'the schema', nspowner FROM pg_namespace WHERE oid = CAST(:schema AS regnamespace)
    UNION ALL
    SELECT 'the database', datdba FROM pg_database WHERE datname = current_database()
) AS owned JOIN pg_roles ON pg_roles.oid = owner
WHERE rolname <> :owner AND rolname <> ALL (CAST(:roles AS text[]))
    -- The owner of the database is a member of this role (PostgreSQL 14 and newer).
    AND NOT (described = 'the schema' AND rolname = 'pg_database_owner')
ORDER BY 1
"""
# With session_replication_role a role that may set it has no foreign keys. PostgreSQL 15 and newer.
_PARAMETERS = """
SELECT format('%I has %s on parameter %s', rolname, privilege_type, parname)
FROM pg_parameter_acl CROSS JOIN LATERAL aclexplode(paracl) JOIN pg_roles ON pg_roles.oid = grantee
WHERE rolname = ANY (CAST(:roles AS text[]))
ORDER BY 1
"""
