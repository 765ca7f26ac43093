"""Guessing made slow: how often something secret was tried for nothing, and until when it may not be tried.

Five failures within 15 minutes close a key for 15 minutes, the next five for 30, and so on, doubling up to a day
(NIST SP 800-63B, 3.2.2, asks for no more than 100 failures in a row). PINs are so few that their failures
count in a row, however slowly they come. A try is counted before it is checked, so that tries at the same moment,
or a crash, win nothing; one that succeeds takes its count back.

A row is sealed, and one whose seal is bad closes its key. Where the failures of a key are recorded, a row that is
gone, or older than the newest failure, is made anew from the event (models/accounts/tries.py).
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar

from sqlalchemy import BigInteger, Select, String, and_, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts.tries import Tries, Witness, newest_tries
from models.audit import event_chain
from models.audit.row_seal import has_good_seal, sealed_values
from models.base.clocks import is_ahead, is_past
from models.base.coverage import Coverage, covered
from models.base.tables import Base, conflict_insert
from models.security.row_seal import Sealed, SealedRow, name_of

TRIES = 5
WINDOW = timedelta(minutes=15)
FIRST_BLOCK = timedelta(minutes=15)
LONGEST_BLOCK = timedelta(days=1)
# Without a failure for so long, the next block is a first one again.
FORGIVEN = timedelta(days=7)
_PIN = "pin:"
# So many blocks are followed by a longest one.
_BLOCKS_TO_LONGEST = 8


# What is told of a row, by its name in the record.
Report = Callable[[str], Awaitable[None]]


class Throttle(SealedRow, Base):
    """The failures of one key: `login:chat:…`, `login:name:…` or `pin:…`."""

    COVERAGE: ClassVar[Coverage] = covered(sealed="key failures since blocks blocked_until last_update")

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    failures: Mapped[int]
    # When the first of these failures was.
    since: Mapped[datetime]
    blocks: Mapped[int]
    blocked_until: Mapped[datetime | None]
    # The update that was counted last: done once more after a crash, it is the same try.
    last_update: Mapped[int | None] = mapped_column(BigInteger)

    SEALS: ClassVar[tuple[Sealed, ...]] = (
        Sealed(("failures", "since", "blocks", "blocked_until", "last_update")),
    )
    IS_RECORDED: ClassVar[bool] = False

    def block_end(self, now: datetime) -> datetime | None:
        """The end of the block that holds now. One that lies further ahead than its length was set by a clock that
        was ahead, and is over.
        """
        until = self.blocked_until
        if until is None or until <= now or is_ahead(until, _block(self.blocks - 1), now):
            return None
        return until


def name_key(session: AsyncSession, username: str) -> str:
    """The key of a typed username, which may be a mistyped password: kept as a keyed hash, known or unknown."""
    keys = event_chain.keyring(session)
    key = keys.key("throttle", keys.current_id)
    assert key is not None  # noqa: S101 - the current key is always there
    return f"login:name:{hmac.new(key, username.encode(), hashlib.sha256).hexdigest()[:32]}"


def chat_key(user_id: int) -> str:
    """The key of the logins tried in one chat."""
    return f"login:chat:{user_id}"


def pin_key(user_id: int) -> str:
    """The key of the PINs tried by one Telegram user."""
    return f"{_PIN}{user_id}"


async def blocked_until(session: AsyncSession, keys: Iterable[str], now: datetime) -> datetime | None:
    """Until when the keys may not be tried; None when they may."""
    rows = await session.scalars(_blocks(), {"keys": list(keys), "now": now})
    return max((end for row in rows if (end := row.block_end(now)) is not None), default=None)


@cache
def _blocks() -> Select[Throttle]:
    return (
        select(Throttle)
        .where(Throttle.key.in_(bindparam("keys", expanding=True)), Throttle.blocked_until > bindparam("now"))
        .execution_options(populate_existing=True)
    )


async def tries_left(session: AsyncSession, key: str) -> int:
    """How many more tries a key has before it is closed."""
    row = await session.get(Throttle, key)
    return TRIES - (row.failures if row is not None else 0)


async def admit(
    session: AsyncSession,
    keys: Iterable[str],
    now: datetime,
    update: int | None = None,
    witnesses: Mapping[str, Witness] | None = None,
    report: Report | None = None,
) -> datetime | None:
    """Count one try of all the keys, before it is checked; or the end of a block, and nothing is counted.

    The try that fills a key up is still admitted: the block begins behind it. `update` is the number in the inbox
    of the update that tries: a program that was killed does it again, and it is counted once. `witnesses` says of
    keys where their failures are recorded. `report` is called with the name of each row that somebody without the
    secret key has written, or taken away.
    """
    wanted = sorted(set(keys))
    if update is not None and await _was_counted(session, wanted, update):
        return None
    # Looked at before as well: a closed chat must not leave a row for each name that it tries.
    until = await blocked_until(session, wanted, now)
    if until is not None:
        return until
    rows = await _hold(session, wanted, now)
    for row in rows:
        if await _mend(session, row, (witnesses or {}).get(row.key), now) and report is not None:
            await report(name_of(row))
    until = max((end for row in rows if (end := row.block_end(now)) is not None), default=None)
    if until is not None:
        return until
    for row in rows:
        _count(row, now)
        row.last_update = update
    await session.flush()
    return None


async def _was_counted(session: AsyncSession, keys: list[str], update: int) -> bool:
    counted = await session.scalars(
        select(Throttle)
        .where(Throttle.key.in_(keys), Throttle.last_update == update)
        .execution_options(populate_existing=True)
    )
    return {row.key for row in counted if await has_good_seal(session, row)} == set(keys)


async def _hold(session: AsyncSession, keys: list[str], now: datetime) -> list[Throttle]:
    """The rows of the keys, made where there are none, held until the transaction ends.

    One statement, for of two first tries at the same moment the second must wait for the first; in the order of
    the keys, so that no two wait for each other.
    """
    held = await session.scalars(
        conflict_insert(session, Throttle)
        .on_conflict_do_update(index_elements=[Throttle.key], set_={"failures": Throttle.failures})
        .returning(Throttle),
        [sealed_values(session, Throttle, {"key": key, "failures": 0, "since": now, "blocks": 0}) for key in keys],
        execution_options={"populate_existing": True},
    )
    return list(held)


async def _mend(session: AsyncSession, row: Throttle, witness: Witness | None, now: datetime) -> bool:
    """Write a row anew that is not what the last try has left, so that it gives no fresh tries: as the event of
    the newest failure tells, or closed where nothing tells how many were spent. Whether it is to be reported.
    """
    is_good = await has_good_seal(session, row)
    try:
        tries = None if witness is None else await newest_tries(session, witness)
    except event_chain.EventBroken:
        last = row.last_update if is_good else None
        await _write(session, Tries(0, now, _BLOCKS_TO_LONGEST, now + LONGEST_BLOCK, last), row)
        return True
    holds = tries is not None and not _is_forgotten(tries, now)
    if tries is not None and holds and (not is_good or (tries.update or 0) > (row.last_update or 0)):
        await _write(session, tries, row)
        # The key of a username is another one under a new secret key: there its row is new.
        return not is_good or row.key.startswith(_PIN)
    if not is_good:
        await _write(session, Tries(0, now, 1, now + FIRST_BLOCK, None), row)
    return not is_good


def _is_forgotten(tries: Tries, now: datetime) -> bool:
    """As forget_old takes rows away."""
    return all(is_past(moment, FORGIVEN, now) for moment in (tries.since, tries.blocked_until or tries.since))


async def _write(session: AsyncSession, tries: Tries, row: Throttle) -> None:
    """Replace a row that is held, whatever its seal is."""
    columns = asdict(tries)
    columns["last_update"] = columns.pop("update")
    sealed = sealed_values(session, Throttle, {"key": row.key} | columns)
    table = Throttle.core()
    await session.execute(update(table).where(table.c.key == row.key).values(sealed))
    await session.refresh(row)


def _count(row: Throttle, now: datetime) -> None:
    last = max(row.since, row.blocked_until or row.since)
    if is_past(last, FORGIVEN, now):
        row.blocks = 0
    if is_past(row.since, FORGIVEN if row.key.startswith(_PIN) else WINDOW, now):
        row.failures, row.since = 0, now
    row.failures += 1
    if row.failures >= TRIES:
        row.blocked_until = now + _block(row.blocks)
        row.blocks += 1
        row.failures = 0


def _block(before: int) -> timedelta:
    """How long a block is, after so many of them."""
    return min(FIRST_BLOCK * float(2 ** min(before, 10)), LONGEST_BLOCK)


async def clear(session: AsyncSession, keys: Iterable[str], now: datetime) -> None:
    """It was right: nothing is held against the keys any more. The rows stay: one that is gone was taken away."""
    held = select(Throttle).where(Throttle.key.in_(list(keys))).order_by(Throttle.key).with_for_update()
    for row in (await session.scalars(held)).all():
        last = row.last_update if await has_good_seal(session, row) else None
        await _write(session, Tries(0, now, 0, None, last), row)


async def tries_of(session: AsyncSession, keys: Iterable[str]) -> dict[str, Tries]:
    """The state of keys that were just counted, as the event of a failure keeps it."""
    rows = await session.scalars(select(Throttle).where(Throttle.key.in_(list(keys))))
    return {
        row.key: Tries(row.failures, row.since, row.blocks, row.blocked_until, row.last_update) for row in rows
    }


async def take_back(session: AsyncSession, key: str) -> None:
    """The try that was counted last was right: it alone is taken back, not the failures before it."""
    row = await session.get(Throttle, key, with_for_update=True)
    if row is None:
        return
    if row.failures == 0:
        # It had filled the key up.
        row.failures, row.blocks, row.blocked_until = TRIES - 1, row.blocks - 1, None
    else:
        row.failures -= 1
    await session.flush()


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop what holds nothing against anybody any more, and what a clock that was ahead has left."""
    ended = or_(Throttle.blocked_until.is_(None), Throttle.blocked_until < now - FORGIVEN)
    await session.execute(
        delete(Throttle).where(
            or_(and_(Throttle.since < now - FORGIVEN, ended), Throttle.since > now + FORGIVEN),
        )
    )
