"""Three roles of PostgreSQL: what each may do, what is refused, and that `differences` tells what is otherwise."""

from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy import Connection, text

from models.base.grants import DatabaseRole, RoleNames
from models.base.tables import Base
from models.database.engine import Database
from models.schema import drift, roles, version
from tests.roles import three_roles, url_of

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def names(country: Database) -> AsyncIterator[RoleNames]:
    """The country's roles, with their rights."""
    async with three_roles(country) as made:
        owner = Database(url_of(country, made.owner))
        await version.upgrade(owner, made)
        await owner.close()
        yield made


@pytest.fixture
async def application(country: Database, names: RoleNames) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application's role, as anybody opens it who has its password."""
    session = await asyncpg.connect(url_of(country, names.application).replace("+asyncpg", ""))
    yield session
    await session.close()


async def run(database: Database, statement: str) -> None:
    async with database.engine.begin() as connection:
        for one in statement.split("; "):
            await connection.exec_driver_sql(one)


def test_every_table_declares_who_may_do_what() -> None:
    declared = roles._tables()
    assert {table.name for table in Base.metadata.sorted_tables} < set(declared)
    for grants in declared.values():
        for role in (DatabaseRole.APPLICATION, DatabaseRole.OPERATOR):
            assert "SELECT" in set(roles.privileges(grants[role]))
    # Nobody but the owner empties a table, or hangs a trigger on it.
    words = {word for grants in declared.values() for grant in grants.values() for word in roles.privileges(grant)}
    assert words == {"SELECT", "INSERT", "UPDATE", "DELETE", "UPDATE (row_lock)"}


@ON_POSTGRESQL
async def test_the_owner_upgrades_and_all_is_as_declared(country: Database, names: RoleNames) -> None:
    owner = Database(url_of(country, names.owner))
    assert await drift.can_check_in_full(owner)
    assert await drift.check(owner, names) == []
    # Safe to repeat.
    await version.upgrade(owner, names)
    assert await drift.check(owner, names) == []
    await owner.close()


# --- what the chat's role cannot do -------------------------------------------------------------------------

FORBIDDEN = [
    "INSERT INTO round (fiscal_year, state, opened_at) VALUES (2571, 'open', now())",
    "UPDATE round SET state = 'closed'",
    "UPDATE round SET id = id",
    "UPDATE round SET closes_on = NULL",
    "DELETE FROM round",
    "TRUNCATE round CASCADE",
    "INSERT INTO reopening (organization_code, round_id, revision, by_name, reason, reopened_at)"
    " VALUES ('5110201', 1, 1, 'ก', 'ข', now())",
    "UPDATE reopening SET revision = 99",
    "DELETE FROM reopening",
    "INSERT INTO organization_end (organization_code, founds_successor, kind, effective_on, by_name, reason,"
    " ended_at) VALUES ('5110201', false, 'closed', now(), 'ก', 'ข', now())",
    "UPDATE organization_end SET reason = 'ข'",
    "DELETE FROM organization_end",
    "UPDATE certification SET revision = 99",
    "DELETE FROM certification",
    "UPDATE certificate_words SET organization_name = 'ข'",
    "DELETE FROM audit_event",
    "UPDATE audit_event SET number = number + 1",
    "DO $$ BEGIN LOCK TABLE audit_event IN SHARE ROW EXCLUSIVE MODE; END $$",
    "UPDATE remark SET granted = true",
    "INSERT INTO organization SELECT * FROM organization",
    "UPDATE organization SET province_code = '12'",
    "UPDATE organization SET name_th = 'ข'",
    "DELETE FROM organization",
    "UPDATE province SET name_th = 'ข'",
    "INSERT INTO province (code, name_th, name_en) VALUES ('99', 'ก', 'A')",
    "UPDATE account SET role = 'province'",
    "UPDATE account SET password_hash = NULL",
    "INSERT INTO account (username, role, display_name) VALUES ('a', 'lao', 'ก')",
    "DELETE FROM account",
    "DELETE FROM officer",
    "DELETE FROM spot_check",
    "DELETE FROM certified_register",
    "INSERT INTO broadcast SELECT * FROM broadcast",
    "UPDATE alembic_version SET version_num = '0001'",
    "CREATE TEMPORARY TABLE certification (id int)",
    "CREATE TABLE other (id int)",
    "CREATE SCHEMA other",
    "CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION pg_temp.other() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER other BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "ALTER TABLE round DISABLE TRIGGER ALL",
    "DROP TRIGGER round_kept ON round",
    "ALTER FUNCTION keep_round() RESET ALL",
    "SET session_replication_role = replica",
    "SET ROLE postgres",
    "CREATE ROLE other",
]


