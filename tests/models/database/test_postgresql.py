"""Sessions lead to a server that takes writes, and are given up when theirs does not any more."""

import asyncio
import contextlib
import gc
import socket
import warnings
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError

from models.database import postgresql
from models.database.engine import Database
from models.database.lease import Lease
from models.database.postgresql import ServerIsReadOnly, ServerUnreachable, UrlRefused, hosts_of
from models.database.sender_lock import SenderLocks
from models.database.trouble import Trouble, trouble_of
from tests.support import until

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

# For a session's whole life; what was opened before an ALTER DATABASE does not see it.
READ_ONLY = text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")


async def become_read_only(database: Database, sessions: int) -> None:
    """Open so many sessions of the pool, whose server then takes no writes any more, as after a fail-over."""
    connections = [await database.engine.connect() for _ in range(sessions)]
    for connection in connections:
        await connection.execute(READ_ONLY)
        await connection.commit()
        await connection.close()


async def put(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("INSERT INTO book VALUES ('a')"))


@pytest.fixture(autouse=True)
async def admin(database_url: str) -> AsyncIterator[Database]:
    """For what is changed from outside; its sessions are not those that are looked at."""
    opened = Database(database_url)
    async with opened.write() as session:
        await session.execute(text("CREATE TABLE book (name TEXT)"))
    yield opened
    await opened.close()


async def let_new_sessions(admin: Database, *, be_read_only: bool) -> None:
    name = admin.url.database
    setting = "SET default_transaction_read_only = on" if be_read_only else "RESET default_transaction_read_only"
    async with admin.engine.connect() as connection:
        await connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"))
        await connection.execute(text(f"ALTER DATABASE {name} {setting}"))
        await connection.commit()


def sessions_of(database: Database) -> list[Any]:
    """The sessions that the pool opens from now on."""
    opened: list[Any] = []
    event.listen(database.engine.sync_engine, "connect", lambda connection, _record: opened.append(connection))
    return opened


async def make_read_only(session: Any) -> None:
    """One session that others use: between their statements."""

    async def is_done() -> bool:
        with contextlib.suppress(asyncpg.InterfaceError):
            await session.driver_connection.execute(READ_ONLY.text)
            return True
        return False

    await until(is_done)


async def test_the_first_refusal_gives_up_the_whole_pool(database: Database) -> None:
    await become_read_only(database, 5)
    with pytest.raises(DBAPIError) as refused:
        await put(database)
    assert trouble_of(refused.value) is Trouble.READ_ONLY
    await asyncio.gather(*(put(database) for _ in range(8)))


async def test_a_look_of_a_lease_does_so_too(database: Database) -> None:
    await become_read_only(database, 5)
    lease = Lease(database, "courier")
    keeping = asyncio.create_task(lease.keep())
    await lease.taken.wait()
    await asyncio.gather(*(put(database) for _ in range(8)))
    keeping.cancel()
    await asyncio.wait({keeping})
    await lease.give_back()


async def test_a_lease_is_not_held_on_a_server_that_takes_no_writes(database: Database, admin: Database) -> None:
    lease = Lease(database, "courier")
    opened = sessions_of(database)
    keeping = asyncio.create_task(lease.keep())
    await lease.taken.wait()
    await let_new_sessions(admin, be_read_only=True)
    (session,) = opened
    await make_read_only(session)
    await until(lambda: not lease.is_held)
    # New sessions would lead to such a server as well.
    assert len(opened) == 1
    await let_new_sessions(admin, be_read_only=False)
    await until(lambda: lease.is_held)
    keeping.cancel()
    await asyncio.wait({keeping})
    await lease.give_back()


async def test_senders_are_not_locked_on_a_server_that_takes_no_writes(database: Database) -> None:
    locks = SenderLocks(database)
    opened = sessions_of(database)
    assert await locks.take(7)
    await make_read_only(opened[0])

    async def is_taken_anew() -> bool:
        return await locks.take(7) and len(opened) > 1

    await until(is_taken_anew)
    await locks.close()


async def test_a_server_that_takes_no_writes_is_refused(database_url: str, admin: Database) -> None:
    await let_new_sessions(admin, be_read_only=True)
    writer, reader = Database(database_url), Database(database_url, may_be_read_only=True)
    with pytest.raises(ServerIsReadOnly, match="let LAOCERT_DATABASE_URL lead to the primary"):
        await put(writer)
    assert writer.troubles["read_only"] == 1
    async with reader.read() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await let_new_sessions(admin, be_read_only=False)
    await put(writer)
    await writer.close()
    await reader.close()


async def test_of_several_hosts_the_first_that_answers_is_used(database_url: str) -> None:
    url = make_url(database_url)
    # Bound, and nobody listens there.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        nobody = bound.getsockname()[1]
        absent = f"postgresql+asyncpg://postgres@/{url.database}?host=127.0.0.1:{nobody}"
        database = Database(f"{absent}&host={url.host}:{url.port}&target_session_attrs=read-write")
        await put(database)
        await database.close()
        database = Database(f"{absent}&host=127.0.0.2:{nobody}")
        with pytest.raises(ConnectionError) as refused:
            await put(database)
        assert trouble_of(refused.value) is Trouble.AWAY
        await database.close()


async def test_a_host_that_does_not_answer_has_its_own_time(database_url: str) -> None:
    url = make_url(database_url)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        first = f"postgresql+asyncpg://postgres@/{url.database}?host=127.0.0.1:{silent.getsockname()[1]}"
        engine = postgresql.make_engine(make_url(first), "laocert", connect_timeout=0.2)
        with pytest.raises(ServerUnreachable):
            await engine.connect()
        await engine.dispose()
        several = make_url(f"{first}&host={url.host}:{url.port}")
        engine = postgresql.make_engine(several, "laocert", connect_timeout=3)
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
        await engine.dispose()


def test_hosts_as_they_are_written(database_url: str) -> None:
    del database_url
    scheme = "postgresql+asyncpg://postgres@"
    assert hosts_of(make_url(f"{scheme}db/laocert")) == [("db", None)]
    assert hosts_of(make_url(f"{scheme}/laocert?host=/run/postgresql")) == [("/run/postgresql", None)]
    assert hosts_of(make_url(f"{scheme}/laocert?host=a:5432&host=[::1]:5433")) == [("a", 5432), ("::1", 5433)]
    assert hosts_of(make_url(f"{scheme}/laocert")) == []
    for wrong in ("a,b/laocert", "/laocert?host=a,b", "a/laocert?target_session_attrs=standby"):
        with pytest.raises(UrlRefused):
            Database(scheme + wrong)


async def test_a_machine_that_vanishes_is_noticed_by_the_system(database: Database) -> None:
    async with database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        opened: socket.socket = driver._transport.get_extra_info("socket")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == postgresql.PROBE_AFTER
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == postgresql.UNACKNOWLEDGED


# --- a session that is not opened to its end -----------------------------------------------------------------


async def test_an_opening_that_is_cancelled_leaves_no_session(database_url: str) -> None:
    """Wherever it is cancelled: in the connection itself, in the look whether it takes writes, in the lock."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        for step in range(60):
            database = Database(database_url)
            opening = asyncio.create_task(_open_and_close(database))
            await asyncio.sleep(step * 0.0005)
            opening.cancel()
            await asyncio.wait({opening})
            await database.close()
        gc.collect()
    assert [str(one.message) for one in told] == []


async def _open_and_close(database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.scalar(text("SELECT 1"))
