"""Rate-limits failed password and PIN attempts.

A throttle has a key: a chat, a username or a user's PIN. Five failures within 15 minutes block the key for 15
minutes, the next five for 30, and so on, doubling up to a day (NIST SP 800-63B, 3.2.2, allows at most 100 failures
in a row). There are so few PINs that their failures count regardless of the time between them. An attempt is
counted before it is checked, so that neither concurrent attempts nor a crash gain extra attempts. A successful
attempt is subtracted again.

Rows are sealed; a row with a bad seal blocks its key. Where the failures of a key are recorded as events, a row
that is missing or older than the newest failure is rebuilt from that event (models/accounts/tries.py).
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
from models.base.grants import Grants
from models.base.tables import Base, conflict_insert
from models.security.row_seal import Sealed, SealedRow, name_of

TRIES = 5
WINDOW = timedelta(minutes=15)
FIRST_BLOCK = timedelta(minutes=15)
LONGEST_BLOCK = timedelta(days=1)
# After this time without a failure, the next block is as long as the first.
FORGIVEN = timedelta(days=7)
_PIN = "pin:"
# After this many blocks, the next one has LONGEST_BLOCK.
_BLOCKS_TO_LONGEST = 8


# Called with the name of a tampered row.
Report = Callable[[str], Awaitable[None]]


class Throttle(SealedRow, Base):
    """The failures of one key: `login:chat:<user id>`, `login:name:<keyed digest>` or `pin:<user id>`."""

    COVERAGE: ClassVar[Coverage] = covered(sealed="key failures since blocks blocked_until last_update")

    __tablename__ = "throttle"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, DELETE")

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    failures: Mapped[int]
    # The time of the first of `failures`.
    since: Mapped[datetime]
    blocks: Mapped[int]
    blocked_until: Mapped[datetime | None]
    # The inbox number of the update counted last. After a crash the same update is handled again, but not counted
    # again.
    last_update: Mapped[int | None] = mapped_column(BigInteger)

    SEALS: ClassVar[tuple[Sealed, ...]] = (
        Sealed(("failures", "since", "blocks", "blocked_until", "last_update")),
    )
    IS_RECORDED: ClassVar[bool] = False

    def block_end(self, now: datetime) -> datetime | None:
        """Return the end of the block in force, or None.

        A block that ends later than its length allows was set by a wrong clock and is ignored.
        """
        until = self.blocked_until
        if until is None or until <= now or is_ahead(until, _block(self.blocks - 1), now):
            return None
        return until


def name_key(session: AsyncSession, username: str) -> str:
    """Return the throttle key of a typed username, as a keyed hash, because the text may be a mistyped
    password.
    """
    keys = event_chain.keyring(session)
    key = keys.key("throttle", keys.current_id)
    assert key is not None  # noqa: S101 - the current key is always there
    return f"login:name:{hmac.new(key, username.encode(), hashlib.sha256).hexdigest()[:32]}"


def chat_key(user_id: int) -> str:
    """Return the throttle key of logins attempted in one chat."""
    return f"login:chat:{user_id}"


def pin_key(user_id: int) -> str:
    """Return the throttle key of PINs attempted by one Telegram user."""
    return f"{_PIN}{user_id}"


async def blocked_until(session: AsyncSession, keys: Iterable[str], now: datetime) -> datetime | None:
    """Return the latest end of a block of any of the keys; None when no key is blocked."""
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
    """Return how many more failures a key may have before it is blocked."""
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
    """Count one attempt for all keys before it is checked, and return None; or, if a key is blocked, its end.

    A blocked attempt is not counted. The attempt that reaches the limit is still admitted, and the block begins
    after it. `update` is the inbox number of the update that makes the attempt: the same update is counted once,
    also when it is handled again after a crash. `witnesses` says for keys where their failures are recorded.
    `report` is called with the name of each row that was changed or deleted without the secret key.
    """
    sorted_keys = sorted(set(keys))
    if update is not None and await _was_counted(session, sorted_keys, update):
        return None
    # Checked also before the rows are inserted: a blocked chat must not create a row for each username it tries.
    until = await blocked_until(session, sorted_keys, now)
    if until is not None:
        return until
    rows = await _hold(session, sorted_keys, now)
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
    """Lock the rows of the keys until the transaction ends, and insert missing ones.

    One upsert, so that of two concurrent first attempts the second waits for the first. In the order of the keys,
    so that no deadlock arises.
    """
    rows = await session.scalars(
        conflict_insert(session, Throttle)
        .on_conflict_do_update(index_elements=[Throttle.key], set_={"failures": Throttle.failures})
        .returning(Throttle),
        [sealed_values(session, Throttle, {"key": key, "failures": 0, "since": now, "blocks": 0}) for key in keys],
        execution_options={"populate_existing": True},
    )
    return list(rows)


async def _mend(session: AsyncSession, row: Throttle, witness: Witness | None, now: datetime) -> bool:
    """Rebuild a row that was tampered with or rolled back, so that it grants no extra attempts.

    The state comes from the event of the newest failure; without such an event, the key is blocked. Returns
    whether to report the row.
    """
    is_good = await has_good_seal(session, row)
    try:
        tries = None if witness is None else await newest_tries(session, witness)
    except event_chain.EventBroken:
        last = row.last_update if is_good else None
        await _replace(session, row, Tries(0, now, _BLOCKS_TO_LONGEST, now + LONGEST_BLOCK, last))
        return True
    is_in_force = tries is not None and not _is_forgotten(tries, now)
    if tries is not None and is_in_force and (not is_good or (tries.update or 0) > (row.last_update or 0)):
        await _replace(session, row, tries)
        # After a rotation of the secret key a username has a new throttle key, and its row is rightly new.
        return not is_good or row.key.startswith(_PIN)
    if not is_good:
        await _replace(session, row, Tries(0, now, 1, now + FIRST_BLOCK, None))
    return not is_good


def _is_forgotten(tries: Tries, now: datetime) -> bool:
    """Whether forget_old would delete a row in this state."""
    return all(is_past(moment, FORGIVEN, now) for moment in (tries.since, tries.blocked_until or tries.since))


async def _replace(session: AsyncSession, row: Throttle, tries: Tries) -> None:
    await _write(session, row.key, tries)
    await session.refresh(row)


async def _write(session: AsyncSession, key: str, tries: Tries) -> None:
    """Overwrite a locked row, also one with a bad seal."""
    columns = asdict(tries)
    columns["last_update"] = columns.pop("update")
    sealed_columns = sealed_values(session, Throttle, {"key": key} | columns)
    table = Throttle.core()
    await session.execute(update(table).where(table.c.key == key).values(sealed_columns))


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


def _block(previous_blocks: int) -> timedelta:
    """Return the length of the next block after `previous_blocks`."""
    return min(FIRST_BLOCK * float(2 ** min(previous_blocks, 10)), LONGEST_BLOCK)


async def clear(session: AsyncSession, keys: Iterable[str], now: datetime) -> None:
    """Reset the keys after a success. The rows are kept, so that a missing row shows that it was deleted."""
    locked_rows = select(Throttle).where(Throttle.key.in_(list(keys))).order_by(Throttle.key).with_for_update()
    for row in (await session.scalars(locked_rows)).all():
        last = row.last_update if await has_good_seal(session, row) else None
        await _write(session, row.key, Tries(0, now, 0, None, last))
        session.expunge(row)


async def tries_of(session: AsyncSession, keys: Iterable[str]) -> dict[str, Tries]:
    """Return the state of each key, to be stored in the event of a failure."""
    rows = await session.scalars(select(Throttle).where(Throttle.key.in_(list(keys))))
    return {
        row.key: Tries(row.failures, row.since, row.blocks, row.blocked_until, row.last_update) for row in rows
    }


async def take_back(session: AsyncSession, key: str) -> None:
    """Subtract the attempt counted last, because it succeeded; earlier failures stay.

    Does nothing without a row.
    """
    row = await session.get(Throttle, key, with_for_update=True)
    if row is None:
        return
    if row.failures == 0:
        # That attempt had reached the limit and begun a block.
        row.failures, row.blocks, row.blocked_until = TRIES - 1, row.blocks - 1, None
    else:
        row.failures -= 1
    await session.flush()


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Delete rows whose failures and block are older than FORGIVEN, and rows dated in the future by a wrong
    clock.
    """
    has_no_recent_block = or_(Throttle.blocked_until.is_(None), Throttle.blocked_until < now - FORGIVEN)
    await session.execute(
        delete(Throttle).where(
            or_(and_(Throttle.since < now - FORGIVEN, has_no_recent_block), Throttle.since > now + FORGIVEN),
        )
    )