@ON_POSTGRESQL
async def test_the_applications_role_is_refused(application: asyncpg.Connection) -> None:
    refused = []
    for statement in FORBIDDEN:
        with suppress(asyncpg.InsufficientPrivilegeError):
            await application.execute(statement)
            continue
        refused.append(statement)
    assert refused == FORBIDDEN


@ON_POSTGRESQL
@pytest.mark.parametrize("table", ["round", "organization", "province", "account"])
async def test_it_locks_rows_that_it_cannot_change(
    application: asyncpg.Connection, country: Database, table: str
) -> None:
    async with application.transaction():
        assert await application.fetch(f"SELECT 1 FROM {table} FOR UPDATE")
        other = await asyncpg.connect(url_of(country, "postgres").replace("+asyncpg", ""))
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.fetch(f"SELECT 1 FROM {table} FOR SHARE NOWAIT")
        await other.close()
    # The one column that it may write can hold nothing.
    await application.execute(f"UPDATE {table} SET row_lock = NULL")
    for value in ("true", "false"):
        with pytest.raises(asyncpg.CheckViolationError):
            await application.execute(f"UPDATE {table} SET row_lock = {value}")


# --- what differs -------------------------------------------------------------------------------------------

# A statement of the cluster's keeper, the line that tells it, and whether `db upgrade` puts it right.
CHANGES = [
    ("GRANT INSERT ON round TO {application}", "{application} has INSERT on table public.round", True),
    (
        "GRANT UPDATE (state) ON round TO {application}",
        "{application} has UPDATE (state) on table public.round",
        True,
    ),
    ("GRANT UPDATE ON round TO {application}", "{application} has UPDATE on table public.round", True),
    ("GRANT DELETE ON certification TO {operator}", "{operator} has DELETE on table public.certification", True),
    ("GRANT INSERT ON round TO PUBLIC", "PUBLIC has INSERT on table public.round", True),
    ("GRANT SELECT ON officer TO PUBLIC", "PUBLIC has SELECT on table public.officer", True),
    ("GRANT TRUNCATE ON inbox TO {application}", "{application} has TRUNCATE on table public.inbox", True),
    ("GRANT TRIGGER ON round TO {application}", "{application} has TRIGGER on table public.round", True),
    (
        "GRANT SELECT ON card TO {application} WITH GRANT OPTION",
        "{application} may pass on SELECT on table public.card",
        True,
    ),
    ("REVOKE INSERT ON remark FROM {application}", "{application} lacks INSERT on table public.remark", True),
    (
        "REVOKE UPDATE (row_lock) ON round FROM {application}",
        "{application} lacks UPDATE (row_lock) on table public.round",
        True,
    ),
    (
        "REVOKE USAGE ON SEQUENCE remark_id_seq FROM {application}",
        "{application} lacks USAGE on sequence public.remark_id_seq",
        True,
    ),
    (
        "GRANT UPDATE ON SEQUENCE round_id_seq TO {application}",
        "{application} has UPDATE on sequence public.round_id_seq",
        True,
    ),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "PUBLIC has CREATE on schema public", True),
    ("GRANT CREATE ON SCHEMA public TO {application}", "{application} has CREATE on schema public", True),
    ("REVOKE USAGE ON SCHEMA public FROM {operator}", "{operator} lacks USAGE on schema public", True),
    ("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC", "PUBLIC has TEMPORARY on database {database}", True),
    (
        "GRANT CREATE ON DATABASE {database} TO {application}",
        "{application} has CREATE on database {database}",
        True,
    ),
    (
        "REVOKE TEMPORARY ON DATABASE {database} FROM {operator}",
        "{operator} lacks TEMPORARY on database {database}",
        True,
    ),
    ("ALTER TABLE visit OWNER TO {application}", "{application} owns table public.visit", False),
    ("ALTER TABLE visit OWNER TO postgres", "table visit belongs to postgres, not to {owner}", False),
    (
        "ALTER FUNCTION keep_round() OWNER TO postgres",
        "function keep_round belongs to postgres, not to {owner}",
        False,
    ),
    ("ALTER DATABASE {database} OWNER TO postgres", "the database belongs to postgres, not to {owner}", False),
    ("ALTER SCHEMA public OWNER TO postgres", "the schema belongs to postgres, not to {owner}", False),
    ("ALTER ROLE {application} SUPERUSER", "{application} is a superuser", False),
    ("ALTER ROLE {operator} BYPASSRLS", "{operator} bypasses row security", False),
    ("ALTER ROLE {application} CREATEROLE", "{application} may create roles", False),
    ("ALTER ROLE {application} CREATEDB", "{application} may create databases", False),
    ("ALTER ROLE {application} REPLICATION", "{application} may replicate", False),
    ("GRANT {owner} TO {application}", "{application} is a member of {owner}", False),
    ("GRANT pg_write_all_data TO {operator}", "{operator} is a member of pg_write_all_data", False),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT INSERT ON TABLES TO {application}",
        "new objects of {owner} get rights by themselves (ALTER DEFAULT PRIVILEGES)",
        False,
    ),
    (
        "GRANT SET ON PARAMETER session_replication_role TO {application}",
        "{application} has SET on parameter session_replication_role",
        False,
    ),
]


