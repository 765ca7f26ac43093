"""deploy/roles.sql and its script in the container of PostgreSQL, run as there on a database of this machine."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from models.database.engine import Database
from tests.conftest import POSTGRES
from tests.roles import NAMES, ROLES_SQL

SCRIPT = ROLES_SQL.with_name("roles-of-compose.sh")
ROLES = ("owner", "operator", "application")

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def superuser(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """At the end the roles of the script are gone."""
    name = database.url.database or ""
    NAMES.pop(name, None)
    connection = await asyncpg.connect(f"{POSTGRES}/{name}")
    yield connection
    for role in (f"{name}_{role}" for role in ROLES):
        if await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}")
            await connection.execute(f"DROP ROLE {role}")
    await connection.close()


async def run_script(folder: Path, database: Database) -> None:
    """With names, files and server of the test in place of the container's."""
    script = SCRIPT.read_text(encoding="utf-8").replace("laocert_", f"{database.url.database}_")
    script = script.replace("/laocert/roles.sql", str(ROLES_SQL)).replace("/run/secrets", str(folder))
    place = {"PGHOST": database.url.host or "", "PGPORT": str(database.url.port or 5432)}
    user = {"POSTGRES_USER": database.url.username or "", "POSTGRES_DB": database.url.database or ""}
    secret = {"PGPASSWORD": str(database.url.password)} if database.url.password else {}
    environment = {"PATH": os.environ["PATH"], **place, **user, **secret}
    await asyncio.to_thread(subprocess.run, ["sh", "-c", script], check=True, env=environment)


async def test_the_first_start_makes_three_roles_with_their_passwords(
    database: Database, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    for role in ROLES:
        (tmp_path / f"{role}_password").write_text(f"the {role}'s secret\n")
    # Safe to repeat.
    for _ in range(2):
        await run_script(tmp_path, database)
    name = database.url.database
    made = await superuser.fetch(
        "SELECT rolname, rolcanlogin, rolsuper, rolpassword LIKE 'SCRAM-SHA-256$%' AS has_password FROM pg_authid"
        " WHERE rolname = ANY ($1)",
        [f"{name}_{role}" for role in ROLES],
    )
    assert sorted(map(tuple, made)) == [(f"{name}_{role}", True, False, True) for role in sorted(ROLES)]
    owners = await superuser.fetch(
        "SELECT DISTINCT rolname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    assert [row["rolname"] for row in owners] == [f"{name}_owner"]


async def test_a_secret_that_is_not_there_stops_it(
    database: Database, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        await run_script(tmp_path, database)