@ON_POSTGRESQL
async def test_what_was_changed_is_told_and_put_right_where_the_owner_may(
    country: Database, names: RoleNames
) -> None:
    """Each change alone, in a transaction that is rolled back."""

    def told(connection: Connection, statement: str) -> tuple[list[str], list[str]]:
        """What differs after a statement, and what is left of that by the owner's next upgrade."""
        connection.exec_driver_sql(statement)
        found = [one.line for one in roles.differences(connection, names)]
        connection.exec_driver_sql(f"SET LOCAL ROLE {names.owner}")
        roles.apply(connection, names)
        return found, [one.line for one in roles.differences(connection, names)]

    said = {**vars(names), "database": country.url.database}
    found, expected = {}, {}
    for change, line, is_mended in CHANGES:
        statement, wanted = change.format(**said), [line.format(**said)]
        expected[statement] = (wanted, [] if is_mended else wanted)
        async with country.engine.connect() as connection:
            found[statement] = await connection.run_sync(told, statement)
            await connection.rollback()
    assert found == expected


@ON_POSTGRESQL
@pytest.mark.parametrize("change", ["RESET ALL", "SECURITY DEFINER"])
async def test_what_a_function_is_given_is_told(country: Database, names: RoleNames, change: str) -> None:
    await run(country, f"ALTER FUNCTION keep_round() {change}")
    [line] = await drift.check(country, names)
    assert line.startswith("function keep_round differs")


@ON_POSTGRESQL
async def test_what_others_may_read_is_left_to_the_keeper(country: Database, names: RoleNames) -> None:
    """A role for figures may look, and not write."""
    figures = f"{names.owner}_figures"
    await run(country, f"CREATE ROLE {figures}; GRANT SELECT ON certification TO {figures}")
    try:
        assert await drift.check(country, names) == []
        await run(country, f"GRANT INSERT ON certification TO {figures}")
        assert await drift.check(country, names) == [f"{figures} has INSERT on table public.certification"]
    finally:
        await run(country, f"DROP OWNED BY {figures}; DROP ROLE {figures}")


@ON_POSTGRESQL
async def test_a_role_that_is_not_there_is_refused_and_nothing_is_done(
    country: Database, names: RoleNames
) -> None:
    await run(country, f"GRANT INSERT ON round TO {names.application}")
    owner = Database(url_of(country, names.owner))
    with pytest.raises(
        roles.RolesMissing, match=r"^there is no role nobody and no role none in this cluster; make"
    ):
        await version.upgrade(owner, RoleNames(names.owner, "nobody", "none"))
    [line] = await roles.check(owner, names)
    assert "has INSERT on table public.round" in line
    await owner.close()


@ON_POSTGRESQL
async def test_one_role_for_the_chat_and_the_owner_for_the_rest(country: Database, names: RoleNames) -> None:
    """Without an operator its work is the owner's."""
    two = RoleNames(names.owner, names.application, None)
    owner = Database(url_of(country, names.owner))
    await version.upgrade(owner, two)
    # What the operator's role has beyond looking is taken from it: it is anybody now.
    assert await roles.check(owner, two) == []
    async with owner.read() as session:
        asked = text(f"SELECT has_table_privilege('{names.operator}', 'round', 'INSERT')")
        assert await session.scalar(asked) is False
    await owner.close()
